//! The files that ship are what the code reads: every key is known, documented and in force.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use auditferry::base::zones::Zones;
use auditferry::destinations::fix::fix;
use auditferry::ledger::TroubleKind;
use auditferry::ledger::{Gauges, StateGauge};
use auditferry::observe::telemetry::Metrics;
use auditferry::operations::exports::{self, Export};
use auditferry::settings::{DEFAULTS, Settings};
use auditferry_core::model::account::AccountId;
use auditferry_core::model::destination::{AzureCloud, AzureCredentials, Destination, Place, S3Credentials};
use auditferry_core::model::expiry::Ending;
use auditferry_core::model::schedule::Schedule;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn settings(file: Option<&Path>, environment: &[(&str, &str)]) -> Result<Settings, String> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Settings::load_with(file, environment.collect::<HashMap<_, _>>()).map_err(|error| error.to_string())
}

fn defaults() -> Settings {
    settings(None, &[]).unwrap_or_else(|error| panic!("{error}"))
}

/// `section.key` of every setting.
fn known_settings() -> BTreeSet<String> {
    defaults().effective.into_iter().map(|(key, _)| key).collect()
}

/// The name of a line `name = value`, also of one that is commented out.
fn key_of(line: &str) -> Option<&str> {
    let line = line.trim();
    let (name, value) = line.strip_prefix("# ").unwrap_or(line).split_once(" = ")?;
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    (plain && !value.trim().is_empty()).then_some(name)
}

/// Whether prose stands above a line, with nothing but other keys in between.
fn is_documented(lines: &[&str], at: usize) -> bool {
    let above = lines[..at].iter().rev().find(|line| key_of(line).is_none());
    above.is_some_and(|line| line.starts_with("# "))
}

// config/default.toml

#[test]
fn the_defaults_are_the_file_and_load_as_a_file_too() {
    assert_eq!(DEFAULTS, read("config/default.toml"));
    let as_file = settings(Some(&repository("config/default.toml")), &[]);
    assert_eq!(as_file.unwrap_or_else(|error| panic!("{error}")).effective, defaults().effective);
}

#[test]
fn every_default_is_documented() {
    let lines: Vec<&str> = DEFAULTS.lines().collect();
    let mut section = "";
    let mut found = BTreeSet::new();
    for (at, line) in lines.iter().enumerate() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            section = name;
        } else if let Some(name) = key_of(line) {
            assert!(is_documented(&lines, at), "{section}.{name} has no comment above it");
            assert!(!line.starts_with('#'), "{section}.{name} is commented out");
            found.insert(format!("{section}.{name}"));
        }
    }
    assert_eq!(found, known_settings());
}

#[test]
fn every_default_is_read_by_the_code() {
    for key in known_settings() {
        let name = format!("AUDITFERRY__{}", key.to_uppercase().replace('.', "__"));
        let impossible = settings(None, &[(&name, "\u{1}impossible")]);
        let problem = impossible.err().unwrap_or_else(|| panic!("nobody reads {key}"));
        assert!(problem.contains(&key), "the message does not name {key}: {problem}");
    }
}

#[test]
fn a_changed_copy_of_the_defaults_is_in_force() {
    let changes = [
        ("ledger.url", "\"sqlite:auditferry.db\"", "\"sqlite:other.db\""),
        ("ledger.migrate", "true", "false"),
        ("source.table.schema", "\"public\"", "\"audit\""),
        ("source.table.lookback", "\"24h\"", "\"2h\""),
        ("worker.concurrency", "128", "9"),
        ("worker.lease", "\"2m\"", "\"3m\""),
        ("put.timeout", "\"60s\"", "\"61s\""),
        ("http.listen", "\"127.0.0.1:9464\"", "\"127.0.0.1:9465\""),
        ("log.format", "\"text\"", "\"json\""),
        ("credentials.allow_ambient", "[]", "[\"acme\"]"),
        ("credentials.token_hosts", "[]", "[\"blobs.example.com\"]"),
        ("export.schedule", "\"0 0 */4 * * *\"", "\"0 0 0 * * *\""),
        ("export.container", "\"zip\"", "\"gzip\""),
        ("export.layout", "\"lines\"", "\"array\""),
        ("export.empty_windows", "\"skip\"", "\"object\""),
        ("export.max_records", "100000", "7"),
    ];
    let mut text = DEFAULTS.to_owned();
    let mut expected: BTreeMap<String, String> = defaults().effective.into_iter().collect();
    for (key, old, new) in changes {
        let name = key.rsplit_once('.').unwrap().1;
        let line = format!("\n{name} = {old}");
        assert!(text.contains(&line), "{line}");
        text = text.replacen(&line, &format!("\n{name} = {new}"), 1);
        expected.insert(key.to_owned(), new.trim_matches('"').to_owned());
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("auditferry.toml");
    std::fs::write(&file, text).unwrap();
    let loaded = settings(Some(&file), &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(loaded.effective.into_iter().collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(loaded.export.format.max_records, 7);
    assert_eq!(loaded.source.table.lookback.0, std::time::Duration::from_secs(7_200));
    assert_eq!(loaded.credentials.allow_ambient, ["acme".parse::<AccountId>().unwrap()]);
}

// config/exports.example.toml

const EXAMPLE: &str = "config/exports.example.toml";

fn declared(text: &str) -> Vec<Export> {
    exports::parse(text).unwrap_or_else(|error| panic!("{error}"))
}

fn destination(exports: &[Export], account: &str) -> Destination {
    let export = exports.iter().find(|export| export.account.as_str() == account);
    let destination = export.and_then(|export| export.destination.clone());
    let destination = destination.unwrap_or_else(|| panic!("{account} has no destination"));
    destination.validate().unwrap_or_else(|error| panic!("{account}: {error}"));
    destination
}

#[test]
fn the_example_declares_a_valid_export_for_each_cloud() {
    let exports = declared(&read(EXAMPLE));
    let kinds: Vec<&str> =
        exports.iter().map(|export| destination(&exports, export.account.as_str()).kind()).collect();
    assert_eq!(kinds, ["s3", "gcs", "azure"]);
    for export in &exports {
        Zones::load().find(&export.zone).unwrap_or_else(|error| panic!("{error}"));
        let options = export.options(&defaults().export);
        Schedule::parse(&options.schedule).unwrap_or_else(|error| panic!("{error}"));
    }
    let addon = exports[0].addon.as_ref().expect("add-on");
    assert!(addon.enabled && addon.until.is_some() && addon.reason.is_some());
}

/// The example with some lines replaced.
fn changed(changes: &[(&str, &str)]) -> String {
    let mut text = read(EXAMPLE);
    for (old, new) in changes {
        assert!(text.contains(old), "the example has no {old:?}");
        text = text.replacen(old, new, 1);
    }
    text
}

/// What the example shows as it would be given.
const WITHOUT_DEFAULT: [&str; 12] = [
    "endpoint",
    "credentials",
    "session_token",
    "path_style",
    "expires",
    "sse_kms_key_id",
    "expected_bucket_owner",
    "storage_class",
    "checksum",
    "request_payer",
    "acl",
    "sse",
];

#[test]
fn what_the_example_shows_commented_out_is_the_default() {
    let options = |text: &str| declared(text)[0].options(&defaults().export);
    let text = read(EXAMPLE);
    let mut shown = 0;
    let lines: Vec<String> = text
        .lines()
        .map(|line| {
            let default = line.starts_with("# ") && key_of(line).is_some();
            let of_an_option = default && !WITHOUT_DEFAULT.contains(&key_of(line).unwrap());
            shown += usize::from(of_an_option);
            if of_an_option { line[2..].to_owned() } else { line.to_owned() }
        })
        .collect();
    let uncommented = lines.join("\n");
    assert_eq!(
        shown, 11,
        "schedule, start, container, layout, empty_windows, both limits, compression, prefix, allow_http, accept_overwrites"
    );
    assert_eq!(options(&uncommented), options(&text));
    let (explicit, silent) = (declared(&uncommented), declared(&text));
    assert_eq!(explicit[0].start, silent[0].start);
    assert_eq!(destination(&explicit, "acme"), destination(&silent, "acme"));
}

#[test]
fn the_commented_ways_to_give_credentials_work() {
    let key = read(EXAMPLE);
    let table = key.find("[export.destination.credentials.access_key]").expect("access key");
    let end = table + key[table..].find("# Google Cloud Storage").expect("next export");
    let ambient =
        changed(&[(&key[table..end], ""), ("# credentials = \"ambient\"", "credentials = \"ambient\"")]);
    match destination(&declared(&ambient), "acme").place {
        Place::S3(s3) => assert_eq!(s3.credentials, S3Credentials::Ambient),
        other => panic!("{other:?}"),
    }
    let role = "# credentials = { assume_role";
    let role = changed(&[(&key[table..end], ""), (role, &role[2..])]);
    match destination(&declared(&role), "acme").place {
        Place::S3(s3) => assert!(matches!(s3.credentials, S3Credentials::AssumeRole(_))),
        other => panic!("{other:?}"),
    }
    let temporary = changed(&[("# session_token", "session_token"), ("# path_style", "path_style")]);
    match destination(&declared(&temporary), "acme").place {
        Place::S3(s3) => {
            assert_eq!(s3.path_style, Some(false));
            assert!(matches!(s3.credentials, S3Credentials::AccessKey(key) if key.session_token.is_some()));
        }
        other => panic!("{other:?}"),
    }
    let key = "credentials = { service_account";
    for way in ["# credentials = { impersonate", "# credentials = \"ambient\"\n\n# Azure"] {
        let text = changed(&[(key, &format!("# {key}")), (way, &way[2..])]);
        match destination(&declared(&text), "globex").place {
            Place::Gcs(gcs) => assert!(gcs.credentials.are_the_workers(), "{way}"),
            other => panic!("{other:?}"),
        }
    }
    let options = ["sse_kms_key_id", "expected_bucket_owner", "storage_class", "request_payer", "acl"];
    let options = options.map(|name| (format!("# {name} = "), format!("{name} = ")));
    let options: Vec<_> = options.iter().map(|(old, new)| (old.as_str(), new.as_str())).collect();
    let asked = destination(&declared(&changed(&options)), "acme").asked().expect("asked");
    assert!(
        asked.contains("key/1234abcd")
            && asked.contains("STANDARD_IA")
            && asked.contains("123456789012")
            && asked.contains("the requester pays")
            && asked.contains("ACL bucket-owner-full-control"),
        "{asked}"
    );
    let sas = changed(&[
        ("credentials = { connection_string", "# credentials = { connection_string"),
        ("# endpoint = \"https://initech", "endpoint = \"https://initech"),
        ("# credentials = { sas", "credentials = { sas"),
    ]);
    match destination(&declared(&sas), "initech").place {
        Place::Azure(azure) => assert!(matches!(azure.credentials, AzureCredentials::Sas(_))),
        other => panic!("{other:?}"),
    }
    for kind in ["entra_secret", "entra_certificate", "managed_identity", "workload_identity"] {
        let by_application = changed(&[
            ("credentials = { connection_string", "# credentials = { connection_string"),
            ("# endpoint = \"https://initech", "endpoint = \"https://initech"),
            (&format!("# credentials = {{ {kind}"), &format!("credentials = {{ {kind}")),
        ]);
        match destination(&declared(&by_application), "initech").place {
            Place::Azure(azure) => match azure.credentials {
                AzureCredentials::EntraSecret(by) => {
                    assert_eq!((kind, by.cloud), ("entra_secret", AzureCloud::Public));
                }
                AzureCredentials::EntraCertificate(_) => assert_eq!(kind, "entra_certificate"),
                AzureCredentials::ManagedIdentity(_) => assert_eq!(kind, "managed_identity"),
                AzureCredentials::WorkloadIdentity(_) => assert_eq!(kind, "workload_identity"),
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        }
    }
    for place in ["globex", "acme"] {
        let endpoint = "# endpoint = \"https://storage.example.com\"";
        let mut text = read(EXAMPLE);
        let at = text.find(&format!("account = \"{place}\"")).unwrap();
        let at = at + text[at..].find(endpoint).unwrap();
        text.replace_range(at..at + 2, "");
        destination(&declared(&text), place);
    }
}

/// The names that serde expects where it finds one that it does not know.
fn expected_names(toml: &str) -> BTreeSet<String> {
    let message = exports::parse(toml).expect_err("a made-up key is refused").to_string();
    let (_, expected) = message.split_once("expected ").unwrap_or_else(|| panic!("{message}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_example_documents_every_key_that_the_code_knows() {
    let export = "[[export]]\naccount = \"a\"\nzone = \"UTC\"\n";
    let place = |kind: &str| format!("{export}[export.destination]\nkind = \"{kind}\"\nmade_up = 1\n");
    let credentials = |kind: &str, rest: &str| {
        format!("{export}[export.destination]\nkind = \"{kind}\"\nbucket = \"b\"\nregion = \"r\"\n{rest}")
            .replace("bucket", if kind == "azure" { "container" } else { "bucket" })
            .replace(if kind == "s3" { "-" } else { "region = \"r\"\n" }, "")
    };
    let mut known = BTreeSet::new();
    for toml in [
        format!("{export}made_up = 1\n"),
        format!("{export}[export.addon]\nmade_up = 1\n"),
        format!("{export}[export.destination]\nkind = \"made_up\"\n"),
        place("s3"),
        place("gcs"),
        place("azure"),
        credentials("s3", "credentials = \"made_up\"\n"),
        credentials("s3", "credentials = { access_key = { made_up = 1 } }\n"),
        credentials("s3", "credentials = { assume_role = { made_up = 1 } }\n"),
        credentials("gcs", "credentials = { made_up = { env = \"X\" } }\n"),
        credentials("gcs", "credentials = { impersonate = { made_up = 1 } }\n"),
        credentials("gcs", "credentials = { service_account = { made_up = \"X\" } }\n"),
        credentials("azure", "credentials = { made_up = { env = \"X\" } }\n"),
        credentials("azure", "credentials = { managed_identity = { made_up = 1 } }\n"),
        credentials("azure", "credentials = { workload_identity = { made_up = 1 } }\n"),
    ] {
        let names = expected_names(&toml);
        assert!(!names.is_empty(), "{toml}");
        known.extend(names);
    }
    // What serde's messages do not list: fields beside a flattened one, and the tag.
    known.extend(["prefix", "kind"].map(str::to_owned));
    assert!(known.contains("session_token") && known.contains("sas") && known.contains("file"), "{known:?}");

    let text = read(EXAMPLE);
    let words: BTreeSet<&str> = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).collect();
    let missing: Vec<&String> = known.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(missing.is_empty(), "the example says nothing about {missing:?}");

    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| line.starts_with("# Google")).expect("the second export");
    for (at, line) in lines.iter().enumerate().take(first) {
        let Some(name) = key_of(line) else { continue };
        let explained = is_documented(&lines, at)
            || matches!(name, "account" | "kind" | "bucket" | "region" | "enabled" | "id" | "secret");
        assert!(explained, "{name} has no comment above it");
    }
}

// deploy/

/// Every file in which people read settings or commands.
fn documents() -> Vec<(String, String)> {
    let mut documents: Vec<(String, String)> = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "Dockerfile"]
        .into_iter()
        .filter(|name| repository(name).exists())
        .map(|name| (name.to_owned(), read(name)))
        .collect();
    let before = documents.len();
    for entry in std::fs::read_dir(repository("deploy")).expect("deploy") {
        let path = entry.expect("entry").path();
        if path.extension().is_some_and(|ending| ending == "yaml") {
            let name = format!("deploy/{}", path.file_name().unwrap().to_string_lossy());
            let text = read(&name);
            documents.push((name, text));
        }
    }
    assert!(documents.len() >= before + 2, "compose.yaml and kubernetes.yaml");
    documents
}

#[test]
fn the_environment_variables_that_we_ship_are_settings() {
    let known = known_settings();
    let mut found = 0;
    for (name, text) in documents() {
        for (at, _) in text.match_indices("AUDITFERRY__") {
            let variable = &text[at..];
            let end = variable.find(|c: char| !(c.is_ascii_uppercase() || c == '_' || c.is_ascii_digit()));
            let variable = &variable[..end.unwrap_or(variable.len())];
            if variable == "AUDITFERRY__SECTION__KEY" || variable == "AUDITFERRY__" {
                continue;
            }
            let key = variable["AUDITFERRY__".len()..].to_lowercase().replace("__", ".");
            assert!(known.contains(&key), "{name}: {variable} is no setting");
            found += 1;
        }
    }
    assert!(found >= 5, "only {found} variables were found");
}

#[test]
fn the_commands_that_we_show_have_options_that_exist() {
    let commands = ["account add", "destination set", "addon enable", "apply", "run", "demo", "check"];
    let mut options = 0;
    for (name, text) in documents() {
        for (line, command) in text.lines().flat_map(|line| commands.map(|command| (line, command))) {
            let Some((_, rest)) = line.split_once(&format!("auditferry {command} ")) else { continue };
            let rest = rest.split(['`', '#']).next().unwrap();
            for word in rest.split_whitespace().filter(|word| word.starts_with("--")) {
                let option = word.split(['=', ',', '.', ';', ')']).next().unwrap();
                let known = help(command).split([' ', ',', '\n']).any(|word| word == option);
                assert!(known, "{name}: {option} is no option of `auditferry {command}`");
                options += 1;
            }
        }
    }
    assert!(options >= 5, "only {options} options were found");
}

fn help(command: &str) -> String {
    let output =
        Command::new(env!("CARGO_BIN_EXE_auditferry")).args(command.split(' ')).arg("--help").output();
    let output = output.expect("the binary");
    assert!(output.status.success(), "auditferry {command} --help");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn an_image_is_built_as_a_release_is() {
    let (image, release) = (read("Dockerfile"), read("scripts/release"));
    let tool = between(&release, "\ncargo_auditable=", &[' ', '\n'])[0];
    assert_eq!(between(&image, "cargo-auditable@", &[' ']), [tool]);
    let compiler = between(&read("Cargo.toml"), "\nrust-version = \"", &['"'])[0].to_owned();
    assert_eq!(between(&image, "FROM rust:", &['-']), [compiler]);
    // The image holds no demo, which keeps it small.
    let (build, program) = ("cargo auditable build --profile dist --locked", "--bin auditferry");
    assert!(image.contains(&format!("{build} --no-default-features {program}")));
    assert!(release.contains(&format!("{build} {program}")));
    assert_eq!(between(&image, "\nUSER ", &['\n']), ["65532:65532"]);
}

// deploy/prometheus-rules.yaml

/// What stands between a mark and the next one, for each place of the first.
fn between<'a>(text: &'a str, before: &str, after: &[char]) -> Vec<&'a str> {
    text.split(before).skip(1).map(|rest| rest.split(after).next().unwrap()).collect()
}

#[test]
fn every_alert_says_what_to_do() {
    let text = read("deploy/prometheus-rules.yaml");
    let alerts: Vec<&str> = text.split("- alert: ").skip(1).collect();
    assert!(alerts.len() >= 8, "{} alerts", alerts.len());
    for alert in alerts {
        for part in ["\n        expr: ", "\n        for: ", " severity: "] {
            assert!(alert.contains(part), "no {part:?} in {alert}");
        }
        for part in ["summary", "description", "action"] {
            let value = between(alert, &format!("\n          {part}: "), &['\n']);
            assert!(value.first().is_some_and(|value| value.len() > 20), "no {part} in {alert}");
        }
        for command in between(alert, "`auditferry ", &['`']) {
            let words =
                command.split(' ').take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase()));
            help(&words.collect::<Vec<_>>().join(" "));
        }
    }
}

#[test]
fn the_alerts_ask_for_metrics_that_a_worker_serves() {
    let text = read("deploy/prometheus-rules.yaml");
    let expressions = between(&text, "expr: ", &['\n']);
    let states = include_str!("../../src/ledger/sql/history.rs");
    let states: BTreeSet<&str> =
        between(states, "THEN '", &['\'']).into_iter().chain(between(states, "ELSE '", &['\''])).collect();
    let metrics = Metrics::default();
    metrics.failed("ledger");
    let of = |state: &&str| StateGauge {
        state: (*state).to_owned(),
        accounts: 1,
        oldest_watermark: None,
        oldest_undelivered: None,
    };
    let gauges = Gauges {
        states: states.iter().map(of).collect(),
        credentials: Ending::ALL.map(|ending| (ending, 0)).to_vec(),
    };
    let served = metrics.text(&gauges, jiff::Timestamp::UNIX_EPOCH);
    let of_nobody = fix(&TroubleKind::stored("of_nobody"));
    let mut found = 0;
    for expression in expressions {
        for rest in expression.split("auditferry_").skip(1) {
            let name = rest.split(|c: char| !(c.is_ascii_lowercase() || c == '_')).next().unwrap();
            let line = format!("\nauditferry_{name}");
            let known =
                served.match_indices(&line).any(|(at, _)| served[at + line.len()..].starts_with(['{', ' ']));
            assert!(known, "no worker serves auditferry_{name}:\n{served}");
            found += 1;
        }
        for label in ["state", "within"] {
            for value in between(expression, &format!("{label}="), &['}', ',']) {
                assert!(
                    served.contains(&format!("{label}={value}")),
                    "nothing has {label}={value}: {expression}"
                );
            }
        }
        for kind in between(expression, "kind=~\"", &['"']).iter().flat_map(|kinds| kinds.split('|')) {
            assert_ne!(fix(&TroubleKind::stored(kind)), of_nobody, "{kind} is the kind of no failure");
        }
    }
    assert!(found >= 9, "{found} metrics");
}
