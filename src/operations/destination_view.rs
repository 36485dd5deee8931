//! A destination as a program sees it: without its secrets.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::admin::{Admin, AdminError};
use super::probes::ProbeResult;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::Destination;

/// What is shown of a destination's secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// That they are set.
    Hidden,
    /// Where they are: a file or a variable of the worker, or the random name of a sealed one. For operators.
    Shown,
}

/// A destination as it is shown: without its secrets.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DestinationView {
    /// The destination in force, in the form in which it is set; absent: there is none.
    #[schema(value_type = Option<Object>)]
    pub destination: Option<Value>,
    /// The fields in which it has secrets.
    pub secrets: Vec<String>,
    /// When its credentials end, as far as that is known.
    pub credentials_end: Option<jiff::Timestamp>,
    /// A destination that waits for the proof of its owner.
    pub awaits_proof: Option<AwaitedView>,
    /// The version of the one in force, counted over all that the account ever had.
    #[serde(default)]
    pub version: Option<u64>,
    /// What was done: only in the answer to a change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Setting>,
}

/// How a destination was set.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Setting {
    /// Whether it waits for the proof of its owner.
    pub awaits_proof: bool,
    /// The key that has sealed its secrets, if one has.
    pub sealed_with: Option<String>,
    /// How it was tried, if it was.
    pub probe: Option<ProbeResult>,
}

/// A destination that waits for the proof of its owner.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AwaitedView {
    /// The destination.
    #[schema(value_type = Object)]
    pub destination: Value,
    /// The object there in which the token stands.
    pub key: String,
    /// When the token expires.
    pub expires_at: jiff::Timestamp,
    /// How many wrong tokens may still come.
    pub tries_left: u32,
}

/// A destination's JSON with `true` in the place of each secret.
fn without_secrets(destination: &Destination) -> Value {
    fn hide(value: &mut Value, secrets: &[Value]) {
        if secrets.contains(value) {
            *value = serde_json::json!({ "set": true });
            return;
        }
        match value {
            Value::Object(fields) => fields.values_mut().for_each(|value| hide(value, secrets)),
            Value::Array(items) => items.iter_mut().for_each(|value| hide(value, secrets)),
            _ => {}
        }
    }
    let references = destination.secrets();
    let secrets: Vec<Value> =
        references.iter().filter_map(|(_, secret)| serde_json::to_value(secret).ok()).collect();
    let mut value = serde_json::to_value(destination).unwrap_or(Value::Null);
    hide(&mut value, &secrets);
    value
}

fn shown(destination: &Destination, naming: Naming) -> Value {
    match naming {
        Naming::Hidden => without_secrets(destination),
        Naming::Shown => serde_json::to_value(destination).unwrap_or(Value::Null),
    }
}

impl Admin {
    /// The destination of an account as a program sees it.
    ///
    /// # Errors
    /// When there is no such account, or the ledger fails.
    pub async fn destination_view(
        &self,
        id: &AccountId,
        naming: Naming,
    ) -> Result<DestinationView, AdminError> {
        let version = self.ledger.account(id).await?.destination_version;
        let destination = self.ledger.destination(id).await?;
        let awaited = self.ledger.awaited_proof(id).await?;
        Ok(DestinationView {
            secrets: destination
                .as_ref()
                .map(|destination| {
                    destination.secrets().into_iter().map(|(field, _)| field.to_owned()).collect()
                })
                .unwrap_or_default(),
            destination: destination.as_ref().map(|destination| shown(destination, naming)),
            credentials_end: self.ledger.credentials_end(id).await?,
            awaits_proof: awaited.map(|awaited| AwaitedView {
                destination: shown(&awaited.destination, naming),
                key: awaited.key,
                expires_at: awaited.expires_at,
                tries_left: awaited.tries_left,
            }),
            version,
            done: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auditferry_core::model::destination::SecretRef;

    #[test]
    fn no_secret_and_no_name_of_one_is_shown() {
        let json = r#"{"kind": "s3", "bucket": "acme-siem", "region": "eu-central-1",
            "credentials": {"access_key": {"id": "AKIAIOSFODNN7EXAMPLE", "secret": {"env": "THE_VARIABLE"}}}}"#;
        let destination: Destination = serde_json::from_str(json).expect("destination");
        assert!(matches!(destination.secrets()[0].1, SecretRef::Env(_)));
        let shown = without_secrets(&destination).to_string();
        assert!(shown.contains("AKIAIOSFODNN7EXAMPLE") && shown.contains(r#"{"set":true}"#), "{shown}");
        assert!(!shown.contains("THE_VARIABLE"), "{shown}");
    }
}
