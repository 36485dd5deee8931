//! `gcp-storage-emulator`: a Google Cloud Storage that we did not write. It knows
//! neither tokens nor preconditions.

use std::sync::OnceLock;

use super::child::{Server, free_address};
use super::{folder, tool};

/// The one server of this test binary.
pub fn gcs_emulator() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let address = free_address();
        let port = address.port().to_string();
        let program = tool("venv/bin/gcp-storage-emulator");
        let args = ["start", "--host", "127.0.0.1", "--port", &port, "--in-memory"];
        Server::start("gcp-storage-emulator", &folder("gcs-emulator"), address, &program, &args)
    })
}

/// Creates a bucket.
pub async fn create_bucket(name: &str) {
    let url = format!("{}/storage/v1/b?project=test", gcs_emulator().url());
    let created = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .body(format!("{{\"name\":\"{name}\"}}"))
        .send()
        .await
        .expect("gcp-storage-emulator");
    assert!(created.status().is_success(), "creating {name}: {}", created.status());
}
