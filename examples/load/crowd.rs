//! A crowd at the API: connections that are kept, that read slowly, and that write slowly.

use std::time::Duration;

use auditferry::base::background::Background;
use base64::Engine as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Result;
use crate::api::Served;

/// Between two requests on a connection that is kept.
const KEPT: Duration = Duration::from_secs(1);
/// Between two bytes of whoever is slow.
const SLOW: Duration = Duration::from_millis(200);

/// Where a listing of accounts goes on.
pub(crate) fn cursor(account: &str) -> String {
    let json = format!("{{\"account\":\"{account}\",\"since\":null}}");
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json)
}

/// Waits until the API answers.
pub(crate) async fn answers(url: &str) -> Result<()> {
    for _ in 0..600 {
        if let Ok(answer) = reqwest::get(format!("{url}/readyz")).await
            && answer.status().is_success()
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err("the API does not answer within a minute".into())
}

/// So many connections, a third of each kind, until it is dropped. They stand for other machines, so their threads
/// give way to the worker's.
pub(crate) struct Crowd {
    _members: JoinSet<()>,
    _threads: Background,
}

impl Crowd {
    pub(crate) fn gather(served: &Served, count: u64) -> Result<Self> {
        let threads = Background::start("crowd")?;
        Ok(Self { _members: members(&threads, served, count), _threads: threads })
    }
}

fn members(threads: &Background, served: &Served, count: u64) -> JoinSet<()> {
    let host = served.url.trim_start_matches("http://").to_owned();
    let mut crowd = JoinSet::new();
    for number in 0..count {
        let (host, token) = (host.clone(), served.token.clone());
        let member = async move {
            // Not all in one instant.
            tokio::time::sleep(Duration::from_millis(number % 2_000)).await;
            loop {
                // Whoever is cut comes again.
                let _ = visit(&host, &token, number % 3).await;
                tokio::time::sleep(KEPT).await;
            }
        };
        crowd.spawn_on(member, threads.handle());
    }
    crowd
}

async fn visit(host: &str, token: &str, kind: u64) -> std::io::Result<()> {
    let mut connection = TcpStream::connect(host).await?;
    let path = if kind == 0 { "/api/v1/accounts?limit=1" } else { "/api/v1/accounts?limit=200" };
    let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n\r\n");
    let mut buffer = vec![0; 64 * 1024];
    match kind {
        0 => loop {
            connection.write_all(head.as_bytes()).await?;
            if connection.read(&mut buffer).await? == 0 {
                return Ok(());
            }
            tokio::time::sleep(KEPT).await;
        },
        1 => {
            connection.write_all(head.as_bytes()).await?;
            while connection.read(&mut buffer[..16]).await? > 0 {
                tokio::time::sleep(SLOW).await;
            }
            Ok(())
        }
        _ => {
            for byte in head.as_bytes() {
                connection.write_all(&[*byte]).await?;
                tokio::time::sleep(SLOW).await;
            }
            connection.read(&mut buffer).await.map(drop)
        }
    }
}
