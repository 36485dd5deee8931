//! The server below the pages. Anybody who reaches the port may open connections, and the worker needs its
//! file descriptors and its memory for deliveries: so few are held, and none for long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// At most this many open connections. For one more, the oldest that has sent no request yet is closed.
pub(super) const MAX_CONNECTIONS: usize = 64;

/// How long the head of a request may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may take as a whole: one request and its answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);

/// Limits of a request's head: its headers, and its bytes.
const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long to wait after accepting has failed: all file descriptors may be in use.
const PAUSE: Duration = Duration::from_millis(100);

/// An open connection.
struct Held {
    task: AbortHandle,
    /// Whether its request has arrived.
    received: Arc<AtomicBool>,
}

/// Serves one request per connection until `stop` is cancelled; what is received by then is answered.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut tasks = JoinSet::new();
    let mut held: VecDeque<Held> = VecDeque::new();
    loop {
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(_) = tasks.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error = %error, "the HTTP server cannot accept connections; it tries again");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        held.retain(|held| !held.task.is_finished());
        if held.len() >= MAX_CONNECTIONS {
            match held.iter().position(|held| !held.received.load(Ordering::Relaxed)) {
                Some(oldest) => {
                    held.remove(oldest).inspect(|held| held.task.abort());
                }
                // All of them are being answered: this one has to come again.
                None => continue,
            }
        }
        let received = Arc::new(AtomicBool::new(false));
        let task = tasks.spawn(connection(stream, router.clone(), Arc::clone(&received), stop.clone()));
        held.push_back(Held { task, received });
    }
    drop(listener);
    while tasks.join_next().await.is_some() {}
}

/// One request and its answer.
async fn connection(stream: TcpStream, router: Router, received: Arc<AtomicBool>, stop: CancellationToken) {
    let pages = TowerToHyperService::new(router);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        received.store(true, Ordering::Relaxed);
        pages.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let served = async {
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            biased;
            ended = connection.as_mut() => return ended,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        connection.await
    };
    match tokio::time::timeout(CONNECTION_TIMEOUT, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(error = %error, "a connection of the HTTP server has failed"),
        Err(_) => tracing::debug!("a connection of the HTTP server has taken too long"),
    }
}
