//! The server below the API: many connections that stay open, each bounded in time and memory.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::Router;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use super::api::address::client;
use super::tls::Certificates;

/// Most connections that are open. A further one waits until another ends.
const MAX_CONNECTIONS: usize = 4096;

/// How long the head of a request may take, and how long a connection may be idle between two.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take to read a part of an answer, or to make TLS.
const STALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Most headers of a request, and most bytes of its head.
const MAX_HEADERS: usize = 64;
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// How long nothing is accepted after that has failed: file descriptors may be all used.
const PAUSE: Duration = Duration::from_millis(100);

/// How long the requests of a server that stops may take.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves until `stop` is cancelled; what is asked by then is answered. `proxies`: who may say for whom they
/// ask.
pub(crate) async fn serve(
    listener: TcpListener,
    certificates: Option<Certificates>,
    router: Router,
    proxies: Arc<[IpNet]>,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = JoinSet::new();
    loop {
        while tasks.try_join_next().is_some() {}
        let next = async {
            let place = Arc::clone(&places).acquire_owned().await.map_err(std::io::Error::other)?;
            listener.accept().await.map(|(stream, peer)| (place, stream, peer))
        };
        let accepted = tokio::select! {
            biased;
            () = stop.cancelled() => break,
            accepted = next => accepted,
        };
        let (place, stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = %error, "the API takes no connection");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let address = peer.ip().to_canonical();
        let named = address.is_loopback() || proxies.iter().any(|proxy| proxy.contains(&address));
        if certificates.is_none() && !named {
            tracing::debug!(%address, "a connection without TLS is refused: it is of no proxy in api.trusted_proxies");
            continue;
        }
        let (router, proxies, stop) = (router.clone(), Arc::clone(&proxies), stop.clone());
        let certificates = certificates.clone();
        tasks.spawn(async move {
            let _place = place;
            let _ = stream.set_nodelay(true);
            let io = Stalling::new(stream);
            match certificates {
                None => connection(io, peer.ip(), router, &proxies, stop).await,
                Some(certificates) => {
                    let made = tokio::time::timeout(STALL_TIMEOUT, certificates.acceptor().accept(io)).await;
                    match made {
                        Ok(Ok(io)) => connection(io, peer.ip(), router, &proxies, stop).await,
                        Ok(Err(error)) => tracing::debug!(error = %error, "no TLS with a client of the API"),
                        Err(_) => tracing::debug!("a client of the API takes too long to make TLS"),
                    }
                }
            }
        });
    }
    drop(listener);
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_TIMEOUT, drained).await.is_err() {
        tracing::warn!("requests to the API are given up, because the server stops");
    }
}

async fn connection<IO: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    io: IO,
    peer: std::net::IpAddr,
    router: Router,
    proxies: &[IpNet],
    stop: CancellationToken,
) {
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        let address = client(peer, request.headers(), proxies);
        request.extensions_mut().insert(address);
        service.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD_BYTES)
        .serve_connection(TokioIo::new(io), service);
    let mut connection = std::pin::pin!(connection);
    let ended = tokio::select! {
        biased;
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection of the API has failed");
    }
}

/// A connection that fails when the other end does not read for too long.
struct Stalling {
    stream: TcpStream,
    stall: Option<Pin<Box<Sleep>>>,
}

impl Stalling {
    fn new(stream: TcpStream) -> Self {
        Self { stream, stall: None }
    }

    fn bounded<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stall = None;
            return poll;
        }
        let stall = self.stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(STALL_TIMEOUT)));
        match stall.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stalling {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stalling {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.bounded(context, poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_flush(context);
        self.bounded(context, poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.stream).poll_shutdown(context);
        self.bounded(context, poll)
    }
}
