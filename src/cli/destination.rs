//! `auditferry destination …`

use std::sync::Arc;

use clap::Subcommand;

use super::{CliError, CliResult, Context, WhyArgs, account_id, output};
use crate::base::aws::AwsOptions;
use crate::cli::completion::account_ids;
use crate::cli::service::{Service, ShownDestination};
use crate::destinations::cache::StoreCache;
use crate::destinations::vault::Vault;
use crate::ledger::Ledger;
use crate::operations::probes::{ProbeResult, ProbeStep};
use crate::secrets::keys::KeyRing;
use crate::settings::Settings;
use crate::store::{Dialer, OpenError, Proxy};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::Destination;

pub(super) use given::typed;

mod azure;
mod gcs;
mod given;
mod placing;
pub(super) mod prove;
mod rotate;
mod s3;
mod set;
mod trust;

use prove::ProveArgs;
use rotate::RotateArgs;
use set::SetArgs;
use trust::TrustArgs;

#[derive(Subcommand)]
pub(super) enum DestinationCommand {
    /// Set the account's one destination. A secret is named (a file or an environment variable of
    /// the worker), or given and sealed in the ledger (--seal, a file named -, or typed); it is
    /// never an argument.
    #[command(
        after_help = "Examples:\n  auditferry destination set acme --kind s3 --bucket acme-siem --region eu-central-1 --access-key-id AKIA\n  auditferry destination set acme --kind gcs --bucket acme-siem --service-account-file - --seal\n  auditferry destination set acme --kind azure --container siem --endpoint https://acme.blob.core.windows.net --sas-file sas"
    )]
    Set(Box<SetArgs>),
    /// Change the credentials of the account's destination and nothing else: prefix, storage class, KMS key and
    /// all other options stay. The new ones are tried first.
    #[command(
        after_help = "Examples:\n  auditferry destination rotate acme --access-key-id AKIA\n  auditferry destination rotate acme --sas-file new-sas --expires 2027-06-30"
    )]
    Rotate(Box<RotateArgs>),
    /// Print what the customer pastes into IAM before they give a role (--assume-role): the account's
    /// external id, made at the first time, in a trust policy, and a permission policy.
    Trust(TrustArgs),
    /// Activate a destination that waits for the proof of its owner, with the token that was written there
    /// and that the owner has sent back.
    Prove(ProveArgs),
    /// Show the account's destination.
    Show {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        /// Print JSON, for a program.
        #[arg(long)]
        json: bool,
    },
    /// Try the destination step by step with a zero-byte object beside audit/, and say how to fix what fails.
    Test {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
    },
    /// Remove the destination; nothing is delivered until another is set.
    Rm {
        /// The account's id.
        #[arg(value_parser = account_id, add = account_ids())]
        account: AccountId,
        #[command(flatten)]
        why: WhyArgs,
    },
}

impl DestinationCommand {
    /// Its name, if it can only work on the ledger itself.
    pub(super) fn ledger_only(&self) -> Option<&'static str> {
        match self {
            // It names the identity of the worker, which is asked where that runs.
            Self::Trust(_) => Some("destination trust"),
            Self::Set(_)
            | Self::Rotate(_)
            | Self::Prove(_)
            | Self::Show { .. }
            | Self::Test { .. }
            | Self::Rm { .. } => None,
        }
    }
}

pub(super) async fn run(context: &Context, command: DestinationCommand) -> CliResult {
    match command {
        DestinationCommand::Set(args) => set::set(&*context.service(Some(&args.why)).await?, &args).await,
        DestinationCommand::Rotate(args) => {
            let service = context.service(Some(&args.why)).await?;
            rotate::rotate(&*service, *args).await
        }
        DestinationCommand::Trust(args) => {
            let (settings, admin) = context.admin().await?;
            trust::trust(&settings, &admin, &context.by(None), &args).await
        }
        DestinationCommand::Prove(args) => {
            prove::prove(&*context.service(Some(&args.why)).await?, &args).await
        }
        DestinationCommand::Show { account, json } => {
            show(&*context.service(None).await?, &account, json).await
        }
        DestinationCommand::Test { account } => test(&*context.service(None).await?, &account).await,
        DestinationCommand::Rm { account, why } => {
            if context.service(Some(&why)).await?.remove_destination(&account).await? {
                output::line(format!("No proof is awaited of account {account} any more."));
            }
            output::line(format!("Account {account} has no destination any more; its watermark stays."));
            Ok(())
        }
    }
}

/// An error of opening a destination here; a secret may be there only where the worker runs.
pub(super) fn with_skip_secrets(error: &OpenError) -> String {
    match error {
        OpenError::Secret(_) => {
            format!("{error}; or add --skip-secrets, if it is there only where the worker runs")
        }
        other => other.to_string(),
    }
}

/// Stores whose secrets lie outside the ledger.
pub(super) fn bare_stores(settings: &Settings) -> Result<StoreCache, CliError> {
    let proxy = if settings.network.environment_proxy { Proxy::Environment } else { Proxy::None };
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    let aws = AwsOptions {
        region: given(&settings.aws.sts_region),
        sts_endpoint: given(&settings.aws.sts_endpoint),
    };
    let dialer = Dialer::new(settings.network.allow.clone(), settings.put.timeout.0, proxy)?
        .with_services(settings.credentials.services.clone())
        .with_aws(aws)
        .with_worker_identity(settings.worker_identity())?;
    Ok(StoreCache::new(settings.credentials.allow_ambient.iter().cloned(), dialer))
}

/// Stores of any destination.
pub(super) async fn stores(settings: &Settings, ledger: &Arc<dyn Ledger>) -> Result<StoreCache, CliError> {
    Ok(bare_stores(settings)?.with_vault(vault(settings, ledger).await?))
}

/// The sealed secrets of the ledger, with the keys of the settings.
pub(super) async fn vault(settings: &Settings, ledger: &Arc<dyn Ledger>) -> Result<Vault, CliError> {
    let keys = KeyRing::load(&settings.keys.ring).await?;
    Ok(Vault::new(ledger.clone(), Arc::new(keys)))
}

async fn show(service: &dyn Service, id: &AccountId, json: bool) -> CliResult {
    let ShownDestination { destination, shown } = service.destination(id).await?;
    if json {
        output::json(&shown);
    } else {
        output::line(format!("{destination}"));
        let shown = toml::to_string(&shown).map_err(|error| CliError::Failed(error.to_string()))?;
        output::text(&shown);
    }
    Ok(())
}

async fn test(service: &dyn Service, id: &AccountId) -> CliResult {
    let steps = output::Steps::new();
    let tried = service.probe(id, &|step| steps.begin(step)).await;
    steps.end();
    let (destination, found) = tried?;
    report(id, &destination, &found)
}

/// Prints the steps of a probe.
pub(super) fn print_steps(found: &ProbeResult) {
    for ProbeStep { name, ok, detail, milliseconds } in &found.steps {
        let mark = if *ok { "ok" } else { "FAILED" };
        output::line(format!("  {mark:6}  {milliseconds:>6} ms  {name}: {detail}"));
    }
}

/// Prints the steps of a probe and what they found; an error when it failed.
pub(super) fn report(id: &AccountId, destination: &Destination, found: &ProbeResult) -> CliResult {
    print_steps(found);
    if found.works {
        output::finding("ok", format!("{id}: {destination} accepts objects"));
        return Ok(());
    }
    let known = |text: &Option<String>| text.clone().unwrap_or_default();
    output::finding("FAILED", format!("{id}: {}: {}", known(&found.error), known(&found.detail)));
    output::line(format!("        fix: {}", known(&found.fix)));
    Err(CliError::Reported)
}
