//! Setting up a destination in two steps, for people: it is tried first, with its secrets sealed beside the job that
//! does it, and set once it has been seen to work. What was in force stays until then.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::admin::{Admin, AdminError};
use super::destinations::{PlaceError, Placed, Placement, Placer, Replace, Test};
use super::probes::{ProbeResult, ProbeStep};
use crate::destinations::cache::StoreCache;
use crate::destinations::probe::{Heard, Trial, UNHEARD, examine};
use crate::destinations::vault::Vault;
use crate::secrets::Opened;
use crate::secrets::keys::{SealedSecret, WrappedKey};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::{Destination, SealedId};
use auditferry_core::model::job::{Job, JobKind, JobResult, JobState};
use auditferry_core::refusal::{Refusal, RefusalCode};
use std::sync::{Mutex, PoisonError};

/// How long after its trial a destination can be set.
pub const SAVED_WITHIN: SignedDuration = SignedDuration::from_hours(1);

/// A sealed secret as it stands in a job.
#[derive(Clone, Serialize, Deserialize)]
struct Sealed {
    id: SealedId,
    key: String,
    data_key: String,
    ciphertext: String,
}

impl From<&SealedSecret> for Sealed {
    fn from(secret: &SealedSecret) -> Self {
        Self {
            id: secret.id.clone(),
            key: secret.wrapped.key.clone(),
            data_key: STANDARD.encode(&secret.wrapped.data_key),
            ciphertext: STANDARD.encode(&secret.ciphertext),
        }
    }
}

impl Sealed {
    fn read(&self) -> Option<SealedSecret> {
        Some(SealedSecret {
            id: self.id.clone(),
            wrapped: WrappedKey { key: self.key.clone(), data_key: STANDARD.decode(&self.data_key).ok()? },
            ciphertext: STANDARD.decode(&self.ciphertext).ok()?,
        })
    }
}

/// A destination that is not set yet.
#[derive(Clone, Serialize, Deserialize)]
pub struct Draft {
    /// The destination.
    pub destination: Destination,
    sealed: Vec<Sealed>,
    /// Who has made it: nobody else sets it.
    principal: String,
    /// The revision of the account that the person has seen.
    revision: u64,
}

/// How the trial of a draft is.
pub struct Tried {
    /// The job.
    pub id: String,
    /// What is tried.
    pub draft: Draft,
    /// Whether it is at work.
    pub state: JobState,
    /// The steps that have ended.
    pub steps: Vec<ProbeStep>,
    /// What it has found, when it is done.
    pub result: Option<ProbeResult>,
    /// Whether it can be set now.
    pub ready: bool,
}

/// That a trial is not there, or not any more.
fn none() -> Refusal {
    Refusal::field(
        "trial",
        RefusalCode::DestinationFails,
        "there is no test of this destination that may be saved",
    )
    .fix("test it again")
}

impl Admin {
    /// Checks a destination and seals its secrets, so that it can be tried and then set.
    ///
    /// # Errors
    /// When it cannot be right, there is no key to seal with, or the ledger fails.
    pub async fn draft(
        &self,
        vault: &Vault,
        by: &By,
        account: &AccountId,
        destination: Destination,
        opened: &Opened,
    ) -> Result<Draft, PlaceError> {
        let destination = self.completed(account, destination).await?;
        destination.validate().map_err(AdminError::from)?;
        self.check_end(&destination)?;
        let revision = self.ledger.revision(account).await.map_err(AdminError::from)?;
        let sealed = vault.seal(account, &destination, opened).await?;
        let sealed = sealed.iter().map(Sealed::from).collect();
        Ok(Draft { destination, sealed, principal: by.actor.principal(), revision })
    }

    /// Opens the secrets of a draft.
    ///
    /// # Errors
    /// When one does not open any more.
    pub async fn draft_secrets(
        &self,
        vault: &Vault,
        account: &AccountId,
        draft: &Draft,
    ) -> Result<Opened, AdminError> {
        let sealed: Option<Vec<SealedSecret>> = draft.sealed.iter().map(Sealed::read).collect();
        let opened = vault.unseal(account, &draft.destination, &sealed.unwrap_or_default()).await;
        opened.map_err(|error| {
            Refusal::account(account, RefusalCode::SecretNeeded, error.to_string())
                .fix("give the secret again")
                .into()
        })
    }

    /// Tries a draft step by step; `heard` is given the steps that have ended, each time that one has.
    pub async fn try_draft(
        &self,
        stores: &StoreCache,
        account: &AccountId,
        draft: &Draft,
        opened: &Opened,
        heard: &(dyn Fn(&[ProbeStep]) + Send + Sync),
    ) -> ProbeResult {
        let steps = Mutex::new(Vec::new());
        let hear = |step: Heard<'_>| {
            let Heard::Ended(step) = step else { return };
            let mut steps = steps.lock().unwrap_or_else(PoisonError::into_inner);
            steps.push(ProbeStep::from(step));
            heard(&steps);
        };
        let examined =
            examine(stores, account, &draft.destination, Some(opened), Trial::Removed, &hear).await;
        ProbeResult::from(&examined)
    }

    /// How the trial of a draft is; none: the person has begun none of this id.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn tried_draft(
        &self,
        by: &By,
        account: &AccountId,
        id: &str,
    ) -> Result<Option<Tried>, AdminError> {
        let found = self.ledger.job(id).await?;
        let Some(job) = found.filter(|job| job.new.account == *account && job.new.kind == JobKind::Trial)
        else {
            return Ok(None);
        };
        let state = job.state();
        let late = self.clock.now().duration_since(job.begun_at) > SAVED_WITHIN;
        let Job { new, progress, result, .. } = job;
        let Ok(draft) = serde_json::from_value::<Draft>(new.request) else { return Ok(None) };
        if draft.principal != by.actor.principal() {
            return Ok(None);
        }
        let result = match result {
            Some(JobResult::Done(value)) => serde_json::from_value::<ProbeResult>(value).ok(),
            _ => None,
        };
        let told = progress.and_then(|value: Value| serde_json::from_value(value).ok());
        let steps = result.as_ref().map(|result| result.steps.clone()).or(told).unwrap_or_default();
        let ready = !late && result.as_ref().is_some_and(|result| result.works);
        Ok(Some(Tried { id: new.id, draft, state, steps, result, ready }))
    }

    /// Sets a destination that was tried and works, or lets it wait for the proof of its owner.
    ///
    /// # Errors
    /// When there is no such trial or it has failed, the account was changed since, or a database fails.
    pub async fn save_draft(
        &self,
        (stores, vault): (&StoreCache, &Vault),
        by: &By,
        account: &AccountId,
        id: &str,
    ) -> Result<Placed, PlaceError> {
        let tried = self.tried_draft(by, account, id).await?.filter(|tried| tried.ready);
        let Tried { draft, .. } = tried.ok_or_else(|| AdminError::from(none()))?;
        let opened = self.draft_secrets(vault, account, &draft).await?;
        let mut by = by.clone();
        by.terms.expects = Some(draft.revision);
        let placer = Placer { admin: self, by: &by, stores, vault: Some(vault), told: UNHEARD };
        placer
            .place(&Placement {
                account,
                destination: draft.destination,
                opened: &opened,
                replace: Replace::Everything,
                // It was tried a moment ago. One that its owner has to prove is tried once more, with the token.
                test: Test::Untried,
            })
            .await
    }
}

#[cfg(test)]
impl Draft {
    /// For templates that are rendered in tests.
    pub(crate) fn sample(destination: Destination) -> Self {
        Self { destination, sealed: Vec::new(), principal: "portal_user:u1".to_owned(), revision: 1 }
    }
}
