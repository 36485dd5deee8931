//! The secrets that `auditferry destination set` is given: named, typed or piped in.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use super::placing::TrialArgs;
use crate::cli::CliError;
use crate::secrets::keys;
use crate::secrets::{self, Opened, Secret, SecretError};
use auditferry_core::model::destination::SecretRef;

/// The secrets that a command gives: names of them, and values that are to be sealed.
pub(super) struct Given {
    seal: bool,
    /// Whether the worker is on another machine.
    elsewhere: bool,
    /// The values that are to be sealed.
    pub(super) opened: Opened,
    input_is_read: bool,
}

impl Given {
    /// None yet. On the ledger, secrets that are named are names, unless they are to be sealed; on a server they are
    /// read here, unless they exist only where the worker runs.
    pub(super) fn new(trial: &TrialArgs, elsewhere: bool) -> Self {
        let seal = trial.seal || (elsewhere && !trial.skip_secrets);
        Self { seal, elsewhere, opened: Opened::default(), input_is_read: false }
    }

    /// The secret of one option, or what a person types if there is none.
    pub(super) fn secret(
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
                Some(prompt) => typed(prompt, "not shown, sealed in the ledger")?,
                None => return Ok(None),
            },
            _ => {
                let Some(reference) = reference(env, file) else { return Ok(None) };
                if !self.seal {
                    if let Some(file) = file.filter(|file| self.elsewhere && file.is_relative()) {
                        return Err(CliError::Usage(format!(
                            "{}: the worker of the server cannot know from where this path goes; write it from / on",
                            file.display()
                        )));
                    }
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
pub(in crate::cli) fn typed(prompt: &str, note: &str) -> Result<Secret, CliError> {
    let text = rpassword::prompt_password(format!("{prompt} ({note}): "))
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

/// The value of an option that a kind cannot do without.
pub(super) fn needed<T>(value: Option<T>, option: &str, kind: &str) -> Result<T, CliError> {
    value
        .ok_or_else(|| CliError::Usage(format!("{option} is missing; a destination of kind {kind} needs it")))
}
