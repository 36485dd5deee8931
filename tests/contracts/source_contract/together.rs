//! The first records of several sets in one reading.

use async_trait::async_trait;
use auditferry::source::{Beginning, Progress, SourceError, Taken, Taker};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::{Bound, RecordSet};
use auditferry_core::model::record::{Record, RecordRef};
use sqlx::Connection as _;

use crate::source_contract::bed::{Bed, at, between, id, record};

/// More than any test has.
const MANY: u32 = 100;

/// Takes the first records of a set.
pub(crate) struct Taking {
    account: AccountId,
    set: RecordSet,
    /// How many it takes.
    most: usize,
    pub(crate) taken: Vec<Record>,
    paused: usize,
}

impl Taking {
    pub(crate) fn of(account: &str, set: &RecordSet) -> Self {
        Self { account: id(account), set: set.clone(), most: usize::MAX, taken: Vec::new(), paused: 0 }
    }

    fn names(&self) -> Vec<&str> {
        self.taken.iter().map(|record| record.email.as_str()).collect()
    }
}

#[async_trait]
impl Taker for Taking {
    fn take(&mut self, record: &RecordRef<'_>) -> Taken {
        assert_eq!(self.paused, self.taken.len() / 2, "it pauses before the next record");
        if self.taken.len() == self.most {
            return Taken::No;
        }
        self.taken.push(record.to_owned());
        if self.taken.len().is_multiple_of(2) { Taken::Pause } else { Taken::Yes }
    }

    async fn pause(&mut self) {
        self.paused += 1;
    }
}

/// Reads the first records of all of them, and tells how far each came.
pub(crate) async fn begin(
    bed: &Bed,
    limit: u32,
    taking: &mut [Taking],
) -> Result<Vec<Result<Progress, SourceError>>, SourceError> {
    let sets: Vec<_> = taking.iter().map(|one| (one.account.clone(), one.set.clone())).collect();
    let each = sets.iter().zip(taking);
    let mut beginnings: Vec<_> =
        each.map(|((account, set), taker)| Beginning::new(account, set, limit, taker)).collect();
    bed.source.together().expect("reads together").hand_over_first(&mut beginnings).await?;
    Ok(beginnings.into_iter().map(|beginning| beginning.progress).collect())
}

/// What is left of a set behind that.
async fn rest(bed: &Bed, taking: &mut Taking, progress: &Progress) -> Progress {
    let (account, set) = (taking.account.clone(), taking.set.clone());
    let (after, before) = (progress.cursor.as_ref(), taking.taken.len());
    taking.most = usize::MAX;
    let progress = bed.source.hand_over(&account, &set, after, MANY, taking).await.expect("goes on");
    assert_eq!(progress.cursor.is_some(), taking.taken.len() > before);
    progress
}

async fn insert(bed: &Bed, account: &str, times: &[&str]) {
    let mut application = bed.application().await;
    for time in times {
        let record = Record { occurred_at: at(time), ..record(time) };
        application.insert(account, &record).await.expect("inserted");
    }
}

/// Three accounts, each with some records up to the bound that is returned.
async fn three(bed: &Bed) -> Bound {
    insert(bed, "acme", &["01:00", "02:00", "03:00"]).await;
    insert(bed, "brook", &["04:00"]).await;
    insert(bed, "cove", &["05:00", "06:00", "07:00", "08:00"]).await;
    bed.capture().await
}

pub(crate) async fn each_set_gets_its_own_records(bed: Bed) {
    let lo = bed.source.beginning();
    let first = three(&bed).await;
    insert(&bed, "acme", &["09:00"]).await;
    let hi = bed.capture().await;
    let mut taking = [
        Taking::of("acme", &between(&lo, &first)),
        Taking::of("cove", &between(&lo, &hi)),
        Taking::of("nobody", &between(&lo, &hi)),
        Taking::of("acme", &between(&first, &hi)),
        Taking::of("brook", &between(&first, &hi)),
    ];
    for progress in begin(&bed, MANY, &mut taking).await.expect("read") {
        assert!(progress.expect("read").exhausted);
    }
    let names: Vec<_> = taking.iter().map(Taking::names).collect();
    let expected: [&[&str]; 5] =
        [&["01:00", "02:00", "03:00"], &["05:00", "06:00", "07:00", "08:00"], &[], &["09:00"], &[]];
    assert_eq!(names, expected);
}

pub(crate) async fn who_has_enough_goes_on_behind_it(bed: Bed) {
    let all = between(&bed.source.beginning(), &three(&bed).await);
    let mut taking = [Taking::of("cove", &all), Taking::of("acme", &all), Taking::of("brook", &all)];
    taking[0].most = 1;
    let told = begin(&bed, MANY, &mut taking).await.expect("read");
    let ended: Vec<_> = told.iter().map(|told| told.as_ref().expect("read").exhausted).collect();
    assert_eq!(ended, [false, true, true]);
    assert_eq!(taking[0].names(), ["05:00"]);
    assert!(rest(&bed, &mut taking[0], told[0].as_ref().expect("read")).await.exhausted);
    assert_eq!(taking[0].names(), ["05:00", "06:00", "07:00", "08:00"]);
    assert_eq!((taking[1].taken.len(), taking[2].taken.len()), (3, 1));
}

pub(crate) async fn no_more_than_the_limit_comes_of_each(bed: Bed) {
    let all = between(&bed.source.beginning(), &three(&bed).await);
    let mut taking = [Taking::of("acme", &all), Taking::of("brook", &all), Taking::of("cove", &all)];
    let told = begin(&bed, 3, &mut taking).await.expect("read");
    let ended: Vec<_> = told.iter().map(|told| told.as_ref().expect("read").exhausted).collect();
    assert_eq!(ended, [false, true, false], "as many as the limit may not be all");
    for (taking, told) in taking.iter_mut().zip(told) {
        assert!(taking.taken.len() <= 3);
        rest(&bed, taking, &told.expect("read")).await;
    }
    assert_eq!(taking.map(|taking| taking.taken.len()), [3, 1, 4]);
}

/// A bound whose mark nobody has left.
fn gone(bound: &Bound) -> Bound {
    let (text, mark) = bound.0.split_once('#').expect("a mark");
    Bound(format!("{text}#nobody/7{}", mark.find('@').map_or("", |at| &mark[at..])))
}

pub(crate) async fn a_set_whose_mark_is_gone_leaves_the_others_alone(bed: Bed) {
    let (lo, hi) = (bed.source.beginning(), three(&bed).await);
    let all = between(&lo, &hi);
    let mut taking =
        [Taking::of("acme", &all), Taking::of("cove", &between(&lo, &gone(&hi))), Taking::of("brook", &all)];
    let told = begin(&bed, MANY, &mut taking).await.expect("read");
    assert!(matches!(&told[1], Err(SourceError::Rewound(why)) if why.contains("nobody/7")), "{:?}", told[1]);
    assert!(told[0].is_ok() && told[2].is_ok());
    assert_eq!(taking.map(|taking| taking.taken.len()), [3, 0, 1]);
}

/// Records that nobody takes are not sent without end.
pub(crate) async fn what_nobody_wants_is_not_read_on(bed: Bed) {
    let sql = "INSERT INTO audit_log (account_id, email, action) \
        SELECT 'acme', 'ana', 'login' FROM generate_series(1, 1000)";
    bed.application().await.execute(sql).await.expect("inserted");
    let all = between(&bed.source.beginning(), &bed.capture().await);
    let mut taking = [Taking::of("acme", &all), Taking::of("brook", &all)];
    taking[0].most = 1;
    let error = begin(&bed, 1_000, &mut taking).await.expect_err("too much");
    assert!(error.to_string().contains("too much"), "{error}");
    assert!(begin(&bed, 200, &mut taking).await.is_ok());
}

pub(crate) async fn a_record_that_is_none_leaves_the_others_alone(bed: Bed) {
    let sql = "ALTER TABLE audit_log DROP CONSTRAINT audit_log_occurred_at_check; \
        INSERT INTO audit_log (account_id, occurred_at, email, action) \
        VALUES ('brook', 'infinity', 'ana', 'login')";
    bed.application().await.execute(sql).await.expect("inserted");
    let all = between(&bed.source.beginning(), &three(&bed).await);
    let mut taking = [Taking::of("acme", &all), Taking::of("brook", &all), Taking::of("cove", &all)];
    let told = begin(&bed, MANY, &mut taking).await.expect("read");
    assert!(matches!(&told[1], Err(SourceError::BadRecord { .. })), "{:?}", told[1]);
    assert!(told[0].is_ok() && told[2].is_ok());
    assert_eq!(taking.map(|taking| taking.taken.len()), [3, 0, 4]);
}

pub(crate) async fn a_set_that_cannot_be_read_is_everybodys_failure(bed: Bed) {
    let (lo, hi) = (bed.source.beginning(), three(&bed).await);
    let bad = between(&lo, &Bound("5:3:".to_owned()));
    let mut taking = [Taking::of("acme", &between(&lo, &hi)), Taking::of("cove", &bad)];
    begin(&bed, MANY, &mut taking).await.expect_err("no snapshot");
    let [.., bad] = &mut taking;
    let told = begin(&bed, MANY, std::slice::from_mut(bad)).await.expect("nobody else's");
    assert!(matches!(told[..], [Err(SourceError::Database(_))]), "{told:?}");
}

/// Ends the server's process before it takes a record.
struct Ending(sqlx::PgConnection, bool);

#[async_trait]
impl Taker for Ending {
    fn take(&mut self, _: &RecordRef<'_>) -> Taken {
        Taken::Pause
    }

    async fn pause(&mut self) {
        if !std::mem::replace(&mut self.1, true) {
            let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                WHERE datname = current_database() AND query LIKE 'COPY%'";
            sqlx::raw_sql(sql).execute(&mut self.0).await.expect("ended");
        }
    }
}

pub(crate) async fn a_server_that_ends_in_the_middle_is_everybodys_failure(bed: Bed) {
    // More than fits between the two.
    let sql = "INSERT INTO audit_log (account_id, email, action, description) \
        SELECT 'acme', 'ana', 'login', repeat('x', 100000) FROM generate_series(1, 200)";
    bed.application().await.execute(sql).await.expect("inserted");
    let all = between(&bed.source.beginning(), &bed.capture().await);
    let mut ending = Ending(sqlx::PgConnection::connect(&bed.url).await.expect("connected"), false);
    let (acme, brook) = (id("acme"), id("brook"));
    let mut other = Taking::of("brook", &all);
    let mut beginnings =
        [Beginning::new(&acme, &all, 1_000, &mut ending), Beginning::new(&brook, &all, 1_000, &mut other)];
    let read = bed.source.together().expect("reads together").hand_over_first(&mut beginnings).await;
    read.expect_err("the server has ended");
}
