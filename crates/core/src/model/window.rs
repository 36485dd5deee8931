//! A window: the records between the watermark and the bound captured for a
//! slot, and the names of the objects that it becomes.

use jiff::Timestamp;

use crate::model::account::AccountId;
use crate::model::bound::{Ahead, RecordSet, Watermark};
use crate::model::format::Format;
use crate::model::object_key::{ObjectKey, digits, numbered, slot_name};

/// One planned window. Stored before anything is read. After that only a person changes it: by another
/// destination, or by skipping a record that no object holds yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// Whose records.
    pub account: AccountId,
    /// 1, 2, 3 … without holes, per account.
    pub number: u64,
    /// The scheduled instant that names its objects.
    pub slot: Timestamp,
    /// Which records.
    pub set: RecordSet,
    /// When `set.lo` was captured.
    pub from: Timestamp,
    /// When `set.hi` was captured.
    pub to: Timestamp,
    /// The account's time zone at planning: the offset of every `Date`.
    pub zone: String,
    /// How objects are made.
    pub format: Format,
    /// What stands before `audit/` in its keys.
    pub prefix: String,
    /// The version of the destination that gets it.
    pub destination_version: u64,
    /// The version of the line format.
    pub content_version: u32,
    /// 1, and more after the source or the ledger went back.
    pub generation: u32,
}

impl Window {
    /// The key of the window's `ordinal`-th object, counted from 1:
    /// `<prefix>audit/<account>/audit_<account>_<timestamp>[_gNNNN][_NNNN].<ext>`.
    ///
    /// `.` sorts before `_`, digits before `A` and that before `g`, so later objects sort after earlier ones.
    #[must_use]
    pub fn key(&self, ordinal: u32) -> ObjectKey {
        let stem = format!("audit_{}_{}", self.account.encoded(), slot_name(self.slot));
        let generation = numbered("_g", self.generation);
        let part = numbered("_", ordinal);
        let folder = format!("{}audit/{}", self.prefix, self.account.encoded());
        ObjectKey(format!("{folder}/{stem}{generation}{part}{}", self.format.extension()))
    }

    /// A name in present time for an object that is delivered again below a prefix:
    /// `<prefix>audit/<account>/audit_<account>_<timestamp>_rNNNN_NNNN.<ext>`, with the
    /// replay's number and the object's place in it. No window's object has an `r` there.
    #[must_use]
    pub fn replayed_key(&self, prefix: &str, at: Timestamp, replay: u64, place: usize) -> ObjectKey {
        let account = self.account.encoded();
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        let stem = format!("audit_{account}_{}_r{}_{}", slot_name(at), digits(replay), digits(place));
        ObjectKey(format!("{prefix}audit/{account}/{stem}{}", self.format.extension()))
    }

    /// The watermark once this window is delivered. A window that was cut at the
    /// end of the add-on leaves the later records under the old bound.
    #[must_use]
    pub fn watermark_after(&self) -> Watermark {
        match self.set.until {
            None => Watermark { bound: self.set.hi.clone(), at: self.to, ahead: None, since: None },
            Some(before) => Watermark {
                bound: self.set.lo.clone(),
                at: self.from,
                ahead: Some(Ahead { bound: self.set.hi.clone(), before }),
                since: self.set.since,
            },
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::model::bound::Bound;
    use crate::model::format::{Container, EmptyWindows, Layout};
    use crate::model::object_key::{MAX_NAME_BYTES, longest_name};

    fn format(container: Container, layout: Layout) -> Format {
        Format {
            container,
            layout,
            empty_windows: EmptyWindows::Skip,
            max_records: 100_000,
            max_bytes: 32 << 20,
            compression: 6,
            ..Format::default()
        }
    }

    pub(crate) fn window(until: Option<&str>) -> Window {
        let at = |text: &str| text.parse::<Timestamp>().expect("instant");
        Window {
            account: "acme corp".parse().expect("id"),
            number: 3,
            slot: at("2026-11-21T04:00:00Z"),
            set: RecordSet {
                until: until.map(at),
                ..RecordSet::between(Bound("10".into()), Bound("20".into()))
            },
            from: at("2026-11-21T00:00:01Z"),
            to: at("2026-11-21T04:00:01Z"),
            zone: "UTC".into(),
            format: format(Container::Zip, Layout::Lines),
            prefix: "siem/".into(),
            destination_version: 1,
            content_version: 1,
            generation: 1,
        }
    }

    #[test]
    fn keys_have_the_documented_form_and_sort_in_order() {
        let window = window(None);
        let first = window.key(1);
        let second = window.key(2);
        assert_eq!(first.as_str(), "siem/audit/acme.20corp/audit_acme.20corp_20261121T040000Z.zip");
        assert_eq!(second.as_str(), "siem/audit/acme.20corp/audit_acme.20corp_20261121T040000Z_0002.zip");
        assert_eq!(second.entry_name("json"), "audit_acme.20corp_20261121T040000Z_0002.json");
        let again = Window { generation: 2, ..window.clone() };
        assert!(again.key(1).as_str().ends_with("T040000Z_g0002.zip"));
        assert!(
            window.key(9999).as_str() < again.key(1).as_str()
                && again.key(1).as_str() < again.key(2).as_str()
        );
        let next = Window { slot: "2026-11-21T08:00:00Z".parse().expect("instant"), ..window };
        assert!(first.as_str() < second.as_str() && second.as_str() < next.key(1).as_str());
    }

    proptest::proptest! {
        /// However many there are, later objects sort after earlier ones, and replays after both.
        #[test]
        fn names_sort_for_any_count(
            generations in proptest::array::uniform2(1..20_000_u32),
            parts in proptest::array::uniform2(1..=u32::MAX),
            near in 9_990..10_010_u32,
            replay in 1..20_000_u64,
        ) {
            let key = |generation, part| Window { generation, ..window(None) }.key(part);
            for pair in [[parts[0], parts[1]], [near, near + 1], [near, parts[0]]] {
                for (a, b) in [((generations[0], pair[0]), (generations[0], pair[1])), ((generations[0], pair[0]), (generations[1], pair[1]))] {
                    let names = (key(a.0, a.1), key(b.0, b.1));
                    proptest::prop_assert_eq!(a.cmp(&b), names.0.as_str().cmp(names.1.as_str()), "{} {}", names.0, names.1);
                }
            }
            let at = window(None).slot;
            let replayed = |number, place: u32| window(None).replayed_key("siem/", at, number, place as usize);
            proptest::prop_assert!(key(generations[0], parts[0]).as_str() < replayed(1, 1).as_str());
            proptest::prop_assert!(replayed(replay, near).as_str() < replayed(replay, near + 1).as_str());
            proptest::prop_assert!(replayed(replay, parts[0]).as_str() < replayed(replay + 1, 1).as_str());
        }
    }

    #[test]
    fn the_names_of_a_new_account_fit_everywhere() {
        let account: AccountId =
            "x".repeat(crate::model::account::MAX_NEW_ENCODED_ID_BYTES).parse().expect("id");
        assert_eq!((account.check_new(), longest_name(&account)), (Ok(()), MAX_NAME_BYTES));
        let format = format(Container::Gzip, Layout::Lines);
        let longest = Window { account: account.clone(), format, generation: u32::MAX, ..window(None) };
        let name = |key: &ObjectKey| key.as_str().rsplit('/').next().map(str::len);
        assert_eq!(name(&longest.key(u32::MAX)), Some(longest_name(&account)));
        let replayed = longest.replayed_key("", longest.slot, 9_999_999_999, 1_000_000_000);
        assert_eq!(name(&replayed), Some(longest_name(&account)));
        let long: AccountId = "監".repeat(28).parse().expect("id");
        assert!(longest_name(&long) > MAX_NAME_BYTES);
    }

    #[test]
    fn replayed_objects_have_names_of_their_own_in_time_order() {
        let window = window(None);
        let at = |text: &str| text.parse::<Timestamp>().expect("instant");
        let name = |time, place| window.replayed_key("siem/", at(time), 3, place);
        let replayed = name("2026-11-21T04:00:00Z", 2);
        let folder = "siem/audit/acme.20corp/audit_acme.20corp_20261121T040000Z";
        assert_eq!(replayed.as_str(), format!("{folder}_r0003_0002.zip"));
        // In the second of a slot it stands after everything of that slot.
        let again = Window { generation: 9999, ..window.clone() };
        assert!(again.key(9999).as_str() < name("2026-11-21T04:00:00Z", 1).as_str());
        assert!(name("2026-11-21T04:00:00Z", 1).as_str() < replayed.as_str());
        assert!(replayed.as_str() < name("2026-11-21T04:00:01Z", 1).as_str());
    }

    #[test]
    fn a_name_moves_below_another_prefix() {
        let key = window(None).key(1);
        assert_eq!(key.below("siem/"), key);
        let moved = key.below("").below("a/audit/x/");
        assert_eq!(moved.as_str(), "a/audit/x/audit/acme.20corp/audit_acme.20corp_20261121T040000Z.zip");
        assert_eq!(moved.below("siem/"), key);
    }

    #[test]
    fn each_container_and_layout_has_its_ending() {
        let ending = |container, layout| format(container, layout).extension();
        assert_eq!(ending(Container::Gzip, Layout::Lines), ".jsonl.gz");
        assert_eq!(ending(Container::Gzip, Layout::Array), ".json.gz");
        assert_eq!(ending(Container::None, Layout::Lines), ".jsonl");
        assert_eq!(ending(Container::None, Layout::Array), ".json");
    }

    #[test]
    fn the_longest_key_fits_every_cloud() {
        let account: AccountId = "é".repeat(71).parse().expect("id");
        assert!(account.encoded().len() > crate::model::account::MAX_ENCODED_ID_BYTES - 6);
        let prefix = "x".repeat(crate::model::destination::MAX_PREFIX_BYTES);
        let format = format(Container::Gzip, Layout::Lines);
        let key = Window { account, prefix, format, generation: 9999, ..window(None) }.key(9999);
        assert!(key.as_str().len() <= 1024, "{}", key.as_str().len());
    }

    #[test]
    fn a_window_cut_at_the_end_of_the_addon_keeps_what_came_later() {
        assert_eq!(window(None).watermark_after().bound, Bound("20".into()));
        let cut = window(Some("2026-11-21T03:00:00Z")).watermark_after();
        assert_eq!(cut.bound, Bound("10".into()));
        assert_eq!(cut.ahead.expect("ahead").bound, Bound("20".into()));
    }
}
