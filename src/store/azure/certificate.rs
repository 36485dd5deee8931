//! A certificate with its RSA key, as an application of Microsoft Entra ID proves itself with one.
//!
//! Source: "Microsoft identity platform application authentication certificate credentials".

use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::{KeyPair as _, RSA_PSS_SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use webpki::{EndEntityCert, Error, KeyUsage};

use crate::store::OpenError;

/// How long an assertion is good for; it is sent at once.
const LIFE: SignedDuration = SignedDuration::from_mins(5);

/// What signs assertions, and the name by which Entra knows it.
pub(super) struct Certificate {
    key: KeyPair,
    /// SHA-256 of the certificate's DER, in base64.
    thumbprint: String,
    /// When Entra stops taking it, as far as it can be read.
    pub(super) end: Option<Timestamp>,
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
        Ok(Self { key, thumbprint, end: end(own) })
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

/// When a certificate ends. The library says it only as the reason of a refusal, so it is asked
/// whether the certificate holds at the end of time, for which it looks at nothing else first.
fn end(certificate: &CertificateDer<'_>) -> Option<Timestamp> {
    let never = UnixTime::since_unix_epoch(Duration::MAX);
    let certificate = EndEntityCert::try_from(certificate).ok()?;
    match certificate.verify_for_usage(&[], &[], &[], never, KeyUsage::client_auth(), None, None) {
        Err(Error::CertExpired { not_after, .. }) => {
            Timestamp::from_second(not_after.as_secs().try_into().ok()?).ok()
        }
        _ => None,
    }
}

fn malformed(problem: &str) -> OpenError {
    OpenError::Malformed {
        field: "credentials.entra_certificate.certificate",
        problem: problem.to_owned(),
        fix: "give one PEM file with the private key and the certificate: `cat key.pem cert.pem`",
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};
    use serde_json::Value;

    use super::*;

    const PEM: &str = include_str!("../../../tests/support/entra.pem");
    const OTHER: &str = include_str!("../../../tests/support/entra_unknown.pem");
    const ELLIPTIC: &str = include_str!("../../../tests/support/signed.pem");
    const BEFORE_2050: &str = include_str!("../../../tests/support/ends_2036.pem");

    fn part(pem: &str, title: &str) -> String {
        let (begin, end) = (format!("-----BEGIN {title}-----"), format!("-----END {title}-----"));
        let rest = &pem[pem.find(&begin).expect("begin")..];
        format!("{}\n", &rest[..rest.find(&end).expect("end") + end.len()])
    }

    #[test]
    fn an_assertion_is_signed_for_five_minutes_and_one_place() {
        let certificate = Certificate::parse(PEM).unwrap_or_else(|error| panic!("{error}"));
        let now = "2026-11-21T04:00:00Z".parse().expect("instant");
        let at = "https://login.microsoftonline.com/acme/oauth2/v2.0/token";
        let assertion = certificate.assertion("client", at, now).expect("signs");
        let parts: Vec<&str> = assertion.split('.').collect();
        let decode = |text: &str| BASE64_URL_SAFE_NO_PAD.decode(text).expect("base64");
        let signed = format!("{}.{}", parts[0], parts[1]);
        UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, certificate.key.public_key().as_ref())
            .verify(signed.as_bytes(), &decode(parts[2]))
            .expect("the signature is of the key");
        let read = |text: &str| serde_json::from_slice::<Value>(&decode(text)).expect("JSON");
        let (header, claims) = (read(parts[0]), read(parts[1]));
        // `openssl x509 -in tests/support/entra.pem -outform der | openssl dgst -sha256`
        assert_eq!(header["x5t#S256"], "ZeBu_qpiuZcNhUMvnOtPfFDrQt1_j_8ecrQjg_j94nw");
        assert_eq!(header["alg"], "PS256");
        assert_eq!((&claims["iss"], &claims["sub"]), (&Value::from("client"), &Value::from("client")));
        assert_eq!(claims["aud"], at);
        assert_eq!(
            (claims["nbf"].as_i64(), claims["exp"].as_i64()),
            (Some(1_795_233_600), Some(1_795_233_900))
        );
        let again = certificate.assertion("client", at, now).expect("signs");
        assert_ne!(again.split('.').nth(1), Some(parts[1]), "each has an id of its own");
    }

    #[test]
    fn a_certificate_says_when_it_ends() {
        // `openssl x509 -noout -enddate -in tests/support/….pem`; before 2050 the date has another form.
        for (pem, ends) in [(PEM, "2126-10-28T18:02:50Z"), (BEFORE_2050, "2036-11-18T21:50:41Z")] {
            let certificate = CertificateDer::from_pem_slice(pem.as_bytes()).expect("a certificate");
            assert_eq!(end(&certificate), Some(ends.parse().expect("instant")));
            let mut cut = certificate.to_vec();
            cut.truncate(cut.len() / 2);
            assert_eq!(end(&cut.into()), None);
        }
        assert_eq!(
            Certificate::parse(PEM).expect("reads").end,
            Some("2126-10-28T18:02:50Z".parse().expect("instant"))
        );
    }

    #[test]
    fn each_refusal_says_what_is_wrong_and_shows_no_key() {
        let (key, certificate) = (part(PEM, "PRIVATE KEY"), part(PEM, "CERTIFICATE"));
        assert!(Certificate::parse(&format!("{certificate}{key}")).is_ok());
        let chain = format!("{key}{}{certificate}", part(OTHER, "CERTIFICATE"));
        assert!(Certificate::parse(&chain).is_ok(), "others may stand beside it");
        for (pem, problem) in [
            ("HUSH".to_owned(), "no private key"),
            (certificate.clone(), "no private key"),
            (key.clone(), "holds no certificate"),
            (format!("{key}{}", part(OTHER, "CERTIFICATE")), "does not belong to its key"),
            (ELLIPTIC.to_owned(), "is not an RSA key"),
            (key.replace("PRIVATE KEY", "EC PRIVATE KEY"), "is not an RSA key"),
            (format!("{key}-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"), "is not PEM"),
        ] {
            let message = Certificate::parse(&pem).err().unwrap_or_else(|| panic!("accepted: {problem}"));
            let message = message.to_string();
            assert!(message.contains(problem), "{problem}: {message}");
            assert!(!message.contains("HUSH") && !message.contains("MII"), "{message}");
        }
    }
}
