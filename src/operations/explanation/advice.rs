//! What to do about an account, in a sentence.

use jiff::Timestamp;

use super::ExplainedError;
use crate::ledger::Health;
use crate::ledger::{Account, AwaitedProof};
use auditferry_core::model::account::AccountId;
use auditferry_core::text::shell::shell_word;

pub(super) fn unattended(account: &Account, looked_at: Option<Timestamp>) -> String {
    let since = looked_at.map_or_else(|| "yet".to_owned(), |at| format!("since {}", to_the_second(at)));
    let although = match (account.open_window, account.next_slot, account.due_at()) {
        (None, Some(slot), _) => format!("although its slot at {} has passed", to_the_second(slot)),
        (_, _, Some(due)) => format!("although it is due since {}", to_the_second(due)),
        _ => "although it is due".to_owned(),
    };
    format!(
        "no worker has looked at it {since}, {although}: see that `auditferry run` runs with this ledger, what its log \
         says, and that its clock is right"
    )
}

pub(super) fn clock_ahead(account: &Account) -> String {
    let word = shell_word(account.id.as_str());
    format!(
        "a worker's clock was ahead: slots up to {} are used, and nothing is delivered before they have passed. Set \
         the clocks right (NTP), then run `auditferry account rewind {word} --accept`: it continues from its watermark at \
         the next slot, under names with `_g{:04}`",
        to_the_second(account.last_slot),
        account.generation + 1
    )
}

/// An instant as a person reads it.
fn to_the_second(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

pub(super) fn proof_advice(id: &AccountId, awaited: &AwaitedProof, now: Timestamp) -> String {
    let id = shell_word(id.as_str());
    if awaited.is_late(now) {
        return format!("the token has expired: `auditferry destination set {id} …` writes another");
    }
    format!("`auditferry destination prove {id}` with the token in {}, which the owner reads", awaited.key)
}

pub(super) fn advice(health: Health, id: &str, error: Option<&ExplainedError>) -> String {
    let id = shell_word(id);
    match health {
        Health::Running => "nothing to do".to_owned(),
        Health::Disabled => format!("`auditferry addon enable {id}` continues from the watermark"),
        Health::Expired => {
            format!("`auditferry addon enable {id} --until INSTANT` continues from the watermark")
        }
        Health::NoDestination => format!("give it one with `auditferry destination set {id} …`"),
        Health::Paused => format!("`auditferry account resume {id}` continues from the watermark"),
        Health::Suspended => {
            let fix = error.map_or("fix the destination", |error| error.fix.as_str());
            format!(
                "{fix}; it is probed at each slot and goes on by itself, or at once after \
                 `auditferry account resume {id}`"
            )
        }
        Health::NoWorker => {
            "start a worker with `auditferry run`, or see why none reaches the ledger".to_owned()
        }
        // Their own words are above.
        Health::Unattended | Health::ClockAhead => String::new(),
        Health::Retrying | Health::Held => error.map_or_else(String::new, |error| error.fix.clone()),
    }
}
