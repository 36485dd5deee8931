//! The CA certificates that TLS trusts: the system's, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name.

use std::env;
use std::path::Path;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rustls_native_certs::{CertificateResult, load_native_certs};
use rustls_pki_types::CertificateDer;

/// What names a file of certificates, as for OpenSSL.
const FILE: &str = "SSL_CERT_FILE";
/// What names folders of certificates.
const FOLDERS: &str = "SSL_CERT_DIR";

/// What was found.
pub(crate) struct Roots {
    certificates: Vec<CertificateDer<'static>>,
    /// Where, for a person.
    pub(crate) origin: String,
    /// What is wrong with them, and what to do.
    pub(crate) problem: Option<String>,
}

impl Roots {
    /// Reads them anew.
    pub(crate) fn load() -> Self {
        let given = |name: &str| env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        Self::of(given(FILE).as_deref(), given(FOLDERS).as_deref(), load_native_certs())
    }

    fn of(file: Option<&str>, folders: Option<&str>, found: CertificateResult) -> Self {
        // Some systems keep certificates that cannot be trusted for anything.
        let good = |der: &CertificateDer<'static>| webpki::anchor_from_trusted_cert(der).is_ok();
        let certificates: Vec<_> = found.certs.into_iter().filter(good).collect();
        let named: Vec<String> = [(FILE, file), (FOLDERS, folders)]
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", value?)))
            .collect();
        let origin = if named.is_empty() { "the system".to_owned() } else { named.join(" and ") };
        let said = found.errors.first().map(|error| {
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
        });
        let problem = match (file.filter(|file| !is_readable(file)), certificates.is_empty()) {
            (Some(file), _) => Some(format!(
                "{FILE} names {file}, which cannot be read ({}); name a PEM file with the CAs that are trusted, or unset \
                 it for the system's",
                said.unwrap_or_else(|| "it is no file".to_owned())
            )),
            (None, true) if !named.is_empty() => Some(format!(
                "{origin} holds no CA certificate in PEM; name a file with the CAs that are trusted, or unset it for the \
                 system's"
            )),
            (None, true) => Some(format!(
                "this machine or image has no CA certificates; install them (the package ca-certificates), or name a PEM \
                 file in {FILE}"
            )),
            (None, false) => None,
        };
        Self { certificates, origin, problem }
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.certificates.len()
    }

    /// All of them as PEM.
    pub(crate) fn pem(&self) -> String {
        let mut pem = String::new();
        for certificate in &self.certificates {
            pem.push_str("-----BEGIN CERTIFICATE-----\n");
            let text = BASE64_STANDARD.encode(certificate);
            let mut rest = text.as_str();
            while !rest.is_empty() {
                let (line, more) = rest.split_at(rest.len().min(64));
                pem.push_str(line);
                pem.push('\n');
                rest = more;
            }
            pem.push_str("-----END CERTIFICATE-----\n");
        }
        pem
    }

    /// Whether somebody has named them.
    pub(crate) fn are_named() -> bool {
        [FILE, FOLDERS].iter().any(|name| env::var_os(name).is_some())
    }
}

fn is_readable(file: &str) -> bool {
    Path::new(file).is_file() && std::fs::File::open(file).is_ok()
}

#[cfg(test)]
mod tests {
    use rustls_native_certs::load_certs_from_paths;

    use super::*;

    const CA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/ca.pem");

    fn of(file: &str) -> Roots {
        Roots::of(Some(file), None, load_certs_from_paths(Some(Path::new(file)), None))
    }

    #[test]
    fn a_file_that_does_not_do_is_named() {
        let roots = of(CA);
        assert_eq!((roots.len(), roots.problem.as_deref()), (1, None));
        let text = std::fs::read_to_string(CA).expect("file");
        assert!(text.contains(roots.pem().lines().nth(1).expect("a line")), "{}", roots.pem());
        let missing = of("/nowhere/ca.pem").problem.expect("told");
        assert!(
            missing.contains("SSL_CERT_FILE names /nowhere/ca.pem") && missing.contains("No such file"),
            "{missing}"
        );
        let other = of(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml")).problem.expect("told");
        assert!(other.contains("Cargo.toml holds no CA certificate"), "{other}");
        let none = Roots::of(None, None, CertificateResult::default()).problem.expect("told");
        assert!(none.contains("ca-certificates"), "{none}");
    }
}
