//! A slot beside the schedule, at the present time: for a trial, or after a repair.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::admin::{Admin, AdminError};
use super::workers::presence_words;
use crate::ledger::Account;
use auditferry_core::model::account::{AccountId, AddOnState};
use auditferry_core::model::actor::{Actor, ActorKind, By, Channel};
use auditferry_core::protocol::may_add_slot;
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::text::shell::shell_word;

/// A slot that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AddedSlot {
    /// Whose.
    pub account: AccountId,
    /// The instant that will name its objects.
    pub slot: Timestamp,
    /// The slot of the schedule after it, which comes as before.
    pub next_slot: Option<Timestamp>,
    /// That no worker runs, if that is so, and since when.
    pub no_worker: Option<String>,
}

impl Admin {
    /// Lets an account deliver now what it has, in a slot of its own. The slots of its schedule stay.
    ///
    /// # Errors
    /// When a customer asks, when nothing may start for the account or a window is open, or when its newest slot
    /// is not before the present time.
    pub async fn deliver_now(&self, by: &By, id: &AccountId) -> Result<AddedSlot, AdminError> {
        refuse_customers(&by.actor)?;
        // Of several hosts the ledger's clock is the one that all agree on.
        let now = if self.clock.is_real() { self.ledger.now().await? } else { self.clock.now() };
        let slot = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let mut check = |account: &mut Account| match refusal(account, slot) {
            Some(refusal) => Err(refusal.into()),
            None => Ok(()),
        };
        let account = self.ledger.add_slot(by, id, slot, &mut check).await?;
        Ok(AddedSlot {
            next_slot: self.slot_after(&account, slot),
            account: account.id,
            slot,
            no_worker: presence_words(&self.presence().await?, self.clock.now()),
        })
    }
}

/// A customer never triggers an export.
fn refuse_customers(actor: &Actor) -> Result<(), Refusal> {
    if actor.kind == ActorKind::PortalUser || actor.channel == Channel::Portal {
        let problem =
            "only the vendor's support and operators may let an account deliver beside its schedule";
        return Err(Refusal::new(RefusalCode::OperatorsOnly, problem).fix("ask the vendor's support"));
    }
    Ok(())
}

/// Why a slot cannot be added to an account at an instant.
fn refusal(account: &Account, slot: Timestamp) -> Option<Refusal> {
    let word = shell_word(account.id.as_str());
    let refuse =
        |code, problem: String, fix: String| Some(Refusal::account(&account.id, code, problem).fix(fix));
    let addon = account.addon.state(slot);
    if addon == AddOnState::Disabled {
        return refuse(
            RefusalCode::AddOnInactive,
            "its add-on is disabled".to_owned(),
            format!("enable it with `auditferry addon enable {word}`"),
        );
    }
    if addon == AddOnState::Expired {
        return refuse(
            RefusalCode::AddOnInactive,
            "its add-on has ended".to_owned(),
            format!("give it another end with `auditferry addon enable {word} --until INSTANT`"),
        );
    }
    if account.destination_version.is_none() {
        return refuse(
            RefusalCode::NoDestination,
            "it has no destination".to_owned(),
            format!("give it one with `auditferry destination set {word} …`"),
        );
    }
    if let Some(hold) = account.held {
        return refuse(
            RefusalCode::Held,
            format!("it is held ({})", hold.as_str()),
            format!("see `auditferry account show {word}` for the cause and the way on"),
        );
    }
    if account.paused.is_some() {
        return refuse(
            RefusalCode::Paused,
            "it is paused".to_owned(),
            format!("let it go on with `auditferry account resume {word}`"),
        );
    }
    if account.is_suspended() {
        return refuse(
            RefusalCode::Suspended,
            "its destination refuses everything, so that it is only probed".to_owned(),
            format!(
                "mend the destination (`auditferry account show {word}` says how), then run `auditferry account resume \
                 {word}`: what waits is delivered at once"
            ),
        );
    }
    if let Some(window) = account.open_window {
        return refuse(
            RefusalCode::WindowInDelivery,
            format!("window {window} is in delivery, which has what was there at its slot"),
            format!("wait for it, or see why it fails with `auditferry account show {word}`"),
        );
    }
    if !may_add_slot(account.open_window, &account.last_slot, &slot) {
        let newest = account.last_slot.strftime("%Y-%m-%d %H:%M:%SZ");
        return refuse(
            RefusalCode::NewestSlotNotPast,
            format!("its newest slot is {newest}, which is not before now, and names of objects go in order"),
            format!(
                "ask again once it has passed; where that takes long, see `auditferry account show {word}`"
            ),
        );
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{ExportOptions, Pause};
    use auditferry_core::model::bound::{Bound, Watermark};
    use auditferry_core::model::format::Format;
    use auditferry_core::protocol::{Denied, Hold};

    fn at(clock: &str) -> Timestamp {
        format!("2026-11-21T{clock}:00Z").parse().expect("an instant")
    }

    /// What would refuse a slot at noon.
    fn refused(change: impl FnOnce(&mut Account)) -> Option<RefusalCode> {
        let options = ExportOptions {
            zone: "UTC".to_owned(),
            schedule: "@daily".to_owned(),
            format: Format::default(),
        };
        let watermark = Watermark { bound: Bound("1".to_owned()), at: at("00:00"), ahead: None, since: None };
        let mut account = Account::new("acme".parse().expect("id"), options, at("00:00"), watermark);
        account.addon.enabled = true;
        account.destination_version = Some(1);
        change(&mut account);
        let refusal = refusal(&account, at("12:00"))?;
        assert!(refusal.fix.is_some_and(|fix| !fix.is_empty()) && refusal.account.is_some());
        Some(refusal.code)
    }

    #[test]
    fn a_slot_is_added_only_where_it_can_be_delivered() {
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|account| account.addon.enabled = false), Some(RefusalCode::AddOnInactive));
        assert_eq!(
            refused(|account| account.addon.until = Some(at("12:00"))),
            Some(RefusalCode::AddOnInactive)
        );
        assert_eq!(refused(|account| account.destination_version = None), Some(RefusalCode::NoDestination));
        assert_eq!(refused(|account| account.held = Some(Hold::BadRecord)), Some(RefusalCode::Held));
        let pause = Pause { at: at("11:00"), reason: None };
        assert_eq!(refused(|account| account.paused = Some(pause)), Some(RefusalCode::Paused));
        let denied = |suspended_at| Some(Denied { since: at("10:00"), suspended_at });
        assert_eq!(
            refused(|account| account.denied = denied(Some(at("11:00")))),
            Some(RefusalCode::Suspended)
        );
        assert_eq!(refused(|account| account.denied = denied(None)), None, "it is still tried");
        assert_eq!(refused(|account| account.open_window = Some(7)), Some(RefusalCode::WindowInDelivery));
        assert_eq!(refused(|account| account.last_slot = at("12:00")), Some(RefusalCode::NewestSlotNotPast));
        assert_eq!(refused(|account| account.last_slot = at("11:59")), None);
    }

    #[test]
    fn a_customer_never_triggers_an_export() {
        let code = |kind, channel| {
            let actor = Actor { kind, id: "1".to_owned(), name: "ana".to_owned(), channel };
            refuse_customers(&actor).err().map(|refusal| refusal.code)
        };
        assert_eq!(code(ActorKind::PortalUser, Channel::Portal), Some(RefusalCode::OperatorsOnly));
        assert_eq!(code(ActorKind::PortalUser, Channel::Api), Some(RefusalCode::OperatorsOnly));
        assert_eq!(code(ActorKind::OidcSubject, Channel::Portal), Some(RefusalCode::OperatorsOnly));
        assert_eq!(code(ActorKind::OsUser, Channel::Cli), None);
    }
}
