//! The ledger's statements, written once and compiled for each database:
//! `postgres.rs` and `sqlite.rs` include this folder as a module of their own and
//! give it their types, their lock and their lease statements. Both databases
//! understand `$1`, `ON CONFLICT` and `RETURNING`.

use async_trait::async_trait;
use jiff::Timestamp;

use super::super::{
    Account, AttemptRow, AwaitedProof, BadRecord, Change, ChangeFilter, Claim, CredentialsEnd,
    DeliveryFilter, DeliveryRow, Failure, FieldChange, Gap, Gauges, HeldSecret, KeyUse, Lease, Ledger,
    LedgerError, NewProof, NewSkip, NewWindow, OpenWindow, Pause, Result, SealOutcome, Signs, SkippedRecord,
    Trouble, WindowRow,
};
use super::{
    Backend, CLAIM, Connection, Db, FOR_UPDATE, IS_IN_1, LEASE_END, NOT_IN_1, NOW, Row, SKIP_LOCKED,
};
use crate::base::database::in_time;
use crate::base::sql_count::SqlCount;
use crate::base::sql_time::SqlTime;
use crate::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::archive::SealedFacts;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::bound::{Mark, Watermark};
use auditferry_core::model::destination::{Destination, SealedId};
use auditferry_core::protocol::{Attempt, Hold};

mod access;
mod accounts;
mod batch;
mod changes;
mod channels;
mod downloads;
mod expiry;
mod health;
mod history;
mod identity;
mod impls;
mod jobs;
mod leases;
mod like;
mod notices;
mod portal;
mod proofs;
mod replays;
mod rows;
mod sealed;
mod sessions;
mod skipped;
mod slots;
mod steps;
mod windows;
mod workers;

pub(super) use steps::Steps;

/// A statement for several rows: its text grows with them.
type Sql = sqlx::QueryBuilder<Db>;

/// A count as a column's value.
fn int(count: u64) -> SqlCount {
    SqlCount(count)
}

/// A count from a column.
fn count(SqlCount(count): SqlCount) -> u64 {
    count
}

/// A small count from a column.
fn small(SqlCount(count): SqlCount<u32>) -> u32 {
    count
}

fn time(at: Option<Timestamp>) -> Option<SqlTime> {
    at.map(SqlTime)
}

/// The account's destination and its version.
async fn in_force(connection: &mut Connection, account: &Account) -> Result<Option<(u64, Destination)>> {
    match account.destination_version {
        Some(version) => Ok(Some((version, accounts::destination(connection, &account.id, version).await?))),
        None => Ok(None),
    }
}

/// Makes a stored version the account's destination; nothing is awaited any more.
async fn put_in_force(
    connection: &mut Connection,
    account: &mut Account,
    version: u64,
    destination: &Destination,
) -> Result<()> {
    account.destination_version = Some(version);
    account.endpoint = destination.endpoint();
    account.clear_trouble();
    accounts::write(connection, account).await?;
    accounts::count_change(connection, &account.id).await?;
    proofs::forget(connection, &account.id).await?;
    sealed::forget_replaced(connection, &account.id).await
}

#[async_trait]
impl Ledger for Backend {
    async fn migrate(&self) -> Result<()> {
        self.run_migrations().await
    }

    async fn check(&self) -> Result<()> {
        self.check_schema().await
    }

    async fn now(&self) -> Result<Timestamp> {
        in_time(async { identity::now(self.reading().await?.as_mut()).await }).await
    }

    async fn id(&self) -> Result<String> {
        in_time(async { identity::id(self.reading().await?.as_mut()).await }).await
    }

    async fn next_mark(&self) -> Result<Mark> {
        in_time(async {
            let mut tx = self.begin().await?;
            let mark = identity::next_mark(&mut tx).await?;
            tx.commit().await?;
            Ok(mark)
        })
        .await
    }

    async fn mark_ledger_rewound(&self, newest: u64, trouble: &Trouble) -> Result<()> {
        in_time(async {
            let mut tx = self.begin().await?;
            identity::mark_ledger_rewound(&mut tx, newest, trouble).await?;
            Ok(tx.commit().await?)
        })
        .await
    }
}
