//! The JSON key of a Google service account, which signs its own tokens.

use google_cloud_auth::credentials::service_account::{AccessSpecifier, Builder};
use google_cloud_auth::credentials::{CacheableResource, Credentials};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::secrets::Secret;
use crate::store::OpenError;
use crate::store::token::Token;

/// How long a token that is signed here is kept; Google's library signs for an hour.
const LIFE: SignedDuration = SignedDuration::from_mins(50);

/// Where Google's own keys say that tokens are had, over the years. Nothing is sent there, as tokens are signed
/// here; but a key that names another place is nobody's honest key.
const TOKEN_URIS: [&str; 3] = [
    "https://oauth2.googleapis.com/token",
    "https://accounts.google.com/o/oauth2/token",
    "https://www.googleapis.com/oauth2/v4/token",
];

/// The members of a service-account key that signing needs.
const MEMBERS: [&str; 4] = ["client_email", "private_key", "private_key_id", "project_id"];

/// Checks the form of a service-account key, naming the member that is wrong and
/// never its value.
pub(super) fn parse(text: &str) -> Result<Value, OpenError> {
    let key: Value = serde_json::from_str(text).map_err(|error| {
        malformed(format!("it is not JSON (line {}, column {})", error.line(), error.column()))
    })?;
    let member = |name: &str| match key.get(name) {
        None => Err(malformed(format!("{name} is missing"))),
        Some(Value::String(text)) if text.trim().is_empty() => Err(malformed(format!("{name} is empty"))),
        Some(Value::String(text)) => Ok(text.as_str()),
        Some(_) => Err(malformed(format!("{name} is not a text"))),
    };
    if !key.is_object() {
        return Err(malformed("it is not a JSON object"));
    }
    if member("type")? != "service_account" {
        return Err(malformed("type is not \"service_account\""));
    }
    for name in MEMBERS {
        member(name)?;
    }
    if key.get("token_uri").is_some() {
        let uri = member("token_uri")?;
        let universe = key.get("universe_domain").and_then(Value::as_str);
        let universes = universe.map(|domain| format!("https://oauth2.{domain}/token"));
        if !TOKEN_URIS.contains(&uri) && universes.as_deref() != Some(uri) {
            return Err(malformed("token_uri does not lead to Google"));
        }
    }
    let pem = member("private_key")?.trim();
    if !(pem.starts_with("-----BEGIN PRIVATE KEY-----") && pem.ends_with("-----END PRIVATE KEY-----")) {
        return Err(malformed("private_key is not PEM of the form -----BEGIN PRIVATE KEY-----"));
    }
    if !member("client_email")?.contains('@') {
        return Err(malformed("client_email is not an e-mail address"));
    }
    Ok(key)
}

/// Credentials that sign their own tokens for a scope, tried once.
pub(super) async fn credentials(key: Value, scope: &str) -> Result<Credentials, OpenError> {
    let credentials = Builder::new(key)
        .with_access_specifier(AccessSpecifier::from_scopes([scope]))
        .build()
        .map_err(|_| malformed("Google's library cannot read it"))?;
    match credentials.headers(http::Extensions::new()).await {
        Ok(_) => Ok(credentials),
        Err(_) => Err(malformed("private_key is not an RSA key in PKCS #8")),
    }
}

/// A token for a scope, signed here.
pub(super) async fn sign(key: Value, scope: &str, now: Timestamp) -> Result<Token, OpenError> {
    let signed = credentials(key, scope).await?.headers(http::Extensions::new()).await;
    let headers = match signed {
        Ok(CacheableResource::New { data, .. }) => data,
        Ok(CacheableResource::NotModified) | Err(_) => http::HeaderMap::new(),
    };
    let token = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    match token.and_then(|text| text.strip_prefix("Bearer ")) {
        Some(token) => {
            Ok(Token { value: Secret::new(token.to_owned()), ends: now.saturating_add(LIFE).unwrap_or(now) })
        }
        None => Err(malformed("Google's library cannot sign with it")),
    }
}

fn malformed(problem: impl Into<String>) -> OpenError {
    OpenError::Malformed {
        field: "credentials.service_account",
        problem: problem.into(),
        fix: "download a JSON key of the service account from Google Cloud and give it unchanged",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_names_the_member_and_shows_no_secret() {
        let key = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
            let mut key = serde_json::json!({
                "type": "service_account", "project_id": "p", "private_key_id": "1", "client_email": "a@b.c",
                "private_key": "-----BEGIN PRIVATE KEY-----\nHUSH\n-----END PRIVATE KEY-----\n",
            });
            key.as_object_mut().map(change);
            key.to_string()
        };
        let remove = |name: &'static str| key(&move |members| drop(members.remove(name)));
        let set = |name: &'static str, value: Value| {
            key(&move |members| drop(members.insert(name.into(), value.clone())))
        };
        let cases = [
            ("{\"private_key\": \"HUSH".to_owned(), "it is not JSON (line 1"),
            ("[\"HUSH\"]".to_owned(), "it is not a JSON object"),
            (remove("type"), "type is missing"),
            (set("type", "authorized_user".into()), "type is not"),
            (remove("client_email"), "client_email is missing"),
            (set("client_email", "HUSH".into()), "client_email is not an e-mail"),
            (remove("private_key_id"), "private_key_id is missing"),
            (set("project_id", "".into()), "project_id is empty"),
            (set("private_key", "HUSH".into()), "private_key is not PEM"),
            (set("private_key", 1.into()), "private_key is not a text"),
            (set("token_uri", "https://evil.example/HUSH".into()), "token_uri does not lead to Google"),
            (
                set("token_uri", "https://oauth2.googleapis.com.evil.example/token".into()),
                "token_uri does not",
            ),
            (set("token_uri", "http://oauth2.googleapis.com/token".into()), "token_uri does not"),
            (set("token_uri", "http://169.254.169.254/".into()), "token_uri does not"),
            (set("token_uri", 1.into()), "token_uri is not a text"),
            (set("type", "external_account".into()), "type is not"),
            (set("type", "impersonated_service_account".into()), "type is not"),
        ];
        for (text, expected) in cases {
            let message = parse(&text).err().unwrap_or_else(|| panic!("accepted: {expected}")).to_string();
            assert!(message.contains(expected), "{expected}: {message}");
            assert!(!message.contains("HUSH"), "{message}");
        }
        assert!(parse(&key(&|_| ())).is_ok());
        assert!(parse(&set("token_uri", TOKEN_URIS[0].into())).is_ok());
    }

    #[tokio::test]
    async fn a_key_that_cannot_sign_is_refused_when_it_is_opened() {
        let key = serde_json::json!({
            "type": "service_account", "project_id": "p", "private_key_id": "1", "client_email": "a@b.c",
            "private_key": "-----BEGIN PRIVATE KEY-----\nSFVTSA==\n-----END PRIVATE KEY-----\n",
        });
        let message = credentials(key, "scope").await.expect_err("refused").to_string();
        assert!(message.contains("private_key is not an RSA key"), "{message}");
    }
}
