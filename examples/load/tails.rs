//! People who look at the Audit Logs as records arrive: a session of the portal each, and its live tail.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use auditferry::base::background::Background;
use reqwest::{Client, RequestBuilder, Response};
use tokio::task::JoinSet;

use crate::Result;
use crate::api::Served;

/// An error that a task may end with.
type Failed = Box<dyn std::error::Error + Send + Sync>;

/// How many are opened at one time.
const AT_ONCE: u64 = 8;

/// Tails that are read until this is dropped. They stand for other machines, so their threads give way to the worker's.
pub(crate) struct Tails {
    streams: JoinSet<()>,
    pings: Arc<AtomicU64>,
    threads: Background,
}

impl Tails {
    /// Opens so many, each on an account of its own. `served`: with a token that may make links.
    pub(crate) async fn open(served: &Served, count: u64) -> Result<Self> {
        let threads = Background::start("tails")?;
        let mut tails = Self { streams: JoinSet::new(), pings: Arc::default(), threads };
        for from in (0..count).step_by(usize::try_from(AT_ONCE)?) {
            let mut opening = JoinSet::new();
            for number in from..(from + AT_ONCE).min(count) {
                let (url, token) = (served.url.clone(), served.token.clone());
                opening.spawn_on(
                    async move { opened(&url, &token, number).await.map_err(|error| error.to_string()) },
                    tails.threads.handle(),
                );
            }
            while let Some(stream) = opening.join_next().await {
                tails.read(stream??);
            }
        }
        Ok(tails)
    }

    fn read(&mut self, mut stream: Response) {
        let pings = Arc::clone(&self.pings);
        let reading = async move {
            while let Ok(Some(_)) = stream.chunk().await {
                pings.fetch_add(1, Ordering::Relaxed);
            }
        };
        self.streams.spawn_on(reading, self.threads.handle());
    }

    /// How many are still read, and how many events have come.
    pub(crate) fn told(&mut self) -> (usize, u64) {
        while self.streams.try_join_next().is_some() {}
        (self.streams.len(), self.pings.load(Ordering::Relaxed))
    }
}

/// Goes the way of a browser: link, entry, session, tail.
async fn opened(url: &str, token: &str, number: u64) -> std::result::Result<Response, Failed> {
    let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    // As `records::small` names them.
    let account = format!("acct-{number:07}");
    let link = client
        .post(format!("{url}/api/v1/accounts/{account}/portal-sessions"))
        .bearer_auth(token)
        .header("content-type", "application/json")
        .body(r#"{"actor":{"id":"ana","email":"ana@acme.example"},"capabilities":["records:read"]}"#);
    let link: serde_json::Value = serde_json::from_str(&answered(link, 201).await?.text().await?)?;
    let (_, code) =
        link["url"].as_str().and_then(|link| link.rsplit_once('#')).ok_or("the link has no code")?;
    let page = answered(client.get(format!("{url}/portal/enter")), 200).await?;
    let entry = cookies(&page);
    let html = page.text().await?;
    let csrf = html.split_once("name=\"csrf\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    let (csrf, _) = csrf.ok_or("the page has no form")?;
    let enter = client
        .post(format!("{url}/portal/enter"))
        .header("origin", url)
        .header("cookie", entry)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(format!("csrf={csrf}&code={code}"));
    let session = cookies(&answered(enter, 303).await?);
    answered(client.get(format!("{url}/portal/logs/tail")).header("cookie", session), 200).await
}

async fn answered(request: RequestBuilder, status: u16) -> std::result::Result<Response, Failed> {
    let response = request.timeout(Duration::from_secs(3_600)).send().await?;
    if response.status() == status {
        return Ok(response);
    }
    let (was, url) = (response.status(), response.url().path().to_owned());
    Err(format!("{url} answered {was} and not {status}: {}", response.text().await?).into())
}

/// The cookies that a browser would send back.
fn cookies(response: &Response) -> String {
    let set = response.headers().get_all("set-cookie").iter().filter_map(|cookie| cookie.to_str().ok());
    let pairs = set.filter_map(|cookie| cookie.split(';').next()).filter(|pair| !pair.ends_with('='));
    pairs.collect::<Vec<_>>().join("; ")
}
