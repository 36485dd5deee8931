//! `/portal/embed.js`: what a vendor's page loads to show the portal in a frame.

use axum::response::Response;

use crate::http::pages::assets::assets;

/// Its address stays, so that vendors write it once: a browser asks again after an hour.
const AN_HOUR: &str = "public, max-age=3600";

pub(super) async fn script() -> Response {
    assets().embed.response(AN_HOUR)
}
