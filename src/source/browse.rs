//! Records by the time at which they occurred, for people who look at them. It has connections of its own, so that no
//! page waits for an export or makes one wait.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Result, SourceError, postgres, sqlite, table};
use crate::base::database::{Connect, Kind};
use crate::settings::TableSettings;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, Cursor};
use auditferry_core::model::record::Record;
use auditferry_core::model::record_query::{Place, RecordFilter, TimeSpan, Turn, Wanted};

/// How much longer than the server we wait before its silence counts as its absence.
const GRACE: Duration = Duration::from_secs(5);

/// How long a page may take where nobody says otherwise.
pub const PAGE_PATIENCE: Duration = Duration::from_secs(8);

/// How long counting may take at most: a page is shown without a count, too.
pub(super) const COUNTING: Duration = Duration::from_secs(2);

/// Which records of an account are read.
#[derive(Debug, Clone)]
pub struct Look<'a> {
    /// When they occurred.
    pub span: TimeSpan,
    /// What they are.
    pub filter: &'a RecordFilter,
}

/// A page of records, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordPage {
    /// The records, each with its place.
    pub records: Vec<(Place, Record)>,
    /// Whether there are older ones.
    pub older: bool,
    /// Whether there are newer ones.
    pub newer: bool,
}

/// One record, with what tells which window it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The record.
    pub record: Record,
    /// Its cursor, as [`super::Source::read`] gives it.
    pub cursor: Cursor,
    /// A cursor shortly before it.
    pub before: Cursor,
}

/// Reads an account's records by time. Each method takes the account, and no place leads to another one's.
#[async_trait]
pub trait Browser: Send + Sync {
    /// A page of `size` records.
    ///
    /// # Errors
    /// [`SourceError::TooSlow`] when it takes longer than a page may, [`SourceError::NoPlace`] when the place is none of
    /// this source.
    async fn page(&self, account: &AccountId, look: &Look<'_>, turn: &Turn, size: u32) -> Result<RecordPage>;
    /// The record at a place.
    async fn record(&self, account: &AccountId, place: &Place) -> Result<Option<Found>>;
    /// How many there are, at most `most`.
    async fn count(&self, account: &AccountId, look: &Look<'_>, most: u32) -> Result<u64>;
    /// The next records of those that had been committed at a bound, in the order of time: the same whenever it is
    /// asked. Fewer than `limit` mean that there are no more. `patience`: how long it may take.
    async fn closed(
        &self,
        account: &AccountId,
        look: &Look<'_>,
        set: &Closed<'_>,
        patience: Duration,
    ) -> Result<Vec<(Place, Record)>>;
    /// The order of two cursors of an account, as its objects have it.
    fn compare(&self, one: &Cursor, other: &Cursor) -> Option<std::cmp::Ordering>;
    /// Whether records can be written here at all.
    fn is_ours(&self) -> bool;
}

/// Which part of a closed set is read.
#[derive(Debug, Clone, Copy)]
pub struct Closed<'a> {
    /// What had been committed at this bound.
    pub bound: &'a Bound,
    /// Only those after this one.
    pub after: Option<&'a Place>,
    /// At most so many.
    pub limit: u32,
}

/// Opens what reads our own table by time. `patience`: how long a page may take.
///
/// # Errors
/// When the URL is of no known kind or the database cannot be opened.
pub async fn open_browser(
    url: &str,
    connect: impl Into<Connect>,
    patience: Duration,
) -> Result<Arc<dyn Browser>> {
    match Kind::of(url).map_err(SourceError::Url)? {
        Kind::Postgres => Ok(Arc::new(postgres::PostgresBrowser::open(url, connect.into(), patience)?)),
        Kind::Sqlite => Ok(Arc::new(sqlite::SqliteBrowser::open(url, patience).await?)),
    }
}

/// Opens what reads a vendor's own table by time.
///
/// # Errors
/// When the URL is none.
pub fn open_table_browser(
    url: &str,
    connect: impl Into<Connect>,
    table: TableSettings,
    patience: Duration,
) -> Result<Arc<dyn Browser>> {
    Ok(Arc::new(table::TableBrowser::open(url, connect.into(), table, patience)?))
}

/// An answer that may take only so long: what the server breaks off, and what nobody hears.
///
/// # Errors
/// [`SourceError::TooSlow`] when it took longer.
pub(super) async fn within<T>(patience: Duration, answer: impl Future<Output = Result<T>>) -> Result<T> {
    match tokio::time::timeout(patience + GRACE, answer).await {
        Ok(Err(SourceError::Database(error))) if is_cancelled(&error) => Err(SourceError::TooSlow(patience)),
        Ok(answer) => answer,
        Err(_) => Err(SourceError::TooSlow(patience)),
    }
}

/// Whether PostgreSQL has broken a statement off.
fn is_cancelled(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).as_deref() == Some("57014")
}

/// Takes the page out of what was read in the direction of its turn, one record more than fits.
pub(super) fn cut(mut records: Vec<(Place, Record)>, turn: &Turn, size: u32) -> RecordPage {
    let more = records.len() > size as usize;
    records.truncate(size as usize);
    if matches!(turn, Turn::Newer(_)) {
        records.reverse();
    }
    let (older, newer) = match turn {
        Turn::First => (more, false),
        Turn::Older(_) => (more, true),
        Turn::Newer(_) => (true, more),
    };
    RecordPage { records, older, newer }
}

/// A place of PostgreSQL: microseconds, and the key.
pub(super) fn place(micros: i64, key: impl std::fmt::Display) -> Place {
    Place(format!("{micros}_{key}"))
}

/// What a filter is compared with on PostgreSQL, one pattern of `ILIKE` for each of user, action, action id, IP address
/// and text.
pub(super) fn patterns(filter: &RecordFilter) -> [Option<String>; 5] {
    let wanted = |wanted: &Option<Wanted>| {
        wanted.as_ref().map(|wanted| match wanted {
            Wanted::Exact(text) => literal(text),
            Wanted::Prefix(text) => format!("{}%", literal(text)),
        })
    };
    let exact = |text: &Option<String>| text.as_deref().map(literal);
    [
        wanted(&filter.user),
        exact(&filter.action),
        exact(&filter.action_id),
        wanted(&filter.ip),
        filter.text.as_deref().map(|text| format!("%{}%", literal(text))),
    ]
}

/// A text in which nothing is a wildcard.
fn literal(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for sign in text.chars() {
        if matches!(sign, '\\' | '%' | '_') {
            pattern.push('\\');
        }
        pattern.push(sign);
    }
    pattern
}

/// The condition of a filter, whose five patterns are the parameters from `first` on. `texts`: email, action, action id,
/// description, IP address.
///
/// A pattern of ASCII alone is compared in the collation `C`, which takes a third of the time: the case of other letters makes no
/// difference to it. Others are compared as the database does, whatever the column's collation is: `ILIKE` knows none for which texts
/// that differ are equal.
pub(super) fn condition(texts: [&str; 5], filter: &RecordFilter, first: u32) -> String {
    let [email, action, action_id, description, ip_address] = texts;
    let fields = [
        vec![email],
        vec![action],
        vec![action_id],
        vec![ip_address],
        vec![description, email, action, action_id],
    ];
    let mut all = Vec::new();
    for ((columns, pattern), number) in fields.into_iter().zip(patterns(filter)).zip(first..) {
        let Some(pattern) = pattern else { continue };
        let collation = if pattern.is_ascii() { "C" } else { "default" };
        let any: Vec<String> = columns
            .into_iter()
            .map(|column| format!("{column} COLLATE \"{collation}\" ILIKE ${number}"))
            .collect();
        all.push(format!("({})", any.join(" OR ")));
    }
    if all.is_empty() { "true".to_owned() } else { all.join(" AND ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_a_wildcard() {
        let filter = RecordFilter {
            user: Some(Wanted::Prefix("a_b".into())),
            text: Some(r"100%\".into()),
            ..Default::default()
        };
        let [user, action, _, _, text] = patterns(&filter);
        assert_eq!(user.as_deref(), Some(r"a\_b%"));
        assert_eq!((action, text.as_deref()), (None, Some(r"%100\%\\%")));
    }
}
