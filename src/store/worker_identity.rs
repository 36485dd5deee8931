//! The worker's own identity at Azure and Google: its tokens, which all destinations share, and the hosts that
//! may see them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::{Client, Url};

use super::OpenError;
use super::token::Tokens;
use crate::settings::{GoogleSettings, WorkerIdentitySettings};

/// For how many identities tokens are kept at most.
const CAPACITY: usize = 1_024;

/// Which tokens of the worker's own.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum WorkerToken {
    /// Of the machine on Azure, or of another identity that it was given.
    AzureMachine(Option<String>),
    /// Of the pod on Azure, as an application in a tenant.
    AzurePod { tenant_id: String, client_id: String },
    /// Of the worker at Google, for a scope.
    Google(&'static str),
}

/// The worker's own identity; clones are the same one.
#[derive(Clone)]
pub(super) struct WorkerIdentity(pub(super) Arc<Inner>);

pub(super) struct Inner {
    pub(super) settings: WorkerIdentitySettings,
    /// Dials whatever it is told, as metadata services are inside: only this module has it, and no
    /// endpoint of a customer gets here.
    pub(super) http: Client,
    kept: Mutex<HashMap<WorkerToken, Arc<Tokens>>>,
}

impl WorkerIdentity {
    /// Asks nothing yet.
    pub(super) fn new(settings: WorkerIdentitySettings) -> Result<Self, reqwest::Error> {
        let http = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build()?;
        Ok(Self(Arc::new(Inner { settings, http, kept: Mutex::default() })))
    }

    /// What the operator says of Google.
    pub(super) fn google(&self) -> &GoogleSettings {
        &self.0.settings.google
    }

    /// The tokens of a name, which thousands of destinations may share: a metadata service that is
    /// asked once for each of them throttles.
    pub(super) fn shared(&self, name: WorkerToken, make: impl FnOnce() -> Tokens) -> Arc<Tokens> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= CAPACITY && !kept.contains_key(&name) {
            kept.clear();
        }
        Arc::clone(kept.entry(name).or_insert_with(|| Arc::new(make())))
    }

    /// That an endpoint may see a token of the worker's own, which is good for every bucket that lets
    /// the worker in. `is_clouds`: whether a host is the cloud's own.
    ///
    /// # Errors
    /// When it is neither the cloud's own, with TLS, nor one that the operator names.
    pub(super) fn may_see_tokens(
        &self,
        endpoint: &Url,
        is_clouds: impl FnOnce(&str) -> bool,
    ) -> Result<(), OpenError> {
        let host = endpoint.host_str().unwrap_or_default();
        let clouds = endpoint.scheme() == "https" && endpoint.port().is_none() && is_clouds(host);
        if clouds || self.0.settings.token_hosts.iter().any(|allowed| allowed.is_of(endpoint)) {
            return Ok(());
        }
        Err(OpenError::Malformed {
            field: "endpoint",
            problem: format!(
                "it would get an access token of the worker's own, and {host} is not the cloud's own service over https"
            ),
            fix: "use the cloud's own, or let the operator add the host to credentials.token_hosts",
        })
    }
}
