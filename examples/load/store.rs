//! An S3 server that does as little as it can: it takes puts of any bucket into a folder, also in
//! parts, creates a key once when it is asked to, compares each body with the hash that was sent,
//! and lists. It is a process of its own, so that its CPU is nobody else's.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as Key, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

use crate::content::files;

const LARGEST: usize = 1 << 30;
/// Where parts lie until their upload is complete; no bucket has this name.
const PARTS: &str = ".parts";
/// The clients want one; none compares it.
const ETAG: (header::HeaderName, &str) = (header::ETAG, "\"00000000000000000000000000000000\"");

/// Serves until it is killed; prints its address first.
pub(crate) async fn serve(folder: PathBuf, listen: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let key = put(create).get(read).post(upload).delete(remove);
    let bucket = get(list).put(async || StatusCode::OK);
    let routes = Router::new()
        .route("/{bucket}", bucket.clone())
        .route("/{bucket}/", bucket)
        .route("/{bucket}/{*key}", key)
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(Arc::new(folder));
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    axum::serve(listener, routes).await
}

type Folder = State<Arc<PathBuf>>;
type Names = Key<(String, String)>;

/// What a request may ask for besides its key.
#[derive(Deserialize)]
struct Asked {
    #[serde(rename = "partNumber")]
    part: Option<u32>,
    #[serde(rename = "uploadId")]
    upload: Option<u64>,
    prefix: Option<String>,
    delimiter: Option<String>,
}

async fn create(
    State(folder): Folder,
    Key((bucket, key)): Names,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let sent = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok()).unwrap_or_default();
    if sent.starts_with("STREAMING") {
        return (StatusCode::NOT_IMPLEMENTED, "set AWS_REQUEST_CHECKSUM_CALCULATION=when_required")
            .into_response();
    }
    let sha256 = || Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if !sent.starts_with("UNSIGNED") && !sent.is_empty() && sent != sha256() {
        return StatusCode::BAD_REQUEST.into_response();
    }
    let (path, create_only) = match (asked.upload, asked.part) {
        (Some(upload), Some(part)) => (part_folder(&folder, upload).join(format!("{part:06}")), false),
        _ => (folder.join(bucket).join(key), headers.contains_key("if-none-match")),
    };
    match write(&path, &body, create_only) {
        Ok(()) => ([ETAG], StatusCode::OK).into_response(),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            StatusCode::PRECONDITION_FAILED.into_response()
        }
        Err(error) => failed(&error),
    }
}

/// Begins an upload in parts, or puts the parts together.
async fn upload(State(folder): Folder, Key((bucket, key)): Names, Query(asked): Query<Asked>) -> Response {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let Some(upload) = asked.upload else {
        let upload = NEXT.fetch_add(1, Ordering::Relaxed);
        return xml(&format!(
            "<InitiateMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key>\
             <UploadId>{upload}</UploadId></InitiateMultipartUploadResult>"
        ));
    };
    match join(&part_folder(&folder, upload), &folder.join(&bucket).join(&key)) {
        Ok(()) => xml(&format!(
            "<CompleteMultipartUploadResult><Bucket>{bucket}</Bucket><Key>{key}</Key><ETag>{}</ETag>\
             </CompleteMultipartUploadResult>",
            ETAG.1
        )),
        Err(error) => failed(&error),
    }
}

async fn read(State(folder): Folder, Key((bucket, key)): Names) -> Response {
    match std::fs::read(folder.join(bucket).join(key)) {
        Ok(body) => ([ETAG], body).into_response(),
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn remove(State(folder): Folder, Key((bucket, key)): Names) -> StatusCode {
    let _ = std::fs::remove_file(folder.join(bucket).join(key));
    StatusCode::NO_CONTENT
}

async fn list(State(folder): Folder, Key(bucket): Key<String>, Query(asked): Query<Asked>) -> Response {
    let (prefix, delimiter) = (asked.prefix.unwrap_or_default(), asked.delimiter.unwrap_or_default());
    let root = folder.join(&bucket);
    let below = root.join(prefix.rsplit_once('/').map_or("", |(below, _)| below));
    let (mut contents, mut folders) = (String::new(), BTreeSet::new());
    for path in files(&below).unwrap_or_default() {
        let key = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
        let Some(rest) = key.strip_prefix(&prefix) else { continue };
        match rest.split_once(&delimiter).filter(|_| !delimiter.is_empty()) {
            Some((first, _)) => drop(folders.insert(format!("{prefix}{first}{delimiter}"))),
            None => {
                let size = path.metadata().map_or(0, |about| about.len());
                let _ = write!(
                    contents,
                    "<Contents><Key>{key}</Key><Size>{size}</Size><ETag>{}</ETag>\
                     <LastModified>2026-11-21T04:00:00.000Z</LastModified></Contents>",
                    ETAG.1
                );
            }
        }
    }
    for folder in folders {
        let _ = write!(contents, "<CommonPrefixes><Prefix>{folder}</Prefix></CommonPrefixes>");
    }
    xml(&format!(
        "<ListBucketResult><Name>{bucket}</Name><Prefix>{prefix}</Prefix><IsTruncated>false</IsTruncated>\
         {contents}</ListBucketResult>"
    ))
}

fn xml(body: &str) -> Response {
    ([(header::CONTENT_TYPE, "application/xml")], body.to_owned()).into_response()
}

fn failed(error: &std::io::Error) -> Response {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response()
}

fn part_folder(folder: &Path, upload: u64) -> PathBuf {
    folder.join(PARTS).join(upload.to_string())
}

fn open(path: &Path, create_only: bool) -> std::io::Result<std::fs::File> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(create_only).create(!create_only).truncate(!create_only);
    options.open(path)
}

fn write(path: &Path, body: &[u8], create_only: bool) -> std::io::Result<()> {
    open(path, create_only)?.write_all(body)
}

fn join(parts: &Path, path: &Path) -> std::io::Result<()> {
    let mut whole = open(path, false)?;
    for part in files(parts)? {
        std::io::copy(&mut std::fs::File::open(part)?, &mut whole)?;
    }
    std::fs::remove_dir_all(parts)
}
