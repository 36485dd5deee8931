//! `auditferry import`

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};

use super::{CliError, CliResult, Context, account_id, output};
use crate::cli::completion::account_ids;
use crate::source::file::{FileForm, records};
use auditferry_core::model::account::AccountId;
use auditferry_core::text::count::counted;

/// How many records go to the database at once.
const BATCH: usize = 1_000;

#[derive(Args)]
pub(super) struct ImportArgs {
    /// The account whose records they are.
    #[arg(value_parser = account_id, add = account_ids())]
    account: AccountId,
    /// A file of JSON lines, or of CSV with a header, with the six field names.
    file: PathBuf,
    /// The file's format; by default its extension decides.
    #[arg(long, value_enum)]
    form: Option<Form>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Form {
    Jsonl,
    Csv,
}

pub(super) async fn import(context: &Context, args: &ImportArgs) -> CliResult {
    let form = form(args)?;
    let shown = args.file.display();
    let refuse = |problem: String| CliError::Usage(format!("{shown}: {problem}"));
    let file = File::open(&args.file).map_err(|error| refuse(error.to_string()))?;
    let size = file.metadata().map_err(|error| refuse(error.to_string()))?.len();
    let (_, admin) = context.admin().await?;
    let account = admin.ledger.account(&args.account).await?;

    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes}  {elapsed}  {msg}");
    let progress = ProgressBar::new(size).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let input = BufReader::new(progress.wrap_read(file));
    let mut import = admin.source.import(&args.account).await?;
    let mut batch = Vec::with_capacity(BATCH);
    let mut count = 0_u64;
    for record in records(form, input) {
        let record = record.map_err(|error| {
            progress.abandon();
            refuse(format!("{error}. Nothing was imported"))
        })?;
        batch.push(record);
        count += 1;
        if batch.len() == BATCH {
            import.append(&batch).await?;
            batch.clear();
            progress.set_message(counted(count, "record"));
        }
    }
    if count == 0 {
        progress.abandon();
        return Err(refuse(
            "it holds no record; an empty file is refused, so that a failed extract is not taken for done"
                .into(),
        ));
    }
    import.append(&batch).await?;
    import.commit().await?;
    progress.finish_and_clear();
    output::line(format!(
        "{} imported into the audit log of account {}.",
        counted(count, "record"),
        args.account
    ));
    if account.starts_when_enabled {
        output::line(
            "They are not exported: the export starts with the first `auditferry addon enable`. `account add --start now` \
             (or beginning) makes it start earlier.",
        );
    }
    Ok(())
}

fn form(args: &ImportArgs) -> Result<FileForm, CliError> {
    let ending = Path::new(&args.file).extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match (args.form, ending.as_deref()) {
        (Some(Form::Jsonl), _) | (None, Some("jsonl" | "ndjson" | "json")) => Ok(FileForm::JsonLines),
        (Some(Form::Csv), _) | (None, Some("csv")) => Ok(FileForm::Csv),
        _ => Err(CliError::Usage(format!(
            "{}: its ending is neither .jsonl nor .csv; say what it is with --form",
            args.file.display()
        ))),
    }
}
