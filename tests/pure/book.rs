//! The documents say what is so: the reference is what the code says, links lead somewhere, commands and
//! settings exist, and the examples of the book run.
//!
//! `AUDITFERRY_REWRITE=1 cargo test --test pure -- book::` writes the pages that are made from the code.

use std::path::{Path, PathBuf};

mod examples;
mod links;
mod names;
mod reference;

/// Where the pages of the book are.
const PAGES: &str = "docs/book/src";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every Markdown file below a folder, by its path in the repository.
fn markdown(folder: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("entry").path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && !name.starts_with('.') && name != "target" && name != "dist" {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "md") {
                found.push(path.strip_prefix(repository()).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// A page that is made from the code: compared, or written when `AUDITFERRY_REWRITE` says so.
fn generated(path: &str, text: &str) {
    if std::env::var_os("AUDITFERRY_REWRITE").is_some_and(|value| value == "1") {
        std::fs::write(repository().join(path), text).unwrap_or_else(|error| panic!("{path}: {error}"));
        return;
    }
    let shown = std::fs::read_to_string(repository().join(path)).unwrap_or_default();
    if shown == text {
        return;
    }
    let line = shown.lines().zip(text.lines()).take_while(|(shown, made)| shown == made).count();
    panic!(
        "{path} is not what the code says, from line {} on:\n  there: {}\n  code:  {}\nThis writes it: \
         AUDITFERRY_REWRITE=1 cargo test --test pure -- book::",
        line + 1,
        shown.lines().nth(line).unwrap_or("(the end)"),
        text.lines().nth(line).unwrap_or("(the end)"),
    );
}
