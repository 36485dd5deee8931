//! `auditferry demo --serve`: two weeks of slots, then the console and a customer's portal, with records that arrive
//! and a worker that goes on in real time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use tokio_util::sync::CancellationToken;

use super::{ACCOUNTS, Demo, DemoError, SCHEDULE, account_id, exporter, limits, records};
use crate::base::actor::os_user;
use crate::base::clock::{Clock, SystemClock};
use crate::delivery::worker::{Mode, Worker};
use crate::destinations::cache::StoreCache;
use crate::http::api::{Parts, Server, SignInSettings};
use crate::ledger::{ExportOptions, LedgerError};
use crate::notifications::sender::Sender;
use crate::observe::telemetry::Metrics;
use crate::operations::admin::{Admin, AdminError};
use crate::operations::downloads::DownloadDesk;
use crate::operations::downloads::folder::Folder;
use crate::operations::downloads::shelf::Shelf;
use crate::operations::portal::{Entrance, NewLink};
use crate::operations::records::Records;
use crate::operations::tokens::NewToken;
use crate::secrets::{Opened, Secret, keys};
use crate::settings::Settings;
use crate::source::{Browser, PAGE_PATIENCE, open_browser};
use auditferry_core::model::access::Role;
use auditferry_core::model::account::{AddOn, AddOnChange};
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::Place;
use auditferry_core::model::format::Format;
use auditferry_core::model::notification::Language;
use auditferry_core::model::portal::{Capability, LinkKind, PortalActor, Theme};
use auditferry_core::model::start::Start;

/// An account whose bucket is not there.
const BROKEN: &str = "borealis";

/// An account that is not set up yet, and whose add-on ends soon.
const NEW: &str = "kestrel-air";

/// Whose portal is opened.
const CUSTOMER: &str = ACCOUNTS[2].0;

/// Of so many slots one is late, as if the worker had been away.
const LATE: usize = 41;

/// How long it was away.
const AWAY: SignedDuration = SignedDuration::from_mins(40);

/// How often somebody does something, from now on.
const RECORD_PAUSE: Duration = Duration::from_secs(2);

/// How long a download is kept.
const DOWNLOADS_KEPT: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The name of the token that opens the console.
const TOKEN: &str = "demo console";

impl Demo {
    /// What reads records by time.
    async fn browser(&self) -> Result<Arc<dyn Browser>, DemoError> {
        let url = format!("sqlite:{}", self.dir.join("demo.db").display());
        Ok(open_browser(&url, 4, PAGE_PATIENCE).await?)
    }

    /// Fills the days up to now, then serves until it is interrupted.
    pub(super) async fn serve(
        mut self,
        listen: SocketAddr,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<(), DemoError> {
        let by = By::actor(os_user(None));
        let settings = served(listen)?;
        // Before anything takes long: that the port is free.
        let server = Server::bind(&settings.api).await.map_err(DemoError::Serve)?;
        let server = server.ok_or_else(|| DemoError::Serve("there is no address".to_owned()))?;
        self.fill(say).await?;
        self.add_others(&by, say).await?;
        let admin = Admin { clock: Arc::new(SystemClock), ..self.admin.clone() };
        let links = self.links(&admin, &by, &settings).await?;
        let stop = CancellationToken::new();
        let metrics = Arc::new(Metrics::default());
        let stores = self.stores();
        let sender = || Sender::new(stores.dialer().clone(), self.vault.clone(), settings.email.clone());
        let worker = self.worker(&admin, sender());
        let sender = sender();
        let records = Records::new(self.browser().await?, None);
        let folder = Folder::take(&self.dir.join("downloads")).await.map_err(DemoError::Serve)?;
        let desk = DownloadDesk { shelf: Shelf::Folder(folder), keep: DOWNLOADS_KEPT };
        let parts = Parts {
            records,
            downloads: Some((desk, 1)),
            admin: admin.clone(),
            stores,
            vault: self.vault.clone(),
            sender,
            put_timeout: settings.put.timeout.0,
            export: settings.export.clone(),
            requests_per_minute: settings.api.requests_per_minute,
            provider: None,
            sign_in: SignInSettings::new(&settings.api),
            entrance: Entrance::new(&settings.api, &settings.portal),
            aws_principal: settings.aws.principal.clone(),
            metrics,
        };
        let serving = tokio::spawn(server.serve(parts, stop.clone()));
        let working = {
            let stop = stop.clone();
            tokio::spawn(async move { worker.run(Mode::Forever, stop).await })
        };
        let arriving = tokio::spawn(arrive(admin, stop.clone()));
        for line in links {
            say(line);
        }
        let _ = tokio::signal::ctrl_c().await;
        stop.cancel();
        let _ = tokio::join!(serving, working, arriving);
        Ok(())
    }

    /// Runs all slots that have come.
    async fn fill(&mut self, say: &mut (dyn FnMut(String) + Send)) -> Result<(), DemoError> {
        let now = SystemClock.now();
        say("filling the days up to now".to_owned());
        for turn in 1.. {
            if self.admin.ledger.next_due(&[]).await?.is_none_or(|due| due + AWAY > now) {
                break;
            }
            let late = if turn % LATE == 0 { AWAY } else { SignedDuration::ZERO };
            self.slot(late, &mut |_| {}).await?;
        }
        while self.admin.ledger.next_due(&[]).await?.is_some_and(|due| due <= now) {
            self.next_slot(&mut |_| {}).await?;
        }
        self.people_until(now).await?;
        Ok(())
    }

    /// Accounts that need somebody: what a console is for.
    async fn add_others(&self, by: &By, say: &mut (dyn FnMut(String) + Send)) -> Result<(), DemoError> {
        let now = SystemClock.now();
        for (name, until) in [(BROKEN, None), (NEW, Some(now + SignedDuration::from_hours(24 * 9)))] {
            let id = account_id(name)?;
            let options = ExportOptions {
                zone: "Europe/Berlin".to_owned(),
                schedule: SCHEDULE.to_owned(),
                format: Format::default(),
            };
            match self.admin.add_account(by, &id, &options, Start::Beginning).await {
                Ok(_) => say(format!("account added          {name:?} in Europe/Berlin")),
                Err(AdminError::Ledger(LedgerError::AccountExists(_))) => continue,
                Err(error) => return Err(error.into()),
            }
            let until = until.map(|at| jiff::Timestamp::from_second(at.as_second()).unwrap_or(at));
            let addon = AddOn { enabled: true, until, reason: Some("demo".to_owned()) };
            self.admin.set_addon(by, &id, &AddOnChange::Declared(addon), None).await?;
            if name == BROKEN {
                let mut import = self.admin.source.import(&id).await?;
                import.append(&records::between(name, now - SignedDuration::from_hours(8), now)).await?;
                import.commit().await?;
                self.set_broken(by, &id).await?;
                let asked = Admin { clock: Arc::new(SystemClock), ..self.admin.clone() };
                // Its newest slot is the one before this second.
                let _ = asked.deliver_now(by, &id).await;
            }
        }
        Ok(())
    }

    async fn set_broken(
        &self,
        by: &By,
        id: &auditferry_core::model::account::AccountId,
    ) -> Result<(), DemoError> {
        let sealed_id = keys::new_id();
        let mut destination = self.destination(sealed_id.clone());
        if let Place::S3(s3) = &mut destination.place {
            "borealis-siem".clone_into(&mut s3.bucket);
        }
        let mut given = Opened::default();
        given.insert(sealed_id, Secret::new("a-key-of-the-bank".to_owned()));
        let sealed = self.vault.seal(id, &destination, &given).await?;
        self.admin.set_destination(by, id, &destination, &sealed, true).await?;
        Ok(())
    }

    /// What to open: the console with its token, and a portal.
    async fn links(&self, admin: &Admin, by: &By, settings: &Settings) -> Result<Vec<String>, DemoError> {
        for token in admin.tokens().await? {
            if token.name == TOKEN && token.revoked_at.is_none() {
                admin.revoke_token(by, &token.id).await?;
            }
        }
        let new = NewToken { name: TOKEN.to_owned(), role: Role::Operator, accounts: None, expires_at: None };
        let token = admin.create_token(by, &new).await?;
        let secret = token.secret.as_ref().map(|secret| secret.to_string()).unwrap_or_default();
        let link = NewLink {
            capabilities: Capability::ALL.iter().copied().collect::<BTreeSet<_>>(),
            actor: PortalActor { id: "1".to_owned(), email: "ana@acmecorp.example".to_owned() },
            return_url: None,
            locale: Language::En,
            theme: Theme::System,
            link: LinkKind::Mail,
            session_seconds: Some(86_400),
        };
        let entrance = Entrance::new(&settings.api, &settings.portal);
        let portal = admin.create_portal_link(by, &entrance, &account_id(CUSTOMER)?, &link).await?;
        let portal = portal.url.as_ref().map(|url| url.to_string()).unwrap_or_default();
        Ok(vec![
            "\nRecords arrive from now on. Open in a browser on this machine:".to_owned(),
            format!("  console   http://{}/console", settings.api.listen),
            format!("            token {secret}"),
            format!("  portal    {portal}"),
            format!(
                "            of {CUSTOMER:?}, once; another link: in the console, account {CUSTOMER:?}, More"
            ),
            "Ctrl-C ends it.".to_owned(),
        ])
    }

    fn stores(&self) -> StoreCache {
        StoreCache::new([], self.exporter.stores.dialer().clone()).with_vault(self.vault.clone())
    }

    fn worker(&self, admin: &Admin, sender: Sender) -> Worker {
        let mut exporter = exporter(admin, self.stores());
        // The one that filled the days has ended.
        exporter.owner.push_str("/served");
        Worker::new(Arc::new(exporter), limits()).with_sender(Arc::new(sender))
    }
}

fn served(listen: SocketAddr) -> Result<Settings, DemoError> {
    let mut settings = Settings::load_with(None, std::collections::HashMap::new())
        .map_err(|error| DemoError::Serve(error.to_string()))?;
    settings.api.listen = listen.to_string();
    // Somebody who tries things out clicks a lot.
    settings.api.requests_per_minute = 6_000;
    Ok(settings)
}

/// People go on, until it stops.
async fn arrive(admin: Admin, stop: CancellationToken) {
    let mut from = admin.clock.now();
    let mut turn = 0_usize;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RECORD_PAUSE) => {}
        }
        let now = admin.clock.now();
        let (name, _) = ACCOUNTS[turn % ACCOUNTS.len()];
        turn += 1;
        if let Err(error) = one_record(&admin, name, (from, now)).await {
            tracing::warn!(error = %error, "the demo's people cannot go on");
        }
        from = now;
    }
}

async fn one_record(
    admin: &Admin,
    name: &str,
    (from, now): (jiff::Timestamp, jiff::Timestamp),
) -> Result<(), DemoError> {
    let id = account_id(name)?;
    let mut record = records::one(name, from);
    record.occurred_at = now;
    let mut import = admin.source.import(&id).await?;
    import.append(std::slice::from_ref(&record)).await?;
    Ok(import.commit().await?)
}
