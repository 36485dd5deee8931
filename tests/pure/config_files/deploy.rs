//! `deploy/`, the `Dockerfile` and the pages that show commands.

use super::{between, help, known_settings, read, repository};

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
