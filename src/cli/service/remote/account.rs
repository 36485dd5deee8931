//! What accounts on a server are looked at and changed with.

use serde_json::json;

use super::Remote;
use crate::cli::service::{Changed, OptionPatch};
use crate::client::{Asked, ClientError, Made, Tagged};
use crate::ledger::ExportOptions;
use crate::operations::explanation::Explanation;
use crate::operations::timeline::Timeline;
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::start::Start;

impl Remote {
    pub(super) async fn explanation(&self, id: &AccountId) -> Result<Tagged<Explanation>, ClientError> {
        self.client.look(Asked::get(&["accounts", id.as_str()]).about(id)).await
    }

    pub(super) async fn timeline(&self, id: &AccountId) -> Result<Timeline, ClientError> {
        self.client.read(Asked::get(&["accounts", id.as_str(), "slots"]).about(id)).await
    }

    pub(super) async fn changed(&self, id: &AccountId) -> Result<Changed, ClientError> {
        let shown = self.explanation(id).await?.value;
        Ok(Changed {
            next: self.timeline(id).await?.next,
            zone: shown.zone,
            schedule: shown.schedule,
            until: shown.addon_until,
            has_destination: shown.destination.is_some(),
        })
    }

    /// Lets something be done with an account.
    pub(super) async fn act(&self, id: &AccountId, what: &str) -> Result<Made, ClientError> {
        self.client.change(Asked::post(&["accounts", id.as_str(), what]).about(id)).await
    }

    pub(super) async fn put_options(&self, id: &AccountId, patch: &OptionPatch) -> Result<(), ClientError> {
        let Tagged { value, seen } = self.explanation(id).await?;
        let Explanation { zone, schedule, format, .. } = value;
        let options = patch.over(ExportOptions { zone, schedule, format });
        let mut body = json!(options.format);
        body["zone"] = options.zone.into();
        body["schedule"] = options.schedule.into();
        self.client.change(Asked::put(&["accounts", id.as_str()], seen).body(&body).about(id)).await?;
        Ok(())
    }

    pub(super) async fn put_addon(
        &self,
        id: &AccountId,
        change: &AddOnChange,
        from: Option<Start>,
    ) -> Result<(), ClientError> {
        let path = ["accounts", id.as_str(), "add-on"];
        let before: Tagged<AddOn> = self.client.look(Asked::get(&path).about(id)).await?;
        let mut body = json!(change.over(&before.value));
        if let Some(from) = from {
            body["from"] = json!(from);
        }
        self.client.change(Asked::put(&path, before.seen).body(&body).about(id)).await?;
        Ok(())
    }

    pub(super) async fn resumed(&self, id: &AccountId) -> Result<bool, ClientError> {
        let before = self.explanation(id).await?;
        let stopped = before.value.paused.is_some() || before.value.suspended_at.is_some();
        let resume = Asked::post(&["accounts", id.as_str(), "resume"]).if_still(before.seen);
        self.client.change(resume.about(id)).await?;
        Ok(stopped)
    }
}
