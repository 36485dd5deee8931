//! What the clouds would refuse in names, prefixes and endpoints, found without asking them.

use super::{DestinationError, HTTPS_ONLY, MAX_PREFIX_BYTES};

pub(super) fn validate_text(
    field: &'static str,
    value: &str,
    fix: &'static str,
) -> Result<(), DestinationError> {
    if value.is_empty() {
        return Err(DestinationError { field, problem: "it is empty".into(), fix });
    }
    if let Some(bad) = value.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(DestinationError { field, problem: format!("it holds {bad:?}"), fix });
    }
    Ok(())
}

/// A region becomes a part of the host's name, so that it must be a label of one.
pub(super) fn validate_region(region: &str) -> Result<(), DestinationError> {
    let fix = "name the bucket's region, such as eu-central-1";
    validate_text("region", region, fix)?;
    let label = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    match region.chars().find(|&c| !label(c)) {
        Some(bad) => {
            Err(DestinationError { field: "region", problem: format!("{region:?} holds {bad:?}"), fix })
        }
        None if region.len() > 63 => {
            Err(DestinationError { field: "region", problem: "it has more than 63 characters".into(), fix })
        }
        None => Ok(()),
    }
}

/// Regions of AWS, to name the one that was meant; others are taken too.
const REGIONS: [&str; 38] = [
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-gov-east-1",
    "us-gov-west-1",
];

/// A region of Amazon's own: words of small letters and a number, joined by `-`. Another name becomes a host that
/// does not exist.
pub(super) fn validate_aws_region(region: &str) -> Result<(), DestinationError> {
    validate_region(region)?;
    let mut parts: Vec<&str> = region.split('-').collect();
    let number = parts.pop().unwrap_or_default();
    let word = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase());
    let numbered = !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit());
    if parts.len() >= 2 && parts.iter().all(word) && numbered {
        return Ok(());
    }
    Err(DestinationError {
        field: "region",
        problem: format!("{region:?} is no region of AWS{}", crate::text::nearest::hint(region, &REGIONS)),
        fix: "name the bucket's region, such as eu-central-1; a compatible store with regions of its own needs an endpoint",
    })
}

pub(super) fn validate_prefix(prefix: &str) -> Result<(), DestinationError> {
    let refuse = |problem: String, fix| Err(DestinationError { field: "prefix", problem, fix });
    if prefix.is_empty() {
        return Ok(());
    }
    if prefix.len() > MAX_PREFIX_BYTES {
        return refuse(
            format!("it has {} bytes, at most {MAX_PREFIX_BYTES} are allowed", prefix.len()),
            "use a shorter one",
        );
    }
    let Some(folders) = prefix.strip_suffix('/') else {
        return refuse(format!("{prefix:?} does not end in /"), "add the / at its end");
    };
    if let Some(bad) = folders.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-/=".contains(*c))) {
        return refuse(format!("{prefix:?} holds {bad:?}"), "use letters, digits and . _ - = / only");
    }
    if folders.split('/').any(|folder| matches!(folder, "" | "." | "..")) {
        return refuse(
            format!("{prefix:?} has an empty, \".\" or \"..\" folder"),
            "use plain folder names, without a / at the start",
        );
    }
    Ok(())
}

pub(super) fn validate_endpoint(endpoint: Option<&str>, allow_http: bool) -> Result<(), DestinationError> {
    let Some(endpoint) = endpoint else { return Ok(()) };
    let refuse = |problem: &str| {
        Err(DestinationError {
            field: "endpoint",
            problem: format!("{endpoint:?} {problem}"),
            fix: "give scheme and host only, such as https://storage.example.com",
        })
    };
    let Some(rest) = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://")) else {
        return refuse("does not start with https:// or http://");
    };
    if !allow_http && endpoint.starts_with("http://") {
        return Err(DestinationError {
            field: "endpoint",
            problem: format!("{endpoint:?} is without TLS"),
            fix: HTTPS_ONLY,
        });
    }
    if rest.is_empty() || rest.starts_with('/') {
        return refuse("has no host");
    }
    if rest.contains(['@', '?', '#', ' ', '\\']) || !endpoint.is_ascii() {
        return refuse("holds more than scheme, host, port and path");
    }
    Ok(())
}

/// Source: "General purpose buckets naming rules", Amazon S3 User Guide.
pub(super) fn validate_s3_bucket(name: &str) -> Result<(), DestinationError> {
    refuse_arn(name)?;
    let fix = "use the bucket's name as S3 shows it: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends";
    let problem = common_name_problem(name, 63, b".-").or_else(|| {
        if name.contains("..") {
            Some("it has two dots in a row".to_owned())
        } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
            Some("it has the form of an IP address".to_owned())
        } else if name.starts_with("xn--") || name.ends_with("--ol-s3") {
            Some("it starts or ends with a name part that S3 reserves".to_owned())
        } else {
            None
        }
    });
    refuse_name("bucket", name, problem, fix)
}

/// An access point has two names, and only one of them stands where a bucket's does.
fn refuse_arn(name: &str) -> Result<(), DestinationError> {
    if !name.starts_with("arn:") {
        return Ok(());
    }
    Err(DestinationError {
        field: "bucket",
        problem: format!("{name:?} is an ARN"),
        fix: "give the bucket's name, or the alias of the access point (…-s3alias), which S3 shows beside its ARN",
    })
}

/// What compatible stores let a bucket be called where its name stands in the path, as Amazon once did: 3 to 255
/// letters, digits and `. _ -`.
pub(super) fn validate_legacy_bucket(name: &str) -> Result<(), DestinationError> {
    refuse_arn(name)?;
    let fix = "use the bucket's name as the store shows it: 3 to 255 of A-Z a-z 0-9 . _ -";
    let problem = if !(3..=255).contains(&name.len()) {
        Some(format!("it has {} characters", name.len()))
    } else if let Some(bad) = name.chars().find(|c| !(c.is_ascii_alphanumeric() || "._-".contains(*c))) {
        Some(format!("it holds {bad:?}"))
    } else {
        name.bytes().all(|b| b == b'.').then(|| "it is a step in a path".to_owned())
    };
    refuse_name("bucket", name, problem, fix)
}

/// Source: "Bucket naming rules", Google Cloud Storage documentation.
pub(super) fn validate_gcs_bucket(name: &str) -> Result<(), DestinationError> {
    let fix =
        "use the bucket's name as Google shows it: 3 to 63 of a-z 0-9 . _ -, a letter or digit at both ends";
    let longest = if name.contains('.') { 222 } else { 63 };
    let problem = common_name_problem(name, longest, b"._-").or_else(|| {
        if name.split('.').any(|part| part.is_empty() || part.len() > 63) {
            Some("a part between dots is empty or longer than 63".to_owned())
        } else if name.starts_with("goog") || name.contains("google") {
            Some("it holds a name that Google reserves".to_owned())
        } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
            Some("it has the form of an IP address".to_owned())
        } else {
            None
        }
    });
    refuse_name("bucket", name, problem, fix)
}

/// Source: "Naming and Referencing Containers, Blobs, and Metadata", Azure Storage REST API.
pub(super) fn validate_container(name: &str) -> Result<(), DestinationError> {
    let special = match name {
        "$web" => Some("it is published to everybody as a static website, and an audit log must not be"),
        "$root" => Some("its blobs cannot lie in folders"),
        "$logs" | "$blobchangefeed" => Some("Azure alone writes there"),
        _ => None,
    };
    if let Some(problem) = special {
        let fix = "use a private container of its own";
        return refuse_name("container", name, Some(problem.to_owned()), fix);
    }
    let fix = "use the container's name as Azure shows it: 3 to 63 of a-z 0-9 -, no two - in a row";
    let problem = common_name_problem(name, 63, b"-")
        .or_else(|| name.contains("--").then(|| "it has two dashes in a row".to_owned()));
    refuse_name("container", name, problem, fix)
}

fn refuse_name(
    field: &'static str,
    name: &str,
    problem: Option<String>,
    fix: &'static str,
) -> Result<(), DestinationError> {
    match problem {
        None => Ok(()),
        Some(problem) => Err(DestinationError { field, problem: format!("{name:?}: {problem}"), fix }),
    }
}

fn common_name_problem(name: &str, longest: usize, marks: &[u8]) -> Option<String> {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = name.as_bytes();
    if !(3..=longest).contains(&bytes.len()) {
        return Some(format!("it has {} characters", bytes.len()));
    }
    if let Some(bad) =
        name.chars().find(|c| !c.is_ascii() || !(plain(*c as u8) || marks.contains(&(*c as u8))))
    {
        return Some(format!("it holds {bad:?}"));
    }
    let ends_plain = bytes.first().copied().is_some_and(plain) && bytes.last().copied().is_some_and(plain);
    (!ends_plain).then(|| "it does not start and end with a letter or digit".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bucket_names_that_google_or_azure_would_refuse_are_refused() {
        assert!(validate_gcs_bucket("acme_siem").is_ok());
        for bad in ["goog-x", "my-google-x", "a..b", "Abc", "ab"] {
            assert!(validate_gcs_bucket(bad).is_err(), "{bad}");
        }
        assert!(validate_container("acme-siem").is_ok());
        for bad in ["acme--siem", "acme_siem", "Acme", "-acme", "ab"] {
            assert!(validate_container(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_region_of_amazons_has_its_form_and_the_nearest_is_named() {
        for good in ["us-east-1", "eu-central-1", "us-gov-west-1", "eusc-de-east-1", "xx-new-12"] {
            assert_eq!(validate_aws_region(good), Ok(()), "{good}");
        }
        for (bad, meant) in
            [("us_east", "us-east-1"), ("eu-central", "eu-central-1"), ("EU-WEST-1", "eu-west-1")]
        {
            let problem = validate_aws_region(bad).expect_err(bad).problem;
            assert!(problem.contains("did you mean") && problem.contains(meant), "{problem}");
        }
        for bad in ["", "1", "us-1", "us--east-1", "garage_1", "us-east-1a"] {
            assert!(validate_aws_region(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn names_of_access_points_of_old_buckets_and_of_azures_own_containers() {
        assert!(validate_s3_bucket("acme-ap-metadataexample-s3alias").is_ok());
        let arn = "arn:aws:s3:eu-central-1:123456789012:accesspoint/acme";
        assert!(validate_s3_bucket(arn).expect_err("an ARN").fix.contains("-s3alias"));
        for good in ["Acme_Logs", "acme", &"x".repeat(255), "a.b_c-D"] {
            assert_eq!(validate_legacy_bucket(good), Ok(()), "{good}");
            assert!(good.len() < 64 || validate_s3_bucket(good).is_err());
        }
        for bad in ["ab", "a/b", "a b", "...", "ä-logs", "../x", &"x".repeat(256), arn] {
            assert!(validate_legacy_bucket(bad).is_err(), "{bad}");
        }
        for (name, says) in
            [("$web", "published to everybody"), ("$root", "folders"), ("$logs", "Azure alone")]
        {
            assert!(validate_container(name).expect_err(name).problem.contains(says), "{name}");
        }
    }

    #[test]
    fn a_region_is_a_label() {
        assert!(validate_region("eu-central-1").is_ok() && validate_region("garage_1").is_ok());
        for bad in ["", "a.evil.example", "a/b", "x#", "a b", &"x".repeat(64)] {
            assert!(validate_region(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_prefix_stays_inside_the_bucket() {
        for good in ["", "siem/", "a/b=c/"] {
            assert_eq!(validate_prefix(good), Ok(()), "{good}");
        }
        for bad in ["siem", "/siem/", "a//b/", "../", "a/./", "a b/", "ä/"] {
            assert!(validate_prefix(bad).is_err(), "{bad}");
        }
    }
}
