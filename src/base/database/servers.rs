//! The servers of a URL, and the one of them that is used: the first that answers and is what
//! `target_session_attrs` asks for. sqlx knows one server for each pool, so it is chosen here, anew
//! whenever the one that was chosen does not do any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, Row as _};
use tokio::sync::Mutex;

use super::reason::{self, is_about_connections, server_name};
use super::role::{Role, SessionAttrs};
use super::session::{Apart, Session};
use super::words;

/// How long one server may take to say what it is.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);
/// How long a connection is waited for before the servers are looked at.
const PATIENCE: Duration = Duration::from_millis(500);
/// How often a question is begun anew on another server.
const MOST_MOVES: usize = 4;

/// What says what a server is.
const ROLE: &str = "SELECT pg_is_in_recovery() AS in_recovery, \
    current_setting('transaction_read_only') = 'on' AS read_only";

/// Where the connections to PostgreSQL come from.
#[derive(Clone)]
pub(crate) struct Pg {
    pool: PgPool,
    servers: Arc<Servers>,
    prepared: bool,
}

/// All servers of a URL.
pub(super) struct Servers {
    all: Vec<PgConnectOptions>,
    session: SessionAttrs,
    /// The one that is used; none yet: [`usize::MAX`].
    chosen: AtomicUsize,
    choosing: Mutex<()>,
}

impl Servers {
    pub(super) fn new(all: Vec<PgConnectOptions>, session: SessionAttrs) -> Self {
        Self { all, session, chosen: AtomicUsize::new(usize::MAX), choosing: Mutex::default() }
    }

    /// Whether there is nothing to choose.
    pub(super) fn is_plain(&self) -> bool {
        self.all.len() == 1 && self.session == SessionAttrs::Any
    }

    /// Whether the server of a connection is still what it must be.
    pub(super) async fn takes(&self, connection: &mut PgConnection) -> Result<bool, sqlx::Error> {
        Ok(self.session.takes(role(connection).await?))
    }

    /// Chooses a server; whether it is another one than before.
    async fn choose(&self, pool: &PgPool) -> Result<bool, sqlx::Error> {
        let before = self.chosen.load(Ordering::Acquire);
        let _one = self.choosing.lock().await;
        if self.chosen.load(Ordering::Acquire) != before {
            return Ok(true);
        }
        let mut roles = Vec::with_capacity(self.all.len());
        for server in &self.all {
            let found = tokio::time::timeout(PROBE_TIMEOUT, ask(server)).await;
            roles.push(match found {
                Ok(Err(error)) if !is_about_connections(&error) => {
                    // As libpq does: who is not let in by one server does not try the others.
                    return Err(reason::told(server, &words(&error)));
                }
                Ok(Ok(role)) => Ok(role),
                Ok(Err(error)) => Err(words(&error)),
                Err(_) => Err(format!("no answer within {} s", PROBE_TIMEOUT.as_secs())),
            });
            // Mostly the first does.
            if self.session.passes().first().is_some_and(|first| does(*first, roles.last())) {
                break;
            }
        }
        let does_at = |attrs: SessionAttrs| roles.iter().position(|role| does(attrs, Some(role)));
        let Some(at) = self.session.passes().iter().find_map(|attrs| does_at(*attrs)) else {
            return Err(reason::io(self.none_does(&roles)));
        };
        if at == before {
            return Ok(false);
        }
        pool.set_connect_options(self.all[at].clone());
        self.chosen.store(at, Ordering::Release);
        if before != usize::MAX {
            tracing::warn!(server = server_name(&self.all[at]), "the database is used on another server");
        }
        Ok(true)
    }

    fn none_does(&self, roles: &[Result<Role, String>]) -> String {
        let each: Vec<String> = self
            .all
            .iter()
            .zip(roles)
            .map(|(server, role)| {
                let why = role.as_ref().map_or_else(String::as_str, |_| self.session.lacking());
                format!("{}: {why}", server_name(server))
            })
            .collect();
        format!(
            "none of the servers can be used ({}); see that one runs and is what target_session_attrs asks for",
            each.join("; ")
        )
    }
}

fn does(attrs: SessionAttrs, role: Option<&Result<Role, String>>) -> bool {
    role.is_some_and(|role| role.as_ref().is_ok_and(|role| attrs.takes(*role)))
}

async fn ask(server: &PgConnectOptions) -> Result<Role, sqlx::Error> {
    let mut connection = PgConnection::connect_with(server).await?;
    let role = role(&mut connection).await;
    let _ = connection.close().await;
    role
}

async fn role(connection: &mut PgConnection) -> Result<Role, sqlx::Error> {
    // In one step, so that a pooler in transaction mode is fine.
    let row = connection.fetch_one(sqlx::raw_sql(ROLE)).await?;
    Ok(Role { in_recovery: row.try_get("in_recovery")?, read_only: row.try_get("read_only")? })
}

impl Pg {
    pub(super) fn new(pool: PgPool, servers: Arc<Servers>, prepared: bool) -> Self {
        Self { pool, servers, prepared }
    }

    /// Whatever leads to a connection of this server, with what is said of its statements.
    pub(super) fn session<C>(&self, connection: C) -> Session<C> {
        Session::new(connection, self.prepared)
    }

    /// A connection that is none of the pool.
    pub(crate) async fn apart(&self) -> Result<Apart, sqlx::Error> {
        let connection = PgConnection::connect_with(&self.pool.connect_options()).await?;
        Ok(self.session(Box::new(connection)))
    }

    /// Whatever needs a connection, on the server that does; one that is away is named.
    pub(super) async fn on<T, F>(&self, question: impl Fn(PgPool) -> F + Send) -> Result<T, sqlx::Error>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        if self.servers.is_plain() {
            return match question(self.pool.clone()).await {
                Ok(answer) => Ok(answer),
                Err(error) => Err(reason::named(error, &self.pool.connect_options()).await),
            };
        }
        if self.servers.chosen.load(Ordering::Acquire) == usize::MAX {
            self.servers.choose(&self.pool).await?;
        }
        let mut moves = 0;
        loop {
            let answer = tokio::select! {
                answer = question(self.pool.clone()) => Some(answer),
                () = self.moved() => None,
            };
            moves += 1;
            match answer {
                None if moves < MOST_MOVES => {}
                Some(Err(error))
                    if is_about_connections(&error)
                        && moves < MOST_MOVES
                        && self.servers.choose(&self.pool).await? => {}
                Some(Err(error)) => return Err(reason::named(error, &self.pool.connect_options()).await),
                Some(Ok(answer)) => return Ok(answer),
                None => return Err(sqlx::Error::PoolTimedOut),
            }
        }
    }

    /// Returns when another server is chosen, because no connection comes.
    async fn moved(&self) {
        loop {
            tokio::time::sleep(PATIENCE).await;
            // Connections that others have are no sign that the server is away.
            let all_taken = self.pool.size() >= self.pool.options().get_max_connections()
                && self.pool.num_idle() == 0
                && self.pool.size() > 1;
            if !all_taken && matches!(self.servers.choose(&self.pool).await, Ok(true)) {
                return;
            }
        }
    }
}
