//! The parameters of a URL for PostgreSQL: which are read, which may stand there, and which promise
//! something that is not kept here.
//!
//! Source: "Parameter Key Words", PostgreSQL documentation, libpq.

/// What sqlx reads, with values that are no secrets. It would log any further one with its value, which
/// may be a secret.
const READ: [&str; 16] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "application_name",
    "statement-cache-capacity",
];
/// What sqlx reads besides, with values that may be secrets.
const READ_AND_HIDDEN: [&str; 2] = ["password", "options"];
/// Others whose values are no secrets.
const SHOWN_BESIDES: [&str; 20] = [
    "mode",
    "target_session_attrs",
    "load_balance_hosts",
    "channel_binding",
    "require_auth",
    "gssencmode",
    "sslcertmode",
    "sslnegotiation",
    "sslcompression",
    "sslsni",
    "ssl_min_protocol_version",
    "ssl_max_protocol_version",
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
    "client_encoding",
    "fallback_application_name",
];

/// Whether people may read the value of a parameter.
pub(super) fn is_shown(name: &str) -> bool {
    READ.contains(&name) || SHOWN_BESIDES.contains(&name)
}

/// What is done with a parameter.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// sqlx reads it.
    Read,
    /// It asks for what happens anyway, or for nothing that matters.
    Passed,
    /// Likewise, and a person is told this.
    Noted(&'static str),
    /// It asks for what is not done here: this is wrong, and this is the fix.
    Refused(&'static str, &'static str),
    /// Nobody knows it.
    Unknown,
}

/// The longest time that is not noted: what is waited for a connection.
const TIMES: &str =
    "has no effect: a connection is waited for 10 s, and every question has a time limit of its own";

/// What becomes of a parameter. The choice among several servers has its own, and is not asked here.
pub(super) fn verdict(name: &str, value: &str) -> Verdict {
    use Verdict::{Noted, Passed, Refused};
    if READ.contains(&name) || READ_AND_HIDDEN.contains(&name) || name.starts_with("options[") {
        return Verdict::Read;
    }
    let old = |version: &str| ["TLSv1", "TLSv1.0", "TLSv1.1", "TLSv1.2"].contains(&version);
    match (name, value) {
        ("load_balance_hosts", "disable") | ("gssencmode", "disable" | "prefer") => Passed,
        ("load_balance_hosts", _) => Refused(
            "hosts are tried in their order here",
            "remove it, or give each worker the hosts in another order",
        ),
        ("channel_binding", "disable") => Passed,
        ("channel_binding", "prefer") => {
            Noted("has no effect: passwords are not bound to the TLS connection here")
        }
        ("channel_binding", _) => Refused(
            "passwords are not bound to the TLS connection here",
            "remove it, and set sslmode=verify-full, which makes sure of the server by its certificate",
        ),
        ("require_auth", _) => Refused(
            "which way to authenticate is the server's choice here",
            "remove it, set sslmode=verify-full, and allow scram-sha-256 alone in the server's pg_hba.conf",
        ),
        ("gssencmode" | "krbsrvname" | "gsslib" | "gssdelegation", _) => {
            Refused("GSSAPI is not spoken here", "remove it, and use TLS: sslmode=verify-full")
        }
        ("sslcertmode", "allow") | ("sslnegotiation", "postgres") => Passed,
        ("sslcertmode", _) => Refused(
            "a client's certificate is sent here if sslcert is given and the server asks for it",
            "remove it, and give sslcert and sslkey or leave them out",
        ),
        ("sslnegotiation", _) => Refused(
            "TLS begins here as the server's protocol has it",
            "remove it, or write sslnegotiation=postgres",
        ),
        ("sslcompression", "0") | ("sslsni", "1") => Passed,
        ("sslcompression", _) => Refused("TLS is not compressed here", "remove it"),
        ("sslsni", _) => Refused("the server's name is always sent", "remove it"),
        ("ssl_min_protocol_version", version) if old(version) => Passed,
        ("ssl_max_protocol_version", "TLSv1.3" | "") => Passed,
        ("ssl_min_protocol_version" | "ssl_max_protocol_version", _) => Refused(
            "TLS 1.2 and 1.3 are spoken here, whichever the server takes",
            "remove it, and set it on the server",
        ),
        ("sslcrl" | "sslcrldir", _) => Refused(
            "lists of revoked certificates are not read here",
            "remove it, and trust a CA with short-lived certificates",
        ),
        ("sslpassword", _) => Refused(
            "a client's key with a password is not read here",
            "remove it, and name a key without one that this user alone may read (sslkey)",
        ),
        ("requirepeer", _) => Refused("it is not looked at here", "remove it"),
        (
            "connect_timeout"
            | "keepalives"
            | "keepalives_idle"
            | "keepalives_interval"
            | "keepalives_count"
            | "tcp_user_timeout",
            _,
        ) => Noted(TIMES),
        ("client_encoding", value) if ["utf8", "utf-8", "auto"].contains(&value.to_lowercase().as_str()) => {
            Passed
        }
        ("client_encoding", _) => Refused("UTF-8 is spoken here", "remove it"),
        ("fallback_application_name", _) => Noted("has no effect: the name is auditferry"),
        ("service" | "servicefile" | "passfile", _) => Refused(
            "it is not read here",
            "write what it names into the URL, or set PGPASSFILE for passwords",
        ),
        ("replication", _) => Refused("records are read by SQL here", "remove it"),
        _ => Verdict::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_kept_is_refused_and_what_does_no_harm_is_not() {
        let refused = |name, value| matches!(verdict(name, value), Verdict::Refused(..));
        for (name, value) in [
            ("channel_binding", "require"),
            ("require_auth", "scram-sha-256"),
            ("gssencmode", "require"),
            ("sslcertmode", "require"),
            ("sslcertmode", "disable"),
            ("sslnegotiation", "direct"),
            ("ssl_min_protocol_version", "TLSv1.3"),
            ("ssl_max_protocol_version", "TLSv1.2"),
            ("load_balance_hosts", "random"),
            ("sslcrl", "/x"),
            ("sslpassword", "x"),
            ("client_encoding", "LATIN1"),
            ("service", "x"),
        ] {
            assert!(refused(name, value), "{name}={value}");
        }
        for (name, value) in [
            ("channel_binding", "disable"),
            ("gssencmode", "prefer"),
            ("sslcertmode", "allow"),
            ("ssl_min_protocol_version", "TLSv1.2"),
            ("client_encoding", "UTF8"),
            ("load_balance_hosts", "disable"),
        ] {
            assert_eq!(verdict(name, value), Verdict::Passed, "{name}={value}");
        }
        for name in ["connect_timeout", "keepalives", "keepalives_idle", "tcp_user_timeout"] {
            assert_eq!(verdict(name, "3"), Verdict::Noted(TIMES));
        }
        assert_eq!(verdict("sslmode", "require"), Verdict::Read);
        assert_eq!(verdict("options[search_path]", "x"), Verdict::Read);
        assert_eq!(verdict("sslmod", "x"), Verdict::Unknown);
    }
}
