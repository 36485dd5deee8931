//! `auditferry destination …`

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{CliError, CliResult, Context, account_id, output};
use crate::account::AccountId;
use crate::admin::Admin;
use crate::destination::{
    AccessKey, Azure, AzureCredentials, Destination, Gcs, GcsCredentials, Place, S3, S3Credentials, SecretRef,
};
use crate::probe::{ProbeReport, probe};
use crate::settings::Settings;
use crate::store_cache::StoreCache;

#[derive(Subcommand)]
pub(super) enum DestinationCommand {
    /// Set the account's one destination. Secrets are given as references, never as arguments.
    Set(Box<SetArgs>),
    /// Show the account's destination.
    Show {
        /// The account's id.
        #[arg(value_parser = account_id)]
        account: AccountId,
        /// For a program.
        #[arg(long)]
        json: bool,
    },
    /// Put a zero-byte object beside audit/, and say what the store answers.
    Test {
        /// The account's id.
        #[arg(value_parser = account_id)]
        account: AccountId,
    },
    /// Take the destination away; nothing is delivered until there is another.
    Rm {
        /// The account's id.
        #[arg(value_parser = account_id)]
        account: AccountId,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    S3,
    Gcs,
    Azure,
}

#[derive(Args)]
pub(super) struct SetArgs {
    /// The account's id.
    #[arg(value_parser = account_id)]
    account: AccountId,
    /// Which cloud.
    #[arg(long, value_enum)]
    kind: Kind,
    /// The bucket (S3, GCS) or container (Azure).
    #[arg(long, visible_alias = "container")]
    bucket: String,
    /// What stands before audit/ in keys; ends in /.
    #[arg(long, default_value = "")]
    prefix: String,
    /// Base URL: a compatible S3 store, or with a SAS the account's blob endpoint.
    #[arg(long)]
    endpoint: Option<String>,
    /// Let the endpoint be without TLS: for loopback and tests.
    #[arg(long)]
    allow_http: bool,
    /// S3: the bucket's region.
    #[arg(long)]
    region: Option<String>,
    /// S3: endpoint/bucket/key instead of bucket.endpoint/key.
    #[arg(long)]
    path_style: Option<bool>,
    /// S3: the access key id.
    #[arg(long)]
    access_key_id: Option<String>,
    /// S3: the environment variable that holds the secret access key.
    #[arg(long, value_name = "NAME", conflicts_with = "secret_access_key_file")]
    secret_access_key_env: Option<String>,
    /// S3: the file that holds the secret access key.
    #[arg(long, value_name = "FILE")]
    secret_access_key_file: Option<PathBuf>,
    /// S3: the environment variable that holds the session token.
    #[arg(long, value_name = "NAME", conflicts_with = "session_token_file")]
    session_token_env: Option<String>,
    /// S3: the file that holds the session token.
    #[arg(long, value_name = "FILE")]
    session_token_file: Option<PathBuf>,
    /// S3: the worker's own AWS identity; the operator allows it in credentials.allow_ambient.
    #[arg(long)]
    ambient: bool,
    /// GCS: the environment variable that holds the service account's JSON key.
    #[arg(long, value_name = "NAME", conflicts_with = "service_account_file")]
    service_account_env: Option<String>,
    /// GCS: the file that holds the service account's JSON key.
    #[arg(long, value_name = "FILE")]
    service_account_file: Option<PathBuf>,
    /// Azure: the environment variable that holds the connection string.
    #[arg(long, value_name = "NAME", conflicts_with = "connection_string_file")]
    connection_string_env: Option<String>,
    /// Azure: the file that holds the connection string.
    #[arg(long, value_name = "FILE")]
    connection_string_file: Option<PathBuf>,
    /// Azure: the environment variable that holds the SAS.
    #[arg(long, value_name = "NAME", conflicts_with = "sas_file")]
    sas_env: Option<String>,
    /// Azure: the file that holds the SAS.
    #[arg(long, value_name = "FILE")]
    sas_file: Option<PathBuf>,
    /// Put it in the place of the one that is set; the watermark stays.
    #[arg(long)]
    replace: bool,
    /// Do not read the secrets here: they are only there where the worker runs.
    #[arg(long)]
    skip_secrets: bool,
}

/// The worker may run in another folder, so that a file's path is stored whole.
fn reference(env: Option<&String>, file: Option<&PathBuf>) -> Option<SecretRef> {
    let whole = |file: &PathBuf| std::path::absolute(file).unwrap_or_else(|_| file.clone());
    env.cloned().map(SecretRef::Env).or_else(|| file.map(whole).map(SecretRef::File))
}

fn needed<T>(value: Option<T>, option: &str, kind: &str) -> Result<T, CliError> {
    value
        .ok_or_else(|| CliError::Usage(format!("{option} is missing; a destination of kind {kind} needs it")))
}

impl SetArgs {
    fn destination(&self) -> Result<Destination, CliError> {
        let place = match self.kind {
            Kind::S3 => Place::S3(S3 {
                bucket: self.bucket.clone(),
                region: needed(self.region.clone(), "--region", "s3")?,
                endpoint: self.endpoint.clone(),
                path_style: self.path_style,
                credentials: self.s3_credentials()?,
            }),
            Kind::Gcs => {
                let key = reference(self.service_account_env.as_ref(), self.service_account_file.as_ref());
                let key = needed(key, "--service-account-file (or -env)", "gcs")?;
                Place::Gcs(Gcs {
                    bucket: self.bucket.clone(),
                    endpoint: self.endpoint.clone(),
                    credentials: GcsCredentials::ServiceAccount(key),
                })
            }
            Kind::Azure => {
                let sas = reference(self.sas_env.as_ref(), self.sas_file.as_ref()).map(AzureCredentials::Sas);
                let string =
                    reference(self.connection_string_env.as_ref(), self.connection_string_file.as_ref())
                        .map(AzureCredentials::ConnectionString);
                if sas.is_some() && string.is_some() {
                    return Err(CliError::Usage(
                        "a SAS and a connection string are given; give one of them".into(),
                    ));
                }
                let option = "--connection-string-file or --sas-file (or -env)";
                Place::Azure(Azure {
                    container: self.bucket.clone(),
                    endpoint: self.endpoint.clone(),
                    credentials: needed(string.or(sas), option, "azure")?,
                })
            }
        };
        Ok(Destination { prefix: self.prefix.clone(), allow_http: self.allow_http, place })
    }

    fn s3_credentials(&self) -> Result<S3Credentials, CliError> {
        if self.ambient {
            return match self.access_key_id {
                None => Ok(S3Credentials::Ambient),
                Some(_) => {
                    Err(CliError::Usage("--ambient and an access key are given; give one of them".into()))
                }
            };
        }
        let secret = reference(self.secret_access_key_env.as_ref(), self.secret_access_key_file.as_ref());
        Ok(S3Credentials::AccessKey(AccessKey {
            id: needed(self.access_key_id.clone(), "--access-key-id", "s3")?,
            secret: needed(secret, "--secret-access-key-file (or -env)", "s3")?,
            session_token: reference(self.session_token_env.as_ref(), self.session_token_file.as_ref()),
        }))
    }
}

pub(super) async fn run(context: &Context, command: DestinationCommand) -> CliResult {
    let (settings, admin) = context.admin().await?;
    match command {
        DestinationCommand::Set(args) => set(&settings, &admin, &args).await,
        DestinationCommand::Show { account, json } => show(&admin, &account, json).await,
        DestinationCommand::Test { account } => test(&settings, &admin, &account).await,
        DestinationCommand::Rm { account } => {
            admin.remove_destination(&account).await?;
            output::line(format!("Account {account} has no destination any more; its watermark stays."));
            Ok(())
        }
    }
}

pub(super) fn stores(settings: &Settings) -> StoreCache {
    StoreCache::new(settings.credentials.allow_ambient.iter().cloned(), settings.put.timeout.0)
}

async fn set(settings: &Settings, admin: &Admin, args: &SetArgs) -> CliResult {
    let destination = args.destination()?;
    destination.validate().map_err(|error| CliError::Usage(error.to_string()))?;
    if !args.skip_secrets {
        let opened = stores(settings).open_new(&args.account, &destination).await;
        opened.map_err(|error| CliError::Usage(error.to_string()))?;
    }
    let version = admin.set_destination(&args.account, &destination, args.replace).await?;
    let word = crate::explanation::shell_word(args.account.as_str());
    output::line(format!("Account {} delivers to {destination} (version {version}).", args.account));
    output::line(format!("Next: auditferry destination test {word}"));
    Ok(())
}

async fn destination_of(admin: &Admin, id: &AccountId) -> Result<Destination, CliError> {
    admin.ledger.destination(id).await?.ok_or_else(|| {
        let word = crate::explanation::shell_word(id.as_str());
        CliError::Usage(format!(
            "account {id}: it has no destination; give it one with `auditferry destination set {word} …`"
        ))
    })
}

async fn show(admin: &Admin, id: &AccountId, json: bool) -> CliResult {
    let destination = destination_of(admin, id).await?;
    if json {
        output::json(&destination);
    } else {
        output::line(format!("{destination}"));
        let shown = toml::to_string(&destination).map_err(|error| CliError::Failed(error.to_string()))?;
        output::text(&shown);
    }
    Ok(())
}

async fn test(settings: &Settings, admin: &Admin, id: &AccountId) -> CliResult {
    let destination = destination_of(admin, id).await?;
    report(id, &probe(&stores(settings), id, &destination).await)
}

/// Prints what a probe found; an error when it failed.
pub(super) fn report(id: &AccountId, report: &ProbeReport) -> CliResult {
    match report {
        Ok(key) => {
            output::line(format!("ok      {id}: created the zero-byte object {key}; it may be deleted"));
            Ok(())
        }
        Err(failure) => {
            output::line(format!("FAILED  {id}: {}: {}", failure.kind.as_str(), failure.message));
            output::line(format!("        fix: {}", failure.fix));
            Err(CliError::Reported)
        }
    }
}
