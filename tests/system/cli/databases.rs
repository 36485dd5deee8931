//! Ledgers and sources that cannot be used.

use std::net::TcpListener;

use sqlx::Connection as _;

use crate::support::bench::Bench;

/// Runs SQL past the program. On a thread of its own, as a test may be on a runtime.
pub(crate) fn change(bench: &Bench, sql: &str) {
    std::thread::scope(|scope| scope.spawn(|| change_here(bench, sql)).join().unwrap());
}

fn change_here(bench: &Bench, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let url = format!("sqlite:{}", bench.path("auditferry.db").display());
        let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
        sqlx::query(sql).execute(&mut database).await.unwrap();
        database.close().await.unwrap();
    });
}

async fn execute(bench: &Bench, sql: &'static str) {
    let url = format!("sqlite:{}", bench.path("auditferry.db").display());
    let mut database = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query(sql).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}

/// Commands that read or write; the worker among them.
const COMMANDS: [&str; 6] =
    ["account ls", "account add beta --zone UTC", "addon enable acme", "migrate", "run --until-idle", "run"];

#[tokio::test]
async fn a_ledger_of_a_newer_version_is_left_alone() {
    let bench = Bench::with_acme();
    let before = bench.state();
    execute(&bench, "INSERT INTO auditferry_ledger_migrations (version, description, success, checksum, execution_time) VALUES (999, 'later', 1, x'00', 1)").await;
    for command in COMMANDS {
        let answer = bench.run(command);
        answer.is_refusal(
            2,
            &["newer than this binary", "migration 999", "run the version of auditferry that wrote it"],
        );
    }
    let unmigrated = bench.with("AUDITFERRY__LEDGER__MIGRATE", "false");
    unmigrated.run("account ls").is_refusal(2, &["newer than this binary", "migration 999"]);
    let check = bench.run("check");
    assert_eq!(check.code, Some(1), "{check}");
    assert!(check.out.contains("FAILED  ledger: ") && check.out.contains("migration 999"), "{check}");
    execute(&bench, "DELETE FROM auditferry_ledger_migrations WHERE version = 999").await;
    assert_eq!(bench.state(), before, "something was changed");
}

#[tokio::test]
async fn a_source_of_a_newer_version_is_left_alone() {
    let bench = Bench::with_acme();
    let before = bench.state();
    execute(&bench, "INSERT INTO auditferry_source_migrations (version, description, success, checksum, execution_time) VALUES (999, 'later', 1, x'00', 1)").await;
    // What only reads the ledger needs no source.
    for command in COMMANDS.iter().filter(|command| **command != "account ls") {
        bench
            .run(command)
            .is_refusal(2, &["the source's schema is newer than this binary", "run the version"]);
    }
    execute(&bench, "DELETE FROM auditferry_source_migrations WHERE version = 999").await;
    assert_eq!(bench.state(), before, "something was changed");
}

#[test]
fn a_ledger_without_a_schema_is_explained_when_it_may_not_be_made() {
    let bench = Bench::new();
    let unmigrated = bench.with("AUDITFERRY__LEDGER__MIGRATE", "false");
    unmigrated
        .run("account add acme --zone UTC")
        .is_refusal(2, &["schema is not current", "auditferry migrate"]);
    unmigrated.run("account ls").is_refusal(2, &["schema is not current", "auditferry migrate"]);
    bench.does("migrate");
    let answer = unmigrated.run("account ls");
    assert_eq!(answer.code, Some(0), "{answer}");
}

#[test]
fn a_second_worker_on_one_sqlite_file_is_refused() {
    let bench = Bench::with_acme();
    let worker = bench.worker("");
    for command in ["run", "run --until-idle"] {
        bench.with("AUDITFERRY__HTTP__LISTEN", "").refuses(
            command,
            &["auditferry.db is in use by another worker", "one worker at a time", "PostgreSQL"],
        );
    }
    bench.does("account add beta --zone UTC");
    drop(worker);
    bench.does("run --until-idle");
}

#[test]
fn a_port_in_use_is_named() {
    let bench = Bench::with_acme();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    bench
        .with("AUDITFERRY__HTTP__LISTEN", &address)
        .refuses("run", &["http.listen", &address, "Address already in use", "choose another port"]);
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    // Tests may run as root, whom no permission stops: a file as the folder, and /proc.
    let bench = Bench::with_acme();
    bench.file("file", "no folder");
    for url in ["sqlite:file/ledger.db", "sqlite:/proc/nowhere/ledger.db", "sqlite:nowhere/ledger.db"] {
        let path = url.strip_prefix("sqlite:").unwrap();
        let ledger = bench.with("AUDITFERRY__LEDGER__URL", url);
        for command in ["account add beta --zone UTC", "migrate", "check"] {
            ledger.refuses(
                command,
                &["ledger.url", path, "unable to open database file", "this user may write"],
            );
        }
        ledger.refuses("run --until-idle", &["ledger.url", path, "a folder that the worker may write"]);
        bench
            .with("AUDITFERRY__SOURCE__URL", url)
            .refuses("account add beta --zone UTC", &["source.url", path, "unable to open"]);
    }
    bench.refuses("demo --dir file/demo", &["file/demo"]);
    bench.refuses("demo --dir /proc/nowhere/demo", &["/proc/nowhere/demo"]);
}

#[test]
fn a_file_that_is_no_database_is_left_as_it_is() {
    let bench = Bench::with_acme();
    let text = "This is a letter, and no database at all.\n".repeat(100);
    bench.file("letter.txt", &text);
    bench
        .with("AUDITFERRY__LEDGER__URL", "sqlite:letter.txt")
        .refuses("account add beta --zone UTC", &["ledger.url", "letter.txt", "file is not a database"]);
    assert_eq!(std::fs::read_to_string(bench.path("letter.txt")).unwrap(), text);
}

#[test]
fn an_address_of_an_unknown_kind_is_refused_without_its_password() {
    let bench = Bench::with_acme();
    for (url, problem) in [
        ("mysql://root:HUSH@db/x", "the scheme \"mysql\" is not known"),
        ("HUSH", "it has no scheme"),
        ("postgres://ana:HUSH@db:port/x", "invalid port number"),
    ] {
        bench
            .with("AUDITFERRY__LEDGER__URL", url)
            .run("account ls")
            .is_refusal(2, &["ledger.url", problem, "postgres://USER"]);
        bench.with("AUDITFERRY__SOURCE__URL", url).run("account ls").is_refusal(2, &["source.url", problem]);
    }
}

#[test]
fn a_postgres_that_is_away_is_a_failure_and_no_bad_usage() {
    let bench = Bench::new();
    let answer = bench.with("AUDITFERRY__LEDGER__URL", "postgres://ana:HUSH@127.0.0.1:1/x").run("account ls");
    answer.is_refusal(1, &["ledger", "127.0.0.1:1/x cannot be reached: the connection is refused"]);
}

#[test]
fn the_effective_settings_are_shown_without_passwords() {
    let bench = Bench::new();
    bench.file("auditferry.toml", "[worker]\nconcurrency = 3\n");
    let answer = bench
        .with("AUDITFERRY__SOURCE__URL", "postgres://ana:HUSH@127.0.0.1:1/x?password=HUSH")
        .run("--config auditferry.toml check --all");
    assert_eq!(answer.code, Some(1), "{answer}");
    assert!(!answer.out.contains("HUSH") && !answer.err.contains("HUSH"), "{answer}");
    for line in [
        "source.url = postgres://ana:***@127.0.0.1:1/x?password=***",
        "worker.concurrency = 3",
        "export.schedule = 0 0 */4 * * *",
        "FAILED  source: ",
    ] {
        assert!(answer.out.contains(line), "{answer}\nlacks {line}");
    }
    bench.does("migrate");
    let good = bench.does("check");
    assert!(good.contains("ok      ledger") && good.contains("ok      source"), "{good}");
    assert!(good.contains("Time zones: "), "{good}");
}

/// The file was checked; then the ledger's disk, say, is full in the middle.
#[tokio::test]
async fn apply_says_what_it_has_done_when_it_fails_in_the_middle() {
    let bench = Bench::with_acme();
    let export = |account| format!("[[export]]\naccount = {account:?}\nzone = \"UTC\"\n");
    bench.file("exports.toml", ["alpha", "beta", "gamma"].map(export).concat());
    execute(
        &bench,
        "CREATE TRIGGER full BEFORE INSERT ON account WHEN new.id = 'beta' \
         BEGIN SELECT RAISE(ABORT, 'the disk is full'); END",
    )
    .await;
    let answer = bench.run("apply exports.toml");
    assert_eq!(answer.code, Some(1), "{answer}");
    let (_, not_made) = answer.out.split_once("1 of 3 changes were made. Not made:\n").expect("the rest");
    let lines: Vec<&str> = not_made.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].starts_with("+ account beta") && lines[1].contains("gamma"),
        "{answer}"
    );
    assert!(
        answer.err.contains("the disk is full") && answer.err.contains("apply the file again"),
        "{answer}"
    );
    execute(&bench, "DROP TRIGGER full").await;
    assert!(bench.does("apply exports.toml").contains("2 changes made."));
}
