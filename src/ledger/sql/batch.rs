//! The statements of `steps.rs`: one for all rows of a kind, however many there are.

use std::collections::{HashMap, HashSet};

use sqlx::AssertSqlSafe;
use sqlx::Row as _;
use sqlx::types::Json;

use super::super::super::record_set;
use super::steps::{Ending, Journal, Seal};
use super::windows::{WINDOW_COLUMNS, window};
use super::{
    Account, Attempt, Connection, Db, Destination, IS_IN_1, LedgerError, NewWindow, Result, Row, SealOutcome,
    Sql, SqlTime, int, small,
};
use auditferry_core::model::bound::RecordSet;
use auditferry_core::model::window::Window;
use auditferry_core::protocol::{self, Resealed};
use auditferry_core::refusal::{Refusal, RefusalCode};

/// The values of a condition `(column, …) IN (VALUES …)`, for each item.
fn among<T>(
    sql: &mut Sql,
    items: impl IntoIterator<Item = T>,
    push: impl FnMut(sqlx::query_builder::Separated<'_, Db, &'static str>, T),
) {
    sql.push("(");
    sql.push_values(items, push);
    sql.push(")");
}

async fn fetch(connection: &mut Connection, mut sql: Sql) -> Result<Vec<Row>> {
    Ok(sql.build().persistent(false).fetch_all(connection).await?)
}

async fn execute(connection: &mut Connection, mut sql: Sql) -> Result<()> {
    sql.build().persistent(false).execute(connection).await?;
    Ok(())
}

fn missing() -> LedgerError {
    LedgerError::Stored("a row is not there that an account refers to".to_owned())
}

/// A window that is planned, and its account as it is then.
pub(super) struct Planned {
    pub(super) account: Account,
    number: u64,
    version: u64,
    set: RecordSet,
    prefix: String,
    new: NewWindow,
}

impl Planned {
    /// What the rules make of a new window.
    pub(super) fn of(account: &Account, new: &NewWindow) -> Result<Self> {
        let Some(number) = protocol::next_window(account.open_window, account.windows) else {
            let problem = "a window is in delivery already";
            return Err(Refusal::account(&account.id, RefusalCode::WindowInDelivery, problem).into());
        };
        let Some(version) = account.destination_version else {
            return Err(
                Refusal::account(&account.id, RefusalCode::NoDestination, "it has no destination").into()
            );
        };
        let set = record_set(&account.watermark, new);
        let mut account = account.clone();
        account.windows = number;
        account.open_window = Some(number);
        account.last_slot = new.slot;
        account.next_slot = new.next_slot;
        account.served_at = new.begins;
        account.clear_trouble();
        Ok(Self { account, number, version, set, prefix: String::new(), new: new.clone() })
    }
}

/// Stores windows; returns the accounts that have one of that slot already.
pub(super) async fn plan(connection: &mut Connection, planned: &mut [Planned]) -> Result<HashSet<String>> {
    if planned.is_empty() {
        return Ok(HashSet::new());
    }
    let mut sql = Sql::new("SELECT account, spec FROM destination WHERE (account, version) IN ");
    among(&mut sql, planned.iter(), |mut row, planned| {
        row.push_bind(planned.account.id.as_str()).push_bind(int(planned.version));
    });
    let mut destinations = HashMap::new();
    for row in fetch(connection, sql).await? {
        let spec: Json<Destination> = row.try_get("spec")?;
        destinations.insert(row.try_get::<String, _>("account")?, spec.0);
    }
    for planned in planned.iter_mut() {
        let destination = destinations.get(planned.account.id.as_str()).ok_or_else(missing)?;
        planned.account.endpoint = destination.endpoint();
        planned.prefix = destination.key_prefix(planned.account.format.path);
    }
    let mut sql = Sql::new("SELECT account FROM export_window WHERE (account, slot) IN ");
    among(&mut sql, planned.iter(), |mut row, planned| {
        row.push_bind(planned.account.id.as_str()).push_bind(SqlTime(planned.new.slot));
    });
    let taken = fetch(connection, sql).await?;
    let taken = taken.iter().map(|row| row.try_get("account")).collect::<sqlx::Result<HashSet<String>>>()?;
    let new: Vec<_> = planned.iter().filter(|planned| !taken.contains(planned.account.id.as_str())).collect();
    if new.is_empty() {
        return Ok(taken);
    }
    let mut sql = Sql::new(
        "INSERT INTO export_window (account, number, slot, state, record_set, from_at, to_at, zone, format, \
         prefix, destination_version, content_version, generation) ",
    );
    sql.push_values(new, |mut row, planned| {
        row.push_bind(planned.account.id.as_str())
            .push_bind(int(planned.number))
            .push_bind(SqlTime(planned.new.slot))
            .push_bind("open")
            .push_bind(Json(&planned.set))
            .push_bind(SqlTime(planned.account.watermark.at))
            .push_bind(SqlTime(planned.new.to))
            .push_bind(planned.account.zone.as_str())
            .push_bind(Json(&planned.account.format))
            .push_bind(planned.prefix.as_str())
            .push_bind(int(planned.version))
            .push_bind(i64::from(planned.account.format.content_version()))
            .push_bind(i64::from(planned.account.generation));
    });
    execute(connection, sql).await?;
    Ok(taken)
}

/// Stores objects, where that is allowed. The object before must be delivered: a worker that goes on
/// after its ledger went back may be ahead of it.
pub(super) async fn seal(connection: &mut Connection, steps: &[&Seal]) -> Result<Vec<Result<SealOutcome>>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    // The content must come out the same; the zip around it may not, when another
    // version of the compressor made it.
    let mut sql = Sql::new(
        "SELECT account, ordinal, state, attempts, content_sha256 FROM delivery \
         WHERE (account, number, ordinal) IN ",
    );
    let asked = steps.iter().flat_map(|step| {
        let first = if step.facts.ordinal > 1 { step.facts.ordinal - 1 } else { 1 };
        (first..=step.facts.ordinal).map(move |ordinal| (step, ordinal))
    });
    among(&mut sql, asked, |mut row, (step, ordinal)| {
        row.push_bind(step.lease.account.as_str()).push_bind(int(step.window)).push_bind(i64::from(ordinal));
    });
    let mut known = HashMap::new();
    for row in fetch(connection, sql).await? {
        known.insert((row.try_get::<String, _>("account")?, small(row.try_get("ordinal")?)), row);
    }
    let is_delivered = |row: &Row| Ok::<_, sqlx::Error>(row.try_get::<String, _>("state")? == "delivered");
    let (mut outcomes, mut stored) = (Vec::new(), Vec::new());
    for step in steps {
        let row = |ordinal| known.get(&(step.lease.account.to_string(), ordinal));
        let ordinal = step.facts.ordinal;
        if ordinal > 1 && !row(ordinal - 1).map(is_delivered).transpose()?.unwrap_or(false) {
            outcomes.push(Err(LedgerError::Changed(step.lease.account.clone())));
            continue;
        }
        let before = row(ordinal).map(|row| {
            Ok::<_, sqlx::Error>(Resealed {
                delivered: is_delivered(row)?,
                attempts: small(row.try_get("attempts")?),
                same_content: row.try_get::<String, _>("content_sha256")? == step.facts.content_sha256,
            })
        });
        if protocol::may_seal(before.transpose()?) {
            outcomes.push(Ok(SealOutcome::Stored));
            stored.push(step);
        } else {
            outcomes.push(Ok(SealOutcome::Differs));
        }
    }
    if stored.is_empty() {
        return Ok(outcomes);
    }
    let mut sql = Sql::new(
        "INSERT INTO delivery (account, number, ordinal, key, state, records, content_sha256, \
         content_bytes, object_sha256, object_bytes, cursor, ends_window, sealed_at) ",
    );
    sql.push_values(stored, |mut row, Seal { lease, window, facts, at }| {
        row.push_bind(lease.account.as_str())
            .push_bind(int(*window))
            .push_bind(i64::from(facts.ordinal))
            .push_bind(facts.key.as_str())
            .push_bind("sealed")
            .push_bind(int(facts.records))
            .push_bind(facts.content_sha256.as_str())
            .push_bind(int(facts.content_bytes))
            .push_bind(facts.object_sha256.as_str())
            .push_bind(int(facts.object_bytes))
            .push_bind(facts.cursor.as_ref().map(|cursor| cursor.0.as_str()))
            .push_bind(facts.last)
            .push_bind(SqlTime(*at));
    });
    sql.push(
        " ON CONFLICT (account, number, ordinal) DO UPDATE SET \
         records = excluded.records, content_sha256 = excluded.content_sha256, \
         content_bytes = excluded.content_bytes, object_sha256 = excluded.object_sha256, \
         object_bytes = excluded.object_bytes, cursor = excluded.cursor, \
         ends_window = excluded.ends_window",
    );
    execute(connection, sql).await?;
    Ok(outcomes)
}

/// Stores attempts of objects that are sealed.
pub(super) async fn journal(connection: &mut Connection, steps: &[&Journal]) -> Result<Vec<Result<Attempt>>> {
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    let mut sql = Sql::new(
        "SELECT account, doubtful, (SELECT coalesce(max(attempt), 0) + 1 FROM attempt \
         WHERE attempt.account = delivery.account AND attempt.number = delivery.number \
         AND attempt.ordinal = delivery.ordinal) AS next, (SELECT destination_version FROM export_window AS whole \
         WHERE whole.account = delivery.account AND whole.number = delivery.number) AS version \
         FROM delivery WHERE state = 'sealed' AND (account, number, ordinal) IN ",
    );
    among(&mut sql, steps, |mut row, step| {
        row.push_bind(step.lease.account.as_str())
            .push_bind(int(step.window))
            .push_bind(i64::from(step.facts.ordinal));
    });
    let mut sealed = HashMap::new();
    for row in fetch(connection, sql).await? {
        let version: i64 = row.try_get("version")?;
        let found = (small(row.try_get("next")?), row.try_get::<bool, _>("doubtful")?, version);
        sealed.insert(row.try_get::<String, _>("account")?, found);
    }
    let (mut attempts, mut made) = (Vec::new(), Vec::new());
    for step in steps {
        let found = sealed.get(step.lease.account.as_str()).ok_or_else(missing);
        attempts.push(found.map(|(number, doubtful, version)| {
            let (window, ordinal) = (step.window, step.facts.ordinal);
            let attempt = Attempt { window, ordinal, number: *number, doubtful: *doubtful };
            made.push((step, attempt.clone(), *version));
            attempt
        }));
    }
    if made.is_empty() {
        return Ok(attempts);
    }
    let mut sql = Sql::new(
        "INSERT INTO attempt (account, number, ordinal, attempt, key, worker, object_sha256, started_at, \
         destination_version) ",
    );
    sql.push_values(&made, |mut row, (step, attempt, version)| {
        row.push_bind(step.lease.account.as_str())
            .push_bind(int(attempt.window))
            .push_bind(i64::from(attempt.ordinal))
            .push_bind(i64::from(attempt.number))
            .push_bind(step.facts.key.as_str())
            .push_bind(step.owner.as_str())
            .push_bind(step.facts.object_sha256.as_str())
            .push_bind(SqlTime(step.at))
            .push_bind(*version);
    });
    execute(connection, sql).await?;
    let mut sql = Sql::new("UPDATE delivery SET attempts = attempts + 1, doubtful = ");
    sql.push_bind(Attempt::DOUBTFUL_UNDER_WAY);
    sql.push(" WHERE (account, number, ordinal) IN ");
    among(&mut sql, &made, |mut row, (step, attempt, _)| {
        row.push_bind(step.lease.account.as_str())
            .push_bind(int(attempt.window))
            .push_bind(i64::from(attempt.ordinal));
    });
    execute(connection, sql).await?;
    Ok(attempts)
}

/// What is stored of what ends.
pub(super) struct End {
    /// Whether the window ends.
    last: bool,
    window: Option<Window>,
}

impl End {
    /// Moves the account on. With the window's end the watermark moves, which must still
    /// stand where the window began. Whether it ended, and whether its destination had been
    /// replaced.
    pub(super) fn apply(self, account: &mut Account, step: &Ending) -> Result<(bool, bool)> {
        let mut replaced = false;
        if self.last {
            let window = self.window.ok_or_else(missing)?;
            let begins = &window.set.lo;
            if !protocol::ends_at(&account.watermark.bound, begins, account.open_window, step.window) {
                let problem = format!("the watermark has moved under window {}", step.window);
                return Err(Refusal::account(&account.id, RefusalCode::ChangedMeanwhile, problem).into());
            }
            account.watermark = window.watermark_after();
            account.open_window = None;
            account.served_at = None;
            replaced = account.destination_version != Some(window.destination_version);
        } else {
            account.served_at = Some(step.at);
        }
        account.clear_trouble();
        Ok((self.last, replaced))
    }
}

/// Looks what ends: an object that is sealed, or an open window.
pub(super) async fn ends(connection: &mut Connection, steps: &[&Ending]) -> Result<Vec<Result<End>>> {
    let objects: Vec<_> = steps
        .iter()
        .filter_map(|step| Some((step.lease.account.as_str(), step.delivered.as_ref()?)))
        .collect();
    let mut sealed = HashMap::new();
    if !objects.is_empty() {
        let mut sql = Sql::new(
            "SELECT account, ends_window FROM delivery WHERE state = 'sealed' AND (account, number, ordinal) IN ",
        );
        among(&mut sql, objects, |mut row, (account, attempt)| {
            row.push_bind(account).push_bind(int(attempt.window)).push_bind(i64::from(attempt.ordinal));
        });
        for row in fetch(connection, sql).await? {
            sealed.insert(row.try_get::<String, _>("account")?, row.try_get::<bool, _>("ends_window")?);
        }
    }
    // An account has one open window: numbers are compared below. With pairs, Postgres may
    // compare all open windows with them.
    let sql =
        format!("SELECT {WINDOW_COLUMNS} FROM export_window WHERE state = 'open' AND account {IS_IN_1}");
    let accounts: Vec<&str> = steps.iter().map(|step| step.lease.account.as_str()).collect();
    let mut windows = HashMap::new();
    for row in sqlx::query(AssertSqlSafe(sql)).bind(Json(accounts)).fetch_all(connection).await? {
        let window = window(&row)?;
        windows.insert((window.account.to_string(), window.number), window);
    }
    let ends = steps.iter().map(|step| {
        let account = step.lease.account.as_str();
        let last = match &step.delivered {
            Some(_) => *sealed.get(account).ok_or_else(missing)?,
            None => true,
        };
        Ok(End { last, window: windows.get(&(account.to_owned(), step.window)).cloned() })
    });
    Ok(ends.collect())
}

/// Stores receipts, and closes windows.
pub(super) async fn end(connection: &mut Connection, steps: &[(&Ending, bool)]) -> Result<()> {
    let delivered: Vec<_> =
        steps.iter().filter_map(|(step, _)| Some((*step, step.delivered.as_ref()?))).collect();
    if !delivered.is_empty() {
        let done = || {
            let mut sql =
                Sql::new("WITH done (account, number, ordinal, attempt, version, request_id, at) AS (");
            sql.push_values(&delivered, |mut row, (step, attempt)| {
                row.push_bind(step.lease.account.as_str())
                    .push_bind(int(attempt.window))
                    .push_bind(i64::from(attempt.ordinal))
                    .push_bind(i64::from(attempt.number))
                    .push_bind(step.ids.version.as_deref())
                    .push_bind(step.ids.request_id.as_deref())
                    .push_bind(SqlTime(step.at));
            });
            sql.push(") ");
            sql
        };
        let mut sql = done();
        sql.push(
            "UPDATE attempt SET finished_at = done.at, outcome = 'delivered', message = NULL, \
             store_version = done.version, request_id = done.request_id FROM done \
             WHERE attempt.account = done.account AND attempt.number = done.number \
             AND attempt.ordinal = done.ordinal AND attempt.attempt = done.attempt",
        );
        execute(connection, sql).await?;
        let mut sql = done();
        sql.push("UPDATE delivery SET state = 'delivered', delivered_at = done.at, doubtful = ");
        sql.push_bind(false);
        sql.push(
            ", error_kind = NULL, error = NULL FROM done WHERE delivery.account = done.account \
             AND delivery.number = done.number AND delivery.ordinal = done.ordinal",
        );
        execute(connection, sql).await?;
    }
    let closed: Vec<_> = steps.iter().filter(|(_, last)| *last).map(|(step, _)| *step).collect();
    if closed.is_empty() {
        return Ok(());
    }
    let mut sql = Sql::new("WITH done (account, number, at) AS (");
    sql.push_values(closed, |mut row, step| {
        row.push_bind(step.lease.account.as_str()).push_bind(int(step.window)).push_bind(SqlTime(step.at));
    });
    sql.push(
        ") UPDATE export_window SET state = 'delivered', closed_at = done.at, \
         objects = (SELECT count(*) FROM delivery \
                    WHERE account = export_window.account AND number = export_window.number), \
         records = (SELECT CAST(coalesce(sum(records), 0) AS bigint) FROM delivery \
                    WHERE account = export_window.account AND number = export_window.number) \
         FROM done WHERE export_window.account = done.account AND export_window.number = done.number",
    );
    execute(connection, sql).await
}
