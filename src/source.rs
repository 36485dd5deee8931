//! A source: where records are read. Our own `audit_log` table, on SQLite or
//! Postgres, or a vendor's own table on Postgres.

use std::sync::Arc;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::base::database::{Connect, Kind, SchemaState};
use crate::settings::TableSettings;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Cursor, Mark, RecordSet, Watermark};
use auditferry_core::model::record::{Record, RecordRef};

mod adoption;
mod browse;
pub mod copy;
mod counts;
mod encoding;
mod error;
pub mod file;
mod functions;
mod holder;
mod patience;
mod postgres;
pub(crate) mod reader;
mod sqlite;
mod table;

pub use adoption::{Adopted, Delivered, Move, Standing, Unproved};
pub use browse::{Browser, Closed, Found, Look, PAGE_PATIENCE, RecordPage, open_browser, open_table_browser};
pub use counts::{Kept, WAITING_LIMIT, Waiting};
pub use error::{Result, SourceError};
pub use holder::Holder;

/// What a taker says to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It has it; go on.
    Yes,
    /// It has it; before the next one it must [`Taker::pause`].
    Pause,
    /// It does not have it, and wants no more.
    No,
}

/// Takes records as they are read, so that none of them is kept on the way.
#[async_trait]
pub trait Taker: Send {
    /// Takes a record, or does not.
    fn take(&mut self, record: &RecordRef<'_>) -> Taken;
    /// Makes room. It never waits for a store, so a source may keep its transaction meanwhile.
    async fn pause(&mut self);
}

/// How far a reading came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Progress {
    /// The last record that was taken; none when none was.
    pub cursor: Option<Cursor>,
    /// Whether the set holds no record after it.
    pub exhausted: bool,
}

/// A whole set ([`RecordSet::is_whole`]) whose first records are wanted.
pub struct Beginning<'a> {
    /// The account whose records are read.
    pub account: &'a AccountId,
    /// Its set.
    pub set: &'a RecordSet,
    /// At most so many of them.
    pub limit: u32,
    /// Who takes them.
    pub taker: &'a mut dyn Taker,
    /// How far it came, or what is wrong with this set alone.
    pub progress: Result<Progress>,
}

impl<'a> Beginning<'a> {
    /// Nothing is handed over yet.
    pub fn new(account: &'a AccountId, set: &'a RecordSet, limit: u32, taker: &'a mut dyn Taker) -> Self {
        let progress = Ok(Progress { cursor: None, exhausted: false });
        Self { account, set, limit, taker, progress }
    }
}

/// Reads the first records of several sets at once, for less than one after the other.
#[async_trait]
pub trait Together: Send + Sync {
    /// How many sets it reads at once.
    fn most(&self) -> usize;
    /// [`Source::hand_over`] for the first records of each set, marks included.
    ///
    /// # Errors
    /// When the reading failed as a whole. What takers have got counts for nothing then.
    async fn hand_over_first(&self, beginnings: &mut [Beginning<'_>]) -> Result<()>;
}

/// Most records of one page, where a source is read by pages: bounds the memory for it.
const PAGE: u32 = 1_000;

/// Where records are read.
#[async_trait]
pub trait Source: Send + Sync {
    /// Brings our own table up to date; safe with several starting at once.
    async fn migrate(&self) -> Result<()>;
    /// Whether the source answers and has its table.
    async fn check(&self) -> Result<()>;
    /// What a person should know of a source that works.
    async fn advice(&self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }
    /// The oldest open transaction, where records that committed after its beginning wait for its end.
    async fn holder(&self) -> Result<Option<Holder>> {
        Ok(None)
    }
    /// The bound below everything.
    fn beginning(&self) -> Bound;
    /// What has finished committing now, once that is on disk. One statement, before
    /// any row is read; then the mark is left, with which the bound is recognised later.
    async fn capture(&self, mark: &Mark) -> Result<Bound>;
    /// Whether marks can be left here at all.
    fn keeps_marks(&self) -> bool;
    /// Leaves a mark without capturing anything. On a standby, where nothing can be written, it
    /// leaves none.
    async fn leave_mark(&self, mark: &Mark) -> Result<()>;
    /// Whether a bound says the same of every account, so that what was found of it for one
    /// holds for all.
    fn shares_bounds(&self) -> bool {
        false
    }
    /// A captured bound as an account keeps it, with what its records are recognised by.
    /// `after`: where the account stands; that everything up to there is still here, as it
    /// was, is checked first.
    ///
    /// # Errors
    /// [`SourceError::Rewound`] or [`SourceError::Rewritten`] when it is not.
    async fn pin(&self, account: &AccountId, after: Option<&Watermark>, hi: &Bound) -> Result<Bound> {
        if let Some(watermark) = after {
            for bound in watermark.bounds() {
                self.recognise(account, bound).await?;
            }
            self.check_order(&watermark.bound, hi)?;
        }
        Ok(hi.clone())
    }
    /// The number of the newest mark that a ledger has left here; 0 when it has left none.
    async fn newest_mark(&self, ledger: &str) -> Result<u64>;
    /// When another ledger than this one left its newest mark here; none when none has.
    async fn newest_mark_of_others(&self, _ledger: &str) -> Result<Option<Timestamp>> {
        Ok(None)
    }
    /// That everything of an account up to a bound is still here, as it was when it was captured.
    ///
    /// # Errors
    /// [`SourceError::Rewound`] or [`SourceError::Rewritten`] when it is not.
    async fn recognise(&self, account: &AccountId, bound: &Bound) -> Result<()>;
    /// [`Source::recognise`] for the bounds of a set, before it is read: a source that has gone
    /// back since the set was planned would give another one. Nothing, where
    /// [`Source::hand_over`] looks itself.
    ///
    /// # Errors
    /// As [`Source::recognise`].
    async fn recognise_set(&self, account: &AccountId, set: &RecordSet) -> Result<()> {
        for bound in set.bounds() {
            self.recognise(account, bound).await?;
        }
        Ok(())
    }
    /// That `hi`, captured just now, is not behind `lo`.
    ///
    /// # Errors
    /// [`SourceError::Rewound`] when it is.
    fn check_order(&self, lo: &Bound, hi: &Bound) -> Result<()>;
    /// Which rows of an account must still be there, and which are; none where nobody may delete any.
    async fn kept(&self, _account: &AccountId, _watermark: &Watermark) -> Result<Option<Kept>> {
        Ok(None)
    }
    /// A bound as it counts once a person has accepted that rows up to it were changed:
    /// what changed comes again.
    ///
    /// # Errors
    /// When the bound is not of this source.
    fn forgive(&self, bound: &Bound) -> Result<Bound> {
        Ok(bound.clone())
    }
    /// Lets a source go on that was moved to another database server, once it is proved that nothing was
    /// lost: what accounts stand at is recognised again then. Nothing changes where it was not moved.
    /// `accept`: also when it cannot be proved of some accounts, which are not recognised then.
    ///
    /// # Errors
    /// [`SourceError::Unproved`] when it cannot be proved; nothing was changed.
    async fn adopt(&self, _standings: &[Standing], _accept: bool) -> Result<Adopted> {
        Ok(Adopted { moved: Move::None, stamped: 0, unproved: Vec::new() })
    }
    /// Whether there are records that no transaction of this server can have written.
    async fn has_ids_to_come(&self) -> Result<bool> {
        Ok(false)
    }
    /// Removes a ledger's marks from before an instant, which nobody asks for any more, but none that is younger
    /// than `kept` by the source's own clock.
    async fn forget_marks(&self, ledger: &str, before: Timestamp, kept: SignedDuration) -> Result<()>;
    /// The next records of a closed set, at most `limit`, in an order that never changes: of
    /// our own table in commit order, of a vendor's in the order of time. Fewer than `limit`
    /// means that there are no more.
    async fn read(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Vec<(Cursor, Record)>>;
    /// Hands the next records of a closed set to `taker`, in commit order, at most `limit`
    /// of them. It may stop earlier, and goes on at the cursor when it is asked again. A
    /// source that can send records as they come does so here; the others send a page.
    async fn hand_over(
        &self,
        account: &AccountId,
        set: &RecordSet,
        after: Option<&Cursor>,
        limit: u32,
        taker: &mut dyn Taker,
    ) -> Result<Progress> {
        let limit = limit.min(PAGE);
        let page = self.read(account, set, after, limit).await?;
        let ended = page.len() < limit as usize;
        let mut cursor = None;
        for (place, record) in page {
            match taker.take(&record.borrow().keyed(place.key())) {
                Taken::No => return Ok(Progress { cursor, exhausted: false }),
                Taken::Pause => taker.pause().await,
                Taken::Yes => {}
            }
            cursor = Some(place);
        }
        Ok(Progress { cursor, exhausted: ended })
    }
    /// What reads several sets at once, where that pays.
    fn together(&self) -> Option<&dyn Together> {
        None
    }
    /// Counts what waits for delivery.
    async fn waiting(&self, account: &AccountId, watermark: &Watermark) -> Result<Waiting>;
    /// Adds a record that tells of a change of a ledger, unless that one is here already.
    async fn publish_change(
        &self,
        ledger: &str,
        number: u64,
        account: &AccountId,
        record: &Record,
    ) -> Result<()> {
        let mut import = self.import(account).await?;
        if import.note_change(ledger, number).await? {
            import.append(std::slice::from_ref(record)).await?;
        }
        import.commit().await
    }
    /// Begins to add records, all or nothing.
    async fn import(&self, account: &AccountId) -> Result<Box<dyn Import>>;
}

/// Notes a change of the ledger `$1`, number `$2`, once.
const NOTE_CHANGE: &str =
    "INSERT INTO auditferry_self_record (ledger, number) VALUES ($1, $2) ON CONFLICT DO NOTHING";

/// Records on their way in. Dropped without [`Import::commit`], none of them is there.
#[async_trait]
pub trait Import: Send {
    /// Adds some.
    async fn append(&mut self, records: &[Record]) -> Result<()>;
    /// Notes that a change of a ledger becomes one of them; false when it was noted before.
    /// Another worker that notes the same one is waited for.
    async fn note_change(&mut self, ledger: &str, number: u64) -> Result<bool>;
    /// Makes them all visible at once.
    async fn commit(self: Box<Self>) -> Result<()>;
}

/// Opens the source at a URL, `sqlite:PATH` or `postgres://…`.
///
/// # Errors
/// When the URL is of no known kind or the database cannot be opened.
pub async fn open(url: &str, connect: impl Into<Connect>) -> Result<Arc<dyn Source>> {
    match Kind::of(url).map_err(SourceError::Url)? {
        Kind::Postgres => Ok(Arc::new(postgres::PostgresSource::open(url, connect.into())?)),
        Kind::Sqlite => Ok(Arc::new(sqlite::SqliteSource::open(url).await?)),
    }
}

/// Opens a vendor's own table at the URL of its Postgres.
///
/// # Errors
/// When the URL is none.
pub fn open_table(url: &str, connect: impl Into<Connect>, table: TableSettings) -> Result<Arc<dyn Source>> {
    Ok(Arc::new(table::TableSource::open(url, connect.into(), table)?))
}

/// A bound's text with the mark behind it: `BOUND#MARK`.
fn with_mark(bound: &str, mark: &str) -> Bound {
    Bound(format!("{bound}#{mark}"))
}

/// A bound's own text, and its mark. The beginning has none.
fn without_mark(bound: &Bound) -> (&str, Option<&str>) {
    match bound.0.split_once('#') {
        Some((text, mark)) => (text, Some(mark)),
        None => (&bound.0, None),
    }
}

/// What a missing mark tells.
fn mark_is_gone(mark: &str) -> SourceError {
    SourceError::Rewound(format!(
        "the mark {mark}, which was left in it when records were exported, is not there. It was restored \
         from an older backup, replaced by an older copy, or failed over to a standby that had not \
         received the last commits"
    ))
}

/// The set of everything that is not delivered, up to a bound.
fn undelivered(watermark: &Watermark, hi: Bound) -> RecordSet {
    RecordSet {
        since: watermark.since,
        ahead: watermark.ahead.clone(),
        ..RecordSet::between(watermark.bound.clone(), hi)
    }
}

/// What a run of the migrations says about our own table.
fn migrated(result: std::result::Result<(), sqlx::migrate::MigrateError>) -> Result<()> {
    match result {
        Err(sqlx::migrate::MigrateError::VersionMissing(version)) => {
            schema_result(SchemaState::Newer(version))
        }
        other => Ok(other?),
    }
}

fn schema_result(state: SchemaState) -> Result<()> {
    match state {
        SchemaState::Current => Ok(()),
        SchemaState::Outdated => Err(SourceError::Schema("not current; run `auditferry migrate`")),
        SchemaState::Newer(_) => {
            Err(SourceError::Schema("newer than this binary; run the version that wrote it"))
        }
    }
}
