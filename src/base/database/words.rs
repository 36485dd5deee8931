//! A database's error for a person.

use sqlx::migrate::MigrateError;

/// What rustls says of a server's certificate, and what to do.
const CERTIFICATES: [(&str, &str); 3] = [
    (
        "UnsupportedCertVersion",
        "the server's certificate is of X.509 version 1, which names no host: make one of version 3, with a subjectAltName \
         (openssl x509 -req -extfile)",
    ),
    (
        "UnknownIssuer",
        "the CA of the server's certificate is not known here: name its certificate in sslrootcert of the URL, or in \
         SSL_CERT_FILE",
    ),
    (
        "NotValidForName",
        "the server's certificate does not name the host of the URL: write the host that it names, or sslmode=verify-ca",
    ),
];

/// What a person reads; sqlx's own words for a server that is away are of its pool.
pub(crate) fn words(error: &sqlx::Error) -> String {
    match error {
        // Of a server that is away, or of a pool; see `reason`.
        sqlx::Error::Io(error) => with_certificate(error.to_string()),
        sqlx::Error::Tls(error) => with_certificate(format!("TLS: {error}")),
        sqlx::Error::Database(error) => of_database(&**error),
        other => other.to_string(),
    }
}

fn with_certificate(said: String) -> String {
    match CERTIFICATES.into_iter().find(|(word, _)| said.contains(word)) {
        Some((_, fix)) => format!("{said}; {fix}"),
        None => said,
    }
}

/// The message alone: sqlx adds the line of PostgreSQL's own source in which it was written.
fn of_database(error: &dyn sqlx::error::DatabaseError) -> String {
    let said = error.message();
    let fix = match error.code().as_deref() {
        // A prepared statement that is not there, or is there already.
        Some("26000" | "42P05") => {
            "a pooler in transaction mode stands in between: set ledger.prepare = false".to_owned()
        }
        Some("25006") => {
            "the server is a standby, or takes no writes: name its primary in the URL, or several hosts with \
             target_session_attrs=read-write"
                .to_owned()
        }
        Some("42501") => match said.strip_prefix("permission denied for function ") {
            Some(function) => {
                format!("run GRANT EXECUTE ON FUNCTION {function} TO our role; `auditferry check` names all")
            }
            None => return said.to_owned(),
        },
        Some("28P01" | "28000" | "3D000") => "see user, password and database of the URL".to_owned(),
        _ => return said.to_owned(),
    };
    format!("{said}; {fix}")
}

/// A migration's error for a person.
pub(crate) fn migration_words(error: &MigrateError) -> String {
    match error {
        MigrateError::Execute(error) => words(error),
        MigrateError::ExecuteMigration(error, version) => format!("migration {version}: {}", words(error)),
        other => other.to_string(),
    }
}
