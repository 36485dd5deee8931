//! Sessions of a customer's role, for as long as its trust policy keeps everybody else out.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, future};
use aws_sdk_s3::config::{Credentials, IdentityCache, SharedIdentityCache};

use crate::base::aws::{Assume, StsError, WorkerAws};
use crate::store::OpenError;
use auditferry_core::model::destination::{self, AssumeRole};
use auditferry_core::store::{PutError, PutErrorKind};

/// So long before its end a session is replaced by another; the SDK takes up to half of it
/// off. The shortest session lasts 15 minutes.
const EARLY: Duration = Duration::from_secs(10 * 60);

/// How long a session is waited for: three requests to STS.
const LOAD_TIMEOUT: Duration = Duration::from_secs(60);

/// Keeps one session, and renews it in time.
pub(super) fn cache() -> SharedIdentityCache {
    IdentityCache::lazy().buffer_time(EARLY).load_timeout(LOAD_TIMEOUT).build()
}

/// Sessions of one role.
pub(super) struct RoleSessions {
    aws: WorkerAws,
    role: AssumeRole,
    external_id: String,
    session_name: String,
    /// Whether it was tried that the role keeps others out.
    tried: AtomicBool,
}

impl RoleSessions {
    /// Sends nothing yet.
    pub(super) fn new(role: &AssumeRole, aws: WorkerAws) -> Result<Self, OpenError> {
        let (Some(external_id), Some(session_name)) = (role.external_id.clone(), role.session_name.clone())
        else {
            return Err(OpenError::Malformed {
                field: "credentials.assume_role.external_id",
                problem: "it is missing".to_owned(),
                fix: "set the destination again: auditferry adds the account's own",
            });
        };
        let tried = AtomicBool::new(false);
        Ok(Self { aws, role: role.clone(), external_id, session_name, tried })
    }

    async fn session(&self) -> Result<Credentials, PutError> {
        let session = self.assume(Some(&self.external_id)).await.map_err(|error| self.sorted(&error))?;
        if !self.tried.load(Ordering::Relaxed) {
            self.keeps_others_out().await?;
            self.tried.store(true, Ordering::Relaxed);
        }
        Ok(session)
    }

    async fn assume(&self, external_id: Option<&str>) -> Result<Credentials, StsError> {
        let session_name = &self.session_name;
        let asked =
            Assume { role_arn: &self.role.role_arn, external_id, session_name, seconds: self.role.seconds() };
        self.aws.assume(&asked).await
    }

    /// Tries to get in as another customer's account would: with another external id, and
    /// without one. Nobody uses what comes of it.
    async fn keeps_others_out(&self) -> Result<(), PutError> {
        let random = destination::external_id(uuid::Uuid::new_v4().as_bytes());
        for (other, how) in
            [(Some(random.as_str()), "with any external id"), (None, "without an external id")]
        {
            match self.assume(other).await {
                Err(StsError::Denied(_)) => {}
                Err(error) => return Err(self.sorted(&error)),
                Ok(_) => {
                    return Err(PutError::new(
                        PutErrorKind::Rejected,
                        format!(
                            "the role {} can be assumed {how}, so that every account of auditferry could use it; add \
                             the condition {{\"StringEquals\":{{\"sts:ExternalId\":\"{}\"}}}} to each statement of \
                             its trust policy that allows sts:AssumeRole to the worker",
                            self.role.role_arn, self.external_id
                        ),
                    ));
                }
            }
        }
        Ok(())
    }

    fn sorted(&self, error: &StsError) -> PutError {
        let kind = match error {
            StsError::Denied(_) => PutErrorKind::InvalidCredentials,
            StsError::Rejected(_) => PutErrorKind::Rejected,
            StsError::Throttled(_) => PutErrorKind::Throttled,
            StsError::Clock(_) => PutErrorKind::Clock,
            // Nothing has reached the bucket, and the customer can do nothing about it.
            StsError::Own(_) | StsError::Away(_) => PutErrorKind::Unreachable,
        };
        PutError::new(kind, format!("the role {} cannot be assumed: {error}", self.role.role_arn))
    }
}

impl std::fmt::Debug for RoleSessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RoleSessions").field("role", &self.role.role_arn).finish_non_exhaustive()
    }
}

impl ProvideCredentials for RoleSessions {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let session: std::pin::Pin<Box<dyn Future<Output = provider::Result> + Send + 'a>> =
            Box::pin(async { self.session().await.map_err(CredentialsError::provider_error) });
        future::ProvideCredentials::new(session)
    }
}
