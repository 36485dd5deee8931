//! `config/exports.example.toml`

use std::collections::BTreeSet;

use auditferry::base::zones::Zones;
use auditferry::operations::exports::{self, Export};

use super::{defaults, is_documented, key_of, read};
use auditferry_core::model::destination::{AzureCloud, AzureCredentials, Destination, Place, S3Credentials};
use auditferry_core::model::schedule::Schedule;

const EXAMPLE: &str = "config/exports.example.toml";

fn declared(text: &str) -> Vec<Export> {
    exports::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn destination(exports: &[Export], account: &str) -> Destination {
    let export = exports.iter().find(|export| export.account.as_str() == account);
    let destination = export.and_then(|export| export.destination.clone());
    let destination = destination.unwrap_or_else(|| panic!("{account} has no destination"));
    destination.validate().unwrap_or_else(|error| panic!("{account}: {error}"));
    destination
}

#[test]
fn the_example_declares_a_valid_export_for_each_cloud() {
    let exports = declared(&read(EXAMPLE));
    let kinds: Vec<&str> =
        exports.iter().map(|export| destination(&exports, export.account.as_str()).kind()).collect();
    assert_eq!(kinds, ["s3", "gcs", "azure"]);
    for export in &exports {
        Zones::load().find(&export.zone).unwrap_or_else(|error| panic!("{error}"));
        let options = export.options(&defaults().export);
        Schedule::parse(&options.schedule).unwrap_or_else(|error| panic!("{error}"));
    }
    let addon = exports[0].addon.as_ref().expect("add-on");
    assert!(addon.enabled && addon.until.is_some() && addon.reason.is_some());
}

/// The example with some lines replaced.
fn changed(changes: &[(&str, &str)]) -> String {
    let mut text = read(EXAMPLE);
    for (old, new) in changes {
        assert!(text.contains(old), "the example has no {old:?}");
        text = text.replacen(old, new, 1);
    }
    text
}

/// What the example shows as it would be given.
const WITHOUT_DEFAULT: [&str; 12] = [
    "endpoint",
    "credentials",
    "session_token",
    "path_style",
    "expires",
    "sse_kms_key_id",
    "expected_bucket_owner",
    "storage_class",
    "checksum",
    "request_payer",
    "acl",
    "sse",
];

#[test]
fn what_the_example_shows_commented_out_is_the_default() {
    let options = |text: &str| declared(text)[0].options(&defaults().export);
    let text = read(EXAMPLE);
    let mut shown = 0;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let default = line.starts_with("# ") && key_of(line).is_some();
            let of_an_option = default && !WITHOUT_DEFAULT.contains(&key_of(line).unwrap());
            shown += usize::from(of_an_option);
            if of_an_option { line[2..].to_owned() } else { line.to_owned() }
        })
        .collect();
    let uncommented = lines.join("\n");
    assert_eq!(
        shown, 18,
        "schedule, start, container, layout, empty_windows, both limits, compression, record_format, envelope, absent, \
         max_field_bytes, path, source, siem, prefix, allow_http, accept_overwrites"
    );
    assert_eq!(options(&uncommented), options(&text));
    let (explicit, silent) = (declared(&uncommented), declared(&text));
    assert_eq!(explicit[0].start, silent[0].start);
    assert_eq!(destination(&explicit, "acme"), destination(&silent, "acme"));
}

#[test]
fn the_commented_ways_to_give_credentials_work() {
    let key = read(EXAMPLE);
    let table = key.find("[export.destination.credentials.access_key]").expect("access key");
    let end = table + key[table..].find("# Google Cloud Storage").expect("next export");
    let ambient =
        changed(&[(&key[table..end], ""), ("# credentials = \"ambient\"", "credentials = \"ambient\"")]);
    match destination(&declared(&ambient), "acme").place {
        Place::S3(s3) => assert_eq!(s3.credentials, S3Credentials::Ambient),
        other => panic!("{other:?}"),
    }
    let role = "# credentials = { assume_role";
    let role = changed(&[(&key[table..end], ""), (role, &role[2..])]);
    match destination(&declared(&role), "acme").place {
        Place::S3(s3) => assert!(matches!(s3.credentials, S3Credentials::AssumeRole(_))),
        other => panic!("{other:?}"),
    }
    let temporary = changed(&[("# session_token", "session_token"), ("# path_style", "path_style")]);
    match destination(&declared(&temporary), "acme").place {
        Place::S3(s3) => {
            assert_eq!(s3.path_style, Some(false));
            assert!(matches!(s3.credentials, S3Credentials::AccessKey(key) if key.session_token.is_some()));
        }
        other => panic!("{other:?}"),
    }
    let key = "credentials = { service_account";
    for way in ["# credentials = { impersonate", "# credentials = \"ambient\"\n\n# Azure"] {
        let text = changed(&[(key, &format!("# {key}")), (way, &way[2..])]);
        match destination(&declared(&text), "globex").place {
            Place::Gcs(gcs) => assert!(gcs.credentials.are_the_workers(), "{way}"),
            other => panic!("{other:?}"),
        }
    }
    let options = ["sse_kms_key_id", "expected_bucket_owner", "storage_class", "request_payer", "acl"];
    let options = options.map(|name| (format!("# {name} = "), format!("{name} = ")));
    let options: Vec<_> = options.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
    let asked = destination(&declared(&changed(&options)), "acme").asked().expect("asked");
    assert!(
        asked.contains("key/1234abcd")
            && asked.contains("STANDARD_IA")
            && asked.contains("123456789012")
            && asked.contains("the requester pays")
            && asked.contains("ACL bucket-owner-full-control"),
        "{asked}"
    );
    let sas = changed(&[
        ("credentials = { connection_string", "# credentials = { connection_string"),
        ("# endpoint = \"https://initech", "endpoint = \"https://initech"),
        ("# credentials = { sas", "credentials = { sas"),
    ]);
    match destination(&declared(&sas), "initech").place {
        Place::Azure(azure) => assert!(matches!(azure.credentials, AzureCredentials::Sas(_))),
        other => panic!("{other:?}"),
    }
    for kind in ["entra_secret", "entra_certificate", "managed_identity", "workload_identity"] {
        let by_application = changed(&[
            ("credentials = { connection_string", "# credentials = { connection_string"),
            ("# endpoint = \"https://initech", "endpoint = \"https://initech"),
            (&format!("# credentials = {{ {kind}"), &format!("credentials = {{ {kind}")),
        ]);
        match destination(&declared(&by_application), "initech").place {
            Place::Azure(azure) => match azure.credentials {
                AzureCredentials::EntraSecret(by) => {
                    assert_eq!((kind, by.cloud), ("entra_secret", AzureCloud::Public));
                }
                AzureCredentials::EntraCertificate(_) => assert_eq!(kind, "entra_certificate"),
                AzureCredentials::ManagedIdentity(_) => assert_eq!(kind, "managed_identity"),
                AzureCredentials::WorkloadIdentity(_) => assert_eq!(kind, "workload_identity"),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
    for place in ["globex", "acme"] {
        let endpoint = "# endpoint = \"https://storage.example.com\"";
        let mut text = read(EXAMPLE);
        let at = text.find(&format!("account = \"{place}\"")).unwrap();
        let at = at + text[at..].find(endpoint).unwrap();
        text.replace_range(at..at + 2, "");
        destination(&declared(&text), place);
    }
}

/// The names that serde expects where it finds one that it does not know.
fn expected_names(toml: &str) -> BTreeSet<String> {
    let message = exports::parse(toml).expect_err("a made-up key is refused").to_string();
    let (_, expected) = message.split_once("expected ").unwrap_or_else(|| panic!("{message}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_example_documents_every_key_that_the_code_knows() {
    let export = "[[export]]\naccount = \"a\"\nzone = \"UTC\"\n";
    let place = |kind: &str| format!("{export}[export.destination]\nkind = \"{kind}\"\nmade_up = 1\n");
    let credentials = |kind: &str, rest: &str| {
        format!("{export}[export.destination]\nkind = \"{kind}\"\nbucket = \"b\"\nregion = \"r\"\n{rest}")
            .replace("bucket", if kind == "azure" { "container" } else { "bucket" })
            .replace(if kind == "s3" { "-" } else { "region = \"r\"\n" }, "")
    };
    let mut known = BTreeSet::new();
    for toml in [
        format!("{export}made_up = 1\n"),
        format!("{export}[export.addon]\nmade_up = 1\n"),
        format!("{export}[export.destination]\nkind = \"made_up\"\n"),
        place("s3"),
        place("gcs"),
        place("azure"),
        credentials("s3", "credentials = \"made_up\"\n"),
        credentials("s3", "credentials = { access_key = { made_up = 1 } }\n"),
        credentials("s3", "credentials = { assume_role = { made_up = 1 } }\n"),
        credentials("gcs", "credentials = { made_up = { env = \"X\" } }\n"),
        credentials("gcs", "credentials = { impersonate = { made_up = 1 } }\n"),
        credentials("gcs", "credentials = { service_account = { made_up = \"X\" } }\n"),
        credentials("azure", "credentials = { made_up = { env = \"X\" } }\n"),
        credentials("azure", "credentials = { managed_identity = { made_up = 1 } }\n"),
        credentials("azure", "credentials = { workload_identity = { made_up = 1 } }\n"),
    ] {
        let names = expected_names(&toml);
        assert!(!names.is_empty(), "{toml}");
        known.extend(names);
    }
    // What serde's messages do not list: fields beside a flattened one, and the tag.
    known.extend(["prefix", "kind"].map(str::to_owned));
    assert!(known.contains("session_token") && known.contains("sas") && known.contains("file"), "{known:?}");

    let text = read(EXAMPLE);
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<&String> = known.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "the example says nothing about {missing:?}");

    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("# Google")).expect("the second export");
    for (at, line) in lines.iter().enumerate().take(first) {
        let Some(name) = key_of(line) else { continue };
        let explained = is_documented(&lines, at)
            || matches!(name, "account" | "kind" | "bucket" | "region" | "enabled" | "id" | "secret");
        assert!(explained, "{name} has no comment above it");
    }
}
