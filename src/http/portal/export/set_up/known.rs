//! What is known when the page is asked for: what is in force, what was there before, what is tested.

use std::time::Duration;

use jiff::Timestamp;

use crate::http::api::problem::Problem;
use crate::http::pages::parts::Clock;
use crate::http::portal::Portal;
use crate::http::portal::export::SET_UP;
use crate::http::portal::export::fields::{self, Cloud, How, Values};
use crate::http::portal::export::guide;
use crate::http::portal::visitor::Visitor;
use crate::operations::admin::AdminError;
use crate::operations::set_up::Tried;
use auditferry_core::model::destination::{Destination, trust};

/// How many earlier buckets are offered.
const EARLIER: u32 = 20;

/// How long it may take to find out who the worker is at AWS: the page does not wait for longer.
const CALLER_TIMEOUT: Duration = Duration::from_secs(3);

/// Everything that the page is made of.
pub(super) struct Known {
    pub(super) clock: Clock,
    pub(super) next_slot: Option<Timestamp>,
    pub(super) current: Option<Destination>,
    pub(super) earlier: Vec<(u64, Destination)>,
    pub(super) external_id: Option<String>,
    pub(super) tried: Option<Tried>,
    pub(super) choice: (Cloud, How),
    pub(super) by: guide::By,
    pub(super) values: Values,
    pub(super) suggested: String,
}

impl Known {
    /// Whether a secret of what is in force may stay.
    pub(super) fn keeps_secret(&self) -> bool {
        let current = self.current.as_ref().and_then(fields::of);
        current.is_some_and(|(cloud, how, _)| (cloud, how) == self.choice)
    }

    /// The address of the page with a cloud, a way into it, and a guide.
    pub(super) fn query(&self, (cloud, how): (Cloud, How), by: guide::By) -> String {
        let mut link =
            format!("{SET_UP}?cloud={}&how={}&guide={}", cloud.as_str(), how.as_str(), by.as_str());
        if let Some(tried) = self.tried.as_ref().filter(|_| (cloud, how) == self.choice) {
            link.push_str(&format!("&trial={}", tried.id));
        }
        link
    }
}

/// A name for a bucket, of an account's id.
pub(super) fn suggestion(account: &str) -> String {
    let plain: String = account
        .to_ascii_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .collect();
    let plain = plain.trim_matches('-');
    let plain: String = plain.chars().take(40).collect();
    format!("{}-audit-log", if plain.is_empty() { "acme" } else { plain.trim_matches('-') })
}

/// Reads it.
pub(super) async fn known(
    portal: &Portal,
    visitor: &Visitor,
    given: Option<(Cloud, How)>,
) -> Result<Known, Problem> {
    let api = &portal.sign_in.api;
    let id = visitor.account();
    let account = api.admin.ledger.account(id).await?;
    let zone = api.admin.zones.find(&account.zone).map_err(AdminError::from)?;
    let current = api.admin.ledger.destination(id).await?;
    let past = api.admin.ledger.past_destinations(id, EARLIER).await?;
    let external_id = api.admin.ledger.external_id(id).await?;
    let asked = |name: &str| match visitor.form.given(name) {
        Some(sent) => Some(sent.to_owned()),
        None => visitor.asked(name),
    };
    let tried = match asked("trial") {
        Some(id) => api.admin.tried_draft(&visitor.by(), visitor.account(), &id).await?,
        None => None,
    };
    let mut earlier: Vec<(u64, Destination)> = Vec::new();
    for (version, destination) in past {
        let same = |other: &Destination| other.to_string() == destination.to_string();
        if fields::of(&destination).is_some() && !earlier.iter().any(|(_, other)| same(other)) {
            earlier.push((version, destination));
        }
    }
    let chosen = asked("known").and_then(|version| version.parse::<u64>().ok());
    let chosen = earlier.iter().find(|(version, _)| Some(*version) == chosen).map(|(_, one)| one);
    let tried_values = tried.as_ref().and_then(|tried| fields::of(&tried.draft.destination));
    let found =
        chosen.and_then(fields::of).or(tried_values).or_else(|| current.as_ref().and_then(fields::of));
    let cloud = asked("cloud").and_then(|word| Cloud::parse(&word)).filter(|_| chosen.is_none());
    let cloud = cloud.or(found.as_ref().map(|(cloud, ..)| *cloud)).unwrap_or(Cloud::S3);
    let how = asked("how").and_then(|word| How::parse(&word)).filter(|_| chosen.is_none());
    let how = how.or(found.as_ref().map(|(_, how, _)| *how)).filter(|how| cloud.ways().contains(how));
    let choice = given.unwrap_or((cloud, how.unwrap_or(cloud.ways()[0])));
    let suggested = suggestion(id.as_str());
    let values = match found {
        // The bucket of another cloud is none here.
        Some((other, _, values)) if other == choice.0 => values,
        _ => Values::from([("bucket", suggested.clone())]),
    };
    Ok(Known {
        clock: Clock::of(zone.rules().clone()),
        next_slot: account.next_slot,
        current,
        earlier,
        external_id,
        tried,
        choice,
        by: asked("guide").and_then(|word| guide::By::parse(&word)).unwrap_or(guide::By::Cli),
        values,
        suggested,
    })
}

/// Whom a role has to trust; none: it is not known.
pub(super) async fn principal(portal: &Portal) -> Option<String> {
    let api = &portal.sign_in.api;
    if !api.aws_principal.is_empty() {
        return Some(api.aws_principal.clone());
    }
    let caller = tokio::time::timeout(CALLER_TIMEOUT, api.stores.dialer().aws_caller()).await;
    caller.ok()?.ok().map(|caller| trust::principal(&caller))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suggested_name_is_a_buckets() {
        assert_eq!(suggestion("Acme Retail/GmbH"), "acme-retail-gmbh-audit-log");
        assert_eq!(suggestion("ä"), "acme-audit-log");
        assert!(suggestion(&"x".repeat(200)).len() <= 63);
    }
}
