//! The examples of the book run as they stand there, with the real program.
//!
//! ```` ```sh run ```` is run; ```` ```sh run fails ```` too, and must fail. All blocks of a page are one session in one
//! empty folder, after those of the `index.md` beside it. ```` ```text output ```` is what the block above prints: numbers,
//! times, ids and spaces may differ; a line `…` stands for any lines, and a line that ends in `…` for any end.

use std::path::Path;
use std::process::Command;

use super::names::{Code, code};
use super::{PAGES, markdown};

const MARK: &str = "@@ block ";

/// On the pages, the first day of the demo, which is always two days ago.
const FIRST_DAY: &str = "2026-11-28";

struct Example {
    script: String,
    fails: bool,
    output: Option<String>,
}

fn examples(page: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut above = false;
    for code in code(page) {
        let Code::Block(info, content) = code else { continue };
        match info.as_str() {
            "sh run" | "sh run fails" => {
                examples.push(Example { script: content, fails: info.ends_with("fails"), output: None });
                above = true;
            }
            "text output" => {
                let example = examples.last_mut().filter(|_| above);
                example.unwrap_or_else(|| panic!("{page}: output of nothing")).output = Some(content);
                above = false;
            }
            _ => above = false,
        }
    }
    examples
}

/// Runs a page in an empty folder; what each block printed, or what went wrong.
fn run(page: &str, examples: &[Example]) -> Result<(), String> {
    let folder = tempfile::tempdir().expect("folder");
    let home = folder.path().canonicalize().expect("folder");
    // The shell's own `cargo run --release -- …` is the program that is built already.
    let first = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(48);
    let first = first.strftime("%Y-%m-%d").to_string();
    let mut script = String::from("set -e\ncargo() { shift 3; auditferry \"$@\"; }\n");
    for (number, example) in examples.iter().enumerate() {
        script.push_str(&format!("echo '{MARK}{number}'\n"));
        if example.fails {
            script.push_str(&format!(
                "if {{\n{}\n}}; then echo '{MARK}that did not fail'; exit 1; fi\n",
                example.script.replace(FIRST_DAY, &first)
            ));
        } else {
            script.push_str(&example.script.replace(FIRST_DAY, &first));
        }
    }
    let program = Path::new(env!("CARGO_BIN_EXE_auditferry")).parent().expect("folder");
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap_or_default());
    let mut shell = Command::new("bash");
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("AUDITFERRY")) {
        shell.env_remove(name);
    }
    let output = shell
        .arg("-c")
        .arg(format!("exec 2>&1\n{script}"))
        .current_dir(&home)
        .env("PATH", path)
        .env("HOME", &home)
        // Two runs share no port.
        .env("AUDITFERRY__HTTP__LISTEN", "")
        .output()
        .expect("bash");
    let said = String::from_utf8_lossy(&output.stdout).replace(&*home.to_string_lossy(), "/home/ana");
    if !output.status.success() {
        return Err(format!("{page}: {}\n{said}", output.status));
    }
    for part in said.split(MARK).skip(1) {
        let (number, said) = part.split_once('\n').unwrap_or((part, ""));
        let example = &examples[number.parse::<usize>().map_err(|_| format!("{page}: {said}"))?];
        if let Some(shown) = &example.output
            && !is_like(&lines(said), &lines(shown))
        {
            return Err(format!("{page}: after\n{}it says\n{said}and not\n{shown}", example.script));
        }
    }
    Ok(())
}

fn lines(text: &str) -> Vec<String> {
    text.lines().map(normal).filter(|line| !line.is_empty()).collect()
}

/// A line without what differs from run to run.
fn normal(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let mut ago = false;
    for word in line.split_whitespace() {
        if word == "(uid" {
            // who ran it
            words.pop();
        }
        ago |= word.starts_with('(')
            && line.contains("ago)")
            && word[1..].starts_with(|c: char| c.is_ascii_digit());
        if !ago {
            words.push(match word {
                "Tue" | "Wed" | "Thu" | "Fri" | "Sat" | "Sun" => "Mon".to_owned(),
                "KiB" => "B".to_owned(),
                _ => without_numbers(word),
            });
        }
        ago &= !word.ends_with(')');
    }
    words.join(" ")
}

fn without_numbers(word: &str) -> String {
    let mut made = String::new();
    for part in word.split_inclusive(|c: char| !c.is_ascii_hexdigit()) {
        let digits = part.trim_end_matches(|c: char| !c.is_ascii_hexdigit());
        if digits.len() >= 16 && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            made.push('0');
            made.push_str(&part[digits.len()..]);
        } else {
            made.push_str(part);
        }
    }
    let mut short = String::new();
    for c in made.chars() {
        let digit = c.is_ascii_digit();
        if !(digit && short.ends_with('0')) {
            short.push(if digit { '0' } else { c });
        }
    }
    short
}

/// Whether lines are as shown, where `…` stands for anything.
fn is_like(said: &[String], shown: &[String]) -> bool {
    match shown {
        [] => said.is_empty(),
        [any, rest @ ..] if any == "…" => (0..=said.len()).any(|at| is_like(&said[at..], rest)),
        [first, rest @ ..] => said.split_first().is_some_and(|(line, others)| {
            let same = match first.strip_suffix('…') {
                Some(start) => line.starts_with(start.trim_end()),
                None => line == first,
            };
            same && is_like(others, rest)
        }),
    }
}

#[test]
fn the_examples_do_what_the_pages_show() {
    let all = markdown(PAGES);
    let (mut wrong, mut found) = (Vec::new(), 0);
    for page in all.iter().cloned().chain(["README.md".to_owned()]) {
        let own = examples(&page);
        found += own.len();
        if own.is_empty() {
            continue;
        }
        let index = Path::new(&page).with_file_name("index.md").to_string_lossy().into_owned();
        let mut session = if index != page && all.contains(&index) { examples(&index) } else { Vec::new() };
        session.extend(own);
        wrong.extend(run(&page, &session).err());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(found >= 20, "only {found} examples were found");
}

#[test]
fn a_sample_that_differs_is_seen() {
    let said =
        lines("ACCOUNT  HEALTH\nacme     running (2d 3h ago)\nby root (uid 0) 1.5 KiB deadbeefdeadbeef00");
    let like = |shown: &str| is_like(&said, &lines(shown));
    assert!(like("ACCOUNT HEALTH\nacme running (17s ago)\nby ana (uid 1000) 22.7 KiB 0123456789abcdef0123"));
    assert!(like("ACCOUNT HEALTH\n…") && like("…\nby …") && like("…"));
    assert!(!like("ACCOUNT HEALTH\nacme held (17s ago)\n…") && !like("ACCOUNT HEALTH") && !like("…\nby"));
}
