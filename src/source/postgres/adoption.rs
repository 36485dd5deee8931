//! `audit_log` after it has moved to another PostgreSQL cluster: proves that nothing was lost on the
//! way, and lets the numbers of transactions go on. See ARCHITECTURE.md, "Another cluster".
//!
//! Everything is one transaction of the source, under a lock that keeps inserts out. The ledger is not
//! changed: what it holds is recognised again once this has committed.

use std::collections::BTreeSet;

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::evidence::{Evidence, Ids};
use super::home::{HOME, Home};
use super::marks::Marks;
use super::sets::{closed_set, set_parameters};
use super::{PostgresSource, horizon};
use crate::base::database::{self, Session};
use crate::base::sql_count::SqlCount;
use crate::source::adoption::{Adopted, Delivered, Move, Standing, Unproved};
use crate::source::{Result, SourceError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::bound::Bound;

/// Numbers of a new cluster begin at a multiple of this: above every id that an older one may have
/// given, of other ledgers' bounds too.
const STEP: u64 = 1 << 40;

/// The lock waits for every transaction that has written to the table, and keeps others out.
const LOCK: &str = "SET LOCAL lock_timeout = '60s'; SET LOCAL synchronous_commit = 'local'; \
    LOCK TABLE auditferry_cluster, audit_log IN SHARE ROW EXCLUSIVE MODE";

fn unproved<T>(problem: String) -> Result<T> {
    Err(SourceError::Unproved(problem))
}

impl PostgresSource {
    pub(super) async fn adopt_here(&self, standings: &[Standing], accept: bool) -> Result<Adopted> {
        let mut tx = database::begin_unfiltered(&self.pool).await?;
        check_rights(&mut tx).await?;
        lock(&mut tx).await?;
        let mut adoption = Adoption::begin(&mut tx, standings).await?;
        let moved = match adoption.base()? {
            None => Move::None,
            Some(base) => adoption.take_in(&base).await?,
        };
        let stamped = adoption.stamp().await?;
        let unproved = match moved {
            Move::None if stamped > 0 => adoption.delivered_elsewhere(standings),
            Move::None => Vec::new(),
            moved => adoption.doubts(moved).await?,
        };
        if !accept && !unproved.is_empty() {
            return Err(SourceError::Unproved(format!(
                "{}. Nothing was changed. Bring the right copy, or add --accept: then these accounts are held for \
                 `auditferry account rewind`, and the others go on",
                unproved.iter().map(Unproved::to_string).collect::<Vec<_>>().join("; ")
            )));
        }
        tx.commit().await?;
        Ok(Adopted { moved, stamped, unproved })
    }
}

/// That this role may change the table and its trigger's function, on a server that can be written to.
async fn check_rights(tx: &mut Session) -> Result<()> {
    let row = sqlx::query(
        "SELECT quote_ident(current_user) AS role, pg_is_in_recovery() AS standby, \
         pg_get_userbyid(c.relowner) AS owner, pg_has_role(c.relowner, 'USAGE') \
         AND (SELECT bool_and(pg_has_role(proowner, 'USAGE')) FROM pg_trigger JOIN pg_proc AS p ON p.oid = tgfoid \
         WHERE tgrelid = c.oid AND proname = 'audit_log_gives_tx') AS owns \
         FROM pg_class AS c WHERE c.oid = to_regclass('audit_log')",
    )
    .fetch_one(tx)
    .await?;
    if row.try_get("standby")? {
        return Err(SourceError::Unfit(
            "the source's database is a standby; run `auditferry source adopt` with source.url set to its primary"
                .to_owned(),
        ));
    }
    if row.try_get::<Option<bool>, _>("owns")? != Some(true) {
        let (role, owner): (String, String) = (row.try_get("role")?, row.try_get("owner")?);
        return Err(SourceError::Unfit(format!(
            "our role {role} does not own audit_log and its trigger's function; run `auditferry source adopt` as \
             {owner}, the role that runs `auditferry migrate`"
        )));
    }
    Ok(())
}

async fn lock(tx: &mut Session) -> Result<()> {
    match sqlx::raw_sql(LOCK).execute(tx).await {
        Err(sqlx::Error::Database(error)) if error.code().as_deref() == Some("55P03") => {
            Err(SourceError::Unfit(
                "a transaction has kept audit_log for 60 s; end it, or stop the application for a moment, and run \
                 the command again (pg_stat_activity names it)"
                    .to_owned(),
            ))
        }
        other => Ok(other.map(drop)?),
    }
}

/// A bound, taken apart.
struct Asked<'a> {
    /// Of the cluster that gave it; none: the beginning, which holds everywhere.
    label: Option<&'a str>,
    /// Where it ends, in numbers.
    end: u64,
    bound: &'a Bound,
}

impl<'a> Asked<'a> {
    fn of(bound: &'a Bound) -> Result<Self> {
        let (_, mark) = super::without_mark(bound);
        let label = mark.and_then(|mark| mark.split_once('@')).map(|(_, label)| label);
        Ok(Self { label, end: horizon(bound)?.1, bound })
    }
}

struct Adoption<'a> {
    tx: &'a mut Session,
    home: Home,
    /// The label of bounds that were captured here before.
    unadopted: String,
    ids: Ids,
    standings: Vec<(&'a Standing, Vec<Asked<'a>>)>,
}

impl<'a> Adoption<'a> {
    async fn begin(tx: &'a mut Session, standings: &'a [Standing]) -> Result<Self> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {HOME}, pg_current_xact_id()::text::bigint AS own, \
             greatest(pg_current_xact_id()::text::bigint + 1, \
             pg_snapshot_xmax(pg_current_snapshot())::text::bigint) AS next"
        )))
        .fetch_one(&mut *tx)
        .await?;
        let home = Home::of(&row)?;
        let ids = Ids { own: unsigned(&row, "own")?, next: unsigned(&row, "next")?, shift: home.shift() };
        let asked = |standing: &'a Standing| {
            let bounds = standing.bounds.iter().map(Asked::of).collect::<Result<Vec<_>>>()?;
            Ok((standing, bounds))
        };
        let standings = standings.iter().map(asked).collect::<Result<Vec<_>>>()?;
        Ok(Self { tx, unadopted: home.label(), home, ids, standings })
    }

    fn bounds(&self) -> impl Iterator<Item = &Asked<'a>> {
        self.standings.iter().flat_map(|(_, bounds)| bounds)
    }

    /// Where all bounds end that were captured before the move.
    fn end(&self) -> u64 {
        let before = self.bounds().filter(|asked| asked.label != Some(self.unadopted.as_str()));
        before.map(|asked| asked.end).max().unwrap_or(0)
    }

    /// The label of the cluster from which the table came; none when it lives here.
    fn base(&self) -> Result<Option<String>> {
        let home = &self.home;
        let strange: BTreeSet<&str> = self
            .bounds()
            .filter_map(|asked| asked.label)
            .filter(|label| !home.has(label) && *label != self.unadopted)
            .collect();
        let strange: Vec<&str> = strange.into_iter().collect();
        match (home.known.last(), strange.as_slice()) {
            (None, []) => Ok(None),
            (Some(_), []) if home.is_here() => Ok(None),
            (Some(newest), []) => Ok(Some(newest.label().to_owned())),
            (None, [base]) => Ok(Some((*base).to_owned())),
            (_, several) => unproved(format!(
                "this ledger's accounts stand at bounds of the PostgreSQL cluster {}, and this audit_log has not \
                 come from there; see that source.url names the database that was moved",
                several.join(" and of ")
            )),
        }
    }

    /// Proves how the table came here, and lets its numbers go on.
    async fn take_in(&mut self, base: &str) -> Result<Move> {
        let evidence = Evidence::find(self.tx, &self.ids).await?;
        let (moved, label, shift) = if evidence.is_upgrade() {
            evidence.check_upgrade(&self.ids, self.end())?;
            (Move::Upgraded, self.unadopted.clone(), self.ids.shift)
        } else {
            evidence.check_restore()?;
            let top = evidence.top.max(self.end()).max(self.ids.next + self.ids.shift);
            let shift = (top / STEP + 1) * STEP;
            let renumbered = self.renumber(&evidence, shift - self.ids.shift).await?;
            self.shift_trigger(shift).await?;
            let label = format!("{}.{}", self.home.cluster, self.home.known.len().max(1) + 1);
            (Move::Restored { shift, renumbered }, label, shift)
        };
        if self.home.known.is_empty() {
            self.remember(1, base, base, 0).await?;
        }
        let number = self.home.known.len().max(1) + 1;
        let cluster = self.home.cluster.clone();
        self.remember(number, &cluster, &label, shift).await?;
        self.ids.shift = shift;
        Ok(moved)
    }

    async fn remember(&mut self, number: usize, cluster: &str, label: &str, shift: u64) -> Result<()> {
        sqlx::query("INSERT INTO auditferry_cluster (number, cluster, label, shift) VALUES ($1, $2, $3, $4)")
            .bind(SqlCount(number))
            .bind(cluster)
            .bind(label)
            .bind(SqlCount(shift))
            .execute(&mut *self.tx)
            .await?;
        Ok(())
    }

    /// Adds to the numbers of the records that came since the restore.
    async fn renumber(&mut self, evidence: &Evidence, add: u64) -> Result<u64> {
        let sql = format!(
            "UPDATE audit_log SET tx = (tx::text::bigint + {add})::text::xid8 WHERE {} > {}",
            self.ids.of("xmin"),
            evidence.loaded
        );
        if evidence.since == 0 { Ok(0) } else { self.update(&sql).await }
    }

    /// Gives a number of this transaction to records whose number no transaction could have had: they
    /// lie above every bound.
    async fn stamp(&mut self) -> Result<u64> {
        let Ids { own, next, shift } = self.ids;
        if self.bounds().any(|asked| self.home.has(asked.label.unwrap_or("")) && asked.end > next + shift) {
            return unproved(
                "bounds of this ledger lie above the next transaction id: this database has gone back, or is \
                 another one; `auditferry account show` tells more"
                    .to_owned(),
            );
        }
        let ahead = format!("tx >= '{}'::xid8", next + shift);
        let any: bool =
            sqlx::query_scalar(AssertSqlSafe(format!("SELECT EXISTS (SELECT FROM audit_log WHERE {ahead})")))
                .fetch_one(&mut *self.tx)
                .await?;
        let sql = format!("UPDATE audit_log SET tx = '{}'::xid8 WHERE {ahead}", own + shift);
        if any { self.update(&sql).await } else { Ok(0) }
    }

    /// Changes rows past the trigger that refuses it to everybody.
    async fn update(&mut self, sql: &str) -> Result<u64> {
        let rows = sqlx::query(
            "SELECT quote_ident(tgname) AS name, tgenabled::text AS enabled FROM pg_trigger \
             JOIN pg_proc AS p ON p.oid = tgfoid WHERE tgrelid = to_regclass('audit_log') \
             AND p.proname = 'audit_log_is_append_only' AND tgenabled <> 'D'",
        )
        .fetch_all(&mut *self.tx)
        .await?;
        let triggers = rows
            .iter()
            .map(|row| Ok((row.try_get("name")?, row.try_get("enabled")?)))
            .collect::<Result<Vec<(String, String)>>>()?;
        for (name, _) in &triggers {
            self.execute(format!("ALTER TABLE audit_log DISABLE TRIGGER {name}")).await?;
        }
        let changed = self.execute(sql.to_owned()).await?;
        for (name, enabled) in &triggers {
            let how = match enabled.as_str() {
                "A" => "ALWAYS ",
                "R" => "REPLICA ",
                _ => "",
            };
            self.execute(format!("ALTER TABLE audit_log ENABLE {how}TRIGGER {name}")).await?;
        }
        Ok(changed)
    }

    async fn execute(&mut self, sql: String) -> Result<u64> {
        Ok(sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *self.tx).await?.rows_affected())
    }

    /// Lets the trigger add the shift too.
    async fn shift_trigger(&mut self, shift: u64) -> Result<()> {
        let name: String = sqlx::query_scalar(
            "SELECT format('%I.%I', nspname, proname) FROM pg_trigger JOIN pg_proc AS p ON p.oid = tgfoid \
             JOIN pg_namespace AS n ON n.oid = pronamespace \
             WHERE tgrelid = to_regclass('audit_log') AND proname = 'audit_log_gives_tx'",
        )
        .fetch_one(&mut *self.tx)
        .await?;
        // As in the migration, with every name qualified.
        self.execute(format!(
            "CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.tx := \
             (pg_catalog.pg_current_xact_id()::pg_catalog.text::pg_catalog.int8 OPERATOR(pg_catalog.+) {shift})\
             ::pg_catalog.text::pg_catalog.xid8; RETURN NEW; END $$"
        ))
        .await?;
        Ok(())
    }

    /// Accounts that have exported from a cluster of which nothing is known here: their records that were
    /// numbered anew may have been delivered from there.
    fn delivered_elsewhere(&self, standings: &[Standing]) -> Vec<Unproved> {
        let unknown = |bound: &Bound| {
            let label =
                super::without_mark(bound).1.and_then(|mark| mark.split_once('@')).map(|(_, label)| label);
            label.filter(|label| !self.home.has(label) && *label != self.unadopted).map(str::to_owned)
        };
        let doubt = |standing: &Standing| {
            let label = standing.earlier.iter().find_map(unknown)?;
            Some(Unproved {
                account: standing.account.clone(),
                problem: format!(
                    "it has exported from the PostgreSQL cluster {label}, and records of it whose transaction ids are to \
                     come may have been delivered from there; they are delivered again when it goes on"
                ),
            })
        };
        standings.iter().filter_map(doubt).collect()
    }

    /// What cannot be proved of single accounts.
    async fn doubts(&mut self, moved: Move) -> Result<Vec<Unproved>> {
        let marks = Marks::of(self.bounds().map(|asked| asked.bound))?;
        let sql = format!("SELECT {} AS there", super::marks::THERE);
        let row = sqlx::query(AssertSqlSafe(sql)).bind(marks.wanted()).fetch_one(&mut *self.tx).await?;
        let there = marks.there(&row)?;
        let mut doubts = Vec::new();
        let mut doubt = |id: &AccountId, problem| doubts.push(Unproved { account: id.clone(), problem });
        let mut sure = Vec::new();
        for (standing, bounds) in &self.standings {
            let id = &standing.account;
            let here = |asked: &&Asked<'_>| asked.label == Some(self.unadopted.as_str());
            if moved != Move::Upgraded && bounds.iter().any(|asked| here(&asked)) {
                doubt(
                    id,
                    "its bound was captured here after the move, before it was adopted; rewind it, or remove it and add \
                     it again"
                        .to_owned(),
                );
                continue;
            }
            let lacking = bounds.iter().find(|asked| asked.label.is_some() && !there.has(asked.bound));
            match lacking.map(|asked| super::without_mark(asked.bound).1.unwrap_or_default()) {
                Some(mark) if mark.starts_with('@') => doubt(
                    id,
                    "its bound was captured on a standby, where no mark can be left, and nothing shows that this copy has \
                     everything"
                        .to_owned(),
                ),
                Some(mark) => {
                    let mark = mark.split('@').next().unwrap_or_default();
                    doubt(id, format!("the mark {mark} is not there, so that this is an older copy"));
                }
                None => sure.push(*standing),
            }
        }
        for standing in sure {
            if let Some(Delivered { window, set, records }) = &standing.delivered {
                set_parameters(&mut *self.tx, &standing.account, set, &Marks::default()).await?;
                let sql = format!("SELECT count(*) FROM audit_log WHERE {}", closed_set(set));
                let found: i64 = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut *self.tx).await?;
                if u64::try_from(found).ok() != Some(*records) {
                    let problem =
                        format!("its window {window} had {records} records, and {found} of them are here");
                    doubts.push(Unproved { account: standing.account.clone(), problem });
                }
            }
        }
        Ok(doubts)
    }
}

/// A number of the catalogue or a count.
pub(super) fn unsigned(row: &PgRow, column: &str) -> Result<u64> {
    Ok(row.try_get::<SqlCount, _>(column)?.0)
}
