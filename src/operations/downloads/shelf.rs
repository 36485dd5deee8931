//! Where the files of downloads are: a folder, or a bucket of the operator's.

use std::io;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::fs::File;
use tokio::io::AsyncReadExt as _;

use super::bucket::{Bucket, PART_BYTES};
use super::folder::{Folder, Part};
use auditferry_core::model::download::MadeFile;
use auditferry_core::text::hex::hex;

/// Which bytes are kept before they are written to a folder, and read from it at once.
const BUFFER: usize = 256 * 1024;

/// A place for files.
#[derive(Clone)]
pub enum Shelf {
    /// A folder of this machine, or one that all replicas share.
    Folder(Folder),
    /// A bucket.
    Bucket(Bucket),
}

/// A file that is read.
pub struct Opened {
    /// How many bytes it has.
    pub bytes: u64,
    reading: Reading,
}

enum Reading {
    File(File),
    Parts(Box<Parts>),
}

/// The parts of a file that are read.
struct Parts {
    bucket: Bucket,
    file: String,
    /// How many there are, and how many were read.
    count: u32,
    read: u32,
    hash: Sha256,
    sha256: String,
}

/// A file that is written. It counts once it is whole.
pub(super) struct Written {
    sink: Sink,
    buffer: Vec<u8>,
    hash: Sha256,
    bytes: u64,
}

enum Sink {
    File(Part),
    Parts { bucket: Bucket, file: String, count: u32 },
}

impl Shelf {
    /// Opens a file.
    pub(super) async fn open(&self, made: &MadeFile) -> Result<Opened, String> {
        let reading = match (self, made.parts) {
            (Self::Folder(folder), None) => Reading::File(folder.open(&made.file, made.bytes).await?),
            (Self::Bucket(bucket), Some(count)) => {
                let (bucket, file, sha256) = (bucket.clone(), made.file.clone(), made.sha256.clone());
                Reading::Parts(Box::new(Parts { bucket, file, count, read: 0, hash: Sha256::new(), sha256 }))
            }
            (Self::Folder(_), Some(_)) => {
                return Err("it is in a bucket, and the store is a folder now".to_owned());
            }
            (Self::Bucket(_), None) => {
                return Err("it is in a folder, and the store is a bucket now".to_owned());
            }
        };
        Ok(Opened { bytes: made.bytes, reading })
    }

    /// Begins a file.
    pub(super) async fn create(&self, file: &str) -> io::Result<Written> {
        let sink = match self {
            Self::Folder(folder) => Sink::File(folder.create(file).await?),
            Self::Bucket(bucket) => Sink::Parts { bucket: bucket.clone(), file: file.to_owned(), count: 0 },
        };
        Ok(Written { sink, buffer: Vec::new(), hash: Sha256::new(), bytes: 0 })
    }

    /// Removes a file, whole or not.
    pub(super) async fn remove(&self, file: &str) -> io::Result<()> {
        match self {
            Self::Folder(folder) => folder.remove(file).await,
            Self::Bucket(bucket) => bucket.remove(file).await.map_err(io::Error::other),
        }
    }
}

impl Opened {
    /// The next bytes; none: that was all of them. The last part of a file in a bucket comes only when the whole of it has
    /// the hash that it was made with.
    ///
    /// # Errors
    /// When they cannot be read, or are not those that were written.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        match &mut self.reading {
            Reading::File(file) => {
                let mut chunk = Vec::with_capacity(BUFFER);
                let read = file.read_buf(&mut chunk).await?;
                Ok((read > 0).then(|| Bytes::from(chunk)))
            }
            Reading::Parts(parts) => parts.next().await,
        }
    }
}

impl Parts {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        if self.read == self.count {
            return Ok(None);
        }
        self.read += 1;
        let part = self.bucket.get(&self.file, self.read).await.map_err(io::Error::other)?;
        self.hash.update(&part);
        if self.read == self.count && hex(&self.hash.finalize_reset()) != self.sha256 {
            return Err(io::Error::other("its parts are not those that were written"));
        }
        Ok(Some(part))
    }
}

impl Written {
    /// Where further bytes are put.
    pub(super) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.buffer
    }

    /// Writes what has gathered, once it is enough.
    pub(super) async fn write_some(&mut self) -> io::Result<()> {
        let enough = match &self.sink {
            Sink::File(_) => BUFFER,
            Sink::Parts { .. } => PART_BYTES,
        };
        while self.buffer.len() >= enough {
            self.write_part().await?;
        }
        Ok(())
    }

    /// Writes a part of what has gathered: of a bucket so much as a part may have.
    async fn write_part(&mut self) -> io::Result<()> {
        match &mut self.sink {
            Sink::File(part) => {
                self.hash.update(&self.buffer);
                self.bytes += self.buffer.len() as u64;
                part.write(&self.buffer).await?;
                self.buffer.clear();
            }
            Sink::Parts { bucket, file, count } => {
                let rest = self.buffer.split_off(self.buffer.len().min(PART_BYTES));
                let part = Bytes::from(std::mem::replace(&mut self.buffer, rest));
                self.hash.update(&part);
                self.bytes += part.len() as u64;
                *count += 1;
                bucket.put(file, *count, part).await.map_err(io::Error::other)?;
            }
        }
        Ok(())
    }

    /// Makes the file whole.
    pub(super) async fn finish(mut self, file: String) -> io::Result<MadeFile> {
        while !self.buffer.is_empty() {
            self.write_part().await?;
        }
        let parts = match self.sink {
            Sink::File(part) => {
                part.finish().await?;
                None
            }
            Sink::Parts { count, .. } => Some(count),
        };
        Ok(MadeFile { file, bytes: self.bytes, sha256: hex(&self.hash.finalize()), parts })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use auditferry_core::model::object_key::ObjectKey;
    use auditferry_core::store::memory::{Fault, MemoryStore};
    use auditferry_core::store::{Object, PutErrorKind};

    use super::*;

    /// A shelf in a bucket, and the bucket.
    fn bucket() -> (Shelf, Arc<MemoryStore>) {
        let store = Arc::new(MemoryStore::default());
        (Shelf::Bucket(Bucket::of(Arc::clone(&store) as _, "ours/")), store)
    }

    async fn written(shelf: &Shelf, bytes: &[u8]) -> io::Result<MadeFile> {
        let mut file = shelf.create("acme/d1-1.csv").await?;
        for some in bytes.chunks(3 << 20) {
            file.buffer().extend_from_slice(some);
            file.write_some().await?;
        }
        file.finish("acme/d1-1.csv".to_owned()).await
    }

    async fn read(shelf: &Shelf, made: &MadeFile) -> Result<Vec<u8>, String> {
        let mut file = shelf.open(made).await?;
        let mut bytes = Vec::new();
        while let Some(some) = file.next().await.map_err(|error| error.to_string())? {
            bytes.extend_from_slice(&some);
        }
        Ok(bytes)
    }

    fn content() -> Vec<u8> {
        (0..20_000_000_u32).map(|number| (number >> 7).to_le_bytes()[0]).collect()
    }

    #[tokio::test]
    async fn a_file_is_the_same_in_a_folder_and_in_the_parts_of_a_bucket() {
        let dir = tempfile::tempdir().expect("folder");
        let folder = Shelf::Folder(Folder::take(dir.path()).await.expect("taken"));
        let (bucket, store) = bucket();
        for length in [0, 5, PART_BYTES, 20_000_000] {
            let content = &content()[..length];
            let (here, there) = (written(&folder, content).await, written(&bucket, content).await);
            let (here, there) = (here.expect("written"), there.expect("written"));
            assert_eq!((here.bytes, &here.sha256), (there.bytes, &there.sha256));
            assert_eq!(there.parts, Some(u32::try_from(length.div_ceil(PART_BYTES)).expect("few")));
            assert!(read(&folder, &here).await.expect("read") == content);
            assert!(read(&bucket, &there).await.expect("read") == content);
            assert!(folder.open(&there).await.is_err() && bucket.open(&here).await.is_err());
            for shelf in [&folder, &bucket] {
                shelf.remove("acme/d1-1.csv").await.expect("removed");
                shelf.remove("acme/d1-1.csv").await.expect("it is gone already");
            }
            assert!(store.objects().is_empty());
        }
    }

    #[tokio::test]
    async fn a_lost_answer_makes_no_second_part_and_a_refusal_ends_the_file() {
        let (bucket, store) = bucket();
        for fault in [Fault::LoseAnswer, Fault::Refuse(PutErrorKind::Throttled)] {
            store.fail_next(fault);
            let made = written(&bucket, b"seven b").await.expect("written");
            assert_eq!((made.parts, store.objects().len()), (Some(1), 1));
            bucket.remove("acme/d1-1.csv").await.expect("removed");
        }
        store.fail_next(Fault::Refuse(PutErrorKind::Denied));
        assert!(written(&bucket, b"seven b").await.is_err());
    }

    #[tokio::test]
    async fn other_bytes_are_never_the_end_of_a_file() {
        let (bucket, store) = bucket();
        let made = written(&bucket, &content()).await.expect("written");
        let second = store.objects()[1].clone();
        let mut other = second.body.to_vec();
        other[0] ^= 1;
        store.place(Object { body: other.into(), ..second });
        let mut file = bucket.open(&made).await.expect("opened");
        assert!(file.next().await.is_ok() && file.next().await.is_ok());
        assert!(file.next().await.expect_err("refused").to_string().contains("not those that were written"));
    }

    #[tokio::test]
    async fn what_an_interruption_has_left_is_found_again() {
        let (bucket, store) = bucket();
        written(&bucket, &content()).await.expect("written");
        let other = ObjectKey::stored("ours/audit/acme/audit.zip".to_owned());
        store.place(Object { key: other, ..store.objects()[0].clone() });
        // The last part was removed, and then the process ended.
        let Shelf::Bucket(parts) = &bucket else { panic!("a bucket") };
        parts.remove_part("acme/d1-1.csv", 3).await.expect("removed");
        bucket.remove("acme/d1-1.csv").await.expect("removed");
        assert_eq!(store.objects().len(), 1, "only what is no download stays");
    }
}
