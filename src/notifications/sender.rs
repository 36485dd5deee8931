//! Sends a notice over a channel, once.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::email;
use super::letter::Letter;
use super::message::Message;
use super::slack;
use super::webhook::{SigningKey, headers};
use crate::destinations::vault::Vault;
use crate::secrets::{Opened, Secret, SecretError, resolve};
use crate::settings::EmailSettings;
use crate::store::Dialer;
use auditferry_core::model::destination::SecretRef;
use auditferry_core::model::notification::{Notice, NotificationChannel, Target};
use auditferry_core::text::cause::root_cause;
use auditferry_core::text::one_line::one_line;

/// How long a receiver may take.
pub const TIMEOUT: Duration = Duration::from_secs(15);

/// The longest wait that a receiver may ask for.
const LONGEST_WAIT: SignedDuration = SignedDuration::from_hours(1);

/// Most bytes that are read of what a receiver says.
const MAX_ANSWER_BYTES: usize = 1_000;

/// Why a notice was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SendError {
    /// The receiver wants no more, ever.
    Gone(String),
    /// It may take it another time; not before the wait that it asks for.
    Failed(String, Option<SignedDuration>),
}

impl SendError {
    /// What went wrong, without secrets.
    #[must_use]
    pub fn problem(&self) -> &str {
        match self {
            Self::Gone(problem) | Self::Failed(problem, _) => problem,
        }
    }
}

fn failed(problem: impl Into<String>) -> SendError {
    SendError::Failed(problem.into(), None)
}

impl From<SecretError> for SendError {
    fn from(error: SecretError) -> Self {
        failed(error.to_string())
    }
}

/// What sends notices.
#[derive(Clone)]
pub struct Sender {
    dialer: Dialer,
    vault: Vault,
    email: EmailSettings,
}

impl Sender {
    /// Webhooks are reached as stores are, through `dialer`.
    #[must_use]
    pub fn new(dialer: Dialer, vault: Vault, email: EmailSettings) -> Self {
        Self { dialer, vault, email }
    }

    /// The sealed secrets of channels.
    #[must_use]
    pub fn vault(&self) -> &Vault {
        &self.vault
    }

    /// Whether an address of a webhook can be one.
    ///
    /// # Errors
    /// What is wrong, and what to do.
    pub fn check_address(
        &self,
        text: &str,
    ) -> Result<url::Url, auditferry_core::model::network::EndpointError> {
        Ok(self.dialer.webhook(text)?.1)
    }

    /// The settings of email.
    #[must_use]
    pub fn email(&self) -> &EmailSettings {
        &self.email
    }

    /// Sends a notice, and says what the receiver answered.
    ///
    /// # Errors
    /// When the receiver did not take it, or did not say so in time. In that case it may have taken it all
    /// the same.
    pub async fn send(
        &self,
        channel: &NotificationChannel,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<String, SendError> {
        let sent = self.send_whenever(channel, notice, now);
        match tokio::time::timeout(TIMEOUT, sent).await {
            Ok(sent) => sent,
            Err(_) => Err(failed(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }

    /// Sends a letter to a mailbox. `id` is the same in every try.
    ///
    /// # Errors
    /// When the mail server did not take it, or did not say so in time.
    pub async fn mail(&self, to: &str, id: &str, letter: Letter) -> Result<String, SendError> {
        match tokio::time::timeout(TIMEOUT, email::send(&self.email, to, id, letter)).await {
            Ok(sent) => sent.map_err(failed),
            Err(_) => Err(failed(format!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }

    async fn send_whenever(
        &self,
        channel: &NotificationChannel,
        notice: &Notice,
        now: Timestamp,
    ) -> Result<String, SendError> {
        let opened = self.vault.open_channel(channel).await?;
        let message = Message::of(notice, &channel.audience, channel.language);
        match &channel.target {
            Target::Webhook { url, secret, previous } => {
                let mut keys = vec![key(secret, &opened)?];
                if let Some(previous) = previous.as_ref().filter(|previous| now < previous.until) {
                    keys.push(key(&previous.secret, &opened)?);
                }
                let body = bytes(&message.json(notice, &channel.audience))?;
                let signed = headers(&notice.id, now, &body, &keys);
                self.post(url, body, &signed).await
            }
            Target::Slack { url, .. } => {
                let url = resolve(url, &opened)?;
                self.post(url.expose().trim(), bytes(&slack::body(&message))?, &[]).await
            }
            Target::Email { to } => {
                email::send(&self.email, to, &notice.id, Letter::of(&message)).await.map_err(failed)
            }
        }
    }

    async fn post(
        &self,
        url: &str,
        body: Vec<u8>,
        headers: &[(&'static str, String)],
    ) -> Result<String, SendError> {
        // The address itself may be a secret: it is in no message.
        let (client, url) = self.dialer.webhook(url).map_err(|error| failed(error.to_string()))?;
        let mut request = client.post(url).header(CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let answer = request.send().await;
        let answer =
            answer.map_err(|error| failed(format!("no answer: {}", root_cause(&error.without_url()))))?;
        let status = answer.status();
        let wait = wait(&answer);
        let told = match status {
            StatusCode::GONE => return Err(SendError::Gone(format!("{status}"))),
            taken if taken.is_success() => return Ok(format!("{status}")),
            _ => first_line(answer).await,
        };
        let problem = if told.is_empty() { status.to_string() } else { format!("{status}: {told}") };
        Err(SendError::Failed(problem, wait))
    }
}

fn bytes(body: &Value) -> Result<Vec<u8>, SendError> {
    serde_json::to_vec(body).map_err(|error| failed(error.to_string()))
}

fn key(reference: &SecretRef, opened: &Opened) -> Result<SigningKey, SendError> {
    let secret: Secret = resolve(reference, opened)?;
    SigningKey::parse(&secret).map_err(|problem| failed(format!("secret {reference}: {problem}")))
}

/// How long the receiver asks us to wait.
fn wait(answer: &Response) -> Option<SignedDuration> {
    let seconds: i64 = answer.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(SignedDuration::from_secs(seconds.max(0)).min(LONGEST_WAIT))
}

/// The beginning of what the receiver says, in one line.
async fn first_line(mut answer: Response) -> String {
    let mut said = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        said.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER_BYTES - said.len())]);
        if said.len() >= MAX_ANSWER_BYTES {
            break;
        }
    }
    let text = String::from_utf8_lossy(&said);
    let line = text.trim().lines().next().unwrap_or_default();
    if line.starts_with('<') { String::new() } else { one_line(line, 200) }
}
