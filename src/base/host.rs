//! The machine that the program runs on.

/// Its name, for people; empty when the system does not tell.
#[must_use]
pub(crate) fn host_name() -> String {
    nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()
}
