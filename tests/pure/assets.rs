//! The files of the pages: those of others are as they were published.

use std::path::Path;

use sha2::{Digest as _, Sha256};

#[test]
fn htmx_is_as_it_was_published() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets");
    let bytes = std::fs::read(folder.join("htmx-2.0.11.min.js")).unwrap();
    let hash: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let said = std::fs::read_to_string(folder.join("README.md")).unwrap();
    assert!(said.contains(&format!("`{hash}`")), "assets/README.md does not name {hash}");
}
