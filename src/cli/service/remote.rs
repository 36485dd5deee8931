//! A server that has the ledger.

use async_trait::async_trait;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{
    Answer, Changed, Counted, NewDestination, NotSet, OptionPatch, Service, SetDestination, ShownAddOn,
    ShownDestination, Told,
};
use crate::base::clock::{Clock as _, SystemClock};
use crate::base::zones::Zones;
use crate::cli::CliError;
use crate::client::{Asked, Client, ClientError, Seen};
use crate::destinations::vault::KeyState;
use crate::ledger::{
    AccountFilter, AccountOrder, Change, ChangeFilter, DeliveryRow, LedgerError, NoticeRow, Proof, ReplayRow,
    WindowRow,
};
use crate::operations::admin::{Rewound, Skipped};
use crate::operations::deliver_now::AddedSlot;
use crate::operations::deliveries::DeliveryView;
use crate::operations::listing::{AccountRow, Extent, Listing};
use crate::operations::notifications::{Added, ChannelView, Given, NewTarget, Tried};
use crate::operations::portal::{CreatedLink, NewLink};
use crate::operations::probes::ProbeResult;
use crate::operations::replay::{Report, Request};
use crate::operations::status::Status;
use crate::operations::story::Story;
use crate::operations::timeline::AccountView;
use crate::operations::tokens::{CreatedToken, NewToken};
use crate::secrets::Secret;
use auditferry_core::model::account::{AccountId, AddOnChange};
use auditferry_core::model::destination::Destination;
use auditferry_core::model::notification::{Audience, Language};
use auditferry_core::model::portal::PortalSession;
use auditferry_core::model::session::Session;
use auditferry_core::model::start::Start;
use auditferry_core::model::token::ApiToken;
use auditferry_core::model::when::When;

mod account;
mod destination;
mod job;
mod notification;
mod portal;
mod replay;

/// How often a change is decided anew because somebody else has made one meanwhile.
const RACES: u32 = 5;

/// A server, and the time here.
pub(in crate::cli) struct Remote {
    client: Client,
    zones: Zones,
}

/// Decides a change anew while others come in between.
async fn afresh<'a, T>(
    step: impl Fn() -> BoxFuture<'a, Result<T, ClientError>> + Send + Sync,
) -> Result<T, ClientError> {
    for _ in 0..RACES {
        match step().await {
            Err(error) if error.problem("stale").is_some() => {}
            other => return other,
        }
    }
    step().await
}

/// A change was made of which the answer is lost for good.
fn lost(what: &str, see: &str) -> CliError {
    CliError::Failed(format!("{what}, and the answer of the server was lost; see `auditferry {see}`"))
}

impl Remote {
    pub(in crate::cli) fn new(client: Client) -> Self {
        Self { client, zones: Zones::load() }
    }
}

#[async_trait]
impl Service for Remote {
    fn place(&self) -> (&'static str, String) {
        ("server", self.client.server().to_string())
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn zones(&self) -> &Zones {
        &self.zones
    }

    fn is_remote(&self) -> bool {
        true
    }

    async fn status(&self) -> Answer<Status> {
        Ok(self.client.read(Asked::get(&["status"])).await?)
    }

    async fn accounts(&self, filter: AccountFilter, extent: Extent) -> Answer<Listing<AccountRow>> {
        let AccountFilter { health, ending_within, text, only: _, order } = filter;
        let health: Vec<_> = health.iter().map(|health| health.as_str()).collect();
        let health = (!health.is_empty()).then(|| health.join(","));
        let within = ending_within.map(|span| span.as_secs().clamp(0, i32::MAX.into()));
        let order = (order == AccountOrder::Oldest).then_some("oldest");
        let asked = || {
            Asked::get(&["accounts"])
                .maybe("health", health.as_ref())
                .maybe("ending_within_seconds", within)
                .maybe("text", text.as_ref())
                .maybe("order", order)
        };
        Ok(self.client.list_counted(asked, extent).await?)
    }

    async fn account(&self, id: &AccountId) -> Answer<AccountView> {
        let explanation = self.explanation(id).await?.value;
        Ok(AccountView { explanation, last_days: self.timeline(id).await? })
    }

    async fn story(&self, id: &AccountId, when: When) -> Answer<Story> {
        let when = when.to_string();
        Ok(self.client.read(Asked::get(&["accounts", id.as_str(), "slots", &when]).about(id)).await?)
    }

    async fn add_account(&self, id: &AccountId, options: &OptionPatch, start: Start) -> Answer<Changed> {
        let format = &options.format;
        let given = [
            ("zone", json!(options.zone)),
            ("schedule", json!(options.schedule)),
            ("start", json!(start)),
            ("container", json!(format.container)),
            ("layout", json!(format.layout)),
            ("empty_windows", json!(format.empty_windows)),
            ("max_records", json!(format.max_records)),
            ("max_bytes", json!(format.max_bytes)),
            ("compression", json!(format.compression)),
            ("record_format", json!(format.record_format)),
            ("envelope", json!(format.envelope)),
            ("absent", json!(format.absent)),
            ("max_field_bytes", json!(format.max_field_bytes)),
            ("path", json!(format.path)),
            ("source", json!(format.source)),
            ("siem", json!(format.siem)),
        ];
        let body: serde_json::Map<String, Value> = given
            .into_iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        let put = Asked::put(&["accounts", id.as_str()], Seen::Absent).body(&Value::Object(body)).about(id);
        match self.client.change(put).await {
            Ok(_) => Ok(self.changed(id).await?),
            Err(error) if error.problem("stale").is_some() => {
                Err(CliError::Usage(LedgerError::AccountExists(id.clone()).to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn set_options(&self, id: &AccountId, options: &OptionPatch) -> Answer<Changed> {
        afresh(|| self.put_options(id, options).boxed()).await?;
        Ok(self.changed(id).await?)
    }

    async fn pause(&self, id: &AccountId) -> Answer<()> {
        self.act(id, "pause").await?;
        Ok(())
    }

    async fn resume(&self, id: &AccountId) -> Answer<bool> {
        Ok(afresh(|| self.resumed(id).boxed()).await?)
    }

    async fn release(&self, id: &AccountId) -> Answer<()> {
        self.act(id, "release").await?;
        Ok(())
    }

    async fn deliver_now(&self, id: &AccountId) -> Answer<AddedSlot> {
        let added = self.act(id, "deliver-now").await?.answer()?;
        added.ok_or_else(|| lost(&format!("account {id}: the slot was added"), "account show"))
    }

    async fn awaiting_rewind(&self) -> Answer<Vec<AccountId>> {
        Ok(self.client.read(Asked::get(&["awaiting-rewind"])).await?)
    }

    async fn rewind(&self, id: &AccountId, from: Option<Start>) -> Answer<Rewound> {
        let mut body = json!({ "accept": true });
        if let Some(from) = from {
            body["from"] = json!(from);
        }
        let rewind = Asked::post(&["accounts", id.as_str(), "rewind"]).body(&body).about(id);
        let rewound = self.client.change(rewind).await?.answer()?;
        rewound.ok_or_else(|| lost(&format!("account {id} was rewound"), "account show"))
    }

    async fn skip_records(&self, id: &AccountId, keys: &[String], reason: &str) -> Answer<Skipped> {
        let body = json!({ "keys": keys, "reason": reason });
        let skip = Asked::post(&["accounts", id.as_str(), "skipped-records"]).body(&body).about(id);
        let skipped = self.client.change(skip).await?.answer()?;
        skipped.ok_or_else(|| {
            lost(&format!("account {id}: the records are left out"), "deliveries ls ACCOUNT --windows")
        })
    }

    async fn remove_account(&self, id: &AccountId, force: bool) -> Answer<u64> {
        // Windows are counted without gaps, and the newest comes first.
        let newest = self.windows(id, Extent::First(1)).await?;
        let remove =
            Asked::delete(&["accounts", id.as_str()], Seen::Anything).with("force", &force).about(id);
        self.client.change(remove).await?;
        Ok(newest.rows.first().map_or(0, |row| row.window))
    }

    async fn addon(&self, id: &AccountId) -> Answer<ShownAddOn> {
        let addon = Asked::get(&["accounts", id.as_str(), "add-on"]).about(id);
        let addon = self.client.read(addon).await?;
        Ok(ShownAddOn { addon, next_slot: self.explanation(id).await?.value.next_slot })
    }

    async fn set_addon(&self, id: &AccountId, change: &AddOnChange, from: Option<Start>) -> Answer<Changed> {
        afresh(|| self.put_addon(id, change, from).boxed()).await?;
        Ok(self.changed(id).await?)
    }

    async fn destination(&self, id: &AccountId) -> Answer<ShownDestination> {
        self.shown_destination(id).await
    }

    async fn set_destination(&self, new: &NewDestination<'_>, _: Told<'_>) -> Result<SetDestination, NotSet> {
        self.put_destination(new).await
    }

    async fn probe(&self, id: &AccountId, told: Told<'_>) -> Answer<(Destination, ProbeResult)> {
        self.probed(id, told).await
    }

    async fn prove(&self, id: &AccountId, token: &Secret) -> Answer<Proof> {
        self.proved(id, token).await
    }

    async fn remove_destination(&self, id: &AccountId) -> Answer<bool> {
        Ok(afresh(|| self.without_destination(id).boxed()).await?)
    }

    async fn deliveries(
        &self,
        account: Option<&AccountId>,
        undelivered: bool,
        extent: Extent,
    ) -> Answer<Listing<DeliveryRow>> {
        let asked = || {
            let asked = Asked::get(&["deliveries"]).maybe("account", account.map(AccountId::as_str));
            account.into_iter().fold(asked.with("undelivered", &undelivered), Asked::about)
        };
        Ok(self.client.list(asked, extent).await?)
    }

    async fn delivery(&self, account: &AccountId, key: &str) -> Answer<DeliveryView> {
        let asked = Asked::get(&["accounts", account.as_str(), "delivery"]).with("key", key).about(account);
        Ok(self.client.read(asked).await?)
    }

    async fn windows(&self, account: &AccountId, extent: Extent) -> Answer<Listing<WindowRow>> {
        let asked = || Asked::get(&["accounts", account.as_str(), "windows"]).about(account);
        Ok(self.client.list(asked, extent).await?)
    }

    async fn replay(&self, id: &AccountId, request: &Request, counted: Counted<'_>) -> Answer<Report> {
        self.replayed(id, request, counted).await
    }

    async fn replays(&self, account: Option<&AccountId>, extent: Extent) -> Answer<Listing<ReplayRow>> {
        let asked = || {
            let asked = Asked::get(&["replayed-objects"]).maybe("account", account.map(AccountId::as_str));
            account.into_iter().fold(asked, Asked::about)
        };
        Ok(self.client.list(asked, extent).await?)
    }

    async fn changes(&self, filter: ChangeFilter, extent: Extent) -> Answer<Listing<Change>> {
        let ChangeFilter { account, by, since, until, before: _, without_portal: _, limit: _ } = filter;
        let asked = || {
            let asked = Asked::get(&["changes"])
                .maybe("account", account.as_ref().map(AccountId::as_str))
                .maybe("by", by.as_ref())
                .maybe("since", since)
                .maybe("until", until);
            account.iter().fold(asked, Asked::about)
        };
        Ok(self.client.list(asked, extent).await?)
    }

    async fn create_token(&self, new: &NewToken) -> Answer<CreatedToken> {
        let made = self.client.change(Asked::post(&["tokens"]).body(&json!(new))).await?;
        let created: Option<CreatedToken> = made.answer()?;
        match created {
            Some(created) if created.secret.is_some() => Ok(created),
            // Nobody knows the secret: the answer with it was lost.
            Some(CreatedToken { token, .. }) => Err(CliError::Failed(format!(
                "the token {id} was made, and the answer with its secret was lost; revoke it with `auditferry token revoke \
                 {id}`, and make another",
                id = token.id
            ))),
            None => Err(lost("the token was made", "token ls")),
        }
    }

    async fn tokens(&self) -> Answer<Vec<ApiToken>> {
        Ok(self.client.read(Asked::get(&["tokens"])).await?)
    }

    async fn revoke_token(&self, id: &str) -> Answer<String> {
        let known = self.tokens().await?.into_iter().find(|token| token.id == id);
        self.client.change(Asked::delete(&["tokens", id], Seen::Nothing)).await?;
        Ok(known.map(|token| token.name).unwrap_or_default())
    }

    async fn sessions(&self) -> Answer<Vec<Session>> {
        Ok(self.client.read(Asked::get(&["sessions"])).await?)
    }

    async fn revoke_session(&self, id: &str) -> Answer<String> {
        let known = self.sessions().await?.into_iter().find(|session| session.id == id);
        self.client.change(Asked::delete(&["sessions", id], Seen::Nothing)).await?;
        Ok(known.map(|session| session.name).unwrap_or_default())
    }

    async fn create_portal_link(&self, account: &AccountId, new: &NewLink) -> Answer<CreatedLink> {
        self.created_portal_link(account, new).await
    }

    async fn portal_sessions(&self, account: &AccountId, limit: u32) -> Answer<Vec<PortalSession>> {
        self.listed_portal_sessions(account, limit).await
    }

    async fn revoke_portal_session(&self, account: &AccountId, id: &str) -> Answer<String> {
        self.revoked_portal_session(account, id).await
    }

    async fn add_channel(&self, audience: Audience, language: Language, new: NewTarget) -> Answer<Added> {
        self.added_channel(audience, language, new).await
    }

    async fn channels(&self) -> Answer<Vec<ChannelView>> {
        Ok(self.client.read(Asked::get(&["notifications"])).await?)
    }

    async fn remove_channel(&self, id: &str) -> Answer<String> {
        let known: ChannelView = self.client.read(Asked::get(&["notifications", id])).await?;
        self.client.change(Asked::delete(&["notifications", id], Seen::Nothing)).await?;
        Ok(known.to)
    }

    async fn rotate_channel(&self, id: &str, secret: Option<Given>) -> Answer<Added> {
        self.rotated_channel(id, secret).await
    }

    async fn try_channel(&self, id: &str) -> Answer<Tried> {
        let tried = self.client.change(Asked::post(&["notifications", id, "test"])).await?.answer()?;
        tried.ok_or_else(|| lost("a message was sent", "notification test NOTIFICATION"))
    }

    async fn notices(&self, account: Option<&AccountId>, limit: u32) -> Answer<Vec<NoticeRow>> {
        let account = account.map(AccountId::as_str);
        Ok(self.client.read(Asked::get(&["notices"]).with("limit", &limit).maybe("account", account)).await?)
    }

    async fn keys(&self) -> Answer<Vec<KeyState>> {
        Ok(self.client.read(Asked::get(&["keys"])).await?)
    }
}
