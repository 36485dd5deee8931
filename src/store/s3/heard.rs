//! What S3 answered beyond what Amazon's SDK hands on: its output has no status, and none of its
//! checks asks whether it was S3 at all.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_sdk_s3::config::ConfigBag;
use aws_sdk_s3::config::interceptors::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_s3::error::BoxError;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use auditferry_core::store::S3Facts;

/// What the names of checksums begin with.
const CHECKSUM: &str = "x-amz-checksum-";

/// Hears one request and its answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// Names and values of the checksums that were sent.
    sent: Vec<(String, String)>,
    facts: S3Facts,
    /// The value of `Date`.
    date: Option<String>,
    /// What S3 calls the request.
    request_id: Option<String>,
}

impl Heard {
    /// What was heard.
    pub(super) fn facts(&self) -> S3Facts {
        self.lock().facts.clone()
    }

    /// When the answer was given, by the store's clock.
    pub(super) fn date(&self) -> Option<String> {
        self.lock().date.clone()
    }

    /// S3's two ids of the request, of which its support wants both.
    pub(super) fn request_id(&self) -> Option<String> {
        self.lock().request_id.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[dyn_dispatch_hint]
impl Intercept for Heard {
    fn name(&self) -> &'static str {
        "Heard"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let sums = context.request().headers().iter().filter(|(name, _)| name.starts_with(CHECKSUM));
        self.lock().sent = sums.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let mut state = self.lock();
        state.facts = facts(&state.sent, context.response());
        state.request_id = request_id(context.response());
        state.date = context.response().headers().get("date").map(str::to_owned);
        Ok(())
    }
}

fn request_id(response: &HttpResponse) -> Option<String> {
    let ids = ["x-amz-request-id", "x-amz-id-2"].map(|name| response.headers().get(name));
    let ids: Vec<&str> = ids.into_iter().flatten().collect();
    (!ids.is_empty()).then(|| ids.join(" "))
}

fn facts(sent: &[(String, String)], response: &HttpResponse) -> S3Facts {
    let header = |name: &str| response.headers().get(name).unwrap_or_default();
    let is_page = header("content-type").trim_start().starts_with("text/html");
    let is_empty = response.body().bytes().is_none_or(<[u8]>::is_empty);
    let other = |(name, sum): &(String, String)| {
        response.headers().get(name.as_str()).is_some_and(|confirmed| confirmed != sum)
    };
    S3Facts {
        status: response.status().as_u16(),
        etag: header("etag").trim_matches(['"', ' ']).to_owned(),
        // Some servers say of nothing that it is a page.
        page: is_page && !is_empty,
        other_checksum: sent.iter().any(other),
        amz_header: response.headers().iter().any(|(name, _)| name.starts_with("x-amz-")),
    }
}
