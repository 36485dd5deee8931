//! A URL for PostgreSQL taken apart: its servers, what they must be, and how they are reached.

use std::net::Ipv6Addr;
use std::path::Path;
use std::str::FromStr as _;

use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::form_urlencoded;

use super::parameters::{Verdict, verdict};
use super::role::SessionAttrs;
use crate::base::roots::Roots;

/// The form that a URL has.
const FORM: &str = "write postgres://USER:PASSWORD@HOST:PORT/DATABASE";

/// The parameters that name a file, in their spellings.
const FILES: [&str; 7] =
    ["sslrootcert", "ssl-root-cert", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key"];
/// The variables of libpq that sqlx does not read, each with the parameter that it stands for.
const VARIABLES: [(&str, &str); 10] = [
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGLOADBALANCEHOSTS", "load_balance_hosts"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGREQUIREAUTH", "require_auth"),
    ("PGGSSENCMODE", "gssencmode"),
    ("PGSSLCERTMODE", "sslcertmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLMINPROTOCOLVERSION", "ssl_min_protocol_version"),
    ("PGSSLCRL", "sslcrl"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
];
const ROOTS: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];
const MODES: [&str; 2] = ["sslmode", "ssl-mode"];

/// A URL that can be used.
pub(super) struct Address {
    /// How each server is reached, in the order in which they are tried.
    pub(super) servers: Vec<PgConnectOptions>,
    /// What a server must be.
    pub(super) session: SessionAttrs,
    /// What a person should know of its parameters.
    pub(super) notes: Vec<String>,
}

/// The pieces of a URL, undecoded.
struct Pieces<'a> {
    scheme: &'a str,
    user: Option<&'a str>,
    hosts: Vec<(String, Option<u16>)>,
    path: &'a str,
    query: Vec<(String, String)>,
}

impl Address {
    /// Takes a URL apart.
    ///
    /// # Errors
    /// A sentence, without the URL, which may hold a password.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        Self::parse_with(url, |variable| std::env::var(variable).ok())
    }

    /// The same with the environment as an argument.
    fn parse_with(url: &str, given: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let pieces = Pieces::of(url)?;
        let mut session = SessionAttrs::Any;
        let mut notes = Vec::new();
        let mut read = Vec::new();
        for (name, value) in &pieces.query {
            match verdict(name, value) {
                _ if name == "target_session_attrs" => session = value.parse()?,
                Verdict::Read if ["host", "hostaddr", "port"].contains(&name.as_str()) => {}
                Verdict::Read => read.push((name.as_str(), value.as_str())),
                Verdict::Passed => {}
                Verdict::Noted(note) => notes.push(format!("the parameter {name:?} {note}")),
                Verdict::Refused(problem, fix) => {
                    return Err(format!("the parameter {name:?} cannot be kept: {problem}; {fix}"));
                }
                Verdict::Unknown => return Err(unknown(name)),
            }
        }
        for (variable, name) in VARIABLES {
            let Some(value) = pieces.left_to(variable, name, &given) else { continue };
            match verdict(name, &value) {
                _ if name == "target_session_attrs" => {
                    session = value.parse().map_err(|problem: String| format!("{variable}: {problem}"))?;
                }
                Verdict::Noted(note) => notes.push(format!("the variable {variable} {note}")),
                Verdict::Refused(problem, fix) => {
                    return Err(format!("the variable {variable} cannot be kept: {problem}; {fix}"));
                }
                Verdict::Read | Verdict::Passed | Verdict::Unknown => {}
            }
        }
        let tls = Tls::of(&mut read)?;
        let servers = pieces.servers()?;
        if servers.len() > 1 && session == SessionAttrs::Any {
            notes.push(
                "several hosts are given, and the first that answers is used, a standby too; for a failover add \
                 target_session_attrs=read-write"
                    .to_owned(),
            );
        }
        let servers: Result<_, String> = servers
            .iter()
            .map(|(host, port)| {
                let url = pieces.with(host, *port, &read);
                let options = PgConnectOptions::from_str(&url).map_err(|error| format!("{error}; {FORM}"))?;
                // An address in brackets is nothing that could be looked up.
                let options = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
                    Some(address) => options.host(address),
                    None => options,
                };
                Ok(tls.on(options))
            })
            .collect();
        Ok(Self { servers: servers?, session, notes })
    }
}

impl<'a> Pieces<'a> {
    fn of(url: &'a str) -> Result<Self, String> {
        let (scheme, rest) =
            url.split_once("://").ok_or_else(|| format!("it has no // after its scheme; {FORM}"))?;
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at(end);
        if rest.contains(['@', '#']) {
            return Err(
                "a / ? or # stands before the @, which ends the host: in the user and the password write @ as %40, / as \
                 %2F, ? as %3F, # as %23, : as %3A and % as %25 (percent-encoding), and so in what follows the host"
                    .to_owned(),
            );
        }
        let (user, hosts) = match authority.rsplit_once('@') {
            Some((user, hosts)) => (Some(user), hosts),
            None => (None, authority),
        };
        let hosts: Result<_, String> = hosts.split(',').map(host_and_port).collect();
        let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
        // Such a word may be a part of the password, and is not shown.
        if query.split('&').any(|pair| !pair.is_empty() && !pair.contains('=')) {
            return Err(unknown(""));
        }
        let query = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Ok(Self { scheme, user, hosts: hosts?, path, query })
    }

    /// What the environment says of a parameter that the URL leaves to it.
    fn left_to(&self, variable: &str, name: &str, given: &impl Fn(&str) -> Option<String>) -> Option<String> {
        let in_url = self.query.iter().any(|(key, _)| key == name);
        given(variable).filter(|value| !in_url && !value.is_empty())
    }

    fn given(&self, name: &str) -> Option<Vec<String>> {
        let (_, value) = self.query.iter().rfind(|(key, _)| key == name)?;
        Some(value.split(',').map(str::to_owned).collect())
    }

    /// Host and port of each server, as they stand in a URL.
    fn servers(&self) -> Result<Vec<(String, Option<u16>)>, String> {
        let addresses = self.given("hostaddr");
        let hosts = addresses.or_else(|| self.given("host"));
        let hosts = match hosts {
            Some(hosts) => hosts.iter().map(|host| (in_url(host), None)).collect(),
            None => self.hosts.clone(),
        };
        let Some(ports) = self.given("port") else { return Ok(hosts) };
        let port = |text: &String| text.parse::<u16>().map_err(|_| format!("invalid port number; {FORM}"));
        let ports: Vec<u16> = ports.iter().map(port).collect::<Result<_, _>>()?;
        match ports[..] {
            [port] => Ok(hosts.into_iter().map(|(host, _)| (host, Some(port))).collect()),
            _ if ports.len() == hosts.len() => {
                Ok(hosts.into_iter().zip(ports).map(|((host, _), port)| (host, Some(port))).collect())
            }
            _ => Err(format!(
                "port: {} ports are given for {} hosts; give one for each, or one for all",
                ports.len(),
                hosts.len()
            )),
        }
    }

    /// The URL of one server.
    fn with(&self, host: &str, port: Option<u16>, query: &[(&str, &str)]) -> String {
        let mut url = format!("{}://", self.scheme);
        // A URL with a user has a host.
        let host =
            if host.is_empty() && (self.user.is_some() || port.is_some()) { "localhost" } else { host };
        if let Some(user) = self.user {
            url.push_str(user);
            url.push('@');
        }
        url.push_str(host);
        if let Some(port) = port {
            url.push_str(&format!(":{port}"));
        }
        url.push_str(self.path);
        if !query.is_empty() {
            url.push('?');
            url.push_str(&form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish());
        }
        url
    }
}

fn host_and_port(text: &str) -> Result<(String, Option<u16>), String> {
    let bad = || format!("invalid port number; {FORM}");
    let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((address, rest))) => {
            let known = address.parse::<Ipv6Addr>().is_ok();
            match (known, rest.strip_prefix(':'), rest.is_empty()) {
                (true, port, empty) if empty || port.is_some() => (format!("[{address}]"), port),
                _ => return Err(format!("what stands in [ ] is no address of IPv6; {FORM}")),
            }
        }
        Some(None) => return Err(format!("a [ without its ] stands in the host; {FORM}")),
        None if text.matches(':').count() > 1 => {
            return Err("an address of IPv6 stands in [ ], such as [::1]:5432; in the user and the password write : as %3A \
                        and @ as %40"
                .to_owned());
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        },
    };
    let port =
        port.filter(|port| !port.is_empty()).map(|port| port.parse().map_err(|_| bad())).transpose()?;
    Ok((host, port))
}

/// The host of a parameter as it stands in a URL.
fn in_url(host: &str) -> String {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if bare.parse::<Ipv6Addr>().is_ok() {
        return format!("[{bare}]");
    }
    // The folder of a socket.
    host.replace('%', "%25").replace('/', "%2F").replace(':', "%3A")
}

fn unknown(name: &str) -> String {
    let plain = (1..40).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    let name = if plain { format!("{name:?}") } else { "after the ?".to_owned() };
    format!(
        "the parameter {name} is not known; remove it, or, if the ? belongs to the password, write it as %3F"
    )
}

/// What makes sure of a server.
enum Tls {
    /// As the URL and the environment say.
    AsGiven,
    /// The CAs of the system too, or those of `SSL_CERT_FILE`.
    Trusting(String),
    /// The CAs of the system, and the host's name.
    System(String),
}

impl Tls {
    /// Takes what is ours out of the parameters.
    fn of(read: &mut Vec<(&str, &str)>) -> Result<Self, String> {
        for (name, file) in read.iter().filter(|(name, _)| FILES.contains(name)) {
            if ROOTS.contains(name) && *file == "system" {
                continue;
            }
            if let Err(error) = std::fs::File::open(Path::new(file)) {
                return Err(format!("{name}: {file}: {error}; name a PEM file that this user may read"));
            }
        }
        let last =
            |names: &[&str]| read.iter().rfind(|(name, _)| names.contains(name)).map(|(_, value)| *value);
        let from = |name: &str| std::env::var(name).ok();
        let roots = last(&ROOTS).map(str::to_owned).or_else(|| from("PGSSLROOTCERT"));
        let mode = last(&MODES).map(str::to_owned).or_else(|| from("PGSSLMODE"));
        let verifies =
            |mode: &str| ["verify-full", "verify-ca"].contains(&mode.to_ascii_lowercase().as_str());
        match (roots.as_deref(), mode.as_deref()) {
            (Some("system"), Some(mode)) if !mode.eq_ignore_ascii_case("verify-full") => Err(format!(
                "sslrootcert=system goes with sslmode=verify-full alone, and it is {mode}: anybody can have a certificate of \
                 a public CA; write sslmode=verify-full, or leave it out"
            )),
            (Some("system"), _) => {
                read.retain(|(name, _)| !ROOTS.contains(name));
                let found = Roots::load();
                match found.problem {
                    None => Ok(Self::System(found.pem())),
                    Some(problem) => Err(format!("sslrootcert=system: {problem}")),
                }
            }
            (None, Some(mode)) if verifies(mode) => {
                let found = Roots::load();
                match found.problem {
                    Some(problem) if Roots::are_named() => Err(format!("sslmode={mode}: {problem}")),
                    // sqlx has Mozilla's with it.
                    Some(_) => Ok(Self::AsGiven),
                    None => Ok(Self::Trusting(found.pem())),
                }
            }
            _ => Ok(Self::AsGiven),
        }
    }

    fn on(&self, options: PgConnectOptions) -> PgConnectOptions {
        match self {
            Self::AsGiven => options,
            Self::Trusting(pem) => options.ssl_root_cert_from_pem(pem.clone().into_bytes()),
            Self::System(pem) => {
                options.ssl_mode(PgSslMode::VerifyFull).ssl_root_cert_from_pem(pem.clone().into_bytes())
            }
        }
    }
}

#[cfg(test)]
mod tests;
