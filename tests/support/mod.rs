//! What several test binaries share: the real stores that they run against, started
//! once per binary, on free ports, gone when the binary is.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(unreachable_pub, reason = "as above: pub is what the binaries may use")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

pub mod api;
pub mod azure_machine;
pub mod azurite;
pub mod bench;
pub mod checker;
pub mod child;
pub mod collector;
pub mod entra_server;
pub mod fault_proxy;
pub mod gcs_emulator;
pub mod gcs_server;
pub mod google_tokens;
pub mod issuer;
pub mod journey;
pub mod mail_server;
pub mod moto;
pub mod pgbouncer;
pub mod postgres;
pub mod program;
pub mod receiver;
pub mod rig;
pub mod source;
pub mod sts;
pub mod vendor;

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use auditferry::settings::{
    AzureSettings, GoogleSettings, OptionalFile, ServiceUrl, TokenServices, WorkerIdentitySettings,
};
use auditferry::store::{Dialer, Proxy};
use auditferry_core::model::actor::{Actor, ActorKind, By, Channel};
use auditferry_core::model::destination::SecretRef;
use auditferry_core::model::network::Network;
use tokio::runtime::Runtime;

/// Runs a test on the one runtime of the binary: connections that the adapters keep,
/// and servers that several tests share, must outlive the test that made them.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<Runtime> = OnceLock::new();
    RUNTIME
        .get_or_init(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(4)
                .enable_all()
                .build()
                .expect("runtime")
        })
        .block_on(test)
}

/// Who makes the changes of the tests.
pub fn by() -> By {
    By::actor(Actor {
        kind: ActorKind::OsUser,
        id: "1000".to_owned(),
        name: "ana (uid 1000)".to_owned(),
        channel: Channel::Cli,
    })
}

/// The way to the stores of the tests, which are on loopback, and to one that has no address.
pub fn dialer(timeout: Duration) -> Dialer {
    let network = Network::parse(["127.0.0.1", "store.invalid"]).expect("network");
    let dialer = Dialer::new(network, timeout, Proxy::None).expect("dialer");
    dialer.with_services(services()).with_worker_identity(worker_identity()).expect("dialer")
}

fn url(text: Option<String>) -> ServiceUrl {
    text.unwrap_or_default().try_into().expect("url")
}

/// The token services of the tests, as far as they were started.
fn services() -> TokenServices {
    TokenServices { entra_url: url(entra_server::started()) }
}

/// The worker's own identity in the tests, which goes to their stores on loopback.
pub fn worker_identity() -> WorkerIdentitySettings {
    let google = || url(google_tokens::started());
    WorkerIdentitySettings {
        token_hosts: vec!["127.0.0.1".to_owned().try_into().expect("host")],
        azure: AzureSettings { metadata_url: url(entra_server::started()) },
        google: GoogleSettings {
            credentials_file: OptionalFile::default(),
            metadata_url: google(),
            sts_url: google(),
            iam_url: google(),
        },
    }
}

/// Asks again until there is an answer; fails when there is none for a minute.
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < deadline, "{what}: not within a minute");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The base URL of a server that is started once in this test binary; called within its runtime.
pub fn serve_once(address: &OnceLock<SocketAddr>, routes: impl FnOnce() -> axum::Router) -> String {
    let address = address.get_or_init(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("nonblocking");
        let address = listener.local_addr().expect("address");
        let listener = tokio::net::TcpListener::from_std(listener).expect("listener");
        let routes = routes();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        address
    });
    format!("http://{address}")
}

/// A folder of this test binary. Statics are not dropped, so what earlier binaries
/// left is removed by the next.
pub fn folder(name: &str) -> PathBuf {
    static OURS: OnceLock<PathBuf> = OnceLock::new();
    let ours = OURS.get_or_init(|| {
        let all = Path::new(env!("CARGO_TARGET_TMPDIR")).join("tests");
        for left in std::fs::read_dir(&all).into_iter().flatten().flatten() {
            if !Path::new("/proc").join(left.file_name()).exists() {
                let _ = std::fs::remove_dir_all(left.path());
            }
        }
        all.join(std::process::id().to_string())
    });
    let path = ours.join(name);
    std::fs::create_dir_all(&path).expect("folder");
    path
}

/// Where `scripts/test` installs the tools of the tests.
fn tools() -> PathBuf {
    std::env::var_os("AUDITFERRY_TEST_TOOLS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/test-tools"), PathBuf::from)
}

/// A tool of the tests. A missing one is a failure: a test that is skipped proves nothing.
pub fn tool(path: &str) -> PathBuf {
    let tool = tools().join(path);
    assert!(
        tool.exists(),
        "{} is missing: run ./scripts/test, which installs it, or set AUDITFERRY_TEST_TOOLS to the folder that holds {path}",
        tool.display()
    );
    tool
}

/// A reference to a secret in a file of its own.
pub fn secret(text: &str) -> SecretRef {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = folder("secrets").join(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
    std::fs::write(&path, text).expect("secret");
    SecretRef::File(path)
}
