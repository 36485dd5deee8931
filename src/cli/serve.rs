//! `auditferry serve`: the API without a worker; and what `run` needs to serve it too.

use std::sync::Arc;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::run::{prepare, raise_open_files, send_traces, stop_on_signals};
use super::{CliError, CliResult, Context, Databases, Opening};
use crate::base::clock::{Clock, SystemClock};
use crate::base::database::masked;
use crate::base::zones::Zones;
use crate::http::api::{Parts, Server, SignInSettings};
use crate::http::{self, Pages};
use crate::notifications::sender::Sender;
use crate::observe::claim_health::ClaimHealth;
use crate::observe::telemetry::{self, Metrics};
use crate::oidc::Provider;
use crate::operations::admin::Admin;
use crate::operations::downloads::DownloadDesk;
use crate::operations::downloads::bucket::Bucket;
use crate::operations::downloads::folder::Folder;
use crate::operations::downloads::shelf::Shelf;
use crate::operations::portal::Entrance;
use crate::operations::records::Records;
use crate::settings::{DownloadSettings, Settings};
use crate::store::Dialer;

/// What the API works with. Its connections are its own, so that no slot waits for one.
pub(super) async fn parts(
    context: &Context,
    settings: &Settings,
    metrics: &Arc<Metrics>,
) -> Result<Parts, CliError> {
    let mut own = settings.clone();
    own.ledger.max_connections = settings.api.max_connections;
    own.source.max_connections = settings.api.max_connections;
    let Databases { ledger, source } = context.databases(&own, Opening::CommandWithoutCheck).await?;
    let vault = super::destination::vault(settings, &ledger).await?;
    let stores = super::destination::bare_stores(settings)?.with_vault(vault.clone());
    let sender = Sender::new(stores.dialer().clone(), vault.clone(), settings.email.clone());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let provider = Provider::new(&settings.api.oidc, stores.dialer(), Arc::clone(&clock));
    let provider = provider.map_err(|problem| CliError::Usage(format!("settings: {problem}")))?;
    let records = Records::new(context.browser(settings).await?, settings.source.retention());
    let shelf = shelf(&settings.downloads, stores.dialer())
        .await
        .map_err(|problem| CliError::Usage(format!("settings: {problem}")))?;
    let downloads = shelf.map(|shelf| {
        let keep = SignedDuration::try_from(settings.downloads.keep.0).unwrap_or(SignedDuration::MAX);
        (DownloadDesk { shelf, keep }, settings.downloads.at_once)
    });
    Ok(Parts {
        admin: Admin { ledger, source, clock, zones: Zones::load() },
        stores,
        vault,
        sender,
        put_timeout: settings.put.timeout.0,
        export: settings.export.clone(),
        requests_per_minute: settings.api.requests_per_minute,
        provider,
        sign_in: SignInSettings::new(&settings.api),
        entrance: Entrance::new(&settings.api, &settings.portal),
        aws_principal: settings.aws.principal.clone(),
        records,
        downloads,
        metrics: Arc::clone(metrics),
    })
}

/// Where the files of downloads are; none: nothing is downloaded.
async fn shelf(settings: &DownloadSettings, dialer: &Dialer) -> Result<Option<Shelf>, String> {
    if let Some(file) = settings.bucket() {
        let told = |problem: String| format!("downloads.bucket_file: {}: {problem}", file.display());
        let text = tokio::fs::read_to_string(file).await;
        let text = text.map_err(|error| told(format!("{error}; name a file that can be read")))?;
        return Ok(Some(Shelf::Bucket(Bucket::open(&text, dialer.clone()).await.map_err(told)?)));
    }
    match settings.folder() {
        None => Ok(None),
        Some(folder) => {
            let taken = Folder::take(folder).await;
            Ok(Some(Shelf::Folder(taken.map_err(|problem| format!("downloads.store: {problem}"))?)))
        }
    }
}

pub(super) async fn serve(context: &Context) -> CliResult {
    let settings = context.settings()?;
    let mut metrics = Metrics::default();
    let traces = telemetry::start(&settings, &mut metrics).map_err(CliError::Usage)?;
    raise_open_files();
    let Some(server) = Server::bind(&settings.api).await.map_err(CliError::Usage)? else {
        return Err(CliError::Usage(
            "settings: api.listen: it is empty, so there is nothing to serve; write ADDRESS:PORT, such as \
             127.0.0.1:9465"
                .to_owned(),
        ));
    };
    let health = match settings.http.listen.as_str() {
        "" => None,
        listen => Some(http::bind(listen).await.map_err(CliError::Usage)?),
    };
    let metrics = Arc::new(metrics);
    let parts = parts(context, &settings, &metrics).await?;
    send_traces(&settings, traces.as_ref(), parts.stores.dialer())?;
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        ledger = masked(&settings.ledger.url),
        listen = settings.api.listen,
        tls = settings.api.has_tls(),
        "auditferry serves the API"
    );
    let stop = CancellationToken::new();
    let signals = tokio::spawn(stop_on_signals(stop.clone()));
    let pages = Pages {
        ledger: Arc::clone(&parts.admin.ledger),
        source: Arc::clone(&parts.admin.source),
        metrics,
        clock: Arc::clone(&parts.admin.clock),
        claims: Arc::new(ClaimHealth::default()),
    };
    let pages = health.map(|listener| tokio::spawn(http::serve(listener, pages, stop.clone())));
    let databases =
        Databases { ledger: Arc::clone(&parts.admin.ledger), source: Arc::clone(&parts.admin.source) };
    let vault = parts.vault.clone();
    let serving = tokio::spawn(server.serve(parts, stop.clone()));
    // Requests are answered with 503 until then, so that whoever waits hears why.
    let prepared = prepare(&databases, &settings, &vault, false, &stop).await;
    if prepared.is_err() {
        stop.cancel();
    }
    let _ = serving.await;
    signals.abort();
    if let Some(pages) = pages {
        let _ = pages.await;
    }
    if let Some(traces) = traces {
        traces.stop().await;
    }
    tracing::info!("auditferry has stopped");
    prepared
}
