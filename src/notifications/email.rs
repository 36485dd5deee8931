//! Email over SMTP: text and HTML, on a connection with TLS.

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::letter::Letter;
use super::sender::TIMEOUT;
use crate::secrets::{Opened, resolve};
use crate::settings::{EmailSettings, EmailTls};
use auditferry_core::text::cause::root_cause;
use auditferry_core::text::one_line::one_line;

/// Longest subject, in characters.
const MAX_SUBJECT: usize = 180;

/// Whether a text is the address of one mailbox.
///
/// # Errors
/// What is wrong.
pub fn check_address(text: &str) -> Result<(), String> {
    mailbox(text).map(drop)
}

fn mailbox(text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|error: lettre::address::AddressError| format!("it is no email address: {error}"))
}

/// Sends a message, and says what the server answered.
///
/// # Errors
/// What went wrong, without the password.
pub(super) async fn send(
    settings: &EmailSettings,
    to: &str,
    id: &str,
    letter: Letter,
) -> Result<String, String> {
    if settings.host.is_empty() {
        return Err("email.host is empty; set it, and email.from, for every worker".to_owned());
    }
    let from = mailbox(&settings.from).map_err(|problem| format!("email.from: {problem}"))?;
    let domain = from.email.domain().to_owned();
    let email = lettre::Message::builder()
        .from(from)
        .to(mailbox(to)?)
        .subject(one_line(&letter.subject, MAX_SUBJECT))
        // The same in every try, so that a mailbox can tell a message that came twice.
        .message_id(Some(format!("<{id}@{domain}>")))
        .multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, letter.text))
                .singlepart(part(ContentType::TEXT_HTML, letter.html)),
        )
        .map_err(|error| error.to_string())?;
    let answer = transport(settings)?.send(email).await;
    let answer = answer.map_err(|error| match error.status() {
        // What a server says of a refused password can hold it.
        Some(code) if [530, 534, 535, 538].contains(&u16::from(code)) => {
            format!("the mail server refuses the login ({code}); see email.username and email.password")
        }
        _ => one_line(&format!("the mail server: {}", root_cause(&error)), 300),
    })?;
    Ok(format!("{} {}", answer.code(), one_line(&answer.message().collect::<Vec<_>>().join(" "), 200)))
}

fn part(kind: ContentType, text: String) -> SinglePart {
    SinglePart::builder().header(kind).body(text)
}

fn transport(settings: &EmailSettings) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let EmailSettings { host, tls, username, password, .. } = settings;
    let parameters = || TlsParameters::new_rustls(host.clone()).map_err(|error| root_cause(&error));
    let tls = match tls {
        EmailTls::Starttls => Tls::Required(parameters()?),
        EmailTls::Implicit => Tls::Wrapper(parameters()?),
        EmailTls::None => Tls::None,
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.as_str())
        .port(settings.port())
        .timeout(Some(TIMEOUT))
        .tls(tls);
    if let Some(password) = &password.0 {
        let password = resolve(password, &Opened::default()).map_err(|error| error.to_string())?;
        builder = builder.credentials(Credentials::new(username.clone(), password.expose().to_owned()));
    }
    Ok(builder.build())
}
