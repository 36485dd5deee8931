"""DuckDB: ATTACH to PostgreSQL, COPY to S3 as gzip (it writes no zip)."""
import os

import duckdb
from duckdb_extensions import import_extension

database = duckdb.connect()
for extension in ("httpfs", "postgres_scanner"):
    import_extension(extension, con=database)
    database.load_extension(extension)
endpoint = os.environ["ENDPOINT"].removeprefix("http://")
database.execute(f"CREATE SECRET (TYPE s3, KEY_ID 'load', SECRET 'load', ENDPOINT '{endpoint}', "
                 "USE_SSL false, URL_STYLE 'path')")
database.execute(f"ATTACH '{os.environ['SOURCE']}' AS pg (TYPE postgres, READ_ONLY)")
database.execute("SET TimeZone = 'Asia/Kolkata'")
for account in open(os.environ["ACCOUNTS"]).read().split():
    database.execute(
        f"""COPY (SELECT strftime(occurred_at, '%Y-%m-%dT%H:%M:%S.%g%z') AS "Date", email AS "Email",
                  action AS "Action", action_id AS "Action ID", description AS "Description",
                  ip_address AS "IP Address" FROM pg.audit_log WHERE account_id = '{account}')
            TO 's3://{os.environ["BUCKET"]}/{os.environ["PREFIX"]}/{account}/audit.json.gz'
            (FORMAT json, COMPRESSION gzip)""")
