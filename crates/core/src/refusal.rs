//! Why a request was refused: a stable code for programs, a field, and the words for people.

use std::fmt;

use crate::model::account::AccountId;

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident $word:literal;)+) => {
        /// What a refusal is about. The words are stable: programs match on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum RefusalCode { $($(#[doc = $doc])+ $variant,)+ }

        impl RefusalCode {
            /// All codes.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The stable word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// What it means, for the reference.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => concat!($($doc),+).trim_ascii(),)+ }
            }
        }
    };
}

codes! {
    /// A value can never be right: out of range, of the wrong form, without effect.
    InvalidValue "invalid_value";
    /// An account's id can be none.
    InvalidAccountId "invalid_account_id";
    /// An instant has passed that must lie ahead.
    HasPassed "has_passed";
    /// A schedule never fires any more.
    NeverFires "never_fires";
    /// A schedule has two meanings, of which nobody knows the right one.
    AmbiguousSchedule "ambiguous_schedule";
    /// The account has no destination.
    NoDestination "no_destination";
    /// The account has a destination, and it was not said that it may be replaced.
    DestinationExists "destination_exists";
    /// More than credentials would change, and nobody has said that it may.
    DifferencesNotAccepted "differences_not_accepted";
    /// A destination was tried and takes no objects.
    DestinationFails "destination_fails";
    /// The destination's owner has not proved it theirs.
    ProofNeeded "proof_needed";
    /// A secret is left out, and there is none that may be kept.
    SecretNeeded "secret_needed";
    /// The destination cannot be opened.
    UnusableDestination "unusable_destination";
    /// The add-on is enabled, and what was asked for is for a disabled one.
    AddOnEnabled "addon_enabled";
    /// The add-on is not in force.
    AddOnInactive "addon_inactive";
    /// A window is in delivery, and what was asked for has to wait for it.
    WindowInDelivery "window_in_delivery";
    /// The account was changed by something else at the same time.
    ChangedMeanwhile "changed_meanwhile";
    /// Only operators and support may do this.
    OperatorsOnly "operators_only";
    /// Support has paused the account.
    Paused "paused";
    /// The account waits for a person.
    Held "held";
    /// The destination refuses everything and is only probed.
    Suspended "suspended";
    /// The newest slot is not before the present time, and names go in order.
    NewestSlotNotPast "newest_slot_not_past";
    /// The account is not held.
    NotHeld "not_held";
    /// The account is not held because of a record that cannot be exported.
    NotHeldForRecord "not_held_for_record";
    /// What the account is held for is still there.
    StillHeld "still_held";
    /// Records can only be left out that cannot be exported.
    ExportableRecord "exportable_record";
    /// The source recognises none of the account's watermarks.
    NoCommonWatermark "no_common_watermark";
    /// The clocks of this host and of the database differ.
    ClocksDiffer "clocks_differ";
    /// No object was delivered of what was asked for.
    NothingDelivered "nothing_delivered";
    /// There is no such channel of notifications.
    NoSuchNotification "no_such_notification";
    /// There is no such object in the history.
    NoSuchObject "no_such_object";
    /// There is no such token.
    NoSuchToken "no_such_token";
    /// There is no session of this id.
    NoSuchSession "no_such_session";
    /// The portal is not served where browsers reach it.
    NoPortal "no_portal";
    /// It would stop many accounts at once, and nobody has confirmed how many.
    TooManyAccounts "too_many_accounts";
    /// Another command does the same at this time.
    UnderWay "under_way";
}

impl fmt::Display for RefusalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A request that was refused; nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What it is about, for a program.
    pub code: RefusalCode,
    /// Whose request it was.
    pub account: Option<AccountId>,
    /// The field with the wrong value, if it is one field.
    pub field: Option<&'static str>,
    /// What is wrong.
    pub problem: String,
    /// What to do about it.
    pub fix: Option<String>,
}

impl Refusal {
    /// A refusal of no particular account or field.
    pub fn new(code: RefusalCode, problem: impl Into<String>) -> Self {
        Self { code, account: None, field: None, problem: problem.into(), fix: None }
    }

    /// Of a field's value.
    pub fn field(field: &'static str, code: RefusalCode, problem: impl Into<String>) -> Self {
        Self { field: Some(field), ..Self::new(code, problem) }
    }

    /// Because of the state of an account.
    pub fn account(account: &AccountId, code: RefusalCode, problem: impl Into<String>) -> Self {
        Self { account: Some(account.clone()), ..Self::new(code, problem) }
    }

    /// With what to do about it.
    #[must_use]
    pub fn fix(self, fix: impl Into<String>) -> Self {
        Self { fix: Some(fix.into()), ..self }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(account) = &self.account {
            write!(f, "account {account}: ")?;
        }
        if let Some(field) = self.field {
            write!(f, "{field}: ")?;
        }
        f.write_str(&self.problem)?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_are_words_that_differ() {
        let words: HashSet<&str> = RefusalCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), RefusalCode::ALL.len());
        assert!(
            words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')),
            "{words:?}"
        );
    }

    #[test]
    fn a_refusal_reads_as_a_sentence() {
        let acme: AccountId = "acme".parse().expect("id");
        let refusal = Refusal::account(&acme, RefusalCode::NoDestination, "it has no destination");
        assert_eq!(refusal.to_string(), "account acme: it has no destination");
        let refusal =
            Refusal::field("until", RefusalCode::HasPassed, "it has passed").fix("give a later instant");
        assert_eq!(refusal.to_string(), "until: it has passed; give a later instant");
    }
}
