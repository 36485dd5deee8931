//! What people changed: the audit log of auditferry itself.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Account;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::{ActorKind, Channel};

/// One field that a change gave another value. Secrets are in it as references only: a file,
/// a variable, or the random id of a sealed one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct FieldChange {
    /// The field's name, as in the exports file.
    pub field: String,
    /// What it was.
    pub from: Value,
    /// What it is since.
    pub to: Value,
}

impl fmt::Display for FieldChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, from, to } = self;
        if from.is_null() { write!(f, "{field} {to}") } else { write!(f, "{field} {from} -> {to}") }
    }
}

/// One change that a person made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Change {
    /// Counts all changes of the ledger.
    pub number: u64,
    /// When, by the database's clock.
    pub at: Timestamp,
    /// Who, for a person to read.
    pub by: String,
    /// What kind of identity that is; absent of changes before version 0.2.
    pub actor_kind: Option<ActorKind>,
    /// What tells it from others of its kind.
    pub actor_id: Option<String>,
    /// The way the change came.
    pub channel: Option<Channel>,
    /// Why, in that person's words.
    pub reason: Option<String>,
    /// Whose account; absent: it belongs to none, as a token.
    pub account: Option<AccountId>,
    /// What was done, such as `account added`.
    pub action: String,
    /// The fields that have another value since.
    pub fields: Vec<FieldChange>,
}

impl Change {
    /// The fields, in one text.
    #[must_use]
    pub fn what(&self) -> String {
        self.fields.iter().map(FieldChange::to_string).collect::<Vec<_>>().join(", ")
    }
}

/// Which changes to list.
#[derive(Debug, Clone, Default)]
pub struct ChangeFilter {
    /// Of one account only.
    pub account: Option<AccountId>,
    /// Of those whose name holds this.
    pub by: Option<String>,
    /// From this instant on.
    pub since: Option<Timestamp>,
    /// Before this instant.
    pub until: Option<Timestamp>,
    /// Before the change of this number.
    pub before: Option<u64>,
    /// Leaves out who was let into the portal, which says nothing of the account itself.
    pub without_portal: bool,
    /// At most so many.
    pub limit: u32,
}

/// What people decide about an account, and what a change of it can move.
pub(super) fn facts(account: &Account) -> Value {
    json!({
        "zone": account.zone,
        "schedule": account.schedule,
        "format": account.format,
        "addon": account.addon,
        "destination_version": account.destination_version,
        "paused": account.paused,
        "suspended": account.is_suspended(),
        "held": account.held.map(auditferry_core::protocol::Hold::as_str),
        "generation": account.generation,
        "watermark_at": account.watermark.at,
        "starts_when_enabled": account.starts_when_enabled,
    })
}

/// The fields whose values differ; those inside a table are named `table.field`.
pub(super) fn difference(before: &Value, after: &Value) -> Vec<FieldChange> {
    let mut fields = Vec::new();
    compare("", before, after, &mut fields);
    fields
}

fn compare(name: &str, before: &Value, after: &Value, fields: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let empty = serde_json::Map::new();
    let tables = match (before, after) {
        (Value::Object(before), Value::Object(after)) => Some((before, after)),
        (Value::Null, Value::Object(after)) => Some((&empty, after)),
        (Value::Object(before), Value::Null) => Some((before, &empty)),
        _ => None,
    };
    let Some((before, after)) = tables else {
        fields.push(FieldChange { field: name.to_owned(), from: before.clone(), to: after.clone() });
        return;
    };
    let names = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    for key in names {
        let name = if name.is_empty() { key.clone() } else { format!("{name}.{key}") };
        let value = |table: &serde_json::Map<String, Value>| table.get(key).cloned().unwrap_or(Value::Null);
        compare(&name, &value(before), &value(after), fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_differs_is_told() {
        let changed = |before: Value, after: Value| {
            let fields = difference(&before, &after).into_iter();
            fields.map(|f| format!("{} {} {}", f.field, f.from, f.to)).collect::<Vec<_>>()
        };
        assert!(changed(json!({"a": {"b": 1}}), json!({"a": {"b": 1}})).is_empty());
        assert_eq!(
            changed(json!({"a": {"b": 1, "c": 2}, "d": 3}), json!({"a": {"b": 7, "e": 4}, "d": 3})),
            ["a.b 1 7", "a.c 2 null", "a.e null 4"]
        );
        assert_eq!(changed(Value::Null, json!({"a": {"b": 1}, "c": null})), ["a.b null 1"]);
        assert_eq!(changed(json!({"a": "x"}), json!({"a": {"b": 1}})), ["a \"x\" {\"b\":1}"]);
    }
}
