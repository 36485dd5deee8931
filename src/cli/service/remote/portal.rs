//! Links to the portal, asked of a server.

use serde_json::json;

use super::{Remote, lost};
use crate::cli::CliError;
use crate::cli::service::Answer;
use crate::client::{Asked, Seen};
use crate::operations::portal::{CreatedLink, NewLink};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::portal::PortalSession;

impl Remote {
    pub(super) async fn created_portal_link(
        &self,
        account: &AccountId,
        new: &NewLink,
    ) -> Answer<CreatedLink> {
        let path = ["accounts", account.as_str(), "portal-sessions"];
        let made = self.client.change(Asked::post(&path).body(&json!(new)).about(account)).await?;
        let created: Option<CreatedLink> = made.answer()?;
        match created {
            Some(created) if created.url.is_some() => Ok(created),
            // Nobody knows the token: the answer with it was lost.
            Some(CreatedLink { session, .. }) => Err(CliError::Failed(format!(
                "the link {id} was made, and the answer with its token was lost; it waits for nobody, make another",
                id = session.id
            ))),
            None => Err(lost("the link was made", "portal ls ACCOUNT")),
        }
    }

    pub(super) async fn listed_portal_sessions(
        &self,
        account: &AccountId,
        limit: u32,
    ) -> Answer<Vec<PortalSession>> {
        let path = ["accounts", account.as_str(), "portal-sessions"];
        Ok(self.client.read(Asked::get(&path).with("limit", &limit).about(account)).await?)
    }

    pub(super) async fn revoked_portal_session(&self, account: &AccountId, id: &str) -> Answer<String> {
        let known = self.listed_portal_sessions(account, 200).await?.into_iter().find(|one| one.id == id);
        let path = ["accounts", account.as_str(), "portal-sessions", id];
        self.client.change(Asked::delete(&path, Seen::Nothing).about(account)).await?;
        Ok(known.map(|session| session.actor.email).unwrap_or_default())
    }
}
