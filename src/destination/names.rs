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
    let fix = "use the bucket's name as S3 shows it: 3 to 63 of a-z 0-9 . -, a letter or digit at both ends";
    let problem = common_name_problem(name, 63, b".-").or_else(|| {
        if name.contains("..") {
            Some("it has two dots in a row".to_owned())
        } else if name.parse::<std::net::Ipv4Addr>().is_ok() {
            Some("it has the form of an IP address".to_owned())
        } else if name.starts_with("xn--") || name.ends_with("-s3alias") {
            Some("it starts or ends with a name part that S3 reserves".to_owned())
        } else {
            None
        }
    });
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
