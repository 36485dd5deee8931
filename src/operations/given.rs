//! A destination as a program gives it: secrets in the clear, which are sealed, or left out, which keeps them.

use serde_json::{Map, Value, json};

use crate::destinations::vault::Vault;
use crate::secrets::keys;
use crate::secrets::{Opened, Secret, SecretError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{Destination, SealedId, SecretRef};
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::text::unquoted::without_values;

/// Whether a destination may name files and variables of the worker as its secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Referring {
    /// It may.
    Allowed,
    /// It may not: they are the operator's.
    Refused,
}

/// A destination, and its secrets that are to be sealed.
pub struct Given {
    /// The destination.
    pub destination: Destination,
    /// The secrets, in the clear.
    pub opened: Opened,
    /// Sealed secrets of the one before that stay, and the names that they get.
    kept: Vec<(SealedId, SealedId)>,
}

fn refused(problem: impl Into<String>) -> Refusal {
    Refusal::field("destination", RefusalCode::InvalidValue, problem)
}

/// Whether a value is a secret as it is stored: `{"env": …}`, `{"file": …}` or `{"sealed": …}`.
fn is_reference(value: &Value) -> bool {
    let Value::Object(fields) = value else { return false };
    fields.len() == 1 && ["env", "file", "sealed"].iter().any(|name| fields.contains_key(*name))
}

impl Given {
    /// Reads a destination. `before`: the one in force, whose secrets stay where none is given.
    ///
    /// # Errors
    /// When it is not of the form of a destination. No value of it is quoted.
    pub fn read(
        mut value: Value,
        before: Option<&Destination>,
        referring: Referring,
    ) -> Result<Self, Refusal> {
        let mut opened = Opened::default();
        seal(&mut value, &mut opened, referring)?;
        let mut kept = Vec::new();
        if let Some(before) = before {
            let stored = serde_json::to_value(before).unwrap_or(Value::Null);
            keep(&mut value, &stored, &mut kept);
        }
        let destination: Destination = serde_json::from_value(value).map_err(|error| {
            // A value in the wrong place may be a secret.
            refused(without_values(&error.to_string()))
                .fix("write it as in the exports file, with each secret as {\"value\": \"…\"}")
        })?;
        if !kept.is_empty() && before.is_none_or(|before| destination.identity() != before.identity()) {
            return Err(Refusal::field(
                "destination.credentials",
                RefusalCode::SecretNeeded,
                "the secret is left out, and what there is belongs to another place",
            )
            .fix("give the secret of the new place as {\"value\": \"…\"}"));
        }
        check_references(&destination, &opened, &kept, referring)?;
        let sealed = |reference: &Value| {
            let id = reference.get("sealed")?.as_str()?.to_owned();
            Some((SealedId(id), keys::new_id()))
        };
        let kept: Vec<_> = kept.iter().filter_map(sealed).collect();
        Ok(Self { destination, opened, kept })
    }

    /// With the secrets that stay, under new names: each version of a destination has its own.
    ///
    /// # Errors
    /// When one does not open.
    pub async fn with_kept(
        mut self,
        account: &AccountId,
        before: Option<&Destination>,
        vault: &Vault,
    ) -> Result<Self, Refusal> {
        let Some(before) = before.filter(|_| !self.kept.is_empty()) else { return Ok(self) };
        let old = vault.open(account, before).await.map_err(|error: SecretError| {
            Refusal::account(account, RefusalCode::SecretNeeded, error.to_string())
                .fix("give the secret again as {\"value\": \"…\"}")
        })?;
        let mut value = serde_json::to_value(&self.destination).unwrap_or(Value::Null);
        for (from, to) in &self.kept {
            if let Some(secret) = old.get(from) {
                self.opened.insert(to.clone(), Secret::new(secret.expose().to_owned()));
                rename(
                    &mut value,
                    &json!(SecretRef::Sealed(from.clone())),
                    &json!(SecretRef::Sealed(to.clone())),
                );
            }
        }
        self.destination = serde_json::from_value(value)
            .map_err(|_| refused("its secrets cannot be kept; give them again"))?;
        Ok(self)
    }
}

/// That each secret is one that was given, or one that stays. By the destination as it was understood: whatever
/// form of JSON led there, nobody but an operator names a file or a variable of the worker.
fn check_references(
    destination: &Destination,
    opened: &Opened,
    kept: &[Value],
    referring: Referring,
) -> Result<(), Refusal> {
    for (field, reference) in destination.secrets() {
        let stays = || kept.contains(&json!(reference));
        let fits = match reference {
            SecretRef::Sealed(id) => opened.get(id).is_some() || stays(),
            SecretRef::Env(_) | SecretRef::File(_) => referring == Referring::Allowed || stays(),
        };
        if !fits {
            return Err(refused(format!("{field} is named by a variable, a file or a sealed id"))
                .fix("give it as {\"value\": \"…\"}; it is kept sealed"));
        }
    }
    Ok(())
}

/// Takes secrets that are given in the clear, and leaves their names.
fn seal(value: &mut Value, opened: &mut Opened, referring: Referring) -> Result<(), Refusal> {
    match value {
        Value::Object(fields) => {
            if let (1, Some(Value::String(secret))) = (fields.len(), fields.get("value")) {
                if secret.trim().is_empty() {
                    return Err(
                        refused("a secret is empty").fix("give it, or leave it out to keep the one there is")
                    );
                }
                let id = keys::new_id();
                opened.insert(id.clone(), Secret::new(secret.clone()));
                *value = json!(SecretRef::Sealed(id));
                return Ok(());
            }
            // What an answer shows in the place of a secret says nothing.
            fields.retain(|_, value| *value != json!({ "set": true }));
            for inner in fields.values_mut() {
                if is_reference(inner) {
                    let sealed = inner.get("sealed").is_some();
                    if sealed || referring == Referring::Refused {
                        return Err(refused("a secret is named by a variable, a file or a sealed id")
                            .fix("give it as {\"value\": \"…\"}; it is kept sealed"));
                    }
                }
                seal(inner, opened, referring)?;
            }
        }
        Value::Array(items) => {
            for item in items {
                seal(item, opened, referring)?;
            }
        }
        _ => {}
    }
    Ok(())
}

/// Fills in the secrets that are left out of what is there in both.
fn keep(value: &mut Value, before: &Value, kept: &mut Vec<Value>) {
    let (Value::Object(fields), Value::Object(stored)) = (value, before) else { return };
    // A new key comes with all that belongs to it: an old session token would not fit it.
    let renewed = fields.values().any(is_reference);
    for (name, old) in stored {
        match fields.get_mut(name) {
            Some(new) => keep(new, old, kept),
            None if is_reference(old) && !renewed => {
                kept.push(old.clone());
                fields.insert(name.clone(), old.clone());
            }
            None => {}
        }
    }
}

fn rename(value: &mut Value, from: &Value, to: &Value) {
    if value == from {
        *value = to.clone();
        return;
    }
    match value {
        Value::Object(fields) => {
            let fields: &mut Map<String, Value> = fields;
            fields.values_mut().for_each(|value| rename(value, from, to));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| rename(value, from, to)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(name: &str, secret: &Value) -> Value {
        let mut key = json!({ "id": "AKIA" });
        if !secret.is_null() {
            key["secret"] = secret.clone();
        }
        json!({ "kind": "s3", "bucket": name, "region": "eu-central-1", "credentials": { "access_key": key } })
    }

    fn read(value: Value, before: Option<&Destination>) -> Result<Given, Refusal> {
        Given::read(value, before, Referring::Refused)
    }

    #[test]
    fn a_secret_is_sealed_and_never_named() {
        let given = read(bucket("acme", &json!({ "value": "hunter2" })), None).expect("given");
        let (_, SecretRef::Sealed(id)) = given.destination.secrets()[0] else { panic!("it is sealed") };
        assert_eq!(given.opened.get(id).expect("secret").expose(), "hunter2");
        for reference in
            [json!({ "env": "HOME" }), json!({ "file": "/etc/passwd" }), json!({ "sealed": "x" })]
        {
            let refusal = read(bucket("acme", &reference), None).err().expect("refused");
            assert!(refusal.to_string().contains("value"), "{refusal}");
        }
        let told = read(bucket("acme", &json!("hunter2")), None).err().expect("refused").to_string();
        assert!(!told.contains("hunter2"), "{told}");
        // serde reads a struct from an array too.
        for reference in
            [json!({ "env": "HOME" }), json!({ "file": "/etc/passwd" }), json!({ "sealed": "x" })]
        {
            for key in [json!(["AKIA", reference]), json!(["AKIA", { "value": "v" }, reference])] {
                let mut body = bucket("acme", &Value::Null);
                body["credentials"]["access_key"] = key;
                assert!(read(body, None).is_err(), "{reference}");
            }
        }
        assert!(Given::read(bucket("acme", &json!({ "env": "KEY" })), None, Referring::Allowed).is_ok());
        let sealed = Given::read(bucket("acme", &json!({ "sealed": "x" })), None, Referring::Allowed);
        assert!(sealed.is_err(), "only the ledger knows such names");
    }

    #[test]
    fn a_secret_that_is_left_out_stays_for_the_same_place_only() {
        let before: Destination =
            serde_json::from_value(bucket("acme", &json!({ "sealed": "old" }))).expect("destination");
        let given = read(bucket("acme", &Value::Null), Some(&before)).expect("given");
        assert_eq!(given.kept[0].0, SealedId("old".to_owned()));
        let shown = read(bucket("acme", &json!({ "set": true })), Some(&before)).expect("given");
        assert_eq!(shown.kept.len(), 1, "as an answer shows it");
        let elsewhere = read(bucket("attacker", &Value::Null), Some(&before)).err().expect("refused");
        assert_eq!(elsewhere.code, RefusalCode::SecretNeeded);
        assert!(read(bucket("acme", &Value::Null), None).is_err(), "there is none to keep");
    }
}
