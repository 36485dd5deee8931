//! An S3 server that does as little as it can: it takes signed puts of any bucket into a
//! folder, creates a key once, and compares each body with the hash that was sent. It is a
//! process of its own, so that its CPU is nobody else's.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as Key, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::put;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

const LARGEST: usize = 1 << 30;

/// Serves until it is killed; prints its address first.
pub(crate) async fn serve(folder: PathBuf, listen: &str) -> std::io::Result<()> {
    let listener = TcpListener::bind(listen).await?;
    let routes = Router::new()
        .route("/{bucket}/{*key}", put(create).head(exists).get(read))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state(Arc::new(folder));
    println!("{}", listener.local_addr()?);
    std::io::stdout().flush()?;
    axum::serve(listener, routes).await
}

type Folder = State<Arc<PathBuf>>;

async fn create(
    State(folder): Folder,
    Key((bucket, key)): Key<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let sent = headers.get("x-amz-content-sha256").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let sha256: String = Sha256::digest(&body).iter().map(|byte| format!("{byte:02x}")).collect();
    if !sent.starts_with("UNSIGNED") && sent != sha256 {
        return StatusCode::BAD_REQUEST;
    }
    let create_only = headers.contains_key("if-none-match");
    match write(&folder.join(bucket).join(key), &body, create_only) {
        Ok(()) => StatusCode::OK,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => StatusCode::PRECONDITION_FAILED,
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

async fn exists(State(folder): Folder, Key((bucket, key)): Key<(String, String)>) -> StatusCode {
    if folder.join(bucket).join(key).is_file() { StatusCode::OK } else { StatusCode::NOT_FOUND }
}

async fn read(
    State(folder): Folder,
    Key((bucket, key)): Key<(String, String)>,
) -> Result<Vec<u8>, StatusCode> {
    std::fs::read(folder.join(bucket).join(key)).map_err(|_| StatusCode::NOT_FOUND)
}

fn write(path: &Path, body: &[u8], create_only: bool) -> std::io::Result<()> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(create_only).create(!create_only).truncate(!create_only);
    options.open(path)?.write_all(body)
}
