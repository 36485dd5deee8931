#!/usr/bin/env bash
# psql, zip and the AWS CLI in one pipe, as a cron job has it. PostgreSQL writes the JSON; signs that
# no JSON holds take the place of quotes and separators, so that COPY changes nothing in it.
# many: 40
set -euo pipefail
export PGTZ=Asia/Kolkata

while read -r account; do
    psql -qX "$SOURCE" -c "COPY (SELECT json_build_object('Date', occurred_at, 'Email', email,
            'Action', action, 'Action ID', action_id, 'Description', description, 'IP Address', ip_address)
            FROM audit_log WHERE account_id = '$account' ORDER BY tx, seq)
            TO STDOUT (FORMAT csv, QUOTE e'\\x01', DELIMITER e'\\x02')" |
        zip -q -6 - - |
        "$TOOLS/aws/bin/aws" --endpoint-url "$ENDPOINT" s3 cp --quiet - "s3://$BUCKET/$PREFIX/$account/audit.zip"
done <"$ACCOUNTS"
