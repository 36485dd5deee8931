//! The Export Center: whether files arrive in the customer's bucket, and setting that bucket up.

use axum::Router;
use axum::routing::{get, post};

mod center;
mod fields;
mod guide;
mod set_up;
mod steps;

use super::Portal;
use super::visitor::Needs;
use auditferry_core::model::portal::Capability;

/// Where a destination is set up.
pub(super) const SET_UP: &str = "/portal/export/setup";

pub(super) fn routes(portal: &Portal) -> Router<Portal> {
    let reads = Needs::Capability(Capability::ExportRead);
    let manages = Needs::Capability(Capability::ExportManage);
    Router::new()
        .merge(portal.guarded(reads, "/portal/export", get(center::show)))
        .merge(portal.guarded(manages, SET_UP, get(set_up::show).post(set_up::test)))
        .merge(portal.guarded(manages, "/portal/export/setup/steps", get(set_up::steps)))
        .merge(portal.guarded(manages, "/portal/export/setup/again", post(set_up::again)))
        .merge(portal.guarded(manages, "/portal/export/setup/save", post(set_up::save)))
        .merge(portal.guarded(manages, "/portal/export/setup/external-id", post(set_up::external_id)))
        .merge(portal.guarded(manages, "/portal/export/proof", post(set_up::prove)))
}
