//! Replays on a server: a job does them there.

use serde_json::json;

use super::Remote;
use crate::cli::CliError;
use crate::cli::service::{Answer, Counted};
use crate::client::Asked;
use crate::operations::job_view::ReplayJob;
use crate::operations::replay::{Report, Request};
use auditferry_core::model::account::AccountId;

impl Remote {
    pub(super) async fn replayed(
        &self,
        id: &AccountId,
        request: &Request,
        counted: Counted<'_>,
    ) -> Answer<Report> {
        let asked = Asked::post(&["accounts", id.as_str(), "replays"]).body(&json!(request));
        let job: ReplayJob = self
            .done(id, "replays", asked, |job: &ReplayJob| {
                counted(job.objects, None);
                &job.head
            })
            .await?;
        job.result.ok_or_else(|| CliError::Failed("the replay has no result".to_owned()))
    }
}
