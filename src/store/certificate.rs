//! A certificate with its RSA key, as an application of Microsoft Entra ID proves itself with one.
//!
//! Source: "Microsoft identity platform application authentication certificate credentials".

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::OpenError;

/// How long an assertion is good for; it is sent at once.
const LIFE: SignedDuration = SignedDuration::from_mins(5);

/// What signs assertions, and the name by which Entra knows it.
pub(super) struct Certificate {
    key: KeyPair,
    /// SHA-256 of the certificate's DER, in base64.
    thumbprint: String,
}

impl Certificate {
    /// Reads PEM that holds one RSA key and the certificate that belongs to it.
    ///
    /// # Errors
    /// Names what is wrong; never shows a part of the text.
    pub(super) fn parse(pem: &str) -> Result<Self, OpenError> {
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| malformed("it holds no private key in PEM that can be read"))?;
        let key = match &key {
            PrivateKeyDer::Pkcs8(der) => KeyPair::from_pkcs8(der.secret_pkcs8_der()),
            PrivateKeyDer::Pkcs1(der) => KeyPair::from_der(der.secret_pkcs1_der()),
            _ => return Err(malformed("its key is not an RSA key, and Entra takes no other")),
        };
        let key = key.map_err(|_| malformed("its key is not an RSA key of 2048 to 8192 bits"))?;
        let certificates: Result<Vec<CertificateDer<'_>>, _> =
            CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
        let certificates =
            certificates.map_err(|_| malformed("its certificate is not PEM that can be read"))?;
        if certificates.is_empty() {
            return Err(malformed("it holds no certificate"));
        }
        // A certificate holds its key as the very bytes that the key pair gives.
        let public = key.public_key().as_ref();
        let own = certificates
            .iter()
            .find(|certificate| certificate.windows(public.len()).any(|part| part == public))
            .ok_or_else(|| malformed("its certificate does not belong to its key"))?;
        let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(own));
        Ok(Self { key, thumbprint })
    }

    /// A signed statement that the holder of the key is the application. `audience`: where it is sent.
    pub(super) fn assertion(
        &self,
        client_id: &str,
        audience: &str,
        now: Timestamp,
    ) -> Result<String, aws_lc_rs::error::Unspecified> {
        let header = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": self.thumbprint });
        let from = now.as_second();
        let claims = json!({
            "aud": audience, "iss": client_id, "sub": client_id, "jti": uuid::Uuid::new_v4().to_string(),
            "iat": from, "nbf": from, "exp": from + LIFE.as_secs(),
        });
        let encode = |part: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encode(header), encode(claims));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PSS_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature)?;
        Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn malformed(problem: &str) -> OpenError {
    OpenError::Malformed {
        field: "credentials.entra_certificate.certificate",
        problem: problem.to_owned(),
        fix: "give one PEM file with the private key and the certificate: `cat key.pem cert.pem`",
    }
}
