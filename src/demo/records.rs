//! What the people of the demo's accounts do.

use jiff::{SignedDuration, Timestamp};

use auditferry_core::model::record::Record;

const PEOPLE: [&str; 5] = ["ana", "ravi", "li.wei", "zoë", "o'brien"];
const DEEDS: [(&str, Option<&str>, &str); 8] = [
    ("user.login", Some("ACT-1001"), "Signed in with a passkey"),
    ("user.login_failed", Some("ACT-1002"), "Wrong password, 2 attempts left"),
    ("role.granted", Some("ACT-2001"), "Granted \"Billing admin\" to a colleague"),
    ("apikey.created", Some("ACT-3001"), "Created API key ci-deploy, expires in 90 days"),
    ("report.exported", None, "Exported the quarterly report as PDF 📄"),
    ("policy.changed", Some("ACT-4001"), "Changed the retention from 30 to 365 days\nApproved by: CISO"),
    ("user.invited", Some("ACT-1003"), "Invited für.extern@partner.example"),
    ("session.ended", None, "Signed out after 15 minutes of idleness"),
];

/// About eight records an hour, the same ones for the same arguments.
pub(super) fn between(account: &str, from: Timestamp, to: Timestamp) -> Vec<Record> {
    let mut dice = Dice::new(account, from);
    let mut records = Vec::new();
    let mut at = from;
    loop {
        let pause = i64::try_from(dice.roll(900_000)).unwrap_or(0);
        at += SignedDuration::from_millis(1_000 + pause);
        if at >= to {
            return records;
        }
        let (action, action_id, description) = dice.pick(&DEEDS);
        let person = dice.pick(&PEOPLE);
        let domain: String = account.chars().filter(char::is_ascii_alphanumeric).collect();
        records.push(Record {
            occurred_at: at,
            email: format!("{person}@{domain}.example"),
            action: action.to_owned(),
            action_id: action_id.map(str::to_owned),
            description: description.to_owned(),
            // Addresses that RFC 5737 and RFC 3849 keep for documents.
            ip_address: match dice.roll(3) {
                0 => None,
                1 => Some(format!("203.0.113.{}", dice.roll(254) + 1)),
                _ => Some(format!("2001:db8::{:x}", dice.roll(65_535) + 1)),
            },
        });
    }
}

/// What somebody does about now.
pub(super) fn one(account: &str, now: Timestamp) -> Record {
    let day = SignedDuration::from_hours(24);
    let mut dice = Dice::new(account, now);
    let mut all = between(account, now, now + day);
    let place = usize::try_from(dice.roll(all.len().max(1) as u64)).unwrap_or(0);
    all.swap_remove(place.min(all.len().saturating_sub(1)))
}

/// Numbers that look random and are not (SplitMix64).
struct Dice(u64);

impl Dice {
    fn new(account: &str, from: Timestamp) -> Self {
        let seed =
            account.bytes().fold(from.as_second().unsigned_abs(), |sum, b| sum.rotate_left(7) ^ u64::from(b));
        Self(seed)
    }

    fn pick<T: Copy, const N: usize>(&mut self, items: &[T; N]) -> T {
        items[usize::try_from(self.roll(N as u64)).unwrap_or(0)]
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_hours_give_the_same_records_in_order() {
        let from: Timestamp = "2026-11-21T00:00:00Z".parse().expect("instant");
        let to = from + SignedDuration::from_hours(4);
        let records = between("acme corp", from, to);
        assert_eq!(records, between("acme corp", from, to));
        assert!(records.len() > 10 && records.iter().all(|r| r.occurred_at > from && r.occurred_at < to));
        assert!(records.is_sorted_by_key(|record| record.occurred_at));
        assert_ne!(records, between("ny-bank", from, to));
    }
}
