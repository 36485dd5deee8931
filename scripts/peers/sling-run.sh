#!/usr/bin/env bash
# Sling: a stream from PostgreSQL into a file on S3, as JSON lines in gzip (it writes no zip).
# many: 40
set -euo pipefail
export PG="$SOURCE?sslmode=disable" SLING_DISABLE_TELEMETRY=true
export S3="{type: s3, bucket: $BUCKET, access_key_id: load, secret_access_key: load, region: us-east-1, endpoint: '$ENDPOINT'}"

while read -r account; do
    "$TOOLS/sling/bin/sling" run --src-conn PG --tgt-conn S3 \
        --src-stream "SELECT occurred_at AS \"Date\", email AS \"Email\", action AS \"Action\",
            action_id AS \"Action ID\", description AS \"Description\", ip_address AS \"IP Address\"
            FROM audit_log WHERE account_id = '$account' ORDER BY tx, seq" \
        --tgt-object "s3://$BUCKET/$PREFIX/$account/audit.jsonl.gz" \
        --tgt-options '{format: jsonlines, compression: gzip}' </dev/null
done <"$ACCOUNTS"
