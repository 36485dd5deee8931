//! Azure Blob Storage, through Microsoft's crate.

use std::collections::HashMap;
use std::num::NonZero;
use std::sync::Arc;

use async_trait::async_trait;
use azure_core::error::ErrorKind;
use azure_core::http::headers::{HeaderName, Headers};
use azure_core::http::policies::Policy;
use azure_core::http::{Body, ClientOptions, HttpClient, RetryOptions, Transport, Url};
use azure_storage_blob::models::{
    BlobClientDownloadOptions, BlobClientGetPropertiesResultHeaders as _, BlockBlobClientUploadOptions,
};
use azure_storage_blob::{BlobClient, BlobClientOptions};
use bytes::Bytes;
use jiff::Timestamp;
use md5::{Digest as _, Md5};

use super::clock::{self, LastSeen};
use super::token::Tokens;
use super::{Dialer, OpenError, host_and_port, whole_answer};
use crate::secrets::{self, Opened, Secret};
use auditferry_core::archive::CONTENT_SHA256;
use auditferry_core::model::destination::{Azure, AzureCredentials, HTTPS_ONLY, Named, names_bucket};
use auditferry_core::model::expiry::sas_end;
use auditferry_core::model::network::EndpointError;
use auditferry_core::model::object_key::{ObjectKey, OwnKey};
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::store::{Created, Object, ObjectHead, PutError, PutErrorKind, Store};
use auditferry_core::store::{unproved, with_request_id};
use auditferry_core::text::cause::{find, root_cause};
use bearer::BearerPolicy;
use certificate::Certificate;
use connection_string::ConnectionString;
use entra::Proof;
use sas::Sas;
use shared_key::SharedKeyPolicy;

mod bearer;
pub(super) mod certificate;
pub(super) mod connection_string;
pub(super) mod entra;
pub(super) mod worker_identity;
pub(super) mod sas;
mod shared_key;

/// One container.
pub(super) struct AzureStore {
    container: Url,
    access: Access,
    /// The end of the application's certificate.
    certificate_end: Option<Timestamp>,
    http: Arc<dyn HttpClient>,
    last_seen: LastSeen,
    /// The last part of the endpoint's path is the container's name.
    names_container: bool,
}

/// How requests are authorised.
enum Access {
    /// A policy signs each request.
    Signed(Arc<dyn Policy>),
    /// The query of each request is a signature that somebody made before.
    Sas(Secret),
    /// Each request carries an access token.
    Tokens(Arc<Tokens>),
}

impl AzureStore {
    /// Reads the credentials; sends nothing.
    pub(super) fn open(
        place: &Azure,
        opened: &Opened,
        allow_http: bool,
        dialer: &Dialer,
    ) -> Result<Self, OpenError> {
        let mut certificate_end = None;
        let (endpoint, access, field) = match &place.credentials {
            AzureCredentials::ConnectionString(reference) => {
                let given = ConnectionString::parse(secrets::resolve(reference, opened)?.expose())?;
                let field = "credentials.connection_string";
                let access = match given.access {
                    connection_string::Access::Key(key) => {
                        Access::Signed(Arc::new(SharedKeyPolicy::new(key)))
                    }
                    connection_string::Access::Sas(sas) => {
                        sas.check_scheme(given.endpoint.scheme(), field)?;
                        Access::Sas(sas.query)
                    }
                };
                (given.endpoint, access, field)
            }
            AzureCredentials::Sas(reference) => {
                let (secret, endpoint) = (secrets::resolve(reference, opened)?, endpoint(place)?);
                let sas = Sas::parse(secret.expose(), "credentials.sas", "the signature")?;
                sas.check_scheme(endpoint.scheme(), "endpoint")?;
                (endpoint, Access::Sas(sas.query), "endpoint")
            }
            AzureCredentials::EntraSecret(by) => {
                let proof = Proof::Secret(secrets::resolve(&by.secret, opened)?);
                let tokens = entra::tokens(dialer, by.cloud, &by.tenant_id, &by.client_id, proof);
                (endpoint(place)?, Access::Tokens(Arc::new(tokens)), "endpoint")
            }
            AzureCredentials::EntraCertificate(by) => {
                let pem = secrets::resolve(&by.certificate, opened)?;
                let certificate = Certificate::parse(pem.expose())?;
                certificate_end = certificate.end;
                let proof = Proof::Certificate(Box::new(certificate));
                let tokens = entra::tokens(dialer, by.cloud, &by.tenant_id, &by.client_id, proof);
                (endpoint(place)?, Access::Tokens(Arc::new(tokens)), "endpoint")
            }
            AzureCredentials::ManagedIdentity(by) => {
                let endpoint = endpoint(place)?;
                worker_identity::check_endpoint(dialer, &endpoint)?;
                (endpoint, Access::Tokens(worker_identity::of_machine(dialer, by)?), "endpoint")
            }
            AzureCredentials::WorkloadIdentity(by) => {
                let endpoint = endpoint(place)?;
                worker_identity::check_endpoint(dialer, &endpoint)?;
                (endpoint, Access::Tokens(worker_identity::of_pod(dialer, by)?), "endpoint")
            }
        };
        if endpoint.scheme() != "https" && !allow_http {
            return Err(OpenError::Malformed {
                field,
                problem: "its endpoint is without TLS".to_owned(),
                fix: HTTPS_ONLY,
            });
        }
        let endpoint = dialer.endpoint(endpoint.as_str(), field)?;
        let container = below(&endpoint, [place.container.as_str()])?;
        let names_container = names_bucket(endpoint.as_str(), &place.container) == Some(Named::InPath);
        Ok(Self {
            container,
            access,
            certificate_end,
            http: Arc::clone(&dialer.azure),
            last_seen: LastSeen::default(),
            names_container,
        })
    }

    /// The error of a request; its answer's `Date` tells whether our clock is at fault.
    fn failed(&self, error: &azure_core::Error) -> PutError {
        let date = match error.kind() {
            ErrorKind::HttpResponse { raw_response: Some(raw), .. } => date(raw.headers()),
            _ => None,
        };
        let ahead = self.last_seen.note(clock::ahead(date));
        // A SAS and a token were made by other clocks.
        let tolerance = matches!(self.access, Access::Signed(_)).then_some(clock::SIGNATURES);
        clock::judged(put_error(error), ahead, tolerance)
    }

    async fn client(&self, key: &ObjectKey) -> Result<BlobClient, PutError> {
        let misconfigured = |problem: String| PutError::new(PutErrorKind::Misconfigured, problem);
        let (query, policy): (_, Option<Arc<dyn Policy>>) = match &self.access {
            Access::Signed(policy) => (None, Some(Arc::clone(policy))),
            Access::Sas(sas) => (Some(sas.expose()), None),
            Access::Tokens(tokens) => (None, Some(Arc::new(BearerPolicy(tokens.get().await?)))),
        };
        let mut url =
            below(&self.container, key.as_str().split('/')).map_err(|e| misconfigured(e.to_string()))?;
        url.set_query(query);
        let options = BlobClientOptions {
            client_options: ClientOptions {
                per_try_policies: policy.into_iter().collect(),
                retry: RetryOptions::none(),
                transport: Some(Transport::new(Arc::clone(&self.http))),
                ..ClientOptions::default()
            },
            ..BlobClientOptions::default()
        };
        BlobClient::new(url, None, Some(options)).map_err(|error| misconfigured(root_cause(&error)))
    }
}

#[async_trait]
impl Store for AzureStore {
    async fn put(&self, object: &Object) -> Result<Created, PutError> {
        let metadata: HashMap<String, String> =
            object.metadata.iter().map(|(name, value)| (identifier(name), value.clone())).collect();
        let size = u64::try_from(object.body.len()).unwrap_or(u64::MAX);
        let md5 = Md5::digest(&object.body).to_vec();
        let options = BlockBlobClientUploadOptions {
            if_none_match: Some("*".into()),
            blob_content_type: Some(object.content_type.to_owned()),
            // Azure checks it against what arrived, and shows it to readers.
            blob_content_md5: Some(md5.clone()),
            metadata: Some(metadata),
            // Never smaller than the object, so that it goes in a single Put Blob.
            partition_size: NonZero::new(size.max(1)),
            ..BlockBlobClientUploadOptions::default()
        };
        let body = Body::Bytes(object.body.clone());
        match self.client(&object.key).await?.block_blob_client().upload(body.into(), Some(options)).await {
            Ok(answer) => {
                self.last_seen.note(clock::ahead(date(answer.raw_response.headers())));
                let etag = answer.etag.as_ref().map(AsRef::as_ref);
                let other_md5 = answer.content_md5.as_ref().is_some_and(|confirmed| *confirmed != md5);
                let status = answer.raw_response.status().into();
                let created = Created::by_azure(status, etag, answer.last_modified.is_some(), other_md5);
                with_request_id(created, request_id(answer.raw_response.headers()))
            }
            Err(error) => {
                let error = self.failed(&error);
                // Others share the worker's own: none of them tries a token again that is not in force.
                if let (Access::Tokens(tokens), PutErrorKind::InvalidCredentials) = (&self.access, error.kind)
                {
                    tokens.forget();
                }
                Err(error)
            }
        }
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectHead, PutError> {
        let seen = self.client(key).await?.get_properties(None).await.map_err(|error| self.failed(&error))?;
        let unreadable = |error: azure_core::Error| put_error(&error);
        let header = |name: &'static str| seen.headers().get_optional_str(&HeaderName::from_static(name));
        // Blob Storage alone says of what type a blob is.
        if header("etag").is_none_or(str::is_empty) || header("x-ms-blob-type").is_none_or(str::is_empty) {
            return Err(unproved(seen.status().into(), "without the blob's ETag and type"));
        }
        let metadata = seen.metadata().map_err(unreadable)?;
        Ok(ObjectHead {
            content_sha256: metadata.get(&identifier(CONTENT_SHA256)).cloned(),
            bytes: seen.content_length().map_err(unreadable)?.unwrap_or_default(),
        })
    }

    fn address(&self) -> Option<(String, u16)> {
        host_and_port(self.container.as_str())
    }

    fn clock_ahead(&self) -> Option<jiff::SignedDuration> {
        self.last_seen.get()
    }

    fn misplaced(&self) -> Option<Refusal> {
        let problem =
            "its BlobEndpoint ends in the container's name already, and objects would lie under another key";
        self.names_container.then(|| {
            Refusal::field("destination.credentials.connection_string", RefusalCode::InvalidValue, problem)
                .fix("write BlobEndpoint without the container, https://NAME.blob.core.windows.net")
        })
    }

    fn credentials_end(&self) -> Option<Timestamp> {
        match &self.access {
            Access::Sas(sas) => sas_end(sas.expose()),
            Access::Signed(_) | Access::Tokens(_) => self.certificate_end,
        }
    }

    async fn sign_in(&self) -> Option<Result<(), PutError>> {
        match &self.access {
            Access::Tokens(tokens) => Some(tokens.get().await.map(drop)),
            Access::Signed(_) | Access::Sas(_) => None,
        }
    }

    async fn get(&self, key: &OwnKey) -> Result<Bytes, PutError> {
        let client = self.client(key.object()).await?;
        let seen = self.head(key.object()).await?;
        let options = BlobClientDownloadOptions {
            // Never smaller than the object, so that it comes in a single answer.
            partition_size: usize::try_from(seen.bytes.max(1)).ok().and_then(NonZero::new),
            ..BlobClientDownloadOptions::default()
        };
        let got = client.download(Some(options)).await.map_err(|error| self.failed(&error))?;
        let body = got.body.collect().await.map_err(|error| self.failed(&error))?;
        whole_answer(body, usize::try_from(seen.bytes).ok())
    }

    async fn remove(&self, key: &OwnKey) -> Result<(), PutError> {
        let client = self.client(key.object()).await?;
        let removed = client.delete(None).await.map_err(|error| self.failed(&error))?;
        match u16::from(removed.status()) {
            202 => Ok(()),
            status => Err(unproved(status, "instead of 202")),
        }
    }
}

fn date(headers: &Headers) -> Option<&str> {
    headers.get_optional_str(&HeaderName::from_static("date"))
}

/// A metadata name as Azure takes it: C# identifiers, which know no `-`.
fn identifier(name: &str) -> String {
    name.replace('-', "_")
}

fn endpoint(place: &Azure) -> Result<Url, OpenError> {
    place
        .endpoint
        .as_deref()
        .and_then(|text| Url::parse(text).ok())
        .ok_or_else(|| bad_endpoint("it is not a URL"))
}

/// The URL of something below another; each name becomes one segment.
fn below<'a>(base: &Url, names: impl IntoIterator<Item = &'a str>) -> Result<Url, OpenError> {
    let mut url = base.clone();
    url.path_segments_mut().map_err(|()| bad_endpoint("it has no host"))?.pop_if_empty().extend(names);
    Ok(url)
}

fn bad_endpoint(problem: &str) -> OpenError {
    OpenError::Malformed {
        field: "endpoint",
        problem: problem.to_owned(),
        fix: "write it as https://NAME.blob.core.windows.net",
    }
}

/// What Azure calls a request.
fn request_id(headers: &Headers) -> Option<&str> {
    headers.get_optional_str(&HeaderName::from_static("x-ms-request-id"))
}

fn put_error(error: &azure_core::Error) -> PutError {
    match error.kind() {
        ErrorKind::HttpResponse { status, error_code, raw_response } => {
            let status = u16::from(*status);
            let code = error_code.as_deref().unwrap_or_default();
            let header = |name: &'static str| {
                raw_response
                    .as_ref()
                    .and_then(|raw| raw.headers().get_optional_str(&HeaderName::from_static(name)))
            };
            let message = raw_response
                .as_ref()
                .and_then(|raw| std::str::from_utf8(raw.body()).ok())
                .map(message)
                .unwrap_or_default();
            // Without a code in the header the crate puts the status there.
            let code = if code.parse::<u16>().is_ok() { "" } else { code };
            let answer = PutError::from_status(status, code, message).retry_after(header("retry-after"));
            let answer = if (200..300).contains(&status) {
                unproved(status, "instead of 201 with ETag and Last-Modified")
            } else {
                answer
            };
            answer.with_request_id(raw_response.as_ref().and_then(|raw| request_id(raw.headers())))
        }
        _ if let Some(refused) = find::<EndpointError>(error) => {
            PutError::new(PutErrorKind::Misconfigured, refused.to_string())
        }
        ErrorKind::Connection => PutError::new(
            PutErrorKind::Unreachable,
            format!("cannot connect to the store: {}", root_cause(error)),
        ),
        ErrorKind::Credential => PutError::new(
            PutErrorKind::Misconfigured,
            format!("the request cannot be signed: {}", root_cause(error)),
        ),
        _ => PutError::new(PutErrorKind::Unknown, format!("no answer from the store: {}", root_cause(error))),
    }
}

/// The `<Message>` of an error's XML. Nothing else of it: `<AuthenticationErrorDetail>`
/// quotes the signature.
fn message(body: &str) -> &str {
    body.split_once("<Message>")
        .and_then(|(_, rest)| rest.split_once("</Message>"))
        .map_or("", |(text, _)| text)
}

#[cfg(test)]
mod tests;
