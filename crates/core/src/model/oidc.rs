//! What the claims of an OpenID Connect provider's token say: whether it is for us and in force, who has it, and
//! what it opens. That its signature is the provider's is known before.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::model::access::{Grant, Reach, Role};
use crate::model::account::AccountId;
use crate::model::actor::words;

/// Most characters of a subject.
///
/// Source: OpenID Connect Core 1.0, 2: "It MUST NOT exceed 255 ASCII characters in length."
const MAX_SUBJECT: usize = 255;

/// Claims whose text holds several values with blanks between them (RFC 8693, 4.2, and what Entra ID calls it).
const WITH_BLANKS: [&str; 2] = ["scope", "scp"];

/// Claims that only ID tokens have.
const OF_ID_TOKENS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// What every token is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Who must have issued it.
    pub issuer: String,
    /// How much the provider's clock may differ from ours.
    pub skew: SignedDuration,
}

/// What kind of token it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    /// An access token for the API, which this audience names.
    Access {
        /// What stands in `aud`.
        audience: &'a str,
    },
    /// An ID token of one log-in.
    Id {
        /// Ourselves, as the provider knows us.
        client: &'a str,
        /// What the log-in has asked to find in it.
        nonce: &'a str,
    },
}

/// Why a token is refused: for our log only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Another `iss`.
    #[error("iss is not the configured issuer")]
    Issuer,
    /// Another `aud`.
    #[error("aud does not name this service")]
    Audience,
    /// Another `azp`.
    #[error("azp is missing or names another client")]
    Party,
    /// `exp` has passed, or is missing.
    #[error("exp has passed or is missing")]
    Expired,
    /// `nbf` has not come.
    #[error("nbf has not come yet")]
    NotYet,
    /// `iat` has not come, or is missing.
    #[error("iat has not come yet, or is missing")]
    IssuedLater,
    /// `sub` is missing, or has no form.
    #[error("sub is missing, or too long, or not plain")]
    Subject,
    /// Another `nonce`.
    #[error("nonce is not that of the log-in")]
    Nonce,
    /// An ID token instead of an access token.
    #[error("it is an ID token; the API takes access tokens")]
    IdToken,
}

/// Checks the claims of a token, and gives its subject.
///
/// # Errors
/// The first claim that does not hold.
pub fn check(claims: &Value, expected: &Expected, kind: Kind<'_>, now: Timestamp) -> Result<String, Refused> {
    if claims["iss"].as_str() != Some(expected.issuer.as_str()) {
        return Err(Refused::Issuer);
    }
    let audience = values(&claims["aud"]);
    match kind {
        Kind::Access { audience: ours } => {
            if !audience.contains(&ours) {
                return Err(Refused::Audience);
            }
            if OF_ID_TOKENS.iter().any(|claim| !claims[*claim].is_null()) || claims["typ"] == "ID" {
                return Err(Refused::IdToken);
            }
        }
        Kind::Id { client, nonce } => {
            if !audience.contains(&client) {
                return Err(Refused::Audience);
            }
            // OpenID Connect Core 1.0, 3.1.3.7, 4 and 5.
            match &claims["azp"] {
                Value::Null if audience.len() == 1 => {}
                Value::String(party) if party == client => {}
                _ => return Err(Refused::Party),
            }
            if claims["nonce"].as_str() != Some(nonce) {
                return Err(Refused::Nonce);
            }
        }
    }
    in_force(claims, expected.skew, now)?;
    let subject = claims["sub"].as_str().unwrap_or_default();
    let plain = subject.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if subject.trim().is_empty() || subject.len() > MAX_SUBJECT || !plain {
        return Err(Refused::Subject);
    }
    Ok(subject.to_owned())
}

fn in_force(claims: &Value, skew: SignedDuration, now: Timestamp) -> Result<(), Refused> {
    let (skew, now) = (skew.as_secs_f64(), now.as_duration().as_secs_f64());
    // A NumericDate of RFC 7519 may have a fraction.
    let at = |claim: &str| claims[claim].as_f64().filter(|at| at.is_finite());
    if at("exp").is_none_or(|end| end + skew <= now) {
        return Err(Refused::Expired);
    }
    if !claims["nbf"].is_null() && at("nbf").is_none_or(|begin| begin - skew > now) {
        return Err(Refused::NotYet);
    }
    if at("iat").is_none_or(|issued| issued - skew > now) {
        return Err(Refused::IssuedLater);
    }
    Ok(())
}

/// The values of a claim that is a text or a list of texts.
fn values(claim: &Value) -> Vec<&str> {
    match claim {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Where a claim stands: a name, or one with dots for a claim within a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimPath(String);

impl ClaimPath {
    /// A path as it is written.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        match text.split('.').any(str::is_empty) || text.chars().any(|c| c.is_whitespace() || c.is_control())
        {
            true => Err("it is no name of a claim; write it like groups, or realm_access.roles"),
            false => Ok(Self(text.to_owned())),
        }
    }

    /// The claim of this name, which may hold dots itself (`https://example.com/roles`), or of this path.
    fn of<'v>(&self, claims: &'v Value) -> &'v Value {
        match claims.get(&self.0) {
            Some(claim) => claim,
            None => self.0.split('.').fold(claims, |value, name| &value[name]),
        }
    }

    fn values<'v>(&self, claims: &'v Value) -> Vec<&'v str> {
        let claim = self.of(claims);
        match claim.as_str().filter(|_| self.0.rsplit('.').next().is_some_and(|n| WITH_BLANKS.contains(&n))) {
            Some(text) => text.split(' ').collect(),
            None => values(claim),
        }
    }

    /// How it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What claims open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    /// The claim that holds roles or groups.
    pub claim: ClaimPath,
    /// The values that give each role.
    pub roles: BTreeMap<String, Role>,
    /// The claim that names the account of an account_admin.
    pub account: Option<ClaimPath>,
    /// The claim by which people are called.
    pub name: ClaimPath,
}

/// That somebody is known, and may do nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the claim {0} of this token holds no value that gives a role here")]
pub struct NoRole(pub String);

impl Mapping {
    /// What the claims open: of several roles the one that may do most. Values that are not mapped are passed over.
    ///
    /// # Errors
    /// When it is nothing.
    pub fn grant(&self, claims: &Value) -> Result<Grant, NoRole> {
        let given: Vec<Role> = self
            .claim
            .values(claims)
            .into_iter()
            .filter_map(|value| self.roles.get(value).copied())
            .collect();
        let grant = |role| match role {
            Role::AccountAdmin => {
                let reach = Reach::Only(BTreeSet::from([self.account_of(claims)?]));
                Some(Grant { role, reach })
            }
            role => Some(Grant { role, reach: Reach::All }),
        };
        let best = Role::ALL.into_iter().filter(|role| given.contains(role)).find_map(grant);
        best.ok_or_else(|| match (&self.account, given.contains(&Role::AccountAdmin)) {
            (Some(account), true) => NoRole(account.as_str().to_owned()),
            _ => NoRole(self.claim.as_str().to_owned()),
        })
    }

    /// The one account; of several, nobody can say which is meant.
    fn account_of(&self, claims: &Value) -> Option<AccountId> {
        match self.account.as_ref()?.values(claims)[..] {
            [one] => one.parse().ok(),
            _ => None,
        }
    }

    /// What somebody is called: by the claim that is set, else `preferred_username`, else the subject, which
    /// always stands with it, as only it tells people apart.
    #[must_use]
    pub fn name(&self, claims: &Value, subject: &str) -> String {
        let by = |claim: &ClaimPath| {
            // An address that nobody has verified may be another's.
            let unverified = claim.as_str() == "email" && claims["email_verified"] == false;
            let text = claim.of(claims).as_str().filter(|_| !unverified)?;
            words(text).ok().filter(|name| name.chars().count() <= 200)
        };
        let named = by(&self.name).or_else(|| by(&ClaimPath("preferred_username".to_owned())));
        match named {
            Some(name) => format!("{name} (subject {subject})"),
            None => format!("subject {subject}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn expected() -> Expected {
        Expected { issuer: "https://id.example".to_owned(), skew: SignedDuration::from_secs(60) }
    }

    fn claims() -> Value {
        json!({ "iss": "https://id.example", "aud": "auditferry", "sub": "ana", "exp": NOW + 300, "iat": NOW })
    }

    fn with(claim: &str, value: Value) -> Value {
        let mut claims = claims();
        claims[claim] = value;
        claims
    }

    fn access(claims: &Value) -> Result<String, Refused> {
        let now = Timestamp::from_second(NOW).expect("instant");
        check(claims, &expected(), Kind::Access { audience: "auditferry" }, now)
    }

    fn id(claims: &Value) -> Result<String, Refused> {
        let now = Timestamp::from_second(NOW).expect("instant");
        check(claims, &expected(), Kind::Id { client: "auditferry", nonce: "n" }, now)
    }

    #[test]
    fn a_token_is_for_us() {
        assert_eq!(access(&claims()).as_deref(), Ok("ana"));
        assert_eq!(access(&with("aud", json!(["other", "auditferry"]))).as_deref(), Ok("ana"));
        for (claim, value, why) in [
            ("iss", json!("https://id.example/"), Refused::Issuer),
            ("iss", Value::Null, Refused::Issuer),
            ("aud", json!("other"), Refused::Audience),
            ("aud", json!(["auditferry2"]), Refused::Audience),
            ("aud", Value::Null, Refused::Audience),
            ("sub", json!(""), Refused::Subject),
            ("sub", json!("a\nb"), Refused::Subject),
            ("sub", json!(7), Refused::Subject),
            ("nonce", json!("n"), Refused::IdToken),
            ("at_hash", json!("x"), Refused::IdToken),
            ("typ", json!("ID"), Refused::IdToken),
        ] {
            assert_eq!(access(&with(claim, value.clone())), Err(why), "{claim} {value}");
        }
    }

    #[test]
    fn the_clocks_may_differ_by_the_skew_and_no_more() {
        for (claim, in_force, not) in
            [("exp", NOW - 59, NOW - 60), ("nbf", NOW + 60, NOW + 61), ("iat", NOW + 60, NOW + 61)]
        {
            assert!(access(&with(claim, json!(in_force))).is_ok(), "{claim}");
            assert!(access(&with(claim, json!(not))).is_err(), "{claim}");
            assert!(access(&with(claim, json!("soon"))).is_err(), "{claim}");
        }
        assert_eq!(access(&with("exp", Value::Null)), Err(Refused::Expired));
        assert_eq!(access(&with("iat", Value::Null)), Err(Refused::IssuedLater));
        assert!(access(&with("exp", json!(1e300))).is_ok() && access(&with("iat", json!(1e300))).is_err());
    }

    #[test]
    fn an_id_token_is_of_one_log_in() {
        let good = with("nonce", json!("n"));
        assert_eq!(id(&good).as_deref(), Ok("ana"));
        assert_eq!(id(&claims()), Err(Refused::Nonce));
        assert_eq!(id(&with("nonce", json!("m"))), Err(Refused::Nonce));
        let mut several = good.clone();
        several["aud"] = json!(["auditferry", "other"]);
        assert_eq!(id(&several), Err(Refused::Party));
        several["azp"] = json!("auditferry");
        assert!(id(&several).is_ok());
        several["azp"] = json!("other");
        assert_eq!(id(&several), Err(Refused::Party));
    }

    fn mapping() -> Mapping {
        let roles = [("ops", Role::Operator), ("helpdesk", Role::Support), ("admin", Role::AccountAdmin)];
        Mapping {
            claim: ClaimPath::parse("realm_access.roles").expect("path"),
            roles: roles.map(|(value, role)| (value.to_owned(), role)).into(),
            account: Some(ClaimPath::parse("tenant").expect("path")),
            name: ClaimPath::parse("email").expect("path"),
        }
    }

    fn granted(roles: &Value, tenant: &Value) -> Result<Grant, NoRole> {
        mapping().grant(&json!({ "realm_access": { "roles": roles }, "tenant": tenant }))
    }

    #[test]
    fn the_role_that_may_do_most_counts() {
        let all = |role| Ok(Grant { role, reach: Reach::All });
        assert_eq!(granted(&json!(["helpdesk", "x", "ops"]), &Value::Null), all(Role::Operator));
        assert_eq!(granted(&json!("helpdesk"), &Value::Null), all(Role::Support));
        let acme = Reach::Only(["acme".parse().expect("id")].into());
        assert_eq!(
            granted(&json!(["admin"]), &json!("acme")),
            Ok(Grant { role: Role::AccountAdmin, reach: acme })
        );
        for tenant in [Value::Null, json!(""), json!(["acme", "beta"]), json!({})] {
            assert_eq!(granted(&json!(["admin"]), &tenant), Err(NoRole("tenant".to_owned())));
        }
        for roles in
            [Value::Null, json!([]), json!("op"), json!("helpdesk ops"), json!(["OPS"]), json!([["ops"]])]
        {
            assert_eq!(granted(&roles, &json!("acme")), Err(NoRole("realm_access.roles".to_owned())));
        }
    }

    #[test]
    fn a_claim_is_found_by_its_name_or_its_path() {
        let found = |path: &str, claims: Value| {
            let mapping = Mapping { claim: ClaimPath::parse(path).expect("path"), ..mapping() };
            mapping.grant(&claims).is_ok()
        };
        assert!(found("https://example.com/roles", json!({ "https://example.com/roles": ["ops"] })));
        assert!(found("a.b.c", json!({ "a": { "b": { "c": "ops" } } })));
        assert!(found("scope", json!({ "scope": "openid ops" })));
        assert!(!found("a.b", json!({ "a": "ops" })));
        for bad in ["", "a..b", ".a", "a b"] {
            assert!(ClaimPath::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn people_are_called_by_what_tells_them_apart() {
        let name = |claims: Value| mapping().name(&claims, "17");
        assert_eq!(name(json!({ "email": "ana@x.example" })), "ana@x.example (subject 17)");
        let unverified =
            json!({ "email": "boss@x.example", "email_verified": false, "preferred_username": "ana" });
        assert_eq!(name(unverified), "ana (subject 17)");
        assert_eq!(name(json!({ "email": "a\nb" })), "subject 17");
    }
}
