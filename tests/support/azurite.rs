//! Azurite: Microsoft's own emulator of Azure Blob Storage. It checks signatures,
//! permissions and preconditions.

use std::path::Path;
use std::sync::OnceLock;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, Mac};
use reqwest::{Method, Url};
use sha2::Sha256;

use super::child::{Server, free_address};
use super::{folder, tool};

/// The account that every Azurite knows.
pub const ACCOUNT: &str = "devstoreaccount1";
/// Its key, which is published.
pub const KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// The one server of this test binary.
pub fn azurite() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start("azurite", &[]))
}

/// Another one, with TLS, which takes tokens of Entra ID too; its certificate is `signed.pem`'s.
fn azurite_with_tokens() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let pem = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/signed.pem");
        start("azurite-with-tokens", &["--oauth", "basic", "--cert", pem, "--key", pem])
    })
}

fn start(name: &str, options: &[&str]) -> Server {
    let address = free_address();
    let port = address.port().to_string();
    let program = tool("npm/node_modules/.bin/azurite-blob");
    // The node beside it, where the system's is too old.
    let rest = std::env::var("PATH").unwrap_or_default();
    let path = format!("PATH={}:{rest}", program.parent().expect("a folder").display());
    let args = [
        path.as_str(),
        program.to_str().expect("UTF-8"),
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        &port,
        "--inMemoryPersistence",
        "--disableTelemetry",
        "--silent",
        // Microsoft's crate speaks a newer version of the API than this Azurite knows.
        "--skipApiVersionCheck",
    ];
    let args = [&args, options].concat();
    Server::start(name, &folder(name), address, Path::new("/usr/bin/env"), &args)
}

/// The blob endpoint, with the account in its path.
pub fn endpoint() -> String {
    format!("{}/{ACCOUNT}", azurite().url())
}

/// The blob endpoint of the one with TLS.
pub fn endpoint_with_tokens() -> String {
    format!("https://{}/{ACCOUNT}", azurite_with_tokens().address)
}

/// A client of the tests' own, which reads from either.
pub fn reader() -> reqwest::Client {
    reqwest::Client::builder().danger_accept_invalid_certs(true).build().expect("client")
}

/// A connection string with an account key.
pub fn connection_string(key: &str) -> String {
    format!("AccountName={ACCOUNT};AccountKey={key};BlobEndpoint={}", endpoint())
}

/// An account SAS with these permissions (`c` create, `r` read, `w` write ...).
pub fn account_sas(permissions: &str, key: &str) -> String {
    account_sas_from("2020-01-01T00:00:00Z", permissions, key)
}

/// An account SAS that is good for nothing yet, which nobody can read from its permissions.
pub fn sas_of_the_future() -> String {
    account_sas_from("2098-01-01T00:00:00Z", "cw", KEY)
}

/// Source: "Create an account SAS", Azure Storage REST API.
fn account_sas_from(start: &str, permissions: &str, key: &str) -> String {
    let (services, types, expiry, protocol, version) =
        ("b", "sco", "2099-01-01T00:00:00Z", "https,http", "2021-12-02");
    let text = format!(
        "{ACCOUNT}\n{permissions}\n{services}\n{types}\n{start}\n{expiry}\n\n{protocol}\n{version}\n\n"
    );
    signed(
        &text,
        key,
        &[
            ("sv", version),
            ("ss", services),
            ("srt", types),
            ("sp", permissions),
            ("st", start),
            ("se", expiry),
            ("spr", protocol),
        ],
    )
}

/// A SAS of one container with these permissions.
///
/// Source: "Create a service SAS", Azure Storage REST API, version 2020-12-06 and later.
pub fn container_sas(container: &str, permissions: &str, key: &str) -> String {
    let (expiry, protocol, version) = ("2099-01-01T00:00:00Z", "https,http", "2021-12-02");
    let text = format!(
        "{permissions}\n\n{expiry}\n/blob/{ACCOUNT}/{container}\n\n\n{protocol}\n{version}\nc\n\n\n\n\n\n\n"
    );
    let parts = [("sv", version), ("sr", "c"), ("sp", permissions), ("se", expiry), ("spr", protocol)];
    signed(&text, key, &parts)
}

fn signed(text: &str, key: &str, parts: &[(&str, &str)]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(&BASE64_STANDARD.decode(key).expect("key")).expect("key");
    mac.update(text.as_bytes());
    let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
    let mut url = Url::parse("http://unused").expect("url");
    url.query_pairs_mut().extend_pairs(parts).append_pair("sig", &signature);
    url.query().expect("query").to_owned()
}

/// Creates a container.
pub async fn create_container(name: &str) {
    create_container_at(&endpoint(), name).await;
}

/// The same at one of the endpoints.
pub async fn create_container_at(endpoint: &str, name: &str) {
    let url = format!("{endpoint}/{name}?restype=container&{}", account_sas("rwdlac", KEY));
    let created = reader()
        .request(Method::PUT, url)
        .header("x-ms-version", "2021-12-02")
        .header("content-length", "0")
        .send()
        .await
        .expect("azurite");
    assert!(created.status().is_success(), "creating {name}: {}", created.status());
}
