//! What makes downloads, in each process that serves the pages. Which one makes which is decided by the ledger, so that a
//! download of a process that has ended is begun anew by another. A file is made from a closed set: whoever makes it, and
//! however often, its bytes are the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::shelf::Shelf;
use super::{DownloadDesk, forgotten_before};
use crate::base::clock::Clock;
use crate::base::failpoint::point;
use crate::base::zones::Zones;
use crate::delivery::capture::{CaptureError, capture};
use crate::ledger::{DOWNLOAD_SIGN_EVERY, Ledger, LedgerError, Making};
use crate::operations::admin::Admin;
use crate::source::{Browser, Closed, Look, Source, SourceError};
use auditferry_core::format::file::FileWriter;
use auditferry_core::model::bound::Bound;
use auditferry_core::model::download::{DownloadProblem, MOST_AT_ONCE, TRIES, percent};

/// How often the ledger is asked for one that waits.
const EVERY: Duration = Duration::from_secs(1);

/// How often files are looked for that are not needed any more, in looks at the ledger.
const CLEANED_EVERY: u32 = 30;

/// How many files are removed at once.
const REMOVED: u32 = 100;

/// How many records are read at once.
const PAGE: u32 = 2_000;

/// How long one page of records may take to be found.
const PATIENCE: Duration = Duration::from_secs(30 * 60);

/// How long one waits that met a database which was away.
const AWAY: Duration = Duration::from_secs(5);

/// Makes downloads.
#[derive(Clone)]
pub struct DownloadMaker {
    ledger: Arc<dyn Ledger>,
    source: Arc<dyn Source>,
    browser: Arc<dyn Browser>,
    clock: Arc<dyn Clock>,
    zones: Zones,
    shelf: Shelf,
    keep: SignedDuration,
    at_once: usize,
}

/// Why one was not made.
enum Trouble {
    /// It cannot be made.
    Cannot(DownloadProblem),
    /// Something failed that may pass.
    MayPass(String),
    /// Another process makes it, or it was deleted.
    NotOurs,
}

impl From<LedgerError> for Trouble {
    fn from(error: LedgerError) -> Self {
        Self::MayPass(error.to_string())
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Self {
        Self::MayPass(format!("downloads.store: {error}"))
    }
}

impl From<SourceError> for Trouble {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::TooSlow(_) => Self::Cannot(DownloadProblem::TooSlow),
            SourceError::BadRecord { .. } => Self::Cannot(DownloadProblem::BadRecord),
            error => Self::MayPass(error.to_string()),
        }
    }
}

impl From<CaptureError> for Trouble {
    fn from(error: CaptureError) -> Self {
        Self::MayPass(error.to_string())
    }
}

/// How far one has come.
#[derive(Default)]
struct Done {
    records: AtomicU64,
    percent: AtomicU32,
}

impl DownloadMaker {
    /// Makes at most `at_once` of them at once.
    #[must_use]
    pub fn new(admin: &Admin, browser: Arc<dyn Browser>, desk: &DownloadDesk, at_once: usize) -> Self {
        Self {
            ledger: Arc::clone(&admin.ledger),
            source: Arc::clone(&admin.source),
            browser,
            clock: Arc::clone(&admin.clock),
            zones: admin.zones.clone(),
            shelf: desk.shelf.clone(),
            keep: desk.keep,
            at_once,
        }
    }

    /// Works until `stop` is cancelled. What is made then is given back.
    pub async fn run(self, stop: CancellationToken) {
        let mut tasks = JoinSet::new();
        let mut looks: u32 = 0;
        while !stop.is_cancelled() {
            if looks.is_multiple_of(CLEANED_EVERY)
                && let Err(trouble) = self.clean().await
            {
                trouble.tell("old downloads are not removed");
            }
            looks = looks.wrapping_add(1);
            while tasks.len() < self.at_once {
                match self.ledger.begin_download(MOST_AT_ONCE).await {
                    Ok(Some(making)) => {
                        let (maker, stop) = (self.clone(), stop.clone());
                        tasks.spawn(async move { maker.make(&making, &stop).await });
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::warn!(error = %error, "downloads that wait cannot be begun");
                        break;
                    }
                }
            }
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(EVERY) => {}
                Some(_) = tasks.join_next() => {}
            }
        }
        while tasks.join_next().await.is_some() {}
    }

    /// Removes what is not needed any more.
    async fn clean(&self) -> Result<(), Trouble> {
        self.ledger.expire_downloads(forgotten_before(self.clock.now())).await?;
        for file in self.ledger.loose_files(REMOVED).await? {
            self.shelf.remove(&file).await?;
            self.ledger.forget_file(&file).await?;
        }
        Ok(())
    }

    /// Makes one, with signs of life, and stores what came of it.
    async fn make(&self, making: &Making, stop: &CancellationToken) {
        let done = Done::default();
        let writing = async {
            if making.tries > 2 * TRIES {
                return Err(Trouble::Cannot(DownloadProblem::Interrupted));
            }
            self.write(making, &done).await
        };
        let mut writing = std::pin::pin!(writing);
        let result = loop {
            tokio::select! {
                () = stop.cancelled() => {
                    if let Err(error) = self.ledger.return_download(making).await {
                        tracing::warn!(error = %error, "a download is not given back; it is begun again in a while");
                    }
                    return;
                }
                result = &mut writing => break result,
                () = tokio::time::sleep(DOWNLOAD_SIGN_EVERY) => {
                    let (records, percent) =
                        (done.records.load(Ordering::Relaxed), done.percent.load(Ordering::Relaxed));
                    match self.ledger.note_download(making, records, percent).await {
                        Ok(true) => {}
                        Ok(false) => break Err(Trouble::NotOurs),
                        Err(error) => tracing::warn!(error = %error, "a download's sign of life was not stored"),
                    }
                }
            }
        };
        let id = &making.download.new.id;
        if result.is_err()
            && let Err(error) = self.shelf.remove(&file_name(making)).await
        {
            tracing::warn!(download = id, error = %error, "a file that nobody needs is not removed");
        }
        let stored = match result {
            Ok(()) => Ok(()),
            Err(Trouble::NotOurs) => {
                tracing::info!(download = id, "a download is not ours any more");
                Ok(())
            }
            Err(Trouble::Cannot(problem)) => {
                tracing::warn!(download = id, problem = ?problem, "a download cannot be made");
                self.ledger.fail_download(making, problem).await.map(drop)
            }
            Err(Trouble::MayPass(problem)) if making.tries >= TRIES => {
                tracing::error!(download = id, problem, "a download is given up");
                self.ledger.fail_download(making, DownloadProblem::Failing).await.map(drop)
            }
            Err(Trouble::MayPass(problem)) => {
                tracing::warn!(download = id, problem, "a download was not made; it is tried again");
                tokio::time::sleep(AWAY).await;
                self.ledger.return_download(making).await
            }
        };
        if let Err(error) = stored {
            tracing::warn!(download = id, error = %error, "what came of a download was not stored; it is begun again in a while");
        }
    }

    /// What had been committed when it was begun first: the same for all attempts.
    async fn bound(&self, making: &Making) -> Result<Bound, Trouble> {
        if let Some(bound) = &making.download.bound {
            return Ok(bound.clone());
        }
        let captured = capture(&*self.ledger, &*self.source, &*self.clock).await?;
        if self.ledger.bind_download(making, &captured.bound).await? {
            Ok(captured.bound)
        } else {
            Err(Trouble::NotOurs)
        }
    }

    async fn write(&self, making: &Making, done: &Done) -> Result<(), Trouble> {
        let new = &making.download.new;
        let wish = &new.wish;
        let zone = self.zones.find(&wish.zone).map_err(|_| Trouble::Cannot(DownloadProblem::UnknownZone))?;
        let bound = self.bound(making).await?;
        let name = file_name(making);
        if !self.ledger.name_download_file(making, &name).await? {
            return Err(Trouble::NotOurs);
        }
        let mut file = self.shelf.create(&name).await?;
        let mut writer = FileWriter::new(wish.format, zone.rules().clone());
        writer.begin(file.buffer());
        let look = Look { span: wish.span, filter: &wish.filter };
        let ends = self.clock.now();
        let (mut records, mut after) = (0, None);
        loop {
            let set = Closed { bound: &bound, after: after.as_ref(), limit: PAGE };
            let page = self.browser.closed(&new.account, &look, &set, PATIENCE).await?;
            let ended = page.len() < PAGE as usize;
            records += page.len() as u64;
            let mut at = Timestamp::MIN;
            for (place, record) in page {
                writer.write(&record.borrow(), file.buffer());
                at = record.occurred_at;
                after = Some(place);
            }
            file.write_some().await?;
            done.records.store(records, Ordering::Relaxed);
            done.percent.store(percent(wish.span, ends, at), Ordering::Relaxed);
            point!("download.page", Trouble::MayPass);
            if ended {
                break;
            }
        }
        writer.end(file.buffer());
        let made = file.finish(name).await?;
        point!("download.renamed", Trouble::MayPass);
        if self.ledger.complete_download(making, records, &made, self.keep).await? {
            tracing::info!(download = new.id, records, bytes = made.bytes, "a download is there");
            Ok(())
        } else {
            Err(Trouble::NotOurs)
        }
    }
}

/// The name of an attempt's file. Two attempts never write to the same one.
fn file_name(making: &Making) -> String {
    let new = &making.download.new;
    format!("{}/{}-{}.{}", new.account.encoded(), new.id, making.tries, new.wish.format.as_str())
}

impl Trouble {
    fn tell(&self, what: &str) {
        if let Self::MayPass(problem) = self {
            tracing::warn!(problem, "{what}");
        }
    }
}
