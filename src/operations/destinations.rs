//! Setting an account's one destination: it is tried first, and nothing is changed when it does not work.

use jiff::Timestamp;

use super::admin::{Admin, AdminError};
use super::differences::beside_credentials;
use crate::destinations::cache::StoreCache;
use crate::destinations::probe::{Examination, Listener, Trial, examine};
use crate::destinations::proof::Challenge;
use crate::destinations::vault::Vault;
use crate::ledger::NewProof;
use crate::secrets::Opened;
use crate::secrets::keys::{KeyError, SealedSecret};
use crate::store::OpenError;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::Destination;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// Whether a destination is tried before it is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// With an empty object, as an export would use it.
    Tried,
    /// Its secrets are read, and nothing is sent.
    Untried,
    /// Its secrets are only there where the worker runs.
    SecretsElsewhere,
}

/// What may happen to a destination that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replace {
    /// Nothing: a second one is refused.
    No,
    /// Its credentials may change.
    Credentials,
    /// All of it may change.
    Everything,
}

/// A destination about to be set.
pub struct Placement<'a> {
    /// The account that gets it.
    pub account: &'a AccountId,
    /// The destination.
    pub destination: Destination,
    /// Its secrets that are to be sealed, in the clear.
    pub opened: &'a Opened,
    /// What it may replace.
    pub replace: Replace,
    /// Whether it is tried.
    pub test: Test,
}

/// What became of a destination.
pub struct Placed {
    /// As it is now, with what auditferry added.
    pub destination: Destination,
    /// What was in force before.
    pub before: Option<Destination>,
    /// Its version.
    pub version: u64,
    /// With which key its secrets are sealed, if they are.
    pub sealed_with: Option<String>,
    /// When its credentials end, if that is known.
    pub credentials_end: Option<Timestamp>,
    /// What its owner has to prove before it is in force.
    pub awaits: Option<NewProof>,
    /// How it was tried, if it was.
    pub examination: Option<Examination>,
}

/// Why a destination was not set.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Refused, or a database failed.
    #[error(transparent)]
    Admin(#[from] AdminError),
    /// It cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no key, or it failed.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// It was tried and does not work.
    #[error("the destination does not accept objects")]
    Fails(Box<(Destination, Examination)>),
}

/// Sets destinations.
pub struct Placer<'a> {
    /// Support's operations.
    pub admin: &'a Admin,
    /// Who asks, and why.
    pub by: &'a By,
    /// How stores are opened.
    pub stores: &'a StoreCache,
    /// What seals secrets that are given.
    pub vault: Option<&'a Vault>,
    /// Who hears of the steps of a trial.
    pub told: Listener<'a>,
}

/// That an account has no destination.
#[must_use]
pub fn no_destination(id: &AccountId) -> Refusal {
    let word = auditferry_core::text::shell::shell_word(id.as_str());
    Refusal::account(id, RefusalCode::NoDestination, "it has no destination")
        .fix(format!("give it one with `auditferry destination set {word} …`"))
}

impl Admin {
    /// The account's destination.
    ///
    /// # Errors
    /// When it has none.
    pub async fn destination(&self, id: &AccountId) -> Result<Destination, AdminError> {
        self.ledger.destination(id).await?.ok_or_else(|| no_destination(id).into())
    }

    /// That all in which a destination differs from the one in force may change.
    ///
    /// # Errors
    /// When there is one and `replace` does not go so far; the refusal names the differences.
    pub fn check_replacement(
        &self,
        id: &AccountId,
        before: Option<&Destination>,
        after: &Destination,
        replace: Replace,
    ) -> Result<(), AdminError> {
        self.check_destination(id, before, replace != Replace::No)?;
        let Some(told) = before.and_then(|before| beside_credentials(before, after)) else { return Ok(()) };
        if replace == Replace::Everything {
            return Ok(());
        }
        let problem = format!("more than its credentials would change ({told})");
        Err(Refusal::account(id, RefusalCode::DifferencesNotAccepted, problem)
            .fix(
                "add --yes if all of it is meant, give the options that are to stay, or change the credentials alone \
                 with `auditferry destination rotate`",
            )
            .into())
    }
}

impl Placer<'_> {
    /// Sets a destination, or lets it wait for the proof of its owner.
    ///
    /// # Errors
    /// When it cannot be right, may not take the place of what there is, or does not work.
    pub async fn place(&self, new: &Placement<'_>) -> Result<Placed, PlaceError> {
        let Self { admin, by, stores, .. } = *self;
        let (id, replace) = (new.account, new.replace != Replace::No);
        let destination = admin.completed(id, new.destination.clone()).await?;
        destination.validate().map_err(AdminError::from)?;
        admin.check_format(id, &destination).await?;
        let before = admin.ledger.destination(id).await.map_err(AdminError::from)?;
        admin.check_end(&destination)?;
        admin.check_replacement(id, before.as_ref(), &destination, new.replace)?;
        let asks = admin.asks_for_proof(id, &destination).await?;
        if asks && new.test == Test::SecretsElsewhere {
            let problem = "the worker's own identity is used, and its owner has to prove the bucket theirs, for which a \
                           token is written there now";
            let refusal = Refusal::account(id, RefusalCode::ProofNeeded, problem)
                .fix("run this where the worker runs, without --skip-secrets");
            return Err(AdminError::from(refusal).into());
        }
        let (mut end, mut examination, mut challenge) = (None, None, None);
        if new.test != Test::SecretsElsewhere {
            end = stores.open_given(id, &destination, new.opened).await?.credentials_end();
            let (trial, written);
            if asks {
                written = Challenge::new(&destination.prefix)?;
                let object = written.object(id);
                trial = Some(self.tried(new, &destination, Trial::Left(&object)).await?);
                challenge = Some(written);
            } else if new.test == Test::Tried {
                trial = Some(self.tried(new, &destination, Trial::Removed).await?);
            } else {
                trial = None;
            }
            examination = trial;
        }
        let sealed = match self.vault {
            Some(vault) => vault.seal(id, &destination, new.opened).await?,
            None => Vec::new(),
        };
        let awaits = challenge.map(|challenge| challenge.asked(admin.clock.now()));
        let version = match &awaits {
            Some(asked) => admin.await_proof(by, id, &destination, &sealed, replace, asked).await?,
            None => admin.set_destination(by, id, &destination, &sealed, replace).await?,
        };
        let ledger = |error| PlaceError::Admin(AdminError::Ledger(error));
        if end.is_some() {
            admin.ledger.note_credentials_end(id, version, end).await.map_err(ledger)?;
        }
        Ok(Placed {
            credentials_end: admin.ledger.credentials_end(id).await.map_err(ledger)?,
            sealed_with: sealed.into_iter().next().map(|SealedSecret { wrapped, .. }| wrapped.key),
            destination,
            before,
            version,
            awaits,
            examination,
        })
    }

    async fn tried(
        &self,
        new: &Placement<'_>,
        destination: &Destination,
        trial: Trial<'_>,
    ) -> Result<Examination, PlaceError> {
        let tried = examine(self.stores, new.account, destination, Some(new.opened), trial, self.told).await;
        if tried.report.is_err() {
            return Err(PlaceError::Fails(Box::new((destination.clone(), tried))));
        }
        Ok(tried)
    }
}
