//! Compares what lies in the bucket with what PostgreSQL writes of the same records. The
//! objects are read by Python; nothing of our code takes part in it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Result;

const READER: &str = include_str!("read.py");

/// What an account has, or must have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) sha256: String,
}

impl Content {
    pub(crate) fn nothing() -> Self {
        Self { records: 0, bytes: 0, sha256: String::new() }
    }
}

/// What each account must have.
pub(crate) type Contents = BTreeMap<String, Content>;

/// What was found to be right.
#[derive(Debug, Default)]
pub(crate) struct Checked {
    pub(crate) objects: u64,
    pub(crate) records: u64,
}

/// That each account has its records once, in their order, and no other account has any.
pub(crate) fn check(folder: &Path, expected: &Contents) -> Result<Checked> {
    let (found, checked) = read(folder)?;
    let wrong: Vec<String> = expected
        .iter()
        .filter(|(account, content)| found.get(*account) != Some(content))
        .map(|(account, content)| format!("{account}: {:?}, expected {content:?}", found.get(account)))
        .collect();
    let strangers = found.keys().filter(|account| !expected.contains_key(*account)).count();
    if wrong.is_empty() && strangers == 0 {
        return Ok(checked);
    }
    let first = wrong.first().map(String::as_str).unwrap_or_default();
    Err(format!("wrong content of {} accounts, {strangers} accounts too many; {first}", wrong.len()).into())
}

/// What lies below a folder with one folder for each account.
pub(crate) fn read(folder: &Path) -> Result<(Contents, Checked)> {
    let output = Command::new("python3").args(["-c", READER]).arg(folder).output()?;
    if !output.status.success() {
        return Err(format!("{}: {}", folder.display(), String::from_utf8_lossy(&output.stderr)).into());
    }
    let (mut contents, mut checked) = (Contents::new(), Checked::default());
    for line in String::from_utf8(output.stdout)?.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [account, objects, records, bytes, sha256] = words[..] else {
            return Err(format!("the reader says {line:?}").into());
        };
        let content = Content { records: records.parse()?, bytes: bytes.parse()?, sha256: sha256.to_owned() };
        checked.objects += objects.parse::<u64>()?;
        checked.records += content.records;
        contents.insert(account.to_owned(), content);
    }
    Ok((contents, checked))
}

/// The files below a folder, in the order of their names.
pub(crate) fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let place = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", folder.display()));
    let entries = std::fs::read_dir(folder).map_err(place)?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(self::files(&path)?);
        } else {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Bytes of files.
pub(crate) fn size(files: &[PathBuf]) -> u64 {
    files.iter().map(|path| path.metadata().map_or(0, |about| about.len())).sum()
}

/// Deletes the first object of a folder.
pub(crate) fn spoil(folder: &Path) -> Result<()> {
    Ok(std::fs::remove_file(files(folder)?.first().ok_or("nothing is there")?)?)
}
