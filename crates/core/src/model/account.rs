//! An account: one tenant of the vendor, and whether it may export now.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Longest account id, in bytes of UTF-8.
pub const MAX_ID_BYTES: usize = 200;

/// Longest encoded account id, in bytes. The id stands twice in an object's
/// key, and every cloud refuses a key of more than 1,024 bytes.
pub const MAX_ENCODED_ID_BYTES: usize = 430;

/// Longest encoded id of a new account, in bytes: unzip, Python, Java and some stores take names of 255 at
/// most, and `window.rs` adds up to 58 to an object's, with generation, replay, part and ending.
pub const MAX_NEW_ENCODED_ID_BYTES: usize = 197;

/// Characters that nobody sees, or that turn the direction of those beside them: two ids that look alike would be
/// two accounts.
///
/// Source: Unicode's Default_Ignorable_Code_Point and Bidi_Control, and what else has no glyph.
const UNSEEN: [(u32, u32); 21] = [
    (0x00ad, 0x00ad),
    (0x034f, 0x034f),
    (0x061c, 0x061c),
    (0x115f, 0x1160),
    (0x17b4, 0x17b5),
    (0x180b, 0x180f),
    (0x200b, 0x200f),
    (0x2028, 0x202e),
    (0x2060, 0x206f),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xfe00, 0xfe0f),
    (0xfeff, 0xfeff),
    (0xffa0, 0xffa0),
    (0xfff0, 0xfffb),
    (0x1_3430, 0x1_343f),
    (0x1_bca0, 0x1_bca3),
    (0x1_d173, 0x1_d17a),
    (0xe_0000, 0xe_0fff),
    (0xf_0000, 0xf_fffd),
    (0x10_0000, 0x10_fffd),
];

/// Why a text is not an account id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountIdError {
    /// The id is the empty text.
    #[error("account id: it is empty; give the vendor's own id of the tenant")]
    Empty,
    /// The id is longer than [`MAX_ID_BYTES`].
    #[error("account id: it has {0} bytes, at most {MAX_ID_BYTES} are allowed; use a shorter id")]
    TooLong(usize),
    /// The id's encoding would make the object key longer than a store allows.
    #[error(
        "account id: its encoded form in the object key has {0} bytes, at most \
         {MAX_ENCODED_ID_BYTES} are allowed (each byte outside A-Z a-z 0-9 - _ takes three); \
         use a shorter id"
    )]
    EncodedTooLong(usize),
    /// The names of a new account's objects would be longer than many programs take.
    #[error(
        "account id: its encoded form in an object's name has {0} bytes, at most {MAX_NEW_ENCODED_ID_BYTES} are \
         allowed for a new account, so that every name fits the 255 of unzip, Python and Java (each byte outside \
         A-Z a-z 0-9 - _ takes three); use a shorter id"
    )]
    NameTooLong(usize),
    /// The new id holds a character that nobody sees.
    #[error(
        "account id: it holds U+{0:04X}, which is invisible or turns the direction of the text, so that two ids could \
         look alike; remove it"
    )]
    Unseen(u32),
    /// The id holds a control character, which no listing could show.
    #[error("account id: it holds the control character U+{0:04X}; remove it")]
    Control(u32),
}

/// The vendor's id of one tenant: 1 to 200 bytes of UTF-8 without control characters.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String", into = "String")]
#[schema(value_type = String, min_length = 1, max_length = 200, examples("acme"))]
pub struct AccountId(String);

impl AccountId {
    /// The id as the vendor writes it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the id can be one of a new account. One that is there already goes on.
    ///
    /// # Errors
    /// When the names of its objects would not fit everywhere, or it cannot be told from another.
    pub fn check_new(&self) -> Result<(), AccountIdError> {
        let unseen = |c: char| UNSEEN.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(c)));
        if let Some(unseen) = self.0.chars().find(|c| unseen(*c)) {
            return Err(AccountIdError::Unseen(unseen.into()));
        }
        match self.encoded().len() {
            fits if fits <= MAX_NEW_ENCODED_ID_BYTES => Ok(()),
            encoded => Err(AccountIdError::NameTooLong(encoded)),
        }
    }

    /// The id inside object keys: injective, and within `[A-Za-z0-9._-]`, so
    /// that no id can climb out of its folder or meet another's.
    #[must_use]
    pub fn encoded(&self) -> String {
        encode(&self.0)
    }
}

fn encode(id: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_' {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, ".{byte:02x}");
        }
    }
    out
}

impl FromStr for AccountId {
    type Err = AccountIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.is_empty() {
            return Err(AccountIdError::Empty);
        }
        if text.len() > MAX_ID_BYTES {
            return Err(AccountIdError::TooLong(text.len()));
        }
        if let Some(control) = text.chars().find(|c| c.is_control()) {
            return Err(AccountIdError::Control(control.into()));
        }
        let encoded = encode(text).len();
        if encoded > MAX_ENCODED_ID_BYTES {
            return Err(AccountIdError::EncodedTooLong(encoded));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for AccountId {
    type Error = AccountIdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// The paid entitlement to export.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddOn {
    /// Whether support has switched it on.
    pub enabled: bool,
    /// The instant from which nothing more is delivered, in whole seconds; absent: no end.
    #[serde(
        default,
        deserialize_with = "crate::model::instant::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub until: Option<Timestamp>,
    /// Why support last changed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl AddOn {
    /// Whether records of `now` belong to the customer.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> AddOnState {
        match (self.enabled, self.until) {
            (false, _) => AddOnState::Disabled,
            (true, Some(until)) if until <= now => AddOnState::Expired,
            (true, _) => AddOnState::Active,
        }
    }
}

/// What somebody changes about an add-on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AddOnChange {
    /// Everything, as a file declares it.
    Declared(AddOn),
    /// Switched on; what is not named stays as it was.
    Enable {
        /// Its end.
        until: NewEnd,
        /// The reason that support gave.
        reason: Option<String>,
    },
    /// Switched off; its end stays.
    Disable {
        /// The reason that support gave.
        reason: Option<String>,
    },
}

/// What becomes of an add-on's end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewEnd {
    /// It stays as it is.
    Kept,
    /// There is none any more.
    Cleared,
    /// It is another.
    At(Timestamp),
}

impl AddOnChange {
    /// The add-on after the change. A reason stays until another is given, or until what it explained is over.
    #[must_use]
    pub fn over(&self, before: &AddOn) -> AddOn {
        let reason = |enabled: bool, new: &Option<String>| {
            new.clone().or_else(|| before.reason.clone().filter(|_| before.enabled == enabled))
        };
        match self {
            Self::Declared(addon) => addon.clone(),
            Self::Enable { until, reason: new } => AddOn {
                enabled: true,
                until: match until {
                    NewEnd::Kept => before.until,
                    NewEnd::Cleared => None,
                    NewEnd::At(end) => Some(*end),
                },
                reason: reason(true, new),
            },
            Self::Disable { reason: new } => {
                AddOn { enabled: false, until: before.until, reason: reason(false, new) }
            }
        }
    }
}

/// What an add-on allows at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AddOnState {
    /// Exports run.
    Active,
    /// Its end has passed; a last window up to the end is still owed.
    Expired,
    /// Support has switched it off; nothing starts.
    Disabled,
}

impl fmt::Display for AddOnState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Active => "active",
            Self::Expired => "expired",
            Self::Disabled => "disabled",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> AccountId {
        text.parse().expect("valid id")
    }

    #[test]
    fn ids_are_encoded_within_the_safe_alphabet() {
        assert_eq!(id("acme corp").encoded(), "acme.20corp");
        assert_eq!(id("a/b").encoded(), "a.2fb");
        assert_eq!(id("..").encoded(), ".2e.2e");
        assert_eq!(id("100%").encoded(), "100.25");
        assert_eq!(id("Zürich_1-x").encoded(), "Z.c3.bcrich_1-x");
    }

    #[test]
    fn empty_long_and_control_ids_are_refused() {
        assert_eq!("".parse::<AccountId>(), Err(AccountIdError::Empty));
        assert_eq!("x".repeat(300).parse::<AccountId>(), Err(AccountIdError::TooLong(300)));
        assert!("x".repeat(200).parse::<AccountId>().is_ok());
        assert_eq!("é".repeat(90).parse::<AccountId>(), Err(AccountIdError::EncodedTooLong(540)));
        assert_eq!("a\nb".parse::<AccountId>(), Err(AccountIdError::Control(10)));
    }

    #[test]
    fn a_new_id_is_seen_and_fits_a_files_name() {
        assert_eq!(id(&"x".repeat(197)).check_new(), Ok(()));
        assert_eq!(id(&"x".repeat(199)).check_new(), Err(AccountIdError::NameTooLong(199)));
        assert_eq!(id(&"監".repeat(21)).check_new(), Ok(()));
        assert_eq!(id(&"監".repeat(28)).check_new(), Err(AccountIdError::NameTooLong(252)));
        for good in ["acme corp", "Zürich", "Ακμή", "אקמי", "株式会社アクメ", "a-b_c"] {
            assert_eq!(id(good).check_new(), Ok(()), "{good}");
        }
        for unseen in
            ['\u{202e}', '\u{200b}', '\u{200d}', '\u{2066}', '\u{feff}', '\u{ad}', '\u{3164}', '\u{e0041}']
        {
            let refused = id(&format!("ac{unseen}me")).check_new();
            assert_eq!(refused, Err(AccountIdError::Unseen(unseen.into())));
        }
    }

    #[test]
    fn what_a_change_does_not_name_stays() {
        let until: Timestamp = "2027-12-31T00:00:00Z".parse().expect("instant");
        let before = AddOn { enabled: true, until: Some(until), reason: Some("order 4711".to_owned()) };
        let off = AddOnChange::Disable { reason: Some("unpaid".to_owned()) }.over(&before);
        assert_eq!(off, AddOn { enabled: false, until: Some(until), reason: Some("unpaid".to_owned()) });
        let enable =
            |until, reason: Option<&str>| AddOnChange::Enable { until, reason: reason.map(str::to_owned) };
        let on = enable(NewEnd::Kept, None).over(&off);
        assert_eq!(
            on,
            AddOn { enabled: true, until: Some(until), reason: None },
            "it is not unpaid any more"
        );
        let mended = enable(NewEnd::Kept, Some("order 4712")).over(&before);
        assert_eq!(mended, AddOn { reason: Some("order 4712".to_owned()), ..before.clone() });
        assert_eq!(enable(NewEnd::Cleared, None).over(&before), AddOn { until: None, ..before.clone() });
        let later = until + jiff::SignedDuration::from_hours(24);
        assert_eq!(
            enable(NewEnd::At(later), None).over(&before),
            AddOn { until: Some(later), ..before.clone() }
        );
        assert_eq!(AddOnChange::Declared(AddOn::default()).over(&before), AddOn::default());
    }

    #[test]
    fn an_addon_ends_at_its_end() {
        let until: Timestamp = "2026-11-21T00:00:00Z".parse().expect("instant");
        let addon = AddOn { enabled: true, until: Some(until), reason: None };
        assert_eq!(addon.state(until - jiff::SignedDuration::from_secs(1)), AddOnState::Active);
        assert_eq!(addon.state(until), AddOnState::Expired);
        assert_eq!(AddOn::default().state(until), AddOnState::Disabled);
    }

    proptest! {
        #[test]
        fn the_encoding_is_injective(a in ".{1,20}", b in ".{1,20}") {
            prop_assert_eq!(encode(&a) == encode(&b), a == b);
            prop_assert!(encode(&a).bytes().all(|c| c.is_ascii_alphanumeric() || b"._-".contains(&c)));
        }
    }
}
