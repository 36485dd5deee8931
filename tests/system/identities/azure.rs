//! The worker's own identity on Azure: of its machine, of its app, or of its pod. The tokens are taken
//! by Azurite, over TLS.

use crate::identities::scene::{OwnDestination, delivers_once_it_is_proved, prove, with_own_identity};
use crate::support::azure_machine::APP_HEADER;
use crate::support::bench::{Answer, Bench};
use crate::support::entra_server::{self, POD_CLIENT, POD_TOKEN, TENANT, VENDORS_TENANT};
use crate::support::{self, azurite};

/// A folder with an account that may use the worker's own identity, and a container.
struct Scene {
    bench: Bench,
    container: &'static str,
}

impl Scene {
    async fn new(container: &'static str) -> Self {
        let entra = entra_server::entra();
        azurite::create_container_at(&azurite::endpoint_with_tokens(), container).await;
        let ca = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ca.pem");
        let bench = Bench::new().env("SSL_CERT_FILE", ca).env("AUDITFERRY__CREDENTIALS__ENTRA_URL", &entra);
        Self { bench: with_own_identity(bench), container }
    }

    /// On a virtual machine.
    fn on_a_machine(self) -> Self {
        self.env("AUDITFERRY__AZURE__METADATA_URL", &entra_server::entra())
    }

    /// In a pod whose cluster says this of it.
    fn in_a_pod(self, token: &str) -> Self {
        self.bench.file("pod", token);
        let file = self.bench.path("pod").display().to_string();
        self.env("AZURE_FEDERATED_TOKEN_FILE", &file)
            .env("AZURE_CLIENT_ID", POD_CLIENT)
            .env("AZURE_TENANT_ID", VENDORS_TENANT)
            .env("AZURE_AUTHORITY_HOST", "https://login.microsoftonline.com/")
    }

    fn env(self, name: &str, value: &str) -> Self {
        Self { bench: self.bench.env(name, value), ..self }
    }

    async fn get(&self, path: &str, permissions: &str) -> String {
        let sas = azurite::account_sas(permissions, azurite::KEY);
        let mark = if path.contains('?') { '&' } else { '?' };
        let url = format!("{}/{}{path}{mark}{sas}", azurite::endpoint_with_tokens(), self.container);
        let answer = azurite::reader().get(url).header("x-ms-version", "2021-12-02").send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        answer.text().await.unwrap()
    }
}

impl OwnDestination for Scene {
    const TOKEN: &str = "eyJ";
    const GIVEN: &str = "pod";

    fn bench(&self) -> &Bench {
        &self.bench
    }

    fn set(&self, more: &str) -> String {
        let (container, endpoint) = (self.container, azurite::endpoint_with_tokens());
        format!("destination set acme --kind azure --container {container} --endpoint {endpoint} {more}")
    }

    async fn delivered(&self, prefix: &str) -> usize {
        let listing = self.get(&format!("?restype=container&comp=list&prefix={prefix}"), "rl").await;
        listing.matches("<Name>").count()
    }

    async fn prove(&self) -> Answer {
        let shown = self.bench.json("account show acme");
        let key = shown["awaits_proof"]["key"].as_str().expect("a proof is awaited").to_owned();
        prove(&self.bench, &self.get(&format!("/{key}"), "r").await)
    }
}

#[test]
fn a_machines_identity_delivers_once_the_container_is_proved() {
    support::run(async {
        let scene = Scene::new("own-machine").await.on_a_machine();
        let others = scene.bench.with("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "other");
        others.refuses(
            &scene.set("--managed-identity"),
            &["not allowed for this account", "credentials.allow_ambient"],
        );
        delivers_once_it_is_proved(&scene, "--managed-identity").await;
        // Taken back, the worker stops: the leave is asked for at each opening.
        let taken = scene.bench.with("AUDITFERRY__CREDENTIALS__ALLOW_AMBIENT", "other");
        let test = taken.run("destination test acme");
        assert!(test.code == Some(1) && test.out.contains("not allowed for this account"), "{test}");
    });
}

#[test]
fn an_app_is_asked_where_its_platform_says() {
    support::run(async {
        let url = format!("{}/msi/token", entra_server::entra());
        let scene = Scene::new("own-app").await.env("IDENTITY_ENDPOINT", &url);
        let set = scene.set("--managed-identity");
        scene.bench.refuses(&set, &["credentials.managed_identity", "IDENTITY_HEADER is not"]);
        let wrong = scene.bench.with("IDENTITY_HEADER", "HUSH").run(&set);
        wrong.is_refusal(1, &[]);
        assert!(wrong.out.contains("unreachable: no token: HTTP 403"), "{wrong}");
        delivers_once_it_is_proved(&scene.env("IDENTITY_HEADER", APP_HEADER), "--managed-identity").await;
    });
}

#[test]
fn a_pod_comes_to_the_customers_tenant() {
    support::run(async {
        let scene = Scene::new("own-pod").await;
        scene.bench.refuses(
            &scene.set("--workload-identity"),
            &["credentials.workload_identity", "AZURE_TENANT_ID is not set", "azure.workload.identity/use"],
        );
        let scene = scene.in_a_pod(POD_TOKEN);
        delivers_once_it_is_proved(&scene, &format!("--workload-identity --tenant-id {TENANT}")).await;
        for (options, says) in [
            (
                "--tenant-id nobody.example",
                ["invalid_credentials", "does not know the tenant `nobody.example`"],
            ),
            (
                "--client-id 1111-2222",
                ["unreachable", "There is no service principal of the application `1111"],
            ),
        ] {
            let refused =
                scene.bench.run(&scene.set(&format!("--workload-identity {options} --replace --yes")));
            assert_eq!(refused.code, Some(1), "{refused}");
            assert!(says.iter().all(|words| refused.out.contains(words)), "{refused}");
        }
        let scene = scene.in_a_pod("HUSH-of-another-pod");
        let refused = scene.bench.run("destination test acme");
        refused.is_refusal(1, &[]);
        let says = ["unreachable", "AADSTS700213", "does not trust its pod"];
        assert!(says.iter().all(|words| refused.out.contains(words)), "{refused}");
    });
}

#[test]
fn an_exports_file_waits_for_the_proof_too() {
    support::run(async {
        let scene = Scene::new("own-azure-apply").await.on_a_machine().in_a_pod(POD_TOKEN);
        for credentials in
            ["managed_identity = {}".to_owned(), format!("workload_identity = {{ tenant_id = '{TENANT}' }}")]
        {
            let destination = format!(
                "kind = 'azure', container = '{}', endpoint = '{}', credentials = {{ {credentials} }}",
                scene.container,
                azurite::endpoint_with_tokens()
            );
            scene.bench.file(
                "exports.toml",
                format!("[[export]]\naccount = 'acme'\nzone = 'UTC'\ndestination = {{ {destination} }}\n"),
            );
            let applied = scene.bench.does("apply exports.toml");
            let again = scene.bench.does("apply exports.toml");
            if credentials.starts_with("managed") {
                assert!(applied.contains("once its owner has proved it theirs"), "{applied}");
                assert!(again.contains("waits for the proof"), "{again}");
                assert_eq!(scene.prove().await.code, Some(0));
            } else {
                // The container is proved; who writes there is the operator's matter.
                assert!(applied.contains("1 changes made"), "{applied}");
            }
            assert_eq!(scene.bench.does("apply exports.toml"), "Nothing to change.\n");
        }
    });
}

#[test]
fn a_token_of_the_workers_own_goes_to_azure_only() {
    support::run(async {
        let scene = Scene::new("own-azure-hosts").await.on_a_machine();
        let set = |endpoint: &str| {
            format!(
                "destination set acme --kind azure --container acme --managed-identity --endpoint {endpoint}"
            )
        };
        for endpoint in [
            "https://blobs.acme.example",
            "https://acme.blob.core.windows.net.acme.example",
            "http://acme.blob.core.windows.net --allow-http",
            "http://169.254.169.254 --allow-http",
        ] {
            scene.bench.refuses(&set(endpoint), &["destination.endpoint", "credentials.token_hosts"]);
        }
        for (more, says) in [
            ("--sas-file x", "cannot be used with"),
            ("--tenant-id x", "cannot be used with"),
            ("--workload-identity", "cannot be used with"),
            ("--client-id a&b", "Application (client) ID"),
        ] {
            let line = set("https://acme.blob.core.windows.net");
            scene.bench.refuses(&format!("{line} {more}"), &[says]);
        }
    });
}
