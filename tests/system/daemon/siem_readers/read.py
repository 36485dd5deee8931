"""Reads objects with a reader that is not ours and prints their rows as one JSON array, an object a row.

read.py READER FIELDS OBJECT...

FIELDS names the fields of a record, each a text, as one JSON array: without them some readers would guess
that a text is a time or a number.
"""
import json
import sys

reader, fields, objects = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
parquet = objects[0].endswith(".parquet")


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def duckdb_rows(path):
    import duckdb

    if parquet:
        found = duckdb.sql(f"SELECT * FROM read_parquet('{path}', hive_partitioning = false)")
    else:
        columns = "{" + ", ".join(f"'{name}': 'VARCHAR'" for name in fields) + "}"
        found = duckdb.sql(
            f"SELECT * FROM read_json('{path}', format = 'newline_delimited', columns = {columns}, "
            "maximum_object_size = 100000000, hive_partitioning = false)"
        )
    return [dict(zip(found.columns, row)) for row in found.fetchall()]


def chdb_rows(path):
    import chdb

    if parquet:
        query = f"SELECT * FROM file('{path}', Parquet)"
    else:
        columns = ", ".join(f"`{name}` Nullable(String)" for name in fields)
        query = f"SELECT * FROM file('{path}', JSONEachRow, '{columns}')"
    found = str(chdb.query(query + " FORMAT JSONEachRow SETTINGS output_format_json_quote_64bit_integers = 0"))
    return [json.loads(line) for line in found.split("\n") if line]


def pandas_rows(path):
    import pandas

    if parquet:
        found = pandas.read_parquet(path, dtype_backend="pyarrow")
    else:
        found = pandas.read_json(path, lines=True, dtype=False, dtype_backend="pyarrow")
    return json.loads(found.to_json(orient="records", force_ascii=False))


def polars_rows(path):
    import polars

    if parquet:
        return polars.read_parquet(path, hive_partitioning=False).to_dicts()
    schema = {name: polars.String for name in fields}
    return polars.read_ndjson(path, schema=schema).to_dicts()


def pyarrow_rows(path):
    import pyarrow
    import pyarrow.json
    import pyarrow.parquet

    if parquet:
        return pyarrow.parquet.ParquetFile(path).read().to_pylist()
    schema = pyarrow.schema([(name, pyarrow.string()) for name in fields])
    with pyarrow.input_stream(path, compression="detect") as content:
        return pyarrow.json.read_json(
            content,
            read_options=pyarrow.json.ReadOptions(block_size=64 << 20),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=schema),
        ).to_pylist()


rows = [row for path in objects for row in globals()[f"{reader}_rows"](path)]
json.dump(rows, sys.stdout, default=str)
