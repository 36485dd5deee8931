//! Reaches the collector through the guarded client. One that is away costs one line of the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::Handle;
use tokio::sync::watch;
use url::Url;
use zeroize::Zeroizing;

use crate::secrets::{self, Opened};
use crate::settings::{TraceHeader, TraceSettings};
use crate::store::Dialer;
use auditferry_core::text::cause::root_cause;

/// How long the collector may take; meanwhile further spans wait in the queue.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// The way to a collector.
pub(super) struct Route {
    http: reqwest::Client,
    endpoint: Url,
    headers: Vec<(String, Zeroizing<String>)>,
    runtime: Handle,
}

impl Route {
    /// The way to `endpoint`.
    ///
    /// # Errors
    /// A sentence with the setting and the fix.
    pub(super) fn new(endpoint: Url, settings: &TraceSettings, dialer: &Dialer) -> Result<Self, String> {
        let header = |header: &TraceHeader| {
            let value = secrets::resolve(&header.value, &Opened::default())
                .map_err(|error| format!("traces.headers: {error}"))?;
            Ok((header.name.clone(), Zeroizing::new(value.expose().to_owned())))
        };
        let headers = settings.headers.iter().map(header).collect::<Result<_, String>>()?;
        let (http, _) = dialer.reaching(&endpoint).map_err(|error| error.to_string())?;
        Ok(Self { http, endpoint, headers, runtime: Handle::current() })
    }

    /// Sends what the exporter has encoded, and nothing else of its request: headers come from our settings only.
    fn post(&self, body: Bytes) -> reqwest::RequestBuilder {
        let mut request = self.http.post(self.endpoint.clone()).timeout(PATIENCE);
        request = request.header("content-type", "application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str());
        }
        request.body(body)
    }
}

/// The HTTP client of the exporter.
pub(super) struct Collector {
    /// Settings name the collector before there is a client that reaches it.
    route: watch::Receiver<Option<Arc<Route>>>,
    failing: AtomicBool,
}

impl Collector {
    pub(super) fn new() -> (Self, watch::Sender<Option<Arc<Route>>>) {
        let (tell, route) = watch::channel(None);
        (Self { route, failing: AtomicBool::new(false) }, tell)
    }

    fn log(&self, endpoint: &Url, problem: Option<&str>) {
        match (problem, self.failing.swap(problem.is_some(), Ordering::Relaxed)) {
            (Some(problem), false) => tracing::warn!(%endpoint, problem,
                "the collector takes no traces; spans are dropped and counted until it does"),
            (None, true) => tracing::info!("the collector takes traces again"),
            _ => {}
        }
    }
}

// The exporter prints it: without its headers.
impl std::fmt::Debug for Collector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Collector").finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let route = self.route.clone().wait_for(Option::is_some).await?.clone();
        let route = route.ok_or("there is no collector")?;
        let post = route.post(request.into_body());
        // The exporter's thread has no runtime, and the client needs one.
        let sent = route.runtime.spawn(async move { post.send().await }).await?;
        match sent {
            Ok(answer) => {
                let status = answer.status();
                let refused =
                    (!status.is_success()).then(|| format!("it answers with HTTP {}", status.as_u16()));
                self.log(&route.endpoint, refused.as_deref());
                Ok(Response::builder().status(status).body(Bytes::new())?)
            }
            Err(error) => {
                let problem = root_cause(&error.without_url());
                self.log(&route.endpoint, Some(&problem));
                Err(problem.into())
            }
        }
    }
}
