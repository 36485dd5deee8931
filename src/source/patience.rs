//! How long a source may say nothing.
//!
//! A large window takes as long as it takes, and a server that passes over many rows sends nothing
//! meanwhile. So there is no limit of the whole, and silence alone tells nothing: after a while of it
//! another connection asks what the server does for ours. A network that has forgotten a connection
//! leaves a server that waits for its client.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use super::Result;
use crate::base::database::{Pg, no_answer};

/// After how long of silence the server is asked, and how long it may take to say.
const SILENCE: Duration = Duration::from_secs(20);

/// The server process that answers on a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Backend(pub(super) i32);

/// An answer of a server process, however long it works on it.
///
/// # Errors
/// When it has said nothing for a while and does not work on it.
pub(super) async fn patiently<T, E: From<sqlx::Error>>(
    pool: &Pg,
    backend: Backend,
    answer: impl Future<Output = std::result::Result<T, E>>,
) -> std::result::Result<T, E> {
    let mut answer = pin!(answer);
    // Most answers of a COPY are here already: no timer for them.
    if let Poll::Ready(answer) = poll_fn(|context| Poll::Ready(answer.as_mut().poll(context))).await {
        return answer;
    }
    wait(pool, backend, answer).await
}

async fn wait<T, E: From<sqlx::Error>>(
    pool: &Pg,
    backend: Backend,
    mut answer: Pin<&mut impl Future<Output = std::result::Result<T, E>>>,
) -> std::result::Result<T, E> {
    loop {
        if let Ok(answer) = tokio::time::timeout(SILENCE, answer.as_mut()).await {
            return answer;
        }
        if !matches!(tokio::time::timeout(SILENCE, works(pool, backend)).await, Ok(Ok(true))) {
            return Err(no_answer(SILENCE).into());
        }
    }
}

/// Whether a server process works on what it was asked, and does not wait for its client. On a
/// connection of its own: those of the pool may all be silent.
async fn works(pool: &Pg, Backend(backend): Backend) -> Result<bool> {
    let mut connection = pool.apart().await?;
    let mut tx = connection.begin().await?;
    let works: Option<bool> = sqlx::query_scalar(
        "SELECT state = 'active' AND wait_event_type IS DISTINCT FROM 'Client' FROM pg_stat_activity WHERE pid = $1",
    )
    .bind(backend)
    .fetch_optional(&mut tx)
    .await?
    .flatten();
    drop(tx);
    // No goodbye that could take time.
    let _ = tokio::time::timeout(SILENCE, connection.close()).await;
    Ok(works == Some(true))
}
