use super::*;

#[test]
fn a_password_is_never_shown() {
    assert_eq!(
        masked("postgres://ana:s3cret@db/x?sslmode=require"),
        "postgres://ana:***@db/x?sslmode=require"
    );
    assert_eq!(masked("postgres://db/x?user=ana&password=s3cret"), "postgres://db/x?user=ana&password=***");
    assert_eq!(masked("postgres://ana:p@ss@db/x"), "postgres://ana:***@db/x");
    assert_eq!(masked("sqlite:ledger.db"), "sqlite:ledger.db");
    assert_eq!(masked("postgres://ana:s3cret@a:1,b:2/x?port=3"), "postgres://ana:***@a:1,b:2/x?port=3");
    assert_eq!(masked("postgres://ana:s3/cr,et@a:1,b:2/x"), "postgres://***");
    assert_eq!(
        masked("postgres://db/x?sslmode=require&sslpassword=s3cret"),
        "postgres://db/x?sslmode=require&sslpassword=***"
    );
}

#[test]
fn what_cannot_be_read_is_not_shown() {
    for url in [
        "postgres:/ana:s3cret@db/x",
        "postgres:ana:s3cret@db/x",
        "sqlite:postgres://ana:s3cret@db/x",
        "postgres://ana:s3cret?more@db/x",
        "postgres://ana:12?s3cret@db/x",
        "ana:s3cret@db",
        "s3cret",
    ] {
        assert!(!masked(url).contains("s3cret"), "{}", masked(url));
        let refused = match Kind::of(url) {
            Err(problem) => problem,
            Ok(Kind::Postgres) => postgres(url, 1.into()).map(drop).expect_err("refused"),
            Ok(Kind::Sqlite) => continue,
        };
        assert!(!refused.contains("s3cret"), "{refused}");
    }
}

#[tokio::test]
async fn a_parameter_that_nobody_reads_is_refused_without_its_value() {
    let refused = postgres("postgres://db/x?sslpassword=s3cret", 1.into()).map(drop).expect_err("refused");
    assert!(refused.contains("\"sslpassword\" cannot be kept") && !refused.contains("s3cret"), "{refused}");
    assert!(postgres("postgres://db/x?sslmode=require&application_name=a", 1.into()).is_ok());
    let refused = sqlite("sqlite:postgres://ana:s3cret@db/x").await.map(drop).expect_err("refused");
    assert!(!refused.contains("s3cret"), "{refused}");
}

#[tokio::test]
async fn a_new_database_is_readable_by_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("folder");
    let path = folder.path().join("x.db");
    let pool = sqlite(&format!("sqlite:{}", path.display())).await.expect("opens");
    sqlx::raw_sql("CREATE TABLE x (y)").execute(&pool).await.expect("a table");
    for file in ["x.db", "x.db-wal"] {
        let mode = std::fs::metadata(folder.path().join(file)).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
}

/// As a full disk leaves it: SQLite has rolled back by itself, and sqlx has not heard of it.
#[tokio::test]
async fn a_connection_whose_transaction_broke_is_not_used_again() {
    let folder = tempfile::tempdir().expect("folder");
    let url = format!("sqlite:{}", folder.path().join("x.db").display());
    let pool = sqlite(&url).await.expect("opens");
    for _ in 0..8 {
        let mut tx = pool.begin_with("BEGIN IMMEDIATE").await.expect("begins");
        sqlx::raw_sql("ROLLBACK").execute(&mut *tx).await.expect("rolls back");
        tx.commit().await.expect_err("nothing to commit");
    }
    let tx = pool.begin_with("BEGIN IMMEDIATE").await.expect("begins");
    tx.commit().await.expect("commits");
}

#[test]
fn an_unknown_scheme_is_explained_without_the_url() {
    assert!(Kind::of("mysql://root:pw@x").expect_err("refused").contains("mysql"));
    assert!(!Kind::of("mysql://root:pw@x").expect_err("refused").contains("pw"));
    assert_eq!(Kind::of("sqlite::memory:"), Ok(Kind::Sqlite));
}
