//! Azurite, alone or behind a front that takes tokens of Entra ID.

use std::sync::Arc;

use async_trait::async_trait;

use super::{HttpReader, Reader, Subject, destination, name};
use crate::store_contract::{PATIENCE, open};
use crate::support::{azurite, entra_server, secret};
use auditferry_core::model::destination::{
    Azure, AzureCloud, AzureCredentials, Destination, EntraCertificate, EntraSecret, ManagedIdentity, Place,
};
use auditferry_core::store::Store;

/// Azurite with the account's key in a connection string.
pub(crate) struct AzuriteKey;

/// Another key of the right form.
const WRONG_KEY: &str =
    "V1JPTkdXUk9OR1dST05HV1JPTkdXUk9OR1dST05HV1JPTkdXUk9OR1dST05HV1JPTkdXUk9OR1dST05HV1JPTg==";

pub(crate) async fn container() -> String {
    let container = name();
    azurite::create_container(&container).await;
    container
}

fn azurite_reader(container: &str) -> Box<dyn Reader> {
    Box::new(HttpReader {
        base: format!("{}/{container}", azurite::endpoint()),
        query: format!("?{}", azurite::account_sas("r", azurite::KEY)),
        metadata_prefix: "x-ms-meta-",
    })
}

fn by_key(container: &str, connection_string: &str) -> Destination {
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: None,
        credentials: AzureCredentials::ConnectionString(secret(connection_string)),
    }))
}

#[async_trait]
impl Subject for AzuriteKey {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let store = open(&by_key(&container, &azurite::connection_string(azurite::KEY)), PATIENCE).await;
        (store, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        by_key(&container().await, &azurite::connection_string(WRONG_KEY))
    }

    async fn missing_bucket() -> Destination {
        by_key("nobodys", &azurite::connection_string(azurite::KEY))
    }

    async fn at(url: &str) -> Destination {
        by_key("acme", &format!("AccountName=acme;AccountKey={WRONG_KEY};BlobEndpoint={url}"))
    }
}

/// Azurite with a signature that may create and write.
pub(crate) struct AzuriteSas;

fn by_sas(endpoint: &str, container: &str, sas: &str) -> Destination {
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: AzureCredentials::Sas(secret(sas)),
    }))
}

async fn bucket_with_sas(permissions: &str) -> (Arc<dyn Store>, Box<dyn Reader>) {
    let container = container().await;
    let sas = azurite::account_sas(permissions, azurite::KEY);
    (open(&by_sas(&azurite::endpoint(), &container, &sas), PATIENCE).await, azurite_reader(&container))
}

#[async_trait]
impl Subject for AzuriteSas {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        bucket_with_sas("cw").await
    }

    async fn wrong_secret() -> Destination {
        by_sas(&azurite::endpoint(), &container().await, &azurite::account_sas("c", WRONG_KEY))
    }

    async fn missing_bucket() -> Destination {
        by_sas(&azurite::endpoint(), "nobodys", &azurite::account_sas("c", azurite::KEY))
    }

    async fn at(url: &str) -> Destination {
        by_sas(url, "acme", &azurite::account_sas("c", WRONG_KEY))
    }
}

/// Azurite with a signature that may create and nothing else.
pub(crate) struct AzuriteCreateSas;

#[async_trait]
impl Subject for AzuriteCreateSas {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        bucket_with_sas("c").await
    }
}

/// Azurite with a signature of the one container.
pub(crate) struct AzuriteContainerSas;

#[async_trait]
impl Subject for AzuriteContainerSas {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let sas = azurite::container_sas(&container, "cw", azurite::KEY);
        (open(&by_sas(&azurite::endpoint(), &container, &sas), PATIENCE).await, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        let (ours, other) = (container().await, container().await);
        by_sas(&azurite::endpoint(), &ours, &azurite::container_sas(&other, "c", azurite::KEY))
    }

    async fn missing_bucket() -> Destination {
        by_sas(&azurite::endpoint(), "nobodys", &azurite::container_sas("nobodys", "c", azurite::KEY))
    }
}

/// Azurite behind a front that takes tokens of Entra ID.
pub(crate) struct AzureSecret;

pub(crate) fn by_application(endpoint: &str, container: &str, client_id: &str, value: &str) -> Destination {
    entra_server::entra();
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: AzureCredentials::EntraSecret(EntraSecret {
            tenant_id: entra_server::TENANT.to_owned(),
            client_id: client_id.to_owned(),
            secret: secret(value),
            cloud: AzureCloud::Public,
        }),
    }))
}

pub(crate) fn by_certificate(container: &str, pem: &str) -> Destination {
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: Some(entra_server::endpoint()),
        credentials: AzureCredentials::EntraCertificate(EntraCertificate {
            tenant_id: entra_server::TENANT.to_owned(),
            client_id: entra_server::CLIENT.to_owned(),
            certificate: secret(pem),
            cloud: AzureCloud::Public,
        }),
    }))
}

#[async_trait]
impl Subject for AzureSecret {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let place =
            by_application(&entra_server::endpoint(), &container, entra_server::CLIENT, entra_server::SECRET);
        (open(&place, PATIENCE).await, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        by_application(&entra_server::endpoint(), &container().await, entra_server::CLIENT, "another")
    }

    async fn missing_bucket() -> Destination {
        by_application(&entra_server::endpoint(), "nobodys", entra_server::CLIENT, entra_server::SECRET)
    }

    async fn at(url: &str) -> Destination {
        by_application(url, "acme", entra_server::CLIENT, entra_server::SECRET)
    }
}

/// The same with a certificate.
pub(crate) struct AzureCertificate;

#[async_trait]
impl Subject for AzureCertificate {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let place = by_certificate(&container, entra_server::CERTIFICATE);
        (open(&place, PATIENCE).await, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        by_certificate(&container().await, entra_server::UNKNOWN_CERTIFICATE)
    }

    async fn missing_bucket() -> Destination {
        by_certificate("nobodys", entra_server::CERTIFICATE)
    }
}

/// The same as the worker's own machine.
pub(crate) struct AzureMachine;

pub(crate) fn by_machine(endpoint: &str, container: &str, client_id: Option<&str>) -> Destination {
    entra_server::entra();
    let client_id = client_id.map(str::to_owned);
    destination(Place::Azure(Azure {
        container: container.to_owned(),
        endpoint: Some(endpoint.to_owned()),
        credentials: AzureCredentials::ManagedIdentity(ManagedIdentity { client_id }),
    }))
}

#[async_trait]
impl Subject for AzureMachine {
    const SEPARATOR: &'static str = "_";

    async fn bucket() -> (Arc<dyn Store>, Box<dyn Reader>) {
        let container = container().await;
        let place = by_machine(&entra_server::endpoint(), &container, None);
        (open(&place, PATIENCE).await, azurite_reader(&container))
    }

    async fn wrong_secret() -> Destination {
        by_machine(&entra_server::endpoint(), &container().await, Some(entra_server::CLIENT_WITHOUT_ROLE))
    }

    async fn missing_bucket() -> Destination {
        by_machine(&entra_server::endpoint(), "nobodys", None)
    }

    async fn at(url: &str) -> Destination {
        by_machine(url, "acme", None)
    }
}
