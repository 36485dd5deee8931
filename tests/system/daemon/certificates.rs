//! TLS to a store whose certificate an own CA has signed.

use std::net::SocketAddr;

use crate::daemon::app::{App, said};
use crate::daemon::bucket::Bucket;
use crate::support::fault_proxy::FaultProxy;
use crate::support::run;

const OWN_CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ca.pem");
const SYSTEMS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// The bucket's options, reached through the proxy, with TLS.
async fn through_tls(bucket: &Bucket) -> (FaultProxy, Vec<String>) {
    let mut options = bucket.options.clone();
    let at = options.iter().position(|option| option == "--endpoint").expect("an endpoint") + 1;
    let rest = options[at].strip_prefix("http://").expect("without TLS");
    let (address, path) = rest.split_once('/').unwrap_or((rest, ""));
    let store: SocketAddr = address.parse().expect("an address");
    let proxy = FaultProxy::signed(store).await;
    options[at] = format!("{}/{path}", proxy.https_url()).trim_end_matches('/').to_owned();
    (proxy, options)
}

async fn trusts_what_the_operator_trusts(bucket: Bucket) {
    let (proxy, options) = through_tls(&bucket).await;
    let app = App::sqlite().with_variable("SSL_CERT_FILE", OWN_CA);
    app.cli(&["account", "add", "--zone", "Asia/Kolkata", "acme"]);
    app.set_destination("acme", &options, &[]);
    app.cli(&["destination", "test", "acme"]);
    let arrived = proxy.seen().len();
    assert!(arrived > 0, "nothing came through the proxy");

    let output = app.with_variable("SSL_CERT_FILE", SYSTEMS).try_cli(&["destination", "test", "acme"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let out = String::from_utf8_lossy(&output.stdout).to_lowercase();
    assert!(out.contains("unreachable") && out.contains("certificate"), "{}", said(&output));
    assert_eq!(proxy.seen().len(), arrived, "a request was sent all the same");
}

#[test]
fn s3() {
    run(async { trusts_what_the_operator_trusts(Bucket::embedded().await).await });
}

#[test]
fn azure() {
    run(async { trusts_what_the_operator_trusts(Bucket::azurite_with_sas().await).await });
}

#[test]
fn gcs() {
    run(async { trusts_what_the_operator_trusts(Bucket::gcs().await).await });
}
