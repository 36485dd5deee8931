//! The files of the pages: built in, and served under an address that changes with their content.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use super::super::api::problem::Problem;
use auditferry_core::text::hex::hex;

/// An address is of one content for ever.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// How many hex digits of the hash are in an address.
const HASH_DIGITS: usize = 16;

/// A file.
pub(in crate::http) struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    hash: String,
}

impl Asset {
    fn new(name: &'static str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let mut hash = hex(&Sha256::digest(bytes));
        hash.truncate(HASH_DIGITS);
        Self { name, kind, bytes, hash }
    }

    /// Where it is.
    pub(in crate::http) fn path(&self) -> String {
        format!("/assets/{}/{}", self.hash, self.name)
    }

    /// With some headers of its own.
    pub(in crate::http) fn response(&self, cached: &'static str) -> Response {
        let mut response = self.bytes.into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
        response
    }
}

/// All files.
pub(in crate::http) struct Assets {
    /// The stylesheet.
    pub(in crate::http) style: Asset,
    /// htmx.
    pub(in crate::http) htmx: Asset,
    /// What htmx does not do.
    pub(in crate::http) script: Asset,
    /// The portal's own.
    pub(in crate::http) portal: Asset,
    /// What Audit Logs does besides.
    pub(in crate::http) logs: Asset,
    /// What a vendor's page loads to show the portal.
    pub(in crate::http) embed: Asset,
}

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new("style.css", CSS, include_bytes!("../../../assets/style.css")),
    htmx: Asset::new("htmx.js", JS, include_bytes!("../../../assets/htmx-2.0.11.min.js")),
    script: Asset::new("pages.js", JS, include_bytes!("../../../assets/pages.js")),
    portal: Asset::new("portal.js", JS, include_bytes!("../../../assets/portal.js")),
    logs: Asset::new("logs.js", JS, include_bytes!("../../../assets/logs.js")),
    embed: Asset::new("embed.js", JS, include_bytes!("../../../assets/embed.js")),
});

/// The files of the pages.
pub(in crate::http) fn assets() -> &'static Assets {
    &ASSETS
}

/// `GET /assets/{hash}/{name}`.
pub(super) async fn serve(Path((hash, name)): Path<(String, String)>) -> Response {
    let Assets { style, htmx, script, portal, logs, embed: _ } = assets();
    let all = [style, htmx, script, portal, logs];
    let found = all.into_iter().find(|asset| asset.name == name && asset.hash == hash);
    found.map_or_else(|| Problem::not_found().into_response(), |asset| asset.response(FOR_EVER))
}
