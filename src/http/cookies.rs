//! Cookies of browsers. With TLS a browser takes one of ours from this host only, for all of it, and sends it over TLS only
//! (`__Host-`, RFC 6265bis); without, on this machine, it has another name.

use axum::http::{HeaderMap, header};

use crate::operations::sessions::Held;

/// The name under which a browser keeps a cookie of ours. `secure`: whether it comes over TLS.
pub(super) fn own_name(secure: bool, name: &str) -> String {
    if secure { format!("__Host-{name}") } else { name.to_owned() }
}

/// The values of a name, in the order in which they came.
fn values<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.filter(move |(other, _)| *other == name).map(|(_, value)| value)
}

/// The first value of a name: for what is no secret.
pub(super) fn first<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    values(headers, name).next()
}

/// What opens something, from the one cookie of a name; of two, one may be another's.
pub(super) fn held(headers: &HeaderMap, name: &str) -> Option<Held> {
    let mut values = values(headers, name);
    let (Some(only), None) = (values.next(), values.next()) else { return None };
    Held::parse(only)
}
