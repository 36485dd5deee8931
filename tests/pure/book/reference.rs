//! The pages of the reference that are made from the code.

use std::fmt::Write as _;

use auditferry::destinations::remedy;
use auditferry::settings::DEFAULTS;
use clap::{Arg, Command};

use super::{PAGES, generated, read};

#[test]
fn the_commands_are_those_of_the_program() {
    generated(&format!("{PAGES}/reference/cli.md"), &commands());
}

#[test]
fn the_settings_are_those_of_the_program() {
    generated(&format!("{PAGES}/reference/settings.md"), &settings());
}

#[test]
fn the_exports_file_is_the_example_that_ships() {
    let text = format!(
        "# The exports file\n\n<!-- Made by tests/pure/book.rs from config/exports.example.toml. -->\n\n`auditferry apply \
         exports.toml` makes accounts, destinations and add-ons as this file declares them. `auditferry apply \
         exports.toml --dry-run` shows the difference and changes nothing. The example is \
         `config/exports.example.toml` in the repository; tests load it.\n\n```toml\n{}```\n",
        read("config/exports.example.toml")
    );
    generated(&format!("{PAGES}/reference/exports-file.md"), &text);
}

#[test]
fn the_failures_are_those_of_the_program() {
    let path = format!("{PAGES}/destinations/failures.md");
    let page = read(&path);
    let start = page.find("| failure |").expect("the tables");
    generated(&path, &format!("{}{}", &page[..start], remedy::table()));
}

#[test]
fn the_problems_are_those_of_the_program() {
    let mut page = String::from(
        "# All codes of problems\n\n<!-- Made by tests/pure/book.rs from the code. -->\n\nThe field `code` of a problem \
         document. Codes stay as they are; new ones may come.\n\n| code | status | meaning |\n|---|---|---|\n",
    );
    for (code, status, meaning) in auditferry::http::api::codes() {
        let _ = writeln!(page, "| `{code}` | {status} | {} |", sentence(meaning));
    }
    generated(&format!("{PAGES}/api/problems.md"), &page);
}

/// From the document that `api::document` compares with the program.
#[test]
fn the_requests_are_those_of_the_document() {
    let document: serde_json::Value = serde_json::from_str(&read("docs/openapi.json")).expect("JSON");
    let mut page = String::from(
        "# All requests\n\n<!-- Made by tests/pure/book.rs from docs/openapi.json. -->\n\nBelow `/api/v1`. \
         `docs/openapi.json` has their parameters, bodies and answers.\n\n| request | what it does |\n|---|---|\n",
    );
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("methods") {
            let summary = operation["summary"].as_str().unwrap_or_default();
            let _ = writeln!(page, "| `{} {path}` | {} |", method.to_uppercase(), sentence(summary));
        }
    }
    generated(&format!("{PAGES}/api/requests.md"), &page);
}

// The command line

fn commands() -> String {
    let mut program = auditferry::cli::command().term_width(usize::MAX);
    program.build();
    let mut page = String::from(
        "# Commands\n\n<!-- Made by tests/pure/book.rs from the program's own help. -->\n\nEvery command takes these \
         options:\n\n",
    );
    table(&mut page, program.get_arguments());
    page.push_str(
        "\nExit codes: 0 done, 1 failed, 2 bad usage or settings. Listings take `--json`, for a program.\n",
    );
    page.push_str("\n| command | for |\n|---|---|\n");
    for command in leaves(&program) {
        let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let about = sentence(about.split(". ").next().unwrap_or_default());
        writeln!(page, "| [`{name}`](#{}) | {about} |", name.replace(' ', "-")).unwrap();
    }
    for command in program.get_subcommands().filter(|command| command.get_name() != "help") {
        describe(&mut page, command, 2);
    }
    page
}

/// The commands that do something.
fn leaves(command: &Command) -> Vec<&Command> {
    let subcommands: Vec<&Command> =
        command.get_subcommands().filter(|command| command.get_name() != "help").collect();
    if subcommands.is_empty() { vec![command] } else { subcommands.into_iter().flat_map(leaves).collect() }
}

fn describe(page: &mut String, command: &Command, level: usize) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let about = command.get_long_about().or_else(|| command.get_about());
    let about = about.map(ToString::to_string).unwrap_or_default();
    write!(page, "\n{} {name}\n\n{}\n", "#".repeat(level), sentence(&about)).unwrap();
    let subcommands: Vec<&Command> =
        command.get_subcommands().filter(|command| command.get_name() != "help").collect();
    if subcommands.is_empty() {
        let usage = command.clone().render_usage().to_string();
        let own: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_global_set()).collect();
        let optional = own.iter().any(|arg| is_shown(arg) && arg.get_long().is_some());
        let usage = usage.trim_start_matches("Usage:").split_whitespace();
        let usage: Vec<&str> = usage.filter(|word| optional || *word != "[OPTIONS]").collect();
        write!(page, "\n```text\n{}\n```\n", usage.join(" ")).unwrap();
        if own.iter().any(|arg| is_shown(arg)) {
            page.push('\n');
            table(page, own.into_iter());
        }
    }
    for subcommand in subcommands {
        describe(page, subcommand, level + 1);
    }
}

/// What the help itself is for, nobody has to be told for each command.
fn is_shown(arg: &Arg) -> bool {
    !arg.is_hide_set() && !matches!(arg.get_id().as_str(), "help" | "version")
}

fn table<'a>(page: &mut String, arguments: impl Iterator<Item = &'a Arg>) {
    page.push_str("| argument | meaning |\n|---|---|\n");
    for arg in arguments.filter(|arg| is_shown(arg)) {
        let value = arg.get_value_names().unwrap_or_default().iter().map(|name| format!("<{name}>"));
        let value = value.collect::<Vec<_>>().join(" ");
        let takes = arg.get_action().takes_values();
        let name = match arg.get_long() {
            Some(long) if takes => format!("--{long} {value}"),
            Some(long) => format!("--{long}"),
            None => value,
        };
        let mut meaning = sentence(&arg.get_help().map(ToString::to_string).unwrap_or_default());
        if arg.is_required_set() && arg.get_long().is_some() {
            meaning.push_str(" Required.");
        }
        let words: Vec<String> =
            arg.get_possible_values().iter().map(|value| format!("`{}`", value.get_name())).collect();
        if takes && !words.is_empty() && words.len() <= 12 {
            write!(meaning, " One of {}.", words.join(", ")).unwrap();
        }
        let default = arg.get_default_values().first().filter(|default| takes && !default.is_empty());
        if let Some(default) = default {
            write!(meaning, " Default: `{}`.", default.to_string_lossy()).unwrap();
        }
        for alias in arg.get_visible_aliases().unwrap_or_default() {
            write!(meaning, " Also `--{alias}`.").unwrap();
        }
        if let Some(variable) = arg.get_env() {
            write!(meaning, " Environment: `{}`.", variable.to_string_lossy()).unwrap();
        }
        writeln!(page, "| `{}` | {} |", name.replace('|', "\\|"), meaning.replace('|', "\\|")).unwrap();
    }
}

/// A help text as a sentence of one line that Markdown leaves as it is.
fn sentence(help: &str) -> String {
    let mut text = help.split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.is_empty() && !text.ends_with(['.', ':']) {
        text.push('.');
    }
    text.replace('<', "\\<").replace('*', "\\*")
}

// The settings

fn settings() -> String {
    let mut page = String::from(
        "# Settings\n\n<!-- Made by tests/pure/book.rs from config/default.toml. -->\n\nEvery setting with its default, as \
         `config/default.toml` has them. That file is compiled into the program.\n",
    );
    let (mut section, mut comment) = (String::new(), String::new());
    let mut lines = DEFAULTS.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(words) = line.strip_prefix('#') {
            comment.push_str(words.strip_prefix(' ').unwrap_or(words));
            comment.push('\n');
        } else if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            write!(page, "\n## {section}\n").unwrap();
            tell(&mut page, &mut comment);
        } else if let Some((name, value)) = line.split_once(" = ") {
            let mut keys = vec![(name, value)];
            while let Some((name, value)) = lines.peek().and_then(|line| line.split_once(" = ")) {
                if name.starts_with('#') {
                    break;
                }
                keys.push((name, value));
                lines.next();
            }
            let names: Vec<String> = keys.iter().map(|(name, _)| format!("`{section}.{name}`")).collect();
            write!(page, "\n### {}\n", names.join(", ")).unwrap();
            tell(&mut page, &mut comment);
            page.push('\n');
            for (name, value) in keys {
                let variable = format!("{section}.{name}").to_uppercase().replace('.', "__");
                writeln!(page, "- default `{name} = {value}`, environment `AUDITFERRY__{variable}`").unwrap();
            }
        } else if line.is_empty() && section.is_empty() && !comment.is_empty() {
            // Of the file itself; what it begins with is said above.
            let said = comment.find("\n\n").map_or(0, |end| end + 2);
            comment = comment[said..].replace("Settings come from here", "Settings come from these defaults");
            tell(&mut page, &mut comment);
        }
    }
    page
}

/// Writes what stands above a section or a key, and forgets it.
fn tell(page: &mut String, comment: &mut String) {
    if !comment.is_empty() {
        write!(page, "\n{}", comment.replace('*', "\\*").replace('<', "\\<")).unwrap();
        comment.clear();
    }
}
