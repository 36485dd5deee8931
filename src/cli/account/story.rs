//! `auditferry account show --at`

use crate::cli::service::Service;
use crate::cli::{CliResult, output};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::when::When;

pub(super) async fn show(service: &dyn Service, id: &AccountId, when: When, json: bool) -> CliResult {
    let story = service.story(id, when).await?;
    if json {
        output::json(&story);
        return Ok(());
    }
    if let Some(note) = &story.note {
        output::line(format!("Note: {note}."));
    }
    for sentence in &story.told {
        output::line(sentence);
    }
    output::line("");
    output::facts(&[("means", story.meaning), ("to do", story.to_do)]);
    Ok(())
}
