//! What to do on Azure, in the words of its portal and of `az`.

use super::{exists, unreachable};
use auditferry_core::model::destination::{
    Azure, AzureCloud, AzureCredentials, ManagedIdentity, WorkloadIdentity,
};
use auditferry_core::store::PutErrorKind;

/// What Entra ID says when it gives no token, with the kind of the failure.
///
/// Source: "Microsoft Entra authentication and authorization error codes".
pub(super) const CODES: [(&str, PutErrorKind); 11] = [
    ("AADSTS700016", PutErrorKind::InvalidCredentials),
    ("AADSTS7000215", PutErrorKind::InvalidCredentials),
    ("AADSTS7000222", PutErrorKind::InvalidCredentials),
    ("AADSTS700027", PutErrorKind::InvalidCredentials),
    ("AADSTS700024", PutErrorKind::Clock),
    ("AADSTS7000112", PutErrorKind::InvalidCredentials),
    ("AADSTS90002", PutErrorKind::InvalidCredentials),
    ("AADSTS53003", PutErrorKind::InvalidCredentials),
    ("AADSTS700211", PutErrorKind::Unreachable),
    ("AADSTS700212", PutErrorKind::Unreachable),
    ("AADSTS700213", PutErrorKind::Unreachable),
];

/// The code of Entra ID in a message.
fn code(message: &str) -> Option<&'static str> {
    let start = message.find("AADSTS")?;
    let text = &message[start..];
    let end = text[6..].find(|c: char| !c.is_ascii_digit()).map_or(text.len(), |end| 6 + end);
    CODES.into_iter().map(|(code, _)| code).find(|code| *code == &text[..end])
}

/// An application that the customer has registered.
struct Application<'a> {
    tenant: &'a str,
    client: &'a str,
    cloud: AzureCloud,
    /// What it proves itself with.
    proof: &'static str,
}

impl<'a> Application<'a> {
    fn of(credentials: &'a AzureCredentials) -> Option<Self> {
        match credentials {
            AzureCredentials::EntraSecret(by) => Some(Self {
                tenant: &by.tenant_id,
                client: &by.client_id,
                cloud: by.cloud,
                proof: "client secret",
            }),
            AzureCredentials::EntraCertificate(by) => Some(Self {
                tenant: &by.tenant_id,
                client: &by.client_id,
                cloud: by.cloud,
                proof: "certificate",
            }),
            AzureCredentials::ConnectionString(_)
            | AzureCredentials::Sas(_)
            | AzureCredentials::ManagedIdentity(_)
            | AzureCredentials::WorkloadIdentity(_) => None,
        }
    }

    fn remedy(&self, kind: PutErrorKind, message: &str, container: &str) -> Option<String> {
        let Self { tenant, client, proof, .. } = self;
        if let Some(text) = code(message).and_then(|code| self.of_code(code)) {
            return Some(text);
        }
        Some(match kind {
            PutErrorKind::Denied => denied(&format!("The application `{client}`"), client, container),
            PutErrorKind::InvalidCredentials => format!(
                "Entra ID or the storage account does not take the {proof} of the application `{client}`: do what the \
                 message says, and see that the storage account is in the tenant `{tenant}`"
            ),
            PutErrorKind::Unreachable if message.starts_with("no token") => {
                unreachable(self.cloud.authority())
            }
            _ => return None,
        })
    }

    fn of_code(&self, code: &str) -> Option<String> {
        let Self { tenant, client, proof, .. } = self;
        let reset = format!("`az ad app credential reset --id {client}");
        Some(match (code, *proof) {
            ("AADSTS700016", _) => format!(
                "The tenant `{tenant}` has no application `{client}`: compare both with the application's overview in \
                 the portal; one of another tenant needs a service principal here (`az ad sp create --id {client}`)"
            ),
            ("AADSTS7000215", "client secret") => format!(
                "The client secret of the application `{client}` is not right: give the secret's Value, not its Secret \
                 ID, or make another ({reset} --append`) and set the destination again with it"
            ),
            ("AADSTS7000222", "client secret") => format!(
                "The client secret of the application `{client}` has expired: make another ({reset} --append`) and set \
                 the destination again with it"
            ),
            ("AADSTS700027", "certificate") => format!(
                "Entra ID does not know the certificate of the application `{client}`, or it has expired: upload it \
                 ({reset} --cert @cert.pem --append`), or set the destination again with one that is there"
            ),
            ("AADSTS700024", "certificate") => {
                "For those who run the worker: its clock is wrong; set it right (NTP), then nothing else has to be done"
                    .to_owned()
            }
            ("AADSTS7000112", _) => format!(
                "The application `{client}` is disabled: let it sign in again (`az ad sp update --id {client} --set \
                 accountEnabled=true`)"
            ),
            ("AADSTS90002", _) => format!(
                "There is no tenant `{tenant}` at {}: copy the Directory (tenant) ID from the application's overview in \
                 the portal, or name its cloud (`--azure-cloud`)",
                self.cloud.authority()
            ),
            ("AADSTS53003", _) => format!(
                "A Conditional Access policy of the tenant keeps the application `{client}` out: let it in from the \
                 worker's addresses"
            ),
            _ => return None,
        })
    }
}

fn denied(who: &str, assignee: &str, container: &str) -> String {
    format!(
        "{who} may not create blobs in `{container}`: give it the role Storage Blob Data Contributor, or the narrower \
         one of deploy/iam, on the container (`az role assignment create --assignee {assignee} --role \"Storage Blob \
         Data Contributor\" --scope /subscriptions/SUBSCRIPTION/resourceGroups/GROUP/providers/Microsoft.Storage\
         /storageAccounts/NAME/blobServices/default/containers/{container}`), which counts after some minutes, and see \
         that the storage account's network rules let the worker in"
    )
}

fn of_machine(kind: PutErrorKind, message: &str, by: &ManagedIdentity, container: &str) -> Option<String> {
    let assignee = by.client_id.as_deref().unwrap_or("PRINCIPAL_ID");
    Some(match kind {
        PutErrorKind::Denied => denied("The worker's managed identity", assignee, container),
        PutErrorKind::InvalidCredentials => "The storage account does not take the worker's managed identity: it has \
             to be in the identity's own tenant; for a container of another one use `--workload-identity` with its \
             `--tenant-id`"
            .to_owned(),
        PutErrorKind::Unreachable if message.starts_with("no token") => match &by.client_id {
            Some(id) => format!(
                "For those who run the worker: its machine gives no token of the identity `{id}`; see that it was \
                 assigned to it (`az vm identity show --resource-group GROUP --name NAME`)"
            ),
            None => "For those who run the worker: its machine gives no token; see that it runs on Azure and has an \
                     identity (`az vm identity assign --resource-group GROUP --name NAME`)"
                .to_owned(),
        },
        _ => return None,
    })
}

fn of_pod(kind: PutErrorKind, message: &str, by: &WorkloadIdentity, container: &str) -> Option<String> {
    let client = by.client_id.as_deref().unwrap_or("CLIENT_ID");
    let application = match &by.client_id {
        Some(id) => format!("the application `{id}`"),
        None => "the application of the worker's pod (AZURE_CLIENT_ID)".to_owned(),
    };
    let tenant = match &by.tenant_id {
        Some(id) => format!("the tenant `{id}`"),
        None => "the tenant of the worker's pod (AZURE_TENANT_ID)".to_owned(),
    };
    Some(match (code(message), kind) {
        (Some("AADSTS700016"), _) => format!(
            "There is no service principal of {application} in {tenant}: an administrator of it makes one (`az ad sp \
             create --id {client}`)"
        ),
        (Some("AADSTS90002"), _) => {
            format!(
                "Entra ID does not know {tenant}: copy the Directory (tenant) ID from its overview in the portal"
            )
        }
        (Some("AADSTS7000112"), _) => format!(
            "In {tenant} {application} is disabled: let it sign in again (`az ad sp update --id {client} --set \
             accountEnabled=true`)"
        ),
        (Some("AADSTS53003"), _) => format!(
            "A Conditional Access policy of {tenant} keeps {application} out: let it in from the worker's addresses"
        ),
        (Some("AADSTS700024"), _) => {
            "For those who run the worker: the token of its pod is not in force; see that \
             the file of AZURE_FEDERATED_TOKEN_FILE is renewed, and that the clocks are right"
                .to_owned()
        }
        (Some("AADSTS700211" | "AADSTS700212" | "AADSTS700213"), _) => format!(
            "For those who run the worker: {application} does not trust its pod; compare issuer, subject and audience \
             with the pod's service account (`az ad app federated-credential list --id {client}`)"
        ),
        (_, PutErrorKind::Denied) => denied("The application of the worker's pod", client, container),
        (_, PutErrorKind::InvalidCredentials) => format!(
            "Entra ID or the storage account does not take {application}: do what the message says, and see that the \
             storage account is in {tenant}"
        ),
        (_, PutErrorKind::Unreachable) if message.starts_with("no token") => format!(
            "For those who run the worker: there is no token for {application} in {tenant}; do what the message says, \
             and see that the worker reaches its login service"
        ),
        _ => return None,
    })
}

pub(super) fn of_azure(kind: PutErrorKind, message: &str, azure: &Azure) -> Option<String> {
    if let Some(application) = Application::of(&azure.credentials)
        && let Some(text) = application.remedy(kind, message, &azure.container)
    {
        return Some(text);
    }
    let container = &azure.container;
    let own = match &azure.credentials {
        AzureCredentials::ManagedIdentity(by) => of_machine(kind, message, by, container),
        AzureCredentials::WorkloadIdentity(by) => of_pod(kind, message, by, container),
        _ => None,
    };
    if own.is_some() {
        return own;
    }
    Some(match (kind, &azure.credentials) {
        (PutErrorKind::Denied, AzureCredentials::Sas(_)) => format!(
            "The SAS may not create blobs in `{container}`: make one with the permission c (`az storage container \
             generate-sas --account-name NAME --name {container} --permissions c --expiry 2027-12-31 --https-only`), \
             and see that the storage account's network rules let the worker in"
        ),
        (PutErrorKind::Denied, AzureCredentials::ConnectionString(_)) => format!(
            "The storage account refuses to create blobs in `{container}`: see that its network rules let the worker \
             in, and that it allows access by account key, or that the SAS of the connection string has the permission c"
        ),
        (PutErrorKind::InvalidCredentials, AzureCredentials::Sas(_)) => "The SAS is not in force: see its end (`se=`), \
             its signature and whether the account key that signed it was rotated, and set the destination again with \
             another"
            .to_owned(),
        (PutErrorKind::InvalidCredentials, AzureCredentials::ConnectionString(_)) => "The account key of the \
             connection string is not in force: copy the connection string anew (`az storage account \
             show-connection-string --name NAME`) and set the destination again with it"
            .to_owned(),
        (PutErrorKind::NoSuchBucket, _) => format!(
            "There is no container `{container}`: create it (`az storage container create --account-name NAME --name \
             {container}`), or correct its name in the destination"
        ),
        (PutErrorKind::Unreachable, _) => {
            unreachable(azure.endpoint.as_deref().unwrap_or("the BlobEndpoint of the connection string"))
        }
        (PutErrorKind::Exists, _) => exists("container", container),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_known_as_a_whole() {
        assert_eq!(
            code("HTTP 401 invalid_client: AADSTS7000215: Invalid client secret."),
            Some("AADSTS7000215")
        );
        assert_eq!(code("AADSTS7000222"), Some("AADSTS7000222"));
        assert_eq!(code("AADSTS70002: something else"), None);
        assert_eq!(code("AADSTS900021: something else"), None);
        assert_eq!(code("HTTP 403"), None);
    }
}
