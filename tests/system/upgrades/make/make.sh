set -u
# Usage: make.sh PROGRAM FOLDER. Fills an installation with what PROGRAM, a release, stores; see ../README.md.
here=$(cd "$(dirname "$0")" && pwd); A=$(realpath "$1"); mkdir -p "$2/run"; cd "$2"
python3 "$here/s3.py" > s3.log 2>&1 & S3=$!
sleep 0.5; cd run
export AUDITFERRY__NETWORK__ALLOW=127.0.0.1 AUDITFERRY__HTTP__LISTEN= AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT=proof AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE AWS_SECRET_ACCESS_KEY=HUSH AWS_REGION=us-east-1
export AUDITFERRY__AWS__PRINCIPAL=arn:aws:iam::111122223333:role/worker ACME_SECRET=HUSH AUDITFERRY__RETRY__FIRST_WAIT=1s AUDITFERRY__PUT__TIMEOUT=5s
a() { echo "+ $*"; timeout 40 $A "$@" || echo "exit $?"; }
S3O="--kind s3 --region us-east-1 --endpoint http://127.0.0.1:18999 --allow-http --access-key-id AKIAIOSFODNN7EXAMPLE --no-test"
ENVS="--secret-access-key-env ACME_SECRET"
due() { python3 - "$@" <<'PY'
import sqlite3,sys
c=sqlite3.connect('auditferry.db'); 
for id in sys.argv[1:]:
    c.execute("update account set last_slot=last_slot-14400000000, next_slot=next_slot-14400000000, due_at=0 where id=?",(id,))
c.commit()
PY
}
rec() { python3 - "$@" <<'PY'
import sqlite3,sys
c=sqlite3.connect('auditferry.db'); acc,frm,to=sys.argv[1],int(sys.argv[2]),int(sys.argv[3])
for n in range(frm,to):
    c.execute("insert into audit_log (account_id,occurred_at,email,action,action_id,description,ip_address) values (?,?,?,?,?,?,?)",
      (acc,f"2026-11-{1+n%20:02}T{n%24:02}:00:{n%60:02}.{n%1000:03}Z",f"é{n}@x.example","login",f"{acc}-{n}",f'a "b" {n}\u2028',None if n%3==0 else f"10.0.0.{n}"))
c.commit()
PY
}
$A keys generate --out key.txt > keys.out; cat keys.out
export AUDITFERRY__KEYS__RING=2026-11=file:key.txt
a account add acme --zone Asia/Kolkata --start beginning --max-records 4 --schedule '*/5 * * * * *'
a account add gzip --zone America/New_York --start beginning --container gzip --layout array --compression fast
a account add plain --zone UTC --start beginning --container none --empty-windows object --schedule '*/5 * * * * *'
a account add sealed-only --zone UTC --start beginning
a account add held --zone UTC --start beginning
a account add cut --zone Europe/Berlin --start beginning --container gzip
a account add skipped --zone UTC --start beginning
a account add azure --zone UTC
a account add gcs --zone UTC
a account add nowhere --zone Africa/Cairo --schedule "0 0 0 * * *"
a account add paused --zone UTC
a account add suspended --zone UTC --start beginning
a account add vault --zone UTC --start beginning --layout array
a account add role --zone UTC
a account add proof --zone UTC
a destination set acme $S3O $ENVS --bucket lost
a destination set gzip $S3O $ENVS --bucket flaky --prefix siem/
a destination set plain $S3O $ENVS --bucket plain --expires 2036-01-01
a destination set sealed-only $S3O --secret-access-key-env NOT_SET --bucket plain --skip-secrets
a destination set held $S3O $ENVS --bucket held
a destination set cut $S3O $ENVS --bucket plain
a destination set skipped $S3O $ENVS --bucket plain
a destination set azure --kind azure --container logs --connection-string-env AZURE --skip-secrets
a destination set gcs --kind gcs --bucket acme-logs --service-account-env GCS --skip-secrets
a destination set paused --kind azure --container logs --endpoint https://acme.blob.core.windows.net --sas-env AZURE_SAS --prefix p/ --skip-secrets
a destination set suspended $S3O $ENVS --bucket deny
echo -n HUSH | $A destination set vault $S3O --secret-access-key-file - --bucket flaky
a destination trust role --bucket acme-siem
a destination set role --kind s3 --bucket acme-siem --region eu-central-1 --assume-role arn:aws:iam::111122223333:role/auditferry --no-test
a destination set proof --kind s3 --bucket owned --region us-east-1 --endpoint http://127.0.0.1:18999 --allow-http --ambient
for i in acme gzip plain sealed-only held skipped suspended vault; do a addon enable $i --reason "order $i"; done
a addon enable nowhere
a addon enable paused
a account pause paused --reason "ticket 12"
a addon enable cut --until $(date -u -d '+8 seconds' +%Y-%m-%dT%H:%M:%SZ)
rec acme 0 3; rec plain 100 103; rec cut 200 203
sleep 6
a run --until-idle
rec acme 3 13; rec gzip 300 305; rec sealed-only 400 402; rec held 500 502; rec suspended 600 601; rec vault 700 704; rec skipped 800 802
rec cut 250 251
sleep 9
python3 - <<'PY'
import sqlite3
c=sqlite3.connect('auditferry.db')
# of an instant to come: it stays under the watermark when the add-on ends
c.execute("insert into audit_log (account_id,occurred_at,email,action) values ('cut','2036-01-01T00:00:00.000Z','later@x.example','login')"); c.commit()
PY
sleep 6
AUDITFERRY__WORKER__SUSPEND_AFTER=1s a run --until-idle
a account set acme --schedule '0 0 */4 * * *'
a account set plain --schedule '0 0 */4 * * *'
due gzip sealed-only held suspended vault
AUDITFERRY__WORKER__SUSPEND_AFTER=1s timeout 60 bash -c ': ' ; AUDITFERRY__WORKER__SUSPEND_AFTER=1s a run --until-idle
sleep 2
AUDITFERRY__WORKER__SUSPEND_AFTER=1s timeout 60 bash -c ': ' ; AUDITFERRY__WORKER__SUSPEND_AFTER=1s a run --until-idle
a account resume sealed-only
a run --until-idle
a addon enable skipped --from now --reason "begins anew"
a account set skipped --max-bytes 33554432
a addon enable cut --reason again
rec cut 260 262
a destination set cut $S3O $ENVS --bucket flaky --replace
due cut
a run --until-idle
a account set acme --schedule '0 0 */4 * * *'
a account set plain --schedule '0 0 */4 * * *'
SL=$($A deliveries ls plain --windows --json | python3 -c "import json,sys; w=json.load(sys.stdin); print(w[-1]['slot'], w[0]['slot'])"); set -- $SL
a deliveries replay plain --from $1 --to $2
a deliveries replay plain --from $1 --to $2 --as-new
kill $S3
