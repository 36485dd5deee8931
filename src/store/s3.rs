//! Amazon S3 and compatible stores, through Amazon's SDK.

use std::error::Error;

use async_trait::async_trait;
use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Config, Credentials, Region, RequestChecksumCalculation, ResponseChecksumValidation,
    StalledStreamProtectionConfig,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    ChecksumAlgorithm, ObjectCannedAcl, RequestPayer, ServerSideEncryption, StorageClass,
};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use md5::{Digest as _, Md5};

use super::clock::{self, LastSeen};
use super::{Dialer, OpenError, host_and_port, whole_answer};
use crate::base::aws::WorkerAwsIdentity;
use crate::secrets::{self, Opened};
use auditferry_core::archive::CONTENT_SHA256;
use auditferry_core::model::destination::{
    AccessKey, Checksum, Encryption, S3, S3Credentials, is_amazons_id,
};
use auditferry_core::model::network::EndpointError;
use auditferry_core::model::object_key::{ObjectKey, OwnKey};
use auditferry_core::store::{Created, Object, ObjectHead, PutError, PutErrorKind, Store};
use auditferry_core::store::{S3Facts, unproved, with_request_id};
use auditferry_core::text::cause::{find, root_cause};

mod heard;
mod role;

use heard::Heard;
use role::RoleSessions;

/// Error codes that mean a permission, whatever HTTP status they come with.
const DENIED: [&str; 5] =
    ["AccessDenied", "AccountProblem", "AllAccessDisabled", "NotSignedUp", "RequestTimeTooSkewed"];

/// Error codes that mean the bucket is in another region.
const WRONG_REGION: [&str; 4] = [
    "PermanentRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "AuthorizationQueryParametersError",
];

/// Error codes that ask to slow down; S3 passes the last two on from KMS, with 400.
const THROTTLED: [&str; 5] =
    ["SlowDown", "TooManyRequests", "RequestLimitExceeded", "ThrottlingException", "KMS.ThrottlingException"];

/// One bucket.
pub(super) struct S3Store {
    client: Client,
    bucket: String,
    region: String,
    endpoint: String,
    kms_key: Option<String>,
    storage_class: Option<StorageClass>,
    checksum: Checksum,
    /// Sent with every request, so that none is carried out in a bucket of somebody else's.
    owner: Option<String>,
    /// Sent with every request, or a bucket whose owner does not pay denies it.
    payer: Option<RequestPayer>,
    acl: Option<ObjectCannedAcl>,
    encryption: Option<ServerSideEncryption>,
    last_seen: LastSeen,
}

impl S3Store {
    /// Reads the credentials; sends nothing to the bucket.
    pub(super) async fn open(place: &S3, opened: &Opened, dialer: &Dialer) -> Result<Self, OpenError> {
        let path_style = place.path_style.unwrap_or(place.endpoint.is_some());
        let mut config = Config::builder()
            .behavior_version(BehaviorVersion::v2026_01_12())
            .http_client(dialer.s3.clone())
            .region(Region::new(place.region.clone()))
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .force_path_style(path_style);
        if let Some(endpoint) = &place.endpoint {
            let endpoint = dialer.endpoint(endpoint, "endpoint")?;
            // Many compatible stores refuse the newer checksum headers: what is sent is the destination's
            // choice. The signature covers a SHA-256 of the body all the same.
            config = config.endpoint_url(base(endpoint.as_str(), path_style));
        }
        if let Checksum::Md5 | Checksum::None = place.checksum() {
            // Amazon's SDK would add one of its own.
            config = config.request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
        }
        if place.endpoint.is_some() {
            config = config.response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        let config = match &place.credentials {
            S3Credentials::AccessKey(key) => config.credentials_provider(access_key(key, opened)?),
            S3Credentials::AssumeRole(role) => config
                .credentials_provider(RoleSessions::new(role, dialer.aws.clone())?)
                .identity_cache(role::cache()),
            S3Credentials::Ambient => {
                let WorkerAwsIdentity { provider, cache } = dialer.aws.identity().await;
                config.credentials_provider(provider.clone()).identity_cache(cache.clone())
            }
        };
        Ok(Self {
            client: Client::from_conf(config.build()),
            bucket: place.bucket.clone(),
            region: place.region.clone(),
            endpoint: place.url(),
            kms_key: place.sse_kms_key_id.clone(),
            storage_class: place.storage_class.map(|class| StorageClass::from(class.as_str())),
            checksum: place.checksum(),
            owner: place.expected_bucket_owner.clone(),
            payer: place.request_payer.map(|payer| RequestPayer::from(payer.as_str())),
            acl: place.acl.map(|acl| ObjectCannedAcl::from(acl.as_str())),
            encryption: match (&place.sse_kms_key_id, place.sse) {
                (Some(_), _) => Some(ServerSideEncryption::AwsKms),
                (None, Some(Encryption::Aes256)) => Some(ServerSideEncryption::Aes256),
                (None, None) => None,
            },
            last_seen: LastSeen::default(),
        })
    }

    /// The error of a request; its answer's `Date` tells whether our clock is at fault.
    fn failed<E>(
        &self,
        error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>,
        heard: &Heard,
    ) -> PutError
    where
        E: Error + ProvideErrorMetadata + 'static,
    {
        let ahead = self.last_seen.note(clock::ahead(heard.date().as_deref()));
        let error = put_error(error, &self.region).with_request_id(heard.request_id().as_deref());
        clock::judged(error, ahead, Some(clock::SIGNATURES))
    }
}

#[async_trait]
impl Store for S3Store {
    async fn put(&self, object: &Object) -> Result<Created, PutError> {
        let request = self
            .client
            .put_object()
            .bucket(&self.bucket)
            .key(object.key.as_str())
            .if_none_match("*")
            .content_type(object.content_type)
            .set_expected_bucket_owner(self.owner.clone())
            .set_request_payer(self.payer.clone())
            .set_acl(self.acl.clone())
            .set_server_side_encryption(self.encryption.clone())
            .set_ssekms_key_id(self.kms_key.clone())
            .set_storage_class(self.storage_class.clone())
            .set_content_md5(
                (self.checksum == Checksum::Md5).then(|| BASE64_STANDARD.encode(Md5::digest(&object.body))),
            )
            .set_checksum_algorithm(match self.checksum {
                Checksum::Md5 | Checksum::None => None,
                Checksum::Crc32 => Some(ChecksumAlgorithm::Crc32),
                Checksum::Crc32c => Some(ChecksumAlgorithm::Crc32C),
                Checksum::Sha256 => Some(ChecksumAlgorithm::Sha256),
            })
            // In memory: a streaming body would be sent as aws-chunked with trailers.
            .body(ByteStream::from(object.body.clone()));
        let request =
            object.metadata.iter().fold(request, |request, (name, value)| request.metadata(*name, value));
        let heard = Heard::default();
        match request.customize().interceptor(heard.clone()).send().await {
            Ok(_) => {
                self.last_seen.note(clock::ahead(heard.date().as_deref()));
                with_request_id(Created::by_s3(&heard.facts()), heard.request_id().as_deref())
            }
            Err(error) => Err(self.failed(&error, &heard)),
        }
    }

    async fn head(&self, key: &ObjectKey) -> Result<ObjectHead, PutError> {
        let request = self.client.head_object().bucket(&self.bucket).key(key.as_str());
        let request =
            request.set_expected_bucket_owner(self.owner.clone()).set_request_payer(self.payer.clone());
        let heard = Heard::default();
        let seen = request.customize().interceptor(heard.clone()).send().await;
        let seen = seen.map_err(|error| self.failed(&error, &heard))?;
        let S3Facts { status, etag, amz_header, .. } = heard.facts();
        if status != 200 || etag.is_empty() || !amz_header {
            return Err(unproved(status, "without the ETag and a header of S3's own"));
        }
        Ok(ObjectHead {
            content_sha256: seen.metadata().and_then(|all| all.get(CONTENT_SHA256)).cloned(),
            bytes: seen.content_length().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
        })
    }

    fn address(&self) -> Option<(String, u16)> {
        host_and_port(&self.endpoint)
    }

    fn clock_ahead(&self) -> Option<jiff::SignedDuration> {
        self.last_seen.get()
    }

    async fn get(&self, key: &OwnKey) -> Result<Bytes, PutError> {
        let request = self.client.get_object().bucket(&self.bucket).key(key.object().as_str());
        let request =
            request.set_expected_bucket_owner(self.owner.clone()).set_request_payer(self.payer.clone());
        let heard = Heard::default();
        let got = request.customize().interceptor(heard.clone()).send().await;
        let got = got.map_err(|error| self.failed(&error, &heard))?;
        let S3Facts { status, etag, amz_header, .. } = heard.facts();
        if status != 200 || etag.is_empty() || !amz_header {
            return Err(unproved(status, "without the ETag and a header of S3's own"));
        }
        let whole = got.content_length.and_then(|bytes| usize::try_from(bytes).ok());
        let body = got.body.collect().await.map_err(|error| {
            PutError::new(PutErrorKind::Unknown, format!("the object's bytes did not come: {error}"))
        })?;
        whole_answer(body.into_bytes(), whole)
    }

    async fn remove(&self, key: &OwnKey) -> Result<(), PutError> {
        let request = self.client.delete_object().bucket(&self.bucket).key(key.object().as_str());
        let request =
            request.set_expected_bucket_owner(self.owner.clone()).set_request_payer(self.payer.clone());
        let heard = Heard::default();
        let removed = request.customize().interceptor(heard.clone()).send().await;
        removed.map_err(|error| self.failed(&error, &heard))?;
        match heard.facts() {
            S3Facts { status: 200 | 204, page: false, .. } => Ok(()),
            S3Facts { status, .. } => Err(unproved(status, "instead of 204")),
        }
    }
}

/// An endpoint as Amazon's SDK takes it: the bucket is written right behind it where it stands in the path, and
/// the key behind a `/` of its own where it does not.
fn base(endpoint: &str, path_style: bool) -> String {
    let bare = endpoint.trim_end_matches('/');
    let has_path = bare.split_once("://").is_some_and(|(_, rest)| rest.contains('/'));
    if path_style && has_path { format!("{bare}/") } else { bare.to_owned() }
}

fn access_key(key: &AccessKey, opened: &Opened) -> Result<Credentials, OpenError> {
    let secret = secrets::resolve(&key.secret, opened)?;
    if secret.expose().contains(|c: char| !c.is_ascii_graphic()) {
        return Err(OpenError::Malformed {
            field: "credentials.access_key.secret",
            problem: "it holds a blank, a line break or a character outside ASCII".into(),
            fix: "store the secret access key alone, as AWS showed it",
        });
    }
    if is_amazons_id(secret.expose()) {
        return Err(OpenError::Malformed {
            field: "credentials.access_key.secret",
            problem: "it has the form of an access key's id".into(),
            fix: "give the id as the id and the secret as the secret: they are swapped, or the id was given twice",
        });
    }
    let token = key.session_token.as_ref().map(|token| secrets::resolve(token, opened)).transpose()?;
    let token = token.map(|token| token.expose().to_owned());
    Ok(Credentials::new(&key.id, secret.expose(), token, None, "auditferry destination"))
}

fn put_error<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>, region: &str) -> PutError
where
    E: Error + ProvideErrorMetadata + 'static,
{
    if let Some(answer) = error.raw_response() {
        let header = |name| answer.headers().get(name);
        return answered(&S3Response {
            status: answer.status().as_u16(),
            code: error.code().unwrap_or_default(),
            message: error.message().unwrap_or_default(),
            retry_after: header("retry-after"),
            bucket_region: header("x-amz-bucket-region"),
            region,
        });
    }
    if let Some(PutError { kind, message, .. }) = find::<PutError>(error) {
        return PutError::new(*kind, message);
    }
    if let Some(cause) = find::<CredentialsError>(error) {
        return credentials_error(cause);
    }
    if let Some(refused) = find::<EndpointError>(error) {
        return PutError::new(PutErrorKind::Misconfigured, refused.to_string());
    }
    let connecting = find::<hyper_util::client::legacy::Error>(error)
        .is_some_and(hyper_util::client::legacy::Error::is_connect);
    match error {
        SdkError::ConstructionFailure(_) => PutError::new(
            PutErrorKind::Misconfigured,
            format!("the request cannot be made: {}", root_cause(error)),
        ),
        _ if connecting => PutError::new(
            PutErrorKind::Unreachable,
            format!("cannot connect to the store: {}", root_cause(error)),
        ),
        _ => PutError::new(PutErrorKind::Unknown, format!("no answer from the store: {}", root_cause(error))),
    }
}

fn credentials_error(error: &CredentialsError) -> PutError {
    let kind = match error {
        CredentialsError::ProviderTimedOut(_) | CredentialsError::ProviderError(_) => {
            PutErrorKind::Unreachable
        }
        _ => PutErrorKind::Misconfigured,
    };
    PutError::new(kind, format!("the worker's own AWS identity cannot be read: {}", root_cause(error)))
}

/// What the store answered.
struct S3Response<'a> {
    status: u16,
    code: &'a str,
    message: &'a str,
    retry_after: Option<&'a str>,
    bucket_region: Option<&'a str>,
    region: &'a str,
}

fn answered(answer: &S3Response<'_>) -> PutError {
    let S3Response { status, code, message, region, .. } = *answer;
    let mut error = PutError::from_status(status, code, message).retry_after(answer.retry_after);
    if status < 300 {
        // Found by fuzzing: whatever its body says, the object may be there.
        error.kind = PutErrorKind::Unknown;
    } else if DENIED.contains(&code) {
        error.kind = PutErrorKind::Denied;
    } else if WRONG_REGION.contains(&code) || status == 301 {
        error.kind = PutErrorKind::Rejected;
        let named = answer.bucket_region.or_else(|| expected_region(message));
        let fix = match named.filter(|name| may_be_region(name)) {
            Some(right) if right != region => {
                format!(
                    "the bucket is in region {right:?} and the destination says {region:?}; set region = {right:?}"
                )
            }
            _ => format!("the bucket is not in region {region:?}; set region to the bucket's own"),
        };
        error.message = format!("{}; {fix}", error.message);
    } else if says_that_it_exists(code, message) {
        error.kind = PutErrorKind::Exists;
    } else if THROTTLED.contains(&code) {
        error.kind = PutErrorKind::Throttled;
    } else if status == 307 {
        // S3 took nothing.
        error.kind = PutErrorKind::Unreachable;
        let region_of = answer.bucket_region.filter(|name| may_be_region(name) && *name != region);
        let fix = match region_of {
            Some(right) => format!("the bucket is in region {right:?}; set region = {right:?}"),
            None => format!(
                "the store redirects to another place: the bucket is not in region {region:?}, or it is new and its DNS is \
                 not ready yet, which passes within a day"
            ),
        };
        error.message = format!("{}; {fix}", error.message);
    } else if code == "RequestTimeout" {
        error.kind = PutErrorKind::Unknown;
    }
    error
}

/// Refusals of stores that keep objects from being replaced before they look at the condition, which can
/// only be if an object stands there: MinIO (lock and legacy), Dell ECS, Alibaba OSS.
fn says_that_it_exists(code: &str, message: &str) -> bool {
    let message = message.to_ascii_lowercase();
    match code {
        "ObjectUnderRetention" | "FileAlreadyExists" | "FileImmutable" => true,
        "OperationAborted" => message.contains("object already exists"),
        "InvalidRequest" => message.contains("worm protected and cannot be overwritten"),
        _ => false,
    }
}

/// Found by fuzzing: what a store names may be anything, of any length.
fn may_be_region(name: &str) -> bool {
    name.len() <= 32 && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// From "the region 'us-east-1' is wrong; expecting 'eu-central-1'".
fn expected_region(message: &str) -> Option<&str> {
    message.split_once("expecting '")?.1.split_once('\'').map(|(region, _)| region)
}

#[cfg(test)]
mod tests;
