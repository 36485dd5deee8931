//! What to create in the cloud, with the account's own values filled in and marked.

use serde_json::Value;

use super::fields::{Cloud, How, Values};
use crate::http::pages::parts::{Html, escaped};
use crate::http::pages::words::{Language, words};
use auditferry_core::model::destination::trust;

words! {
    /// The words of the guide.
    Words {
        console(): "Console", "Konsole";
        cli(): "CLI", "CLI";
        terraform(): "Terraform", "Terraform";
        s3_role(): "Run this in the AWS account that owns the bucket. It makes one role that may only write.",
            "Führen Sie das in dem AWS-Konto aus, dem der Bucket gehört. Es erstellt eine Rolle, die nur schreiben darf.";
        s3_key(): "Run this in the AWS account that owns the bucket. It makes one user that may only write, and its key.",
            "Führen Sie das in dem AWS-Konto aus, dem der Bucket gehört. Es erstellt einen Benutzer, der nur schreiben darf, und seinen Schlüssel.";
        gcs_key(): "Run this in the project that owns the bucket. It makes one service account that may only write, and its key.",
            "Führen Sie das in dem Projekt aus, dem der Bucket gehört. Es erstellt ein Dienstkonto, das nur schreiben darf, und seinen Schlüssel.";
        gcs_impersonate(): "Run this in the project that owns the bucket. It makes one service account that may only write, and lets ours act as it.",
            "Führen Sie das in dem Projekt aus, dem der Bucket gehört. Es erstellt ein Dienstkonto, das nur schreiben darf, und lässt unseres als dieses handeln.";
        azure_sas(): "Run this where the storage account is. It makes a signature that may only create blobs, until its end.",
            "Führen Sie das dort aus, wo das Speicherkonto ist. Es erstellt eine Signatur, die bis zu ihrem Ende nur Blobs anlegen darf.";
        azure_app(): "Run this in the directory of the storage account. It makes an application with a secret, and lets it write to the container.",
            "Führen Sie das im Verzeichnis des Speicherkontos aus. Es erstellt eine Anwendung mit einem Geheimnis und lässt sie in den Container schreiben.";
        azure_connection(): "This prints the connection string of the storage account. It opens all of the account: prefer a signature.",
            "Das gibt die Verbindungszeichenfolge des Speicherkontos aus. Sie öffnet das ganze Konto: eine Signatur ist besser.";
        c_open(service: &str): "Open {service}.", "Öffnen Sie {service}.";
        c_bucket(name: &str): "Create the bucket {name} unless it is there; nothing in it has to be public.",
            "Erstellen Sie den Bucket {name}, falls es ihn nicht gibt; nichts darin muss öffentlich sein.";
        c_container(name: &str): "Create the private container {name} in the storage account unless it is there.",
            "Erstellen Sie im Speicherkonto den privaten Container {name}, falls es ihn nicht gibt.";
        c_role(): "Roles, Create role, Custom trust policy. Paste this as the trust policy:",
            "Rollen, Rolle erstellen, Benutzerdefinierte Vertrauensrichtlinie. Fügen Sie diese Vertrauensrichtlinie ein:";
        c_policy(): "In the new role, Add permissions, Create inline policy, JSON. Paste this:",
            "In der neuen Rolle: Berechtigungen hinzufügen, Inline-Richtlinie erstellen, JSON. Fügen Sie das ein:";
        c_arn(): "Copy the role’s ARN into the field below.", "Kopieren Sie den ARN der Rolle in das Feld unten.";
        c_user(): "Users, Create user, without access to the console. Then Add permissions, Create inline policy, JSON. Paste this:",
            "Benutzer, Benutzer erstellen, ohne Konsolenzugriff. Dann Berechtigungen hinzufügen, Inline-Richtlinie erstellen, JSON. Fügen Sie das ein:";
        c_access_key(): "Security credentials, Create access key. Copy both parts into the fields below.",
            "Sicherheitsanmeldeinformationen, Zugriffsschlüssel erstellen. Kopieren Sie beide Teile in die Felder unten.";
        c_service_account(): "IAM and Admin, Service Accounts, Create service account “auditferry”.",
            "IAM und Verwaltung, Dienstkonten, Dienstkonto „auditferry“ erstellen.";
        c_grant(name: &str): "In the bucket {name}, Permissions, Grant access: the new service account gets Storage Object Creator.",
            "Im Bucket {name}: Berechtigungen, Zugriff gewähren: das neue Dienstkonto bekommt „Storage Object Creator“.";
        c_google_key(): "In the service account, Keys, Add key, JSON. Paste the file’s content into the field below.",
            "Im Dienstkonto: Schlüssel, Schlüssel hinzufügen, JSON. Fügen Sie den Inhalt der Datei in das Feld unten ein.";
        c_creator(): "In the service account, Principals with access: our service account gets Service Account Token Creator. Ask your contact for its address.",
            "Im Dienstkonto: Prinzipale mit Zugriff: unser Dienstkonto bekommt „Service Account Token Creator“. Ihr Ansprechpartner kennt seine Adresse.";
        c_sas(): "In the container, Shared access tokens: permissions Create alone, an end in a year. Copy the token into the field below.",
            "Im Container: Freigabezugriffstoken: nur die Berechtigung Erstellen, ein Ende in einem Jahr. Kopieren Sie das Token in das Feld unten.";
        c_app(): "Microsoft Entra ID, App registrations, New registration “auditferry”. Under Certificates and secrets make a client secret, and copy its Value.",
            "Microsoft Entra ID, App-Registrierungen, neue Registrierung „auditferry“. Unter Zertifikate und Geheimnisse einen geheimen Clientschlüssel erstellen und seinen Wert kopieren.";
        c_app_role(): "In the container, Access control, Add role assignment: the application gets Storage Blob Data Contributor.",
            "Im Container: Zugriffssteuerung, Rollenzuweisung hinzufügen: die Anwendung bekommt „Storage Blob Data Contributor“.";
        c_connection(): "In the storage account, Access keys: copy the connection string into the field below.",
            "Im Speicherkonto: Zugriffsschlüssel: kopieren Sie die Verbindungszeichenfolge in das Feld unten.";
    }
}

/// How it is created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    Console,
    Cli,
    Terraform,
}

impl By {
    pub(super) const ALL: [Self; 3] = [Self::Console, Self::Cli, Self::Terraform];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Cli => "cli",
            Self::Terraform => "terraform",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == word)
    }

    pub(super) fn label(self, language: Language) -> String {
        let w = Words(language);
        match self {
            Self::Console => w.console(),
            Self::Cli => w.cli(),
            Self::Terraform => w.terraform(),
        }
    }
}

/// What stands around a value, until it is HTML: neither JSON nor HTML changes these.
const BEGIN: char = '\u{e000}';
const END: char = '\u{e001}';

/// A value of the account.
fn own(value: &str) -> String {
    format!("{BEGIN}{value}{END}")
}

/// Lines with their values marked.
fn marked(text: &str) -> Html {
    Html::joined(escaped(text).replace(BEGIN, "<mark>").replace(END, "</mark>"))
}

/// What the guide fills in.
pub(super) struct Own<'a> {
    pub(super) values: &'a Values,
    /// A name for a bucket that has none yet.
    pub(super) suggested: &'a str,
    pub(super) external_id: Option<&'a str>,
    /// Whom a role has to trust.
    pub(super) principal: Option<&'a str>,
}

impl Own<'_> {
    fn value(&self, name: &str, otherwise: &str) -> String {
        let given = self.values.get(name).map(String::as_str).filter(|value| !value.is_empty());
        own(given.unwrap_or(otherwise))
    }

    fn bucket(&self) -> String {
        self.value("bucket", self.suggested)
    }

    fn region(&self) -> String {
        self.value("region", "eu-central-1")
    }

    fn trust(&self) -> Value {
        trust::trust_policy(
            &own(self.principal.unwrap_or("ARN-OF-THE-SERVICE")),
            &own(self.external_id.unwrap_or("EXTERNAL-ID")),
        )
    }

    fn permission(&self) -> Value {
        let prefix = self.values.get("prefix").map_or("", String::as_str);
        let principal = self.principal.unwrap_or("arn:aws");
        trust::permission_policy(principal, &self.bucket(), prefix, None, None)
    }

    fn storage_account(&self) -> String {
        let endpoint = self.values.get("endpoint").map_or("", String::as_str);
        let host = endpoint.strip_prefix("https://").unwrap_or_default();
        own(host.split_once(".blob.").map_or("ACCOUNT", |(account, _)| account))
    }
}

/// One thing to do: words, and what is pasted.
pub(super) struct Step {
    pub(super) words: String,
    pub(super) snippet: Option<Html>,
}

/// How to create what is needed.
pub(super) struct Guide {
    /// What it makes, and where.
    pub(super) lead: String,
    /// One thing after the other: of the console several, else one.
    pub(super) steps: Vec<Step>,
    pub(super) numbered: bool,
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_default()
}

pub(super) fn guide(language: Language, (cloud, how): (Cloud, How), by: By, own: &Own<'_>) -> Guide {
    let w = Words(language);
    let lead = match how {
        How::Role => w.s3_role(),
        How::Key => w.s3_key(),
        How::GoogleKey => w.gcs_key(),
        How::Impersonate => w.gcs_impersonate(),
        How::Sas => w.azure_sas(),
        How::Application => w.azure_app(),
        How::Connection => w.azure_connection(),
    };
    if by == By::Console {
        return Guide { lead, steps: console(w, (cloud, how), own), numbered: true };
    }
    let text = if by == By::Cli { cli(how, own) } else { terraform(how, own) };
    Guide { lead, steps: vec![Step { words: String::new(), snippet: Some(marked(&text)) }], numbered: false }
}

fn console(w: Words, (cloud, how): (Cloud, How), own: &Own<'_>) -> Vec<Step> {
    let plain = |text: String| text.replace([BEGIN, END], "");
    let words = |words: String| Step { words, snippet: None };
    let with = |words: String, policy: &Value| Step { words, snippet: Some(marked(&pretty(policy))) };
    let bucket = plain(own.bucket());
    let mut steps = match cloud {
        Cloud::S3 => vec![words(w.c_open("Amazon S3")), words(w.c_bucket(&bucket)), words(w.c_open("IAM"))],
        Cloud::Gcs => vec![words(w.c_open("Google Cloud Storage")), words(w.c_bucket(&bucket))],
        Cloud::Azure => vec![words(w.c_open("Azure Storage")), words(w.c_container(&bucket))],
    };
    steps.extend(match how {
        How::Role => {
            vec![with(w.c_role(), &own.trust()), with(w.c_policy(), &own.permission()), words(w.c_arn())]
        }
        How::Key => vec![with(w.c_user(), &own.permission()), words(w.c_access_key())],
        How::GoogleKey => {
            vec![words(w.c_service_account()), words(w.c_grant(&bucket)), words(w.c_google_key())]
        }
        How::Impersonate => {
            vec![words(w.c_service_account()), words(w.c_grant(&bucket)), words(w.c_creator())]
        }
        How::Sas => vec![words(w.c_sas())],
        How::Application => vec![words(w.c_app()), words(w.c_app_role())],
        How::Connection => vec![words(w.c_connection())],
    });
    steps
}

fn cli(how: How, own: &Own<'_>) -> String {
    let (bucket, region) = (own.bucket(), own.region());
    let create = format!("aws s3 mb s3://{bucket} --region {region}\n");
    match how {
        How::Role => format!(
            "{create}aws iam create-role --role-name auditferry-export \\\n  --assume-role-policy-document '{}'\n\
             aws iam put-role-policy --role-name auditferry-export \\\n  --policy-name auditferry-write --policy-document '{}'\n\
             aws iam get-role --role-name auditferry-export --query Role.Arn --output text",
            pretty(&own.trust()),
            pretty(&own.permission())
        ),
        How::Key => format!(
            "{create}aws iam create-user --user-name auditferry-export\n\
             aws iam put-user-policy --user-name auditferry-export \\\n  --policy-name auditferry-write --policy-document '{}'\n\
             aws iam create-access-key --user-name auditferry-export",
            pretty(&own.permission())
        ),
        How::GoogleKey | How::Impersonate => {
            let member = "auditferry@$(gcloud config get project).iam.gserviceaccount.com";
            let last = if how == How::GoogleKey {
                format!("gcloud iam service-accounts keys create auditferry.json --iam-account={member}")
            } else {
                format!(
                    "gcloud iam service-accounts add-iam-policy-binding {member} \\\n  \
                     --member=serviceAccount:OUR-SERVICE-ACCOUNT --role=roles/iam.serviceAccountTokenCreator"
                )
            };
            format!(
                "gcloud storage buckets create gs://{bucket} --uniform-bucket-level-access\n\
                 gcloud iam service-accounts create auditferry\n\
                 gcloud storage buckets add-iam-policy-binding gs://{bucket} \\\n  --member=serviceAccount:{member} \\\n  \
                 --role=roles/storage.objectCreator\n{last}"
            )
        }
        How::Sas => {
            let account = own.storage_account();
            format!(
                "az storage container create --account-name {account} --name {bucket} --auth-mode login\n\
                 az storage container generate-sas --account-name {account} --name {bucket} \\\n  --permissions c \
                 --expiry $(date -u -d '+1 year' +%Y-%m-%dT00:00Z) --https-only --output tsv"
            )
        }
        How::Application => {
            let account = own.storage_account();
            format!(
                "az ad app create --display-name auditferry\n\
                 APP=$(az ad app list --display-name auditferry --query '[0].appId' --output tsv)\n\
                 az ad sp create --id $APP\n\
                 az role assignment create --assignee $APP --role 'Storage Blob Data Contributor' \\\n  \
                 --scope $(az storage account show --name {account} --query id --output tsv)/blobServices/default/containers/{bucket}\n\
                 az ad app credential reset --id $APP --append"
            )
        }
        How::Connection => format!(
            "az storage container create --account-name {account} --name {bucket}\n\
             az storage account show-connection-string --name {account} --output tsv",
            account = own.storage_account()
        ),
    }
}

fn terraform(how: How, own: &Own<'_>) -> String {
    let (bucket, region) = (own.bucket(), own.region());
    let aws =
        format!("resource \"aws_s3_bucket\" \"audit\" {{\n  bucket = \"{bucket}\" # in {region}\n}}\n\n");
    match how {
        How::Role => format!(
            "{aws}resource \"aws_iam_role\" \"auditferry\" {{\n  name               = \"auditferry-export\"\n  \
             assume_role_policy = <<-JSON\n{}\n  JSON\n}}\n\nresource \"aws_iam_role_policy\" \"auditferry\" {{\n  \
             name   = \"auditferry-write\"\n  role   = aws_iam_role.auditferry.id\n  policy = <<-JSON\n{}\n  JSON\n}}\n\n\
             output \"role\" {{\n  value = aws_iam_role.auditferry.arn\n}}",
            pretty(&own.trust()),
            pretty(&own.permission())
        ),
        How::Key => format!(
            "{aws}resource \"aws_iam_user\" \"auditferry\" {{\n  name = \"auditferry-export\"\n}}\n\n\
             resource \"aws_iam_user_policy\" \"auditferry\" {{\n  name   = \"auditferry-write\"\n  \
             user   = aws_iam_user.auditferry.name\n  policy = <<-JSON\n{}\n  JSON\n}}\n\n\
             resource \"aws_iam_access_key\" \"auditferry\" {{\n  user = aws_iam_user.auditferry.name\n}}",
            pretty(&own.permission())
        ),
        How::GoogleKey | How::Impersonate => {
            let last = if how == How::GoogleKey {
                "resource \"google_service_account_key\" \"auditferry\" {\n  service_account_id = google_service_account.auditferry.name\n}"
            } else {
                "resource \"google_service_account_iam_member\" \"auditferry\" {\n  service_account_id = google_service_account.auditferry.name\n  \
                 role               = \"roles/iam.serviceAccountTokenCreator\"\n  member             = \"serviceAccount:OUR-SERVICE-ACCOUNT\"\n}"
            };
            format!(
                "resource \"google_storage_bucket\" \"audit\" {{\n  name                        = \"{bucket}\"\n  \
                 location                    = \"EU\"\n  uniform_bucket_level_access = true\n}}\n\n\
                 resource \"google_service_account\" \"auditferry\" {{\n  account_id = \"auditferry\"\n}}\n\n\
                 resource \"google_storage_bucket_iam_member\" \"auditferry\" {{\n  bucket = google_storage_bucket.audit.name\n  \
                 role   = \"roles/storage.objectCreator\"\n  member = google_service_account.auditferry.member\n}}\n\n{last}"
            )
        }
        How::Sas | How::Connection => {
            let account = own.storage_account();
            let last = if how == How::Sas {
                "data \"azurerm_storage_account_blob_container_sas\" \"auditferry\" {\n  \
                 connection_string = data.azurerm_storage_account.audit.primary_connection_string\n  \
                 container_name    = azurerm_storage_container.audit.name\n  https_only        = true\n  \
                 start             = timestamp()\n  expiry            = timeadd(timestamp(), \"8760h\")\n  permissions {\n    \
                 read = false\n    add = false\n    create = true\n    write = false\n    delete = false\n    list = false\n  }\n}"
            } else {
                "output \"connection_string\" {\n  value     = data.azurerm_storage_account.audit.primary_connection_string\n  sensitive = true\n}"
            };
            format!(
                "data \"azurerm_storage_account\" \"audit\" {{\n  name                = \"{account}\"\n  \
                 resource_group_name = \"RESOURCE-GROUP\"\n}}\n\nresource \"azurerm_storage_container\" \"audit\" {{\n  \
                 name               = \"{bucket}\"\n  storage_account_id = data.azurerm_storage_account.audit.id\n}}\n\n{last}"
            )
        }
        How::Application => format!(
            "data \"azurerm_storage_account\" \"audit\" {{\n  name                = \"{account}\"\n  \
             resource_group_name = \"RESOURCE-GROUP\"\n}}\n\nresource \"azurerm_storage_container\" \"audit\" {{\n  \
             name               = \"{bucket}\"\n  storage_account_id = data.azurerm_storage_account.audit.id\n}}\n\n\
             resource \"azuread_application\" \"auditferry\" {{\n  display_name = \"auditferry\"\n}}\n\n\
             resource \"azuread_service_principal\" \"auditferry\" {{\n  client_id = azuread_application.auditferry.client_id\n}}\n\n\
             resource \"azuread_application_password\" \"auditferry\" {{\n  application_id = azuread_application.auditferry.id\n}}\n\n\
             resource \"azurerm_role_assignment\" \"auditferry\" {{\n  scope                = azurerm_storage_container.audit.id\n  \
             role_definition_name = \"Storage Blob Data Contributor\"\n  \
             principal_id         = azuread_service_principal.auditferry.object_id\n}}",
            account = own.storage_account()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_told_with_the_accounts_own_values() {
        let values = Values::from([("bucket", "acme-<siem>".to_owned())]);
        let own = Own {
            values: &values,
            suggested: "acme-audit-log",
            external_id: Some("auditferry-7h2k"),
            principal: Some("arn:aws:iam::210987654321:role/worker"),
        };
        for cloud in [Cloud::S3, Cloud::Gcs, Cloud::Azure] {
            for how in cloud.ways() {
                for by in By::ALL {
                    for language in [Language::En, Language::De] {
                        let guide = guide(language, (cloud, *how), by, &own);
                        let text: String = guide
                            .steps
                            .iter()
                            .map(|step| format!("{}{}", step.words, step.snippet.clone().unwrap_or_default()))
                            .collect();
                        let shown = if by == By::Console {
                            "acme-<siem>"
                        } else {
                            "<mark>acme-&#60;siem&#62;</mark>"
                        };
                        assert!(text.contains(shown), "{how:?} {by:?}: {text}");
                        assert!(!text.contains([BEGIN, END]));
                        if *how == How::Role {
                            assert!(text.contains("<mark>auditferry-7h2k</mark>"), "{by:?}: {text}");
                            assert!(
                                text.contains("<mark>arn:aws:iam::210987654321:role/worker</mark>"),
                                "{text}"
                            );
                        }
                    }
                }
            }
        }
    }
}
