//! What a command works with: the settings, its actor, and the databases, opened as far as it needs them.

use std::path::PathBuf;
use std::sync::Arc;

use super::server::ServerArgs;
use super::service::{Direct, Remote, Service};
use super::{CliError, WhyArgs};
use crate::base::actor::os_user;
use crate::base::clock::{Clock, SystemClock};
use crate::base::database::{Connect, Kind, reached, sqlite_file};
use crate::base::zones::Zones;
use crate::ledger::{self, Ledger};
use crate::operations::admin::Admin;
use crate::settings::{Settings, SourceKind, SourceSettings};
use crate::source::{self, Browser, PAGE_PATIENCE, Source};
use auditferry_core::model::actor::{Actor, By};

/// What a command works with: where its settings are, and who gives it.
#[derive(Clone)]
pub(crate) struct Context {
    pub(super) config: Option<PathBuf>,
    pub(super) called: Option<String>,
    pub(super) server: ServerArgs,
}

impl Context {
    pub(crate) fn settings(&self) -> Result<Settings, CliError> {
        Ok(Settings::load(self.config.as_deref())?)
    }

    /// Who gives this command, for the change log.
    pub(crate) fn actor(&self) -> Actor {
        os_user(self.called.as_deref())
    }

    /// The same, and why.
    pub(crate) fn by(&self, why: Option<&WhyArgs>) -> By {
        By { reason: why.and_then(|why| why.reason.clone()), ..By::actor(self.actor()) }
    }

    /// Opens both databases. A command makes the schema when `ledger.migrate` says so,
    /// as the worker does, so that the first command on a new machine works.
    pub(crate) async fn databases(
        &self,
        settings: &Settings,
        opening: Opening,
    ) -> Result<Databases, CliError> {
        if opening == Opening::Reading {
            for (key, url) in [("ledger.url", &settings.ledger.url), ("source.url", settings.source_url())] {
                refuse_missing(key, url)?;
            }
        }
        let exclusive = opening == Opening::Worker;
        let connect = |max_connections| Connect { max_connections, prepared: settings.ledger.prepare };
        let ledger =
            ledger::open(&settings.ledger.url, connect(settings.ledger.max_connections), exclusive).await?;
        let SourceSettings { kind, max_connections, table, .. } = &settings.source;
        let (source_url, connect) = (settings.source_url(), connect(*max_connections));
        let source = match kind {
            SourceKind::AuditLog => source::open(source_url, connect).await?,
            SourceKind::Table => source::open_table(source_url, connect, table.clone())?,
        };
        let databases = Databases { ledger, source };
        match opening {
            Opening::Command => {
                reach("ledger", &settings.ledger.url).await?;
                if *settings.source_url() != settings.ledger.url {
                    reach("source", settings.source_url()).await?;
                }
                databases.prepare(settings).await?;
            }
            Opening::Reading => {
                reach("ledger", &settings.ledger.url).await?;
                databases.ledger.check().await?;
            }
            Opening::Worker | Opening::CommandWithoutCheck => {}
        }
        Ok(databases)
    }

    /// Opens what reads records by time for the pages. Its connections are its own.
    pub(crate) async fn browser(&self, settings: &Settings) -> Result<Arc<dyn Browser>, CliError> {
        let connect =
            Connect { max_connections: settings.api.max_connections, prepared: settings.ledger.prepare };
        let url = settings.source_url();
        Ok(match settings.source.kind {
            SourceKind::AuditLog => source::open_browser(url, connect, PAGE_PATIENCE).await?,
            SourceKind::Table => {
                source::open_table_browser(url, connect, settings.source.table.clone(), PAGE_PATIENCE)?
            }
        })
    }

    /// Opens the databases for a command that changes something.
    pub(crate) async fn admin(&self) -> Result<(Settings, Admin), CliError> {
        self.admin_for(Opening::Command).await
    }

    /// The same for a command that only reads (`reads`), which makes no file and no table.
    pub(crate) async fn admin_who_reads(&self, reads: bool) -> Result<(Settings, Admin), CliError> {
        self.admin_for(if reads { Opening::Reading } else { Opening::Command }).await
    }

    /// What a command works on: the ledger, or the server that is named. `why`: none for a command that only reads.
    pub(super) async fn service(&self, why: Option<&WhyArgs>) -> Result<Box<dyn Service>, CliError> {
        if let Some(client) = self.server.client()? {
            if self.called.is_some() {
                return Err(CliError::Usage(
                    "--as (AUDITFERRY_ACTOR) has no effect on a server: the change log names the token; leave it out"
                        .into(),
                ));
            }
            let reason = why.and_then(|why| why.reason.clone());
            return Ok(Box::new(Remote::new(client.because(reason))));
        }
        let (settings, admin) = self.admin_who_reads(why.is_none()).await?;
        Ok(Box::new(Direct { settings, admin, by: self.by(why) }))
    }

    async fn admin_for(&self, opening: Opening) -> Result<(Settings, Admin), CliError> {
        let settings = self.settings()?;
        let Databases { ledger, source } = self.databases(&settings, opening).await?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        Ok((settings, Admin { ledger, source, clock, zones: Zones::load() }))
    }
}

/// Why the databases are opened, which decides what is checked and made first.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// By the worker, which SQLite allows once; it prepares them itself.
    Worker,
    /// By a command that changes something and needs a current schema.
    Command,
    /// By a command that only reads: it makes no file and no table.
    Reading,
    /// By a command that brings the schema up to date, or says what is wrong with it.
    CommandWithoutCheck,
}

/// The two databases.
pub(crate) struct Databases {
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) source: Arc<dyn Source>,
}

impl Databases {
    pub(crate) async fn migrate(&self) -> Result<(), CliError> {
        self.ledger.migrate().await?;
        self.source.migrate().await?;
        Ok(())
    }

    /// Brings the schema up to date if the settings say so, and checks it.
    pub(crate) async fn prepare(&self, settings: &Settings) -> Result<(), CliError> {
        if settings.ledger.migrate {
            self.migrate().await?;
        }
        self.ledger.check().await?;
        self.source.check().await?;
        Ok(())
    }
}

/// Checks that a server accepts connections, so that a person at a terminal is told at once. (A worker
/// waits for its databases.)
async fn reach(name: &str, url: &str) -> Result<(), CliError> {
    reached(url).await.map_err(|problem| CliError::Failed(format!("{name}: {problem}")))
}

/// Checks that the file of a SQLite database exists, for a command that must not make it.
pub(super) fn refuse_missing(key: &str, url: &str) -> Result<(), CliError> {
    let file = if Kind::of(url) == Ok(Kind::Sqlite) { sqlite_file(url) } else { None };
    match file {
        Some(file) if !file.exists() => Err(CliError::Usage(format!(
            "{key}: there is no database {}, and this command only reads; name the right one with --config or \
             AUDITFERRY_CONFIG, or make one here with `auditferry migrate`",
            file.display()
        ))),
        _ => Ok(()),
    }
}

/// What is asked, without a password, to say where a listing has looked.
pub(super) fn looked_in(service: &dyn Service) -> String {
    let (kind, name) = service.place();
    format!("the {kind} {name}")
}
