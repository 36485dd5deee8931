//! Endpoints with a path: what is asked of the store, and whether its signature is of that.

use std::collections::BTreeMap;

use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};

use super::*;

/// A secret that is no SAS.
const SECRET: &str = "wJalrXUtnFEMI";
const ACCOUNT: &str = "AccountName=acmeacct;AccountKey=SFVTSA==;BlobEndpoint=";

/// The requests that a server on loopback got; it refuses all of them.
async fn listening() -> (u16, Arc<Mutex<Vec<String>>>) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.expect("listens");
    let port = listener.local_addr().expect("address").port();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                let mut buffer = [0; 4096];
                match socket.read(&mut buffer).await {
                    Ok(read) if read > 0 => head.extend_from_slice(&buffer[..read]),
                    _ => break,
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            heard.lock().expect("seen").push(head.split("\r\n\r\n").next().unwrap_or_default().to_owned());
            let _ = socket
                .write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .await;
        }
    });
    (port, seen)
}

/// The one request that a put to a place makes.
async fn asked(place: Place, seen: &Mutex<Vec<String>>) -> String {
    let lookup = Rebinding(Mutex::new(vec![[127, 0, 0, 1].into()]));
    let dialer = Dialer::with_lookup(Network::loopback(), Duration::from_secs(20), Proxy::None, lookup);
    let destination = Destination {
        prefix: String::new(),
        allow_http: true,
        accept_overwrites: false,
        expires: None,
        place,
    };
    destination.validate().unwrap_or_else(|error| panic!("{error}"));
    let object = Object {
        key: ObjectKey::stored("audit/a/audit_a_20261121T040000Z.zip".to_owned()),
        body: Bytes::from_static(b"x"),
        content_type: "application/zip",
        metadata: Vec::new(),
    };
    let store = open(&destination, &Opened::default(), false, &dialer.expect("dialer")).await;
    store.unwrap_or_else(|error| panic!("{error}")).put(&object).await.expect_err("refused");
    let mut seen = seen.lock().expect("seen");
    assert_eq!(seen.len(), 1);
    seen.remove(0)
}

fn target(head: &str) -> &str {
    head.split(' ').nth(1).expect("a target")
}

fn headers(head: &str) -> BTreeMap<String, String> {
    let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn keyed(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// Makes the signature anew from what was sent, as a store does.
///
/// Source: "Signature Calculations for the Authorization Header", Amazon S3 API Reference.
fn check_signature(head: &str) {
    let headers = headers(head);
    let authorization = &headers["authorization"];
    let part = |name: &str| {
        let rest = authorization.split_once(name).expect(name).1;
        rest.split([',', ' ']).next().unwrap_or_default().to_owned()
    };
    let (credential, names, signature) = (part("Credential="), part("SignedHeaders="), part("Signature="));
    let (path, query) = target(head).split_once('?').unwrap_or((target(head), ""));
    let mut query: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    query.sort();
    let signed: String = names.split(';').map(|name| format!("{name}:{}\n", headers[name])).collect();
    let request = format!(
        "{}\n{path}\n{}\n{signed}\n{names}\n{}",
        head.split(' ').next().expect("a method"),
        query.join("&"),
        headers["x-amz-content-sha256"]
    );
    let (_, scope) = credential.split_once('/').expect("a scope");
    let text = format!(
        "AWS4-HMAC-SHA256\n{}\n{scope}\n{}",
        headers["x-amz-date"],
        hex(&Sha256::digest(request.as_bytes()))
    );
    let key = scope.split('/').fold(format!("AWS4{SECRET}").into_bytes(), |key, part| keyed(&key, part));
    assert_eq!(signature, hex(&keyed(&key, &text)), "{request}");
}

fn s3(folder: &tempfile::TempDir, endpoint: String, path_style: Option<bool>) -> Place {
    let destinations = destinations(folder, &endpoint);
    let Place::S3(place) = destinations[0].place.clone() else { panic!("it is S3") };
    let credentials = S3Credentials::AccessKey(AccessKey {
        id: "AKIAIOSFODNN7EXAMPLE".into(),
        secret: secret(folder, SECRET),
        session_token: None,
    });
    Place::S3(S3 { bucket: "acme-siem".into(), endpoint: Some(endpoint), path_style, credentials, ..place })
}

#[tokio::test]
async fn the_path_of_an_s3_endpoint_stands_before_the_bucket() {
    let folder = tempfile::tempdir().expect("folder");
    let (port, seen) = listening().await;
    let key = "audit/a/audit_a_20261121T040000Z.zip";
    for (path, style, host, begins) in [
        ("/storage/v1/s3", None, "x.supabase.test", "/storage/v1/s3/acme-siem/"),
        ("/storage/v1/s3/", None, "x.supabase.test", "/storage/v1/s3/acme-siem/"),
        ("/storage/v1/s3", Some(false), "acme-siem.x.supabase.test", "/storage/v1/s3/"),
        ("/storage/v1/s3/", Some(false), "acme-siem.x.supabase.test", "/storage/v1/s3/"),
        ("", None, "x.supabase.test", "/acme-siem/"),
        ("/", Some(false), "acme-siem.x.supabase.test", "/"),
    ] {
        let endpoint = format!("http://x.supabase.test:{port}{path}");
        let head = asked(s3(&folder, endpoint, style), &seen).await;
        assert_eq!(
            target(&head).split('?').next(),
            Some(format!("{begins}{key}").as_str()),
            "{path} {style:?}"
        );
        assert_eq!(headers(&head)["host"], format!("{host}:{port}"));
        check_signature(&head);
    }
}

#[tokio::test]
async fn the_path_of_googles_and_azures_endpoints_stays() {
    let folder = tempfile::tempdir().expect("folder");
    let (port, seen) = listening().await;
    for path in ["/gateway/v2", "/gateway/v2/"] {
        let endpoint = format!("http://x.example.test:{port}{path}");
        let [_, sas, gcs] = destinations(&folder, &endpoint);
        let head = asked(gcs.place, &seen).await;
        assert!(target(&head).starts_with("/gateway/v2/upload/storage/v1/b/acme/o?"), "{head}");
        let head = asked(sas.place, &seen).await;
        assert!(
            target(&head).starts_with("/gateway/v2/acme/audit/a/audit_a_20261121T040000Z.zip?"),
            "{head}"
        );
        let credentials =
            AzureCredentials::ConnectionString(secret(&folder, &format!("{ACCOUNT}{endpoint}")));
        let head =
            asked(Place::Azure(Azure { container: "acme".into(), endpoint: None, credentials }), &seen).await;
        assert_eq!(target(&head), "/gateway/v2/acme/audit/a/audit_a_20261121T040000Z.zip");
    }
}

#[tokio::test]
async fn a_connection_string_that_names_the_container_is_told() {
    let folder = tempfile::tempdir().expect("folder");
    let dialer = Dialer::new(Network::default(), Duration::from_secs(1), Proxy::None).expect("dialer");
    for (path, misplaced) in [("/acme", true), ("/acme/", true), ("", false), ("/acme-2", false)] {
        let text = format!("{ACCOUNT}https://acmeacct.blob.core.windows.net{path}");
        let credentials = AzureCredentials::ConnectionString(secret(&folder, &text));
        let place = Place::Azure(Azure { container: "acme".into(), endpoint: None, credentials });
        let destination = Destination {
            prefix: String::new(),
            allow_http: false,
            accept_overwrites: false,
            expires: None,
            place,
        };
        let store = open(&destination, &Opened::default(), false, &dialer).await;
        let told = store.unwrap_or_else(|error| panic!("{error}")).misplaced().map(|error| error.to_string());
        assert_eq!(told.is_some(), misplaced, "{path}");
        assert!(told.is_none_or(|text| text.contains("connection_string: its BlobEndpoint ends in")));
    }
}
