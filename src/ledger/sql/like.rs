//! Patterns for `LIKE … ESCAPE '!'`, in which what was asked for stands for itself.

fn plain(text: &str) -> String {
    text.replace('!', "!!").replace('%', "!%").replace('_', "!_")
}

/// Of all texts that hold this one.
pub(super) fn holding(text: &str) -> String {
    format!("%{}%", plain(text))
}

/// Of all keys that end in a name.
pub(super) fn ends_in(name: &str) -> String {
    format!("%/{}", plain(name))
}
