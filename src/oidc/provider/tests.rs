use serde_json::json;

use super::*;
use crate::base::clock::ManualClock;
use crate::store::Proxy;

/// A provider where nobody answers.
fn away(clock: &ManualClock) -> Provider {
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let settings = format!(
        r#"
        issuer = "http://{}/realm"
        audience = "us"
        client_id = ""
        client_secret = ""
        claim = "roles"
        account_claim = ""
        name_claim = "email"
        clock_skew = "60s"
        refresh = "1h"
        roles = {{ operator = ["ops"], support = [], account_admin = [], reader = [] }}
        "#,
        port.expect("a port")
    );
    let settings: OidcSettings = toml::from_str(&settings).expect("settings");
    let dialer = Dialer::new(Network::loopback(), std::time::Duration::from_secs(1), Proxy::None);
    let provider = Provider::new(&settings, &dialer.expect("dialer"), Arc::new(clock.clone()));
    provider.expect("settings").expect("a provider")
}

#[tokio::test]
async fn keys_of_a_provider_that_is_away_are_used_for_a_day() {
    let began: Timestamp = "2026-11-30T00:00:00Z".parse().expect("instant");
    let clock = ManualClock::at(began);
    let provider = away(&clock);
    // Source: RFC 7517, A.1.
    let keys = json!({ "keys": [{ "kty": "EC", "crv": "P-256", "kid": "1",
        "x": "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4", "y": "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM" }] });
    let known = Known {
        authorization: None,
        token: None,
        end_session: None,
        names_itself: false,
        secret_in_body: false,
        keys: KeySet::parse(&keys).expect("keys"),
        asked_at: began,
    };
    *provider.0.known.write().expect("known") = Some(Arc::new(known));
    for (hours, used) in [(0, true), (2, true), (23, true), (24, false), (25, false), (24 * 365, false)] {
        clock.set(began + SignedDuration::from_hours(hours));
        assert_eq!(provider.known().await.is_some(), used, "after {hours} h");
    }
    // Nor those of a moment that the clock has not come to.
    clock.set(began - SignedDuration::from_hours(25));
    assert!(provider.known().await.is_none());
}
