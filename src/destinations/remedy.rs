//! What the owner of a bucket must do when a put fails, in the words of their cloud.
//! `docs/book/src/destinations/failures.md` is generated from here.

use std::fmt::Write as _;

use auditferry_core::model::destination::{
    AccessKey, AssumeRole, Azure, AzureCloud, AzureCredentials, Destination, EntraCertificate, EntraSecret,
    Gcs, GcsCredentials, Impersonate, ManagedIdentity, Place, S3, S3Credentials, SealedId, SecretRef,
    StorageClass, WorkloadIdentity,
};
use auditferry_core::store::PutErrorKind;

mod azure;
mod certificate;
mod gcs;
mod s3;

use azure::of_azure;
use gcs::of_gcs;
use s3::of_s3;

/// One sentence with the fix of a failure at a destination; `message` is what the cloud said.
#[must_use]
pub fn remedy(kind: PutErrorKind, message: &str, destination: &Destination) -> String {
    let prefix = &destination.prefix;
    if kind == PutErrorKind::Unreachable
        && let Some(text) = certificate::of(message)
    {
        return text.to_owned();
    }
    match &destination.place {
        Place::S3(s3) => of_s3(kind, message, s3, prefix),
        Place::Gcs(gcs) => of_gcs(kind, message, gcs),
        Place::Azure(azure) => of_azure(kind, message, azure),
    }
    .unwrap_or_else(|| kind.fix().to_owned())
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

/// The application of the examples.
const CLIENT: &str = "11111111-2222-3333-4444-555555555555";

/// The tables of `docs/book/src/destinations/failures.md`: every kind of failure at each kind of destination, and
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
    let s3 = |credentials| S3 {
        bucket: "acme-siem".to_owned(),
        region: "eu-central-1".to_owned(),
        endpoint: None,
        path_style: None,
        sse_kms_key_id: None,
        expected_bucket_owner: None,
        storage_class: None,
        checksum: None,
        request_payer: None,
        acl: None,
        sse: None,
        credentials,
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
    let with_options = S3 {
        sse_kms_key_id: Some("alias/siem".to_owned()),
        expected_bucket_owner: Some("123456789012".to_owned()),
        storage_class: Some(StorageClass::StandardIa),
        ..s3(key.clone())
    };
    let places = [
        ("Amazon S3, access key", Place::S3(s3(key))),
        ("Amazon S3, role", Place::S3(s3(role))),
        ("Amazon S3, KMS key, owner and class", Place::S3(with_options)),
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
        let said = |place: &Place| Some(remedy(kind, "", &at(place)));
        for (text, titles) in rows(&places, said) {
            let titles = if text == kind.fix() { "all".to_owned() } else { titles.join("; ") };
            let _ = writeln!(table, "| `{}` | {titles} | {text} |", kind.as_str());
        }
    }
    table.push_str("\n| the cloud says | destination | what to do |\n|---|---|---|\n");
    for (code, kind) in s3::CODES.into_iter().chain(azure::CODES) {
        let said = |place: &Place| {
            let text = remedy(kind, code, &at(place));
            (text != remedy(kind, "", &at(place))).then_some(text)
        };
        for (text, titles) in rows(&places, said) {
            let _ = writeln!(table, "| `{code}` | {} | {text} |", titles.join("; "));
        }
    }
    table
}

/// Each text that is said of a place, with the titles of all of which it is said.
fn rows<'a>(
    places: &[(&'a str, Place)],
    said: impl Fn(&Place) -> Option<String>,
) -> Vec<(String, Vec<&'a str>)> {
    let mut rows: Vec<(String, Vec<&str>)> = Vec::new();
    for (title, place) in places {
        let Some(text) = said(place) else { continue };
        match rows.iter_mut().find(|(known, _)| *known == text) {
            Some((_, titles)) => titles.push(title),
            None => rows.push((text, vec![title])),
        }
    }
    rows
}

fn at(place: &Place) -> Destination {
    Destination {
        prefix: String::new(),
        allow_http: false,
        accept_overwrites: false,
        expires: None,
        place: place.clone(),
    }
}
