//! Logs and metrics. No metric has a label that grows with the number of accounts.

use std::fmt::Write as _;
use std::io::IsTerminal as _;

use jiff::Timestamp;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tracing::{Level, Metadata};
use tracing_subscriber::Layer as _;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::{FormatFields, format};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use super::traces::{self, Traces};
use crate::ledger::Gauges;
use crate::settings::{LogFormat, LogSettings, Settings};

/// Starts writing logs to standard error, and collecting traces if there is a collector.
///
/// # Errors
/// When the filter does not parse.
pub fn start(settings: &Settings, metrics: &mut Metrics) -> Result<Option<Traces>, String> {
    let log = &settings.log;
    let Some(traces) = Traces::new(&settings.traces)? else {
        return start_logging(log).map(|()| None);
    };
    let filter = log.filter().map_err(|problem| format!("log.level: {problem}"))?;
    metrics.count_dropped_spans(traces.dropped());
    // Each has a filter of its own: a span that is traced stands in no line of the log.
    let lines = tracing_subscriber::fmt::layer()
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let lines = match log.format {
        LogFormat::Text => lines.fmt_fields(text_fields()).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let lines = lines.with_filter(filter_fn(is_told)).with_filter(filter);
    let started = tracing_subscriber::registry().with(lines).with(traces.layer()).try_init();
    started.map_err(|error| format!("log: {error}"))?;
    Ok(Some(traces))
}

/// Whether a line or a span may stand in a log. The debug logs of libraries hold request headers, signatures and tokens:
/// whatever the filter says, only their warnings pass.
fn is_told(metadata: &Metadata<'_>) -> bool {
    let of_trace = metadata.target() == traces::TARGET;
    !of_trace && (*metadata.level() <= Level::WARN || metadata.target().starts_with("auditferry"))
}

/// Starts writing logs to standard error.
fn start_logging(settings: &LogSettings) -> Result<(), String> {
    let filter = settings.filter().map_err(|problem| format!("log.level: {problem}"))?;
    let ours = filter_fn(is_told);
    let colours = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(colours).with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Text => builder.fmt_fields(text_fields()).finish().with(ours).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).finish().with(ours).try_init(),
    };
    started.map_err(|error| format!("log: {error}"))
}

/// Fields as `name=value`, with quotes where a value has blanks, so that a program finds its end.
fn text_fields() -> impl for<'w> FormatFields<'w> + Send + Sync + 'static {
    format::debug_fn(|writer, field, value| write_field(writer, field.name(), &format!("{value:?}")))
        .delimited(" ")
}

fn write_field(writer: &mut dyn std::fmt::Write, name: &str, value: &str) -> std::fmt::Result {
    if name == "message" {
        return write!(writer, "{value}");
    }
    let is_quoted = value.len() >= 2 && value.starts_with('"') && value.ends_with('"');
    let is_plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c == '"' || c == '=');
    // A text without blanks needs no quotes, whether it came with them or not.
    let inner = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).filter(|_| is_quoted);
    match inner {
        Some(inner)
            if !inner.is_empty() && !inner.contains(|c: char| c.is_whitespace() || "\"=\\".contains(c)) =>
        {
            write!(writer, "{name}={inner}")
        }
        Some(_) => write!(writer, "{name}={value}"),
        None if is_plain => write!(writer, "{name}={value}"),
        None => write!(writer, "{name}={value:?}"),
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabel {
    kind: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabel {
    state: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct WithinLabel {
    within: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabel {
    route: String,
    method: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabel {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CodeLabel {
    code: &'static str,
}

/// What the worker and the API count.
pub struct Metrics {
    registry: Registry,
    /// Windows closed.
    pub windows: Counter,
    /// Objects delivered.
    pub objects: Counter,
    /// Records delivered.
    pub records: Counter,
    /// Bytes delivered, as they lie in the bucket.
    pub bytes: Counter,
    /// From the slot to the last object's receipt, in seconds.
    pub lateness: Histogram,
    /// The time of one put, in seconds.
    pub put_seconds: Histogram,
    /// How far this worker's clock is ahead of the ledger database's, in seconds.
    pub clock_skew: Gauge,
    /// For how long a transaction of the source has held records back, in seconds.
    pub held_back: Gauge,
    failures: Family<KindLabel, Counter>,
    requests: Family<RequestLabel, Counter>,
    request_seconds: Family<RouteLabel, Histogram>,
    refusals: Family<CodeLabel, Counter>,
}

fn request_seconds() -> Histogram {
    Histogram::new([0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::with_prefix("auditferry"),
            windows: Counter::default(),
            objects: Counter::default(),
            records: Counter::default(),
            bytes: Counter::default(),
            lateness: Histogram::new([0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0]),
            put_seconds: Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0]),
            clock_skew: Gauge::default(),
            held_back: Gauge::default(),
            failures: Family::default(),
            requests: Family::default(),
            request_seconds: Family::new_with_constructor(request_seconds),
            refusals: Family::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let r = &mut self.registry;
        r.register("api_requests", "Requests to the API", self.requests.clone());
        r.register("api_request_seconds", "Time of a request to the API", self.request_seconds.clone());
        r.register("api_refusals", "Problems that the API has answered with, by code", self.refusals.clone());
        r.register("windows", "Windows closed", self.windows.clone());
        r.register("objects", "Objects delivered", self.objects.clone());
        r.register("records", "Records delivered", self.records.clone());
        r.register("bytes", "Bytes delivered", self.bytes.clone());
        r.register("lateness_seconds", "From the slot to the window's close", self.lateness.clone());
        r.register("put_seconds", "Time of one put", self.put_seconds.clone());
        r.register(
            "clock_skew_seconds",
            "How far this worker's clock is ahead of the ledger database's; from 3600 on it takes nothing",
            self.clock_skew.clone(),
        );
        r.register(
            "source_held_back_seconds",
            "For how long a transaction has been open in the source that holds back what committed since; 0: none",
            self.held_back.clone(),
        );
        r.register("failures", "Failures by kind", self.failures.clone());
        self
    }

    /// Counts spans that reach no collector.
    fn count_dropped_spans(&mut self, dropped: &Counter) {
        let told = "Spans that were dropped because the collector is away or slow";
        self.registry.register("trace_spans_dropped", told, dropped.clone());
    }

    /// Counts a request to the API. `route`: as it is declared, so that no id becomes a label.
    pub fn answered(
        &self,
        route: &str,
        method: &'static str,
        status: u16,
        code: Option<&'static str>,
        took: std::time::Duration,
    ) {
        self.requests.get_or_create(&RequestLabel { route: route.to_owned(), method, status }).inc();
        self.request_seconds
            .get_or_create(&RouteLabel { route: route.to_owned() })
            .observe(took.as_secs_f64());
        if let Some(code) = code {
            self.refusals.get_or_create(&CodeLabel { code }).inc();
        }
    }

    /// Counts a failure of a kind.
    pub fn failed(&self, kind: &str) {
        self.failures.get_or_create(&KindLabel { kind: kind.to_owned() }).inc();
    }

    /// The text that Prometheus reads, with the ledger's numbers in it.
    #[must_use]
    pub fn text(&self, gauges: &Gauges, now: Timestamp) -> String {
        let mut text = String::new();
        let told = encode_registry(&mut text, &self.registry)
            .and_then(|()| encode_registry(&mut text, &ledger_metrics(gauges, now)))
            .and_then(|()| encode_eof(&mut text));
        if told.is_err() {
            text.clear();
            let _ = writeln!(text, "# the metrics could not be written");
        }
        text
    }
}

/// The ledger's numbers, in a registry of their own: scrapes at the same time must not disturb each other.
fn ledger_metrics(gauges: &Gauges, now: Timestamp) -> Registry {
    let age = |at: Option<Timestamp>| at.map_or(0, |at| now.duration_since(at).as_secs().max(0));
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let (accounts, watermark_age, oldest_undelivered) =
        (Family::default(), Family::default(), Family::default());
    for gauge in &gauges.states {
        let set = |family: &Family<StateLabel, Gauge>, value| {
            family.get_or_create(&StateLabel { state: gauge.state.clone() }).set(value);
        };
        set(&accounts, count(gauge.accounts));
        set(&watermark_age, age(gauge.oldest_watermark));
        set(&oldest_undelivered, age(gauge.oldest_undelivered));
    }
    let credentials_ending: Family<WithinLabel, Gauge> = Family::default();
    for (ending, accounts) in &gauges.credentials {
        credentials_ending.get_or_create(&WithinLabel { within: ending.as_str() }).set(count(*accounts));
    }
    let mut r = Registry::with_prefix("auditferry");
    r.register("accounts", "Accounts by state", accounts);
    r.register(
        "watermark_age_seconds",
        "Age of the oldest watermark among the accounts of a state",
        watermark_age,
    );
    r.register(
        "oldest_undelivered_seconds",
        "Age of the oldest slot that has come and is not delivered, among the accounts of a state",
        oldest_undelivered,
    );
    r.register(
        "credentials_ending",
        "Accounts with an add-on whose credentials end within 14 days, 7 days, 1 day, or have ended",
        credentials_ending,
    );
    r
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_with_blanks_are_quoted() {
        let written = |name, value: &str| {
            let mut text = String::new();
            write_field(&mut text, name, value).expect("a text");
            text
        };
        assert_eq!(written("error", "no such bucket"), "error=\"no such bucket\"");
        assert_eq!(written("error", "it said \"no\""), r#"error="it said \"no\"""#);
        assert_eq!(written("fix", "\"create the bucket\""), "fix=\"create the bucket\"");
        assert_eq!(written("kind", "\"denied\""), "kind=denied");
        assert_eq!(written("account", "acme"), "account=acme");
        assert_eq!(written("records", "7"), "records=7");
        assert_eq!(written("message", "export failed"), "export failed");
    }
    use crate::ledger::StateGauge;
    use auditferry_core::model::expiry::Ending;

    #[test]
    fn metrics_name_states_and_kinds_but_no_account() {
        let metrics = Metrics::default();
        metrics.failed("denied");
        metrics.records.inc_by(5);
        let now: Timestamp = "2026-11-21T04:00:00Z".parse().expect("instant");
        let gauges = Gauges {
            states: vec![StateGauge {
                state: "active".into(),
                accounts: 3,
                oldest_watermark: Some(now - jiff::SignedDuration::from_secs(60)),
                oldest_undelivered: None,
            }],
            credentials: vec![(Ending::Within7, 2)],
        };
        let text = metrics.text(&gauges, now);
        for line in [
            "auditferry_failures_total{kind=\"denied\"} 1",
            "auditferry_records_total 5",
            "auditferry_accounts{state=\"active\"} 3",
            "auditferry_credentials_ending{within=\"7d\"} 2",
            "auditferry_watermark_age_seconds{state=\"active\"} 60",
            "auditferry_oldest_undelivered_seconds{state=\"active\"} 0",
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }

    #[test]
    fn scrapes_at_the_same_time_do_not_disturb_each_other() {
        let metrics = Metrics::default();
        let now: Timestamp = "2026-11-21T04:00:00Z".parse().expect("instant");
        std::thread::scope(|scope| {
            for number in 0..4_u64 {
                let metrics = &metrics;
                scope.spawn(move || {
                    let state = StateGauge {
                        state: format!("state-{number}"),
                        accounts: number,
                        oldest_watermark: None,
                        oldest_undelivered: None,
                    };
                    let gauges = Gauges { states: vec![state], credentials: Vec::new() };
                    for _ in 0..500 {
                        let text = metrics.text(&gauges, now);
                        let lines = text.lines().filter(|line| line.starts_with("auditferry_accounts{"));
                        let expected = format!("auditferry_accounts{{state=\"state-{number}\"}} {number}");
                        assert_eq!(lines.collect::<Vec<_>>(), [expected.as_str()]);
                        assert!(text.ends_with("# EOF\n"), "{text}");
                    }
                });
            }
        });
    }
}
