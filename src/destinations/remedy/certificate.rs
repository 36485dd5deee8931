//! What to do about a certificate that the worker does not take, whoever's store it is.

/// What rustls says of a certificate, and what to do. An image without CA certificates looks like a private CA.
const REFUSED: [(&str, &str); 4] = [
    (
        "UnknownIssuer",
        "For those who run the worker: it does not know the CA of the store's certificate. For a private CA name one file \
         with its certificate and the public ones in SSL_CERT_FILE where the worker runs, and see that the image has CA \
         certificates (ca-certificates): `auditferry check` says which are used",
    ),
    (
        "UnsupportedCertVersion",
        "The store's certificate is of X.509 version 1, which has no host names: make one of version 3 with a \
         subjectAltName (`openssl x509 -req -extfile`)",
    ),
    (
        "NotValidForName",
        "The store's certificate does not name the endpoint's host: write the endpoint with a host that the certificate \
         names, or make one that names it (subjectAltName)",
    ),
    (
        "Expired",
        "The store's certificate has expired: renew it there; if it has not, the clock of the worker's machine is wrong \
         (NTP)",
    ),
];

/// What to do, when a message tells of a certificate.
pub(super) fn of(message: &str) -> Option<&'static str> {
    let (_, said) = message.split_once("invalid peer certificate: ")?;
    REFUSED.into_iter().find(|(word, _)| said.contains(word)).map(|(_, fix)| fix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_not_mended_with_a_firewall() {
        let of = |said: &str| of(&format!("cannot connect to the store: invalid peer certificate: {said}"));
        assert!(of("UnknownIssuer").is_some_and(|fix| fix.contains("SSL_CERT_FILE")));
        let version = "Other(OtherError(UnsupportedCertVersion))";
        assert!(of(version).is_some_and(|fix| fix.contains("version 3")));
        assert!(of("certificate not valid for name \"x\"; NotValidForName").is_some());
        assert!(of("Expired").is_some_and(|fix| fix.contains("NTP")));
        assert_eq!(super::of("UnknownIssuer"), None);
    }
}
