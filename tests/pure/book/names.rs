//! No document names a command, an option or a setting that does not exist.

use std::collections::{BTreeSet, HashMap};

use auditferry::settings::Settings;
use clap::Command;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use super::{PAGES, markdown, read, repository};

/// What people read about commands and settings.
fn documents() -> Vec<String> {
    let mut documents = markdown(PAGES);
    documents.extend(markdown("docs/decisions"));
    documents
        .extend(["README.md", "ARCHITECTURE.md", "SECURITY.md", "deploy/iam/README.md"].map(str::to_owned));
    documents
}

/// A piece of code in a document.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// Within a sentence.
    Span(String),
    /// A block, with what stands behind the fence.
    Block(String, String),
}

pub(crate) fn code(document: &str) -> Vec<Code> {
    let text = read(document);
    let (mut found, mut block) = (Vec::new(), None);
    for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                block = Some((info.into_string(), String::new()));
            }
            Event::Text(text) => {
                if let Some((_, content)) = &mut block {
                    content.push_str(&text);
                }
            }
            Event::End(TagEnd::CodeBlock) => {
                found.extend(block.take().map(|(info, content)| Code::Block(info, content)));
            }
            Event::Code(text) => found.push(Code::Span(text.into_string())),
            _ => {}
        }
    }
    found
}

/// The commands of a shell script, each as its words; comments are left out.
fn commands(script: &str) -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for line in script.replace("\\\n", " ").lines() {
        let (mut words, mut word, mut quote, mut begun) = (Vec::new(), String::new(), None, false);
        for c in line.chars().chain([' ']) {
            match quote {
                Some(mark) if c == mark => quote = None,
                Some(_) => word.push(c),
                None if c == '\'' || c == '"' => (quote, begun) = (Some(c), true),
                None if c == '#' && word.is_empty() && !begun => break,
                None if c == ' ' => {
                    if begun || !word.is_empty() {
                        words.push(std::mem::take(&mut word));
                    }
                    begun = false;
                }
                None => word.push(c),
            }
        }
        let parts = words.split(|word| matches!(word.as_str(), "|" | "&&" | "||" | ";" | "<" | ">" | "&"));
        commands.extend(parts.map(<[String]>::to_vec));
    }
    commands
}

/// The arguments of auditferry, if the command calls it.
fn arguments(command: &[String]) -> Option<&[String]> {
    let assigned =
        |word: &&String| word.split_once('=').is_some_and(|(name, _)| name.starts_with("AUDITFERRY_"));
    let words = &command[command.iter().take_while(assigned).count()..];
    match words {
        [cargo, run, release, dashes, rest @ ..]
            if [cargo, run, release, dashes].iter().map(|word| word.as_str()).eq([
                "cargo",
                "run",
                "--release",
                "--",
            ]) =>
        {
            Some(rest)
        }
        [program, rest @ ..] if program == "auditferry" => Some(rest),
        _ => None,
    }
}

fn is_left_out(word: &str) -> bool {
    word == "…" || word == "..." || word.ends_with("-…")
}

/// What is wrong with the names in a call.
fn wrong_name(program: &Command, words: &[String]) -> Option<String> {
    let mut command = program;
    let mut arguments = words.iter();
    let mut options = Vec::new();
    for word in arguments.by_ref() {
        if let Some(next) = command.find_subcommand(word) {
            command = next;
        } else if command.has_subcommands() && !word.starts_with('-') && !is_left_out(word) {
            // `account|destination …` in a sentence
            return (!word.contains('|')).then(|| format!("{} has no command {word}", command.get_name()));
        } else {
            options.push(word);
            break;
        }
    }
    options.extend(arguments);
    for word in options {
        let Some(option) = word.strip_prefix("--").filter(|option| !option.is_empty()) else { continue };
        let option = option.split(['=', ',', '.', ';', ')']).next().unwrap();
        let known = command.get_arguments().any(|arg| arg.get_long() == Some(option));
        if !known && !is_left_out(word) && !option.is_empty() {
            return Some(format!("{} has no option --{option}", command.get_name()));
        }
    }
    None
}

#[test]
fn every_command_that_is_named_exists() {
    let mut program = auditferry::cli::command();
    program.build();
    let (mut wrong, mut parsed, mut named) = (Vec::new(), 0, 0);
    for document in documents() {
        for code in code(&document) {
            let (script, whole) = match &code {
                Code::Span(text) => (text, false),
                Code::Block(info, text) if info.split(' ').next() == Some("sh") => (text, true),
                Code::Block(..) => continue,
            };
            for command in commands(script) {
                let Some(words) = arguments(&command) else { continue };
                named += 1;
                if let Some(problem) = wrong_name(&program, words) {
                    wrong.push(format!("{document}: {problem}: {}", command.join(" ")));
                } else if whole && !words.iter().any(|word| is_left_out(word)) {
                    let call = std::iter::once("auditferry").chain(words.iter().map(String::as_str));
                    if let Err(error) = program.clone().try_get_matches_from(call)
                        && error.use_stderr()
                    {
                        wrong.push(format!("{document}: {}: {error}", command.join(" ")));
                    }
                    parsed += 1;
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(named >= 100 && parsed >= 50, "only {named} commands were named and {parsed} parsed");
}

#[test]
fn every_option_that_is_named_exists() {
    fn collect(command: &Command, options: &mut BTreeSet<String>) {
        options
            .extend(command.get_arguments().filter_map(|arg| arg.get_long()).map(|long| format!("--{long}")));
        for command in command.get_subcommands() {
            collect(command, options);
        }
    }
    let mut program = auditferry::cli::command();
    program.build();
    let mut known = BTreeSet::new();
    collect(&program, &mut known);
    // Those of other programs.
    known.extend(["--inserts", "--permissions", "--oauth", "--name"].map(str::to_owned));
    let mut wrong = Vec::new();
    for document in documents() {
        // There options of the examples are spoken of.
        if document.contains("/performance/") || document.contains("/proof/") {
            continue;
        }
        for code in code(&document) {
            let Code::Span(text) = code else { continue };
            let option = text.split([' ', '=']).next().unwrap();
            if option.starts_with("--") && !option.ends_with('…') && !known.contains(option) {
                wrong.push(format!("{document}: no command has {option}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_file_and_every_test_that_is_named_exists() {
    let folders =
        ["config/", "crates/", "deploy/", "docs/", "examples/", "fuzz/", "scripts/", "src/", "tests/"];
    let (mut wrong, mut found) = (Vec::new(), 0);
    for document in documents().into_iter().chain(["CONTRIBUTING.md".to_owned()]) {
        for code in code(&document) {
            let text = match &code {
                Code::Span(text) | Code::Block(_, text) => text,
            };
            let path = text.split([' ', ':']).next().unwrap().trim_end_matches('/');
            let is_path =
                matches!(code, Code::Span(_)) && folders.iter().any(|folder| text.starts_with(folder));
            if is_path && !path.contains('…') {
                let path = repository().join(path);
                if !path.exists() && !path.with_extension("rs").exists() {
                    wrong.push(format!("{document}: there is no {text}"));
                }
                found += 1;
            }
            for rest in text.split("--test ").skip(1) {
                let name = rest.split_whitespace().next().unwrap_or_default();
                let files = [format!("tests/{name}.rs"), format!("tests/{name}/main.rs")];
                if !files.iter().any(|file| repository().join(file).exists()) {
                    wrong.push(format!("{document}: there is no test {name}"));
                    continue;
                }
                let written = sources(&format!("tests/{name}"));
                let filters =
                    rest.split(['`', '#', '\n']).next().unwrap_or_default().split_whitespace().skip(1);
                for filter in filters.filter(|word| !word.starts_with('-')) {
                    if !filter.split("::").all(|part| written.contains(part)) {
                        wrong.push(format!("{document}: no test in tests/{name} is called {filter}"));
                    }
                }
                found += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found >= 100, "only {found} names were found");
}

/// The names and texts of all files of a test.
fn sources(folder: &str) -> String {
    let mut all = String::new();
    let mut folders = vec![repository().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("entry").path();
            all.push_str(&path.display().to_string());
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                all.push_str(&std::fs::read_to_string(&path).expect("a text"));
            }
        }
    }
    all
}

#[test]
fn every_setting_that_is_named_exists() {
    let defaults =
        Settings::load_with(None, HashMap::new()).map_err(|error| error.to_string()).expect("defaults");
    let known: BTreeSet<String> = defaults.effective.into_iter().map(|(key, _)| key).collect();
    let sections: BTreeSet<&str> = known.iter().filter_map(|key| key.split('.').next()).collect();
    let (mut wrong, mut found) = (Vec::new(), 0);
    for document in documents() {
        for (at, _) in read(&document).match_indices("AUDITFERRY__") {
            let text = &read(&document)[at..];
            let end = text.find(|c: char| !(c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()));
            let variable = &text[..end.unwrap_or(text.len())];
            let key = variable["AUDITFERRY__".len()..].to_lowercase().replace("__", ".");
            if !known.contains(&key) && variable != "AUDITFERRY__SECTION__KEY" {
                wrong.push(format!("{document}: {variable} is no setting"));
            }
            found += 1;
        }
        for code in code(&document) {
            let Code::Span(text) = code else { continue };
            let key = text.split([' ', '=']).next().unwrap();
            let plain = key.chars().all(|c| c.is_ascii_lowercase() || matches!(c, '_' | '.'));
            let Some((section, name)) = key.split_once('.').filter(|_| plain) else { continue };
            let file =
                ["rs", "toml", "yaml", "json", "md", "sql"].contains(&name.rsplit('.').next().unwrap());
            if !file && sections.contains(section) && !known.contains(key) && !is_something_else(key) {
                wrong.push(format!("{document}: {key} is no setting"));
            }
            found += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found >= 100, "only {found} names were found");
}

/// Words with a dot that look like settings: a table, a failpoint, a function, and attributes of traces.
fn is_something_else(key: &str) -> bool {
    ["source.table", "put.before", "ledger.commit", "http.route"].contains(&key)
        || ["export.destination", "http.request.", "http.response."]
            .iter()
            .any(|other| key.starts_with(other))
}
