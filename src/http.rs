//! Health and metrics over HTTP.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::base::clock::Clock;
use crate::delivery::export::ExportError;
use crate::ledger::Ledger;
use crate::observe::claim_health::ClaimHealth;
use crate::observe::telemetry::Metrics;
use crate::source::Source;
use auditferry_core::protocol::{ClockState, clock_state};

pub mod api;
mod cookies;
mod listener;
mod pages;
mod portal;
mod server;
mod sign_in;
mod tls;

/// How long the databases may take to answer. A probe waits a few seconds; a pool would wait for a
/// connection for much longer.
const DATABASE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(3);

/// How many requests may query the databases at once: their connections are there for deliveries.
const DATABASE_TURNS: usize = 2;

/// How long a health probe waits.
const PROBE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    /// Its state and its gauges are shown.
    pub ledger: Arc<dyn Ledger>,
    /// Whether it answers is shown.
    pub source: Arc<dyn Source>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// This worker's clock, compared with the ledger database's.
    pub clock: Arc<dyn Clock>,
    /// How the worker's last claim went.
    pub claims: Arc<ClaimHealth>,
}

/// Binds the address, so that a port in use is reported before anything starts.
///
/// # Errors
/// A sentence with the fix.
pub async fn bind(listen: &str) -> Result<TcpListener, String> {
    TcpListener::bind(listen).await.map_err(|error| {
        format!(
            "http.listen: {listen} cannot be used: {error}; choose another port, or \"\" to serve nothing"
        )
    })
}

/// Serves until `stop` is cancelled.
pub async fn serve(listener: TcpListener, pages: Pages, stop: CancellationToken) {
    let served = Served { pages, permits: Arc::new(Semaphore::new(DATABASE_TURNS)) };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(served);
    listener::serve(listener, router, stop).await;
}

/// What handlers share: the pages, and permits to query the databases.
#[derive(Clone)]
struct Served {
    pages: Pages,
    permits: Arc<Semaphore>,
}

impl Served {
    /// Waits for a permit and for an answer of the databases, together for [`DATABASE_TIMEOUT`] at most.
    async fn within_timeout<T>(&self, answer: impl Future<Output = Result<T, String>>) -> Result<T, String> {
        let answer = async {
            let _permit = self.permits.acquire().await.map_err(|error| error.to_string())?;
            answer.await
        };
        let late = |_| Err(format!("the database does not answer within {DATABASE_TIMEOUT:?}"));
        tokio::time::timeout(DATABASE_TIMEOUT, answer).await.unwrap_or_else(late)
    }
}

async fn ready(State(served): State<Served>) -> Response {
    let pages = &served.pages;
    let checks = async {
        pages.ledger.check().await.map_err(|error| error.to_string())?;
        pages.source.check().await.map_err(|error| error.to_string())?;
        let database = pages.ledger.now().await.map_err(|error| error.to_string())?;
        let ahead = pages.clock.now().duration_since(database);
        match clock_state(ahead) {
            ClockState::Wrong if pages.clock.is_real() => Err(ExportError::Clock(ahead).to_string()),
            _ => pages.claims.problem().map_or(Ok(()), Err),
        }
    };
    let problem = match served.within_timeout(checks).await {
        Ok(()) => return "ready\n".into_response(),
        Err(problem) => problem,
    };
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {problem}\n")).into_response()
}

async fn metrics(State(served): State<Served>) -> Response {
    let pages = &served.pages;
    let now = pages.clock.now();
    let gauges = async { pages.ledger.gauges(now).await.map_err(|error| error.to_string()) };
    // When the ledger does not answer, the worker's own counters are still served.
    let gauges = served.within_timeout(gauges).await.unwrap_or_default();
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], pages.metrics.text(&gauges, now)).into_response()
}

/// Asks a running worker whether it is alive: for the health check of a container without a shell.
///
/// # Errors
/// A sentence that says what is wrong.
pub async fn probe(listen: &str) -> Result<(), String> {
    let address: SocketAddr =
        listen.parse().map_err(|_| "http.listen is empty, so no health check is served".to_owned())?;
    let reachable = match address {
        SocketAddr::V4(v4) if v4.ip().is_unspecified() => format!("127.0.0.1:{}", v4.port()),
        SocketAddr::V6(v6) if v6.ip().is_unspecified() => format!("[::1]:{}", v6.port()),
        other => other.to_string(),
    };
    let ask = async {
        let mut stream = TcpStream::connect(&reachable).await?;
        stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n").await?;
        let mut status = [0; 12];
        stream.read_exact(&mut status).await?;
        std::io::Result::Ok(status.ends_with(b" 200"))
    };
    match tokio::time::timeout(PROBE_TIMEOUT, ask).await {
        Ok(Ok(true)) => Ok(()),
        Ok(Ok(false)) => Err(format!("{reachable} answers, but its health check did not return 200")),
        Ok(Err(error)) => Err(format!("{reachable}: {error}")),
        Err(_) => Err(format!("{reachable} does not answer")),
    }
}
