//! A client of the API: it asks, repeats what may have been lost, and tells in words what was refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{
    AUTHORIZATION, CONTENT_TYPE, ETAG, HeaderName, HeaderValue, IF_MATCH, IF_NONE_MATCH, LOCATION,
    RETRY_AFTER,
};
use reqwest::{Certificate, Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

pub use self::address::ServerAddress;
pub use self::problem::{ClientError, Problem, Refused};
pub use self::request::{Asked, Seen};
use crate::base::roots::Roots;
use crate::operations::listing::{Extent, Listing, Total};
use crate::secrets::Secret;
use auditferry_core::text::cause::root_cause;

mod address;
mod problem;
mod request;

/// How long a connection may take, and an answer: longer than the server gives itself.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(75);

/// Most bytes of an answer.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// How long is waited before a request is sent again whose answer was lost: so often it is sent again.
const AGAIN: [Duration; 4] =
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(5)];

/// Longest wait that a server may ask for, and how often. Beyond it a person decides.
const PATIENCE: Duration = Duration::from_secs(10);
const MOST_WAITS: u32 = 60;

/// Rows of a page, the most that the API gives.
const PAGE: u32 = 200;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const REASON: HeaderName = HeaderName::from_static("auditferry-reason");

/// A server, and who asks it.
pub struct Client {
    http: reqwest::Client,
    server: ServerAddress,
    token: Secret,
    reason: Option<String>,
}

/// A resource as it was read.
#[derive(Debug)]
pub struct Tagged<T> {
    /// The resource.
    pub value: T,
    /// What it is changed with.
    pub seen: Seen,
}

/// What a change was answered with.
#[derive(Debug)]
pub struct Made(Option<Vec<u8>>);

impl Made {
    /// The answer. None: the change was made by an earlier request whose answer nobody knows any more.
    ///
    /// # Errors
    /// When it is none of this API.
    pub fn answer<T: DeserializeOwned>(&self) -> Result<Option<T>, ClientError> {
        self.0.as_deref().map(read).transpose()
    }
}

/// What a server has answered.
struct Answer {
    status: StatusCode,
    etag: Option<String>,
    location: Option<String>,
    retry_after: Option<Duration>,
    replayed: bool,
    body: Vec<u8>,
}

#[derive(Deserialize)]
struct Page<T> {
    items: Vec<T>,
    next: Option<String>,
    total: Option<u64>,
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, ClientError> {
    serde_json::from_slice(body).map_err(|error| {
        let problem = auditferry_core::text::unquoted::without_values(&error.to_string());
        ClientError::Failed(format!(
            "the server has answered what this version does not understand ({problem}); use the version of the server"
        ))
    })
}

impl Client {
    /// A client of a server. `authorities`: a file with certificates of CAs that are trusted too.
    ///
    /// # Errors
    /// When the file cannot be used, or the TLS library.
    pub fn new(
        server: ServerAddress,
        token: Secret,
        authorities: Option<&PathBuf>,
    ) -> Result<Self, ClientError> {
        let mut http = reqwest::Client::builder()
            .user_agent(concat!("auditferry/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .connect_timeout(CONNECT)
            .timeout(ANSWER);
        if server.is_clear() {
            // A token goes to this host in the clear, and to no proxy.
            http = http.no_proxy();
        }
        if let Some(file) = authorities {
            http = http.tls_certs_merge(certificates(file)?);
        }
        let http = http.build().map_err(|error| {
            ClientError::Failed(format!(
                "the HTTP client cannot be made: {}",
                Roots::load().problem.unwrap_or_else(|| root_cause(&error))
            ))
        })?;
        Ok(Self { http, server, token, reason: None })
    }

    /// The same, with why it changes something.
    #[must_use]
    pub fn because(self, reason: Option<String>) -> Self {
        Self { reason, ..self }
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// Reads something.
    ///
    /// # Errors
    /// When it is not there, may not be read, or no answer comes.
    pub async fn read<T: DeserializeOwned>(&self, asked: Asked<'_>) -> Result<T, ClientError> {
        Ok(self.look(asked).await?.value)
    }

    /// Reads something that is about to be changed.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn look<T: DeserializeOwned>(&self, asked: Asked<'_>) -> Result<Tagged<T>, ClientError> {
        let answer = self.answered(&asked).await?;
        let seen = answer.etag.map_or(Seen::Anything, Seen::Tagged);
        Ok(Tagged { value: read(&answer.body)?, seen })
    }

    /// Changes something: once, however often the request has to be sent.
    ///
    /// # Errors
    /// When it is refused, or no answer comes.
    pub async fn change(&self, asked: Asked<'_>) -> Result<Made, ClientError> {
        let answer = self.answered(&asked).await?;
        let known = answer.status != StatusCode::SEE_OTHER && !answer.body.is_empty();
        Ok(Made(known.then_some(answer.body)))
    }

    /// Reads the pages of a listing as far as its extent needs them. `asked` makes the request for one page.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn list<'a, T: DeserializeOwned>(
        &self,
        asked: impl Fn() -> Asked<'a>,
        extent: Extent,
    ) -> Result<Listing<T>, ClientError> {
        let (rows, _) = self.rows(&asked, extent.asked()).await?;
        Ok(extent.of(rows))
    }

    /// The same of a listing that counts all of its rows.
    ///
    /// # Errors
    /// As [`Client::read`].
    pub async fn list_counted<'a, T: DeserializeOwned>(
        &self,
        asked: impl Fn() -> Asked<'a>,
        extent: Extent,
    ) -> Result<Listing<T>, ClientError> {
        let most = match extent {
            Extent::First(shown) => shown,
            Extent::All => u32::MAX,
        };
        let (mut rows, total) = self.rows(&|| asked().with("count", &true), most.max(1)).await?;
        rows.truncate(most as usize);
        let total = match extent {
            Extent::All => rows.len() as u64,
            Extent::First(_) => total.unwrap_or(rows.len() as u64),
        };
        Ok(Listing { rows, total: Total::Exactly(total) })
    }

    /// At most so many rows, and how many there are, if the server has counted them.
    async fn rows<'a, T: DeserializeOwned>(
        &self,
        asked: &impl Fn() -> Asked<'a>,
        most: u32,
    ) -> Result<(Vec<T>, Option<u64>), ClientError> {
        let (mut rows, mut cursor, mut total) = (Vec::new(), None::<String>, None);
        loop {
            let left = most.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
            let mut page = asked().with("limit", &left.min(PAGE)).maybe("cursor", cursor.as_ref());
            if total.is_some() {
                page.query.retain(|(name, _)| *name != "count");
            }
            let page: Page<T> = self.read(page).await?;
            total = total.or(page.total);
            let empty = page.items.is_empty();
            rows.extend(page.items);
            cursor = page.next;
            if cursor.is_none() || empty || rows.len() >= most as usize {
                return Ok((rows, total));
            }
        }
    }

    /// The answer to a request that was not refused.
    async fn answered(&self, asked: &Asked<'_>) -> Result<Answer, ClientError> {
        let answer = self.asked_until_answered(asked).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        if answer.status == StatusCode::SEE_OTHER && answer.replayed {
            return Ok(answer);
        }
        if answer.status.is_redirection() {
            return Err(self.server.leads_elsewhere(answer.location.as_deref()));
        }
        let problem: Option<Problem> = serde_json::from_slice(&answer.body).ok();
        Err(match problem {
            Some(problem) => problem.told(&self.server, asked.account, answer.retry_after),
            None => ClientError::Failed(format!(
                "{} answered HTTP {} without saying why; see whether this is the address of an auditferry API, and what \
                 stands before it",
                self.server,
                answer.status.as_u16()
            )),
        })
    }

    /// Sends a request until an answer comes. With its key a change is made once.
    async fn asked_until_answered(&self, asked: &Asked<'_>) -> Result<Answer, ClientError> {
        // An address without them is that of something else.
        if let Some(dots) = asked.path.iter().find(|part| matches!(**part, "." | "..")) {
            return Err(ClientError::Usage(format!(
                "{dots:?} cannot stand in an address; give this command where the ledger is, without --server"
            )));
        }
        let key = uuid::Uuid::new_v4().to_string();
        let (mut again, mut waits) = (AGAIN.iter(), 0);
        let mut lost = None;
        loop {
            let cause = match self.send(asked, &key).await {
                Ok(answer) => match answer.waits() {
                    // It was not made, or is being made.
                    Some(Wait::Busy(wait)) if waits < MOST_WAITS => {
                        waits += 1;
                        tokio::time::sleep(wait).await;
                        continue;
                    }
                    Some(Wait::Lost) => format!("HTTP {}", answer.status.as_u16()),
                    _ => return Ok(answer),
                },
                // Nothing was sent, so nothing can have been made.
                Err(error) if error.is_connect() && lost.is_none() => {
                    return Err(self.server.out_of_reach(&root_cause(&error)));
                }
                Err(error) if error.is_timeout() => format!("no answer within {} s", ANSWER.as_secs()),
                Err(error)
                    if error.is_body() || error.is_decode() || error.is_request() || error.is_connect() =>
                {
                    root_cause(&error)
                }
                Err(error) => return Err(self.server.out_of_reach(&root_cause(&error))),
            };
            match again.next() {
                Some(wait) => tokio::time::sleep(*wait).await,
                None => return Err(self.server.silent(&cause, asked.method != Method::GET)),
            }
            lost = Some(cause);
        }
    }

    async fn send(&self, asked: &Asked<'_>, key: &str) -> Result<Answer, reqwest::Error> {
        let mut request = self.http.request(asked.method.clone(), self.server.url(&asked.path, &asked.query));
        let bearer = Zeroizing::new(format!("Bearer {}", self.token.expose()));
        if let Ok(mut bearer) = HeaderValue::from_str(&bearer) {
            bearer.set_sensitive(true);
            request = request.header(AUTHORIZATION, bearer);
        }
        if asked.method != Method::GET {
            request = request.header(KEY, key);
            if let Some(reason) = &self.reason
                && let Ok(reason) = HeaderValue::from_bytes(reason.as_bytes())
            {
                request = request.header(REASON, reason);
            }
        }
        request = match &asked.seen {
            Seen::Anything => request.header(IF_MATCH, "*"),
            Seen::Tagged(etag) => request.header(IF_MATCH, etag),
            Seen::Absent => request.header(IF_NONE_MATCH, "*"),
            Seen::Nothing => request,
        };
        if let Some(body) = &asked.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body.to_vec());
        }
        let mut response = request.send().await?;
        let header =
            |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let retry_after = header(RETRY_AFTER).and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let (status, etag, location) = (response.status(), header(ETAG), header(LOCATION));
        let replayed = response.headers().contains_key(REPLAYED);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            let room = MAX_ANSWER - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if chunk.len() >= room {
                break;
            }
        }
        Ok(Answer { status, etag, location, retry_after, replayed, body })
    }
}

/// Why a request comes again.
enum Wait {
    /// The server asks for it: it has not begun, or has not ended.
    Busy(Duration),
    /// Something on the way has lost the answer, or the server has given up.
    Lost,
}

impl Answer {
    fn waits(&self) -> Option<Wait> {
        let asked = self.retry_after.filter(|wait| *wait <= PATIENCE);
        match (self.status, asked) {
            (StatusCode::TOO_MANY_REQUESTS | StatusCode::CONFLICT, Some(wait)) => Some(Wait::Busy(wait)),
            (StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT, _) => Some(Wait::Lost),
            _ => None,
        }
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>, ClientError> {
    let refuse = |problem: String| {
        ClientError::Usage(format!(
            "--ca-file: {} {problem}; name a PEM file with the CAs that are trusted",
            file.display()
        ))
    };
    let pem = std::fs::read(file).map_err(|error| refuse(format!("cannot be read ({error})")))?;
    let all = Certificate::from_pem_bundle(&pem).map_err(|error| refuse(root_cause(&error)))?;
    if all.is_empty() { Err(refuse("holds no certificate".to_owned())) } else { Ok(all) }
}
