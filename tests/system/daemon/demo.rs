//! `auditferry demo`, as a newcomer runs it.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use serde_json::Value;
use sqlx::Row as _;

use crate::daemon::app::{command, said};
use crate::daemon::rows::{encoded, filter, slot_of, sqlite};
use crate::support::{folder, run};

fn demo(dir: &Path) -> String {
    let output = command().args(["demo", "--slots", "2", "--dir"]).arg(dir).output().expect("the program");
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// What the source holds of each account, as the objects must tell it.
async fn source(dir: &Path) -> BTreeMap<String, Vec<[Value; 6]>> {
    let mut connection = sqlite(&format!("sqlite:{}", dir.join("demo.db").display())).await;
    let rows = sqlx::query(
        "SELECT l.account_id, a.zone, l.occurred_at, l.email, l.action, l.action_id, l.description, l.ip_address \
         FROM audit_log l JOIN account a ON a.id = l.account_id ORDER BY l.seq",
    )
    .fetch_all(&mut connection)
    .await
    .expect("rows");
    let mut accounts: BTreeMap<String, Vec<[Value; 6]>> = BTreeMap::new();
    for row in rows {
        let text = |column: &str| row.get::<Option<String>, _>(column).map_or(Value::Null, Value::String);
        let at: jiff::Timestamp = row.get::<String, _>("occurred_at").parse().expect("an instant");
        let date =
            at.in_tz(&row.get::<String, _>("zone")).expect("a zone").strftime("%Y-%m-%dT%H:%M:%S%.3f%:z");
        let record = [
            Value::String(date.to_string()),
            text("email"),
            text("action"),
            text("action_id"),
            text("description"),
            text("ip_address"),
        ];
        accounts.entry(row.get("account_id")).or_default().push(record);
    }
    accounts
}

/// What the zips in the demo's bucket hold of an account, and their newest slot.
fn bucket(dir: &Path, account: &str) -> (Vec<[Value; 6]>, Timestamp) {
    let place = dir.join("s3/acme-siem/audit").join(encoded(account));
    let mut zips: Vec<_> = std::fs::read_dir(place).expect("a folder").flatten().map(|e| e.path()).collect();
    zips.sort();
    let mut records = Vec::new();
    for zip in &zips {
        let content = filter(&["unzip", "-p", zip.to_str().expect("UTF-8")], b"");
        for line in String::from_utf8(content).expect("UTF-8").lines() {
            let record: Value = serde_json::from_str(line).expect("JSON");
            let fields = ["Date", "Email", "Action", "Action ID", "Description", "IP Address"];
            records.push(fields.map(|field| record[field].clone()));
        }
    }
    let slot = slot_of(zips.last().and_then(|zip| zip.to_str()).expect("a zip"));
    let slot = DateTime::strptime("%Y%m%dT%H%M%SZ", slot).expect("a slot");
    (records, Offset::UTC.to_timestamp(slot).expect("an instant"))
}

#[test]
fn two_runs_in_one_folder_and_no_record_again_or_missing() {
    run(async {
        let dir = folder("demo").join("new").join("folder");
        let mut before = BTreeMap::new();
        for _ in 1..=2 {
            let printed = demo(&dir);
            assert!(printed.contains("auditferry destination test acme"), "what to type next: {printed}");
            let source = source(&dir).await;
            assert_eq!(source.keys().collect::<Vec<_>>(), ["acme corp", "mumbai-pay", "ny-bank"]);
            let mut all = 0;
            for (account, inserted) in source {
                let (found, slot) = bucket(&dir, &account);
                let (delivered, waiting) = inserted.split_at(found.len());
                assert_eq!(found, delivered, "{account}: each once, in order, none missing");
                for record in waiting {
                    let at: Timestamp = record[0].as_str().unwrap().parse().expect("an instant");
                    assert!(at >= slot, "{account}: {record:?} is missing, the newest slot is {slot}");
                }
                all += found.len();
                let earlier = before.insert(account.clone(), found.len()).unwrap_or(0);
                assert!(found.len() > earlier, "{account}: the run adds records");
            }
            assert!(printed.contains(&format!("{all} records in ")), "{printed}");
        }
    });
}

#[test]
fn a_read_only_folder_is_refused() {
    let dir = folder("demo-read-only");
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o555)).unwrap();
    let mut demo = command();
    if Command::new("id").arg("-u").output().unwrap().stdout == b"0\n" {
        // Nothing is read-only for root.
        let program = demo.get_program().to_owned();
        demo = Command::new("setpriv");
        demo.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"]).arg(program);
    }
    let output = demo.args(["demo", "--dir"]).arg(&dir).output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("--dir") && error.contains("name a folder that you may write"), "{error}");
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
}
