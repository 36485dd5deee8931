//! `auditferry run`: the worker.

use std::sync::Arc;

use clap::Args;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{CliError, CliResult, Context, Databases, Opening, output};
use crate::base::background::Background;
use crate::base::clock::{Clock, SystemClock};
use crate::base::host::host_name;
use crate::base::zones::Zones;
use crate::delivery::export::{Exporter, Waits};
use crate::delivery::pipeline::ReadAhead;
use crate::delivery::worker::{Limits, Mode, Worker};
use crate::destinations::vault::{Vault, VaultError};
use crate::http::api::Server;
use crate::http::{self, Pages};
use crate::notifications::sender::Sender;
use crate::observe::claim_health::ClaimHealth;
use crate::observe::telemetry::{self, Metrics};
use crate::observe::traces::Traces;
use crate::operations::workers::idle_words;
use crate::settings::Settings;
use crate::store::Dialer;
use auditferry_core::protocol::admission::Admission;
use auditferry_core::text::shell::shell_word;

#[derive(Args)]
pub(super) struct RunArgs {
    /// Export what is due now and end: 0 when all of it is delivered, 1 when an account failed.
    #[arg(long)]
    until_idle: bool,
}

/// Many systems give a process 1,024 files at first and let it have more. Nothing here or in what it starts
/// counts on a small number.
pub(super) fn raise_open_files() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current != maximum
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
    {
        tracing::warn!(error = %error, current, maximum, "the limit of open files could not be raised");
    }
}

pub(super) async fn run(context: &Context, args: &RunArgs) -> CliResult {
    let settings = context.settings()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let mut metrics = Metrics::default();
    let traces = telemetry::start(&settings, &mut metrics).map_err(CliError::Usage)?;
    raise_open_files();
    let listener = match settings.http.listen.as_str() {
        "" => None,
        _ if args.until_idle => None,
        listen => Some(http::bind(listen).await.map_err(CliError::Usage)?),
    };
    let api = match args.until_idle {
        true => None,
        false => Server::bind(&settings.api).await.map_err(CliError::Usage)?,
    };
    let databases = context.databases(&settings, Opening::Worker).await?;
    let vault = super::destination::vault(&settings, &databases.ledger).await?;
    let zones = Zones::load();
    let metrics = Arc::new(metrics);
    let stop = CancellationToken::new();
    let stop_http = CancellationToken::new();
    let claims = Arc::new(ClaimHealth::default());
    let pages = Pages {
        ledger: Arc::clone(&databases.ledger),
        source: Arc::clone(&databases.source),
        metrics: Arc::clone(&metrics),
        clock: Arc::clone(&clock),
        claims: Arc::clone(&claims),
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        tzdb = zones.description(),
        ledger = crate::base::database::masked(&settings.ledger.url),
        listen = settings.http.listen,
        "auditferry starts"
    );
    let server = listener.map(|listener| tokio::spawn(http::serve(listener, pages, stop_http.clone())));
    let signals = tokio::spawn(stop_on_signals(stop.clone()));
    let api = match api {
        Some(server) => Some(beside(context, &settings, &metrics, server, &stop_http).await?),
        None => None,
    };

    let stores = super::destination::bare_stores(&settings)?.with_vault(vault.clone());
    send_traces(&settings, traces.as_ref(), stores.dialer())?;
    prepare(&databases, &settings, &vault, args.until_idle, &stop).await?;
    let sender = Arc::new(Sender::new(stores.dialer().clone(), vault, settings.email.clone()));
    let exporter = Arc::new(Exporter {
        ledger: databases.ledger,
        source: databases.source,
        stores,
        zones,
        clock,
        metrics,
        waits: waits(&settings),
        // Such a run ends with what is due: nothing may be left for later.
        spread: if args.until_idle { std::time::Duration::ZERO } else { settings.schedule.spread },
        read_ahead: ReadAhead::new(settings.worker.read_ahead, settings.source.max_connections),
        owner: owner(),
        confirmations: Default::default(),
        draining: CancellationToken::new(),
    });
    let mode = if args.until_idle { Mode::UntilIdle } else { Mode::Forever };
    let worker = Worker::new(Arc::clone(&exporter), limits(&settings))
        .with_claim_health(claims)
        .with_sender(sender)
        .with_retention(settings.source.retention());
    let stopped = stop.clone();
    let failed = worker.with_self_records(settings.audit.self_records).run(mode, stop).await;
    if mode == Mode::UntilIdle && failed.is_ok() && !stopped.is_cancelled() {
        say_what_is_next(&exporter).await;
    }
    signals.abort();
    stop_http.cancel();
    if let Some(server) = server {
        let _ = server.await;
    }
    if let Some((_threads, serving)) = api {
        let _ = serving.await;
    }
    if let Some(traces) = traces {
        traces.stop().await;
    }
    tracing::info!("auditferry has stopped");
    match mode {
        Mode::Forever => failed.map(drop).map_err(|error| CliError::Failed(error.to_string())),
        Mode::UntilIdle => {
            let failed = failed.map_err(|error| CliError::Failed(error.to_string()))?;
            if failed.is_empty() {
                return Ok(());
            }
            for account in &failed {
                let word = shell_word(account.as_str());
                output::error(&format!("account {account} failed; see `auditferry account show {word}`"));
            }
            Err(CliError::Reported)
        }
    }
}

/// Serves the API on threads that give way to the worker's. Its connections to the databases are made there too.
async fn beside(
    context: &Context,
    settings: &Settings,
    metrics: &Arc<Metrics>,
    server: Server,
    stop: &CancellationToken,
) -> Result<(Background, JoinHandle<()>), CliError> {
    let threads = Background::start("auditferry-api")
        .map_err(|error| CliError::Failed(format!("the API's threads cannot start: {error}")))?;
    let (context, settings, metrics) = (context.clone(), settings.clone(), Arc::clone(metrics));
    let prepared = threads.spawn(async move { super::serve::parts(&context, &settings, &metrics).await });
    let parts =
        prepared.await.map_err(|error| CliError::Failed(format!("the API cannot start: {error}")))??;
    let serving = threads.spawn(server.serve(parts, stop.clone()));
    Ok((threads, serving))
}

/// Starts what sends traces, if there is a collector.
pub(super) fn send_traces(
    settings: &Settings,
    traces: Option<&Traces>,
    dialer: &Dialer,
) -> Result<(), CliError> {
    let Some(traces) = traces else { return Ok(()) };
    let reached = traces.reach(&settings.traces, dialer);
    reached.map_err(|problem| CliError::Usage(format!("settings: {problem}")))
}

/// Says what is due next. A ledger that is away now leaves it out: what was due is done.
async fn say_what_is_next(exporter: &Exporter) {
    match exporter.ledger.next_slots(exporter.clock.now(), 1).await {
        Ok(next) => tracing::info!("{}", idle_words(next.first().copied())),
        Err(error) => tracing::debug!(%error, "what is due next is not known"),
    }
}

/// Why a worker cannot begin yet, or at all.
enum Unready {
    /// A database is away.
    Waits(String),
    /// What waiting cannot fix.
    Ends(CliError),
}

impl From<CliError> for Unready {
    fn from(error: CliError) -> Self {
        match error {
            CliError::Failed(problem) => Self::Waits(problem),
            other => Self::Ends(other),
        }
    }
}

/// Waits for the databases, so that a worker may start before they do, or before the
/// one job that migrates them. What waiting cannot fix ends it.
pub(super) async fn prepare(
    databases: &Databases,
    settings: &Settings,
    vault: &Vault,
    until_idle: bool,
    stop: &CancellationToken,
) -> CliResult {
    loop {
        let problem = match ready(databases, settings, vault).await {
            Ok(()) => return Ok(()),
            Err(Unready::Waits(problem)) if until_idle => return Err(CliError::Failed(problem)),
            Err(Unready::Waits(problem)) => problem,
            Err(Unready::Ends(error)) => return Err(error),
        };
        tracing::warn!(problem, "waiting for the databases");
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(settings.worker.poll_interval.0) => {}
        }
    }
}

/// That the databases are as they should, and that every sealed secret opens.
async fn ready(databases: &Databases, settings: &Settings, vault: &Vault) -> Result<(), Unready> {
    databases.prepare(settings).await?;
    if let Some(problem) = another_ledger(databases).await? {
        return Err(Unready::Ends(CliError::Failed(problem)));
    }
    match vault.check().await {
        Ok(()) => Ok(()),
        Err(VaultError::Ledger(error)) => Err(CliError::from(error).into()),
        Err(error) => Err(Unready::Ends(error.into())),
    }
}

/// Whether an empty ledger is in the place of the one that exported so far. A worker remembers nothing
/// itself: it would deliver nothing, and say that all is well.
async fn another_ledger(databases: &Databases) -> Result<Option<String>, CliError> {
    let Databases { ledger, source, .. } = databases;
    if !ledger.accounts(None, 1).await?.is_empty() {
        return Ok(None);
    }
    let other = source.newest_mark_of_others(&ledger.id().await?).await?;
    Ok(other.map(|at| {
        format!(
            "ledger.url: this ledger is empty, and another one has exported from the source until {at}: point \
             ledger.url, or the search_path of its role, at that one. If this ledger is to begin anew, add its \
             accounts first"
        )
    }))
}

fn waits(settings: &Settings) -> Waits {
    Waits {
        first: settings.retry.first_wait.0,
        longest: settings.retry.max_wait.0,
        suspend_after: settings.worker.suspend_after.0,
    }
}

fn limits(settings: &Settings) -> Limits {
    let concurrency = settings.worker.concurrency;
    Limits {
        concurrency,
        per_endpoint: match settings.worker.per_endpoint {
            0 => Admission::share(concurrency),
            most => most,
        },
        poll_interval: settings.worker.poll_interval.0,
        lease: settings.worker.lease.0,
        drain_timeout: settings.worker.drain_timeout.0,
    }
}

/// This process's name in leases and attempts, for people: host and process, and a
/// part that no other has.
fn owner() -> String {
    let nonce = uuid::Uuid::new_v4().simple().to_string();
    format!("{}/{}/{}", host_name(), std::process::id(), &nonce[..8])
}

/// The first signal drains; the second ends the process at once, which loses nothing:
/// the next worker goes on from the ledger.
pub(super) async fn stop_on_signals(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        tracing::error!("signals cannot be caught; stop the worker with SIGKILL, nothing is lost");
        return;
    };
    for count in 1.. {
        tokio::select! {
            _ = term.recv() => {}
            _ = int.recv() => {}
        }
        if count == 1 {
            tracing::info!("stopping: puts in flight may still finish; a second signal stops at once");
            stop.cancel();
        } else {
            tracing::warn!("stopped at once; what was in flight is tried again by the next worker");
            std::process::exit(130);
        }
    }
}
