//! Changes of accounts as records of the accounts' own audit logs (`audit.self_records`).
//!
//! Two databases: a change waits in the ledger until the source has its record, and the
//! source remembers which changes it has, so that a crash in between makes no second one.

use super::ChoreError;
use crate::ledger::{Change, Ledger};
use crate::source::Source;
use auditferry_core::model::record::Record;
use auditferry_core::text::one_line::one_line;

/// How many changes are told at once.
const PAGE: u32 = 100;

/// Longest description, in characters.
const MAX_DESCRIPTION_CHARS: usize = 8_000;

/// Makes a record of each change that waits.
pub(crate) async fn publish_changes(ledger: &dyn Ledger, source: &dyn Source) -> Result<(), ChoreError> {
    loop {
        let changes = ledger.pending_changes(PAGE).await?;
        if changes.is_empty() {
            return Ok(());
        }
        let id = ledger.id().await?;
        for change in &changes {
            // What belongs to no account is in no account's log.
            let Some(account) = &change.account else { continue };
            source.publish_change(&id, change.number, account, &record(change)).await?;
        }
        let numbers: Vec<u64> = changes.iter().map(|change| change.number).collect();
        ledger.mark_published(&numbers).await?;
    }
}

/// `account added` is the action `auditferry.account_added`.
fn record(change: &Change) -> Record {
    Record {
        occurred_at: change.at,
        email: one_line(&change.by, MAX_DESCRIPTION_CHARS),
        action: format!("auditferry.{}", change.action.replace([' ', '-'], "_")),
        action_id: Some(format!("auditferry-change-{}", change.number)),
        description: one_line(&described(change), MAX_DESCRIPTION_CHARS),
        ip_address: None,
    }
}

fn described(change: &Change) -> String {
    match &change.reason {
        Some(reason) => format!("{}; reason: {reason}", change.what()),
        None => change.what(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ledger::FieldChange;
    use auditferry_core::model::actor::{ActorKind, Channel};

    #[test]
    fn a_change_reads_as_a_record() {
        let change = Change {
            number: 7,
            at: "2026-11-21T04:00:00Z".parse().expect("instant"),
            by: "ana (uid 1000)".to_owned(),
            actor_kind: Some(ActorKind::OsUser),
            actor_id: Some("1000".to_owned()),
            channel: Some(Channel::Cli),
            reason: Some("ticket 4711".to_owned()),
            account: Some("acme".parse().expect("id")),
            action: "add-on changed".to_owned(),
            fields: vec![
                FieldChange { field: "addon.enabled".to_owned(), from: json!(true), to: json!(false) },
                FieldChange { field: "addon.reason".to_owned(), from: json!(null), to: json!("a\nb") },
            ],
        };
        let record = record(&change);
        assert_eq!(record.action, "auditferry.add_on_changed");
        assert_eq!(record.action_id.as_deref(), Some("auditferry-change-7"));
        assert_eq!(
            record.description,
            r#"addon.enabled true -> false, addon.reason "a\nb"; reason: ticket 4711"#
        );
        assert_eq!((record.email.as_str(), record.ip_address), ("ana (uid 1000)", None));
    }
}
