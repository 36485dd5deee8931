//! What commands ask for: the ledger itself, or a server that has it. They print what comes, and it is the same.

use async_trait::async_trait;
use jiff::Timestamp;

use super::CliError;
use crate::base::zones::Zones;
use crate::destinations::vault::KeyState;
use crate::ledger::{
    AccountFilter, Change, ChangeFilter, DeliveryRow, ExportOptions, NoticeRow, Proof, ReplayRow, WindowRow,
};
use crate::operations::admin::{Rewound, Skipped};
use crate::operations::deliver_now::AddedSlot;
use crate::operations::deliveries::DeliveryView;
use crate::operations::destinations::{Replace, Test};
use crate::operations::listing::{AccountRow, Extent, Listing};
use crate::operations::notifications::{Added, ChannelView, Given, NewTarget, Tried};
use crate::operations::portal::{CreatedLink, NewLink};
use crate::operations::probes::ProbeResult;
use crate::operations::replay;
use crate::operations::status::Status;
use crate::operations::story::Story;
use crate::operations::timeline::AccountView;
use crate::operations::tokens::{CreatedToken, NewToken};
use crate::secrets::{Opened, Secret};
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::destination::Destination;
use auditferry_core::model::format::FormatPatch;
use auditferry_core::model::notification::{Audience, Language};
use auditferry_core::model::portal::PortalSession;
use auditferry_core::model::session::Session;
use auditferry_core::model::start::Start;
use auditferry_core::model::token::ApiToken;
use auditferry_core::model::when::When;

mod direct;
mod remote;

pub(super) use self::direct::Direct;
pub(super) use self::remote::Remote;

/// What commands get.
pub(super) type Answer<T> = Result<T, CliError>;

/// What somebody wants an export's options to be; the rest stays, or gets the defaults.
#[derive(Debug, Clone, Default)]
pub(super) struct OptionPatch {
    pub(super) zone: Option<String>,
    pub(super) schedule: Option<String>,
    pub(super) format: FormatPatch,
}

impl OptionPatch {
    /// Options with these differences.
    fn over(&self, options: ExportOptions) -> ExportOptions {
        ExportOptions {
            zone: self.zone.clone().unwrap_or(options.zone),
            schedule: self.schedule.clone().unwrap_or(options.schedule),
            format: self.format.clone().over(&options.format),
        }
    }
}

/// An account after a change, as far as that is told.
#[derive(Debug)]
pub(super) struct Changed {
    pub(super) zone: String,
    pub(super) schedule: String,
    /// The add-on's end.
    pub(super) until: Option<Timestamp>,
    pub(super) has_destination: bool,
    /// Its next slots.
    pub(super) next: Vec<Timestamp>,
}

/// An account's add-on, and when it delivers next.
#[derive(Debug)]
pub(super) struct ShownAddOn {
    pub(super) addon: AddOn,
    pub(super) next_slot: Option<Timestamp>,
}

/// A destination, and what may be shown of it.
pub(super) struct ShownDestination {
    pub(super) destination: Destination,
    pub(super) shown: serde_json::Value,
}

/// A destination about to be set.
pub(super) struct NewDestination<'a> {
    pub(super) account: &'a AccountId,
    pub(super) destination: Destination,
    /// Its secrets that are to be sealed, in the clear.
    pub(super) opened: &'a Opened,
    pub(super) replace: Replace,
    pub(super) test: Test,
}

/// A destination that was set.
pub(super) struct SetDestination {
    pub(super) destination: Destination,
    /// What was in force before.
    pub(super) before: Option<Destination>,
    pub(super) version: u64,
    pub(super) sealed_with: Option<String>,
    pub(super) credentials_end: Option<Timestamp>,
    /// The object with the token, and when that expires, where its owner has to prove it theirs.
    pub(super) awaits: Option<(String, Timestamp)>,
    pub(super) probe: Option<ProbeResult>,
}

/// Why a destination was not set.
pub(super) enum NotSet {
    /// More than its credentials would change, and nobody has said that it may.
    Differs(String),
    /// It was tried, and does not work.
    Fails(Box<(Destination, ProbeResult)>),
    /// Another reason.
    Other(CliError),
}

impl From<NotSet> for CliError {
    fn from(error: NotSet) -> Self {
        match error {
            NotSet::Differs(message) => Self::Usage(message),
            NotSet::Fails(_) => Self::Reported,
            NotSet::Other(error) => error,
        }
    }
}

/// Who hears of each step of a trial as it begins.
pub(super) type Told<'a> = &'a (dyn Fn(&str) + Send + Sync);

/// Who hears how many objects a replay has looked at, and which one last, where that is known.
pub(super) type Counted<'a> = &'a (dyn Fn(u64, Option<&str>) + Send + Sync);

/// What commands ask for. Whoever makes it knows who asks, and why.
#[async_trait]
pub(super) trait Service: Send + Sync {
    /// Where it looks: `ledger` or `server`, and which.
    fn place(&self) -> (&'static str, String);
    /// The present time.
    fn now(&self) -> Timestamp;
    /// The time zones that are known here.
    fn zones(&self) -> &Zones;
    /// Whether it is on another machine, where the worker's files and variables are.
    fn is_remote(&self) -> bool;

    /// One look at everything.
    async fn status(&self) -> Answer<Status>;

    /// Accounts.
    async fn accounts(&self, filter: AccountFilter, extent: Extent) -> Answer<Listing<AccountRow>>;
    /// Why an account's export runs or does not, and what became of its last slots.
    async fn account(&self, id: &AccountId) -> Answer<AccountView>;
    /// What happened at a moment.
    async fn story(&self, id: &AccountId, when: When) -> Answer<Story>;
    /// Adds an account.
    async fn add_account(&self, id: &AccountId, options: &OptionPatch, start: Start) -> Answer<Changed>;
    /// Changes an account's options.
    async fn set_options(&self, id: &AccountId, options: &OptionPatch) -> Answer<Changed>;
    /// Stops an account.
    async fn pause(&self, id: &AccountId) -> Answer<()>;
    /// Lets a paused or suspended account go on; returns whether it was either.
    async fn resume(&self, id: &AccountId) -> Answer<bool>;
    /// Lets a held account go on.
    async fn release(&self, id: &AccountId) -> Answer<()>;
    /// Adds a slot beside the schedule.
    async fn deliver_now(&self, id: &AccountId) -> Answer<AddedSlot>;
    /// The accounts that go on with a rewind.
    async fn awaiting_rewind(&self) -> Answer<Vec<AccountId>>;
    /// Lets one of them go on.
    async fn rewind(&self, id: &AccountId, from: Option<Start>) -> Answer<Rewound>;
    /// Leaves records out of the window in delivery.
    async fn skip_records(&self, id: &AccountId, keys: &[String], reason: &str) -> Answer<Skipped>;
    /// Removes an account; returns the number of its newest window.
    async fn remove_account(&self, id: &AccountId, force: bool) -> Answer<u64>;

    /// An account's add-on.
    async fn addon(&self, id: &AccountId) -> Answer<ShownAddOn>;
    /// Changes it.
    async fn set_addon(&self, id: &AccountId, change: &AddOnChange, from: Option<Start>) -> Answer<Changed>;

    /// An account's destination.
    async fn destination(&self, id: &AccountId) -> Answer<ShownDestination>;
    /// Sets one.
    async fn set_destination(
        &self,
        new: &NewDestination<'_>,
        told: Told<'_>,
    ) -> Result<SetDestination, NotSet>;
    /// Tries the one there is.
    async fn probe(&self, id: &AccountId, told: Told<'_>) -> Answer<(Destination, ProbeResult)>;
    /// Proves one its owner's.
    async fn prove(&self, id: &AccountId, token: &Secret) -> Answer<Proof>;
    /// Removes it; returns whether a proof was awaited.
    async fn remove_destination(&self, id: &AccountId) -> Answer<bool>;

    /// Objects. `undelivered`: only those that are not delivered, the oldest first.
    async fn deliveries(
        &self,
        account: Option<&AccountId>,
        undelivered: bool,
        extent: Extent,
    ) -> Answer<Listing<DeliveryRow>>;
    /// One object.
    async fn delivery(&self, account: &AccountId, key: &str) -> Answer<DeliveryView>;
    /// An account's windows.
    async fn windows(&self, account: &AccountId, extent: Extent) -> Answer<Listing<WindowRow>>;
    /// Puts delivered objects again.
    async fn replay(
        &self,
        id: &AccountId,
        request: &replay::Request,
        counted: Counted<'_>,
    ) -> Answer<replay::Report>;
    /// Objects that were put again.
    async fn replays(&self, account: Option<&AccountId>, extent: Extent) -> Answer<Listing<ReplayRow>>;
    /// What people changed. Of the filter, what limits it is the extent.
    async fn changes(&self, filter: ChangeFilter, extent: Extent) -> Answer<Listing<Change>>;

    /// Makes a token.
    async fn create_token(&self, new: &NewToken) -> Answer<CreatedToken>;
    /// All tokens.
    async fn tokens(&self) -> Answer<Vec<ApiToken>>;
    /// Revokes one; returns its name.
    async fn revoke_token(&self, id: &str) -> Answer<String>;
    /// Sessions of browsers, also those that have ended.
    async fn sessions(&self) -> Answer<Vec<Session>>;
    /// Ends one; returns its name.
    async fn revoke_session(&self, id: &str) -> Answer<String>;

    /// Makes a link to an account's portal.
    async fn create_portal_link(&self, account: &AccountId, new: &NewLink) -> Answer<CreatedLink>;
    /// The links and sessions of an account's portal, also those that have ended.
    async fn portal_sessions(&self, account: &AccountId, limit: u32) -> Answer<Vec<PortalSession>>;
    /// Revokes one; returns the address of the person.
    async fn revoke_portal_session(&self, account: &AccountId, id: &str) -> Answer<String>;

    /// Adds a channel over which people are told.
    async fn add_channel(&self, audience: Audience, language: Language, new: NewTarget) -> Answer<Added>;
    /// All channels.
    async fn channels(&self) -> Answer<Vec<ChannelView>>;
    /// Removes one; returns where it led.
    async fn remove_channel(&self, id: &str) -> Answer<String>;
    /// Gives a webhook another secret; without one, one is made.
    async fn rotate_channel(&self, id: &str, secret: Option<Given>) -> Answer<Added>;
    /// Sends a message over a channel now.
    async fn try_channel(&self, id: &str) -> Answer<Tried>;
    /// The newest notices.
    async fn notices(&self, account: Option<&AccountId>, limit: u32) -> Answer<Vec<NoticeRow>>;

    /// The keys that seal secrets.
    async fn keys(&self) -> Answer<Vec<KeyState>>;
}
