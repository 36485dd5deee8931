//! The fields of a destination: from a form to what is set, and back, without its secrets.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use url::Url;

use crate::http::pages::forms::{Field, Form, Kind};
use crate::http::pages::words::{Language, words};
use auditferry_core::model::destination::{
    AzureCredentials, Destination, GcsCredentials, Place, S3Credentials, is_service_account,
};

words! {
    /// The words of the fields.
    Words {
        bucket(): "Bucket", "Bucket";
        bucket_hint(scheme: &str): "Only the name, without {scheme}", "Nur der Name, ohne {scheme}";
        bucket_wrong(): "Use 3 to 63 small letters, digits, dots and hyphens, for example acme-siem",
            "Verwenden Sie 3 bis 63 Kleinbuchstaben, Ziffern, Punkte und Bindestriche, zum Beispiel acme-siem";
        container(): "Container", "Container";
        container_hint(): "Only the name of the container", "Nur der Name des Containers";
        container_wrong(): "Use 3 to 63 small letters, digits and single hyphens, for example acme-siem",
            "Verwenden Sie 3 bis 63 Kleinbuchstaben, Ziffern und einzelne Bindestriche, zum Beispiel acme-siem";
        region(): "Region", "Region";
        region_hint(): "The bucket’s region, such as eu-central-1", "Die Region des Buckets, etwa eu-central-1";
        region_wrong(): "Name the bucket’s region, such as eu-central-1",
            "Nennen Sie die Region des Buckets, etwa eu-central-1";
        role(): "Role", "Rolle";
        role_hint(): "The ARN that the commands above printed", "Der ARN, den die Befehle oben ausgegeben haben";
        role_user(): "This looks like a user, not a role. A role’s ARN has :role/ in it",
            "Das sieht nach einem Benutzer aus, nicht nach einer Rolle. Der ARN einer Rolle enthält :role/";
        role_wrong(): "Copy the role’s ARN from IAM: arn:aws:iam::123456789012:role/NAME",
            "Kopieren Sie den ARN der Rolle aus IAM: arn:aws:iam::123456789012:role/NAME";
        key_id(): "Access key ID", "Zugriffsschlüssel-ID";
        key_id_wrong(): "Give the ID of the access key, such as AKIA…", "Geben Sie die ID des Zugriffsschlüssels an, etwa AKIA…";
        secret_key(): "Secret access key", "Geheimer Zugriffsschlüssel";
        secret_hint(): "It is kept sealed and never shown again", "Er wird versiegelt gespeichert und nie wieder gezeigt";
        secret_kept(): "It is kept sealed and never shown again. Leave it empty to keep the one there is, for the same bucket",
            "Er wird versiegelt gespeichert und nie wieder gezeigt. Leer lassen behält den vorhandenen, für denselben Bucket";
        secret_wrong(): "Give the secret: there is none for this place yet",
            "Geben Sie das Geheimnis an: für diesen Ort gibt es noch keines";
        google_key(): "Service account key", "Schlüssel des Dienstkontos";
        google_key_hint(): "The whole JSON file. It is kept sealed and never shown again",
            "Die ganze JSON-Datei. Sie wird versiegelt gespeichert und nie wieder gezeigt";
        google_key_wrong(): "This is not the JSON of a service account key", "Das ist nicht das JSON eines Dienstkontoschlüssels";
        service_account(): "Service account", "Dienstkonto";
        service_account_hint(): "Its e-mail address", "Seine E-Mail-Adresse";
        service_account_wrong(): "Copy its address from IAM: NAME@PROJECT.iam.gserviceaccount.com",
            "Kopieren Sie die Adresse aus IAM: NAME@PROJECT.iam.gserviceaccount.com";
        blob_endpoint(): "Blob endpoint", "Blob-Endpunkt";
        blob_endpoint_hint(): "https://NAME.blob.core.windows.net, without the container",
            "https://NAME.blob.core.windows.net, ohne den Container";
        sas(): "Shared access signature", "Shared Access Signature";
        sas_hint(): "The part behind the question mark. It is kept sealed and never shown again",
            "Der Teil hinter dem Fragezeichen. Er wird versiegelt gespeichert und nie wieder gezeigt";
        connection(): "Connection string", "Verbindungszeichenfolge";
        tenant(): "Directory (tenant) ID", "Verzeichnis-ID (Mandant)";
        client(): "Application (client) ID", "Anwendungs-ID (Client)";
        id_wrong(): "Copy it from the application’s overview in the Azure portal",
            "Kopieren Sie sie aus der Übersicht der Anwendung im Azure-Portal";
        client_secret(): "Client secret", "Geheimer Clientschlüssel";
        client_secret_hint(): "Its Value, not its Secret ID. It is kept sealed and never shown again",
            "Sein Wert, nicht seine ID. Er wird versiegelt gespeichert und nie wieder gezeigt";
        folder(): "Folder (optional)", "Ordner (freiwillig)";
        folder_hint(account: &str): "Files are put under this folder and audit/{account}/",
            "Dateien kommen in diesen Ordner und darin in audit/{account}/";
        endpoint(): "Endpoint (optional)", "Endpunkt (freiwillig)";
        endpoint_hint(): "Only for a store that is compatible, such as https://s3.example.com",
            "Nur für einen kompatiblen Speicher, etwa https://s3.example.com";
        endpoint_wrong(): "Write https:// and the host, such as https://storage.example.com",
            "Schreiben Sie https:// und den Host, etwa https://storage.example.com";
    }
}

macro_rules! named {
    ($(#[$doc:meta])* $type:ident { $($variant:ident $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $type { $($variant,)+ }

        impl $type {
            pub(super) fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub(super) fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

named! {
    /// Whose bucket it is.
    Cloud { S3 "s3", Gcs "gcs", Azure "azure", }
}

named! {
    /// With what the service gets in.
    How {
        Role "role", Key "key", GoogleKey "google-key", Impersonate "impersonate", Sas "sas", Application "application",
        Connection "connection",
    }
}

impl Cloud {
    /// The ways, the best first.
    pub(super) fn ways(self) -> &'static [How] {
        match self {
            Self::S3 => &[How::Role, How::Key],
            Self::Gcs => &[How::GoogleKey, How::Impersonate],
            Self::Azure => &[How::Sas, How::Application, How::Connection],
        }
    }

    /// How a bucket of it is written.
    pub(super) fn scheme(self) -> &'static str {
        match self {
            Self::S3 => "s3://",
            Self::Gcs => "gs://",
            Self::Azure => "",
        }
    }
}

/// What stands in the fields that are no secrets, by their names.
pub(super) type Values = BTreeMap<&'static str, String>;

/// The cloud, the way and the fields of a destination. None: it is one that no page can set.
pub(super) fn of(destination: &Destination) -> Option<(Cloud, How, Values)> {
    let mut values = Values::from([("prefix", destination.prefix.clone())]);
    let mut set = |name, value: &str| values.insert(name, value.to_owned());
    let (cloud, how) = match &destination.place {
        Place::S3(s3) => {
            set("bucket", &s3.bucket);
            set("region", &s3.region);
            set("endpoint", s3.endpoint.as_deref().unwrap_or_default());
            match &s3.credentials {
                S3Credentials::AssumeRole(role) => {
                    set("role", &role.role_arn);
                    (Cloud::S3, How::Role)
                }
                S3Credentials::AccessKey(key) => {
                    set("key_id", &key.id);
                    (Cloud::S3, How::Key)
                }
                S3Credentials::Ambient => return None,
            }
        }
        Place::Gcs(gcs) => {
            set("bucket", &gcs.bucket);
            set("endpoint", gcs.endpoint.as_deref().unwrap_or_default());
            match &gcs.credentials {
                GcsCredentials::ServiceAccount(_) => (Cloud::Gcs, How::GoogleKey),
                GcsCredentials::Impersonate(account) => {
                    set("service_account", &account.service_account);
                    (Cloud::Gcs, How::Impersonate)
                }
                GcsCredentials::Ambient => return None,
            }
        }
        Place::Azure(azure) => {
            set("bucket", &azure.container);
            set("endpoint", azure.endpoint.as_deref().unwrap_or_default());
            match &azure.credentials {
                AzureCredentials::Sas(_) => (Cloud::Azure, How::Sas),
                AzureCredentials::ConnectionString(_) => (Cloud::Azure, How::Connection),
                AzureCredentials::EntraSecret(by) => {
                    set("tenant", &by.tenant_id);
                    set("client", &by.client_id);
                    (Cloud::Azure, How::Application)
                }
                _ => return None,
            }
        }
    };
    Some((cloud, how, values))
}

/// The fields that are no secrets, as a form has sent them.
pub(super) fn typed(form: &Form) -> Values {
    const NAMES: [&str; 9] =
        ["bucket", "region", "role", "key_id", "service_account", "endpoint", "tenant", "client", "prefix"];
    let mut values: Values = NAMES.into_iter().map(|name| (name, form.text(name).to_owned())).collect();
    // A folder ends in a slash, and whoever types it need not know.
    if let Some(prefix) = values.get_mut("prefix")
        && !prefix.is_empty()
        && !prefix.ends_with('/')
    {
        prefix.push('/');
    }
    values
}

/// The fields of a way, with what stands in them.
pub(super) fn fields(
    language: Language,
    (cloud, how): (Cloud, How),
    account: &str,
    values: &Values,
    keeps_secret: bool,
) -> Vec<Field> {
    let w = Words(language);
    let value = |name: &str| values.get(name).cloned().unwrap_or_default();
    let line =
        |name, label: String, hint: String| Field::new(name, Kind::Line, label).hint(hint).value(value(name));
    let secret = |name, label: String, hint: String| {
        let hint = if keeps_secret { w.secret_kept() } else { hint };
        Field::new(name, Kind::Secret, label).hint(hint)
    };
    let mut fields = vec![match cloud {
        Cloud::Azure => line("bucket", w.container(), w.container_hint()),
        _ => line("bucket", w.bucket(), w.bucket_hint(cloud.scheme())),
    }];
    if cloud == Cloud::S3 {
        fields.push(line("region", w.region(), w.region_hint()));
    }
    if cloud == Cloud::Azure && how != How::Connection {
        fields.push(line("endpoint", w.blob_endpoint(), w.blob_endpoint_hint()));
    }
    match how {
        How::Role => fields.push(line("role", w.role(), w.role_hint())),
        How::Key => {
            fields.push(line("key_id", w.key_id(), String::new()));
            fields.push(secret("secret", w.secret_key(), w.secret_hint()));
        }
        How::GoogleKey => fields.push(secret("secret", w.google_key(), w.google_key_hint())),
        How::Impersonate => {
            fields.push(line("service_account", w.service_account(), w.service_account_hint()));
        }
        How::Sas => fields.push(secret("secret", w.sas(), w.sas_hint())),
        How::Connection => fields.push(secret("secret", w.connection(), w.secret_hint())),
        How::Application => {
            fields.push(line("tenant", w.tenant(), String::new()));
            fields.push(line("client", w.client(), String::new()));
            fields.push(secret("secret", w.client_secret(), w.client_secret_hint()));
        }
    }
    fields.push(line("prefix", w.folder(), w.folder_hint(account)).optional());
    if cloud != Cloud::Azure {
        fields.push(line("endpoint", w.endpoint(), w.endpoint_hint()).optional());
    }
    fields
}

/// What is wrong with the fields, as far as that can be told without asking the cloud.
pub(super) fn wrong(
    language: Language,
    (cloud, how): (Cloud, How),
    form: &Form,
) -> Vec<(&'static str, String)> {
    let w = Words(language);
    let values = typed(form);
    let value = |name: &str| values.get(name).map_or("", String::as_str);
    let mut wrong = Vec::new();
    let bucket = value("bucket");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let marks = |c: char| cloud != Cloud::Azure && c == '.' || cloud == Cloud::Gcs && c == '_';
    // A compatible store may have other rules.
    let compatible = cloud == Cloud::S3 && !value("endpoint").is_empty();
    let fits = (3..=63).contains(&bucket.len()) && bucket.chars().all(|c| plain(c) || marks(c));
    if !fits && (!compatible || bucket.is_empty()) {
        wrong.push(("bucket", if cloud == Cloud::Azure { w.container_wrong() } else { w.bucket_wrong() }));
    }
    if cloud == Cloud::S3 && value("region").is_empty() {
        wrong.push(("region", w.region_wrong()));
    }
    let needs_endpoint = cloud == Cloud::Azure && how != How::Connection;
    let endpoint = value("endpoint");
    if needs_endpoint && endpoint.is_empty() {
        wrong.push(("endpoint", w.blob_endpoint_hint()));
    } else if !endpoint.is_empty() && !is_endpoint(endpoint) {
        wrong.push(("endpoint", w.endpoint_wrong()));
    }
    match how {
        How::Role if value("role").contains(":user/") => wrong.push(("role", w.role_user())),
        How::Role if !value("role").starts_with("arn:") || !value("role").contains(":role/") => {
            wrong.push(("role", w.role_wrong()));
        }
        How::Key if value("key_id").is_empty() => wrong.push(("key_id", w.key_id_wrong())),
        How::Impersonate if !is_service_account(value("service_account")) => {
            wrong.push(("service_account", w.service_account_wrong()));
        }
        How::GoogleKey => {
            let secret = form.text("secret");
            let is_key = || {
                let json = serde_json::from_str::<Value>(secret).ok();
                json.is_some_and(|json| json["type"] == "service_account" && json["private_key"].is_string())
            };
            if !secret.is_empty() && !is_key() {
                wrong.push(("secret", w.google_key_wrong()));
            }
        }
        How::Application => {
            for name in ["tenant", "client"] {
                if value(name).is_empty() {
                    wrong.push((name, w.id_wrong()));
                }
            }
        }
        _ => {}
    }
    wrong
}

/// Whether it is an endpoint that a customer may name: with TLS, or on this machine.
fn is_endpoint(text: &str) -> bool {
    let Ok(url) = Url::parse(text) else { return false };
    url.scheme() == "https" && url.host().is_some() || is_here(text)
}

/// Whether it is without TLS, and on this machine: for tests.
fn is_here(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        url.scheme() == "http"
            && match url.host() {
                Some(url::Host::Ipv4(address)) => address.is_loopback(),
                Some(url::Host::Ipv6(address)) => address.is_loopback(),
                _ => false,
            }
    })
}

/// The destination of a form, as programs give it: each secret as `{"value": …}`, or left out.
pub(super) fn json((cloud, how): (Cloud, How), form: &Form) -> Value {
    let values = typed(form);
    let value = |name: &str| values.get(name).cloned().unwrap_or_default();
    let secret = |fields: &mut Value, name: &str| {
        if let Some(given) = form.given("secret") {
            let given = if how == How::Sas { given.trim_start_matches('?') } else { given };
            fields[name] = json!({ "value": given });
        }
    };
    let credentials = match how {
        How::Role => json!({ "assume_role": { "role_arn": value("role") } }),
        How::Key => {
            let mut key = json!({ "id": value("key_id") });
            secret(&mut key, "secret");
            json!({ "access_key": key })
        }
        How::Impersonate => json!({ "impersonate": { "service_account": value("service_account") } }),
        How::GoogleKey | How::Sas | How::Connection => {
            let name = match how {
                How::GoogleKey => "service_account",
                How::Sas => "sas",
                _ => "connection_string",
            };
            let mut whole = json!({});
            secret(&mut whole, name);
            whole
        }
        How::Application => {
            let mut by = json!({ "tenant_id": value("tenant"), "client_id": value("client") });
            secret(&mut by, "secret");
            json!({ "entra_secret": by })
        }
    };
    let mut destination = json!({ "kind": cloud.as_str(), "credentials": credentials });
    destination[if cloud == Cloud::Azure { "container" } else { "bucket" }] = value("bucket").into();
    if cloud == Cloud::S3 {
        destination["region"] = value("region").into();
    }
    let endpoint = value("endpoint");
    if !endpoint.is_empty() && how != How::Connection {
        destination["endpoint"] = endpoint.as_str().into();
    }
    // A connection string of an emulator names its endpoint itself.
    let here = match how {
        How::Connection => form.text("secret").contains("BlobEndpoint=http://127.0.0.1"),
        _ => is_here(&endpoint),
    };
    if here {
        destination["allow_http"] = true.into();
    }
    if !value("prefix").is_empty() {
        destination["prefix"] = value("prefix").into();
    }
    destination
}

/// The field of a form that a field of a destination stands in.
pub(super) fn field_of(name: &str) -> Option<&'static str> {
    let name = name.strip_prefix("destination.").unwrap_or(name);
    Some(match name {
        "bucket" | "container" => "bucket",
        "region" => "region",
        "prefix" => "prefix",
        "endpoint" | "allow_http" => "endpoint",
        "credentials.assume_role.role_arn" | "credentials.assume_role.external_id" => "role",
        "credentials.access_key.id" => "key_id",
        "credentials.impersonate.service_account" => "service_account",
        other if other.ends_with("tenant_id") => "tenant",
        other if other.ends_with("client_id") => "client",
        other if other.starts_with("credentials") => "secret",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    fn form(fields: &[(&str, &str)]) -> Form {
        let fields =
            fields.iter().map(|(name, value)| ((*name).to_owned(), Zeroizing::new((*value).to_owned())));
        Form::of(fields.collect())
    }

    #[test]
    fn what_a_form_sends_is_what_the_form_shows_again() {
        for (cloud, how, sent) in [
            (
                Cloud::S3,
                How::Role,
                &[
                    ("bucket", "acme-siem"),
                    ("region", "eu-central-1"),
                    ("role", "arn:aws:iam::123456789012:role/siem"),
                    ("prefix", "siem"),
                ][..],
            ),
            (Cloud::S3, How::Key, &[("bucket", "acme"), ("region", "eu-central-1"), ("key_id", "AKIA")]),
            (
                Cloud::Gcs,
                How::Impersonate,
                &[("bucket", "acme"), ("service_account", "a@b.iam.gserviceaccount.com")],
            ),
        ] {
            let form = form(sent);
            assert!(wrong(Language::En, (cloud, how), &form).is_empty());
            let mut given = json((cloud, how), &form);
            if how == How::Key {
                given["credentials"]["access_key"]["secret"] = json!({ "sealed": "x" });
            }
            let destination: Destination = serde_json::from_value(given).expect("a destination");
            let (again_cloud, again_how, values) = of(&destination).expect("fields");
            assert_eq!((again_cloud, again_how), (cloud, how));
            for (name, value) in sent.iter().filter(|(name, _)| *name != "prefix") {
                assert_eq!(values[name], *value);
            }
        }
    }

    #[test]
    fn what_is_wrong_is_told_at_its_field_in_both_languages() {
        let sent = form(&[
            ("bucket", "Acme_SIEM"),
            ("region", "eu-central-1"),
            ("role", "arn:aws:iam::123456789012:user/auditferry"),
        ]);
        for language in [Language::En, Language::De] {
            let w = Words(language);
            let told = wrong(language, (Cloud::S3, How::Role), &sent);
            assert_eq!(told, [("bucket", w.bucket_wrong()), ("role", w.role_user())]);
        }
        for endpoint in ["http://evil.example", "ftp://x", "s3.example.com", "http://10.0.0.1"] {
            let sent = form(&[("bucket", "acme"), ("region", "x"), ("key_id", "a"), ("endpoint", endpoint)]);
            let told = wrong(Language::En, (Cloud::S3, How::Key), &sent);
            assert_eq!(told.len(), 1, "{endpoint}");
            assert!(json((Cloud::S3, How::Key), &sent)["allow_http"].is_null(), "{endpoint}");
        }
        let nonsense = form(&[("bucket", "acme"), ("secret", "hunter2")]);
        let told = wrong(Language::En, (Cloud::Gcs, How::GoogleKey), &nonsense);
        assert!(told.len() == 1 && !told[0].1.contains("hunter2"), "{told:?}");
    }
}
