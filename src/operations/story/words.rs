//! The story of a slot in sentences.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::ToldObject;
use crate::ledger::{Account, AttemptRow, Change, SlotWindow, WindowState};
use crate::operations::timeline::{SlotFate, SlotState};
use auditferry_core::model::instant::span_text;
use auditferry_core::text::count::counted;
use auditferry_core::text::shell::shell_word;

/// What is told, and of whom.
pub(super) struct Telling<'a> {
    pub(super) zone: &'a TimeZone,
    pub(super) account: &'a Account,
    /// Whether there is a slot at the moment that was asked for, that moment, and the slots around it.
    pub(super) place: (bool, Timestamp, (Option<Timestamp>, Option<Timestamp>)),
    pub(super) fate: &'a SlotFate,
    pub(super) window: Option<&'a SlotWindow>,
    pub(super) objects: &'a [ToldObject],
    pub(super) cause: Option<&'a Change>,
    pub(super) changes: &'a [Change],
    /// What to do about the account as it is now.
    pub(super) advice: Option<&'a str>,
}

impl Telling<'_> {
    /// What happened, a sentence for each thing.
    pub(super) fn told(&self) -> Vec<String> {
        let mut told = Vec::new();
        if let (false, at, (before, after)) = self.place {
            let next =
                |slot: Option<Timestamp>| slot.map_or_else(|| "none".to_owned(), |slot| self.time(slot));
            told.push(format!(
                "There is no slot at {}: the one before is {}, the one after {}. What follows is told of {}.",
                self.time(at),
                next(before),
                next(after),
                self.time(self.fate.slot)
            ));
        }
        if !self.fate.scheduled {
            told.push(format!("{} is not on the schedule: {}.", self.time(self.fate.slot), self.extra()));
        }
        told.push(self.first());
        if let Some(window) = self.window {
            told.push(self.of_window(window));
        }
        for object in self.objects {
            told.push(self.object(object));
            told.extend(object.attempts.iter().map(|attempt| self.attempt(attempt)));
        }
        told.extend(self.changes.iter().map(|change| self.change(change)));
        told
    }

    /// A time as the account's people read it, and in UTC.
    fn time(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        let utc = at.strftime("%Y-%m-%d %H:%M:%SZ");
        format!("{} ({utc})", local.strftime("%a %Y-%m-%d %H:%M:%S"))
    }

    fn extra(&self) -> &'static str {
        match self.window.map(|window| window.state) {
            Some(WindowState::Skipped) => "a person has left a gap then",
            _ if self.account.addon.until == Some(self.fate.slot) => "it is the end of the add-on",
            _ => "a person has asked for it, or the schedule was another one",
        }
    }

    fn by(&self) -> String {
        self.cause.map_or_else(String::new, |cause| {
            let reason = cause.reason.as_ref().map_or_else(String::new, |reason| format!(" ({reason})"));
            format!(" by {} at {}{reason}", cause.by, self.time(cause.at))
        })
    }

    /// What became of the slot.
    fn first(&self) -> String {
        let slot = self.time(self.fate.slot);
        match self.fate.state {
            SlotState::Delivered => format!("The slot {slot} was delivered."),
            SlotState::Late => {
                let late = self.fate.delivered_at.map_or_else(String::new, |at| {
                    format!(": {} after it", span_text(at.duration_since(self.fate.slot)))
                });
                format!("The slot {slot} was delivered late{late}.")
            }
            SlotState::Empty => format!("The slot {slot} came, and there were no records to deliver."),
            SlotState::Open => format!("The slot {slot} has come and is not delivered yet."),
            SlotState::Failing => {
                let why = self.account.trouble.as_ref().map_or_else(
                    || "its account is held".to_owned(),
                    |trouble| format!("{}: {}", trouble.kind, trouble.message),
                );
                format!("The slot {slot} is not delivered; the last try has failed ({why}).")
            }
            SlotState::Merged => format!(
                "No window was made for the slot {slot}: no worker took it before the next one came, because none ran or \
                 because an earlier window was still in delivery."
            ),
            SlotState::Skipped => {
                format!("The slot {slot} lies in a gap: its records were skipped{}.", self.by())
            }
            SlotState::GivenUp => format!("The window of the slot {slot} was given up by a rewind."),
            SlotState::Paused => {
                format!("Nothing started at the slot {slot}: the account was paused{}.", self.by())
            }
            SlotState::NoDestination => {
                format!(
                    "Nothing started at the slot {slot}: the account had no destination{}.",
                    self.removed()
                )
            }
            SlotState::Expired => {
                format!(
                    "Nothing started at the slot {slot}: the add-on had ended; its end was set{}.",
                    self.by()
                )
            }
            SlotState::Disabled => {
                format!("Nothing started at the slot {slot}: the add-on was disabled{}.", self.by())
            }
        }
    }

    fn removed(&self) -> String {
        if self.cause.is_some() { format!("; it was removed{}", self.by()) } else { " yet".to_owned() }
    }

    fn of_window(&self, window: &SlotWindow) -> String {
        let SlotWindow { window: number, slot, from, to, .. } = window;
        let whose = if *slot == self.fate.slot {
            "Its window".to_owned()
        } else {
            format!("Its records went into the window of {},", self.time(*slot))
        };
        let over = match (window.state, window.closed_at) {
            (WindowState::Skipped, _) => match window.left_out {
                Some(records) => format!("and leaves out {}", counted(records, "record")),
                None => "and leaves out what was there".to_owned(),
            },
            (WindowState::Abandoned, _) => "and was given up".to_owned(),
            (_, Some(at)) => format!(
                "gave {} with {}, and was over at {}",
                counted(window.objects, "object"),
                counted(window.records, "record"),
                self.time(at)
            ),
            (_, None) => format!("is in delivery, with {} delivered", counted(window.objects, "object")),
        };
        let (from, to) = (self.time(*from), self.time(*to));
        format!("{whose} number {number}, holds what was committed from {from} to {to}, {over}.")
    }

    fn object(&self, object: &ToldObject) -> String {
        let records = counted(object.records, "record");
        let delivered = object
            .delivered_at
            .map_or_else(|| "not delivered yet".to_owned(), |at| format!("delivered at {}", self.time(at)));
        format!("Object {}: {records}, {} bytes, {delivered}.", object.key, object.object_bytes)
    }

    fn attempt(&self, attempt: &AttemptRow) -> String {
        let outcome = match (&attempt.outcome, &attempt.message) {
            (Some(outcome), Some(message)) => format!("{outcome}: {message}"),
            (Some(outcome), None) => outcome.clone(),
            (None, _) => "no outcome is stored, as its worker ended before".to_owned(),
        };
        format!(
            "Attempt {} at {} by worker {}: {outcome}.",
            attempt.number,
            self.time(attempt.started_at),
            attempt.worker
        )
    }

    fn change(&self, change: &Change) -> String {
        let reason = change.reason.as_ref().map_or_else(String::new, |reason| format!("; reason: {reason}"));
        let what = change.what();
        let what = if what.is_empty() { String::new() } else { format!(" ({what})") };
        format!("Change at {} by {}: {}{what}{reason}.", self.time(change.at), change.by, change.action)
    }

    /// What it means for the customer.
    pub(super) fn meaning(&self) -> String {
        let later = self.window.filter(|window| window.slot != self.fate.slot);
        let there = match later.map(|window| (window.state, window.closed_at)) {
            Some((WindowState::Delivered, Some(at))) => {
                format!("nothing is lost: the records came with a later object, at {}", self.time(at))
            }
            Some((WindowState::Open, _)) => {
                "nothing is lost: the records come with the window in delivery".to_owned()
            }
            _ => "nothing is lost: the records wait in the source and come with the next window".to_owned(),
        };
        match self.fate.state {
            SlotState::Delivered => "the customer has the file of this slot".to_owned(),
            SlotState::Late => "the customer has the file of this slot; it came late".to_owned(),
            SlotState::Empty if self.fate.objects > 0 => "the customer has a file without records".to_owned(),
            SlotState::Empty => {
                "there is no file because there was nothing to put into one; nothing is missing".to_owned()
            }
            SlotState::Open => "the file is on its way; nothing is lost".to_owned(),
            SlotState::Failing => {
                "there is no file yet; the records wait in the source and nothing is lost".to_owned()
            }
            SlotState::Skipped => {
                "the records of this slot are never delivered: a person has decided so".to_owned()
            }
            SlotState::GivenUp
            | SlotState::Merged
            | SlotState::Paused
            | SlotState::NoDestination
            | SlotState::Expired
            | SlotState::Disabled => format!("there is no file of this slot; {there}"),
        }
    }

    /// What to do.
    pub(super) fn to_do(&self) -> String {
        let word = shell_word(self.account.id.as_str());
        let look = match self.objects {
            [] => None,
            [one] => Some(format!("point the customer to {}", one.key)),
            [first, .., last] => Some(format!("point the customer to {} to {}", first.key, last.key)),
        };
        match (self.fate.state, self.advice) {
            (SlotState::Skipped, _) => format!("nothing; `auditferry changes ls {word}` has who decided it"),
            (SlotState::Empty, _) => {
                "nothing; where a file is wanted all the same, set empty_windows to \"object\"".to_owned()
            }
            (SlotState::Open, Some("nothing to do")) => "wait some minutes, and ask again".to_owned(),
            (_, Some(advice)) => advice.to_owned(),
            (_, None) => look.unwrap_or_else(|| "nothing".to_owned()),
        }
    }
}
