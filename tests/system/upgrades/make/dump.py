"""Writes what an installation on SQLite holds as JSON that any database can be filled with."""
import json, sqlite3, sys

LEDGER = ["ledger_identity", "account", "destination", "sealed_secret", "export_window", "delivery", "attempt",
          "change_log", "change_outbox", "replay", "replayed_object", "awaited_proof"]
SOURCE = ["audit_log", "auditferry_mark"]


def value(x):
    return {"hex": x.hex()} if isinstance(x, bytes) else x


def dump(tables):
    lines = []
    for table in tables:
        rows = connection.execute(f"SELECT * FROM {table} ORDER BY rowid")
        names = [column[0] for column in rows.description]
        rows = [json.dumps({n: value(v) for n, v in zip(names, row) if v is not None}, ensure_ascii=False) for row in rows]
        lines.append(f"{json.dumps(table)}: [\n" + ",\n".join(rows) + "\n]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


connection = sqlite3.connect(sys.argv[1])
for name, tables in (("ledger", LEDGER), ("source", SOURCE)):
    with open(f"{sys.argv[2]}/{name}.json", "w") as out:
        out.write(dump(tables))
