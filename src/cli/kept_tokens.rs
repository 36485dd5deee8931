//! The tokens that `auditferry login` keeps: one for each server, in a file that only its owner can read.

use std::collections::BTreeMap;
use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::CliError;
use crate::client::ServerAddress;
use crate::secrets::Secret;

/// The file's name in the folder.
const FILE: &str = "servers.toml";

/// Modes that let nobody but the owner in.
const OWNER_FILE: u32 = 0o600;
const OWNER_FOLDER: u32 = 0o700;
const OTHERS: u32 = 0o077;

/// Most bytes that are read of it.
const MOST: u64 = 1024 * 1024;

/// The tokens, by the origins of their servers.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct KeptTokens(BTreeMap<String, KeptToken>);

#[derive(Serialize, Deserialize)]
struct KeptToken {
    token: Zeroizing<String>,
}

/// The user's folder for settings of auditferry.
pub(super) fn folder() -> Result<PathBuf, CliError> {
    let given = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = given("XDG_CONFIG_HOME").or_else(|| given("HOME").map(|home| home.join(".config")));
    base.map(|base| base.join("auditferry")).ok_or_else(|| {
        CliError::Usage(
            "neither XDG_CONFIG_HOME nor HOME names a folder for kept tokens; set one, or name a file with \
             --api-token-file"
                .into(),
        )
    })
}

fn refuse(path: &Path, problem: &str, fix: &str) -> CliError {
    CliError::Usage(format!("{}: {problem}; {fix}", path.display()))
}

impl KeptTokens {
    /// Reads those of a folder; none are kept before the first.
    pub(super) fn read(folder: &Path) -> Result<Self, CliError> {
        let path = folder.join(FILE);
        let unreadable =
            |error: std::io::Error| refuse(&path, &error.to_string(), "make it readable for you alone");
        let file = match OpenOptions::new().read(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(unreadable(error)),
        };
        // Of the file that was opened: another one may stand there by now.
        let found = file.metadata().map_err(unreadable)?;
        if found.mode() & OTHERS != 0 {
            let mode = found.mode() & 0o7777;
            return Err(refuse(
                &path,
                &format!("others can read it (mode {mode:04o}), and it holds tokens"),
                "revoke those tokens if others use this machine, and run `chmod 600` on it",
            ));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(refuse(&path, "it belongs to another user", "log in as yourself"));
        }
        let mut text = Zeroizing::new(String::new());
        file.take(MOST).read_to_string(&mut text).map_err(unreadable)?;
        // What is wrong is not quoted: it may be a token.
        toml::from_str(&text).map_err(|_| {
            refuse(&path, "it is not as `auditferry login` writes it", "remove it, and log in again")
        })
    }

    /// The token for a server.
    pub(super) fn of(&self, server: &ServerAddress) -> Option<Secret> {
        self.0.get(&server.to_string()).map(|kept| Secret::new(kept.token.to_string()))
    }

    /// Keeps a token for a server, in the place of the one before.
    pub(super) fn keep(&mut self, server: &ServerAddress, token: &Secret) {
        let token = Zeroizing::new(token.expose().to_owned());
        self.0.insert(server.to_string(), KeptToken { token });
    }

    /// Forgets the token of a server; returns whether there was one.
    pub(super) fn forget(&mut self, server: &ServerAddress) -> bool {
        self.0.remove(&server.to_string()).is_some()
    }

    /// Writes them, and returns where. The file is nobody else's from its first moment, and is there as a whole or not
    /// at all.
    pub(super) fn write(&self, folder: &Path) -> Result<PathBuf, CliError> {
        let path = folder.join(FILE);
        let failed =
            |error: std::io::Error| refuse(&path, &error.to_string(), "see whether you may write there");
        DirBuilder::new().recursive(true).mode(OWNER_FOLDER).create(folder).map_err(failed)?;
        let text = toml::to_string(self).map(Zeroizing::new);
        let text = text.map_err(|error| CliError::Failed(format!("{}: {error}", path.display())))?;
        let new = folder.join(format!("{FILE}.{}", uuid::Uuid::new_v4()));
        let written = OpenOptions::new().write(true).create_new(true).mode(OWNER_FILE).open(&new).and_then(
            |mut file| {
                file.write_all(text.as_bytes())?;
                file.sync_all()?;
                std::fs::rename(&new, &path)
            },
        );
        if written.is_err() {
            let _ = std::fs::remove_file(&new);
        }
        written.map_err(failed)?;
        Ok(path)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn server(text: &str) -> ServerAddress {
        ServerAddress::parse(text, true).expect("address")
    }

    #[test]
    fn tokens_are_kept_for_their_server_and_for_their_owner() {
        let home = tempfile::tempdir().expect("folder");
        let folder = home.path().join("config/auditferry");
        let mut kept = KeptTokens::read(&folder).ok().expect("none yet");
        kept.keep(&server("https://a.example"), &Secret::new("one".to_owned()));
        kept.keep(&server("https://b.example:8443"), &Secret::new("two".to_owned()));
        let path = kept.write(&folder).ok().expect("written");
        let mode = |path: &Path| std::fs::metadata(path).expect("there").mode() & 0o777;
        assert_eq!((mode(&path), mode(&folder)), (0o600, 0o700));
        assert_eq!(std::fs::read_dir(&folder).expect("folder").count(), 1, "nothing else is left there");
        let mut kept = KeptTokens::read(&folder).ok().expect("read");
        let of = |kept: &KeptTokens, at| kept.of(&server(at)).map(|token| token.expose().to_owned());
        assert_eq!(of(&kept, "https://a.example:443/").as_deref(), Some("one"));
        assert_eq!(of(&kept, "https://b.example:8443").as_deref(), Some("two"));
        assert_eq!(of(&kept, "http://a.example"), None, "it is for one origin");
        assert!(kept.forget(&server("https://a.example")) && !kept.forget(&server("https://a.example")));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).expect("mode");
        let Err(CliError::Usage(told)) = KeptTokens::read(&folder) else { panic!("it is refused") };
        assert!(told.contains("0640") && told.contains("chmod 600") && !told.contains("one"), "{told}");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("mode");
        std::fs::write(&path, "HUSH").expect("written");
        let Err(CliError::Usage(told)) = KeptTokens::read(&folder) else { panic!("it is refused") };
        assert!(!told.contains("HUSH"), "{told}");
    }
}
