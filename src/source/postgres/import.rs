//! Records that go into our own table.

use crate::base::database::Session;
use crate::base::sql_count::SqlCount;
use crate::source::{Import, NOTE_CHANGE, Result};
use async_trait::async_trait;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::record::Record;

pub(super) struct PostgresImport {
    pub(super) tx: Session,
    pub(super) account: AccountId,
}

#[async_trait]
impl Import for PostgresImport {
    async fn append(&mut self, records: &[Record]) -> Result<()> {
        let column = |value: fn(&Record) -> &str| records.iter().map(value).collect::<Vec<_>>();
        let optional = |value: fn(&Record) -> Option<&str>| records.iter().map(value).collect::<Vec<_>>();
        let micros: Vec<i64> = records.iter().map(|record| record.occurred_at.as_microsecond()).collect();
        sqlx::query(
            "INSERT INTO audit_log (account_id, occurred_at, email, action, action_id, description, ip_address) \
             SELECT $1, timestamptz 'epoch' + micros * interval '1 microsecond', email, action, action_id, \
             description, ip_address \
             FROM unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) \
             WITH ORDINALITY AS row (micros, email, action, action_id, description, ip_address, place) \
             ORDER BY place",
        )
        .bind(self.account.as_str())
        .bind(micros)
        .bind(column(|record| &record.email))
        .bind(column(|record| &record.action))
        .bind(optional(|record| record.action_id.as_deref()))
        .bind(column(|record| &record.description))
        .bind(optional(|record| record.ip_address.as_deref()))
        .execute(&mut self.tx)
        .await?;
        Ok(())
    }

    async fn note_change(&mut self, ledger: &str, number: u64) -> Result<bool> {
        let noted =
            sqlx::query(NOTE_CHANGE).bind(ledger).bind(SqlCount(number)).execute(&mut self.tx).await?;
        Ok(noted.rows_affected() > 0)
    }

    async fn commit(self: Box<Self>) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}
