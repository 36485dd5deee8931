//! The document of the API: what all requests have in common is said here, once.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, Required, Response, ResponseBuilder};

use super::accounts::Order;
use super::destination::MayChange;
use super::problem::ProblemBody;

/// What stands there whatever the requests are.
#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "auditferry",
        description = "Delivers every account's audit log to the account's own bucket, on schedule. This API does what the command line does."
    ),
    servers((url = "/api/v1")),
    tags(
        (name = "accounts", description = "Accounts, their add-on, and what gets an export going again"),
        (name = "destination", description = "Where an account's objects go"),
        (name = "history", description = "Windows, deliveries, attempts, changes"),
        (name = "notifications", description = "Who is told of what, and what they were told"),
        (name = "portal", description = "Links to the pages of a customer's admins, and their sessions"),
        (name = "installation", description = "Status, tokens, keys")
    ),
    components(schemas(MayChange, Order, ProblemBody)),
    security(("token" = []))
)]
pub(super) struct Document;

/// The account that a path names.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct AccountPath {
    /// The account's id
    #[param(min_length = 1, max_length = 200)]
    account: String,
}

/// What the client has seen of what it changes.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct IfMatch {
    /// The ETag that was read, or `*`
    #[param(rename = "If-Match", pattern = r#"^(\*|"r[0-9]{1,18}")$"#)]
    seen: String,
}

/// The same, where it may be left out.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "only its description is used")]
pub(super) struct IfMatchIfAny {
    /// The ETag that was read, or `*`
    #[param(rename = "If-Match", pattern = r#"^(\*|"r[0-9]{1,18}")$"#)]
    seen: Option<String>,
}

/// The document of the routes, with what every request may be answered, how a token is sent, and the key that
/// every write takes.
pub(super) fn described(mut document: OpenApi) -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token from `auditferry token create`, or an access token of the OpenID Connect provider",
        ))
        .build();
    let components = document.components.get_or_insert_default();
    components.security_schemes.insert("token".to_owned(), SecurityScheme::Http(bearer).into());
    for item in document.paths.paths.values_mut() {
        let PathItem { get, put, post, delete, .. } = item;
        for operation in [&mut *put, post, delete].into_iter().flatten() {
            operation.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
        }
        for operation in [get, put, post, delete].into_iter().flatten() {
            answer_problems(operation);
        }
    }
    document
}

fn answer_problems(operation: &mut Operation) {
    for status in ["4XX", "5XX"] {
        operation.responses.responses.insert(status.to_owned(), RefOr::T(problem()));
    }
}

fn problem() -> Response {
    let body = Content::new(Some(Ref::from_schema_name("ProblemBody")));
    ResponseBuilder::new().content("application/problem+json", body).build()
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(255))
        .pattern(Some("^[!-~]+$"));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some("Makes the request once, however often it comes"))
        .required(Required::False)
        .schema(Some(text))
        .build()
}
