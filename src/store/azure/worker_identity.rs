//! Access tokens of the worker's own identity on Azure: of its machine or app (managed identity), or
//! of its pod (workload identity).
//!
//! Source: "How to use managed identities for Azure resources on an Azure VM to acquire an access
//! token", "How to use managed identities for App Service and Azure Functions", and "Microsoft Entra
//! Workload ID on AKS".

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::header::HeaderValue;
use reqwest::{Client, Url};

use super::entra::{self, Proof};
use crate::base::clock::{Clock, SystemClock};
use crate::secrets::Secret;
use crate::store::token::{Exchange, Token, TokenResponse, Tokens, ask};
use crate::store::worker_identity::{WorkerIdentity, WorkerToken};
use crate::store::{Dialer, OpenError};
use auditferry_core::model::destination::{AzureCloud, ManagedIdentity, WorkloadIdentity};
use auditferry_core::model::network::well_formed;
use auditferry_core::store::{PutError, PutErrorKind};

/// Where a machine on Azure asks for its tokens.
const METADATA: &str = "http://169.254.169.254";

/// What a token is for. Every cloud and every storage account has this one name.
const RESOURCE: &str = "https://storage.azure.com/";

/// The ends of the hosts of Azure's own Blob Storage.
///
/// Source: "Storage account overview", and the endpoints of the national clouds.
const BLOB_HOSTS: [&str; 4] = [
    ".blob.core.windows.net",
    ".blob.storage.azure.net",
    ".blob.core.usgovcloudapi.net",
    ".blob.core.chinacloudapi.cn",
];

/// That an endpoint may see a token of the worker's own.
///
/// # Errors
/// When it is not Azure's own, and the operator does not name it.
pub(in crate::store) fn check_endpoint(dialer: &Dialer, endpoint: &Url) -> Result<(), OpenError> {
    dialer.worker_identity.may_see_tokens(endpoint, |host| BLOB_HOSTS.iter().any(|end| host.ends_with(end)))
}

/// Tokens of the machine's or the app's identity, or of another one that it was given.
///
/// # Errors
/// When the environment describes a service that cannot be asked.
pub(in crate::store) fn of_machine(dialer: &Dialer, by: &ManagedIdentity) -> Result<Arc<Tokens>, OpenError> {
    let WorkerIdentity(own) = &dialer.worker_identity;
    let service = Service::read(|name| std::env::var(name).ok(), own.settings.azure.metadata_url.0.as_ref())?;
    let request = service.request(by.client_id.as_deref());
    let name = WorkerToken::AzureMachine(by.client_id.clone());
    Ok(dialer.worker_identity.shared(name, || {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let machine = Machine { http: own.http.clone(), clock: Arc::clone(&clock), request };
        Tokens::new(machine, clock, dialer.token_patience())
    }))
}

/// Who gives the machine's tokens.
enum Service {
    /// The metadata service of a virtual machine, at a base URL.
    Metadata(Url),
    /// App Service, Functions or Container Apps, which give a URL and what has to stand in a header.
    App { url: Url, header: Secret },
}

/// What is sent, but for the time.
struct Request {
    url: Url,
    header: &'static str,
    value: Secret,
}

impl Service {
    fn read(variable: impl Fn(&str) -> Option<String>, operators: Option<&Url>) -> Result<Self, OpenError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(url) = operators {
            return Ok(Self::Metadata(url.clone()));
        }
        match (given("IDENTITY_ENDPOINT"), given("IDENTITY_HEADER")) {
            (None, _) => {
                let url = Url::parse(METADATA).map_err(|_| unusable("its address is none"))?;
                Ok(Self::Metadata(url))
            }
            (Some(url), Some(header)) => {
                let url = well_formed(&url)
                    .map_err(|error| unusable(&format!("IDENTITY_ENDPOINT: {}", error.problem)))?;
                Ok(Self::App { url, header: Secret::new(header) })
            }
            // So does Azure Arc, whose protocol is another one.
            (Some(_), None) => Err(unusable("IDENTITY_ENDPOINT is set, and IDENTITY_HEADER is not")),
        }
    }

    /// `client_id` is valid.
    fn request(self, client_id: Option<&str>) -> Request {
        let (mut url, version, header, value) = match self {
            Self::Metadata(mut url) => {
                url.set_path("/metadata/identity/oauth2/token");
                // Without this header the service refuses: it tells us from a client that was misled.
                (url, "2018-02-01", "metadata", Secret::new("true".to_owned()))
            }
            Self::App { url, header } => (url, "2019-08-01", "x-identity-header", header),
        };
        let mut query = url.query_pairs_mut();
        query.append_pair("api-version", version).append_pair("resource", RESOURCE);
        if let Some(id) = client_id {
            query.append_pair("client_id", id);
        }
        drop(query);
        Request { url, header, value }
    }
}

fn unusable(problem: &str) -> OpenError {
    OpenError::Malformed {
        field: "credentials.managed_identity",
        problem: problem.to_owned(),
        fix: "run the worker on a virtual machine, App Service or Container App with a managed identity, or set \
              azure.metadata_url",
    }
}

struct Machine {
    http: Client,
    clock: Arc<dyn Clock>,
    request: Request,
}

#[async_trait]
impl Exchange for Machine {
    async fn exchange(&self) -> Result<Token, PutError> {
        let Request { url, header, value } = &self.request;
        let mut value = HeaderValue::from_str(value.expose()).map_err(|_| {
            PutError::new(PutErrorKind::Misconfigured, "no token: IDENTITY_HEADER cannot stand in a header")
        })?;
        value.set_sensitive(true);
        let answer = ask(self.http.get(url.clone()).header(*header, value)).await?;
        if answer.status == 200 { answer.token(self.clock.now()) } else { Err(refusal(&answer)) }
    }
}

/// A refusal in the service's own words.
fn refusal(answer: &TokenResponse) -> PutError {
    let json = answer.json().unwrap_or_default();
    let text = |name: &str| json[name].as_str().unwrap_or_default();
    let words =
        if text("error_description").is_empty() { text("message") } else { text("error_description") };
    answer.own_refusal(text("error"), words)
}

/// Tokens of the pod's identity, as Azure's webhook describes it in the environment.
///
/// # Errors
/// When it does not.
pub(in crate::store) fn of_pod(dialer: &Dialer, by: &WorkloadIdentity) -> Result<Arc<Tokens>, OpenError> {
    let pod = Pod::read(|name| std::env::var(name).ok(), by)?;
    let name = WorkerToken::AzurePod { tenant_id: pod.tenant_id.clone(), client_id: pod.client_id.clone() };
    let proof = Proof::Federated { file: pod.file, in_customers_tenant: pod.in_customers_tenant };
    Ok(dialer
        .worker_identity
        .shared(name, || entra::tokens(dialer, pod.cloud, &pod.tenant_id, &pod.client_id, proof)))
}

#[derive(Debug)]
struct Pod {
    cloud: AzureCloud,
    tenant_id: String,
    client_id: String,
    file: PathBuf,
    in_customers_tenant: bool,
}

impl Pod {
    fn read(variable: impl Fn(&str) -> Option<String>, by: &WorkloadIdentity) -> Result<Self, OpenError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let needed = |name: &str| given(name).ok_or_else(|| no_pod(format!("{name} is not set")));
        let cloud = match given("AZURE_AUTHORITY_HOST") {
            None => AzureCloud::Public,
            Some(host) => AzureCloud::ALL
                .into_iter()
                .find(|cloud| cloud.authority() == host.trim_end_matches('/'))
                .ok_or_else(|| no_pod("AZURE_AUTHORITY_HOST is no login service of Microsoft's"))?,
        };
        let pods = |given: &Option<String>, name: &str| given.clone().map_or_else(|| needed(name), Ok);
        let tenant_id = pods(&by.tenant_id, "AZURE_TENANT_ID")?;
        let client_id = pods(&by.client_id, "AZURE_CLIENT_ID")?;
        let file = needed("AZURE_FEDERATED_TOKEN_FILE")?.into();
        let whole =
            WorkloadIdentity { tenant_id: Some(tenant_id.clone()), client_id: Some(client_id.clone()) };
        whole.validate().map_err(|error| no_pod(error.problem))?;
        let in_customers_tenant = given("AZURE_TENANT_ID").as_ref() != Some(&tenant_id);
        Ok(Self { cloud, tenant_id, client_id, file, in_customers_tenant })
    }
}

fn no_pod(problem: impl Into<String>) -> OpenError {
    OpenError::Malformed {
        field: "credentials.workload_identity",
        problem: problem.into(),
        fix: "run this in the worker's pod, with a service account for Microsoft Entra Workload ID, which sets it \
              (the label azure.workload.identity/use: \"true\")",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::settings::{TokenHost, WorkerIdentitySettings};
    use crate::store::Proxy;
    use auditferry_core::model::network::Network;

    #[test]
    fn a_token_of_our_own_goes_to_azure_only() {
        let may = |hosts: &[&str], text: &str| {
            let hosts = hosts.iter().map(|host| TokenHost::try_from((*host).to_owned()).expect("host"));
            let own =
                WorkerIdentitySettings { token_hosts: hosts.collect(), ..WorkerIdentitySettings::default() };
            let dialer =
                Dialer::new(Network::default(), Duration::from_secs(1), Proxy::None).expect("dialer");
            let dialer = dialer.with_worker_identity(own).expect("dialer");
            check_endpoint(&dialer, &Url::parse(text).expect("url")).is_ok()
        };
        for good in [
            "https://acme.blob.core.windows.net",
            "https://acme.z01.blob.storage.azure.net",
            "https://acme.blob.core.usgovcloudapi.net",
            "https://acme.blob.core.chinacloudapi.cn",
        ] {
            assert!(may(&[], good), "{good}");
        }
        for bad in [
            "http://acme.blob.core.windows.net",
            "https://acme.blob.core.windows.net:8443",
            "https://acme.blob.core.windows.net.evil.example",
            "https://evilblob.core.windows.net",
            "https://blobs.acme.example",
            "https://8.8.8.8",
        ] {
            assert!(!may(&[], bad), "{bad}");
        }
        assert!(may(&["blobs.acme.example"], "https://blobs.acme.example"));
        assert!(!may(&["acme.example"], "https://blobs.acme.example"));
    }

    fn environment<'e>(all: &'e [(&'e str, &'e str)]) -> impl Fn(&str) -> Option<String> + 'e {
        move |name| all.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn a_machine_is_asked_where_its_platform_says() {
        let asked = |all: &[(&str, &str)], operators: Option<&str>| {
            let operators = operators.map(|url| Url::parse(url).expect("url"));
            let service = Service::read(environment(all), operators.as_ref()).map_err(|e| e.to_string())?;
            let Request { url, header, value } = service.request(Some("1111-2222"));
            Ok::<_, String>((url.to_string(), header, value.expose().to_owned()))
        };
        let resource = "resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=1111-2222";
        let (url, header, value) = asked(&[], None).expect("asked");
        assert_eq!(
            url,
            format!("{METADATA}/metadata/identity/oauth2/token?api-version=2018-02-01&{resource}")
        );
        assert_eq!((header, value.as_str()), ("metadata", "true"));
        let app = [("IDENTITY_ENDPOINT", "http://localhost:42356/msi/token"), ("IDENTITY_HEADER", "853b")];
        let (url, header, value) = asked(&app, None).expect("asked");
        assert_eq!(url, format!("http://localhost:42356/msi/token?api-version=2019-08-01&{resource}"));
        assert_eq!((header, value.as_str()), ("x-identity-header", "853b"));
        let (url, ..) = asked(&app, Some("http://127.0.0.1:8080")).expect("asked");
        assert!(url.starts_with("http://127.0.0.1:8080/metadata/identity/"), "{url}");
        for bad in [&app[..1], &[("IDENTITY_ENDPOINT", "unix:/x"), ("IDENTITY_HEADER", "HUSH")]] {
            let problem = asked(bad, None).expect_err("refused");
            assert!(problem.contains("managed_identity: IDENTITY_ENDPOINT"), "{problem}");
            assert!(!problem.contains("HUSH"), "{problem}");
        }
    }

    #[test]
    fn a_pod_says_who_it_is() {
        let all = [
            ("AZURE_CLIENT_ID", "11111111-2222"),
            ("AZURE_TENANT_ID", "vendor.onmicrosoft.com"),
            ("AZURE_FEDERATED_TOKEN_FILE", "/var/run/secrets/azure/tokens/azure-identity-token"),
            ("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.us/"),
        ];
        let read = |name: &str, value: &str, by: WorkloadIdentity| {
            let changed = all.map(|(known, is)| if known == name { (known, value) } else { (known, is) });
            Pod::read(environment(&changed), &by).map_err(|error| error.to_string())
        };
        let own = WorkloadIdentity::default;
        let pod = read("", "", own()).expect("a pod");
        assert_eq!((pod.cloud, pod.client_id.as_str()), (AzureCloud::UsGovernment, "11111111-2222"));
        assert_eq!((pod.tenant_id.as_str(), pod.in_customers_tenant), ("vendor.onmicrosoft.com", false));
        let theirs =
            WorkloadIdentity { tenant_id: Some("acme.example".into()), client_id: Some("3333".into()) };
        let pod = read("AZURE_CLIENT_ID", "", theirs).expect("a pod");
        assert_eq!((pod.tenant_id.as_str(), pod.client_id.as_str()), ("acme.example", "3333"));
        assert!(pod.in_customers_tenant);
        for (name, value) in [
            ("AZURE_CLIENT_ID", ""),
            ("AZURE_TENANT_ID", ""),
            ("AZURE_FEDERATED_TOKEN_FILE", ""),
            ("AZURE_AUTHORITY_HOST", "https://login.evil.example"),
            ("AZURE_TENANT_ID", "a/b"),
        ] {
            let problem = read(name, value, own()).expect_err("refused");
            assert!(problem.starts_with("destination.credentials.workload_identity: "), "{problem}");
        }
    }
}
