//! A proxy between an adapter and its store that does to each request what it is told.
//! It sees every request, and what the store answered.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What happens to one request.
#[derive(Debug, Clone)]
pub enum Fault {
    /// None.
    Pass,
    /// The connection is reset in the middle of the body; the store sees nothing.
    ResetInBody,
    /// The store takes the request; the connection is reset instead of an answer.
    AnswerLost,
    /// The store takes the request; the answer ends in the middle of its head.
    AnswerCut,
    /// The store gets the request twice; the answer is the first or the second one.
    Twice { second: bool },
    /// The store gets the request after so long.
    Late(Duration),
    /// The store gets the request at once; the answer comes after so long.
    AnswerLate(Duration),
    /// The store sees nothing; the answer is this one.
    Answer(Canned),
    /// The store takes the request; the answer is this one all the same.
    AnswerInstead(Canned),
}

/// An answer of the proxy's own.
#[derive(Debug, Clone)]
pub struct Canned {
    pub status: u16,
    /// Lines of the head, each with its end.
    pub head: String,
    pub body: String,
}

impl Canned {
    fn bytes(&self) -> Vec<u8> {
        let Self { status, head, body } = self;
        format!("HTTP/1.1 {status} x\r\n{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }
}

/// A request as it came, and what the store answered each time that it got it.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    pub head: String,
    pub body: Vec<u8>,
    pub answers: Vec<u16>,
}

impl Seen {
    /// Whether it puts something; the others look.
    pub fn is_put(&self) -> bool {
        !self.head.starts_with("HEAD ") && !self.head.starts_with("GET ")
    }
}

#[derive(Default)]
struct Inner {
    faults: Mutex<VecDeque<Fault>>,
    seen: Mutex<Vec<Seen>>,
    connections: AtomicUsize,
}

/// A running proxy; it ends when this is dropped.
pub struct FaultProxy {
    address: SocketAddr,
    inner: Arc<Inner>,
    open: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl FaultProxy {
    /// A proxy that does these to the first requests, and passes the others on.
    pub async fn start(store: SocketAddr, faults: impl IntoIterator<Item = Fault>) -> Self {
        Self::with(store, faults, None, true).await
    }

    /// A proxy that refuses connections until it is opened.
    pub async fn refusing(store: SocketAddr) -> Self {
        Self::with(store, [], None, false).await
    }

    /// A proxy with a certificate that nobody has signed.
    pub async fn self_signed(store: SocketAddr) -> Self {
        Self::with_certificate(store, include_bytes!("self_signed.pem")).await
    }

    /// A proxy with a certificate that the CA of `ca.pem` has signed.
    pub async fn signed(store: SocketAddr) -> Self {
        Self::with_certificate(store, include_bytes!("signed.pem")).await
    }

    async fn with_certificate(store: SocketAddr, pem: &[u8]) -> Self {
        let certificate = CertificateDer::from_pem_slice(pem).expect("certificate");
        let key = PrivateKeyDer::from_pem_slice(pem).expect("key");
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("certificate");
        Self::with(store, [], Some(TlsAcceptor::from(Arc::new(config))), true).await
    }

    async fn with(
        store: SocketAddr,
        faults: impl IntoIterator<Item = Fault>,
        tls: Option<TlsAcceptor>,
        open: bool,
    ) -> Self {
        let socket = bound("127.0.0.1:0".parse().expect("address"));
        let address = socket.local_addr().expect("address");
        let inner = Arc::new(Inner { faults: Mutex::new(faults.into_iter().collect()), ..Inner::default() });
        let (open, opened) = watch::channel(open);
        let task = tokio::spawn(accept(socket, Arc::clone(&inner), store, tls, opened));
        let proxy = Self { address, inner, open, task };
        if *proxy.open.borrow() {
            proxy.open().await;
        }
        proxy
    }

    /// Its address as an endpoint.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its address, for a proxy with a certificate.
    pub fn https_url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Lets connections in.
    pub async fn open(&self) {
        self.open.send_replace(true);
        let connects = async || TcpStream::connect(self.address).await.ok();
        super::eventually("the proxy listens", connects).await;
    }

    /// The connections that a request came on.
    pub fn connections(&self) -> usize {
        self.inner.connections.load(Ordering::SeqCst)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.inner.seen.lock().unwrap().clone()
    }
}

/// Bound and not listening, a socket keeps its port and refuses connections.
fn bound(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().expect("socket");
    socket.bind(address).expect("a free port");
    socket
}

async fn accept(
    socket: TcpSocket,
    inner: Arc<Inner>,
    store: SocketAddr,
    tls: Option<TlsAcceptor>,
    mut open: watch::Receiver<bool>,
) {
    if open.wait_for(|open| *open).await.is_err() {
        return;
    }
    let listener = socket.listen(128).expect("listens");
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((mut socket, _)) = listener.accept().await {
        let (inner, tls) = (Arc::clone(&inner), tls.clone());
        connections.spawn(async move {
            let ended = match tls {
                Some(tls) => match tls.accept(&mut socket).await {
                    Ok(mut stream) => serve(&mut stream, &inner, store).await,
                    Err(_) => Ok(Ending::Close),
                },
                None => serve(&mut socket, &inner, store).await,
            };
            if let Ok(Ending::Reset) = ended {
                let _ = socket.set_zero_linger();
            }
        });
    }
}

/// How a connection ends.
enum Ending {
    Close,
    Reset,
}

async fn serve<S>(client: &mut S, inner: &Inner, store: SocketAddr) -> io::Result<Ending>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut buffer, mut first) = (Vec::new(), true);
    loop {
        let Some(head) = take_head(client, &mut buffer).await? else { return Ok(Ending::Close) };
        if std::mem::take(&mut first) {
            inner.connections.fetch_add(1, Ordering::SeqCst);
        }
        let fault = inner.faults.lock().unwrap().pop_front();
        let number = {
            let mut seen = inner.seen.lock().unwrap();
            seen.push(Seen { head: head.clone(), ..Seen::default() });
            seen.len() - 1
        };
        if header(&head, "expect").is_some() {
            client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        if matches!(fault, Some(Fault::ResetInBody)) {
            while buffer.len() < 100 && client.read_buf(&mut buffer).await? > 0 {}
            return Ok(Ending::Reset);
        }
        let body = take_body(client, &mut buffer, &head).await?;
        inner.seen.lock().unwrap()[number].body.clone_from(&body);
        let pass_on = async || {
            let answer = ask(store, &head, &body).await?;
            inner.seen.lock().unwrap()[number].answers.push(status(&answer));
            io::Result::Ok(answer)
        };
        let answer = match fault {
            None | Some(Fault::Pass) => pass_on().await?,
            Some(Fault::ResetInBody) => return Ok(Ending::Reset),
            Some(Fault::AnswerLost) => {
                pass_on().await?;
                return Ok(Ending::Reset);
            }
            Some(Fault::AnswerCut) => {
                let answer = pass_on().await?;
                client.write_all(&answer[..20]).await?;
                return Ok(Ending::Close);
            }
            Some(Fault::Twice { second }) => {
                let first = pass_on().await?;
                let again = pass_on().await?;
                if second { again } else { first }
            }
            Some(Fault::Late(wait)) => {
                tokio::time::sleep(wait).await;
                pass_on().await?
            }
            Some(Fault::AnswerLate(wait)) => {
                let answer = pass_on().await?;
                tokio::time::sleep(wait).await;
                answer
            }
            Some(Fault::Answer(canned)) => canned.bytes(),
            Some(Fault::AnswerInstead(canned)) => {
                pass_on().await?;
                canned.bytes()
            }
        };
        client.write_all(&answer).await?;
    }
}

/// Sends a request on a connection of its own; returns the answer with a length.
async fn ask(store: SocketAddr, head: &str, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut socket = TcpStream::connect(store).await?;
    let framed = frame(head, &["connection", "expect"], body.len());
    let framed = framed.replacen("\r\n", "\r\nconnection: close\r\n", 1);
    socket.write_all(framed.as_bytes()).await?;
    socket.write_all(body).await?;
    let mut buffer = Vec::new();
    let looks = head.starts_with("HEAD ");
    let head = take_head(&mut socket, &mut buffer).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if looks {
        // The length is that of the body which does not come.
        let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        return Ok(frame(&head, &["connection"], length).into_bytes());
    }
    let body = if header(&head, "content-length").is_some() || header(&head, "transfer-encoding").is_some() {
        take_body(&mut socket, &mut buffer, &head).await?
    } else {
        socket.read_to_end(&mut buffer).await?;
        buffer
    };
    let head = frame(&head, &["connection"], body.len()).replacen("HTTP/1.0", "HTTP/1.1", 1);
    Ok([head.as_bytes(), &body].concat())
}

/// A head with a length, and without some lines.
fn frame(head: &str, without: &[&str], length: usize) -> String {
    let lines = head.trim_end().split("\r\n").filter(|line| {
        let name = line.split(':').next().unwrap_or_default().to_lowercase();
        !without.contains(&name.as_str()) && name != "content-length" && name != "transfer-encoding"
    });
    lines.map(|line| format!("{line}\r\n")).collect::<String>() + &format!("content-length: {length}\r\n\r\n")
}

fn status(answer: &[u8]) -> u16 {
    std::str::from_utf8(&answer[9..12]).ok().and_then(|text| text.parse().ok()).expect("a status")
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value.trim()))
}

/// The next head; none when the connection ends before it.
async fn take_head<S: AsyncRead + Unpin>(socket: &mut S, buffer: &mut Vec<u8>) -> io::Result<Option<String>> {
    loop {
        if let Some(end) = find(buffer, b"\r\n\r\n") {
            let head = buffer.drain(..end + 4).collect();
            return String::from_utf8(head).map(Some).map_err(io::Error::other);
        }
        // The greeting of TLS, on a port without it.
        if socket.read_buf(buffer).await? == 0 || buffer[0] == 0x16 {
            return Ok(None);
        }
    }
}

/// A body of a length or in chunks, without the chunks.
async fn take_body<S: AsyncRead + Unpin>(
    socket: &mut S,
    buffer: &mut Vec<u8>,
    head: &str,
) -> io::Result<Vec<u8>> {
    if header(head, "transfer-encoding").is_none() {
        let length = header(head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0);
        return take(socket, buffer, length).await;
    }
    let mut body = Vec::new();
    loop {
        while find(buffer, b"\r\n").is_none() {
            if socket.read_buf(buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let end = find(buffer, b"\r\n").expect("found");
        let line: Vec<u8> = buffer.drain(..end + 2).collect();
        let text = String::from_utf8_lossy(&line[..end]).into_owned();
        let size = usize::from_str_radix(text.split(';').next().unwrap_or_default().trim(), 16);
        let size = size.map_err(io::Error::other)?;
        let chunk = take(socket, buffer, size + 2).await?;
        body.extend_from_slice(&chunk[..size]);
        if size == 0 {
            return Ok(body);
        }
    }
}

async fn take<S: AsyncRead + Unpin>(
    socket: &mut S,
    buffer: &mut Vec<u8>,
    length: usize,
) -> io::Result<Vec<u8>> {
    while buffer.len() < length {
        if socket.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(buffer.drain(..length).collect())
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    text.windows(what.len()).position(|window| window == what)
}
