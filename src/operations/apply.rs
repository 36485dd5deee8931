//! What makes the ledger as an exports file says: the changes, worked out before any is made.

use std::collections::{BTreeMap, BTreeSet};

use super::admin::{Admin, AdminError};
use super::destinations::{PlaceError, Placed, Placement, Placer, Replace, Test};
use super::differences::differences;
use super::exports::Export;
use super::safety::{self, Sweep};
use crate::destinations::cache::StoreCache;
use crate::ledger::{Account, ExportOptions, LedgerError};
use crate::notifications::look::tell_refused;
use crate::secrets::Opened;
use crate::settings::ExportDefaults;
use crate::store::OpenError;
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange, AddOnState};
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::Destination;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// One change that makes the ledger as the file says.
pub enum Change {
    /// An account that is not there yet.
    Add(Box<Export>, ExportOptions),
    /// Other options, and which of them differ.
    Options(AccountId, ExportOptions, Vec<String>),
    /// Another destination.
    Destination(Box<NewDestination>),
    /// Another add-on.
    AddOn(AccountId, AddOn),
    /// An account that the file does not declare.
    Remove(AccountId),
}

/// A destination that is to be set.
pub struct NewDestination {
    /// The account that gets it.
    pub account: AccountId,
    /// The destination, with what auditferry added.
    pub destination: Destination,
    /// In what it differs from the one in force, for a person.
    pub what: String,
    /// Whether its owner has to prove it theirs before it is in force.
    pub needs_proof: bool,
}

/// What an export declares, once it is checked.
struct Checked<'a> {
    export: &'a Export,
    options: ExportOptions,
    /// The destination, and whether its owner has to prove it theirs.
    destination: Option<(Destination, bool)>,
}

/// The changes of a file, and what was left out of them.
#[derive(Default)]
pub struct Plan {
    /// In the order in which they are made.
    pub changes: Vec<Change>,
    /// Destinations that wait for the proof of their owner already.
    pub awaiting: Vec<(AccountId, Destination)>,
}

/// Why a file cannot be applied; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// What an export declares is refused, or a database failed.
    #[error("account {0}: {1}")]
    Export(AccountId, #[source] AdminError),
    /// What an export declares contradicts the ledger; the message names the account.
    #[error(transparent)]
    Ledger(#[from] AdminError),
    /// A destination cannot be opened here.
    #[error("account {0}: {1}")]
    Open(AccountId, #[source] OpenError),
}

impl ApplyError {
    /// Whether the file is wrong, rather than a database unreachable.
    #[must_use]
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Export(_, error) | Self::Ledger(error) => error.is_usage(),
            Self::Open(..) => true,
        }
    }
}

impl From<LedgerError> for ApplyError {
    fn from(error: LedgerError) -> Self {
        Self::Ledger(error.into())
    }
}

/// Applies exports files.
pub struct Applier<'a> {
    /// Support's operations.
    pub admin: &'a Admin,
    /// How stores are opened.
    pub stores: &'a StoreCache,
    /// What holds where an export says nothing.
    pub defaults: &'a ExportDefaults,
    /// Whether the secrets are only there where the worker runs.
    pub skip_secrets: bool,
    /// Which share of the accounts may be stopped at once, see [`safety::allow`].
    pub max_share: f64,
}

impl Applier<'_> {
    /// What is to be changed; all of it is checked. `prune`: accounts that are not declared are removed.
    ///
    /// # Errors
    /// The first export that cannot be right.
    pub async fn plan(&self, declared: &[Export], prune: bool) -> Result<Plan, ApplyError> {
        let mut checked = Vec::with_capacity(declared.len());
        for export in declared {
            checked.push(self.check(export).await?);
        }
        let mut plan = Plan::default();
        for export in checked {
            self.add(&mut plan, export).await?;
        }
        if prune {
            let names: BTreeSet<&AccountId> = declared.iter().map(|export| &export.account).collect();
            let all = self.admin.all_accounts().await?.into_iter();
            plan.changes.extend(all.filter(|a| !names.contains(&a.id)).map(|a| Change::Remove(a.id)));
        }
        Ok(plan)
    }

    /// Tells the operator that changes were refused which would have stopped many accounts.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn tell_refused(&self, why: &AdminError) -> Result<(), AdminError> {
        Ok(tell_refused(&*self.admin.ledger, &why.to_string()).await?)
    }

    /// That changes may be made together. `confirmed`: how many accounts a person has said that they stop.
    ///
    /// # Errors
    /// When they would disable or remove many accounts, and that was not confirmed; or when the ledger fails.
    pub async fn allow(&self, changes: &[Change], confirmed: Option<u64>) -> Result<(), AdminError> {
        // By account, whether it is removed.
        let mut stopped: BTreeMap<&AccountId, bool> = BTreeMap::new();
        for change in changes {
            match change {
                Change::Remove(id) => drop(stopped.insert(id, true)),
                Change::AddOn(id, addon) if !addon.enabled => drop(stopped.insert(id, false)),
                _ => {}
            }
        }
        if stopped.len() < safety::FEW && confirmed.is_none() {
            return Ok(());
        }
        let now = self.admin.clock.now();
        let mut sweep = Sweep::default();
        for account in self.admin.all_accounts().await? {
            let active = account.addon.state(now) == AddOnState::Active;
            sweep.accounts += 1;
            sweep.active += usize::from(active);
            // One that was disabled before is not stopped again.
            if stopped.get(&account.id).is_some_and(|removed| *removed || account.addon.enabled) {
                sweep.stopped_active += usize::from(active);
                sweep.stopped.push(account.id);
            }
        }
        safety::allow(&sweep, self.max_share, confirmed).map_err(|refusal| {
            tracing::warn!(stopped = sweep.stopped.len(), accounts = sweep.accounts, %refusal, "a step is refused");
            refusal.into()
        })
    }

    async fn check<'e>(&self, export: &'e Export) -> Result<Checked<'e>, ApplyError> {
        let of = |error: AdminError| ApplyError::Export(export.account.clone(), error);
        let options = self.admin.checked(&export.options(self.defaults)).map_err(of)?;
        let Some(destination) = &export.destination else {
            let current = match self.admin.ledger.destination(&export.account).await {
                Err(LedgerError::NoAccount(_)) => None,
                known => known?,
            };
            if let Some(current) = current {
                current.admits(&options.format, &export.account).map_err(|refusal| of(refusal.into()))?;
            }
            return Ok(Checked { export, options, destination: None });
        };
        let destination = self.admin.completed(&export.account, destination.clone()).await.map_err(of)?;
        destination.validate().map_err(|error| of(error.into()))?;
        let format = &options.format;
        destination.admits(format, &export.account).map_err(|refusal| of(refusal.into()))?;
        let asks = self.admin.asks_for_proof(&export.account, &destination).await.map_err(of)?;
        if !self.skip_secrets {
            let opened = self.stores.open_given(&export.account, &destination, &Opened::default()).await;
            opened.map_err(|error| ApplyError::Open(export.account.clone(), error))?;
        } else if asks {
            let problem = "the worker's own identity is used, and its owner has to prove the bucket theirs, for which a \
                           token is written there";
            return Err(of(Refusal::field("destination", RefusalCode::ProofNeeded, problem)
                .fix("apply the file where the worker runs, without --skip-secrets")
                .into()));
        }
        Ok(Checked { export, options, destination: Some((destination, asks)) })
    }

    async fn add(&self, plan: &mut Plan, checked: Checked<'_>) -> Result<(), ApplyError> {
        let Checked { export, options, destination } = checked;
        let id = &export.account;
        let of = |error: AdminError| ApplyError::Export(id.clone(), error);
        let account = match self.admin.ledger.account(id).await {
            Ok(account) => Some(account),
            Err(LedgerError::NoAccount(_)) => None,
            Err(error) => return Err(error.into()),
        };
        if let Some(account) = &account {
            self.admin.check_schedule(account, &options.schedule)?;
            let what = options_difference(account, &options);
            if !what.is_empty() {
                plan.changes.push(Change::Options(id.clone(), options, what));
            }
        } else {
            let refused = |error: auditferry_core::model::account::AccountIdError| {
                of(Refusal::new(RefusalCode::InvalidAccountId, error.to_string()).into())
            };
            id.check_new().map_err(refused)?;
            plan.changes.push(Change::Add(Box::new(export.clone()), options));
        }
        if let Some((destination, needs_proof)) = destination {
            self.add_destination(plan, id, destination, needs_proof, account.is_some()).await?;
        }
        let addon = account.map(|account| account.addon).unwrap_or_default();
        if let Some(wanted) = export.addon.as_ref().filter(|wanted| **wanted != addon) {
            self.admin.check_addon(wanted).map_err(of)?;
            plan.changes.push(Change::AddOn(id.clone(), wanted.clone()));
        }
        Ok(())
    }

    async fn add_destination(
        &self,
        plan: &mut Plan,
        id: &AccountId,
        wanted: Destination,
        needs_proof: bool,
        exists: bool,
    ) -> Result<(), ApplyError> {
        let admin = self.admin;
        let current = if exists { admin.ledger.destination(id).await? } else { None };
        let mut what = match current {
            Some(current) if current == wanted => return Ok(()),
            Some(current) => {
                let told: Vec<String> =
                    differences(&current, &wanted).iter().map(ToString::to_string).collect();
                let told = told.join("; ");
                if current.to_string() == wanted.to_string() {
                    format!("{wanted} ({told})")
                } else {
                    format!("{current} -> {wanted} ({told})")
                }
            }
            None => wanted.to_string(),
        };
        // Only now: what is set already may well end while the file stays as it is.
        admin.check_end(&wanted).map_err(|error| ApplyError::Export(id.clone(), error))?;
        if needs_proof {
            let awaited = admin.ledger.awaited_proof(id).await?;
            let now = admin.clock.now();
            if awaited.is_some_and(|awaited| awaited.destination == wanted && !awaited.is_late(now)) {
                plan.awaiting.push((id.clone(), wanted));
                return Ok(());
            }
            what.push_str(", once its owner has proved it theirs");
        }
        let new = NewDestination { account: id.clone(), destination: wanted, what, needs_proof };
        plan.changes.push(Change::Destination(Box::new(new)));
        Ok(())
    }

    /// Makes one of the changes, in a transaction of its own. What became of a destination, if it was one.
    ///
    /// # Errors
    /// When it is refused, or a database fails.
    pub async fn make(&self, by: &By, change: &Change) -> Result<Option<Placed>, PlaceError> {
        let admin = self.admin;
        match change {
            Change::Add(export, options) => {
                admin.add_account(by, &export.account, options, export.start).await?;
            }
            Change::Options(id, options, _) => {
                // The destination that the file has beside them follows, and `check` has compared the two.
                admin.set_options_before_destination(by, id, options).await?;
            }
            Change::Destination(new) => {
                let placer = Placer { admin, by, stores: self.stores, vault: None, told: &|_| {} };
                let test = if self.skip_secrets { Test::SecretsElsewhere } else { Test::Untried };
                let new = Placement {
                    account: &new.account,
                    destination: new.destination.clone(),
                    opened: &Opened::default(),
                    replace: Replace::Everything,
                    test,
                };
                return placer.place(&new).await.map(Some);
            }
            Change::AddOn(id, addon) => {
                admin.set_addon(by, id, &AddOnChange::Declared(addon.clone()), None).await?;
            }
            Change::Remove(id) => admin.ledger.remove_account(by, id).await.map_err(AdminError::from)?,
        }
        Ok(None)
    }
}

/// The options that differ, each as `field old -> new`.
fn options_difference(account: &Account, wanted: &ExportOptions) -> Vec<String> {
    let mut what = Vec::new();
    if account.zone != wanted.zone {
        what.push(format!("zone {} -> {}", account.zone, wanted.zone));
    }
    if account.schedule != wanted.schedule {
        what.push(format!("schedule \"{}\" -> \"{}\"", account.schedule, wanted.schedule));
    }
    let (was, wanted) = (serde_json::json!(account.format), serde_json::json!(wanted.format));
    if let (Some(was), Some(wanted)) = (was.as_object(), wanted.as_object()) {
        for (key, value) in wanted {
            let old = was.get(key).unwrap_or(&serde_json::Value::Null);
            if old != value {
                what.push(format!("{key} {old} -> {value}"));
            }
        }
    }
    what
}
