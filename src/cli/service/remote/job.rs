//! Jobs of a server, and waiting for their end.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::Remote;
use crate::cli::CliError;
use crate::cli::service::Answer;
use crate::client::{Asked, Problem};
use crate::operations::job_view::JobHead;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::job::JobState;

/// How often a job is looked at: at first, and at most.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(2);

impl Remote {
    /// Begins a job below an account (`kind`: `probes` or `replays`), and waits until it is done. `looked` is shown the
    /// job each time, and names what all jobs have.
    pub(super) async fn done<J: DeserializeOwned + Send>(
        &self,
        id: &AccountId,
        kind: &str,
        asked: Asked<'_>,
        mut looked: impl FnMut(&J) -> &JobHead + Send,
    ) -> Answer<J> {
        let made = self.client.change(asked.about(id)).await?;
        let begun: Option<J> = made.answer()?;
        let mut job = begun.ok_or_else(|| {
            CliError::Failed("it has begun, and the answer of the server was lost; run it again".to_owned())
        })?;
        let mut wait = FIRST_LOOK;
        loop {
            let head = looked(&job).clone();
            match head.state {
                JobState::Running => {}
                JobState::Done => return Ok(job),
                JobState::Failed => return Err(self.failed(id, head)),
                JobState::Interrupted => {
                    let server = self.client.server();
                    return Err(CliError::Failed(format!(
                        "{server} was stopped while it did this; run it again, and it goes on where it was"
                    )));
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LAST_LOOK);
            job = self.client.read(Asked::get(&["accounts", id.as_str(), kind, &head.id]).about(id)).await?;
        }
    }

    fn failed(&self, id: &AccountId, head: JobHead) -> CliError {
        let Some(problem) = head.problem else {
            return CliError::Failed("the server does not say why it failed".to_owned());
        };
        let problem = Problem {
            status: problem.status,
            code: problem.code,
            detail: problem.detail,
            field: problem.field,
            fix: problem.fix,
            probe: None,
            tries_left: None,
        };
        problem.told(self.client.server(), Some(id), None).into()
    }
}
