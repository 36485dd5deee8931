//! A mail server that takes what has a login, over STARTTLS or TLS from the first byte on. It remembers what it
//! was told, and on which side of the encryption.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What a client said, and whether the connection was encrypted then.
pub type Said = (bool, String);

/// How the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    Starttls,
    Implicit,
    /// It has no TLS at all.
    Plain,
}

/// The server.
pub struct MailServer {
    pub address: SocketAddr,
    said: Arc<Mutex<Vec<Said>>>,
    mails: Arc<Mutex<Vec<String>>>,
}

fn acceptor() -> TlsAcceptor {
    let pem = include_bytes!("signed.pem");
    let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_slice(pem).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// What a conversation ended with.
enum End<S> {
    Closed,
    StartTls(S),
}

impl MailServer {
    pub async fn start(speaks: Speaks) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = Self { address, said: Arc::default(), mails: Arc::default() };
        let (said, mails) = (Arc::clone(&server.said), Arc::clone(&server.mails));
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let talk = Talk { said: Arc::clone(&said), mails: Arc::clone(&mails), speaks };
                tokio::spawn(async move {
                    match speaks {
                        Speaks::Implicit => {
                            let Ok(stream) = acceptor().accept(stream).await else { return };
                            let _ = talk.converse(stream, true, true).await;
                        }
                        Speaks::Plain | Speaks::Starttls => {
                            let Ok(End::StartTls(stream)) = talk.converse(stream, false, true).await else {
                                return;
                            };
                            let Ok(stream) = acceptor().accept(stream).await else { return };
                            let _ = talk.converse(stream, true, false).await;
                        }
                    }
                });
            }
        });
        server
    }

    pub fn said(&self) -> Vec<Said> {
        self.said.lock().unwrap().clone()
    }

    /// Each mail as it came.
    pub fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

struct Talk {
    said: Arc<Mutex<Vec<Said>>>,
    mails: Arc<Mutex<Vec<String>>>,
    speaks: Speaks,
}

impl Talk {
    async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: S,
        encrypted: bool,
        greets: bool,
    ) -> std::io::Result<End<S>> {
        let mut stream = BufReader::new(stream);
        if greets {
            stream.write_all(b"220 mail.test ESMTP\r\n").await?;
            stream.flush().await?;
        }
        let mut line = String::new();
        loop {
            line.clear();
            if stream.read_line(&mut line).await? == 0 {
                return Ok(End::Closed);
            }
            let text = line.trim_end().to_owned();
            self.said.lock().unwrap().push((encrypted, text.clone()));
            let word = text.split(' ').next().unwrap_or_default().to_uppercase();
            let answer = match word.as_str() {
                "EHLO" if self.speaks == Speaks::Starttls && !encrypted => {
                    "250-mail.test\r\n250 STARTTLS\r\n"
                }
                "EHLO" => "250-mail.test\r\n250 AUTH PLAIN\r\n",
                "STARTTLS" if self.speaks == Speaks::Starttls && !encrypted => {
                    stream.write_all(b"220 go on\r\n").await?;
                    stream.flush().await?;
                    return Ok(End::StartTls(stream.into_inner()));
                }
                // \0exports\0hush-mail-password
                "AUTH" if text.ends_with("AGV4cG9ydHMAaHVzaC1tYWlsLXBhc3N3b3Jk") => "235 welcome\r\n",
                "AUTH" => "535 wrong password\r\n",
                "DATA" => {
                    stream.write_all(b"354 go on\r\n").await?;
                    stream.flush().await?;
                    let mut mail = String::new();
                    loop {
                        line.clear();
                        stream.read_line(&mut line).await?;
                        if line == ".\r\n" {
                            break;
                        }
                        mail.push_str(&line);
                    }
                    self.mails.lock().unwrap().push(mail);
                    "250 taken\r\n"
                }
                "MAIL" | "RCPT" => "250 fine\r\n",
                "QUIT" => "221 bye\r\n",
                _ => "500 what?\r\n",
            };
            stream.write_all(answer.as_bytes()).await?;
            stream.flush().await?;
        }
    }
}
