//! `auditferry destination set`

use clap::{Args, ValueEnum};
use jiff::Timestamp;

use super::azure::AzureArgs;
use super::gcs::GcsArgs;
use super::given::Given;
use super::s3::S3Args;
use super::{bare_stores, prove, report, vault};
use crate::cli::{CliError, CliResult, WhyArgs, account_id, output};
use crate::destinations::probe::{Trial, examine};
use crate::operations::admin::Admin;
use crate::secrets::keys::SealedSecret;
use crate::settings::Settings;
use auditferry_core::model::account::AccountId;
use auditferry_core::model::actor::By;
use auditferry_core::model::destination::{Destination, Place};
use auditferry_core::model::instant;
use auditferry_core::text::shell::shell_word;

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
    /// Base URL: a compatible S3 store, or the Azure account's blob endpoint (not with a connection string).
    #[arg(long)]
    endpoint: Option<String>,
    /// Let the endpoint be without TLS: for loopback and tests.
    #[arg(long)]
    allow_http: bool,
    /// Let the store be one that ignores If-None-Match and replaces objects: whoever writes under the same
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
    #[command(flatten)]
    s3: S3Args,
    #[command(flatten)]
    gcs: GcsArgs,
    #[command(flatten)]
    azure: AzureArgs,
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
    #[command(flatten)]
    pub(super) why: WhyArgs,
}

impl SetArgs {
    /// Options that are given and are of another kind, which would have no effect.
    fn misplaced(&self) -> Result<(), CliError> {
        if self.ambient && self.kind == Kind::Azure {
            return Err(CliError::Usage(
                "--ambient is for --kind s3 or gcs, and this destination is of kind azure; leave it out, and see \
                 --managed-identity and --workload-identity"
                    .into(),
            ));
        }
        let given =
            [(Kind::S3, self.s3.given()), (Kind::Gcs, self.gcs.given()), (Kind::Azure, self.azure.given())];
        match given.into_iter().find(|(kind, option)| *kind != self.kind && option.is_some()) {
            Some((kind, Some(option))) => Err(CliError::Usage(format!(
                "{option} is for --kind {}, and this destination is of kind {}; leave it out",
                kind.as_str(),
                self.kind.as_str()
            ))),
            _ => Ok(()),
        }
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

pub(super) async fn set(settings: &Settings, admin: &Admin, by: &By, args: &SetArgs) -> CliResult {
    args.misplaced()?;
    let mut given = Given::new(args.seal);
    let destination = admin.completed(&args.account, args.destination(&mut given)?).await?;
    destination.validate().map_err(|error| CliError::Usage(error.to_string()))?;
    let current = admin.ledger.destination(&args.account).await?;
    admin.check_end(&destination)?;
    admin.check_destination(&args.account, current.as_ref(), args.replace)?;
    let mut end = None;
    let asks = admin.asks_for_proof(&args.account, &destination).await?;
    let mut challenge = None;
    if asks && args.skip_secrets {
        return Err(CliError::Usage(
            "the worker's own identity is used, and its owner has to prove the bucket theirs, for which a token is \
             written there now; run this where the worker runs, without --skip-secrets"
                .into(),
        ));
    }
    if !args.skip_secrets {
        let stores = bare_stores(settings)?;
        let opened = stores.open_given(&args.account, &destination, &given.opened).await;
        let store = opened.map_err(|error| CliError::Usage(super::with_skip_secrets(&error)))?;
        end = store.credentials_end();
        if asks {
            let written = prove::challenge(&stores, &args.account, &destination, &given.opened).await;
            challenge = Some(written.inspect_err(|_| output::line("Nothing was changed."))?);
        } else if !args.no_test {
            let opened = Some(&given.opened);
            let examined = examine(&stores, &args.account, &destination, opened, Trial::Removed).await;
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
    if let Some(challenge) = challenge {
        let asked = challenge.asked(admin.clock.now());
        let version =
            admin.await_proof(by, &args.account, &destination, &sealed, args.replace, &asked).await?;
        if end.is_some() {
            admin.ledger.note_credentials_end(&args.account, version, end).await?;
        }
        prove::tell(&args.account, &destination, current.as_ref(), &asked);
        return Ok(());
    }
    let version = admin.set_destination(by, &args.account, &destination, &sealed, args.replace).await?;
    if end.is_some() {
        admin.ledger.note_credentials_end(&args.account, version, end).await?;
    }
    output::line(format!("Account {} delivers to {destination} (version {version}).", args.account));
    if let Some(SealedSecret { wrapped, .. }) = sealed.first() {
        output::line(format!("Its secret is sealed in the ledger with key {}.", wrapped.key));
    }
    if let Some(end) = admin.ledger.credentials_end(&args.account).await? {
        output::line(format!("Its credentials end at {}; the worker warns of it.", output::utc(end)));
    }
    if args.skip_secrets || args.no_test {
        let word = shell_word(args.account.as_str());
        output::line(format!("Next: auditferry destination test {word}"));
    }
    Ok(())
}
