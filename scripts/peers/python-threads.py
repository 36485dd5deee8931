"""psycopg (binary, server-side cursor), orjson, zipfile and boto3. Many small windows: four threads, each
with a connection and a client of its own."""
import io, os, tempfile, threading, zipfile
from concurrent.futures import ThreadPoolExecutor

import boto3, orjson, psycopg
from botocore.config import Config

SQL = """SELECT occurred_at, email, action, action_id, description, ip_address
         FROM audit_log WHERE account_id = %s ORDER BY tx, seq"""
FIELDS = ("Date", "Email", "Action", "Action ID", "Description", "IP Address")
BUCKET, PREFIX = os.environ["BUCKET"], os.environ["PREFIX"]
own = threading.local()


def connect():
    own.connection = psycopg.connect(os.environ["SOURCE"], options="-c timezone=Asia/Kolkata")
    config = Config(s3={"addressing_style": "path"})
    own.s3 = boto3.client("s3", endpoint_url=os.environ["ENDPOINT"], config=config)


def line(row):
    return orjson.dumps(dict(zip(FIELDS, row)), option=orjson.OPT_APPEND_NEWLINE)


def large(account):
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
            with archive.open("audit.json", "w", force_zip64=True) as entry:
                with own.connection.cursor("records") as rows:
                    rows.execute(SQL, (account,), binary=True)
                    while page := rows.fetchmany(10_000):
                        entry.write(b"".join(map(line, page)))
        file.flush()
        own.s3.upload_file(file.name, BUCKET, f"{PREFIX}/{account}/audit.zip")


def small(account):
    body = io.BytesIO()
    with own.connection.cursor(binary=True) as rows:
        content = b"".join(map(line, rows.execute(SQL, (account,), prepare=True)))
    own.connection.commit()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        archive.writestr("audit.json", content)
    own.s3.put_object(Bucket=BUCKET, Key=f"{PREFIX}/{account}/audit.zip", Body=body.getvalue())


accounts = open(os.environ["ACCOUNTS"]).read().split()
if len(accounts) == 1:
    connect()
    large(accounts[0])
else:
    with ThreadPoolExecutor(4, initializer=connect) as pool:
        list(pool.map(small, accounts))
