//! An OpenID Connect provider on loopback, with real keys, that does what it is told: also to lie, to be slow and
//! to break off.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKey, KeySize};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use futures::StreamExt as _;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// The client that is registered, and its secret.
pub const CLIENT: &str = "auditferry client";
pub const SECRET: &str = "hush&ClientSecretThatNobodyMaySeeCANARY";
/// What stands in `aud` of access tokens.
pub const AUDIENCE: &str = "https://exports.example";

/// How it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    Well,
    /// The connection ends in the middle of the answer.
    BreaksOff,
    /// No answer comes.
    Silent,
    /// The answer never ends.
    Endless,
    /// It sends elsewhere.
    Redirects,
    /// HTTP 500.
    Fails,
}

/// What is told of a code.
struct Code {
    challenge: String,
    redirect: String,
    claims: Value,
    used: bool,
}

pub enum Key {
    Rsa(Box<RsaKey>),
    Ec(Box<EcdsaKeyPair>),
}

struct Inner {
    issuer: String,
    named: String,
    keys: BTreeMap<String, Arc<Key>>,
    published: Vec<String>,
    mood: Mood,
    token_mood: Mood,
    asked: usize,
    codes: BTreeMap<String, Code>,
    /// Replaces claims of the next ID token.
    replaced: Value,
    ends_sessions: bool,
    /// Codes, verifiers, tokens: what no log may hold.
    secrets: Vec<String>,
}

#[derive(Clone)]
pub struct Issuer(Arc<Mutex<Inner>>);

fn encoded(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("clock").as_secs().try_into().expect("seconds")
}

/// Of a key of 2,048 bits, in the DER of PKCS #1: two heads of four bytes, a zero, the modulus, the exponent 65537.
fn modulus(key: &RsaKey) -> &[u8] {
    &key.public_key().as_ref()[9..265]
}

impl Key {
    pub fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKey::generate(KeySize::Rsa2048).expect("key")))
    }

    pub fn ec() -> Self {
        Self::Ec(Box::new(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("key")))
    }

    fn alg(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RS256",
            Self::Ec(_) => "ES256",
        }
    }

    fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::Rsa(key) => {
                json!({ "kty": "RSA", "use": "sig", "kid": kid, "alg": "RS256",
                    "n": encoded(modulus(key)), "e": "AQAB" })
            }
            Self::Ec(key) => {
                let (x, y) = key.public_key().as_ref()[1..].split_at(32);
                json!({ "kty": "EC", "crv": "P-256", "kid": kid, "x": encoded(x), "y": encoded(y) })
            }
        }
    }

    /// Signs, with a header that may say anything.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let signed = format!("{}.{}", encoded(header.to_string()), encoded(claims.to_string()));
        let random = SystemRandom::new();
        let signature = match self {
            Self::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).expect("signs");
                signature
            }
            Self::Ec(key) => key.sign(&random, signed.as_bytes()).expect("signs").as_ref().to_vec(),
        };
        format!("{signed}.{}", encoded(signature))
    }

    /// The modulus of an RSA key, for those who take it for a secret.
    pub fn modulus(&self) -> Vec<u8> {
        match self {
            Self::Rsa(key) => modulus(key).to_vec(),
            Self::Ec(_) => Vec::new(),
        }
    }
}

impl Issuer {
    /// Starts one with an RSA key `rsa` and an EC key `ec`.
    pub async fn start() -> Self {
        Self::start_at(tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("port")).await
    }

    /// The same, on a port that may have been free until now.
    pub async fn start_on(port: u16) -> Self {
        Self::start_at(tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("port")).await
    }

    async fn start_at(listener: tokio::net::TcpListener) -> Self {
        let address: SocketAddr = listener.local_addr().expect("address");
        let issuer = format!("http://{address}/realms/ops");
        let keys = [("rsa", Key::rsa()), ("ec", Key::ec())];
        let this = Self(Arc::new(Mutex::new(Inner {
            named: issuer.clone(),
            issuer,
            published: keys.iter().map(|(kid, _)| (*kid).to_owned()).collect(),
            keys: keys.into_iter().map(|(kid, key)| (kid.to_owned(), Arc::new(key))).collect(),
            mood: Mood::Well,
            token_mood: Mood::Well,
            asked: 0,
            codes: BTreeMap::new(),
            replaced: json!({}),
            ends_sessions: true,
            secrets: vec![SECRET.to_owned()],
        })));
        let router = Router::new()
            .route("/realms/ops/.well-known/openid-configuration", get(discovery))
            .route("/realms/ops/keys", get(keys_of))
            .route("/realms/ops/token", post(token))
            .route("/elsewhere", get(|| async { "elsewhere" }))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        this
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("state")
    }

    pub fn url(&self) -> String {
        self.lock().issuer.clone()
    }

    /// Names another issuer in its discovery document.
    pub fn names(&self, issuer: &str) {
        self.lock().named = issuer.to_owned();
    }

    pub fn mood(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// The mood of the token endpoint alone.
    pub fn token_mood(&self, mood: Mood) {
        self.lock().token_mood = mood;
    }

    /// How often its keys were asked for.
    pub fn asked(&self) -> usize {
        self.lock().asked
    }

    pub fn key(&self, kid: &str) -> Arc<Key> {
        Arc::clone(&self.lock().keys[kid])
    }

    /// Publishes a key, also in the place of another.
    pub fn publish(&self, kid: &str, key: Key) {
        let mut inner = self.lock();
        inner.keys.insert(kid.to_owned(), Arc::new(key));
        inner.published.retain(|other| other != kid);
        inner.published.push(kid.to_owned());
    }

    /// Publishes a key no longer.
    pub fn withdraw(&self, kid: &str) {
        self.lock().published.retain(|other| other != kid);
    }

    /// What the next ID tokens say otherwise.
    pub fn replaces(&self, claims: Value) {
        self.lock().replaced = claims;
    }

    /// The claims of an access token that is in force.
    pub fn claims(&self, subject: &str, roles: &[&str]) -> Value {
        json!({ "iss": self.url(), "aud": AUDIENCE, "sub": subject, "exp": now() + 300, "iat": now(),
            "email": format!("{subject}@vendor.example"), "realm_access": { "roles": roles } })
    }

    /// Signs claims with a key of its own.
    pub fn sign(&self, kid: &str, claims: &Value) -> String {
        let key = self.key(kid);
        let token = key.sign(&json!({ "alg": key.alg(), "kid": kid }), claims);
        self.lock().secrets.push(token.clone());
        token
    }

    /// An access token.
    pub fn token(&self, subject: &str, roles: &[&str]) -> String {
        self.sign("rsa", &self.claims(subject, roles))
    }

    /// Somebody logs in where a browser was sent: the URL to which it is sent back.
    pub fn logs_in(&self, sent_to: &str, subject: &str, roles: &[&str]) -> String {
        let url = url::Url::parse(sent_to).expect("URL");
        let asked: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        assert!(sent_to.starts_with(&format!("{}/login?", self.url())), "{sent_to}");
        assert_eq!((asked["response_type"].as_str(), asked["client_id"].as_str()), ("code", CLIENT));
        assert_eq!(asked["code_challenge_method"], "S256");
        let code = format!(
            "code{}CANARY",
            encoded(aws_lc_rs::rand::generate::<[u8; 16]>(&SystemRandom::new()).expect("random").expose())
        );
        let mut claims = self.claims(subject, roles);
        claims["aud"] = CLIENT.into();
        claims["nonce"] = asked["nonce"].clone().into();
        let mut inner = self.lock();
        inner.secrets.push(code.clone());
        let told = Code {
            challenge: asked["code_challenge"].clone(),
            redirect: asked["redirect_uri"].clone(),
            claims,
            used: false,
        };
        inner.codes.insert(code.clone(), told);
        let mut back = url::Url::parse(&asked["redirect_uri"]).expect("redirect");
        back.query_pairs_mut()
            .append_pair("code", &code)
            .append_pair("state", &asked["state"])
            .append_pair("iss", &inner.issuer);
        back.into()
    }

    /// What no log may hold.
    pub fn secrets(&self) -> Vec<String> {
        self.lock().secrets.clone()
    }

    /// Settings of auditferry for this provider.
    pub fn settings(&self) -> Vec<(String, String)> {
        settings(&self.url())
    }
}

/// The same for one that may not be there yet.
pub fn settings(issuer: &str) -> Vec<(String, String)> {
    [
        ("ISSUER", issuer),
        ("AUDIENCE", AUDIENCE),
        ("CLIENT_ID", CLIENT),
        ("CLIENT_SECRET", "env:OIDC_SECRET"),
        ("CLAIM", "realm_access.roles"),
        ("ACCOUNT_CLAIM", "tenant"),
        ("ROLES__OPERATOR", "ops"),
        ("ROLES__SUPPORT", "helpdesk"),
        ("ROLES__ACCOUNT_ADMIN", "admin"),
        ("ROLES__READER", "auditors,viewers"),
    ]
    .into_iter()
    .map(|(name, value)| (format!("AUDITFERRY__API__OIDC__{name}"), value.to_owned()))
    .chain([("OIDC_SECRET".to_owned(), SECRET.to_owned())])
    .collect()
}

async fn in_mood(mood: Mood, well: impl FnOnce() -> Response) -> Response {
    match mood {
        Mood::Well => well(),
        Mood::BreaksOff => {
            let parts = [Ok(Bytes::from_static(b"{\"issuer\":")), Err(std::io::Error::other("broken off"))];
            Body::from_stream(futures::stream::iter(parts)).into_response_of_json()
        }
        Mood::Silent => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::OK.into_response()
        }
        Mood::Endless => {
            let chunk = futures::stream::repeat(Bytes::from(vec![b' '; 64 * 1024]));
            Body::from_stream(chunk.map(Ok::<_, std::io::Error>)).into_response_of_json()
        }
        Mood::Redirects => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, "/elsewhere")]).into_response()
        }
        Mood::Fails => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

trait OfJson {
    fn into_response_of_json(self) -> Response;
}

impl OfJson for Body {
    fn into_response_of_json(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self).into_response()
    }
}

async fn discovery(State(issuer): State<Issuer>) -> Response {
    let (mood, named, at, ends) = {
        let inner = issuer.lock();
        (inner.mood, inner.named.clone(), inner.issuer.clone(), inner.ends_sessions)
    };
    in_mood(mood, || {
        let mut document = json!({
            "issuer": named, "jwks_uri": format!("{at}/keys"), "authorization_endpoint": format!("{at}/login"),
            "token_endpoint": format!("{at}/token"), "authorization_response_iss_parameter_supported": true,
        });
        if ends {
            document["end_session_endpoint"] = format!("{at}/logout").into();
        }
        axum::Json(document).into_response()
    })
    .await
}

async fn keys_of(State(issuer): State<Issuer>) -> Response {
    let mood = {
        let mut inner = issuer.lock();
        inner.asked += 1;
        inner.mood
    };
    in_mood(mood, || {
        let inner = issuer.lock();
        let keys: Vec<Value> = inner.published.iter().map(|kid| inner.keys[kid].jwk(kid)).collect();
        axum::Json(json!({ "keys": keys })).into_response()
    })
    .await
}

async fn token(State(issuer): State<Issuer>, headers: HeaderMap, body: Bytes) -> Response {
    let mood = issuer.lock().token_mood;
    in_mood(mood, || issuer.redeem(&headers, &body)).await
}

impl Issuer {
    fn redeem(&self, headers: &HeaderMap, body: &[u8]) -> Response {
        let refuse =
            |error: &str| (StatusCode::BAD_REQUEST, axum::Json(json!({ "error": error }))).into_response();
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let basic =
            format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", encode(CLIENT), encode(SECRET))));
        if headers.get("authorization").is_none_or(|value| value != basic.as_str()) {
            return refuse("invalid_client");
        }
        let form: BTreeMap<String, String> = url::form_urlencoded::parse(body).into_owned().collect();
        let field = |name: &str| form.get(name).cloned().unwrap_or_default();
        let claims = {
            let mut inner = self.lock();
            inner.secrets.push(field("code_verifier"));
            let replaced = inner.replaced.clone();
            let Some(code) = inner.codes.get_mut(&field("code")).filter(|code| !code.used) else {
                return refuse("invalid_grant");
            };
            code.used = true;
            let challenge = encoded(Sha256::digest(field("code_verifier")));
            if challenge != code.challenge || field("redirect_uri") != code.redirect {
                return refuse("invalid_grant");
            }
            let mut claims = code.claims.clone();
            for (claim, value) in replaced.as_object().expect("claims") {
                claims[claim.as_str()] = value.clone();
            }
            claims
        };
        let token = self.sign("ec", &claims);
        axum::Json(json!({ "id_token": token, "access_token": "x", "token_type": "Bearer" })).into_response()
    }
}
