//! The API on a ledger of very many accounts: how long it takes to answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use comfy_table::Table;
use jiff::{SignedDuration, Timestamp};

use crate::Result;
use crate::bed::{Bed, Common, Databases, Worker};
use crate::crowd;
use crate::lateness::percentile;
use crate::ledger;
use crate::records::{Records, ZONE, small};

#[derive(Args)]
pub(crate) struct Options {
    /// Accounts; several numbers are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "100000")]
    accounts: Vec<u64>,
    /// Requests of each kind.
    #[arg(long, default_value_t = 2_000)]
    requests: u64,
    /// Callers at one time; several numbers are measured one after the other.
    #[arg(long, value_delimiter = ',', default_value = "1,8")]
    callers: Vec<u64>,
    #[command(flatten)]
    common: Common,
}

/// What is asked for, and a share of the requests. `{}` is an account's id.
const ASKED: [(&str, &str, u64); 5] = [
    ("an account", "/accounts/{}", 1),
    ("a page of 200 accounts", "/accounts?limit=200&cursor={cursor}", 1),
    // These look at every account.
    ("a page of failing accounts", "/accounts?limit=200&health=failing", 100),
    ("accounts by text", "/accounts?limit=50&text={}", 100),
    ("the status", "/status", 100),
];

/// The API as it is served, and a token for it.
pub(crate) struct Served {
    pub(crate) url: String,
    pub(crate) token: String,
}

impl Served {
    /// A port that was free a moment ago, and a token of a reader. `a_minute`: how many requests of it are answered.
    pub(crate) fn prepare(
        bed: &Bed,
        databases: &Databases,
        a_minute: u32,
    ) -> Result<(Self, [(String, String); 2])> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let token = token(bed, databases, "reader")?;
        let settings = [
            ("AUDITFERRY__API__LISTEN".to_owned(), format!("127.0.0.1:{port}")),
            ("AUDITFERRY__API__REQUESTS_PER_MINUTE".to_owned(), a_minute.to_string()),
        ];
        Ok((Self { url: format!("http://127.0.0.1:{port}"), token }, settings))
    }

    /// The same for somebody who may make links to the portal.
    pub(crate) fn as_operator(&self, bed: &Bed, databases: &Databases) -> Result<Self> {
        Ok(Self { url: self.url.clone(), token: token(bed, databases, "operator")? })
    }
}

fn token(bed: &Bed, databases: &Databases, role: &str) -> Result<String> {
    let token = bed.program(databases)?.args(["token", "create", role, "--role", role]).output()?;
    Ok(String::from_utf8(token.stdout)?.trim().to_owned())
}

pub(crate) async fn measure(options: &Options) -> Result<()> {
    let bed = Bed::start(&options.common, &[]).await?;
    let account = small("i");
    let source = bed.source(&Records { count: 1, account: &account, seed: options.common.seed }).await?;
    let mut table = Table::new();
    table.load_preset(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header([
        "accounts",
        "asked for",
        "callers",
        "requests",
        "p50 ms",
        "p99 ms",
        "max ms",
        "requests/s",
        "CPU ms each",
        "Postgres CPU ms each",
    ]);
    for accounts in &options.accounts {
        let databases = bed.ledger(&source).await?;
        let slot = Timestamp::now() + SignedDuration::from_hours(2);
        let rows = format!(
            "SELECT {} AS id, '{ZONE}' AS zone, '0 0 */4 * * *' AS schedule, '{slot}'::timestamptz AS slot \
             FROM generate_series(0, {accounts} - 1) AS number ORDER BY hashint8extended(number, 1)",
            small("number")
        );
        ledger::add(&bed, &databases, "api/", "", &rows).await?;
        let (served, settings) = Served::prepare(&bed, &databases, 100_000_000)?;
        let server = Worker::serve(&bed, &databases, &settings)?;
        crowd::answers(&served.url).await?;
        for (name, path, share) in ASKED {
            for callers in &options.callers {
                let (cpu, spent) = (server.cpu(), bed.spent());
                let began = Instant::now();
                let mut took = ask(&served, path, *accounts, *callers, options.requests / share).await?;
                let seconds = began.elapsed().as_secs_f64();
                let spent = bed.spent().since(spent);
                took.sort_by(f64::total_cmp);
                let requests = took.len() as f64;
                table.add_row([
                    accounts.to_string(),
                    name.to_owned(),
                    callers.to_string(),
                    took.len().to_string(),
                    format!("{:.2}", percentile(&took, 50)),
                    format!("{:.2}", percentile(&took, 99)),
                    format!("{:.2}", percentile(&took, 100)),
                    format!("{:.0}", requests / seconds),
                    format!("{:.2}", (server.cpu() - cpu) * 1000.0 / requests),
                    format!("{:.2}", spent.postgres * 1000.0 / requests),
                ]);
            }
        }
        server.stop()?;
    }
    println!("{table}");
    Ok(())
}

/// Asks so often, and gives the milliseconds that each answer took.
async fn ask(served: &Served, path: &str, accounts: u64, callers: u64, requests: u64) -> Result<Vec<f64>> {
    let served = Arc::new((served.url.clone(), served.token.clone(), path.to_owned()));
    let asking: Vec<_> = (0..callers)
        .map(|caller| {
            let served = Arc::clone(&served);
            tokio::spawn(async move {
                let (url, token, path) = &*served;
                let client = reqwest::Client::new();
                let mut took = Vec::new();
                for number in 0..requests / callers {
                    // Spread over all of them, and the same in each run.
                    let id = format!("acct-{:07}", (number * callers + caller) * 7_919 % accounts);
                    let cursor = crowd::cursor(&id);
                    let path = path.replace("{cursor}", &cursor).replace("{}", &id);
                    let began = Instant::now();
                    let answer = client.get(format!("{url}/api/v1{path}")).bearer_auth(token);
                    let answer = answer.timeout(Duration::from_secs(60)).send().await?;
                    let status = answer.status();
                    let body = answer.bytes().await?;
                    took.push(began.elapsed().as_secs_f64() * 1000.0);
                    if !status.is_success() {
                        return Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&body)).into());
                    }
                }
                Ok::<_, Box<dyn std::error::Error + Send + Sync>>(took)
            })
        })
        .collect();
    let mut all = Vec::new();
    for asking in asking {
        all.extend(asking.await?.map_err(|error| error.to_string())?);
    }
    Ok(all)
}
