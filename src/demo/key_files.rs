//! The demo's own keys, in files of its folder.

use std::path::{Path, PathBuf};

use crate::secrets::keys;

/// The server's secret key: made at the first run.
pub(super) fn secret_key(dir: &Path) -> std::io::Result<String> {
    let path = dir.join("s3-secret-key");
    if !path.exists() {
        write_privately(&path, &uuid::Uuid::new_v4().simple().to_string())?;
    }
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}

/// The key that seals the accounts' secrets in the ledger: made at the first run.
pub(super) fn key_file(dir: &Path) -> std::io::Result<PathBuf> {
    let path = dir.join("sealing-key");
    if !path.exists() {
        let key =
            keys::generate().ok_or_else(|| std::io::Error::other("the system gives no random numbers"))?;
        write_privately(&path, key.expose())?;
    }
    Ok(path)
}

/// Makes a file that is readable for its owner alone.
fn write_privately(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}
