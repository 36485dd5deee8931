//! A door between the worker and a server, to be closed at the worst moment.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// Everything.
    Open,
    /// Requests arrive; answers wait.
    NoAnswers,
    /// Nothing: the server never hears of a request. What was sent waits.
    Silent,
    /// Connections are cut, and new ones at once.
    Cut,
}

/// A listening address in front of a server.
pub(crate) struct Gate {
    address: SocketAddr,
    door: Arc<watch::Sender<Door>>,
    /// Bytes that came from the worker and from the server.
    asked: Arc<watch::Sender<u64>>,
    answered: Arc<watch::Sender<u64>>,
    /// Counts how often its connections were forgotten.
    forgotten: Arc<watch::Sender<u32>>,
    /// The connection on which these bytes of the server would have passed brings nothing more.
    limit: Arc<watch::Sender<Option<u64>>>,
}

impl Gate {
    pub(crate) async fn before(server: SocketAddr, door: Door) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let gate = Self {
            address: listener.local_addr().expect("address"),
            door: Arc::new(watch::Sender::new(door)),
            asked: Arc::default(),
            answered: Arc::default(),
            forgotten: Arc::default(),
            limit: Arc::default(),
        };
        let (door, asked, answered) =
            (Arc::clone(&gate.door), Arc::clone(&gate.asked), Arc::clone(&gate.answered));
        let (forgotten, limit) = (Arc::clone(&gate.forgotten), Arc::clone(&gate.limit));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(server).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) =
                    (client.into_split(), server.into_split());
                let heard = |door: Door| matches!(door, Door::Open | Door::NoAnswers);
                let told = |door: Door| door == Door::Open;
                let (no_limit, limit) = (Arc::default(), Arc::clone(&limit));
                let to = pump(from_client, to_server, door.subscribe(), heard, Arc::clone(&asked), no_limit);
                let back = pump(from_server, to_client, door.subscribe(), told, Arc::clone(&answered), limit);
                tokio::spawn(until_forgotten(to, forgotten.subscribe()));
                tokio::spawn(until_forgotten(back, forgotten.subscribe()));
            }
        });
        gate
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, door: Door) {
        self.door.send_replace(door);
    }

    /// Nothing passes on the connections that there are, in either direction, and nobody is told.
    pub(crate) fn forget_connections(&self) {
        self.forgotten.send_modify(|times| *times += 1);
    }

    /// One connection brings nothing more once the server has sent so many bytes: it goes silent in the
    /// middle of an answer, when no other is as long. The others go on.
    pub(crate) fn go_silent_after(&self, bytes: u64) {
        self.limit.send_replace(Some(*self.answered.borrow() + bytes));
    }

    /// Waits until it has gone silent.
    pub(crate) async fn has_gone_silent(&self) {
        let _ = self.limit.subscribe().wait_for(Option::is_none).await;
    }

    /// Waits until the worker has sent something.
    pub(crate) async fn asked(&self) {
        let _ = self.asked.subscribe().wait_for(|bytes| *bytes > 0).await;
    }

    /// Waits until the server has sent something, let through or not.
    pub(crate) async fn answered(&self) {
        let _ = self.answered.subscribe().wait_for(|bytes| *bytes > 0).await;
    }
}

/// Takes the limit away once there are that many bytes.
fn is_reached(limit: &watch::Sender<Option<u64>>, bytes: u64) -> bool {
    limit.send_if_modified(|limit| limit.take_if(|limit| bytes >= *limit).is_some())
}

/// A connection that is forgotten stays open at both ends.
async fn until_forgotten(pump: impl Future<Output = ()>, mut forgotten: watch::Receiver<u32>) {
    tokio::pin!(pump);
    tokio::select! {
        () = &mut pump => {}
        _ = forgotten.changed() => std::future::pending().await,
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut door: watch::Receiver<Door>,
    passes: fn(Door) -> bool,
    count: Arc<watch::Sender<u64>>,
    limit: Arc<watch::Sender<Option<u64>>>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let mut cut = door.clone();
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = cut.wait_for(|door| *door == Door::Cut) => 0,
        };
        if read == 0 {
            break;
        }
        count.send_modify(|bytes| *bytes += read as u64);
        let bytes = *count.borrow();
        if is_reached(&limit, bytes) {
            std::future::pending::<()>().await;
        }
        let Ok(now) = door.wait_for(|door| passes(*door) || *door == Door::Cut).await.map(|door| *door)
        else {
            break;
        };
        if now == Door::Cut || to.write_all(&buffer[..read]).await.is_err() {
            break;
        }
    }
    // The other direction ends when the server or the worker closes.
    let _ = to.shutdown().await;
}
