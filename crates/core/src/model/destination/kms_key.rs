//! Which key of AWS KMS encrypts new objects, as the header of S3 takes it.

use super::DestinationError;
use super::names::validate_text;

/// Longest ARN that AWS makes.
const MAX_CHARS: usize = 2048;

/// The parts of a key's or alias's ARN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KmsArn<'a> {
    /// Such as `aws` or `aws-cn`.
    pub partition: &'a str,
    /// The key's region.
    pub region: &'a str,
    /// The AWS account to which the key belongs.
    pub account: &'a str,
    /// `key/ID` or `alias/NAME`.
    pub resource: &'a str,
}

impl<'a> KmsArn<'a> {
    /// The parts, if it has the form of an ARN of KMS.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let parts: Vec<&str> = text.splitn(6, ':').collect();
        let ["arn", partition, "kms", region, account, resource] = parts[..] else { return None };
        let plain = |part: &str| {
            !part.is_empty()
                && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let known = partition == "aws" || partition.starts_with("aws-");
        let named = is_alias(resource) || resource.strip_prefix("key/").is_some_and(is_id);
        (known && plain(partition) && plain(region) && is_account(account) && named).then_some(Self {
            partition,
            region,
            account,
            resource,
        })
    }
}

/// The twelve digits of an AWS account.
pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Source: "Key identifiers (`KeyId`)", AWS KMS Developer Guide.
fn is_id(text: &str) -> bool {
    let hex = |part: &str, length| part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(rest) = text.strip_prefix("mrk-") {
        return hex(rest, 32);
    }
    let parts: Vec<&str> = text.split('-').collect();
    parts.len() == 5 && parts.iter().zip([8, 4, 4, 4, 12]).all(|(part, length)| hex(part, length))
}

/// Source: `AliasName` of `CreateAlias`, AWS KMS API Reference.
fn is_alias(text: &str) -> bool {
    let named = |c: char| c.is_ascii_alphanumeric() || "/_-".contains(c);
    text.len() <= 256
        && text.strip_prefix("alias/").is_some_and(|name| !name.is_empty() && name.chars().all(named))
}

/// What stands around a key and decides what it may be.
pub(super) struct Around<'a> {
    pub(super) region: &'a str,
    /// A compatible store, whose keys have names of their own.
    pub(super) compatible: bool,
    /// Whether the worker asks as itself, in an AWS account that is not the customer's.
    pub(super) as_worker: bool,
}

pub(super) fn validate(key: &str, around: &Around<'_>) -> Result<(), DestinationError> {
    let refuse = |problem: String, fix| Err(DestinationError { field: "sse_kms_key_id", problem, fix });
    let form = "give the key's ARN (arn:aws:kms:REGION:ACCOUNT:key/ID), its id, or alias/NAME; leave it out for the \
                bucket's own default";
    validate_text("sse_kms_key_id", key, form)?;
    if key.len() > MAX_CHARS {
        return refuse(format!("it has {} characters", key.len()), form);
    }
    if around.compatible {
        return Ok(());
    }
    let arn = KmsArn::parse(key);
    match arn {
        None if !is_id(key) && !is_alias(key) => refuse(format!("{key:?} is no key of AWS KMS"), form),
        None if around.as_worker => refuse(
            format!("{key:?} would be looked for in the worker's own AWS account"),
            "give the key's whole ARN, which names the customer's account",
        ),
        Some(arn) if arn.region != around.region => refuse(
            format!("{key:?} is in another region than the bucket, {:?}", around.region),
            "give a key of the bucket's region, S3 takes no other",
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";

    fn problem(key: &str, around: &Around<'_>) -> Option<String> {
        validate(key, around).err().map(|error| error.problem)
    }

    #[test]
    fn a_key_is_an_id_an_alias_or_an_arn() {
        let around = Around { region: "eu-central-1", compatible: false, as_worker: false };
        let mrk = "mrk-1234abcd12ab34cd56ef1234567890ab";
        let arn = |resource: &str| format!("arn:aws:kms:eu-central-1:123456789012:{resource}");
        for good in [
            ID.to_owned(),
            mrk.to_owned(),
            "alias/siem/eu_1".to_owned(),
            "alias/aws/s3".to_owned(),
            arn(&format!("key/{ID}")),
            arn(&format!("key/{mrk}")),
            arn("alias/siem"),
        ] {
            assert_eq!(problem(&good, &around), None, "{good}");
        }
        for bad in [
            String::new(),
            "siem".to_owned(),
            "alias/".to_owned(),
            "alias/a b".to_owned(),
            format!("{ID}0"),
            "mrk-1234".to_owned(),
            arn("key/siem"),
            arn("alias/"),
            arn(ID),
            format!("arn:evil:kms:eu-central-1:123456789012:key/{ID}"),
            format!("arn:aws:iam:eu-central-1:123456789012:key/{ID}"),
            format!("arn:aws:kms:eu-central-1:12345678901:key/{ID}"),
            "x".repeat(3000),
        ] {
            assert!(problem(&bad, &around).is_some(), "{bad}");
        }
        let elsewhere = format!("arn:aws:kms:us-east-1:123456789012:key/{ID}");
        assert!(problem(&elsewhere, &around).is_some_and(|problem| problem.contains("another region")));
    }

    #[test]
    fn a_key_that_the_worker_asks_for_as_itself_names_its_account() {
        let around = Around { region: "eu-central-1", compatible: false, as_worker: true };
        for bad in [ID, "alias/siem"] {
            assert!(
                problem(bad, &around).is_some_and(|text| text.contains("worker's own AWS account")),
                "{bad}"
            );
        }
        assert_eq!(problem(&format!("arn:aws:kms:eu-central-1:123456789012:key/{ID}"), &around), None);
    }

    #[test]
    fn the_keys_of_a_compatible_store_have_names_of_their_own() {
        let around = Around { region: "eu-central-1", compatible: true, as_worker: true };
        assert_eq!(problem("siem-key", &around), None);
        assert!(problem("siem key", &around).is_some() && problem("", &around).is_some());
    }
}
