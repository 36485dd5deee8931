"""dlt: sql_table through Arrow into a filesystem destination on S3, as JSON lines (gzip, its default)."""
# many: 20
import os, tempfile

import dlt
from dlt.destinations import filesystem
from dlt.sources.sql_database import sql_table

os.environ.update({"RUNTIME__DLTHUB_TELEMETRY": "false", "NORMALIZE__WORKERS": "2", "RUNTIME__LOG_LEVEL": "ERROR"})
columns = ["seq", "account_id", "occurred_at", "email", "action", "action_id", "description", "ip_address"]


def records(account):
    only = lambda query, table: query.where(table.c.account_id == account)
    table = sql_table(credentials=os.environ["SOURCE"].replace("postgres://", "postgresql://"), table="audit_log",
                      backend="pyarrow", chunk_size=50_000, included_columns=columns,
                      query_adapter_callback=only)
    return table.with_name(account)


destination = filesystem(
    bucket_url=f"s3://{os.environ['BUCKET']}",
    credentials={"aws_access_key_id": "load", "aws_secret_access_key": "load", "endpoint_url": os.environ["ENDPOINT"]})
with tempfile.TemporaryDirectory() as folder:
    pipeline = dlt.pipeline("bench", pipelines_dir=folder, destination=destination, dataset_name=os.environ["PREFIX"])
    accounts = open(os.environ["ACCOUNTS"]).read().split()
    pipeline.run([records(account) for account in accounts], loader_file_format="jsonl")
