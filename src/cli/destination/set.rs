//! `auditferry destination set`

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::azure::AzureArgs;
use super::gcs::GcsArgs;
use super::given::Given;
use super::placing::{TrialArgs, place};
use super::s3::S3Args;
use crate::cli::completion::account_ids;
use crate::cli::service::{NewDestination, NotSet, Service};
use crate::cli::{CliError, CliResult, WhyArgs, account_id, output};
use crate::operations::destinations::Replace;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{Destination, Place};
use auditferry_core::model::instant;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Kind {
    S3,
    Gcs,
    Azure,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Gcs => "gcs",
            Self::Azure => "azure",
        }
    }
}

#[derive(Args)]
pub(in crate::cli) struct SetArgs {
    /// The account's id.
    #[arg(value_parser = account_id, add = account_ids())]
    account: AccountId,
    /// The kind of store.
    #[arg(long, value_enum)]
    kind: Kind,
    /// The bucket (S3, GCS) or container (Azure).
    #[arg(long, visible_alias = "container")]
    bucket: String,
    /// The prefix before audit/ in keys; ends in /.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Base URL: a compatible S3 store, or the Azure account's blob endpoint (not with a connection string).
    #[arg(long)]
    endpoint: Option<String>,
    /// Allow an endpoint without TLS: for loopback and tests.
    #[arg(long)]
    allow_http: bool,
    /// Allow a store that ignores If-None-Match and replaces objects: whoever writes under the same
    /// names, such as another installation, then replaces what was delivered, and nobody notices.
    #[arg(long)]
    accept_overwrites: bool,
    /// When the credentials end, such as 2027-01-31, where they do not tell it themselves: an access key
    /// that is rotated, a client secret, a SAS with a stored access policy.
    #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
    expires: Option<Timestamp>,
    /// S3 and GCS: the worker's own identity there; the operator allows it in credentials.allow_ambient.
    #[arg(long)]
    ambient: bool,
    /// Replace the destination that is set; the watermark stays. An option that is not given again is
    /// not kept: `destination rotate` changes the credentials alone.
    #[arg(long)]
    replace: bool,
    /// With --replace: change more than the credentials without asking.
    #[arg(long, requires = "replace")]
    yes: bool,
    #[command(flatten)]
    trial: TrialArgs,
    #[command(flatten)]
    pub(super) why: WhyArgs,
    // Last: what comes after a heading stands below it.
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    gcs: GcsArgs,
    #[command(flatten)]
    azure: AzureArgs,
}

impl SetArgs {
    fn misplaced(&self) -> Result<(), CliError> {
        let given =
            [(Kind::S3, self.s3.given()), (Kind::Gcs, self.gcs.given()), (Kind::Azure, self.azure.given())];
        misplaced(self.kind, self.ambient, given)
    }

    fn destination(&self, given: &mut Given) -> Result<Destination, CliError> {
        let (bucket, endpoint) = (self.bucket.clone(), self.endpoint.clone());
        let place = match self.kind {
            Kind::S3 => Place::S3(self.s3.place(bucket, endpoint, self.ambient, given)?),
            Kind::Gcs => Place::Gcs(self.gcs.place(bucket, endpoint, self.ambient, given)?),
            Kind::Azure => Place::Azure(self.azure.place(bucket, endpoint, given)?),
        };
        Ok(Destination {
            prefix: self.prefix.clone(),
            allow_http: self.allow_http,
            accept_overwrites: self.accept_overwrites,
            expires: self.expires,
            place,
        })
    }
}

/// Options that are given and are of another kind, which would have no effect.
pub(super) fn misplaced(
    kind: Kind,
    ambient: bool,
    given: [(Kind, Option<&'static str>); 3],
) -> Result<(), CliError> {
    if ambient && kind == Kind::Azure {
        return Err(CliError::Usage(
            "--ambient is for --kind s3 or gcs, and this destination is of kind azure; leave it out, and see \
             --managed-identity and --workload-identity"
                .into(),
        ));
    }
    match given.into_iter().find(|(other, option)| *other != kind && option.is_some()) {
        Some((other, Some(option))) => Err(CliError::Usage(format!(
            "{option} is for --kind {}, and this destination is of kind {}; leave it out",
            other.as_str(),
            kind.as_str()
        ))),
        _ => Ok(()),
    }
}

pub(super) async fn set(service: &dyn Service, args: &SetArgs) -> CliResult {
    args.misplaced()?;
    let mut given = Given::new(&args.trial, service.is_remote());
    let destination = args.destination(&mut given)?;
    let replace = match (args.replace, args.yes) {
        (false, _) => Replace::No,
        (true, false) => Replace::Credentials,
        (true, true) => Replace::Everything,
    };
    let new = NewDestination {
        account: &args.account,
        destination,
        opened: &given.opened,
        replace,
        test: args.trial.test(),
    };
    match place(service, &new, "set").await {
        Err(NotSet::Differs(differences)) if accepted(&differences)? => {
            let new = NewDestination { replace: Replace::Everything, ..new };
            Ok(place(service, &new, "set").await.map(drop)?)
        }
        other => Ok(other.map(drop)?),
    }
}

/// Names what would change beside the credentials, and asks whether it may; without a terminal nobody is
/// asked.
fn accepted(differences: &str) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Ok(false);
    }
    output::note(differences);
    output::ask("Change all of it?")
}
