//! What an account was at each instant, from what it is now and what was changed since.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::base::zones::Zones;
use crate::ledger::{Account, Change};
use auditferry_core::model::schedule::{Schedule, Zone};

/// What says of an account whether it exports, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::operations) struct Settled {
    pub(in crate::operations) zone: String,
    pub(in crate::operations) schedule: String,
    pub(in crate::operations) enabled: bool,
    pub(in crate::operations) until: Option<Timestamp>,
    pub(in crate::operations) paused: bool,
    pub(in crate::operations) has_destination: bool,
}

impl Settled {
    fn of(account: &Account) -> Self {
        Self {
            zone: account.zone.clone(),
            schedule: account.schedule.clone(),
            enabled: account.addon.enabled,
            until: account.addon.until,
            paused: account.paused.is_some(),
            has_destination: account.destination_version.is_some(),
        }
    }

    /// What it was before a change.
    fn before(&self, change: &Change) -> Self {
        let mut before = self.clone();
        for field in &change.fields {
            let from = &field.from;
            match field.field.as_str() {
                "zone" => before.zone = text(from).unwrap_or(before.zone),
                "schedule" => before.schedule = text(from).unwrap_or(before.schedule),
                "addon.enabled" => before.enabled = from.as_bool().unwrap_or(false),
                "addon.until" => before.until = text(from).and_then(|text| text.parse().ok()),
                "paused.at" => before.paused = !from.is_null(),
                "destination_version" => before.has_destination = !from.is_null(),
                // Every destination has a kind: one that had none before was the first, or came after a removal.
                "kind" if change.action.starts_with("destination") => {
                    before.has_destination = !from.is_null();
                }
                _ => {}
            }
        }
        before
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// What an account was from an instant on.
struct Stretch {
    from: Timestamp,
    settled: Settled,
    /// None when this program knows the zone or the schedule no more.
    calendar: Option<(Zone, Schedule)>,
}

/// What an account was at each instant.
pub(in crate::operations) struct Past {
    /// The newest first; never empty.
    stretches: Vec<Stretch>,
}

impl Past {
    /// `changes`: the newest first. Before the oldest of them it is taken for what it was then.
    pub(in crate::operations) fn of(account: &Account, changes: &[Change], zones: &Zones) -> Self {
        let mut settled = Settled::of(account);
        let mut stretches = Vec::new();
        let stretch = |from, settled: &Settled| {
            let zone = zones.find(&settled.zone).ok();
            let calendar = zone.zip(Schedule::parse(&settled.schedule).ok());
            Stretch { from, settled: settled.clone(), calendar }
        };
        for change in changes.iter().filter(|change| change.action != "account added") {
            let before = settled.before(change);
            if before != settled {
                stretches.push(stretch(change.at, &settled));
                settled = before;
            }
        }
        stretches.push(stretch(Timestamp::MIN, &settled));
        Self { stretches }
    }

    /// What it was at an instant.
    pub(in crate::operations) fn at(&self, at: Timestamp) -> &Settled {
        let of_then = self.stretches.iter().find(|stretch| stretch.from <= at);
        &of_then.unwrap_or(&self.stretches[self.stretches.len() - 1]).settled
    }

    /// The slots by its schedules between two instants, the newest first, at most `most` of them; and whether
    /// there are more.
    pub(in crate::operations) fn slots(
        &self,
        (from, to): (Timestamp, Timestamp),
        most: usize,
    ) -> (Vec<Timestamp>, bool) {
        const INSTANT: SignedDuration = SignedDuration::from_nanos(1);
        let mut slots = Vec::new();
        let mut end = Some(to);
        for Stretch { from: begin, calendar, .. } in &self.stretches {
            let Some(last) = end.filter(|end| *end >= from) else { break };
            let begin = (*begin).max(from);
            let mut at = Some(last);
            while let (Some(upto), Some((zone, schedule))) = (at, calendar) {
                let Some(slot) = schedule.newest_at(zone.rules(), upto).filter(|slot| *slot >= begin) else {
                    break;
                };
                if slots.len() == most {
                    return (slots, true);
                }
                slots.push(slot);
                at = slot.checked_sub(INSTANT).ok();
            }
            end = last.min(begin).checked_sub(INSTANT).ok();
        }
        (slots, false)
    }

    /// The slots of its schedule next to an instant: the newest before it and the first after it.
    pub(in crate::operations) fn around(&self, at: Timestamp) -> (Option<Timestamp>, Option<Timestamp>) {
        let of_then = self.stretches.iter().find(|stretch| stretch.from <= at);
        let Some((zone, schedule)) = of_then.and_then(|stretch| stretch.calendar.as_ref()) else {
            return (None, None);
        };
        (schedule.newest_at(zone.rules(), at), schedule.next_after(zone.rules(), at))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::ledger::{ExportOptions, FieldChange};
    use auditferry_core::model::bound::{Bound, Watermark};
    use auditferry_core::model::format::Format;

    fn at(text: &str) -> Timestamp {
        format!("2026-11-{text}:00Z").parse().expect("an instant")
    }

    fn account() -> Account {
        let options = ExportOptions {
            zone: "UTC".to_owned(),
            schedule: "0 */4 * * *".to_owned(),
            format: Format::default(),
        };
        let watermark =
            Watermark { bound: Bound("1".to_owned()), at: at("01T00:00"), ahead: None, since: None };
        let mut account = Account::new("acme".parse().expect("id"), options, at("01T00:00"), watermark);
        account.addon.enabled = true;
        account.destination_version = Some(1);
        account
    }

    fn change(when: &str, action: &str, fields: &[(&str, Value, Value)]) -> Change {
        let fields = fields.iter().cloned();
        Change {
            number: 1,
            at: at(when),
            by: "ana".to_owned(),
            actor_kind: None,
            actor_id: None,
            channel: None,
            reason: None,
            account: Some("acme".parse().expect("id")),
            action: action.to_owned(),
            fields: fields
                .map(|(field, from, to)| FieldChange { field: field.to_owned(), from, to })
                .collect(),
        }
    }

    #[test]
    fn an_account_was_what_its_changes_made_of_it() {
        let paused = json!("2026-11-20T09:00:00Z");
        let changes = [
            change("22T10:00", "account changed", &[("schedule", json!("0 0 * * *"), json!("0 */4 * * *"))]),
            change("21T09:00", "account changed", &[("paused.at", paused.clone(), Value::Null)]),
            change("20T09:00", "account changed", &[("paused.at", Value::Null, paused)]),
            change("19T10:00", "add-on changed", &[("addon.enabled", json!(false), json!(true))]),
            change(
                "18T10:00",
                "destination set",
                &[("kind", Value::Null, json!("s3")), ("bucket", Value::Null, json!("b"))],
            ),
            change("17T10:00", "account added", &[("addon.enabled", Value::Null, json!(false))]),
        ];
        let past = Past::of(&account(), &changes, &Zones::load());
        assert!(!past.at(at("22T10:00")).paused && !past.at(at("21T09:00")).paused);
        assert!(past.at(at("21T08:59")).paused && past.at(at("20T09:00")).paused);
        assert!(!past.at(at("20T08:59")).paused);
        assert!(past.at(at("19T10:00")).enabled && !past.at(at("19T09:59")).enabled);
        assert!(past.at(at("18T10:00")).has_destination && !past.at(at("18T09:59")).has_destination);
        // Slots come by the schedule of their time.
        let (slots, cut) = past.slots((at("21T00:00"), at("22T17:00")), 100);
        assert_eq!(slots, [at("22T16:00"), at("22T12:00"), at("22T00:00"), at("21T00:00")]);
        assert!(!cut);
        assert_eq!(
            past.slots((at("21T00:00"), at("22T17:00")), 2),
            (vec![at("22T16:00"), at("22T12:00")], true)
        );
        assert_eq!(past.around(at("21T08:00")), (Some(at("21T00:00")), Some(at("22T00:00"))));
    }

    #[test]
    fn another_destination_is_not_the_first_one() {
        let other = change("20T09:00", "destination set", &[("bucket", json!("a"), json!("b"))]);
        let past = Past::of(&account(), &[other], &Zones::load());
        assert!(past.at(at("19T09:00")).has_destination);
    }
}
