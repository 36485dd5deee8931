//! The sealed secrets of the ledger, and the keys that open them.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::{HeldSecret, Ledger, LedgerError};
use crate::secrets::keys::{Binding, KeyError, KeyRing, SealedSecret};
use crate::secrets::{Opened, SecretError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::{Destination, SealedId, SecretRef};
use auditferry_core::text::count::counted;

mod channels;

/// How many secrets are read at once.
const PAGE: u32 = 100;

/// Why sealed secrets cannot be worked on.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The ledger failed.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A key is missing or wrong.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The ledger's secrets need keys that are not there.
    #[error(
        "keys.ring: the ledger holds {}, which is not in keys.ring (it has {}); add it there under that very id \
         (ID=file:PATH, ID=env:NAME or ID=aws-kms:ARN), or set those destinations again",
        sealed(.needed),
        if .ring.is_empty() { "no key".to_owned() } else { .ring.join(", ") }
    )]
    Missing {
        /// The ids of the keys that the ledger needs, and how many secrets each sealed.
        needed: Vec<(String, u64)>,
        /// The ids that `keys.ring` has.
        ring: Vec<String>,
    },
}

fn sealed(needed: &[(String, u64)]) -> String {
    let told = |(key, secrets): &(String, u64)| {
        let verb = if *secrets == 1 { "is" } else { "are" };
        format!("{} that {verb} sealed with key {key}", counted(*secrets, "secret"))
    };
    needed.iter().map(told).collect::<Vec<_>>().join(" and ")
}

/// A key, and what it sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct KeyState {
    /// The key's id.
    pub key: String,
    /// Where it is; absent: it is not in `keys.ring`.
    pub source: Option<String>,
    /// Whether it seals new secrets.
    pub seals: bool,
    /// How many secrets it sealed.
    pub secrets: u64,
}

/// A secret that does not open.
#[derive(Debug)]
pub struct Closed {
    /// Whose it is: an account, or a channel of notifications.
    pub whose: String,
    /// The random id by which the destination refers to it.
    pub id: SealedId,
    /// Why its key does not open it.
    pub error: KeyError,
}

/// The ledger's sealed secrets, with the keys of this process.
#[derive(Clone)]
pub struct Vault {
    ledger: Arc<dyn Ledger>,
    keys: Arc<KeyRing>,
}

impl Vault {
    /// The secrets of a ledger and the keys to them.
    #[must_use]
    pub fn new(ledger: Arc<dyn Ledger>, keys: Arc<KeyRing>) -> Self {
        Self { ledger, keys }
    }

    /// Opens the sealed secrets of an account's destination.
    ///
    /// # Errors
    /// When one is not there or does not open.
    pub async fn open(&self, account: &AccountId, destination: &Destination) -> Result<Opened, SecretError> {
        let mut opened = Opened::default();
        for (field, reference) in destination.secrets() {
            let SecretRef::Sealed(id) = reference else { continue };
            let closed = |problem: String, passes| SecretError::Sealed { id: id.clone(), problem, passes };
            let row = self.ledger.sealed_secret(account, id).await;
            let sealed = row.map_err(|error| closed(error.to_string(), true))?.ok_or_else(|| {
                closed("the ledger does not hold it; set the destination again".to_owned(), false)
            })?;
            let binding = Binding::new(account, destination, field, id);
            let secret = self.keys.open(&sealed, &binding).await;
            opened.insert(id.clone(), secret.map_err(|error| closed(error.to_string(), error.passes()))?);
        }
        Ok(opened)
    }

    /// Remembers when the credentials of a destination end, as they say themselves. Failing
    /// is no harm: it is learned again when they are opened again.
    pub async fn note_credentials_end(&self, account: &AccountId, version: u64, end: Option<Timestamp>) {
        if let Err(error) = self.ledger.note_credentials_end(account, version, end).await {
            tracing::warn!(account = %account, error = %error, "the end of the credentials is not stored");
        }
    }

    /// Seals the secrets of a destination that are given in the clear.
    ///
    /// # Errors
    /// When there is no key.
    pub async fn seal(
        &self,
        account: &AccountId,
        destination: &Destination,
        given: &Opened,
    ) -> Result<Vec<SealedSecret>, KeyError> {
        let mut sealed = Vec::new();
        for (field, reference) in destination.secrets() {
            let SecretRef::Sealed(id) = reference else { continue };
            if let Some(secret) = given.get(id) {
                let binding = Binding::new(account, destination, field, id);
                sealed.push(self.keys.seal(id, secret, &binding).await?);
            }
        }
        Ok(sealed)
    }

    /// Opens secrets of a destination that is not in the ledger, as [`Self::seal`] has sealed them.
    ///
    /// # Errors
    /// When one is not there or does not open.
    pub async fn unseal(
        &self,
        account: &AccountId,
        destination: &Destination,
        sealed: &[SealedSecret],
    ) -> Result<Opened, SecretError> {
        let mut opened = Opened::default();
        for (field, reference) in destination.secrets() {
            let SecretRef::Sealed(id) = reference else { continue };
            let closed = |problem: String, passes| SecretError::Sealed { id: id.clone(), problem, passes };
            let found = sealed.iter().find(|sealed| sealed.id == *id);
            let found = found.ok_or_else(|| closed("it is not there".to_owned(), false))?;
            let binding = Binding::new(account, destination, field, id);
            let secret = self.keys.open(found, &binding).await;
            opened.insert(id.clone(), secret.map_err(|error| closed(error.to_string(), error.passes()))?);
        }
        Ok(opened)
    }

    /// Every key of the settings and of the ledger.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn states(&self) -> Result<Vec<KeyState>, LedgerError> {
        let mut uses = self.ledger.key_uses().await?;
        let mut states = Vec::new();
        for (key, source) in self.keys.sources() {
            let at = uses.iter().position(|used| used.key == key);
            let secrets = at.map_or(0, |at| uses.swap_remove(at).secrets);
            let seals = self.keys.active() == Some(key);
            states.push(KeyState { key: key.to_owned(), source: Some(source.to_owned()), seals, secrets });
        }
        uses.sort_by(|a, b| a.key.cmp(&b.key));
        states.extend(uses.into_iter().map(|used| KeyState {
            key: used.key,
            source: None,
            seals: false,
            secrets: used.secrets,
        }));
        Ok(states)
    }

    /// That every secret has its key.
    ///
    /// # Errors
    /// The keys that are missing.
    pub async fn check(&self) -> Result<(), VaultError> {
        let states = self.states().await?;
        let missing = states.iter().filter(|state| state.source.is_none());
        let needed: Vec<_> = missing.map(|state| (state.key.clone(), state.secrets)).collect();
        if needed.is_empty() {
            return Ok(());
        }
        let ring = states.into_iter().filter(|state| state.source.is_some()).map(|state| state.key);
        Err(VaultError::Missing { needed, ring: ring.collect() })
    }

    /// Opens every secret. Returns how many open, and those that do not.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn try_all(&self) -> Result<(u64, Vec<Closed>), LedgerError> {
        let (mut open, mut closed) = (0, Vec::new());
        let mut after = None;
        loop {
            let page = self.ledger.sealed_secrets(after.as_ref(), None, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.account.clone(), last.secret.id.clone()));
            for held in page {
                match self.keys.open(&held.secret, &binding(&held)).await {
                    Ok(_) => open += 1,
                    Err(error) => {
                        let whose = format!("account {}", held.account);
                        closed.push(Closed { whose, id: held.secret.id, error });
                    }
                }
            }
        }
        self.try_channels(&mut open, &mut closed).await?;
        Ok((open, closed))
    }

    /// Wraps every data key with the key that seals now, while workers go on; what another
    /// process changed meanwhile is left to it. `step` hears of each secret.
    ///
    /// # Errors
    /// When there is no key, or one does not open what it must. What was done stays done, and
    /// the next run goes on from there.
    pub async fn rotate(&self, by: &By, step: &mut (dyn FnMut() + Send)) -> Result<u64, VaultError> {
        let active = self.keys.active().ok_or(KeyError::NoKey)?;
        let mut rewrapped = 0;
        let mut after = None;
        loop {
            let page = self.ledger.sealed_secrets(after.as_ref(), Some(active), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some((last.account.clone(), last.secret.id.clone()));
            for held in &page {
                let (id, from) = (&held.secret.id, &held.secret.wrapped);
                let to = self.keys.rewrap(from, &binding(held)).await?;
                rewrapped += u64::from(self.ledger.rewrap(by, &held.account, id, from, &to).await?);
                step();
            }
        }
        Ok(rewrapped + self.rotate_channels(by, active, step).await?)
    }
}

/// Where a secret of the ledger belongs; one to which its destination does not refer
/// belongs nowhere, and does not open.
fn binding(held: &HeldSecret) -> Binding {
    let wanted = SecretRef::Sealed(held.secret.id.clone());
    let secrets = held.destination.secrets();
    let field = secrets.iter().find(|(_, reference)| **reference == wanted).map_or("", |(field, _)| field);
    Binding::new(&held.account, &held.destination, field, &held.secret.id)
}
