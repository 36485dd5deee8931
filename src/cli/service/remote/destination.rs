//! Destinations on a server: secrets go there, and never come back.

use serde_json::{Value, json};

use super::Remote;
use crate::cli::CliError;
use crate::cli::service::{Answer, NewDestination, NotSet, SetDestination, ShownDestination, Told};
use crate::client::{Asked, ClientError, Seen, Tagged};
use crate::ledger::Proof;
use crate::operations::destination_view::DestinationView;
use crate::operations::destinations::{Replace, Test, no_destination};
use crate::operations::job_view::ProbeJob;
use crate::operations::probes::ProbeResult;
use crate::secrets::{Opened, Secret};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{Destination, SealedId, SecretRef};
use auditferry_core::refusal::RefusalCode;

/// What stands in the place of a secret whose name is not shown to this token.
const NOT_SHOWN: &str = "not shown";

/// Replaces every value inside a value for which there is another.
fn replaced(value: &mut Value, by: &impl Fn(&Value) -> Option<Value>) {
    if let Some(other) = by(value) {
        *value = other;
        return;
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(|value| replaced(value, by)),
        Value::Array(items) => items.iter_mut().for_each(|value| replaced(value, by)),
        _ => {}
    }
}

/// A destination as the server shows it.
fn seen(mut value: Value) -> Result<Destination, ClientError> {
    let hidden = json!(SecretRef::Sealed(SealedId(NOT_SHOWN.to_owned())));
    replaced(&mut value, &|value| (*value == json!({ "set": true })).then(|| hidden.clone()));
    serde_json::from_value(value).map_err(|error| {
        ClientError::Failed(format!(
            "the server has a destination that this version does not understand ({error}); use the version of the server"
        ))
    })
}

/// A destination with its secrets in the clear, as it is sent.
fn sent(destination: &Destination, opened: &Opened) -> Value {
    let mut value = json!(destination);
    replaced(&mut value, &|value| {
        let id = value.as_object().filter(|fields| fields.len() == 1)?.get("sealed")?.as_str()?;
        let secret = opened.get(&SealedId(id.to_owned()))?;
        Some(json!({ "value": secret.expose() }))
    });
    value
}

impl Remote {
    async fn view(&self, id: &AccountId, references: bool) -> Result<Tagged<DestinationView>, ClientError> {
        let asked = Asked::get(&["accounts", id.as_str(), "destination"]).with("references", &references);
        self.client.look(asked.about(id)).await
    }

    pub(super) async fn shown_destination(&self, id: &AccountId) -> Answer<ShownDestination> {
        let Some(shown) = self.view(id, true).await?.value.destination else { return Err(none(id)) };
        Ok(ShownDestination { destination: seen(shown.clone())?, shown })
    }

    pub(super) async fn put_destination(&self, new: &NewDestination<'_>) -> Result<SetDestination, NotSet> {
        let id = new.account;
        let may_change = match new.replace {
            Replace::No => "nothing",
            Replace::Credentials => "credentials",
            Replace::Everything => "everything",
        };
        let put = Asked::put(&["accounts", id.as_str(), "destination"], Seen::Anything)
            .with("replace", may_change)
            .with("untested", &(new.test == Test::Untried))
            .with("secrets_elsewhere", &(new.test == Test::SecretsElsewhere))
            .body(&sent(&new.destination, new.opened))
            .about(id);
        let made = self.client.change(put).await.map_err(|error| not_set(new, error))?;
        let other = |error: ClientError| NotSet::Other(error.into());
        let view: DestinationView = match made.answer().map_err(other)? {
            Some(view) => view,
            // It was made, and what was answered is not known any more: what there is tells the rest.
            None => self.view(id, false).await.map_err(other)?.value,
        };
        let in_force = view.destination.map(seen).transpose().map_err(other)?;
        let awaited = match &view.done {
            Some(done) => view.awaits_proof.filter(|_| done.awaits_proof),
            None => view.awaits_proof,
        };
        let (destination, before, awaits) = match awaited {
            Some(awaited) => {
                (seen(awaited.destination).map_err(other)?, in_force, Some((awaited.key, awaited.expires_at)))
            }
            None => (in_force.ok_or_else(|| NotSet::Other(none(id)))?, None, None),
        };
        let (sealed_with, probe) = view.done.map_or((None, None), |done| (done.sealed_with, done.probe));
        Ok(SetDestination {
            destination,
            before,
            version: view.version.unwrap_or_default(),
            sealed_with,
            credentials_end: view.credentials_end,
            awaits,
            probe,
        })
    }

    pub(super) async fn probed(&self, id: &AccountId, told: Told<'_>) -> Answer<(Destination, ProbeResult)> {
        let mut steps = 0;
        let job: ProbeJob = self
            .done(id, "probes", Asked::post(&["accounts", id.as_str(), "probes"]), |job: &ProbeJob| {
                job.steps.iter().skip(steps).for_each(|step| told(&step.name));
                steps = job.steps.len();
                &job.head
            })
            .await?;
        let found = job.result.ok_or_else(|| CliError::Failed("the probe has no result".to_owned()))?;
        Ok((self.shown_destination(id).await?.destination, found))
    }

    pub(super) async fn proved(&self, id: &AccountId, token: &Secret) -> Answer<Proof> {
        let path = ["accounts", id.as_str(), "destination", "proof"];
        let proof = Asked::post(&path).body(&json!({ "token": token.expose() })).about(id);
        let made = match self.client.change(proof).await {
            Ok(made) => made,
            Err(error) => {
                let left = error.problem("wrong_proof").map(|problem| problem.tries_left.unwrap_or_default());
                return match left {
                    Some(left) => Ok(Proof::Wrong { left }),
                    None if error.problem("late_proof").is_some() => Ok(Proof::Late),
                    None if error.problem("no_proof_awaited").is_some() => Ok(Proof::NotAwaited),
                    None => Err(error.into()),
                };
            }
        };
        let view: DestinationView = match made.answer()? {
            Some(view) => view,
            None => self.view(id, false).await?.value,
        };
        let destination = Box::new(view.destination.map(seen).transpose()?.ok_or_else(|| none(id))?);
        Ok(Proof::Given { destination, version: view.version.unwrap_or_default() })
    }

    pub(super) async fn without_destination(&self, id: &AccountId) -> Result<bool, ClientError> {
        let before = self.view(id, false).await?;
        let remove = Asked::delete(&["accounts", id.as_str(), "destination"], before.seen).about(id);
        self.client.change(remove).await?;
        Ok(before.value.awaits_proof.is_some())
    }
}

fn not_set(new: &NewDestination<'_>, error: ClientError) -> NotSet {
    let fails =
        error.problem(RefusalCode::DestinationFails.as_str()).and_then(|problem| problem.probe.clone());
    let differs = error.problem(RefusalCode::DifferencesNotAccepted.as_str()).is_some();
    match (fails, error) {
        (Some(found), _) => NotSet::Fails(Box::new((new.destination.clone(), found))),
        (None, ClientError::Refused(refused)) if differs => NotSet::Differs(refused.sentence),
        (None, error) => NotSet::Other(error.into()),
    }
}

/// As on the ledger.
fn none(id: &AccountId) -> CliError {
    CliError::Usage(no_destination(id).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_sent_and_never_come_back() {
        let text = r#"{"kind": "s3", "bucket": "acme", "region": "eu-central-1",
            "credentials": {"access_key": {"id": "AKIA", "secret": {"sealed": "x"}, "session_token": {"file": "/run/t"}}}}"#;
        let destination: Destination = serde_json::from_str(text).expect("destination");
        let mut opened = Opened::default();
        opened.insert(SealedId("x".to_owned()), Secret::new("HUSH".to_owned()));
        let mut value = sent(&destination, &opened);
        let key = value["credentials"]["access_key"].clone();
        assert_eq!(
            (&key["secret"], &key["session_token"]),
            (&json!({ "value": "HUSH" }), &json!({ "file": "/run/t" }))
        );
        value["credentials"]["access_key"]["secret"] = json!({ "set": true });
        let shown = seen(value).expect("destination");
        assert_eq!(shown.to_string(), destination.to_string());
    }
}
