"""ClickHouse in a process (chdb): INSERT INTO s3 SELECT FROM postgresql, as gzip (it writes no zip)."""
import os
from urllib.parse import urlparse

from chdb.session import Session

source = urlparse(os.environ["SOURCE"])
table = f"postgresql('{source.hostname}:{source.port}', '{source.path[1:]}', 'audit_log', '{source.username}', '')"
session = Session()
for account in open(os.environ["ACCOUNTS"]).read().split():
    url = f"{os.environ['ENDPOINT']}/{os.environ['BUCKET']}/{os.environ['PREFIX']}/{account}/audit.json.gz"
    session.query(
        f"""INSERT INTO FUNCTION s3('{url}', 'load', 'load', 'JSONEachRow')
            SELECT formatDateTime(occurred_at, '%Y-%m-%dT%H:%i:%S.%f%z', 'Asia/Kolkata') AS "Date",
                   email AS "Email", action AS "Action", action_id AS "Action ID",
                   description AS "Description", ip_address AS "IP Address"
            FROM {table} WHERE account_id = '{account}'""")
