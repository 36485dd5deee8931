//! A receiver of webhooks that answers as it is told and remembers what came.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

/// What is answered: a status, or nothing at all.
#[derive(Debug, Clone, Copy)]
pub enum Reply {
    Status(u16),
    Silence,
}

#[derive(Default)]
struct Inner {
    replies: Mutex<VecDeque<Reply>>,
    received: Mutex<Vec<Received>>,
}

/// The receiver.
pub struct Receiver {
    address: SocketAddr,
    inner: Arc<Inner>,
}

impl Receiver {
    /// One that answers 204 to everything.
    pub async fn start() -> Self {
        let inner = Arc::new(Inner::default());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::clone(&inner);
        let take = async move |uri: Uri, headers: HeaderMap, body: Bytes| {
            state.received.lock().unwrap().push(Received { path: uri.to_string(), headers, body });
            let reply = state.replies.lock().unwrap().pop_front();
            match reply.unwrap_or(Reply::Status(204)) {
                Reply::Status(status) => (StatusCode::from_u16(status).unwrap(), "told HUSH"),
                Reply::Silence => std::future::pending().await,
            }
        };
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(take)).await });
        Self { address, inner }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// What it answers next, before it answers 204 again.
    pub fn answers(&self, replies: &[Reply]) {
        self.inner.replies.lock().unwrap().extend(replies);
    }

    /// What came since it was asked last.
    pub fn take(&self) -> Vec<Received> {
        std::mem::take(&mut self.inner.received.lock().unwrap())
    }

    pub fn count(&self) -> usize {
        self.inner.received.lock().unwrap().len()
    }
}
