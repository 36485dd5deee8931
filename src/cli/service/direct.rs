//! The ledger itself.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    Answer, Changed, Counted, NewDestination, NotSet, OptionPatch, Service, SetDestination, ShownAddOn,
    ShownDestination, Told,
};
use crate::base::database::masked;
use crate::base::zones::Zones;
use crate::cli::CliError;
use crate::cli::destination::{bare_stores, stores, vault, with_skip_secrets};
use crate::cli::notification::sender;
use crate::destinations::probe::{Heard, Trial, examine};
use crate::destinations::vault::KeyState;
use crate::ledger::{
    Account, AccountFilter, Change, ChangeFilter, DeliveryFilter, DeliveryRow, ExportOptions, NoticeRow,
    Proof, ReplayFilter, ReplayRow, WindowRow,
};
use crate::operations::admin::{Admin, AdminError, Rewound, Skipped};
use crate::operations::deliver_now::AddedSlot;
use crate::operations::deliveries::DeliveryView;
use crate::operations::destinations::{PlaceError, Placement, Placer};
use crate::operations::listing::{AccountRow, Extent, Listing};
use crate::operations::notifications::{Added, ChannelView, Given, NewTarget, Tried};
use crate::operations::portal::{CreatedLink, Entrance, NewLink};
use crate::operations::probes::ProbeResult;
use crate::operations::replay::{Replayer, Report, ReportedObject, Request};
use crate::operations::status::Status;
use crate::operations::story::Story;
use crate::operations::timeline::{AccountView, NEXT_SLOTS};
use crate::operations::tokens::{CreatedToken, NewToken};
use crate::secrets::Secret;
use crate::settings::Settings;
use auditferry_core::model::account::{AccountId, AddOnChange};
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::{Destination, SecretRef};
use auditferry_core::model::notification::{Audience, Language};
use auditferry_core::model::portal::PortalSession;
use auditferry_core::model::session::Session;
use auditferry_core::model::start::Start;
use auditferry_core::model::token::ApiToken;
use auditferry_core::model::when::When;
use auditferry_core::refusal::{Refusal, RefusalCode};

/// The ledger that the settings name, and who asks.
pub(in crate::cli) struct Direct {
    pub(in crate::cli) settings: Settings,
    pub(in crate::cli) admin: Admin,
    pub(in crate::cli) by: By,
}

impl Direct {
    fn changed(&self, account: &Account) -> Changed {
        Changed {
            zone: account.zone.clone(),
            schedule: account.schedule.clone(),
            until: account.addon.until,
            has_destination: account.destination_version.is_some(),
            next: self.admin.upcoming(account, NEXT_SLOTS),
        }
    }
}

fn ledger(error: crate::ledger::LedgerError) -> CliError {
    AdminError::from(error).into()
}

#[async_trait]
impl Service for Direct {
    fn place(&self) -> (&'static str, String) {
        ("ledger", masked(&self.settings.ledger.url))
    }

    fn now(&self) -> Timestamp {
        self.admin.clock.now()
    }

    fn zones(&self) -> &Zones {
        &self.admin.zones
    }

    fn is_remote(&self) -> bool {
        false
    }

    async fn status(&self) -> Answer<Status> {
        Ok(self.admin.status().await?)
    }

    async fn accounts(&self, filter: AccountFilter, extent: Extent) -> Answer<Listing<AccountRow>> {
        Ok(self.admin.list_accounts(filter, extent).await?)
    }

    async fn account(&self, id: &AccountId) -> Answer<AccountView> {
        Ok(self.admin.view(id).await?)
    }

    async fn story(&self, id: &AccountId, when: When) -> Answer<Story> {
        Ok(self.admin.story(id, when).await?)
    }

    async fn add_account(&self, id: &AccountId, options: &OptionPatch, start: Start) -> Answer<Changed> {
        let defaults = ExportOptions {
            zone: String::new(),
            schedule: self.settings.export.schedule.clone(),
            format: self.settings.export.format.clone(),
        };
        let account = self.admin.add_account(&self.by, id, &options.over(defaults), start).await?;
        Ok(self.changed(&account))
    }

    async fn set_options(&self, id: &AccountId, options: &OptionPatch) -> Answer<Changed> {
        let Account { zone, schedule, format, .. } = self.admin.ledger.account(id).await?;
        let options = options.over(ExportOptions { zone, schedule, format });
        let account = self.admin.set_options(&self.by, id, &options).await?;
        Ok(self.changed(&account))
    }

    async fn pause(&self, id: &AccountId) -> Answer<()> {
        self.admin.pause(&self.by, id).await?;
        Ok(())
    }

    async fn resume(&self, id: &AccountId) -> Answer<bool> {
        let before = self.admin.resume(&self.by, id).await?;
        Ok(before.paused.is_some() || before.is_suspended())
    }

    async fn release(&self, id: &AccountId) -> Answer<()> {
        self.admin.release(&self.by, id).await?;
        Ok(())
    }

    async fn deliver_now(&self, id: &AccountId) -> Answer<AddedSlot> {
        Ok(self.admin.deliver_now(&self.by, id).await?)
    }

    async fn awaiting_rewind(&self) -> Answer<Vec<AccountId>> {
        Ok(self.admin.awaiting_rewind().await?)
    }

    async fn rewind(&self, id: &AccountId, from: Option<Start>) -> Answer<Rewound> {
        Ok(self.admin.rewound(&self.by, id, from).await?)
    }

    async fn skip_records(&self, id: &AccountId, keys: &[String], reason: &str) -> Answer<Skipped> {
        let by = By { reason: Some(reason.to_owned()), ..self.by.clone() };
        Ok(self.admin.skip_records(&by, id, keys).await?)
    }

    async fn remove_account(&self, id: &AccountId, force: bool) -> Answer<u64> {
        Ok(self.admin.remove_account(&self.by, id, force).await?.windows)
    }

    async fn addon(&self, id: &AccountId) -> Answer<ShownAddOn> {
        let Account { addon, next_slot, .. } = self.admin.ledger.account(id).await?;
        Ok(ShownAddOn { addon, next_slot })
    }

    async fn set_addon(&self, id: &AccountId, change: &AddOnChange, from: Option<Start>) -> Answer<Changed> {
        let account = self.admin.set_addon(&self.by, id, change, from).await?;
        Ok(self.changed(&account))
    }

    async fn destination(&self, id: &AccountId) -> Answer<ShownDestination> {
        let destination = self.admin.destination(id).await?;
        let shown =
            serde_json::to_value(&destination).map_err(|error| CliError::Failed(error.to_string()))?;
        Ok(ShownDestination { destination, shown })
    }

    async fn set_destination(
        &self,
        new: &NewDestination<'_>,
        told: Told<'_>,
    ) -> Result<SetDestination, NotSet> {
        let Self { settings, admin, by } = self;
        let stores = bare_stores(settings).map_err(NotSet::Other)?;
        let vault = match new.opened.is_empty() {
            true => None,
            false => Some(vault(settings, &admin.ledger).await.map_err(NotSet::Other)?),
        };
        let told = |heard: Heard<'_>| {
            if let Heard::Begins(step) = heard {
                told(step);
            }
        };
        let placer = Placer { admin, by, stores: &stores, vault: vault.as_ref(), told: &told };
        let placement = Placement {
            account: new.account,
            destination: new.destination.clone(),
            opened: new.opened,
            replace: new.replace,
            test: new.test,
        };
        let placed = placer.place(&placement).await.map_err(not_set)?;
        Ok(SetDestination {
            probe: placed.examination.as_ref().map(ProbeResult::from),
            destination: placed.destination,
            before: placed.before,
            version: placed.version,
            sealed_with: placed.sealed_with,
            credentials_end: placed.credentials_end,
            awaits: placed.awaits.map(|asked| (asked.key, asked.expires_at)),
        })
    }

    async fn probe(&self, id: &AccountId, told: Told<'_>) -> Answer<(Destination, ProbeResult)> {
        let destination = self.admin.destination(id).await?;
        let sealed = destination.secrets().iter().any(|(_, secret)| matches!(secret, SecretRef::Sealed(_)));
        let stores = match sealed {
            true => stores(&self.settings, &self.admin.ledger).await?,
            false => bare_stores(&self.settings)?,
        };
        let told = |heard: Heard<'_>| {
            if let Heard::Begins(step) = heard {
                told(step);
            }
        };
        let examined = examine(&stores, id, &destination, None, Trial::Removed, &told).await;
        let found = ProbeResult::from(&examined);
        Ok((destination, found))
    }

    async fn prove(&self, id: &AccountId, token: &Secret) -> Answer<Proof> {
        Ok(self.admin.prove(&self.by, id, token).await?)
    }

    async fn remove_destination(&self, id: &AccountId) -> Answer<bool> {
        Ok(self.admin.remove_destination(&self.by, id).await?)
    }

    async fn deliveries(
        &self,
        account: Option<&AccountId>,
        undelivered: bool,
        extent: Extent,
    ) -> Answer<Listing<DeliveryRow>> {
        let (account, limit) = (account.cloned(), extent.asked());
        let filter = DeliveryFilter { account, undelivered, limit, ..DeliveryFilter::default() };
        Ok(extent.of(self.admin.ledger.deliveries(&filter).await.map_err(ledger)?))
    }

    async fn delivery(&self, account: &AccountId, key: &str) -> Answer<DeliveryView> {
        Ok(self.admin.delivery(account, key).await?)
    }

    async fn windows(&self, account: &AccountId, extent: Extent) -> Answer<Listing<WindowRow>> {
        Ok(extent.of(self.admin.ledger.windows(account, None, extent.asked()).await.map_err(ledger)?))
    }

    async fn replay(&self, id: &AccountId, request: &Request, counted: Counted<'_>) -> Answer<Report> {
        let Self { settings, admin, by } = self;
        let stores = stores(settings, &admin.ledger).await?;
        let replayer = Replayer { admin, by, stores: &stores, put_timeout: settings.put.timeout.0 };
        let mut objects = 0;
        let mut told = |object: &ReportedObject| {
            objects += 1;
            counted(objects, Some(&object.key));
        };
        Ok(replayer.replay(id, request, &mut told).await?)
    }

    async fn replays(&self, account: Option<&AccountId>, extent: Extent) -> Answer<Listing<ReplayRow>> {
        let (account, limit) = (account.cloned(), extent.asked());
        let filter = ReplayFilter { account, limit, ..ReplayFilter::default() };
        Ok(extent.of(self.admin.ledger.replays(&filter).await.map_err(ledger)?))
    }

    async fn changes(&self, filter: ChangeFilter, extent: Extent) -> Answer<Listing<Change>> {
        let filter = ChangeFilter { before: None, limit: extent.asked(), ..filter };
        Ok(extent.of(self.admin.ledger.changes(&filter).await.map_err(ledger)?))
    }

    async fn create_token(&self, new: &NewToken) -> Answer<CreatedToken> {
        Ok(self.admin.create_token(&self.by, new).await?)
    }

    async fn tokens(&self) -> Answer<Vec<ApiToken>> {
        Ok(self.admin.tokens().await?)
    }

    async fn revoke_token(&self, id: &str) -> Answer<String> {
        Ok(self.admin.revoke_token(&self.by, id).await?.name)
    }

    async fn sessions(&self) -> Answer<Vec<Session>> {
        Ok(self.admin.sessions().await?)
    }

    async fn revoke_session(&self, id: &str) -> Answer<String> {
        Ok(self.admin.revoke_session(&self.by, id).await?.name)
    }

    async fn create_portal_link(&self, account: &AccountId, new: &NewLink) -> Answer<CreatedLink> {
        let entrance = Entrance::new(&self.settings.api, &self.settings.portal);
        Ok(self.admin.create_portal_link(&self.by, &entrance, account, new).await?)
    }

    async fn portal_sessions(&self, account: &AccountId, limit: u32) -> Answer<Vec<PortalSession>> {
        Ok(self.admin.portal_sessions(account, limit).await?)
    }

    async fn revoke_portal_session(&self, account: &AccountId, id: &str) -> Answer<String> {
        Ok(self.admin.revoke_portal_session(&self.by, account, id).await?.actor.email)
    }

    async fn add_channel(&self, audience: Audience, language: Language, new: NewTarget) -> Answer<Added> {
        let sender = sender(&self.settings, &self.admin.ledger).await?;
        Ok(self.admin.add_channel(&self.by, &sender, audience, language, new).await?)
    }

    async fn channels(&self) -> Answer<Vec<ChannelView>> {
        Ok(self.admin.channels().await?)
    }

    async fn remove_channel(&self, id: &str) -> Answer<String> {
        Ok(self.admin.remove_channel(&self.by, id).await?.to)
    }

    async fn rotate_channel(&self, id: &str, secret: Option<Given>) -> Answer<Added> {
        let sender = sender(&self.settings, &self.admin.ledger).await?;
        Ok(self.admin.rotate_channel(&self.by, &sender, id, secret).await?)
    }

    async fn try_channel(&self, id: &str) -> Answer<Tried> {
        let sender = sender(&self.settings, &self.admin.ledger).await?;
        Ok(self.admin.try_channel(&sender, id).await?)
    }

    async fn notices(&self, account: Option<&AccountId>, limit: u32) -> Answer<Vec<NoticeRow>> {
        Ok(self.admin.notices(account, limit).await?)
    }

    async fn keys(&self) -> Answer<Vec<KeyState>> {
        Ok(vault(&self.settings, &self.admin.ledger).await?.states().await?)
    }
}

fn not_set(error: PlaceError) -> NotSet {
    let differs = RefusalCode::DifferencesNotAccepted;
    match error {
        PlaceError::Admin(AdminError::Refused(refusal @ Refusal { .. })) if refusal.code == differs => {
            NotSet::Differs(refusal.to_string())
        }
        PlaceError::Admin(error) => NotSet::Other(error.into()),
        PlaceError::Open(error) => NotSet::Other(CliError::Usage(with_skip_secrets(&error))),
        PlaceError::Key(error) => NotSet::Other(error.into()),
        PlaceError::Fails(failed) => {
            let (destination, examination) = *failed;
            let found = ProbeResult::from(&examination);
            NotSet::Fails(Box::new((destination, found)))
        }
    }
}
