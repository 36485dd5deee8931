//! What is asked of a server.

use reqwest::Method;
use zeroize::Zeroizing;

use auditferry_core::model::account::AccountId;

/// What somebody who changes something has seen of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// Whatever there is.
    Anything,
    /// What came with this ETag.
    Tagged(String),
    /// That there is none.
    Absent,
    /// Nothing: the request makes something new.
    Nothing,
}

/// A request.
pub struct Asked<'a> {
    pub(super) method: Method,
    /// Below `/api/v1`, each part as it is.
    pub(super) path: Vec<&'a str>,
    pub(super) query: Vec<(&'static str, String)>,
    pub(super) body: Option<Zeroizing<Vec<u8>>>,
    pub(super) seen: Seen,
    pub(super) account: Option<&'a AccountId>,
}

impl<'a> Asked<'a> {
    fn new(method: Method, path: &[&'a str]) -> Self {
        let (path, seen) = (path.to_vec(), Seen::Nothing);
        Self { method, path, query: Vec::new(), body: None, seen, account: None }
    }

    /// To read something.
    #[must_use]
    pub fn get(path: &[&'a str]) -> Self {
        Self::new(Method::GET, path)
    }

    /// To put something in its place.
    #[must_use]
    pub fn put(path: &[&'a str], seen: Seen) -> Self {
        Self { seen, ..Self::new(Method::PUT, path) }
    }

    /// To let something be done.
    #[must_use]
    pub fn post(path: &[&'a str]) -> Self {
        Self::new(Method::POST, path)
    }

    /// To remove something.
    #[must_use]
    pub fn delete(path: &[&'a str], seen: Seen) -> Self {
        Self { seen, ..Self::new(Method::DELETE, path) }
    }

    /// With a parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// With a parameter, if there is one.
    #[must_use]
    pub fn maybe(self, name: &'static str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, &value),
            None => self,
        }
    }

    /// If what is there is still what was seen.
    #[must_use]
    pub fn if_still(self, seen: Seen) -> Self {
        Self { seen, ..self }
    }

    /// With a body.
    #[must_use]
    pub fn body(self, body: &serde_json::Value) -> Self {
        Self { body: Some(Zeroizing::new(body.to_string().into_bytes())), ..self }
    }

    /// About an account, so that "there is nothing" is said of it.
    #[must_use]
    pub fn about(self, account: &'a AccountId) -> Self {
        Self { account: Some(account), ..self }
    }
}
