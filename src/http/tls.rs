//! The certificate of the API, read again when its files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(10);

/// A certificate and its key, from files.
#[derive(Clone)]
pub(crate) struct Certificates(Arc<Files>);

struct Files {
    certificate: PathBuf,
    key: PathBuf,
    state: Mutex<State>,
}

struct State {
    acceptor: TlsAcceptor,
    changed: [Option<SystemTime>; 2],
    looked: Instant,
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// A sentence with the setting and the fix.
    pub(crate) fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let acceptor = acceptor(certificate, key)?;
        let state = State { acceptor, changed: [changed(certificate), changed(key)], looked: Instant::now() };
        Ok(Self(Arc::new(Files {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            state: Mutex::new(state),
        })))
    }

    /// What makes TLS, with the newest files that could be read.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        let Files { certificate, key, state } = &*self.0;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= LOOK {
            state.looked = Instant::now();
            let now = [changed(certificate), changed(key)];
            if now != state.changed {
                state.changed = now;
                match acceptor(certificate, key) {
                    Ok(acceptor) => {
                        state.acceptor = acceptor;
                        tracing::info!("the API has a new certificate");
                    }
                    // Both files change in two steps; the old certificate goes on meanwhile.
                    Err(problem) => tracing::warn!(problem, "the API keeps its certificate"),
                }
            }
        }
        state.acceptor.clone()
    }
}

fn changed(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

fn acceptor(certificate: &Path, key: &Path) -> Result<TlsAcceptor, String> {
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| {
        format!(
            "api.tls_certificate: {}: {error}; name a PEM file with the certificate and its chain",
            certificate.display()
        )
    })?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        format!("api.tls_key: {}: {error}; name a PEM file with the private key", key.display())
    })?;
    let fits = |error: tokio_rustls::rustls::Error| {
        format!("api.tls_certificate: {error}; see that the key in api.tls_key belongs to the certificate")
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(fits)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(fits)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}
