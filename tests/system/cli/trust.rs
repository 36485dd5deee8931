//! Which certificates are trusted, by the program and of its databases.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::support::bench::Bench;
use crate::support::fault_proxy::FaultProxy;
use crate::support::{gcs_server, moto, run};

const LEDGER: &str = "AUDITFERRY__LEDGER__URL";
const OWN_CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ca.pem");

/// Gives its certificate whatever it is.
#[derive(Debug)]
struct One(Arc<CertifiedKey>);

impl ResolvesServerCert for One {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

/// A server that speaks PostgreSQL as far as TLS, and then says that it has no such database. Its port.
async fn postgres_with(pem: &[u8]) -> u16 {
    let certificate = CertificateDer::from_pem_slice(pem).expect("certificate");
    let key = PrivateKeyDer::from_pem_slice(pem).expect("key");
    let key = aws_lc_rs::sign::any_supported_type(&key).expect("key");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(One(Arc::new(CertifiedKey::new(vec![certificate], key)))));
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("listens");
    let port = listener.local_addr().expect("address").port();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let mut request = [0; 8];
                if socket.read_exact(&mut request).await.is_err() {
                    return;
                }
                socket.write_all(b"S").await.expect("answers");
                let Ok(mut tls) = acceptor.accept(socket).await else { return };
                let _ = tls.read(&mut [0; 1024]).await;
                let fields = b"SFATAL\0VFATAL\0C3D000\0Mdatabase \"x\" does not exist\0L948\0\0";
                let length = u32::try_from(fields.len() + 4).expect("short").to_be_bytes();
                let _ = tls.write_all(&[b"E".as_slice(), &length, fields].concat()).await;
                let _ = tls.shutdown().await;
            });
        }
    });
    port
}

const LET_IN: &str = "database \"x\" does not exist";

#[test]
fn a_database_is_trusted_as_the_operator_says() {
    run(async {
        let port = postgres_with(include_bytes!("../../support/signed.pem")).await;
        let bench = Bench::new();
        let check = |query: &str, ca: Option<&str>| {
            let url = format!("postgres://ana@127.0.0.1:{port}/x?{query}");
            let bench = bench.with(LEDGER, &url);
            match ca {
                Some(file) => bench.and("SSL_CERT_FILE", file).run("check").to_string(),
                None => bench.run("check").to_string(),
            }
        };
        // Nobody knows the CA, until somebody names it.
        for query in ["sslmode=verify-full", "sslmode=verify-ca", "sslrootcert=system"] {
            let unknown = check(query, None);
            assert!(
                unknown.contains("UnknownIssuer") && unknown.contains("SSL_CERT_FILE"),
                "{query}: {unknown}"
            );
            let known = check(query, Some(OWN_CA));
            assert!(known.contains(LET_IN) && !known.contains("at line"), "{query}: {known}");
        }
        assert!(check(&format!("sslmode=verify-full&sslrootcert={OWN_CA}"), None).contains(LET_IN));
        assert!(check("sslmode=require", None).contains(LET_IN));
        let missing = check("sslrootcert=system", Some("/nowhere/ca.pem"));
        assert!(
            missing.contains("ledger.url: sslrootcert=system: SSL_CERT_FILE names /nowhere/ca.pem"),
            "{missing}"
        );
    });
}

#[test]
fn a_certificate_of_version_1_is_named() {
    run(async {
        let port = postgres_with(include_bytes!("../../support/version_1.pem")).await;
        let bench = Bench::new();
        for mode in ["require", "verify-full"] {
            let url = format!("postgres://ana@127.0.0.1:{port}/x?sslmode={mode}");
            let out = bench.with(LEDGER, &url).run("check").out;
            assert!(out.contains("X.509 version 1") && out.contains("make one of version 3"), "{out}");
        }
    });
}

#[test]
fn a_private_ca_of_a_store_is_no_matter_of_a_firewall() {
    run(async {
        let proxy = FaultProxy::signed(moto::moto().address).await;
        let endpoint = proxy.https_url();
        let bench = Bench::with_acme();
        bench.file("secret", "HUSH");
        bench.file("string", format!("AccountName=acmeacct;AccountKey=SFVTSA==;BlobEndpoint={endpoint}"));
        bench.file("key.json", gcs_server::known_key());
        for options in [
            format!(
                "--kind s3 --bucket own-ca --region us-east-1 --endpoint {endpoint} --access-key-id AKIAIOSFODNN7EXAMPLE \
                 --secret-access-key-file secret"
            ),
            "--kind azure --bucket own-ca --connection-string-file string".to_owned(),
            format!("--kind gcs --bucket own-ca --endpoint {endpoint} --service-account-file key.json"),
        ] {
            let tried = bench.run(&format!("destination set acme {options}"));
            assert!(tried.code == Some(1) && tried.out.contains("FAILED  acme: unreachable: "), "{tried}");
            assert!(
                tried.out.contains("fix: For those who run the worker: it does not know the CA"),
                "{tried}"
            );
            assert!(tried.out.contains("SSL_CERT_FILE") && !tried.out.contains("firewall"), "{tried}");
        }
        assert!(proxy.seen().is_empty(), "a request was sent all the same");
    });
}

#[test]
fn a_file_of_certificates_that_does_not_do_is_named() {
    let bench = Bench::with_acme();
    bench.file("secret", "HUSH");
    bench.file("empty.pem", "");
    let set = "destination set acme --kind s3 --bucket acme-siem --region eu-central-1 --access-key-id AKIA \
               --secret-access-key-file secret --no-test";
    for (file, says) in [("/nowhere/ca.pem", "No such file"), ("empty.pem", "holds no CA certificate in PEM")]
    {
        let bench = bench.with("SSL_CERT_FILE", file);
        let check = bench.run("check");
        assert!(
            check.code == Some(1) && check.out.contains("FAILED  certificates: SSL_CERT_FILE"),
            "{check}"
        );
        assert!(
            check.out.contains(file) && check.out.contains(says) && check.out.contains("ok      ledger"),
            "{check}"
        );
        let answer = bench.run(set);
        assert!(
            answer.code != Some(0) && answer.err.contains("SSL_CERT_FILE") && answer.err.contains(says),
            "{answer}"
        );
    }
    assert!(bench.does("check").contains("ok      certificates: "));
}
