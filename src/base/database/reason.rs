//! Why a server gives no connection, in one sentence: sqlx says only that its pool has waited, or
//! what the system says, without the server.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;

use super::{ACQUIRE_TIMEOUT, Address};

/// How long a server may take to accept a connection when somebody asks whether it is there.
const REACH_TIMEOUT: Duration = Duration::from_secs(3);

/// What to do about a server that is away.
const FIX: &str = "see that it runs, and that the URL names its host, port, database and user";

/// `HOST:PORT/DATABASE`.
pub(super) fn server_name(server: &PgConnectOptions) -> String {
    let database = server.get_database().unwrap_or("-");
    if let Some(socket) = server.get_socket() {
        return format!("{}/{database}", socket.display());
    }
    let (host, port) = (server.get_host(), server.get_port());
    if host.contains(':') {
        format!("[{host}]:{port}/{database}")
    } else {
        format!("{host}:{port}/{database}")
    }
}

/// An error in our words.
pub(super) fn io(text: String) -> sqlx::Error {
    sqlx::Error::Io(std::io::Error::new(ErrorKind::TimedOut, text))
}

/// What a server said when it was asked for a connection.
pub(super) fn told(server: &PgConnectOptions, said: &str) -> sqlx::Error {
    io(format!("{}: {said}", server_name(server)))
}

/// Whether an error says that there is no connection, and another server may give one.
pub(super) fn is_about_connections(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_) => {
            true
        }
        sqlx::Error::Database(error) => {
            let code = error.code();
            // Starting or stopping, and too many connections.
            code.as_deref().is_some_and(|code| code.starts_with("57P") || code == "53300")
        }
        _ => false,
    }
}

/// An error with its server and the reason, where it is about a connection.
pub(super) async fn named(error: sqlx::Error, server: &PgConnectOptions) -> sqlx::Error {
    let name = server_name(server);
    match error {
        sqlx::Error::PoolTimedOut => {
            let why = match reach(server).await {
                Err(why) => format!(": {why}"),
                Ok(()) => String::new(),
            };
            io(format!("{name} gave no connection within {} s{why}; {FIX}", ACQUIRE_TIMEOUT.as_secs()))
        }
        // Where sqlx dials, it hands on what the system says; later errors are of a connection that was there.
        sqlx::Error::Io(said) if said.kind() != ErrorKind::InvalidData => match reach(server).await {
            Err(why) => io(format!("{name} cannot be reached: {why}; {FIX}")),
            Ok(()) => sqlx::Error::Io(said),
        },
        other => other,
    }
}

/// Whether a server accepts connections; if not, why.
async fn reach(server: &PgConnectOptions) -> Result<(), String> {
    if let Some(folder) = server.get_socket() {
        let path = folder.join(format!(".s.PGSQL.{}", server.get_port()));
        return tokio::net::UnixStream::connect(&path)
            .await
            .map(drop)
            .map_err(|error| format!("{}: {}", path.display(), words(error.kind(), &error)));
    }
    let (host, port) = (server.get_host(), server.get_port());
    let connecting = async {
        let mut last = None;
        let addresses = tokio::net::lookup_host((host, port))
            .await
            .map_err(|_| format!("the name {host} cannot be resolved (DNS)"))?;
        for address in addresses {
            match tokio::net::TcpStream::connect(address).await {
                Ok(_) => return Ok(()),
                Err(error) => last = Some(words(error.kind(), &error)),
            }
        }
        Err(last.unwrap_or_else(|| format!("the name {host} has no address (DNS)")))
    };
    match tokio::time::timeout(REACH_TIMEOUT, connecting).await {
        Ok(reached) => reached,
        Err(_) => Err(format!(
            "nothing answers within {} s, as where a firewall lets no packets through",
            REACH_TIMEOUT.as_secs()
        )),
    }
}

fn words(kind: ErrorKind, error: &std::io::Error) -> String {
    match kind {
        ErrorKind::ConnectionRefused => "the connection is refused, so nothing listens there".to_owned(),
        _ => error.to_string(),
    }
}

/// That one of the servers of a URL accepts connections. Nothing for SQLite, and for a URL that is none.
///
/// # Errors
/// One sentence with each server and the reason.
pub(crate) async fn reached(url: &str) -> Result<(), String> {
    if super::Kind::of(url) != Ok(super::Kind::Postgres) {
        return Ok(());
    }
    let Ok(address) = Address::parse(url) else { return Ok(()) };
    let mut all = Vec::new();
    for server in &address.servers {
        match reach(server).await {
            Ok(()) => return Ok(()),
            Err(why) => all.push(format!("{} cannot be reached: {why}", server_name(server))),
        }
    }
    Err(format!("{}; {FIX}", all.join("; ")))
}
