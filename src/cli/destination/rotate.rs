//! `auditferry destination rotate`: other credentials, and nothing else.

use clap::Args;
use jiff::Timestamp;

use super::azure::AzureArgs;
use super::gcs::GcsArgs;
use super::given::Given;
use super::placing::{TrialArgs, place};
use super::s3::S3CredentialArgs;
use super::set::{Kind, misplaced};
use crate::cli::completion::account_ids;
use crate::cli::service::{NewDestination, Service};
use crate::cli::{CliResult, WhyArgs, account_id, output};
use crate::operations::destinations::Replace;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{AccessKey, Destination, Place, S3Credentials};
use auditferry_core::model::instant;

#[derive(Args)]
pub(in crate::cli) struct RotateArgs {
    /// The account's id.
    #[arg(value_parser = account_id, add = account_ids())]
    account: AccountId,
    /// When the new credentials end, such as 2027-01-31, where they do not tell it themselves. Without it, an
    /// end that was given with the old ones is cleared.
    #[arg(long, value_name = "INSTANT", value_parser = instant::parse)]
    expires: Option<Timestamp>,
    /// S3 and GCS: the worker's own identity there; the operator allows it in credentials.allow_ambient.
    #[arg(long)]
    ambient: bool,
    #[command(flatten)]
    trial: TrialArgs,
    #[command(flatten)]
    pub(super) why: WhyArgs,
    // Last: what comes after a heading stands below it.
    #[command(flatten)]
    s3: S3CredentialArgs,
    #[command(flatten)]
    gcs: GcsArgs,
    #[command(flatten)]
    azure: AzureArgs,
}

fn kind(destination: &Destination) -> Kind {
    match destination.place {
        Place::S3(_) => Kind::S3,
        Place::Gcs(_) => Kind::Gcs,
        Place::Azure(_) => Kind::Azure,
    }
}

pub(super) async fn rotate(service: &dyn Service, args: RotateArgs) -> CliResult {
    let current = service.destination(&args.account).await?.destination;
    let given_options =
        [(Kind::S3, args.s3.given()), (Kind::Gcs, args.gcs.given()), (Kind::Azure, args.azure.given())];
    misplaced(kind(&current), args.ambient, given_options)?;
    let mut given = Given::new(&args.trial, service.is_remote());
    let mut destination = Destination { expires: args.expires, ..current.clone() };
    match &mut destination.place {
        Place::S3(s3) => {
            let known = match &s3.credentials {
                S3Credentials::AccessKey(AccessKey { id, .. }) => Some(id.clone()),
                _ => None,
            };
            s3.credentials = args.s3.credentials(args.ambient, known.as_deref(), &mut given)?;
        }
        Place::Gcs(gcs) => gcs.credentials = args.gcs.credentials(args.ambient, &mut given)?,
        Place::Azure(azure) => {
            let options = args.azure.of_the_same_application(&azure.credentials);
            azure.credentials = options.credentials(azure.endpoint.is_some(), &mut given)?;
        }
    }
    let test = args.trial.test();
    let new = NewDestination {
        account: &args.account,
        destination,
        opened: &given.opened,
        replace: Replace::Credentials,
        test,
    };
    place(service, &new, "rotate").await?;
    if let (Some(old), None) = (current.expires, args.expires) {
        output::line(format!(
            "The end that was given with the old credentials, {}, is cleared; give one with --expires.",
            output::utc(old)
        ));
    }
    Ok(())
}
