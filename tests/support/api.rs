//! The API as it is served, and a client of it.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::Value;

use super::bench::Bench;

/// `auditferry serve` in the folder of a bench, until it is dropped.
pub struct Served {
    process: Child,
    url: String,
}

/// What the API has answered.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

/// A caller, with a token or without one.
#[derive(Clone)]
pub struct Client {
    url: String,
    token: Option<String>,
    headers: Vec<(String, String)>,
    http: reqwest::Client,
}

/// A port that was free a moment ago.
pub fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("port").local_addr().expect("address").port()
}

impl Served {
    /// Starts it, and waits until it answers. `settings`: variables of its environment.
    pub fn start(bench: &Bench, settings: &[(&str, &str)]) -> Self {
        let mut command = bench.command(&["serve"]);
        command.envs(settings.iter().copied());
        Self::spawn(command, &bench.path("serve.log"))
    }

    /// Starts a command that serves the API, and waits until it answers.
    pub fn spawn(mut command: Command, log: &Path) -> Self {
        let port = free_port();
        let log = std::fs::File::create(log).expect("log");
        command.env("AUDITFERRY__API__LISTEN", format!("127.0.0.1:{port}"));
        command.env("AUDITFERRY__HTTP__LISTEN", "");
        let process = command.stdout(Stdio::null()).stderr(log).spawn().expect("the binary");
        let served = Self { process, url: format!("http://127.0.0.1:{port}") };
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(30), "the API does not start");
            std::thread::sleep(Duration::from_millis(20));
        }
        served
    }

    /// Its base URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A caller without a token.
    pub fn client(&self) -> Client {
        Client { url: self.url.clone(), token: None, headers: Vec::new(), http: reqwest::Client::new() }
    }

    /// Tells it to end, and waits until it has; its exit code.
    pub fn stop(&mut self) -> Option<i32> {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().expect("kill").success());
        self.process.wait().expect("its end").code()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Makes a token with the command line.
pub fn token(bench: &Bench, role: &str, accounts: &[&str]) -> String {
    let limits: String = accounts.iter().map(|account| format!(" --account {account}")).collect();
    bench.does(&format!("token create test --role {role}{limits}")).trim().to_owned()
}

impl Client {
    /// The same caller with a token.
    pub fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same caller with a header.
    pub fn header(&self, name: &str, value: &str) -> Self {
        let mut headers = self.headers.clone();
        headers.push((name.to_owned(), value.to_owned()));
        Self { headers, ..self.clone() }
    }

    /// Sends a request below `/api/v1`.
    pub async fn send(&self, method: &str, path: &str, body: Option<&Value>) -> Reply {
        let body = body.map(Value::to_string);
        self.send_text(method, path, body.as_deref()).await
    }

    /// The same, with a body that may be no JSON.
    pub async fn send_text(&self, method: &str, path: &str, body: Option<&str>) -> Reply {
        let method: Method = method.parse().expect("method");
        let mut request = self.http.request(method, format!("{}/api/v1{path}", self.url));
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_owned());
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, text: response.text().await.expect("text") }
    }

    /// Reads.
    pub async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, None).await
    }

    /// Begins a job, and waits until it has ended; how it is then.
    pub async fn job(&self, path: &str, body: Option<&Value>) -> Value {
        let begun = self.send("POST", path, body).await;
        begun.is(202);
        self.ended(begun.header("location")).await
    }

    /// Waits until a job has ended; how it is then.
    pub async fn ended(&self, location: &str) -> Value {
        let path = location.strip_prefix("/api/v1").expect("a path of the API");
        let began = Instant::now();
        loop {
            let job = self.get(path).await.is(200);
            if job["state"] != "running" {
                return job;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "the job does not end: {job}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Changes what was just read.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        let seen = self.get(path).await;
        self.header("if-match", &seen.etag()).send("PUT", path, Some(body)).await
    }
}

impl Reply {
    /// The body, which is JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same, of an answer of this status.
    pub fn is(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.text.is_empty() { Value::Null } else { self.json() }
    }

    /// Asserts a problem document.
    pub fn is_problem(&self, status: u16, code: &str) -> Value {
        let body = self.is(status);
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        assert_eq!((&body["code"], &body["status"]), (&code.into(), &status.into()), "{self:?}");
        assert!(body["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{self:?}");
        body
    }

    /// The ids of a page of accounts.
    pub fn accounts(&self) -> Vec<String> {
        let page = self.is(200);
        let items = page["items"].as_array().expect("items").iter();
        items.map(|row| row["account"].as_str().expect("an id").to_owned()).collect()
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub fn etag(&self) -> String {
        self.header("etag").to_owned()
    }
}
