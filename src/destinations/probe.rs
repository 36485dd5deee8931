//! The probe of a destination: one zero-byte object outside `audit/`, create-only, and once more
//! to see that the store refuses a second one.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::base::skew;
use crate::destinations::cache::StoreCache;
use crate::destinations::remedy::remedy;
use crate::secrets::Opened;
use crate::store::{Dialer, OpenError};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::Destination;
use auditferry_core::model::object_key::OwnKey;
use auditferry_core::protocol::{ClockState, clock_state};
use auditferry_core::store::{Object, PutError, PutErrorKind, Store};

/// How long a name or a connection is waited for.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why a destination does not work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeFailure {
    /// The error's kind, as in the metrics.
    pub kind: PutErrorKind,
    /// What the store said, without secrets.
    pub message: String,
    /// What to do about it.
    pub fix: String,
}

/// The object that was created, or why none was.
pub type ProbeReport = Result<OwnKey, ProbeFailure>;

/// One step of a probe.
#[derive(Debug)]
pub struct Step {
    /// What was tried.
    pub name: &'static str,
    /// How long it took.
    pub took: Duration,
    /// What came of it, or what went wrong.
    pub result: Result<String, String>,
}

/// A probe, step by step.
#[derive(Debug)]
pub struct Examination {
    /// The steps, in the order in which they were made.
    pub steps: Vec<Step>,
    /// Whether the destination works. A step that only helps to find a cause does not decide it:
    /// behind a proxy, a name may not resolve here.
    pub report: Result<(), ProbeFailure>,
}

/// Tries a destination of the ledger as an export would use it, and as no export would name it.
pub async fn probe(stores: &StoreCache, account: &AccountId, destination: &Destination) -> ProbeReport {
    match stores.open_new(account, destination).await {
        Ok(store) => {
            let key = new_key(destination);
            let object = empty(&key);
            put(&*store, destination, &object).await?;
            put_again(&*store, destination, &object).await.map(|_| key)
        }
        Err(error) => Err(unopened(&error)),
    }
}

/// What a destination is tried with.
#[derive(Debug, Clone, Copy)]
pub enum Trial<'a> {
    /// An empty object, which is removed again if that is allowed.
    Removed,
    /// An object that is left there.
    Left(&'a Object),
}

/// What is heard of a step.
#[derive(Debug)]
pub enum Heard<'a> {
    /// The step of this name begins: it may take a minute.
    Begins(&'static str),
    /// It has ended.
    Ended(&'a Step),
}

/// Who hears of each step.
pub type Listener<'a> = &'a (dyn Fn(Heard<'_>) + Send + Sync);

/// Nobody hears of the steps.
pub const UNHEARD: Listener<'static> = &|_| {};

/// Tries a destination step by step. `given`: its secrets in the clear, when it is not in the
/// ledger yet. `told` hears of each step.
pub async fn examine(
    stores: &StoreCache,
    account: &AccountId,
    destination: &Destination,
    given: Option<&Opened>,
    trial: Trial<'_>,
    told: Listener<'_>,
) -> Examination {
    let mut steps = Steps { made: Vec::new(), told };
    if let Err(error) = destination.validate() {
        // It was set before such an endpoint was refused.
        let message = error.to_string();
        let began = steps.begin("read the destination");
        steps.add("read the destination", began, Err(message.clone()));
        let kind = PutErrorKind::Misconfigured;
        let fix = "set the destination again as the message says".to_owned();
        return Examination { steps: steps.made, report: Err(ProbeFailure { kind, message, fix }) };
    }
    let began = steps.begin("read secrets");
    let opened = match given {
        Some(given) => stores.open_given(account, destination, given).await,
        None => stores.open_new(account, destination).await,
    };
    let opened = opened.and_then(|store| match store.misplaced() {
        Some(refused) => Err(refused.into()),
        None => Ok(store),
    });
    let store = match opened {
        Ok(store) => store,
        Err(error) => {
            steps.add("read secrets", began, Err(error.to_string()));
            return Examination { steps: steps.made, report: Err(unopened(&error)) };
        }
    };
    steps.add("read secrets", began, Ok("they have the form that they should".to_owned()));
    if let Some((host, port)) = store.address() {
        connect(&mut steps, stores.dialer(), &host, port).await;
    }
    let began = steps.begin("get a token");
    match store.sign_in().await {
        None => {}
        Some(Ok(())) => steps.add("get a token", began, Ok("the cloud has given one".to_owned())),
        Some(Err(error)) => {
            steps.add("get a token", began, Err(format!("{}: {error}", error.kind.as_str())));
            return Examination { steps: steps.made, report: Err(failure(&error, destination)) };
        }
    }
    let began = steps.begin("authenticate and create");
    let probe = new_key(destination);
    let object = match trial {
        Trial::Removed => empty(&probe),
        Trial::Left(object) => object.clone(),
    };
    let mut report = put(&*store, destination, &object).await;
    match &report {
        Ok(()) => {
            steps.add("authenticate and create", began, Ok(object.key.to_string()));
            let began = steps.begin("refuse a second one");
            let again = put_again(&*store, destination, &object).await;
            let told = again.as_ref().map(|told| (*told).to_owned());
            let told = told.map_err(|failure| format!("{}: {}", failure.kind.as_str(), failure.message));
            steps.add("refuse a second one", began, told);
            report = again.map(drop);
            if let Trial::Removed = trial {
                let began = steps.begin("clean up");
                let removed = match store.remove(&probe).await {
                    Ok(()) => Ok("the object is gone".to_owned()),
                    Err(error) => Ok(format!("the object stays, and may be deleted ({error})")),
                };
                steps.add("clean up", began, removed);
            }
        }
        Err(failure) => {
            let name = match failure.kind {
                PutErrorKind::InvalidCredentials => "authenticate",
                PutErrorKind::Unreachable => "connect",
                _ => "create",
            };
            steps.add(name, began, Err(format!("{}: {}", failure.kind.as_str(), failure.message)));
        }
    }
    if let Some(ahead) = store.clock_ahead().filter(|ahead| clock_state(*ahead) != ClockState::Right) {
        let began = steps.begin("compare clocks");
        steps.add("compare clocks", began, Err(skew::words(Some(ahead), "the store's")));
    }
    Examination { steps: steps.made, report }
}

struct Steps<'a> {
    made: Vec<Step>,
    told: Listener<'a>,
}

impl Steps<'_> {
    fn begin(&self, name: &'static str) -> Instant {
        (self.told)(Heard::Begins(name));
        Instant::now()
    }

    fn add(&mut self, name: &'static str, began: Instant, result: Result<String, String>) {
        let step = Step { name, took: began.elapsed(), result };
        (self.told)(Heard::Ended(&step));
        self.made.push(step);
    }
}

/// Looks the host up and opens a connection, as far as that goes, and only where puts may go:
/// a customer chose the host.
async fn connect(steps: &mut Steps<'_>, dialer: &Dialer, host: &str, port: u16) {
    let began = steps.begin("resolve");
    let late = || format!("{host}: nothing within {} s", CONNECT_TIMEOUT.as_secs());
    let looked_up = tokio::time::timeout(CONNECT_TIMEOUT, dialer.look_up(host)).await;
    let addresses: Vec<SocketAddr> = match looked_up {
        Ok(None) => return,
        Ok(Some(Ok(addresses))) => addresses.into_iter().map(|ip| SocketAddr::new(ip, port)).collect(),
        Ok(Some(Err(error))) => return steps.add("resolve", began, Err(format!("{host}: {error}"))),
        Err(_) => return steps.add("resolve", began, Err(late())),
    };
    let Some(address) = addresses.first() else {
        return steps.add("resolve", began, Err(format!("{host} has no address")));
    };
    steps.add("resolve", began, Ok(format!("{host} is {}", address.ip())));
    let began = steps.begin("connect");
    let connection = tokio::time::timeout(CONNECT_TIMEOUT, tokio::net::TcpStream::connect(&addresses[..]));
    let result = match connection.await {
        Ok(Ok(connection)) => {
            Ok(connection.peer_addr().map_or_else(|_| host.to_owned(), |peer| peer.to_string()))
        }
        Ok(Err(error)) => Err(format!("{address}: {error}")),
        Err(_) => Err(late()),
    };
    steps.add("connect", began, result);
}

fn unopened(error: &OpenError) -> ProbeFailure {
    let kind = PutErrorKind::Misconfigured;
    ProbeFailure { kind, message: error.to_string(), fix: kind.fix().to_owned() }
}

fn new_key(destination: &Destination) -> OwnKey {
    OwnKey::probe(&destination.prefix, &uuid::Uuid::new_v4().to_string())
}

fn empty(key: &OwnKey) -> Object {
    Object {
        key: key.object().clone(),
        body: Bytes::new(),
        content_type: "application/octet-stream",
        metadata: Vec::new(),
    }
}

async fn put(store: &dyn Store, destination: &Destination, object: &Object) -> Result<(), ProbeFailure> {
    match store.put(object).await {
        Ok(_) => Ok(()),
        Err(error) => Err(failure(&error, destination)),
    }
}

/// What a store that replaces objects is refused with.
const REPLACES: &str = "the store has taken a second object under the same key instead of refusing it: it does not \
    know create-only puts (If-None-Match: *; ifGenerationMatch=0 at Google), so that whoever writes under the same \
    names replaces what was delivered; use a store that knows them, or accept the loss with accept_overwrites = true \
    (--accept-overwrites) on the destination";

/// Puts an object that was just created once more, which has to be refused.
async fn put_again(
    store: &dyn Store,
    destination: &Destination,
    object: &Object,
) -> Result<&'static str, ProbeFailure> {
    if destination.accept_overwrites {
        return Ok("not tried: the destination accepts that objects are replaced");
    }
    match store.put(object).await {
        Ok(_) => Err(failure(&PutError::new(PutErrorKind::Rejected, REPLACES), destination)),
        Err(error) if error.kind == PutErrorKind::Exists => Ok("an object is created once"),
        // Whatever the words, it was not replaced.
        Err(error) if matches!(error.kind, PutErrorKind::Conflict | PutErrorKind::Denied) => {
            Ok("a second object of the same name is not taken")
        }
        Err(error) => Err(failure(&error, destination)),
    }
}

fn failure(error: &PutError, destination: &Destination) -> ProbeFailure {
    let message = error.to_string();
    // A worker tries these again by itself, and a test does not.
    let fix = match error.kind {
        PutErrorKind::Unknown => {
            "the store gave no answer that says whether it took the object: run the test again in some minutes; if it \
             stays so, check the endpoint, and the firewall and the proxy on the way to it"
                .to_owned()
        }
        PutErrorKind::Conflict | PutErrorKind::Throttled | PutErrorKind::Unavailable => {
            "the store is busy or away: run the test again in some minutes; if it stays so, ask whoever runs the store"
                .to_owned()
        }
        kind => remedy(kind, &message, destination),
    };
    ProbeFailure { kind: error.kind, fix, message }
}
