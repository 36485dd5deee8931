//! Every change that the API has.

use super::{Scene, assert_same};
use crate::support::run;

/// Every change that the API has, on both databases.
async fn changes_are_told_alike(on_postgres: bool) {
    let scene = Scene::new(on_postgres).await;
    scene.bench.file("secret", "HUSH");
    // The ledger has them too: the words of `destination set` on it say so.
    for line in [
        "account add ACCOUNT --zone Mars/Olympus",
        "account add ACCOUNT --zone Asia/Kolkata --start beginning --container gzip --reason 'ticket 17'",
        "account add ACCOUNT --zone Asia/Kolkata",
        "account set nobody --zone UTC",
        "account set ACCOUNT --schedule @daily --max-records 10 --layout array",
        "account set ACCOUNT --zone Europe/Berlin",
        "account set ACCOUNT --max-records 0",
        "account set ACCOUNT --schedule 'x y z'",
        "account set ACCOUNT --schedule '0 0 1 1 1 * 2020'",
        "account show ACCOUNT --json",
        "account rm nobody",
        "addon show ACCOUNT",
        "addon enable ACCOUNT --until 2020-01-01",
        "addon enable ACCOUNT --from beginning",
        "addon enable ACCOUNT --until 2099-01-01 --reason 'contract 4711'",
        "addon enable ACCOUNT --no-end",
        "addon enable ACCOUNT --from now",
        "addon show ACCOUNT --json",
        "addon disable ACCOUNT --reason unpaid",
        "addon enable nobody",
        "addon show nobody",
        "destination show ACCOUNT",
        "destination rm ACCOUNT",
        "destination test ACCOUNT",
        "destination rotate ACCOUNT --access-key-id AKIB",
    ] {
        scene.does_same(line);
    }
    let set = "destination set ACCOUNT --kind s3 --region eu-central-1 --access-key-id AKIA \
               --secret-access-key-file secret --seal";
    for line in [
        format!("{set} --bucket acme-siem --endpoint https://127.0.0.1:9"),
        format!("{set} --bucket acme-siem --no-test --expires 2020-01-01"),
        format!("{set} --bucket 'Not a bucket' --no-test"),
        format!("{set} --bucket acme-siem --no-test --prefix siem/"),
        format!("{set} --bucket acme-siem --no-test"),
        format!("{set} --bucket acme-siem --no-test --replace"),
        format!(
            "{set} --bucket acme-siem --no-test --replace --yes --storage-class STANDARD_IA --expires 2098-01-01"
        ),
        "destination show ACCOUNT".to_owned(),
        "destination rotate ACCOUNT --access-key-id AKIB --secret-access-key-file secret --seal --no-test"
            .to_owned(),
        "account show ACCOUNT --json".to_owned(),
        format!("{set} --bucket other-siem --endpoint https://127.0.0.1:9 --no-test --replace --yes"),
        "destination test ACCOUNT".to_owned(),
        "destination rm ACCOUNT --reason moved".to_owned(),
        "account pause ACCOUNT --reason 'on their wish'".to_owned(),
        "account pause ACCOUNT".to_owned(),
        "account resume ACCOUNT".to_owned(),
        "account resume ACCOUNT".to_owned(),
        "account pause nobody".to_owned(),
        "account release ACCOUNT".to_owned(),
        "account rewind ACCOUNT --accept".to_owned(),
        "account rewind --all --accept".to_owned(),
        "account deliver-now ACCOUNT".to_owned(),
        "account rm ACCOUNT".to_owned(),
        "token create x --role account-admin".to_owned(),
        "token create x --role reader --account nobody".to_owned(),
        "token create x --role reader --expires 2020-01-01".to_owned(),
        "token revoke 0000".to_owned(),
    ] {
        scene.does_same(&line);
    }
    // The references of an operator: they say where a secret is, and not what it is.
    let (direct, remote) = scene.both("destination show two --json");
    assert_same(&direct, &remote);

    // The change log names the token, and keeps the reason.
    let log = scene.bench.json("changes ls two --all");
    let of_api: Vec<_> = log.as_array().unwrap().iter().filter(|change| change["channel"] == "api").collect();
    assert!(of_api.len() > 10 && of_api.len() == log.as_array().unwrap().len(), "{log}");
    let reasons: Vec<&str> = of_api.iter().filter_map(|change| change["reason"].as_str()).collect();
    for reason in ["ticket 17", "contract 4711", "unpaid", "moved", "on their wish"] {
        assert!(reasons.contains(&reason), "{reasons:?}");
    }
    scene.does_same("account rm ACCOUNT --force");

    let made = scene.desk.json("token create 'back office' --role support --expires 2030-01-01");
    assert!(made["secret"].as_str().unwrap().starts_with("afs_"), "{made}");
    let id = made["id"].as_str().unwrap();
    scene.is_same("token ls");
    let revoked = scene.desk.does(&format!("token revoke {id}"));
    assert_eq!(revoked, format!("Token {id} (back office) opens nothing any more.\n"));
    assert_eq!(scene.bench.does(&format!("token revoke {id}")), revoked);
}

#[test]
fn changes_are_told_alike_on_sqlite() {
    run(changes_are_told_alike(false));
}

#[test]
fn changes_are_told_alike_on_postgres() {
    run(changes_are_told_alike(true));
}
