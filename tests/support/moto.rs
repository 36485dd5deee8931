//! `moto_server`: an S3 that we did not write. It checks that the bucket exists and
//! keeps conditional puts, but by default believes every signature.

use std::sync::OnceLock;

use auditferry_core::model::destination::{AccessKey, S3, S3Credentials};

use super::child::{Server, free_address};
use super::{folder, secret, tool};

/// The one server of this test binary.
pub fn moto() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let address = free_address();
        let port = address.port().to_string();
        let program = tool("venv/bin/moto_server");
        Server::start("moto", &folder("moto"), address, &program, &["-H", "127.0.0.1", "-p", &port])
    })
}

/// A new bucket there, which everybody may read.
pub async fn bucket(name: &str) -> S3 {
    let url = format!("{}/{name}", moto().url());
    let created =
        reqwest::Client::new().put(&url).header("x-amz-acl", "public-read").send().await.expect("moto");
    assert!(created.status().is_success(), "creating {url}: {}", created.status());
    S3 {
        bucket: name.to_owned(),
        region: "us-east-1".to_owned(),
        endpoint: Some(moto().url()),
        path_style: None,
        sse_kms_key_id: None,
        expected_bucket_owner: None,
        storage_class: None,
        checksum: None,
        request_payer: None,
        acl: None,
        sse: None,
        credentials: S3Credentials::AccessKey(AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            session_token: None,
        }),
    }
}
