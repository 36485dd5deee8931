//! The API under `/api/v1`: what the command line does, over HTTP, for whoever has a token for it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::extract::{DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;
use utoipa::OpenApi as _;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

mod accounts;
mod actions;
mod addon;
pub(crate) mod address;
pub(in crate::http) mod caller;
mod destination;
mod document;
mod history;
mod idempotency;
mod installation;
pub(in crate::http) mod jobs;
pub(in crate::http) mod limits;
mod notifications;
mod portal_links;
pub(in crate::http) mod problem;
mod request;
mod sessions;

use self::caller::{Guard, guard};
use self::document::{Document, described};
use self::idempotency::{MAX_BODY, once};
use self::limits::RateLimits;
pub use self::problem::codes;
use self::problem::{Code, Problem};
use super::sign_in::SignIn;
pub use super::sign_in::SignInSettings;
use super::tls::Certificates;
use super::{pages, portal};
use crate::destinations::cache::StoreCache;
use crate::destinations::vault::Vault;
use crate::notifications::sender::Sender;
use crate::observe::telemetry::Metrics;
use crate::observe::traces;
use crate::oidc::Provider;
use crate::operations::admin::Admin;
use crate::operations::downloads::DownloadDesk;
use crate::operations::downloads::mails::DownloadMailer;
use crate::operations::downloads::maker::DownloadMaker;
use crate::operations::jobs::JobRunner;
use crate::operations::portal::Entrance;
use crate::operations::records::Records;
use crate::operations::tail::Tails;
use crate::settings::{ApiSettings, ExportDefaults};
use auditferry_core::model::worker::Presence;

/// How long a request may take: a destination that is tried may take the longest.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(60);

/// What the API works with.
pub struct Parts {
    /// The operations that it offers.
    pub admin: Admin,
    /// Opens destinations.
    pub stores: StoreCache,
    /// Seals secrets.
    pub vault: Vault,
    /// Sends a message over a channel of notifications.
    pub sender: Sender,
    /// How long one put may take.
    pub put_timeout: std::time::Duration,
    /// What an export gets that says nothing else.
    pub export: ExportDefaults,
    /// How many requests of one token or person are answered in a minute.
    pub requests_per_minute: u32,
    /// The OpenID Connect provider whose tokens are taken too.
    pub provider: Option<Provider>,
    /// How browsers sign in; none: they do not.
    pub sign_in: Option<SignInSettings>,
    /// Where the portal is, who may show it, and whom its people ask.
    pub entrance: Entrance,
    /// The AWS identity of the worker, as roles of customers name it; empty: the one that it has.
    pub aws_principal: String,
    /// Reads records by time, on connections of its own.
    pub records: Records,
    /// Where downloads are asked for, and how many this process makes at once; none: nothing is downloaded.
    pub downloads: Option<(DownloadDesk, usize)>,
    /// Where requests are counted.
    pub metrics: Arc<Metrics>,
}

/// The API.
#[derive(Clone)]
pub(crate) struct Api(Arc<Shared>);

pub(crate) struct Shared {
    pub(in crate::http) admin: Admin,
    pub(in crate::http) stores: StoreCache,
    pub(in crate::http) vault: Vault,
    pub(in crate::http) sender: Sender,
    put_timeout: std::time::Duration,
    export: ExportDefaults,
    pub(in crate::http) limits: RateLimits,
    pub(in crate::http) provider: Option<Provider>,
    pub(in crate::http) entrance: Entrance,
    pub(in crate::http) aws_principal: String,
    pub(in crate::http) jobs: JobRunner,
    pub(in crate::http) records: Records,
    pub(in crate::http) tails: Tails,
    pub(in crate::http) desk: Option<DownloadDesk>,
    /// Ends what would not end by itself.
    pub(in crate::http) closing: CancellationToken,
}

impl Deref for Api {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Api {
    /// Routes behind a guard. There are no others: what has none has no [`caller::Caller`], and fails.
    fn guarded(&self, needs: Guard, routes: UtoipaMethodRouter<Self>) -> OpenApiRouter<Self> {
        OpenApiRouter::new()
            .routes(routes)
            .route_layer(from_fn_with_state(self.clone(), once))
            .route_layer(from_fn_with_state((self.clone(), needs), guard))
    }

    fn routes(&self) -> OpenApiRouter<Self> {
        OpenApiRouter::with_openapi(Document::openapi())
            .merge(accounts::routes(self))
            .merge(addon::routes(self))
            .merge(actions::routes(self))
            .merge(destination::routes(self))
            .merge(history::routes(self))
            .merge(installation::routes(self))
            .merge(jobs::routes(self))
            .merge(notifications::routes(self))
            .merge(portal_links::routes(self))
            .merge(sessions::routes(self))
    }
}

/// The router. `jobs`: what does the jobs that are asked for; `closing` ends what would not end by itself.
fn router(parts: Parts, jobs: JobRunner, closing: CancellationToken) -> Router {
    let Parts {
        admin,
        stores,
        vault,
        sender,
        put_timeout,
        export,
        requests_per_minute,
        provider,
        sign_in,
        entrance,
        aws_principal,
        records,
        downloads,
        metrics,
    } = parts;
    let tails = Tails::new(Arc::clone(&records.browser), Arc::clone(&admin.clock));
    let desk = downloads.map(|(desk, _)| desk);
    let limits = RateLimits::new(requests_per_minute);
    let api = Api(Arc::new(Shared {
        admin,
        stores,
        vault,
        sender,
        put_timeout,
        export,
        limits,
        provider,
        entrance,
        aws_principal,
        jobs,
        records,
        tails,
        desk,
        closing,
    }));
    let (routes, document) = api.routes().split_for_parts();
    let document = described(document);
    let json = document.to_pretty_json().unwrap_or_default();
    let shown = get(|| async move { ([(header::CONTENT_TYPE, "application/json")], json) });
    let nothing = || Router::new().fallback(|| async { Problem::not_found() });
    let pages = sign_in.map_or_else(nothing, |settings| {
        let sign_in = SignIn::new(api.clone(), settings);
        pages::routes(&sign_in).merge(portal::routes(sign_in))
    });
    Router::new()
        .merge(pages)
        .route("/api/v1/openapi.json", shown)
        .nest("/api/v1", routes.with_state(api.clone()))
        .route("/readyz", get(ready).with_state(api))
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(from_fn_with_state(metrics, answered))
}

/// Whether the API can answer, and whether anybody delivers.
async fn ready(State(api): State<Api>) -> Response {
    let answered = async {
        api.admin.ledger.check().await.map_err(|error| error.to_string())?;
        api.admin.presence().await.map_err(|error| error.to_string())
    };
    let (status, words) = match answered.await {
        Ok(Presence::Running(_)) => (axum::http::StatusCode::OK, "ready\n".to_owned()),
        // Which one it was is told to whom may ask for the status.
        Ok(_) => (axum::http::StatusCode::OK, "ready, but no worker runs\n".to_owned()),
        Err(problem) => {
            tracing::warn!(problem, "the API is not ready");
            (
                axum::http::StatusCode::SERVICE_UNAVAILABLE,
                "not ready: the ledger does not answer\n".to_owned(),
            )
        }
    };
    (status, words).into_response()
}

/// Bounds a request in time, counts it, and says what every answer says.
async fn answered(State(metrics): State<Arc<Metrics>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = known(request.method());
    let span = traces::request(&route, method);
    let mut response = tokio::time::timeout(REQUEST_TIMEOUT, next.run(request).instrument(span.clone()))
        .await
        .unwrap_or_else(|_| Problem::timed_out().into_response());
    traces::answered(&span, response.status().as_u16());
    drop(span);
    let headers = response.headers_mut();
    // Answers are of one caller, and of this moment.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let code = response.extensions().get::<Code>().map(|Code(code)| *code);
    metrics.answered(&route, method, response.status().as_u16(), code, began.elapsed());
    response
}

/// A method of HTTP. Others are anybody's words, and no label of a metric.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}

/// An API that is about to be served.
pub struct Server {
    listener: tokio::net::TcpListener,
    certificates: Option<Certificates>,
    proxies: Arc<[ipnet::IpNet]>,
}

impl Server {
    /// Takes the address and reads the certificate, so that what is wrong is known before anything starts. None: the
    /// API is not to be served.
    ///
    /// # Errors
    /// A sentence with the setting and the fix.
    pub async fn bind(settings: &ApiSettings) -> Result<Option<Self>, String> {
        if settings.listen.is_empty() {
            return Ok(None);
        }
        let certificates = if settings.has_tls() {
            Some(Certificates::read(&settings.tls_certificate, &settings.tls_key)?)
        } else {
            None
        };
        let listener = tokio::net::TcpListener::bind(&settings.listen).await.map_err(|error| {
            format!("api.listen: {} cannot be used: {error}; choose another port", settings.listen)
        })?;
        Ok(Some(Self { listener, certificates, proxies: settings.trusted_proxies.clone().into() }))
    }

    /// Serves until `stop` is cancelled.
    pub async fn serve(self, parts: Parts, stop: CancellationToken) {
        let jobs = JobRunner::new(Arc::clone(&parts.admin.ledger));
        let maker = parts.downloads.as_ref().map(|(desk, at_once)| {
            DownloadMaker::new(&parts.admin, Arc::clone(&parts.records.browser), desk, *at_once)
        });
        let mailer = DownloadMailer::new(&parts.admin, &parts.sender, &parts.entrance);
        let mailing = maker.is_some().then(|| tokio::spawn(mailer.run(stop.clone())));
        let making = maker.map(|maker| tokio::spawn(maker.run(stop.clone())));
        let router = router(parts, jobs.clone(), stop.clone());
        let stopped = stop.clone();
        let closing = async {
            stopped.cancelled().await;
            jobs.close().await;
        };
        tokio::join!(
            super::server::serve(self.listener, self.certificates, router, self.proxies, stop),
            closing
        );
        for task in making.into_iter().chain(mailing) {
            let _ = task.await;
        }
    }
}
