//! The pages: HTML for people, rendered here, working without script. They call the same operations as the API and
//! the command line, and decide nothing.

use axum::Router;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;

pub(in crate::http) mod assets;
pub(in crate::http) mod console;
pub(in crate::http) mod fault;
pub(in crate::http) mod forms;
pub(in crate::http) mod frame;
pub(in crate::http) mod parts;
mod sign_in_page;
pub(in crate::http) mod strip;
pub(in crate::http) mod words;

use self::fault::{Fault, shown};
use self::frame::{Frame, Policy, secured};
use super::api::problem::Problem;
use super::sign_in::{self, SignIn};

/// All routes for browsers.
pub(super) fn routes(sign_in: &SignIn) -> Router {
    let forms = sign_in.api.provider.as_ref().map(crate::oidc::Provider::origin).into_iter().collect();
    let policy = Policy { ancestors: [].into(), forms, secure: sign_in.is_secure() };
    Router::new()
        .merge(sign_in::routes(sign_in.clone()).layer(from_fn(problems_as_pages)))
        .merge(sign_in_page::routes(sign_in.clone()))
        .merge(console::routes(sign_in))
        .route("/assets/{hash}/{name}", get(assets::serve))
        .fallback(nothing)
        .layer(from_fn(move |request: Request, next: Next| secured(policy.clone(), request, next)))
}

/// Whether somebody reads the answer, and no program.
fn wants_html(request: &Request) -> bool {
    let accept = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

/// What is nowhere: a page for people, a problem document for programs.
async fn nothing(request: Request) -> Response {
    let problem = Problem::not_found();
    if wants_html(&request) { shown(&Frame::of(&request), None, &problem) } else { problem.into_response() }
}

/// Shows people what went wrong as a page. Programs get the problem document.
async fn problems_as_pages(request: Request, next: Next) -> Response {
    let frame = wants_html(&request).then(|| Frame::of(&request));
    let response = next.run(request).await;
    match (frame, response.extensions().get::<Problem>()) {
        (Some(frame), Some(problem)) => shown(&frame, None, problem),
        _ => response,
    }
}

/// Sends a browser to a page of ours.
pub(in crate::http) fn to(path: &str) -> Response {
    match axum::http::HeaderValue::from_str(path) {
        Ok(path) => (StatusCode::SEE_OTHER, [(header::LOCATION, path)]).into_response(),
        Err(_) => Fault::from(Problem::internal()).into_response(),
    }
}
