//! The portal as a browser sees it: how people come in, what each may see, and the Export Center.

use std::collections::BTreeMap;

use crate::support::api::Served;
use crate::support::bench::Bench;

mod browser;
mod bucket_store;
mod downloads;
mod entry;
mod export;
mod other_sources;
mod records;

/// A browser in the portal: it keeps cookies, and says from which page it comes.
pub(crate) struct Browser {
    url: String,
    http: reqwest::Client,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What it says of where its requests come from.
    pub(crate) origin: String,
    pub(crate) site: Option<&'static str>,
    framed: bool,
    keeps_cookies: bool,
    set: Vec<String>,
}

pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) location: String,
    headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Page {
    /// The value of a field that is not shown.
    pub(crate) fn hidden(&self, name: &str) -> String {
        let wanted = format!("name=\"{name}\" value=\"");
        let at = self.text.find(&wanted).unwrap_or_else(|| panic!("no {name}: {}", self.text));
        self.text[at + wanted.len()..].split('"').next().unwrap().to_owned()
    }

    /// The value of the field of an id, which is shown once.
    pub(crate) fn hidden_value(&self, id: &str) -> String {
        let at = self.text.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id}: {}", self.text));
        let field = self.text[at..].split('>').next().unwrap();
        field.split("value=\"").nth(1).unwrap().split('"').next().unwrap().replace("&#35;", "#")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn says(&self, status: u16, words: &str) -> &Self {
        assert!(
            self.status == status && self.text.contains(words),
            "{} without {words:?}: {}",
            self.status,
            self.text
        );
        self
    }
}

impl Browser {
    pub(crate) fn new(served: &Served) -> Self {
        Self::at(served.url())
    }

    fn at(url: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        Self {
            url: url.to_owned(),
            http,
            cookies: BTreeMap::new(),
            origin: url.to_owned(),
            site: None,
            framed: false,
            keeps_cookies: true,
            set: Vec::new(),
        }
    }

    async fn send(&mut self, mut request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if let Some(site) = self.site {
            request = request.header("sec-fetch-site", site);
        }
        if self.framed {
            request = request.header("sec-fetch-dest", "iframe");
        }
        let response = request.header("accept", "text/html").send().await.unwrap();
        let headers = response.headers().clone();
        for cookie in headers.get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            self.set.push(cookie.to_owned());
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else if self.keeps_cookies {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        let location = headers.get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
        Page { status: response.status().as_u16(), location, headers, text: response.text().await.unwrap() }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Page {
        self.send(self.http.get(format!("{}{path}", self.url))).await
    }

    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let form: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.url)).header("origin", self.origin.clone());
        self.send(request.header("content-type", "application/x-www-form-urlencoded").body(form)).await
    }

    /// Follows a link as far as the answer to its button.
    async fn enters(&mut self, link: &str) -> Page {
        let code = link.trim().split('#').nth(1).unwrap();
        let csrf = self.get("/portal/enter").await.hidden("csrf");
        self.post("/portal/enter", &[("csrf", &csrf), ("code", code)]).await
    }

    /// The same, which must work.
    pub(crate) async fn is_in(&mut self, link: &str) {
        let page = self.enters(link).await;
        assert_eq!((page.status, page.location.as_str()), (303, "/portal"), "{}", page.text);
    }

    /// A form of a page of the portal.
    async fn sends(&mut self, path: &str, fields: &[(&str, &str)]) -> Page {
        let csrf = self.csrf().await;
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post(path, &all).await
    }

    async fn csrf(&mut self) -> String {
        for path in ["/portal/export", "/portal/export/setup"] {
            let page = self.get(path).await;
            if page.status == 200 {
                return page.hidden("csrf");
            }
        }
        panic!("no page has a form");
    }
}

/// A link, by the command line. The server's address is its own.
fn link(bench: &Bench, served: &Served, account: &str, rest: &str) -> String {
    let made = bench
        .with("AUDITFERRY__API__PUBLIC_URL", served.url())
        .and("AUDITFERRY__PORTAL__RETURN_URLS", "https://app.vendor.example")
        .run(&format!("portal link {account} --actor jana@{account}.example {rest}"));
    assert_eq!(made.code, Some(0), "{made}");
    made.out
}
