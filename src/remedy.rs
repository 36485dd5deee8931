//! What the owner of a bucket must do when a put fails, in the words of their cloud.
//! `docs/DESTINATIONS.md` is generated from here.

use std::fmt::Write as _;

use crate::destination::{self, AccessKey, AssumeRole, S3Credentials, SealedId, SecretRef};
use crate::destination::{
    Azure, AzureCloud, AzureCredentials, Destination, EntraCertificate, EntraSecret, Gcs, GcsCredentials,
    Impersonate, ManagedIdentity, Place, S3, WorkloadIdentity,
};
use crate::store::PutErrorKind;

mod azure;
mod gcs;

use azure::of_azure;
use gcs::of_gcs;

/// One sentence with the fix of a failure at a destination; `message` is what the cloud said.
#[must_use]
pub fn remedy(kind: PutErrorKind, message: &str, destination: &Destination) -> String {
    let prefix = &destination.prefix;
    match &destination.place {
        Place::S3(s3) => of_s3(kind, s3, prefix),
        Place::Gcs(gcs) => of_gcs(kind, message, gcs),
        Place::Azure(azure) => of_azure(kind, message, azure),
    }
    .unwrap_or_else(|| kind.fix().to_owned())
}

fn of_s3(kind: PutErrorKind, s3: &S3, prefix: &str) -> Option<String> {
    let S3 { bucket, region, .. } = s3;
    let who = match &s3.credentials {
        S3Credentials::AccessKey(key) => format!("The key {}", short(&key.id)),
        S3Credentials::AssumeRole(role) => format!("The role `{}`", role.role_arn),
        S3Credentials::Ambient => "The worker's own AWS identity".to_owned(),
    };
    let role = match &s3.credentials {
        S3Credentials::AssumeRole(role) => Some(role),
        S3Credentials::AccessKey(_) | S3Credentials::Ambient => None,
    };
    let partition = role.map_or("aws", |role| destination::partition(&role.role_arn));
    let arn = |folder: &str| format!("arn:{partition}:s3:::{bucket}/{prefix}{folder}/*");
    Some(match (kind, role) {
        (PutErrorKind::InvalidCredentials, Some(role)) => format!(
            "{who} does not let the worker in: see in IAM that it exists, and that its trust policy is the one that \
             `auditferry destination trust ACCOUNT` prints: the worker's principal, `sts:AssumeRole`, and the condition \
             `{{\"StringEquals\":{{\"sts:ExternalId\":\"{}\"}}}}`",
            role.external_id.as_deref().unwrap_or_default()
        ),
        (PutErrorKind::Unreachable, Some(_)) => format!(
            "The worker cannot connect to STS or to {host}, or has no AWS identity of its own that is in force, as the \
             message says: `auditferry destination trust ACCOUNT`, run where the worker runs, shows whether it has one",
            host = host(s3)
        ),
        (PutErrorKind::Denied, _) => format!(
            "{who} may not `s3:PutObject` on `{audit}`; add this statement to its policy: \
             `{{\"Effect\":\"Allow\",\"Action\":\"s3:PutObject\",\"Resource\":[\"{audit}\",\"{probe}\"]}}`, and look \
             for a Deny in the bucket policy and for a KMS key that it may not use (`kms:GenerateDataKey`)",
            audit = arn("audit"),
            probe = arn("auditferry-probe"),
        ),
        (PutErrorKind::InvalidCredentials, None) => format!(
            "{who} is not in force: in IAM see that it exists and is Active, or make another and set the \
             destination again with it; a session token has an end of its own"
        ),
        (PutErrorKind::NoSuchBucket, _) => format!(
            "There is no bucket `{bucket}`: create it (`aws s3 mb s3://{bucket} --region {region}`), or \
             correct its name in the destination"
        ),
        (PutErrorKind::Unreachable, None) => unreachable(&host(s3)),
        (PutErrorKind::Exists, _) => exists("bucket", bucket),
        _ => return None,
    })
}

fn host(s3: &S3) -> String {
    s3.endpoint.clone().unwrap_or_else(|| format!("https://s3.{}.amazonaws.com", s3.region))
}

fn unreachable(host: &str) -> String {
    format!("The worker cannot connect to {host}: check the endpoint, DNS, firewall and proxy between them")
}

fn exists(kind: &str, name: &str) -> String {
    format!(
        "An object that is not ours stands under this key: find out who writes under `audit/` in the {kind} `{name}`, \
         and move the object away"
    )
}

/// A key's id as a person recognises it: `AKIA…7Q`.
fn short(id: &str) -> String {
    let chars: Vec<char> = id.chars().collect();
    match chars.len() {
        0..=8 => id.to_owned(),
        length => format!(
            "{}…{}",
            chars[..4].iter().collect::<String>(),
            chars[length - 2..].iter().collect::<String>()
        ),
    }
}

/// The application of the examples.
const CLIENT: &str = "11111111-2222-3333-4444-555555555555";

/// The tables of `docs/DESTINATIONS.md`: every kind of failure at each kind of destination, and
/// what a cloud says more about some.
#[must_use]
pub fn table() -> String {
    let secret = || SecretRef::Sealed(SealedId(String::new()));
    let endpoint = Some("https://acme.blob.core.windows.net");
    let azure = |credentials, endpoint: Option<&str>| {
        Place::Azure(Azure {
            container: "acme-siem".to_owned(),
            endpoint: endpoint.map(str::to_owned),
            credentials,
        })
    };
    let s3 = |credentials| {
        Place::S3(S3 {
            bucket: "acme-siem".to_owned(),
            region: "eu-central-1".to_owned(),
            endpoint: None,
            path_style: None,
            credentials,
        })
    };
    let gcs = |credentials| Place::Gcs(Gcs { bucket: "acme-siem".to_owned(), endpoint: None, credentials });
    let key = S3Credentials::AccessKey(AccessKey {
        id: "AKIAIOSFODNN7EXAMP7Q".to_owned(),
        secret: secret(),
        session_token: None,
    });
    let role = S3Credentials::AssumeRole(AssumeRole {
        role_arn: "arn:aws:iam::123456789012:role/auditferry".to_owned(),
        external_id: Some("auditferry-0123…".to_owned()),
        session_name: None,
        duration: None,
    });
    let places = [
        ("Amazon S3, access key", s3(key)),
        ("Amazon S3, role", s3(role)),
        ("Google, key", gcs(GcsCredentials::ServiceAccount(secret()))),
        (
            "Google, impersonation",
            gcs(GcsCredentials::Impersonate(Impersonate {
                service_account: "auditferry@acme-siem.iam.gserviceaccount.com".to_owned(),
            })),
        ),
        ("Google, ambient", gcs(GcsCredentials::Ambient)),
        ("Azure, SAS", azure(AzureCredentials::Sas(secret()), endpoint)),
        ("Azure, connection string", azure(AzureCredentials::ConnectionString(secret()), None)),
        (
            "Azure, client secret",
            azure(
                AzureCredentials::EntraSecret(EntraSecret {
                    tenant_id: "acme.onmicrosoft.com".to_owned(),
                    client_id: CLIENT.to_owned(),
                    secret: secret(),
                    cloud: AzureCloud::Public,
                }),
                endpoint,
            ),
        ),
        (
            "Azure, certificate",
            azure(
                AzureCredentials::EntraCertificate(EntraCertificate {
                    tenant_id: "acme.onmicrosoft.com".to_owned(),
                    client_id: CLIENT.to_owned(),
                    certificate: secret(),
                    cloud: AzureCloud::Public,
                }),
                endpoint,
            ),
        ),
        (
            "Azure, managed identity",
            azure(AzureCredentials::ManagedIdentity(ManagedIdentity::default()), endpoint),
        ),
        (
            "Azure, workload identity",
            azure(
                AzureCredentials::WorkloadIdentity(WorkloadIdentity {
                    tenant_id: Some("acme.onmicrosoft.com".to_owned()),
                    client_id: Some(CLIENT.to_owned()),
                }),
                endpoint,
            ),
        ),
    ];
    let mut table = String::from("| failure | destination | what to do |\n|---|---|---|\n");
    for kind in PutErrorKind::ALL {
        let name = kind.as_str();
        for (title, place) in &places {
            let text = remedy(kind, "", &at(place));
            if text == kind.fix() {
                let _ = writeln!(table, "| `{name}` | all | {text} |");
                break;
            }
            let _ = writeln!(table, "| `{name}` | {title} | {text} |");
        }
    }
    table.push_str("\n| the cloud says | destination | what to do |\n|---|---|---|\n");
    for (code, kind) in azure::CODES {
        let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
        for (title, place) in &places {
            let text = remedy(kind, code, &at(place));
            if text == remedy(kind, "", &at(place)) {
                continue;
            }
            match rows.iter_mut().find(|(known, _)| *known == text) {
                Some((_, titles)) => titles.push(title),
                None => rows.push((text, vec![title])),
            }
        }
        for (text, titles) in rows {
            let _ = writeln!(table, "| `{code}` | {} | {text} |", titles.join("; "));
        }
    }
    table
}

fn at(place: &Place) -> Destination {
    Destination { prefix: String::new(), allow_http: false, expires: None, place: place.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_documentation_is_this_one() {
        let document = include_str!("../docs/DESTINATIONS.md");
        let start = document.find("| failure |").expect("the tables");
        let end = document.find("\n## Not tried").expect("what follows them");
        let shown = &document[start..end];
        assert!(
            shown == table(),
            "docs/DESTINATIONS.md is not what src/remedy.rs says; write there:\n{}",
            table()
        );
    }

    #[test]
    fn a_keys_id_is_shortened() {
        assert_eq!(short("AKIAIOSFODNN7EXAMP7Q"), "AKIA…7Q");
        assert_eq!(short("minio"), "minio");
    }
}
