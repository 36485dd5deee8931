//! Open stores, kept so that connections are used again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use crate::destinations::vault::Vault;
use crate::ledger::OpenWindow;
use crate::secrets::Opened;
use crate::store::{self, Dialer, OpenError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::Destination;
use auditferry_core::store::Store;

/// Most stores that are kept open.
const CAPACITY: usize = 1_024;

/// An account's open store, and the version of the destination that it is.
type OpenStores = HashMap<AccountId, (u64, Arc<dyn Store>)>;

/// One open store per account, of the newest version of its destination that was used.
pub struct StoreCache {
    open: Mutex<OpenStores>,
    allow_ambient: HashSet<AccountId>,
    dialer: Dialer,
    vault: Option<Vault>,
}

impl StoreCache {
    /// An empty cache. `allow_ambient`: the accounts that may use the worker's own identity.
    #[must_use]
    pub fn new(allow_ambient: impl IntoIterator<Item = AccountId>, dialer: Dialer) -> Self {
        Self {
            open: Mutex::default(),
            allow_ambient: allow_ambient.into_iter().collect(),
            dialer,
            vault: None,
        }
    }

    /// The same, for destinations whose secrets the ledger holds too. Without a vault only
    /// those open that refer to their secrets.
    #[must_use]
    pub fn with_vault(self, vault: Vault) -> Self {
        Self { vault: Some(vault), ..self }
    }

    /// How stores are reached.
    #[must_use]
    pub fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    /// The store of a window's destination.
    ///
    /// # Errors
    /// When a secret is missing or malformed.
    pub async fn open(&self, open: &OpenWindow) -> Result<Arc<dyn Store>, OpenError> {
        let OpenWindow { window, destination, credentials_end, .. } = open;
        let version = window.destination_version;
        if let Some((known, store)) = self.lock().get(&window.account)
            && *known == version
        {
            return Ok(Arc::clone(store));
        }
        let store = self.open_new(&window.account, destination).await?;
        let end = store.credentials_end();
        if let Some(vault) = &self.vault
            && end.into_iter().chain(destination.expires).min() != *credentials_end
        {
            vault.note_credentials_end(&window.account, version, end).await;
        }
        let mut open = self.lock();
        if open.len() >= CAPACITY {
            open.clear();
        }
        open.insert(window.account.clone(), (version, Arc::clone(&store)));
        Ok(store)
    }

    /// Opens a destination of the ledger without keeping it.
    ///
    /// # Errors
    /// As [`StoreCache::open`].
    pub async fn open_new(
        &self,
        account: &AccountId,
        destination: &Destination,
    ) -> Result<Arc<dyn Store>, OpenError> {
        let opened = match &self.vault {
            Some(vault) => vault.open(account, destination).await?,
            None => Opened::default(),
        };
        self.open_any(account, destination, &opened).await
    }

    /// Opens a destination that is not in the ledger yet, with its secrets in the clear.
    ///
    /// # Errors
    /// As [`StoreCache::open`].
    pub async fn open_given(
        &self,
        account: &AccountId,
        destination: &Destination,
        given: &Opened,
    ) -> Result<Arc<dyn Store>, OpenError> {
        let store = self.open_any(account, destination, given).await?;
        // One that is in the ledger goes on as it did, and a person is told by a probe.
        match store.misplaced() {
            Some(refused) => Err(refused.into()),
            None => Ok(store),
        }
    }

    async fn open_any(
        &self,
        account: &AccountId,
        destination: &Destination,
        given: &Opened,
    ) -> Result<Arc<dyn Store>, OpenError> {
        store::open(destination, given, self.allow_ambient.contains(account), &self.dialer).await
    }

    /// Forgets an account's store, so that its secrets are read again: a key that was
    /// rotated in its file or its environment counts from the next try.
    pub fn forget(&self, account: &AccountId) {
        self.lock().remove(account);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, OpenStores> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
