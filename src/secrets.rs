//! Secrets: read where a reference points, kept out of every output.

pub mod keys;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use zeroize::Zeroizing;

use auditferry_core::model::destination::{SealedId, SecretRef};

/// Longest secret that is read, in bytes; a service-account key is about 2.4 KiB.
const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// A secret text. It has no `Debug`, `Display` or `Serialize` on purpose, and is
/// wiped from memory when dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of a text that must not be shown.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Secrets that were sealed, or are about to be, in the clear and in memory only.
#[derive(Default)]
pub struct Opened(HashMap<SealedId, Secret>);

impl Opened {
    /// Adds one.
    pub fn insert(&mut self, id: SealedId, secret: Secret) {
        self.0.insert(id, secret);
    }

    /// The secret of a name.
    #[must_use]
    pub fn get(&self, id: &SealedId) -> Option<&Secret> {
        self.0.get(id)
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Keeps this process's memory, and so its secrets, out of core dumps, and on Linux out of
/// reach of other processes of the same user.
///
/// # Errors
/// When the system refuses.
pub fn keep_memory_private() -> std::io::Result<()> {
    use rustix::process::{Resource, Rlimit, setrlimit};
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}

/// Why a secret could not be read. Never holds the secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not set.
    #[error("secret {{ env = \"{0}\" }}: the environment variable is not set; set it where the worker runs")]
    EnvMissing(String),
    /// The file cannot be read.
    #[error("secret {{ file = \"{path}\" }}: {source}; {fix}")]
    FileUnreadable {
        /// The file that the reference names.
        path: String,
        /// What the system said.
        source: std::io::Error,
        /// What to do.
        fix: String,
    },
    /// A sealed secret cannot be opened.
    #[error("secret {{ sealed = \"{id}\" }}: {problem}")]
    Sealed {
        /// The random id by which the destination refers to it.
        id: SealedId,
        /// What is wrong, and what to do.
        problem: String,
        /// Whether trying again may help.
        passes: bool,
    },
    /// The secret is empty.
    #[error("secret {0}: it is empty; put the secret there")]
    Empty(String),
    /// The secret is implausibly long.
    #[error(
        "secret {{ file = \"{0}\" }}: it is longer than {MAX_SECRET_BYTES} bytes; this is not a secret's file"
    )]
    TooLong(String),
}

/// Reads the secret that a reference names; a sealed one is among `opened`. A single
/// trailing newline of a file is not part of the secret.
///
/// # Errors
/// When the variable or file is missing, empty, not UTF-8, or too long, or a sealed
/// secret was not opened.
pub fn resolve(reference: &SecretRef, opened: &Opened) -> Result<Secret, SecretError> {
    let secret = match reference {
        SecretRef::Env(name) => {
            let value =
                Zeroizing::new(std::env::var(name).map_err(|_| SecretError::EnvMissing(name.clone()))?);
            Secret::new(without_mark(&value).to_owned())
        }
        SecretRef::File(path) => read_file(path)?,
        SecretRef::Sealed(id) => opened.get(id).cloned().ok_or_else(|| SecretError::Sealed {
            id: id.clone(),
            problem: "nothing has opened it; set keys.ring".to_owned(),
            passes: false,
        })?,
    };
    if secret.expose().trim().is_empty() {
        return Err(SecretError::Empty(reference.to_string()));
    }
    Ok(secret)
}

fn read_file(path: &Path) -> Result<Secret, SecretError> {
    let shown = path.display().to_string();
    let unreadable =
        |source| SecretError::FileUnreadable { path: shown.clone(), fix: readable(path, &source), source };
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_SECRET_BYTES {
        return Err(SecretError::TooLong(shown));
    }
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(unreadable)?);
    Ok(without_newline(&text))
}

/// How a file becomes readable for the user of this process.
fn readable(path: &Path, error: &std::io::Error) -> String {
    use std::os::unix::fs::MetadataExt as _;
    let uid = rustix::process::geteuid().as_raw();
    let owner = std::fs::metadata(path).ok().map(|file| (file.uid(), file.mode() & 0o7777));
    match owner.filter(|_| error.kind() == std::io::ErrorKind::PermissionDenied) {
        Some((owner, mode)) => owned_by_another(uid, owner, mode),
        None => "make the file readable for the worker's user".to_owned(),
    }
}

fn owned_by_another(uid: u32, owner: u32, mode: u32) -> String {
    format!(
        "this process has the uid {uid}, and the file belongs to uid {owner} with mode {mode:04o}: run `chown {uid}` on \
         it (where it is mounted from, if this is a container)"
    )
}

/// Reads a secret that is typed or piped in, up to the end of the input.
///
/// # Errors
/// When it is empty, not UTF-8, or too long.
pub fn read_input(input: impl Read) -> Result<Secret, SecretError> {
    let shown = "standard input";
    let mut text = Zeroizing::new(String::new());
    input.take(MAX_SECRET_BYTES + 1).read_to_string(&mut text).map_err(|source| {
        SecretError::FileUnreadable { path: shown.to_owned(), source, fix: "give it again".to_owned() }
    })?;
    if text.len() as u64 > MAX_SECRET_BYTES {
        return Err(SecretError::TooLong(shown.to_owned()));
    }
    if without_mark(&text).trim().is_empty() {
        return Err(SecretError::Empty(format!("from {shown}")));
    }
    Ok(without_newline(&text))
}

/// Without the byte order mark that some editors write before a text: it is no part of a secret.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn without_newline(text: &str) -> Secret {
    let text = without_mark(text);
    let line = text.strip_suffix('\n').unwrap_or(text);
    Secret::new(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_secret_loses_only_its_last_newline() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("key");
        std::fs::write(&path, "a b\n\n").expect("write");
        let secret =
            resolve(&SecretRef::File(path.clone()), &Opened::default()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(secret.expose(), "a b\n");
        std::fs::write(&path, "\n").expect("write");
        assert!(matches!(resolve(&SecretRef::File(path), &Opened::default()), Err(SecretError::Empty(_))));
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_a_secret() {
        let dir = tempfile::tempdir().expect("folder");
        let path = dir.path().join("key");
        std::fs::write(&path, "\u{feff}{\"type\": 1}\r\n").expect("write");
        let secret = resolve(&SecretRef::File(path.clone()), &Opened::default());
        assert_eq!(secret.unwrap_or_else(|e| panic!("{e}")).expose(), "{\"type\": 1}");
        assert_eq!(read_input("\u{feff}x".as_bytes()).unwrap_or_else(|e| panic!("{e}")).expose(), "x");
        assert!(read_input("\u{feff}\n".as_bytes()).is_err());
        std::fs::write(&path, "\u{feff}\n").expect("write");
        assert!(matches!(resolve(&SecretRef::File(path), &Opened::default()), Err(SecretError::Empty(_))));
    }

    #[test]
    fn a_file_of_another_user_is_named_with_both() {
        let said = owned_by_another(65532, 0, 0o600);
        assert!(said.contains("uid 65532") && said.contains("uid 0 with mode 0600"), "{said}");
        assert!(said.contains("`chown 65532`"), "{said}");
        let denied = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let dir = tempfile::tempdir().expect("folder");
        assert!(readable(dir.path(), &denied).contains("chown"));
        let missing = std::io::Error::from(std::io::ErrorKind::NotFound);
        assert!(readable(&dir.path().join("x"), &missing).contains("make the file readable"));
    }

    #[test]
    fn a_missing_reference_is_named() {
        let error =
            resolve(&SecretRef::Env("AUDITFERRY_NO_SUCH".into()), &Opened::default()).err().expect("refused");
        assert!(error.to_string().contains("AUDITFERRY_NO_SUCH"));
    }
}
