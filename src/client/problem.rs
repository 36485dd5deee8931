//! What a server has refused, in the words of the command line.

use std::time::Duration;

use serde::Deserialize;

use super::ServerAddress;
use crate::ledger::LedgerError;
use crate::operations::probes::ProbeResult;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::instant::span_text;

/// Why a request was not answered as it wished.
#[derive(Debug)]
pub enum ClientError {
    /// The request or the options are wrong.
    Usage(String),
    /// The server or the network has failed.
    Failed(String),
    /// The server has refused it.
    Refused(Box<Refused>),
}

/// What a server has refused.
#[derive(Debug)]
pub struct Refused {
    /// Why, for a person.
    pub sentence: String,
    /// Whether the request is wrong, and not the server away or the token one that may not.
    pub usage: bool,
    /// The document.
    pub problem: Problem,
}

/// A problem document of RFC 9457, as the API writes it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// A stable word.
    pub code: String,
    /// What is wrong.
    pub detail: String,
    /// The field with the wrong value.
    pub field: Option<String>,
    /// What to do about it.
    pub fix: Option<String>,
    /// Of a destination that does not accept objects: what was tried.
    pub probe: Option<ProbeResult>,
    /// Of a wrong proof: how many more may be tried.
    pub tries_left: Option<u32>,
}

/// Codes whose sentence names its field already.
const NAMED: [&str; 3] = ["unknown_zone", "invalid_schedule", "invalid_destination"];

impl ClientError {
    /// The document of a refusal of this code.
    #[must_use]
    pub fn problem(&self, code: &str) -> Option<&Problem> {
        match self {
            Self::Refused(refused) if refused.problem.code == code => Some(&refused.problem),
            _ => None,
        }
    }
}

impl Problem {
    /// The refusal in words: those of the command on the ledger, where that has some.
    pub fn told(
        self,
        server: &ServerAddress,
        account: Option<&AccountId>,
        retry_after: Option<Duration>,
    ) -> ClientError {
        let sentence = match (self.code.as_str(), account) {
            ("unauthorized", _) => format!(
                "{server} does not accept the token: it is none of its own, has expired or was revoked; keep another with \
                 `auditferry login {server}`"
            ),
            ("forbidden", _) => format!("{server}: {}", self.sentence()),
            ("not_found", Some(account)) => LedgerError::NoAccount(account.to_string()).to_string(),
            ("not_found", None) => format!(
                "{server} has no such address; see whether it is the API of an auditferry of this version"
            ),
            ("stale", Some(account)) => LedgerError::Stale(account.clone()).to_string(),
            ("too_many_requests", _) => {
                let wait = retry_after.and_then(|wait| wait.try_into().ok());
                let wait = wait.map_or_else(|| "some minutes".to_owned(), |wait| span_text(wait).to_string());
                format!("{server}: {}; try again in {wait}", self.detail)
            }
            _ => self.sentence(),
        };
        let usage = (400..500).contains(&self.status) && !matches!(self.status, 401 | 403 | 408 | 429);
        ClientError::Refused(Box::new(Refused { sentence, usage, problem: self }))
    }

    /// Account, field, problem and fix in the order of the command line.
    fn sentence(&self) -> String {
        let field = self.field.as_deref().filter(|_| !NAMED.contains(&self.code.as_str()));
        let problem =
            match (field, self.detail.strip_prefix("account ").and_then(|rest| rest.split_once(": "))) {
                (Some(field), Some((account, problem))) => format!("account {account}: {field}: {problem}"),
                (Some(field), None) => format!("{field}: {}", self.detail),
                (None, _) => self.detail.clone(),
            };
        match &self.fix {
            Some(fix) => format!("{problem}; {fix}"),
            None => problem,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use auditferry_core::refusal::{Refusal, RefusalCode};

    fn problem(status: u16, code: &str, detail: &str, field: Option<&str>, fix: Option<&str>) -> Problem {
        Problem {
            status,
            code: code.to_owned(),
            detail: detail.to_owned(),
            field: field.map(str::to_owned),
            fix: fix.map(str::to_owned),
            probe: None,
            tries_left: None,
        }
    }

    fn told(problem: Problem, account: Option<&str>) -> (String, bool) {
        let server = ServerAddress::parse("https://a.example", false).expect("address");
        let account = account.map(|id| id.parse().expect("id"));
        match problem.told(&server, account.as_ref(), None) {
            ClientError::Refused(refused) => (refused.sentence, refused.usage),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_refusal_has_the_words_of_the_command_line() {
        let acme: AccountId = "acme".parse().expect("id");
        let refusal =
            Refusal::account(&acme, RefusalCode::AmbiguousSchedule, "\"0 0 * * 1\" has two meanings")
                .fix("write x");
        let refusal = Refusal { field: Some("schedule"), ..refusal };
        let detail = "account acme: \"0 0 * * 1\" has two meanings";
        let sent = problem(409, "ambiguous_schedule", detail, Some("schedule"), Some("write x"));
        assert_eq!(told(sent, Some("acme")), (refusal.to_string(), true));
        let refusal =
            Refusal::field("until", RefusalCode::HasPassed, "it has passed").fix("give a later instant");
        let sent = problem(422, "has_passed", "it has passed", Some("until"), Some("give a later instant"));
        assert_eq!(told(sent, Some("acme")), (refusal.to_string(), true));
        let sent = problem(422, "unknown_zone", "zone: \"Mars\" is not known", Some("zone"), None);
        assert_eq!(told(sent, None).0, "zone: \"Mars\" is not known");
        let (words, usage) =
            told(problem(404, "not_found", "there is nothing here", None, Some("see x")), Some("acme"));
        assert!(words.starts_with("account acme: there is none") && usage, "{words}");
    }

    #[test]
    fn who_may_not_is_told_what_to_do() {
        let (words, usage) = told(problem(401, "unauthorized", "no", None, None), None);
        assert!(words.contains("auditferry login https://a.example") && !usage, "{words}");
        let (words, usage) =
            told(problem(403, "forbidden", "the role does not", None, Some("use another")), None);
        assert!(words.ends_with("the role does not; use another") && !usage, "{words}");
        assert!(!told(problem(503, "ledger_database", "away", None, None), None).1);
    }
}
