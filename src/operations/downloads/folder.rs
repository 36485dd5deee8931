//! The folder in which the files of downloads are: of this machine, or shared by all replicas.

use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt as _;

/// How a file ends that is not whole.
const PART: &str = "part";

/// A folder of files.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// A file that is written. It gets its name once it is whole and on the disk.
pub(super) struct Part {
    folder: Folder,
    name: String,
    file: File,
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
    pub(super) async fn open(&self, name: &str, bytes: u64) -> Result<File, String> {
        let file = File::open(self.path(name)).await.map_err(|error| error.to_string())?;
        let found = file.metadata().await.map_err(|error| error.to_string())?.len();
        if found == bytes { Ok(file) } else { Err(format!("it has {found} bytes and not {bytes}")) }
    }

    /// Begins a file.
    pub(super) async fn create(&self, name: &str) -> io::Result<Part> {
        let part = self.part(name);
        if let Some(folder) = part.parent() {
            let mut maker = fs::DirBuilder::new();
            maker.recursive(true).mode(0o700);
            maker.create(folder).await?;
        }
        let file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(part).await?;
        Ok(Part { folder: self.clone(), name: name.to_owned(), file })
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

impl Part {
    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes).await
    }

    /// Brings the file to the disk and gives it its name.
    pub(super) async fn finish(mut self) -> io::Result<()> {
        self.file.flush().await?;
        self.file.sync_all().await?;
        let path = self.folder.path(&self.name);
        fs::rename(self.folder.part(&self.name), &path).await?;
        // The name itself, too.
        if let Some(folder) = path.parent() {
            File::open(folder).await?.sync_all().await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_has_its_name_only_when_it_is_whole() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = Folder::take(&dir.path().join("a/b")).await.expect("taken");
        let mut part = folder.create("acme/d1-1.csv").await.expect("begun");
        part.write(b"hello").await.expect("written");
        assert!(folder.open("acme/d1-1.csv", 5).await.is_err());
        part.finish().await.expect("finished");
        assert!(folder.open("acme/d1-1.csv", 5).await.is_ok());
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
