//! What a URL says: which database, and as people may read it.

use url::Url;

use super::address::Address;
use super::parameters;

/// The databases that we speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL 15 or newer.
    Postgres,
    /// SQLite.
    Sqlite,
}

impl Kind {
    /// The database that a URL means.
    ///
    /// # Errors
    /// When the scheme is of neither; the message never repeats the URL, which may hold a password.
    pub fn of(url: &str) -> Result<Self, String> {
        match url.split_once(':').map(|(scheme, _)| scheme) {
            Some("postgres" | "postgresql") => Ok(Self::Postgres),
            Some("sqlite") => Ok(Self::Sqlite),
            Some(scheme) if scheme.len() < 20 => Err(format!(
                "the scheme {scheme:?} is not known; write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE"
            )),
            _ => Err("it has no scheme; write sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE".into()),
        }
    }
}

/// The URL without its secrets, for people to read: what cannot be read as a URL is not shown.
#[must_use]
pub fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://").filter(|(scheme, _)| !scheme.contains(':')) else {
        return match url.split_once(':') {
            Some(("sqlite", path)) if !path.contains("://") => url.to_owned(),
            Some((scheme, _)) if scheme.len() < 20 && scheme.chars().all(char::is_alphanumeric) => {
                format!("{scheme}:***")
            }
            _ => "***".to_owned(),
        };
    };
    // A password with a character that ends it early: nobody knows which part is secret. sqlx's and ours may
    // differ in what they take for a URL.
    let several = rest.split(['/', '?', '#']).next().is_some_and(|authority| authority.contains(','));
    let unread = if several { Address::parse(url).is_err() } else { Url::parse(url).is_err() };
    let misread = unread || rest.split_once('?').is_some_and(|(_, query)| query.contains('@'));
    if misread {
        return format!("{scheme}://***");
    }
    let (rest, query) = rest.split_once('?').map_or((rest, None), |(r, q)| (r, Some(q)));
    let rest = match rest.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((name, _)) => format!("{name}:***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => rest.to_owned(),
    };
    let query = query.map_or(String::new(), |query| {
        let shown: Vec<String> = query
            .split('&')
            .map(|pair| match pair.split_once('=') {
                Some((name, _)) if !parameters::is_shown(name) => format!("{name}=***"),
                _ => pair.to_owned(),
            })
            .collect();
        format!("?{}", shown.join("&"))
    });
    format!("{scheme}://{rest}{query}")
}

/// What a person should know of a URL's parameters.
#[must_use]
pub(crate) fn notes(url: &str) -> Vec<String> {
    let address = Address::parse(url).ok().filter(|_| Kind::of(url) == Ok(Kind::Postgres));
    address.map(|address| address.notes).unwrap_or_default()
}
