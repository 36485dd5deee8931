//! `auditferry destination set`

use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{bare_stores, report, vault};
use crate::account::AccountId;
use crate::admin::Admin;
use crate::cli::{CliError, CliResult, account_id, output};
use crate::destination::{
    AccessKey, Azure, AzureCredentials, Destination, Gcs, GcsCredentials, Place, S3, S3Credentials, SecretRef,
};
use crate::keys::{self, SealedSecret};
use crate::probe::examine;
use crate::secrets::{self, Opened, Secret, SecretError};
use crate::settings::Settings;

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Kind {
    S3,
    Gcs,
    Azure,
}

impl Kind {
    fn as_str(self) -> &'static str {
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
    /// S3: the file that holds the secret access key; - reads it here and seals it.
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
    /// Read the secrets now and here, and keep them sealed in the ledger; without this a file or an
    /// environment variable is a name, which the worker reads. A file named - is standard input, which
    /// is always sealed; what is left out is asked for on a terminal.
    #[arg(long)]
    seal: bool,
    /// Do not try the destination before it is set. Without this, one that does not work is not set,
    /// and what it would replace stays.
    #[arg(long)]
    no_test: bool,
    /// Do not read the secrets here, and do not try the destination: they are only there where the worker runs.
    #[arg(long)]
    skip_secrets: bool,
}

/// The secrets that a command gives: names of them, and values that are to be sealed.
struct Given {
    seal: bool,
    opened: Opened,
    input_is_read: bool,
}

impl Given {
    /// The secret of one option, or what a person types if there is none.
    fn secret(
        &mut self,
        env: Option<&String>,
        file: Option<&PathBuf>,
        prompt: Option<&str>,
    ) -> Result<Option<SecretRef>, CliError> {
        let usage = |error: SecretError| CliError::Usage(error.to_string());
        let value = match (env, file) {
            (_, Some(file)) if file.as_os_str() == "-" => {
                if std::mem::replace(&mut self.input_is_read, true) {
                    return Err(CliError::Usage(
                        "standard input is given for two secrets; it holds one: name a file for the other"
                            .into(),
                    ));
                }
                secrets::read_input(std::io::stdin().lock()).map_err(usage)?
            }
            (None, None) => match prompt.filter(|_| std::io::stdin().is_terminal()) {
                Some(prompt) => typed(prompt)?,
                None => return Ok(None),
            },
            _ => {
                let Some(reference) = reference(env, file) else { return Ok(None) };
                if !self.seal {
                    return Ok(Some(reference));
                }
                secrets::resolve(&reference, &Opened::default()).map_err(usage)?
            }
        };
        let id = keys::new_id();
        self.opened.insert(id.clone(), value);
        Ok(Some(SecretRef::Sealed(id)))
    }
}

/// Asks for a secret on the terminal, without showing what is typed.
fn typed(prompt: &str) -> Result<Secret, CliError> {
    let text = rpassword::prompt_password(format!("{prompt} (not shown, sealed in the ledger): "))
        .map_err(|error| CliError::Usage(format!("the {prompt} cannot be typed: {error}")))?;
    if text.trim().is_empty() {
        return Err(CliError::Usage(format!("the {prompt} is empty; nothing was changed")));
    }
    Ok(Secret::new(text))
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
    /// Options that are given and are of another kind, which would have no effect.
    fn misplaced(&self) -> Result<(), CliError> {
        let (s3, gcs, azure) = (Kind::S3, Kind::Gcs, Kind::Azure);
        let options = [
            ("--region", self.region.is_some(), s3),
            ("--path-style", self.path_style.is_some(), s3),
            ("--access-key-id", self.access_key_id.is_some(), s3),
            ("--secret-access-key-env", self.secret_access_key_env.is_some(), s3),
            ("--secret-access-key-file", self.secret_access_key_file.is_some(), s3),
            ("--session-token-env", self.session_token_env.is_some(), s3),
            ("--session-token-file", self.session_token_file.is_some(), s3),
            ("--ambient", self.ambient, s3),
            ("--service-account-env", self.service_account_env.is_some(), gcs),
            ("--service-account-file", self.service_account_file.is_some(), gcs),
            ("--connection-string-env", self.connection_string_env.is_some(), azure),
            ("--connection-string-file", self.connection_string_file.is_some(), azure),
            ("--sas-env", self.sas_env.is_some(), azure),
            ("--sas-file", self.sas_file.is_some(), azure),
        ];
        match options.into_iter().find(|(_, given, kind)| *given && *kind != self.kind) {
            None => Ok(()),
            Some((option, _, kind)) => Err(CliError::Usage(format!(
                "{option} is for --kind {}, and this destination is of kind {}; leave it out",
                kind.as_str(),
                self.kind.as_str()
            ))),
        }
    }

    fn destination(&self, given: &mut Given) -> Result<Destination, CliError> {
        let place = match self.kind {
            Kind::S3 => Place::S3(S3 {
                bucket: self.bucket.clone(),
                region: needed(self.region.clone(), "--region", "s3")?,
                endpoint: self.endpoint.clone(),
                path_style: self.path_style,
                credentials: self.s3_credentials(given)?,
            }),
            Kind::Gcs => {
                let key = given.secret(
                    self.service_account_env.as_ref(),
                    self.service_account_file.as_ref(),
                    None,
                )?;
                let key = needed(key, "--service-account-file (or -env)", "gcs")?;
                Place::Gcs(Gcs {
                    bucket: self.bucket.clone(),
                    endpoint: self.endpoint.clone(),
                    credentials: GcsCredentials::ServiceAccount(key),
                })
            }
            Kind::Azure => {
                let sas = given.secret(self.sas_env.as_ref(), self.sas_file.as_ref(), None)?;
                let prompt = Some("connection string").filter(|_| sas.is_none() && self.endpoint.is_none());
                let string = given.secret(
                    self.connection_string_env.as_ref(),
                    self.connection_string_file.as_ref(),
                    prompt,
                )?;
                if sas.is_some() && string.is_some() {
                    return Err(CliError::Usage(
                        "a SAS and a connection string are given; give one of them".into(),
                    ));
                }
                let option = "--connection-string-file or --sas-file (or -env)";
                Place::Azure(Azure {
                    container: self.bucket.clone(),
                    endpoint: self.endpoint.clone(),
                    credentials: needed(
                        string.map(AzureCredentials::ConnectionString).or(sas.map(AzureCredentials::Sas)),
                        option,
                        "azure",
                    )?,
                })
            }
        };
        Ok(Destination { prefix: self.prefix.clone(), allow_http: self.allow_http, place })
    }

    fn s3_credentials(&self, given: &mut Given) -> Result<S3Credentials, CliError> {
        if self.ambient {
            return match self.access_key_id {
                None => Ok(S3Credentials::Ambient),
                Some(_) => {
                    Err(CliError::Usage("--ambient and an access key are given; give one of them".into()))
                }
            };
        }
        let id = needed(self.access_key_id.clone(), "--access-key-id", "s3")?;
        let prompt = Some("secret access key");
        let secret = given.secret(
            self.secret_access_key_env.as_ref(),
            self.secret_access_key_file.as_ref(),
            prompt,
        )?;
        let session_token =
            given.secret(self.session_token_env.as_ref(), self.session_token_file.as_ref(), None)?;
        Ok(S3Credentials::AccessKey(AccessKey {
            id,
            secret: needed(secret, "--secret-access-key-file (or -env)", "s3")?,
            session_token,
        }))
    }
}

pub(super) async fn set(settings: &Settings, admin: &Admin, args: &SetArgs) -> CliResult {
    args.misplaced()?;
    let mut given = Given { seal: args.seal, opened: Opened::default(), input_is_read: false };
    let destination = args.destination(&mut given)?;
    destination.validate().map_err(|error| CliError::Usage(error.to_string()))?;
    let current = admin.ledger.destination(&args.account).await?;
    admin.check_destination(&args.account, current.as_ref(), args.replace)?;
    if !args.skip_secrets {
        let stores = bare_stores(settings)?;
        let opened = stores.open_given(&args.account, &destination, &given.opened).await;
        opened.map_err(|error| CliError::Usage(super::with_skip_secrets(&error)))?;
        if !args.no_test {
            let examined = examine(&stores, &args.account, &destination, Some(&given.opened)).await;
            report(&args.account, &destination, &examined).inspect_err(|_| {
                output::line("Nothing was changed. To set it all the same, add --no-test.");
            })?;
        }
    }
    let sealed = if given.opened.is_empty() {
        Vec::new()
    } else {
        vault(settings, &admin.ledger).await?.seal(&args.account, &destination, &given.opened).await?
    };
    let version = admin.set_destination(&args.account, &destination, &sealed, args.replace).await?;
    output::line(format!("Account {} delivers to {destination} (version {version}).", args.account));
    if let Some(SealedSecret { wrapped, .. }) = sealed.first() {
        output::line(format!("Its secret is sealed in the ledger with key {}.", wrapped.key));
    }
    if args.skip_secrets || args.no_test {
        let word = crate::explanation::shell_word(args.account.as_str());
        output::line(format!("Next: auditferry destination test {word}"));
    }
    Ok(())
}
