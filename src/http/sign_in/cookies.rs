//! The two cookies of the console.

use axum::http::HeaderMap;

use crate::http::cookies;
use crate::operations::sessions::{Held, SIGN_IN_TIME};

const SESSION: &str = "auditferry";
const LOGIN: &str = "auditferry-login";

/// How cookies are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cookies {
    /// Whether browsers come over TLS.
    pub(super) secure: bool,
}

impl Cookies {
    fn read(self, headers: &HeaderMap, name: &str) -> Option<Held> {
        cookies::held(headers, &cookies::own_name(self.secure, name))
    }

    fn write(self, name: &str, value: &str, seconds: Option<i64>) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let age = seconds.map_or_else(String::new, |seconds| format!("; Max-Age={seconds}"));
        format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax{secure}{age}",
            cookies::own_name(self.secure, name)
        )
    }

    pub(super) fn session(self, headers: &HeaderMap) -> Option<Held> {
        self.read(headers, SESSION)
    }

    pub(super) fn login(self, headers: &HeaderMap) -> Option<Held> {
        self.read(headers, LOGIN)
    }

    /// A session ends with the browser, or before.
    pub(super) fn with_session(self, held: &Held) -> String {
        self.write(SESSION, held.expose(), None)
    }

    pub(super) fn without_session(self) -> String {
        self.write(SESSION, "", Some(0))
    }

    pub(super) fn with_login(self, held: &Held) -> String {
        self.write(LOGIN, held.expose(), Some(SIGN_IN_TIME.as_secs()))
    }

    pub(super) fn without_login(self) -> String {
        self.write(LOGIN, "", Some(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VALUE: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

    fn read(secure: bool, cookie: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(axum::http::header::COOKIE, cookie.parse().expect("header"));
        Cookies { secure }.session(&headers).is_some()
    }

    #[test]
    fn a_cookie_is_of_this_host() {
        let held = Held::parse(VALUE).expect("held");
        assert_eq!(
            Cookies { secure: true }.with_session(&held),
            format!("__Host-auditferry={VALUE}; Path=/; HttpOnly; SameSite=Lax; Secure")
        );
        assert!(read(true, &format!("a=b; __Host-auditferry={VALUE}")));
        assert!(!read(true, &format!("auditferry={VALUE}")), "anybody on a neighbouring host may set it");
        assert!(read(false, &format!("auditferry={VALUE}")));
        assert!(!read(true, &format!("__Host-auditferry={VALUE}; __Host-auditferry={VALUE}")));
        assert!(!read(true, "__Host-auditferry=x"));
    }
}
