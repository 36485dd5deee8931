//! `[email]`: the mail server over which notifications are sent.

use std::net::IpAddr;

use lettre::message::Mailbox;
use serde::Deserialize;
use url::Host;

use super::SettingsError;
use auditferry_core::model::destination::SecretRef;

/// See `config/default.toml`, `[email]`.
#[derive(Clone, Deserialize)]
#[expect(missing_docs, reason = "config/default.toml documents each key")]
pub struct EmailSettings {
    pub host: String,
    pub port: u16,
    pub tls: EmailTls,
    pub username: String,
    pub password: PasswordRef,
    pub from: String,
}

/// How the connection to the mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EmailTls {
    /// With STARTTLS, without which nothing is sent.
    Starttls,
    /// From its first byte on.
    Implicit,
    /// Not at all.
    None,
}

/// Where the password is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct PasswordRef(pub Option<SecretRef>);

impl TryFrom<String> for PasswordRef {
    type Error = &'static str;

    // Without what was written: it may be the password.
    fn try_from(text: String) -> Result<Self, Self::Error> {
        match text.split_once(':') {
            None if text.is_empty() => Ok(Self(None)),
            Some(("env", name)) if !name.is_empty() => Ok(Self(Some(SecretRef::Env(name.to_owned())))),
            Some(("file", path)) if !path.is_empty() => Ok(Self(Some(SecretRef::File(path.into())))),
            _ => Err("it is no reference; write file:PATH or env:NAME, never the password"),
        }
    }
}

impl EmailSettings {
    /// The port: what is set, or that of the kind of TLS.
    ///
    /// Source: RFC 6409 and RFC 8314 (587 and 465), RFC 5321 (25).
    #[must_use]
    pub fn port(&self) -> u16 {
        match (self.port, self.tls) {
            (0, EmailTls::Starttls) => 587,
            (0, EmailTls::Implicit) => 465,
            (0, EmailTls::None) => 25,
            (port, _) => port,
        }
    }

    pub(super) fn validate(&self) -> Result<(), SettingsError> {
        let invalid = |key, problem: &str| Err(SettingsError::Invalid { key, problem: problem.to_owned() });
        let Self { host, username, from, .. } = self;
        if !host.is_empty() && host.parse::<IpAddr>().is_err() && Host::parse(host).is_err() {
            return invalid("email.host", "it is no name of a host; write it like smtp.example.com");
        }
        if username.contains(char::is_control) {
            return invalid("email.username", "it holds a control character; remove it");
        }
        if !from.is_empty() && from.parse::<Mailbox>().is_err() {
            return invalid("email.from", "it is no email address; write it like exports@example.com");
        }
        let here = ["localhost", "127.0.0.1", "::1"].contains(&self.host.as_str());
        if !self.host.is_empty() && self.from.is_empty() {
            return invalid(
                "email.from",
                "it is empty; write the address that sends, such as exports@example.com",
            );
        }
        if self.tls == EmailTls::None && !self.host.is_empty() && !here {
            return invalid(
                "email.tls",
                "\"none\" is for a mail server on this machine; write \"starttls\" or \"implicit\"",
            );
        }
        if self.password.0.is_some() && self.username.is_empty() {
            return invalid("email.username", "it is empty, and there is a password; write the user's name");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_named_and_never_quoted() {
        let read = |text: &str| PasswordRef::try_from(text.to_owned());
        assert_eq!(read(""), Ok(PasswordRef(None)));
        assert_eq!(read("env:X"), Ok(PasswordRef(Some(SecretRef::Env("X".to_owned())))));
        assert_eq!(read("file:/x"), Ok(PasswordRef(Some(SecretRef::File("/x".into())))));
        for bad in ["HUSH", "env:", "file:", "HUSH:HUSH"] {
            assert!(read(bad).is_err_and(|problem| !problem.contains("HUSH")), "{bad}");
        }
    }

    #[test]
    fn a_password_never_goes_in_the_clear_to_another_machine() {
        let settings = |host: &str, tls| EmailSettings {
            host: host.to_owned(),
            port: 0,
            tls,
            username: String::new(),
            password: PasswordRef(None),
            from: "exports@example.com".to_owned(),
        };
        assert!(settings("mail.example.com", EmailTls::None).validate().is_err());
        assert!(settings("127.0.0.1", EmailTls::None).validate().is_ok());
        assert!(settings("mail.example.com", EmailTls::Implicit).validate().is_ok());
        assert_eq!(settings("x", EmailTls::Implicit).port(), 465);
        assert!(
            EmailSettings { from: String::new(), ..settings("x", EmailTls::Starttls) }.validate().is_err()
        );
        let password = PasswordRef(Some(SecretRef::Env("X".to_owned())));
        assert!(EmailSettings { password, ..settings("x", EmailTls::Starttls) }.validate().is_err());
    }
}
