//! Sends spans to the collector, in batches, over OTLP/HTTP. One that is away costs spans and one line of the log.

use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;
use zeroize::Zeroizing;

use super::{Ended, EndedSpan, wire};
use crate::base::host::host_name;
use crate::observe::telemetry::Traced;
use crate::secrets::{self, Opened};
use crate::settings::TraceSettings;
use crate::store::Dialer;
use auditferry_core::text::cause::root_cause;

/// How long spans are collected.
const PAUSE: Duration = Duration::from_secs(1);

/// Most spans of one request.
const BATCH: usize = 1_024;

/// How long the collector may take; meanwhile further spans wait in the queue.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the last spans may take when the process ends.
const AT_THE_END: Duration = Duration::from_secs(2);

/// What sends spans.
pub struct TraceSender {
    queue: mpsc::Receiver<EndedSpan>,
    dropped: Counter,
    http: reqwest::Client,
    endpoint: Url,
    headers: Vec<(String, Zeroizing<String>)>,
    failing: bool,
}

impl TraceSender {
    /// What sends to the collector of the settings.
    ///
    /// # Errors
    /// A sentence with the setting and the fix.
    pub(crate) fn new(
        settings: &TraceSettings,
        dialer: &Dialer,
        Traced(queue, dropped): Traced,
    ) -> Result<Option<Self>, String> {
        let Some(endpoint) = settings.url() else { return Ok(None) };
        let header = |header: &crate::settings::TraceHeader| {
            let value = secrets::resolve(&header.value, &Opened::default())
                .map_err(|error| format!("traces.headers: {error}"))?;
            Ok((header.name.clone(), Zeroizing::new(value.expose().to_owned())))
        };
        let headers = settings.headers.iter().map(header).collect::<Result<_, String>>()?;
        let (http, _) = dialer.reaching(&endpoint).map_err(|error| error.to_string())?;
        Ok(Some(Self { queue, dropped, http, endpoint, headers, failing: false }))
    }

    /// Sends until `stop` is cancelled, and then what is left.
    pub async fn run(mut self, stop: CancellationToken) {
        let host = host_name();
        loop {
            let mut spans = Vec::with_capacity(BATCH);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                taken = self.queue.recv_many(&mut spans, BATCH) => if taken == 0 { return },
            }
            if spans.len() < BATCH {
                let _ = tokio::time::timeout(PAUSE, stop.cancelled()).await;
                while spans.len() < BATCH {
                    let Ok(span) = self.queue.try_recv() else { break };
                    spans.push(span);
                }
            }
            self.send(spans, &host, PATIENCE).await;
        }
        let mut left = Vec::new();
        while let Ok(span) = self.queue.try_recv() {
            left.push(span);
        }
        if !left.is_empty() {
            self.send(left, &host, AT_THE_END).await;
        }
    }

    async fn send(&mut self, spans: Vec<EndedSpan>, host: &str, patience: Duration) {
        let spans: Vec<Ended> = spans.into_iter().map(|EndedSpan(ended)| ended).collect();
        let mut request = self.http.post(self.endpoint.clone()).timeout(patience);
        request = request.header("content-type", "application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value.as_str());
        }
        let problem = match request.body(wire::request(&spans, host)).send().await {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(format!("it answers with HTTP {}", answer.status().as_u16())),
            Err(error) => Some(root_cause(&error.without_url())),
        };
        let failing = problem.is_some();
        if failing {
            self.dropped.inc_by(spans.len() as u64);
        }
        match problem {
            Some(problem) if !self.failing => tracing::warn!(endpoint = %self.endpoint, problem,
                "the collector takes no traces; spans are dropped and counted until it does"),
            None if self.failing => tracing::info!("the collector takes traces again"),
            _ => {}
        }
        self.failing = failing;
    }
}
