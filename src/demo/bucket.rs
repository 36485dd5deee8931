//! An S3-compatible server on loopback whose bucket is a folder, with real request
//! signing, for the demo and for tests.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::net::SocketAddr;
use std::path::Path;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use s3s::auth::SimpleAuth;
use s3s::dto::{
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListBucketsInput, ListBucketsOutput, ListObjectsInput, ListObjectsOutput, ListObjectsV2Input,
    ListObjectsV2Output, PutObjectInput, PutObjectOutput,
};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Puts of different keys rarely share one of so many locks.
const LOCKS: usize = 64;

/// Longest name of a file. `s3s-fs` keeps an object's metadata in a file whose name
/// holds bucket and key in base64.
const MAX_FILE_NAME_BYTES: usize = 255;

/// A running server; it stops when this is dropped.
pub struct EmbeddedBucket {
    address: SocketAddr,
    stop: CancellationToken,
    server: Option<JoinHandle<io::Result<()>>>,
}

impl EmbeddedBucket {
    /// Serves the folder `root/bucket` as the only bucket, creating it if needed, to
    /// whoever signs with the one key. Port 0 takes a free one.
    ///
    /// # Errors
    /// When the folder cannot be made or the address is taken.
    pub async fn start(
        root: &Path,
        bucket: &str,
        key_id: &str,
        secret: &str,
        listen: SocketAddr,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(root.join(bucket))?;
        let files = FileSystem::new(root).map_err(|error| io::Error::other(format!("{error:?}")))?;
        let mut service = S3ServiceBuilder::new(CreateOnly::new(files, bucket));
        service.set_auth(SimpleAuth::from_single(key_id, secret));
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let routes = Router::new().fallback(answer).with_state(service.build());
        let server =
            tokio::spawn(async move { axum::serve(listener, routes).with_graceful_shutdown(stopped).await });
        Ok(Self { address, stop, server: Some(server) })
    }

    /// Its base URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops once the requests under way are answered.
    ///
    /// # Errors
    /// When the server ended in an error.
    pub async fn stop(mut self) -> io::Result<()> {
        self.stop.cancel();
        match self.server.take() {
            Some(server) => server.await.map_err(io::Error::other)?,
            None => Ok(()),
        }
    }
}

impl Drop for EmbeddedBucket {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn answer(State(service): State<S3Service>, request: Request) -> Response {
    // A task of its own: a client that goes away must not leave an object without its
    // metadata behind.
    let call = async move { service.call(request.map(s3s::Body::http_body_unsync)).await };
    match tokio::spawn(call).await {
        Ok(Ok(response)) => response.map(Body::new),
        Ok(Err(_)) | Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// The files as S3 operations. `s3s-fs` looks whether an object exists before it
/// reads the body and replaces the file after it, and makes buckets by itself: so
/// puts of one key are done one after the other here, and only in the one bucket.
struct CreateOnly {
    files: FileSystem,
    bucket: String,
    locks: Vec<Mutex<()>>,
    hasher: RandomState,
}

impl CreateOnly {
    fn new(files: FileSystem, bucket: &str) -> Self {
        Self {
            files,
            bucket: bucket.to_owned(),
            locks: (0..LOCKS).map(|_| Mutex::new(())).collect(),
            hasher: RandomState::new(),
        }
    }

    fn lock(&self, key: &str) -> Option<&Mutex<()>> {
        let place = self.hasher.hash_one(key) % u64::try_from(LOCKS).unwrap_or(1);
        usize::try_from(place).ok().and_then(|place| self.locks.get(place))
    }

    fn key_fits(&self, key: &str) -> bool {
        let base64 = |bytes: usize| (bytes * 4).div_ceil(3);
        let name = ".bucket-.object-.metadata.json".len() + base64(self.bucket.len()) + base64(key.len());
        name <= MAX_FILE_NAME_BYTES
    }
}

#[async_trait::async_trait]
impl S3 for CreateOnly {
    async fn put_object(&self, request: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        if request.input.bucket != self.bucket {
            return Err(s3_error!(NoSuchBucket, "The specified bucket does not exist"));
        }
        if !self.key_fits(&request.input.key) {
            return Err(s3_error!(KeyTooLongError, "This server keeps no key of that length"));
        }
        let Some(lock) = self.lock(&request.input.key) else {
            return Err(s3_error!(InternalError));
        };
        let _turn = lock.lock().await;
        self.files.put_object(request).await
    }

    async fn get_object(&self, request: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.files.get_object(request).await
    }

    async fn head_object(
        &self,
        request: S3Request<HeadObjectInput>,
    ) -> S3Result<S3Response<HeadObjectOutput>> {
        self.files.head_object(request).await
    }

    async fn head_bucket(
        &self,
        request: S3Request<HeadBucketInput>,
    ) -> S3Result<S3Response<HeadBucketOutput>> {
        self.files.head_bucket(request).await
    }

    async fn list_buckets(
        &self,
        request: S3Request<ListBucketsInput>,
    ) -> S3Result<S3Response<ListBucketsOutput>> {
        self.files.list_buckets(request).await
    }

    async fn list_objects(
        &self,
        request: S3Request<ListObjectsInput>,
    ) -> S3Result<S3Response<ListObjectsOutput>> {
        self.files.list_objects(request).await
    }

    async fn list_objects_v2(
        &self,
        request: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.files.list_objects_v2(request).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_takes_a_free_port_and_gives_it_back() {
        let dir = tempfile::tempdir().expect("folder");
        let any = "127.0.0.1:0".parse().expect("address");
        let first = EmbeddedBucket::start(dir.path(), "acme", "id", "secret", any).await.expect("starts");
        assert!(dir.path().join("acme").is_dir());
        let taken = first.address;
        let error =
            EmbeddedBucket::start(dir.path(), "acme", "id", "secret", taken).await.err().expect("taken");
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        first.stop().await.expect("stops");
        assert!(EmbeddedBucket::start(dir.path(), "acme", "id", "secret", taken).await.is_ok());
    }

    #[test]
    fn keys_that_the_file_system_cannot_hold_are_known_before() {
        let dir = tempfile::tempdir().expect("folder");
        let files = CreateOnly::new(FileSystem::new(dir.path()).expect("opens"), "acme");
        assert!(files.key_fits(&"k".repeat(150)));
        assert!(!files.key_fits(&"k".repeat(200)));
    }
}
