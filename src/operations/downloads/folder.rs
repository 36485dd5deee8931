//! The folder in which the files of downloads are: of this machine, or shared by all replicas.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;

/// How a file ends that is not whole.
const PART: &str = "part";

/// Which bytes are kept before they are written.
const BUFFER: usize = 256 * 1024;

/// A folder of files.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// A file that is read.
#[derive(Debug)]
pub struct Opened {
    /// The file.
    pub file: File,
    /// How many bytes it has.
    pub bytes: u64,
}

/// A file that is written. It gets its name once it is whole and on the disk.
pub(super) struct Written {
    folder: Folder,
    name: String,
    file: File,
    buffer: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

impl Folder {
    /// Takes a folder, which is made when it is not there. Only this user reads it.
    ///
    /// # Errors
    /// A sentence with the folder and the fix.
    pub async fn take(path: &Path) -> Result<Self, String> {
        let told = |error: io::Error| {
            format!("{}: {error}; name a folder that this user may make or write", path.display())
        };
        let mut maker = fs::DirBuilder::new();
        maker.recursive(true).mode(0o700);
        maker.create(path).await.map_err(told)?;
        let folder = Self(path.to_owned());
        // A folder that cannot be written to is told at the start, and not at the first download.
        let trial = path.join(format!("trial-{}.{PART}", uuid::Uuid::new_v4().simple()));
        fs::write(&trial, b"").await.map_err(told)?;
        fs::remove_file(&trial).await.map_err(told)?;
        Ok(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn part(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.{PART}"))
    }

    /// Opens a file that must have so many bytes.
    pub(super) async fn open(&self, name: &str, bytes: u64) -> Result<Opened, String> {
        let file = File::open(self.path(name)).await.map_err(|error| error.to_string())?;
        let found = file.metadata().await.map_err(|error| error.to_string())?.len();
        if found == bytes {
            Ok(Opened { file, bytes })
        } else {
            Err(format!("it has {found} bytes and not {bytes}"))
        }
    }

    /// Begins a file.
    pub(super) async fn create(&self, name: &str) -> io::Result<Written> {
        let part = self.part(name);
        if let Some(folder) = part.parent() {
            let mut maker = fs::DirBuilder::new();
            maker.recursive(true).mode(0o700);
            maker.create(folder).await?;
        }
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part).await?;
        Ok(Written {
            folder: self.clone(),
            name: name.to_owned(),
            file,
            buffer: Vec::with_capacity(BUFFER),
            hash: Sha256::new(),
            bytes: 0,
        })
    }

    /// Removes a file, whole or not.
    pub(super) async fn remove(&self, name: &str) -> io::Result<()> {
        for path in [self.part(name), self.path(name)] {
            match fs::remove_file(path).await {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

impl Written {
    /// Where further bytes are put.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes what has gathered, once it is enough.
    pub(super) async fn write_some(&mut self) -> io::Result<()> {
        if self.buffer.len() >= BUFFER { self.write_all().await } else { Ok(()) }
    }

    async fn write_all(&mut self) -> io::Result<()> {
        self.hash.update(&self.buffer);
        self.bytes += self.buffer.len() as u64;
        self.file.write_all(&self.buffer).await?;
        self.buffer.clear();
        Ok(())
    }

    /// Brings the file to the disk and gives it its name. Its bytes, and their SHA-256 in hex.
    pub(super) async fn finish(mut self) -> io::Result<(u64, String)> {
        self.write_all().await?;
        self.file.flush().await?;
        self.file.sync_all().await?;
        let path = self.folder.path(&self.name);
        fs::rename(self.folder.part(&self.name), &path).await?;
        // The name itself, too.
        if let Some(folder) = path.parent() {
            File::open(folder).await?.sync_all().await?;
        }
        let hash = self.hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok((self.bytes, hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_has_its_name_only_when_it_is_whole() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = Folder::take(&dir.path().join("a/b")).await.expect("taken");
        let mut written = folder.create("acme/d1-1.csv").await.expect("begun");
        written.buffer().extend_from_slice(b"hello");
        assert!(folder.open("acme/d1-1.csv", 5).await.is_err());
        let (bytes, hash) = written.finish().await.expect("finished");
        assert_eq!(bytes, 5);
        assert_eq!(hash, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824");
        assert_eq!(folder.open("acme/d1-1.csv", 5).await.expect("opens").bytes, 5);
        assert!(folder.open("acme/d1-1.csv", 6).await.is_err(), "it was cut");
        folder.remove("acme/d1-1.csv").await.expect("removed");
        folder.remove("acme/d1-1.csv").await.expect("it is gone already");
        assert!(folder.open("acme/d1-1.csv", 5).await.is_err());
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_told() {
        let dir = tempfile::tempdir().expect("folder");
        std::fs::write(dir.path().join("file"), "x").expect("write");
        let problem = Folder::take(&dir.path().join("file/below")).await.expect_err("refused");
        assert!(problem.contains("name a folder"), "{problem}");
    }
}
