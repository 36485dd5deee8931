//! The console as a browser sees it: who may see and do what, and what a person does with an account.

use crate::portal::{Browser, Page};
use crate::support::api::{Served, token};
use crate::support::bench::Bench;

mod browser;
mod deeds;
mod roles;

impl Browser {
    /// Signs in with a token.
    pub(crate) async fn signs_in(&mut self, secret: &str) {
        self.site = Some("same-origin");
        let page = self.post("/auth/token", &[("token", secret), ("return_to", "/console")]).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/console"), "{}", page.text);
    }

    /// What each form of this person's pages sends.
    pub(crate) async fn console_csrf(&mut self) -> String {
        for path in ["/console", "/console/accounts"] {
            let page = self.get(path).await;
            if page.status == 200 {
                return page.hidden("csrf");
            }
        }
        panic!("no page has a form");
    }

    /// A form of a page of the console.
    async fn does(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.console_csrf().await;
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }
}

/// Somebody with a role who is signed in, limited to some accounts or not.
async fn somebody(bench: &Bench, served: &Served, role: &str, accounts: &[&str]) -> Browser {
    let mut browser = Browser::new(served);
    browser.signs_in(&token(bench, role, accounts)).await;
    browser
}
