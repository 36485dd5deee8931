use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::base::aws::bounded::tests::{BUFFERS, endless};
use crate::base::clock::ManualClock;

/// Gives `t1`, `t2` and so on, each for an hour, unless it is away.
struct Service {
    clock: ManualClock,
    asked: Arc<AtomicU32>,
    away_from: u32,
}

#[async_trait]
impl Exchange for Service {
    async fn exchange(&self) -> Result<Token, PutError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        tokio::task::yield_now().await;
        if number >= self.away_from {
            return Err(PutError::new(PutErrorKind::Unreachable, "away"));
        }
        let ends = self.clock.now() + SignedDuration::from_hours(1);
        Ok(Token { value: Secret::new(format!("t{number}")), ends })
    }
}

fn tokens(away_from: u32) -> (Arc<Tokens>, ManualClock, Arc<AtomicU32>) {
    let clock = ManualClock::at("2026-11-21T04:00:00Z".parse().expect("instant"));
    let asked = Arc::new(AtomicU32::new(0));
    let service = Service { clock: clock.clone(), asked: Arc::clone(&asked), away_from };
    let patience = Duration::from_secs(60);
    (Arc::new(Tokens::new(service, Arc::new(clock.clone()), patience)), clock, asked)
}

async fn value(tokens: &Tokens) -> String {
    tokens.get().await.unwrap_or_else(|error| panic!("{error}")).expose().to_owned()
}

#[tokio::test]
async fn many_who_come_at_once_ask_once() {
    let (tokens, _, asked) = tokens(u32::MAX);
    let all = (0..20).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { value(&tokens).await })
    });
    for task in all.collect::<Vec<_>>() {
        assert_eq!(task.await.expect("task"), "t1");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_is_renewed_shortly_before_its_end() {
    let (tokens, clock, _) = tokens(u32::MAX);
    assert_eq!(value(&tokens).await, "t1");
    clock.set("2026-11-21T04:54:59Z".parse().expect("instant"));
    assert_eq!(value(&tokens).await, "t1");
    clock.set("2026-11-21T04:55:00Z".parse().expect("instant"));
    assert_eq!(value(&tokens).await, "t2");
}

#[tokio::test]
async fn while_the_service_is_away_a_token_does_until_its_end() {
    let (tokens, clock, asked) = tokens(2);
    assert_eq!(value(&tokens).await, "t1");
    clock.set("2026-11-21T04:59:59Z".parse().expect("instant"));
    assert_eq!(value(&tokens).await, "t1");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    clock.set("2026-11-21T05:00:00Z".parse().expect("instant"));
    let error = tokens.get().await.err().expect("refused");
    assert_eq!((error.kind, error.message.as_str()), (PutErrorKind::Unreachable, "away"));
}

/// A service that never answers, and counts.
struct Silent(Arc<AtomicU32>);

#[async_trait]
impl Exchange for Silent {
    async fn exchange(&self) -> Result<Token, PutError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        std::future::pending().await
    }
}

#[tokio::test]
async fn who_waits_behind_others_is_told_in_time_too() {
    let clock = ManualClock::at("2026-11-21T04:00:00Z".parse().expect("instant"));
    let asked = Arc::new(AtomicU32::new(0));
    let silent = Silent(Arc::clone(&asked));
    let tokens = Arc::new(Tokens::new(silent, Arc::new(clock), Duration::from_secs(1)));
    let all = (0..8).map(|_| {
        let tokens = Arc::clone(&tokens);
        tokio::spawn(async move { tokens.get().await.map(drop).map_err(|error| error.kind) })
    });
    for task in all.collect::<Vec<_>>() {
        assert_eq!(task.await.expect("task"), Err(PutErrorKind::Unreachable));
    }
    // One after the other, each would have had its turn, the last after eight times the limit.
    assert!(asked.load(Ordering::SeqCst) < 8, "each waited for all before it");
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    for status in [200, 400] {
        let (url, taken) = endless(status).await;
        let answer = ask(reqwest::Client::new().post(url)).await.unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((answer.status, answer.body.len()), (status, MAX_ANSWER_BYTES));
        drop(answer);
        let taken = taken.load(Ordering::SeqCst);
        assert!(taken < BUFFERS, "{status}: {taken} bytes were taken");
    }
}

#[test]
fn an_answer_without_token_or_end_gives_none() {
    let now = "2026-11-21T04:00:00Z".parse().expect("instant");
    for body in [
        "",
        "HUSH",
        "[]",
        r#"{"access_token":"HUSH"}"#,
        r#"{"expires_in":3599}"#,
        r#"{"access_token":"","expires_in":3599}"#,
        r#"{"access_token":"HUSH","expires_in":0}"#,
        r#"{"access_token":"HUSH","expires_in":-5}"#,
        r#"{"access_token":"HUSH","expires_in":99999999999999}"#,
        r#"{"access_token":"HUSH","expires_on":"1795233600"}"#,
        r#"{"access_token":"HUSH","expires_on":"-9223372036854775808"}"#,
        r#"{"access_token":"HUSH","expires_on":"9223372036854775807"}"#,
        r#"{"access_token":"HUSH","expires_on":"11/21/2026 05:00:00 AM +00:00"}"#,
    ] {
        let error =
            TokenResponse::of(200, body).token(now).err().unwrap_or_else(|| panic!("accepted {body}"));
        assert_eq!(error.kind, PutErrorKind::Unreachable);
        assert!(!error.message.contains("HUSH"), "{error}");
    }
    // 2026-11-21T04:00:00Z is 1795233600.
    for end in [
        r#""expires_in":3599"#,
        r#""expires_in":"3599""#,
        r#""expires_on":"1795237199""#,
        r#""expires_in":3599,"expires_on":"x""#,
    ] {
        let body = format!(r#"{{"access_token":"t",{end}}}"#);
        let token = TokenResponse::of(200, &body).token(now).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((token.value.expose(), token.ends.duration_since(now).as_secs()), ("t", 3599));
    }
}

#[test]
fn a_refusal_says_that_nothing_was_put() {
    let kind = |status| TokenResponse::of(status, "").refusal("", "").kind;
    assert_eq!(kind(400), PutErrorKind::InvalidCredentials);
    assert_eq!(kind(401), PutErrorKind::InvalidCredentials);
    assert_eq!(kind(403), PutErrorKind::Denied);
    assert_eq!(kind(429), PutErrorKind::Throttled);
    assert_eq!(kind(500), PutErrorKind::Unreachable);
    assert_eq!(kind(503), PutErrorKind::Unreachable);
    for status in [400, 401, 403, 408, 429, 500, 503] {
        assert_eq!(kind(status).answer(), auditferry_core::protocol::PutAnswer::Refused, "{status}");
    }
}
