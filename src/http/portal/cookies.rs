//! The portal's cookies. They open nothing but the portal, and the console's open nothing here.
//!
//! In a page of ours they are `SameSite=Lax`. In a frame of another site they have to be sent from there, so they are
//! `SameSite=None`, and `Partitioned`: a browser keeps those for this site in that one alone. Without TLS, on this
//! machine, they have other names and do what they can.

use axum::http::HeaderMap;

use crate::http::cookies;
use crate::operations::sessions::Held;

const SESSION: &str = "auditferry-portal";
const ENTRY: &str = "auditferry-portal-entry";

/// What a person prefers in the portal: no secrets.
pub(super) const THEME: &str = "auditferry-portal-theme";
pub(super) const LANGUAGE: &str = "auditferry-portal-language";

/// How long an entry may take, in seconds.
const ENTRY_SECONDS: i64 = 3_600;

/// How long a preference is kept, in seconds.
const PREFERENCE_SECONDS: i64 = 31_536_000;

/// How cookies are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies {
    /// Whether browsers come over TLS.
    pub(super) secure: bool,
}

/// Whether a page stands in a frame of another: browsers say what they ask for.
pub(super) fn is_framed(headers: &HeaderMap) -> bool {
    headers.get("sec-fetch-dest").is_some_and(|kind| kind == "iframe" || kind == "frame")
}

impl Cookies {
    fn read(self, headers: &HeaderMap, name: &str) -> Option<Held> {
        cookies::held(headers, &cookies::own_name(self.secure, name))
    }

    fn write(self, name: &str, value: &str, framed: bool, seconds: Option<i64>) -> String {
        let place = match (self.secure, framed) {
            (true, true) => "; SameSite=None; Secure; Partitioned",
            (true, false) => "; SameSite=Lax; Secure",
            (false, _) => "; SameSite=Lax",
        };
        let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
        format!("{}={value}; Path=/; HttpOnly{place}{age}", cookies::own_name(self.secure, name))
    }

    pub(super) fn session(self, headers: &HeaderMap) -> Option<Held> {
        self.read(headers, SESSION)
    }

    pub(super) fn entry(self, headers: &HeaderMap) -> Option<Held> {
        self.read(headers, ENTRY)
    }

    /// A session's cookie. The other kind of the same name is taken away: of two, none would count.
    pub(super) fn with_session(self, held: &Held, framed: bool) -> Vec<String> {
        let mut cookies = self.without_session();
        cookies.push(self.write(SESSION, held.expose(), framed, None));
        cookies
    }

    pub(super) fn without_session(self) -> Vec<String> {
        self.without(SESSION)
    }

    /// The first cookie, which has to come back. The other kind of the same name is taken away, as with a session's.
    pub(super) fn with_entry(self, held: &Held, framed: bool) -> Vec<String> {
        let mut cookies = self.without_entry();
        cookies.push(self.write(ENTRY, held.expose(), framed, Some(ENTRY_SECONDS)));
        cookies
    }

    pub(super) fn without_entry(self) -> Vec<String> {
        self.without(ENTRY)
    }

    fn without(self, name: &str) -> Vec<String> {
        let gone = |framed| self.write(name, "", framed, Some(0));
        if self.secure { vec![gone(true), gone(false)] } else { vec![gone(false)] }
    }

    pub(super) fn preference(self, name: &str, value: &str, framed: bool) -> String {
        self.write(name, value, framed, Some(PREFERENCE_SECONDS))
    }

    /// What a person prefers.
    pub(super) fn preferred<'a>(self, headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
        cookies::first(headers, &cookies::own_name(self.secure, name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    #[test]
    fn a_cookie_is_of_this_host_and_of_the_place_where_it_was_set() {
        let held = Held::parse(VALUE).expect("held");
        let last = |secure, framed| Cookies { secure }.with_session(&held, framed).pop().expect("a cookie");
        assert_eq!(
            last(true, true),
            format!("__Host-auditferry-portal={VALUE}; Path=/; HttpOnly; SameSite=None; Secure; Partitioned")
        );
        assert_eq!(
            last(true, false),
            format!("__Host-auditferry-portal={VALUE}; Path=/; HttpOnly; SameSite=Lax; Secure")
        );
        assert_eq!(last(false, true), format!("auditferry-portal={VALUE}; Path=/; HttpOnly; SameSite=Lax"));
        let read = |secure, cookie: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(axum::http::header::COOKIE, cookie.parse().expect("header"));
            Cookies { secure }.session(&headers).is_some()
        };
        assert!(read(true, &format!("a=b; __Host-auditferry-portal={VALUE}")));
        for other in ["auditferry-portal", "__Host-auditferry", "auditferry"] {
            assert!(!read(true, &format!("{other}={VALUE}")), "{other}");
        }
        assert!(!read(false, &format!("auditferry={VALUE}")), "the console's opens nothing here");
        let twice = format!("__Host-auditferry-portal={VALUE}; __Host-auditferry-portal={VALUE}");
        assert!(!read(true, &twice));
    }
}
