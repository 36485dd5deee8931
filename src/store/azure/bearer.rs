//! Puts an access token into each request of Microsoft's crate.

use std::sync::Arc;

use async_trait::async_trait;
use azure_core::http::policies::{Policy, PolicyResult};
use azure_core::http::{Context, Request};

use crate::secrets::Secret;

/// The last step before the transport.
pub(super) struct BearerPolicy(pub(super) Secret);

impl std::fmt::Debug for BearerPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BearerPolicy").finish_non_exhaustive()
    }
}

#[async_trait]
impl Policy for BearerPolicy {
    async fn send(&self, ctx: &Context, request: &mut Request, next: &[Arc<dyn Policy>]) -> PolicyResult {
        request.insert_header("authorization", format!("Bearer {}", self.0.expose()));
        match next {
            [following, rest @ ..] => following.send(ctx, request, rest).await,
            [] => Err(azure_core::Error::with_message(
                azure_core::error::ErrorKind::Credential,
                "no transport follows the token",
            )),
        }
    }
}
