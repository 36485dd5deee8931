//! A window: the records between the watermark and the bound captured for a
//! slot, and the names of the objects that it becomes.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::tz::Offset;
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::model::account::AccountId;
use crate::refusal::{Refusal, RefusalCode};

/// What a source says has *finished* committing: opaque, storable, made and
/// compared by its source alone. The set of records between two bounds is
/// closed: reading it twice gives the same records.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bound(pub String);

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a ledger leaves in a source with each bound that it captures, so that the
/// source can recognise the bound later. A ledger counts its marks before it leaves them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// Which ledger.
    pub ledger: String,
    /// 1, 2, 3 … per ledger.
    pub number: u64,
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ledger, self.number)
    }
}

impl Mark {
    /// Reads a mark as it is displayed.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (ledger, number) = text.rsplit_once('/')?;
        Some(Self { ledger: ledger.to_owned(), number: number.parse().ok()? })
    }
}

/// Where a reader stands within a closed set: opaque, storable, made by its source alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(pub String);

/// The bound up to which an account's records have been delivered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    /// Everything up to here is delivered.
    pub bound: Bound,
    /// When that bound was captured.
    pub at: Timestamp,
    /// Records above the bound that are delivered already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
    /// The instant from which the customer asked for records, until the first window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// What the last window of an add-on leaves: delivered were the records up to
/// `bound` that occurred before `before`; those after it stay for the day on
/// which the add-on is enabled again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ahead {
    /// Up to this bound …
    pub bound: Bound,
    /// … what occurred before this instant is delivered.
    pub before: Timestamp,
}

/// The closed set of records of one window: those in `(lo, hi]` that pass the filters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// Records up to here belong to earlier windows.
    pub lo: Bound,
    /// Records after here belong to later windows.
    pub hi: Bound,
    /// Only what occurred at or after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Only what occurred before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Without these, which an earlier window delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ahead: Option<Ahead>,
    /// Without the records of these keys, which cannot be exported and which a person chose to
    /// skip. As the source's error names them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<String>,
}

impl RecordSet {
    /// The records between two bounds, all of them.
    #[must_use]
    pub fn between(lo: Bound, hi: Bound) -> Self {
        Self { lo, hi, since: None, until: None, ahead: None, skipped: Vec::new() }
    }

    /// Whether it holds everything that was committed between its bounds.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.ahead.is_none() && self.skipped.is_empty()
    }

    /// The bounds that the source must still recognise, so that the set is what it was.
    pub fn bounds(&self) -> impl Iterator<Item = &Bound> {
        [&self.lo, &self.hi].into_iter().chain(self.ahead.as_ref().map(|ahead| &ahead.bound))
    }
}

impl Watermark {
    /// The bounds that the source must still recognise, so that nothing is passed over.
    pub fn bounds(&self) -> impl Iterator<Item = &Bound> {
        std::iter::once(&self.bound).chain(self.ahead.as_ref().map(|ahead| &ahead.bound))
    }
}

/// How the records of a window are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Container {
    /// A zip with one deflated entry.
    #[default]
    Zip,
    /// A gzip member.
    Gzip,
    /// The bare text.
    None,
}

/// How the records of a window follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Layout {
    /// One JSON object per line.
    #[default]
    Lines,
    /// A JSON array, still one record per line.
    Array,
}

/// What a window without records gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmptyWindows {
    /// Nothing but its place in the history.
    #[default]
    Skip,
    /// An object with an empty entry.
    Object,
}

/// Everything that decides the bytes of a window's objects, besides its records.
///
/// A stored one may lack a field that was added later. So a new field's default is what was done
/// before there was a choice: windows of that time must come out the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Format {
    /// The wrapping.
    pub container: Container,
    /// The order of records within it.
    pub layout: Layout,
    /// What to do when there is no record.
    pub empty_windows: EmptyWindows,
    /// Most records of one object.
    pub max_records: u64,
    /// Most bytes of JSON of one object; a single larger record still gets its own.
    pub max_bytes: u64,
    /// Deflate level, 0 to 9.
    #[serde(deserialize_with = "level")]
    pub compression: u32,
}

/// Objects of at most so many bytes of JSON are deflated whole: quicker and smaller, but all
/// of their content is in memory at once.
pub const MAX_WHOLE: u64 = 16 << 20;

/// The names of two levels: the quickest, and the smallest for every object: above
/// [`MAX_WHOLE`], where another compressor works, 9 mostly gives more bytes than 8.
const LEVELS: [(&str, u32); 2] = [("fast", 1), ("best", 8)];

/// The deflate level that a text is: a number, `fast` or `best`.
///
/// # Errors
/// A sentence with the fix.
pub fn compression_level(text: &str) -> Result<u32, String> {
    let named = LEVELS.iter().find(|(name, _)| *name == text).map(|(_, level)| *level);
    named
        .or_else(|| text.parse().ok())
        .ok_or_else(|| format!("{text:?} is not a deflate level; write 0 to 9, \"fast\" or \"best\""))
}

/// A level in a file: a number or a name.
fn level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Number(u32),
        Name(String),
    }
    match Written::deserialize(deserializer)? {
        Written::Number(level) => Ok(level),
        Written::Name(name) => compression_level(&name).map_err(de::Error::custom),
    }
}

/// The format of an account that says nothing about it.
/// Most bytes of JSON that one object may have: it is built in memory.
const MAX_OBJECT_BYTES: u64 = 256 * 1024 * 1024;

impl Format {
    /// That the limits can work.
    ///
    /// # Errors
    /// The field, its problem and the fix.
    pub fn check(&self) -> Result<(), Refusal> {
        let refuse = |field, problem: String| Refusal::field(field, RefusalCode::InvalidValue, problem);
        if self.max_records == 0 {
            return Err(refuse("max_records", "it is 0".to_owned()).fix("write at least 1"));
        }
        if !(1..=MAX_OBJECT_BYTES).contains(&self.max_bytes) {
            let problem = format!("{} is not between 1 and {MAX_OBJECT_BYTES}", self.max_bytes);
            return Err(refuse("max_bytes", problem).fix("objects are built in memory"));
        }
        if self.compression > 9 {
            let problem = format!("{} is not a deflate level", self.compression);
            return Err(refuse("compression", problem).fix("write 0 to 9, \"fast\" or \"best\""));
        }
        Ok(())
    }
}

impl Default for Format {
    fn default() -> Self {
        Self {
            container: Default::default(),
            layout: Default::default(),
            empty_windows: Default::default(),
            max_records: 100_000,
            max_bytes: MAX_WHOLE,
            compression: 5,
        }
    }
}

impl Format {
    /// Media type of the object, as the SIEMs' readers expect it.
    #[must_use]
    pub fn content_type(&self) -> &'static str {
        match (self.container, self.layout) {
            (Container::Zip, _) => "application/zip",
            (Container::Gzip, _) => "application/x-gzip",
            (Container::None, Layout::Lines) => "application/x-ndjson",
            (Container::None, Layout::Array) => "application/json",
        }
    }

    fn extension(&self) -> &'static str {
        match (self.container, self.layout) {
            (Container::Zip, _) => ".zip",
            (Container::Gzip, Layout::Lines) => ".jsonl.gz",
            (Container::Gzip, Layout::Array) => ".json.gz",
            (Container::None, Layout::Lines) => ".jsonl",
            (Container::None, Layout::Array) => ".json",
        }
    }
}

/// As [`level`], where there may be none.
pub fn optional_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    level(deserializer).map(Some)
}

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

/// Nothing for the first, `_0002` for the second.
fn numbered(mark: &str, number: u32) -> String {
    if number > 1 { format!("{mark}{}", digits(number.into())) } else { String::new() }
}

/// Four digits; from 10000 on an `A` and ten of them, because `_10000` would sort before `_9999`.
fn digits(number: u64) -> String {
    if number <= 9_999 { format!("{number:04}") } else { format!("A{number:010}") }
}

/// Most bytes that a file's name has for unzip, Python, Java and some stores.
pub const MAX_NAME_BYTES: usize = 255;

/// How long the names of an account's objects get, with generation, replay, part and ending.
#[must_use]
pub fn longest_name(account: &AccountId) -> usize {
    "audit__20261121T040000Z_gA0000000000_A0000000000.jsonl.gz".len() + account.encoded().len()
}

/// A key outside `audit/`, of a zero-byte object that tests a destination: the only kind of
/// object that is ever removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeKey(ObjectKey);

impl ProbeKey {
    /// A key that nothing has yet, with a nonce.
    #[must_use]
    pub fn new(prefix: &str, nonce: &str) -> Self {
        Self(ObjectKey(format!("{prefix}auditferry-probe/{nonce}")))
    }

    /// The key as any object has one.
    #[must_use]
    pub fn object(&self) -> &ObjectKey {
        &self.0
    }
}

impl fmt::Display for ProbeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of an object in its bucket.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct ObjectKey(String);

impl ObjectKey {
    /// A key that the ledger stored.
    #[must_use]
    pub fn stored(key: String) -> Self {
        Self(key)
    }

    /// A name outside `audit/`, of an object that asks whose bucket this is.
    #[must_use]
    pub fn ownership(prefix: &str, nonce: &str) -> Self {
        Self(format!("{prefix}auditferry-probe/ownership-{nonce}.txt"))
    }

    /// The same name below another prefix. Its own ends before `audit/<account>/<name>`,
    /// in which only two `/` are.
    #[must_use]
    pub fn below(&self, prefix: &str) -> Self {
        let start = self.0.rmatch_indices('/').nth(2).map_or(0, |(at, _)| at + 1);
        Self(format!("{prefix}{}", &self.0[start..]))
    }

    /// The key as the store knows it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of the entry inside the zip: the object's own, ending in `.json`.
    #[must_use]
    pub fn entry_name(&self) -> String {
        let name = self.0.rsplit('/').next().unwrap_or(&self.0);
        format!("{}.json", name.strip_suffix(".zip").unwrap_or(name))
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `20261121T040000Z`: fixed width, so that keys sort in time order across DST.
#[must_use]
pub fn slot_name(slot: Timestamp) -> String {
    Offset::UTC.to_datetime(slot).strftime("%Y%m%dT%H%M%SZ").to_string()
}

/// Reads a slot as names have it, `20261121T040000Z`, or as an instant.
///
/// # Errors
/// A sentence with the forms that are read.
pub fn parse_slot(text: &str) -> Result<Timestamp, String> {
    crate::model::instant::parse(text).map_err(|_| {
        format!("{text:?} is not a slot; write it as in an object's name, 20261121T040000Z, or 2026-11-21T04:00:00Z")
    })
}

/// From where a new or re-enabled export takes records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Start {
    /// What commits once the add-on is enabled for the first time.
    #[default]
    Enabled,
    /// What commits from now on.
    Now,
    /// Everything that the source holds.
    Beginning,
    /// What occurred at or after an instant.
    At(Timestamp),
}

/// Why a text is not a start.
#[derive(Debug, thiserror::Error)]
#[error(
    "start: {0:?} is neither \"enabled\", \"now\", \"beginning\" nor an instant; write one, such as 2026-11-21 or 2026-11-21T00:00:00Z"
)]
pub struct StartError(String);

impl FromStr for Start {
    type Err = StartError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "enabled" => Ok(Self::Enabled),
            "now" => Ok(Self::Now),
            "beginning" => Ok(Self::Beginning),
            _ => crate::model::instant::parse(text).map(Self::At).map_err(|_| StartError(text.to_owned())),
        }
    }
}

impl fmt::Display for Start {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enabled => f.write_str("enabled"),
            Self::Now => f.write_str("now"),
            Self::Beginning => f.write_str("beginning"),
            Self::At(at) => at.fmt(f),
        }
    }
}

impl Serialize for Start {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Start {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::model::instant::text(
            deserializer,
            "\"enabled\", \"now\", \"beginning\" or an instant, in quotes",
        )
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    fn format(container: Container, layout: Layout) -> Format {
        Format {
            container,
            layout,
            empty_windows: EmptyWindows::Skip,
            max_records: 100_000,
            max_bytes: 32 << 20,
            compression: 6,
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
        assert_eq!(second.entry_name(), "audit_acme.20corp_20261121T040000Z_0002.json");
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
    fn a_stored_format_may_lack_what_was_added_later() {
        let stored: Format = serde_json::from_str(r#"{"container":"gzip","max_records":7}"#).expect("reads");
        assert_eq!(stored, Format { container: Container::Gzip, max_records: 7, ..Format::default() });
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
    fn slots_are_read_as_names_have_them() {
        let slot = "2026-11-21T04:00:00Z".parse::<Timestamp>().expect("instant");
        assert_eq!(parse_slot(&slot_name(slot)), Ok(slot));
        assert_eq!(parse_slot("2026-11-21T09:30:00+05:30"), Ok(slot));
        assert!(parse_slot("yesterday").expect_err("refused").contains("20261121T040000Z"));
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
