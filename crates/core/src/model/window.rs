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
    /// What stands before its folders in its keys.
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
    /// `<prefix><folders>/audit_<account>_<timestamp>[_gNNNN][_NNNN].<ext>`.
    ///
    /// `.` sorts before `_`, digits before `A` and that before `g`, so later objects sort after earlier ones.
    #[must_use]
    pub fn key(&self, ordinal: u32) -> ObjectKey {
        let stem = format!("audit_{}_{}", self.account.encoded(), slot_name(self.slot));
        let generation = numbered("_g", self.generation);
        let part = numbered("_", ordinal);
        let folders = self.format.path.folders(&self.account, self.slot);
        let prefix = &self.prefix;
        ObjectKey(format!("{prefix}{folders}{stem}{generation}{part}{}", self.format.extension()))
    }

    /// A name in present time for an object that is delivered again below a prefix:
    /// `<prefix><folders>/audit_<account>_<timestamp>_rNNNN_NNNN.<ext>`, with the
    /// replay's number and the object's place in it. No window's object has an `r` there.
    #[must_use]
    pub fn replayed_key(&self, prefix: &str, at: Timestamp, replay: u64, place: usize) -> ObjectKey {
        let account = self.account.encoded();
        let place = u64::try_from(place).unwrap_or(u64::MAX);
        let stem = format!("audit_{account}_{}_r{}_{}", slot_name(at), digits(replay), digits(place));
        let folders = self.format.path.folders(&self.account, at);
        ObjectKey(format!("{prefix}{folders}{stem}{}", self.format.extension()))
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
    use crate::model::path_layout::PathLayout;

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

    const PATHS: [PathLayout; 4] =
        [PathLayout::Contract, PathLayout::Hive, PathLayout::Dates, PathLayout::SecurityLake];

    fn laid(path: PathLayout, slot: Timestamp) -> Window {
        let format = Format { path, ..format(Container::Gzip, Layout::Lines) };
        Window { format, slot, ..window(None) }
    }

    #[test]
    fn every_layout_has_its_folders() {
        let at = |text: &str| text.parse::<Timestamp>().expect("instant");
        let folders = |path, slot| {
            let key = laid(path, at(slot)).key(1);
            let (folders, name) = key.as_str().rsplit_once('/').expect("folders");
            assert!(name.starts_with("audit_acme.20corp_2026"), "{key}");
            folders.to_owned()
        };
        let late = "2026-11-30T23:59:59Z";
        assert_eq!(folders(PathLayout::Contract, late), "siem/audit/acme.20corp");
        assert_eq!(folders(PathLayout::Hive, late), "siem/audit/acme.20corp/dt=2026-11-30");
        assert_eq!(folders(PathLayout::Dates, late), "siem/audit/acme.20corp/2026/11/30");
        let lake = "siem/accountId=external_acme.20corp/eventDay=";
        assert_eq!(folders(PathLayout::SecurityLake, late), format!("{lake}20261130"));
        // What a window that ends at midnight holds happened on the day before.
        let midnight = "2026-12-01T00:00:00Z";
        assert_eq!(folders(PathLayout::SecurityLake, midnight), format!("{lake}20261130"));
        assert_eq!(folders(PathLayout::Hive, midnight), "siem/audit/acme.20corp/dt=2026-12-01");
    }

    proptest::proptest! {
        /// In every layout, at any two instants: keys sort in time order, and no two are the same.
        #[test]
        fn keys_of_every_layout_sort_in_time_order(
            path in proptest::sample::select(PATHS.as_slice()),
            // To the end of the year 9999, in whole seconds as slots are.
            seconds in proptest::array::uniform2(0..253_402_207_200_i64),
            near in -100_000_i64..100_000,
            parts in proptest::array::uniform2(1..20_000_u32),
            generation in 1..20_000_u32,
        ) {
            let at = |second: i64| Timestamp::from_second(second.max(0)).expect("an instant");
            for other in [seconds[1], seconds[0] + near, seconds[0] + 300 * near, seconds[0] + 1, seconds[0]] {
                let (one, two) = ((at(seconds[0]), parts[0]), (at(other.min(253_402_207_199)), parts[1]));
                let key = |(slot, part)| Window { generation, ..laid(path, slot) }.key(part);
                let keys = (key(one), key(two));
                proptest::prop_assert_eq!(one.cmp(&two), keys.0.as_str().cmp(keys.1.as_str()), "{} {}", keys.0, keys.1);
                // A replay as new at that instant comes after everything of it and before what follows.
                let replayed = laid(path, one.0).replayed_key("siem/", one.0, 1, 1);
                proptest::prop_assert!(keys.0.as_str() < replayed.as_str());
                if two.0 > one.0 {
                    proptest::prop_assert!(replayed.as_str() < keys.1.as_str());
                }
            }
        }

        /// Whatever the accounts, layouts and prefixes: one key is one account's.
        #[test]
        fn no_two_accounts_share_a_key(
            ids in proptest::array::uniform2("[a-c/=_.0-9é-]{1,6}"),
            paths in proptest::array::uniform2(proptest::sample::select(PATHS.as_slice())),
        ) {
            let slot = window(None).slot;
            let key = |at: usize| {
                let account: AccountId = ids[at].parse().expect("an id");
                Window { account, ..laid(paths[at], slot) }.key(1)
            };
            proptest::prop_assert_eq!(ids[0] == ids[1] && paths[0] == paths[1], key(0) == key(1));
        }

        #[test]
        fn a_name_of_any_layout_moves_below_another_prefix(
            path in proptest::sample::select(PATHS.as_slice()),
            prefixes in proptest::array::uniform2("([a-z=.]{1,5}/){0,4}"),
            part in 1..20_000_u32,
        ) {
            let at = |prefix: &String| Window { prefix: prefix.clone(), ..laid(path, window(None).slot) }.key(part);
            proptest::prop_assert_eq!(at(&prefixes[0]).below(&prefixes[1], path), at(&prefixes[1]));
        }
    }

    #[test]
    fn after_a_change_of_the_layout_keys_may_sort_before_earlier_ones() {
        let account: AccountId = "acme".parse().expect("id");
        let later = |before: PathLayout, after| before.sorts_before(after, &account);
        assert!(
            later(PathLayout::Contract, PathLayout::Hive) && !later(PathLayout::Hive, PathLayout::Contract)
        );
        assert!(
            later(PathLayout::Dates, PathLayout::Contract) && !later(PathLayout::Contract, PathLayout::Dates)
        );
    }

    #[test]
    fn the_names_of_a_new_account_fit_everywhere() {
        let account: AccountId =
            "x".repeat(crate::model::account::MAX_NEW_ENCODED_ID_BYTES).parse().expect("id");
        assert_eq!((account.check_new(), longest_name(&account)), (Ok(()), MAX_NAME_BYTES));
        let format = format(Container::Zstd, Layout::Lines);
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
        assert_eq!(key.below("siem/", PathLayout::Contract), key);
        let moved = key.below("", PathLayout::Contract).below("a/audit/x/", PathLayout::Contract);
        assert_eq!(moved.as_str(), "a/audit/x/audit/acme.20corp/audit_acme.20corp_20261121T040000Z.zip");
        assert_eq!(moved.below("siem/", PathLayout::Contract), key);
    }

    #[test]
    fn each_container_and_layout_has_its_ending() {
        let ending = |container, layout| format(container, layout).extension();
        assert_eq!(ending(Container::Gzip, Layout::Lines), ".jsonl.gz");
        assert_eq!(ending(Container::Gzip, Layout::Array), ".json.gz");
        assert_eq!(ending(Container::Zstd, Layout::Lines), ".jsonl.zst");
        assert_eq!(ending(Container::Zstd, Layout::Array), ".json.zst");
        assert_eq!(ending(Container::None, Layout::Lines), ".jsonl");
        assert_eq!(ending(Container::None, Layout::Array), ".json");
    }

    #[test]
    fn the_longest_key_fits_every_cloud() {
        let account: AccountId = "é".repeat(71).parse().expect("id");
        assert!(account.encoded().len() > crate::model::account::MAX_ENCODED_ID_BYTES - 6);
        let prefix = "x".repeat(crate::model::destination::MAX_PREFIX_BYTES);
        let format = format(Container::Zstd, Layout::Lines);
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
