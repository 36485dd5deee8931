//! The worker as another platform knows it, for which Google gives tokens: the configuration of a
//! workload identity federation, with the platform's token in a file.
//!
//! Source: "AIP-4117 External Account Credentials", and "Method: token", Security Token Service API.

use std::path::PathBuf;

use jiff::Timestamp;
use reqwest::{Client, Url};
use serde_json::Value;
use url::form_urlencoded::Serializer;

use super::impersonation::{self, generate};
use super::worker_identity::PLATFORM;
use crate::secrets::{self, Opened, Secret};
use crate::store::token::{Token, ask};
use auditferry_core::model::destination::{SecretRef, is_service_account};
use auditferry_core::store::{PutError, PutErrorKind};

/// Google's token service.
const STS: &str = "https://sts.googleapis.com";

/// What tokens of other platforms are called.
const TOKEN_TYPES: [&str; 2] =
    ["urn:ietf:params:oauth:token-type:jwt", "urn:ietf:params:oauth:token-type:id_token"];

/// Where tokens are had.
pub(super) struct Services {
    /// The whole URL of the token service.
    sts: String,
    /// The operator's choice for the other.
    iam: Option<Url>,
}

impl Services {
    /// Google's own, or the operator's choice.
    pub(super) fn new(sts: Option<&Url>, iam: Option<&Url>) -> Self {
        let base = sts.map_or(STS, Url::as_str).trim_end_matches('/');
        Self { sts: format!("{base}/v1/token"), iam: iam.cloned() }
    }
}

/// Such a configuration.
#[derive(Debug)]
pub(super) struct ExternalAccount {
    audience: String,
    token_type: String,
    file: PathBuf,
    /// The member of the file's JSON that is the token; absent: the file is the token.
    member: Option<String>,
    /// The service account as which the worker then acts.
    service_account: Option<String>,
}

impl ExternalAccount {
    /// Reads a configuration that sends tokens to Google and runs no program.
    ///
    /// # Errors
    /// Names the member that is wrong.
    pub(super) fn parse(json: &Value, services: &Services) -> Result<Self, String> {
        let text = |pointer: &str| json.pointer(pointer).and_then(Value::as_str);
        let needed = |pointer: &str| {
            text(pointer)
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .ok_or_else(|| format!("{} is missing or not a text", pointer[1..].replace('/', ".")))
        };
        if text("/token_url") != Some(&services.sts) {
            return Err(format!("token_url is not {}", services.sts));
        }
        if text("/universe_domain").is_some_and(|domain| domain != "googleapis.com") {
            return Err("universe_domain is not googleapis.com".to_owned());
        }
        let token_type = needed("/subject_token_type")?;
        if !TOKEN_TYPES.contains(&token_type.as_str()) {
            return Err("subject_token_type is neither of a JWT nor of an ID token".to_owned());
        }
        let file = needed("/credential_source/file")
            .map_err(|problem| format!("{problem}: only a token in a file is known"))?
            .into();
        let member = match text("/credential_source/format/type") {
            None | Some("text") => None,
            Some("json") => Some(needed("/credential_source/format/subject_token_field_name")?),
            Some(_) => return Err("credential_source.format.type is neither text nor json".to_owned()),
        };
        let service_account = match json.get("service_account_impersonation_url") {
            None => None,
            Some(url) => Some(impersonated(url.as_str().unwrap_or_default(), services)?),
        };
        Ok(Self { audience: needed("/audience")?, token_type, file, member, service_account })
    }

    /// A token for a scope.
    ///
    /// # Errors
    /// Nothing was put, and only those who run the worker can fix it.
    pub(super) async fn token(
        &self,
        http: &Client,
        services: &Services,
        scope: &str,
        now: Timestamp,
    ) -> Result<Token, PutError> {
        let subject = self.subject()?;
        let asked = if self.service_account.is_some() { PLATFORM } else { scope };
        let form = Serializer::new(String::new())
            .append_pair("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange")
            .append_pair("requested_token_type", "urn:ietf:params:oauth:token-type:access_token")
            .append_pair("audience", &self.audience)
            .append_pair("scope", asked)
            .append_pair("subject_token_type", &self.token_type)
            .append_pair("subject_token", subject.expose())
            .finish();
        let request = http.post(&services.sts).header("content-type", "application/x-www-form-urlencoded");
        let answer = ask(request.body(form)).await?;
        if answer.status != 200 {
            let json = answer.json().unwrap_or_default();
            let text = |name: &str| json[name].as_str().unwrap_or_default();
            return Err(answer.own_refusal(text("error"), text("error_description")));
        }
        let token = answer.token(now)?;
        let Some(service_account) = &self.service_account else { return Ok(token) };
        let url = impersonation::url(services.iam.as_ref(), service_account);
        let answer = generate(http, &url, &token.value, scope).await?;
        if answer.status == 200 {
            return impersonation::token(&answer);
        }
        let refused = impersonation::refusal(&answer);
        Err(match refused.kind {
            PutErrorKind::Throttled | PutErrorKind::Clock => refused,
            _ => PutError { kind: PutErrorKind::Unreachable, ..refused },
        })
    }

    /// What the platform says of the worker; read each time, as the platform renews it.
    fn subject(&self) -> Result<Secret, PutError> {
        let none = |problem: String| PutError::new(PutErrorKind::Unreachable, format!("no token: {problem}"));
        let text = secrets::resolve(&SecretRef::File(self.file.clone()), &Opened::default());
        let text = text.map_err(|error| none(error.to_string()))?;
        let Some(member) = &self.member else { return Ok(Secret::new(text.expose().trim().to_owned())) };
        let mut json: Value = serde_json::from_str(text.expose()).unwrap_or_default();
        match json.get_mut(member).map(Value::take) {
            Some(Value::String(token)) if !token.is_empty() => Ok(Secret::new(token)),
            _ => Err(none(format!("{} is not JSON with a text as {member:?}", self.file.display()))),
        }
    }
}

/// The service account of a URL, which must be Google's.
fn impersonated(url: &str, services: &Services) -> Result<String, String> {
    let email = url.rsplit_once('/').and_then(|(_, method)| method.strip_suffix(":generateAccessToken"));
    match email.filter(|email| is_service_account(email)) {
        Some(email) if url == impersonation::url(services.iam.as_ref(), email) => Ok(email.to_owned()),
        _ => {
            let form = impersonation::url(services.iam.as_ref(), "NAME@PROJECT.iam.gserviceaccount.com");
            Err(format!("service_account_impersonation_url is not of the form {form}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parsed(change: impl FnOnce(&mut Value)) -> Result<ExternalAccount, String> {
        let mut file = json!({
            "type": "external_account",
            "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": "https://sts.googleapis.com/v1/token",
            "credential_source": { "file": "/var/run/token", "format": { "type": "text" } },
            "service_account_impersonation_url":
                impersonation::url(None, "worker@vendor.iam.gserviceaccount.com"),
        });
        change(&mut file);
        ExternalAccount::parse(&file, &Services::new(None, None))
    }

    #[test]
    fn a_configuration_sends_tokens_to_google_only() {
        let account = parsed(|_| ()).expect("reads");
        assert_eq!(account.service_account.as_deref(), Some("worker@vendor.iam.gserviceaccount.com"));
        let alone = |file: &mut Value| {
            file.as_object_mut().expect("object").remove("service_account_impersonation_url");
        };
        assert_eq!(parsed(alone).expect("reads").service_account, None);
        for url in [
            "https://sts.googleapis.com.evil.example/v1/token",
            "http://sts.googleapis.com/v1/token",
            "https://evil.example/v1/token",
            "https://sts.googleapis.com@evil.example/v1/token",
            "",
        ] {
            let problem = parsed(|file| file["token_url"] = url.into()).expect_err(url);
            assert_eq!(problem, "token_url is not https://sts.googleapis.com/v1/token");
        }
        let googles = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts";
        for url in [
            "https://evil.example/v1/projects/-/serviceAccounts/a@b.iam.gserviceaccount.com:generateAccessToken",
            &format!("{googles}/a@b.iam.gserviceaccount.com:generateIdToken"),
            &format!("{googles}/../../a@b.iam.gserviceaccount.com:generateAccessToken"),
            &format!("{googles}/a@evil.example:generateAccessToken"),
            "",
        ] {
            let problem =
                parsed(|file| file["service_account_impersonation_url"] = url.into()).expect_err(url);
            assert!(problem.starts_with("service_account_impersonation_url is not of the form"), "{problem}");
        }
        assert!(parsed(|file| file["service_account_impersonation_url"] = 7.into()).is_err());
    }

    #[test]
    fn a_token_comes_from_a_file_and_from_no_program() {
        for (source, problem) in [
            (json!({ "executable": { "command": "/bin/sh" } }), "only a token in a file is known"),
            (json!({ "url": "http://169.254.169.254/" }), "only a token in a file is known"),
            (json!({ "file": 7 }), "credential_source.file is missing or not a text"),
            (json!({ "file": "/x", "format": { "type": "xml" } }), "neither text nor json"),
            (json!({ "file": "/x", "format": { "type": "json" } }), "subject_token_field_name is missing"),
        ] {
            let said = parsed(|file| file["credential_source"] = source).expect_err(problem);
            assert!(said.contains(problem), "{said}");
        }
        for (member, value) in [
            ("audience", Value::Null),
            ("subject_token_type", "urn:ietf:params:aws:token-type:aws4_request".into()),
            ("universe_domain", "evil.example".into()),
        ] {
            let said = parsed(|file| file[member] = value).expect_err(member);
            assert!(said.starts_with(member), "{said}");
        }
    }

    #[test]
    fn the_platforms_token_is_a_file_or_a_member_of_it() {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("token");
        let subject = |content: &str, format: Value| {
            std::fs::write(&path, content).expect("write");
            let account = parsed(|file| {
                file["credential_source"] = json!({ "file": path.as_path(), "format": format });
            });
            let subject = account.expect("reads").subject();
            subject.map(|token| token.expose().to_owned()).map_err(|error| error.to_string())
        };
        let member = || json!({ "type": "json", "subject_token_field_name": "id_token" });
        assert_eq!(subject("eyJ.x.y\n", Value::Null), Ok("eyJ.x.y".to_owned()));
        assert_eq!(subject(r#"{"id_token":"eyJ.x.y"}"#, member()), Ok("eyJ.x.y".to_owned()));
        for content in ["HUSH", "{}", r#"{"id_token":7,"x":"HUSH"}"#, r#"{"id_token":""}"#, "[\"HUSH\"]"] {
            let problem = subject(content, member()).expect_err(content);
            assert!(problem.starts_with("no token: ") && !problem.contains("HUSH"), "{problem}");
        }
    }
}
