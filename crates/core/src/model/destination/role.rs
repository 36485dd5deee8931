//! A role at AWS that the customer lets the worker assume.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::DestinationError;
use crate::model::account::AccountId;

/// Longest name of a session. Source: `AssumeRole`, AWS STS API Reference.
const MAX_SESSION_NAME_CHARS: usize = 64;

/// How long a session may last. Source: as above; a role's own maximum may be less.
const SESSION_HOURS: std::ops::RangeInclusive<SignedDuration> =
    SignedDuration::from_mins(15)..=SignedDuration::from_hours(12);

/// How long a session lasts if nothing is said: what every role allows, and the most that
/// AWS gives to a worker whose own identity is a role.
const DEFAULT_SESSION: SignedDuration = SignedDuration::from_hours(1);

/// What every external id begins with, so that a customer recognises it.
const EXTERNAL_ID_PREFIX: &str = "auditferry-";

/// A role that the worker assumes, with its own identity, for each session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssumeRole {
    /// The role's ARN.
    pub role_arn: String,
    /// What the role's trust policy must ask for. auditferry makes it, one per account, so
    /// that no customer can name the role of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// What the customer sees in CloudTrail; absent: `auditferry-ACCOUNT`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_name: Option<String>,
    /// How long a session lasts; absent: one hour.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "span")]
    pub duration: Option<SignedDuration>,
}

/// A length of time as in the settings: `1h`.
mod span {
    use jiff::SignedDuration;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "serde gives it so")]
    pub(super) fn serialize<S: Serializer>(
        span: &Option<SignedDuration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => serializer.collect_str(&format_args!("{span:#}")),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SignedDuration>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
        let span = text.parse().map_err(|_| {
            serde::de::Error::custom(format!("{text:?} is not a duration; write it like \"1h\" or \"30m\""))
        })?;
        Ok(Some(span))
    }
}

/// An external id from bytes that are random.
#[must_use]
pub fn external_id(random: &[u8; 16]) -> String {
    random.iter().fold(EXTERNAL_ID_PREFIX.to_owned(), |id, byte| format!("{id}{byte:02x}"))
}

/// The partition of an ARN, such as `aws` or `aws-cn`.
#[must_use]
pub fn partition(arn: &str) -> &str {
    arn.split(':').nth(1).filter(|name| !name.is_empty()).unwrap_or("aws")
}

impl AssumeRole {
    /// How long a session lasts, in seconds.
    #[must_use]
    pub fn seconds(&self) -> i32 {
        let asked = self.duration.unwrap_or(DEFAULT_SESSION);
        i32::try_from(asked.as_secs()).unwrap_or(i32::MAX)
    }

    /// With what auditferry adds: the external id of the account, and a name for its sessions.
    ///
    /// # Errors
    /// When it names another external id, or the account has none.
    pub(super) fn completed(
        mut self,
        account: &AccountId,
        external_id: Option<&str>,
    ) -> Result<Self, DestinationError> {
        let field = "credentials.assume_role.external_id";
        let fix = "leave it out: `auditferry destination trust ACCOUNT` makes it and shows it, and it is taken \
                   from there";
        match (&self.external_id, external_id) {
            (_, None) => {
                let problem = format!("account {account} has none yet");
                let fix = "once the account is there, run `auditferry destination trust ACCOUNT`, give the customer what it \
                           prints, and come back with the role that they made";
                return Err(DestinationError { field, problem, fix });
            }
            (Some(given), Some(ours)) if given != ours => {
                let problem = format!("{given:?} is not the one that auditferry made for account {account}");
                return Err(DestinationError { field, problem, fix });
            }
            (_, Some(ours)) => self.external_id = Some(ours.to_owned()),
        }
        if self.session_name.is_none() {
            // The encoded id holds only what AWS allows.
            let name = format!("auditferry-{}", account.encoded());
            self.session_name = Some(name.chars().take(MAX_SESSION_NAME_CHARS).collect());
        }
        Ok(self)
    }

    pub(super) fn validate(&self) -> Result<(), DestinationError> {
        if !is_role_arn(&self.role_arn) {
            return Err(DestinationError {
                field: "credentials.assume_role.role_arn",
                problem: format!("{:?} is not the ARN of a role", self.role_arn),
                fix: "copy it from IAM: arn:aws:iam::123456789012:role/NAME",
            });
        }
        if let Some(name) = &self.session_name {
            let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
            if !(2..=MAX_SESSION_NAME_CHARS).contains(&name.len()) || !name.chars().all(plain) {
                return Err(DestinationError {
                    field: "credentials.assume_role.session_name",
                    problem: format!("{name:?} is no name of a session"),
                    fix: "use 2 to 64 of A-Z a-z 0-9 _ + = , . @ -, or leave it out",
                });
            }
        }
        match self.duration {
            Some(duration) if !SESSION_HOURS.contains(&duration) => Err(DestinationError {
                field: "credentials.assume_role.duration",
                problem: format!("{duration:#} is not between 15m and 12h"),
                fix: "leave it out for one hour, which every role allows",
            }),
            _ => Ok(()),
        }
    }
}

/// Source: "IAM identifiers", AWS IAM User Guide.
fn is_role_arn(arn: &str) -> bool {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts[..] else { return false };
    let name = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-/".contains(c);
    let Some(role) = resource.strip_prefix("role/") else { return false };
    arn.len() <= 2048
        && (partition == "aws" || partition.starts_with("aws-"))
        && partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
        && account.len() == 12
        && account.bytes().all(|b| b.is_ascii_digit())
        && !role.is_empty()
        && !role.ends_with('/')
        && role.chars().all(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(arn: &str) -> AssumeRole {
        AssumeRole { role_arn: arn.to_owned(), external_id: None, session_name: None, duration: None }
    }

    fn account(id: &str) -> AccountId {
        id.parse().expect("id")
    }

    #[test]
    fn only_a_roles_arn_is_one() {
        for good in ["arn:aws:iam::123456789012:role/siem", "arn:aws-cn:iam::123456789012:role/a/b/siem_1"] {
            assert_eq!(role(good).validate(), Ok(()), "{good}");
        }
        for bad in [
            "",
            "siem",
            "arn:aws:iam::123456789012:user/siem",
            "arn:aws:iam::12345678901:role/siem",
            "arn:aws:iam::12345678901x:role/siem",
            "arn:aws:sts::123456789012:role/siem",
            "arn:aws:iam:eu:123456789012:role/siem",
            "arn:evil:iam::123456789012:role/siem",
            "arn:aws:iam::123456789012:role/",
            "arn:aws:iam::123456789012:role/a b",
            "arn:aws:iam::123456789012:role/a/",
        ] {
            assert!(role(bad).validate().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_session_is_named_after_its_account_within_the_rules_of_aws() {
        let arn = "arn:aws:iam::123456789012:role/siem";
        let name = |id: &str| {
            let role = role(arn).completed(&account(id), Some("auditferry-1")).expect("completed");
            role.validate().unwrap_or_else(|error| panic!("{error}"));
            role.session_name.expect("named")
        };
        assert_eq!(name("acme"), "auditferry-acme");
        assert_eq!(name("acme corp/ä"), "auditferry-acme.20corp.2f.c3.a4");
        assert_eq!(name(&"x".repeat(200)).len(), 64);
        let bad = |name: &str| AssumeRole { session_name: Some(name.to_owned()), ..role(arn) }.validate();
        assert!(bad("a").is_err() && bad("a b").is_err() && bad(&"x".repeat(65)).is_err());
    }

    #[test]
    fn an_external_id_is_never_chosen() {
        let arn = "arn:aws:iam::123456789012:role/siem";
        let given = |id: &str| AssumeRole { external_id: Some(id.to_owned()), ..role(arn) };
        let acme = account("acme");
        let ours = given("auditferry-1").completed(&acme, Some("auditferry-1")).expect("the same");
        assert_eq!(ours.external_id.as_deref(), Some("auditferry-1"));
        let other = given("auditferry-2").completed(&acme, Some("auditferry-1")).expect_err("refused");
        assert!(other.problem.contains("not the one that auditferry made"), "{other}");
        let none = role(arn).completed(&acme, None).expect_err("refused");
        assert!(none.to_string().contains("auditferry destination trust"), "{none}");
        assert_eq!(external_id(&[7; 16]), format!("auditferry-{}", "07".repeat(16)));
    }

    #[test]
    fn a_session_lasts_an_hour_or_what_aws_allows() {
        let lasting = |text: &str| {
            let toml = format!("role_arn = 'arn:aws:iam::123456789012:role/siem'\nduration = '{text}'");
            toml::from_str::<AssumeRole>(&toml).expect("reads")
        };
        assert_eq!(lasting("2h").seconds(), 7200);
        assert_eq!(lasting("2h").validate(), Ok(()));
        assert_eq!(role("").seconds(), 3600);
        for bad in ["14m", "13h", "-1h"] {
            assert!(lasting(bad).validate().is_err_and(|e| e.field.ends_with("duration")), "{bad}");
        }
        let json = serde_json::to_string(&lasting("90m")).expect("writes");
        assert!(json.contains("\"1h 30m\""), "{json}");
        assert_eq!(serde_json::from_str::<AssumeRole>(&json).expect("reads"), lasting("90m"));
    }
}
