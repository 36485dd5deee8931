//! Links between documents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use super::{PAGES, markdown, read, repository};

/// What a document links to, and which anchors it has.
struct Document {
    links: Vec<String>,
    anchors: BTreeSet<String>,
}

impl Document {
    fn read(path: &str) -> Self {
        let text = read(path);
        let (mut links, mut anchors) = (Vec::new(), BTreeSet::new());
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        let mut heading: Option<String> = None;
        for event in Parser::new_ext(&text, Options::ENABLE_TABLES) {
            match event {
                Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => {
                    let slug = slug(&heading.take().unwrap_or_default());
                    let times = seen.entry(slug.clone()).or_default();
                    anchors.insert(if *times == 0 { slug } else { format!("{slug}-{times}") });
                    *times += 1;
                }
                Event::Text(words) | Event::Code(words) => {
                    if let Some(heading) = &mut heading {
                        heading.push_str(&words);
                    }
                }
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    links.push(dest_url.into_string());
                }
                _ => {}
            }
        }
        Self { links, anchors }
    }
}

/// The anchor that GitHub and mdBook give a heading.
fn slug(heading: &str) -> String {
    let letters = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    letters.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The path in the repository to which a link of a document leads, if it stays there.
fn target(document: &str, link: &str) -> Option<String> {
    let mut path = PathBuf::new();
    for part in Path::new(document).parent()?.join(link).components() {
        match part {
            Component::ParentDir => path.pop().then_some(())?,
            Component::Normal(name) => path.push(name),
            Component::CurDir => {}
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(path.to_string_lossy().into_owned())
}

#[test]
fn every_link_leads_somewhere() {
    let documents: BTreeMap<String, Document> =
        markdown(".").into_iter().map(|path| (path.clone(), Document::read(&path))).collect();
    let (mut broken, mut followed) = (Vec::new(), 0);
    for (path, document) in &documents {
        for link in &document.links {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            followed += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let file = if file.is_empty() { Some(path.clone()) } else { target(path, file) };
            let Some(file) = file.filter(|file| repository().join(file).exists()) else {
                broken.push(format!("{path}: {link} leads to no file"));
                continue;
            };
            if !anchor.is_empty() && !documents.get(&file).is_some_and(|there| there.anchors.contains(anchor))
            {
                broken.push(format!("{path}: {link} leads to no heading"));
            }
            if path.starts_with(PAGES) && !file.starts_with(PAGES) {
                broken.push(format!("{path}: {link} leads out of the book; name the file instead"));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(followed > 100, "only {followed} links were followed");
}

#[test]
fn the_summary_has_every_page_once() {
    let summary = format!("{PAGES}/SUMMARY.md");
    let mut listed = Document::read(&summary).links;
    listed.sort();
    let mut pages: Vec<String> = markdown(PAGES)
        .into_iter()
        .filter(|path| *path != summary)
        .map(|path| path[PAGES.len() + 1..].to_owned())
        .collect();
    pages.sort();
    let lost: Vec<&String> = pages.iter().filter(|page| !listed.contains(page)).collect();
    let gone: Vec<&String> = listed.iter().filter(|page| !pages.contains(page)).collect();
    assert!(lost.is_empty() && gone.is_empty(), "not in the summary: {lost:?}; in it, and no file: {gone:?}");
    assert_eq!(listed.len(), pages.len(), "a page is in the summary twice");
}

#[test]
fn the_index_of_decisions_has_every_record_once() {
    let folder = "docs/decisions";
    let listed = Document::read(&format!("{folder}/README.md")).links;
    let listed: Vec<String> = listed.into_iter().filter(|link| link.starts_with('0')).collect();
    let records: Vec<String> = markdown(folder)
        .into_iter()
        .filter(|path| !path.ends_with("README.md"))
        .map(|path| path[folder.len() + 1..].to_owned())
        .collect();
    let sorted: BTreeSet<&String> = listed.iter().collect();
    assert_eq!(sorted.len(), listed.len(), "a record is listed twice");
    assert_eq!(sorted, records.iter().collect::<BTreeSet<_>>());
    for (at, record) in records.iter().enumerate() {
        assert!(record.starts_with(&format!("{:04}-", at + 1)), "{record} is not number {}", at + 1);
        let text = read(&format!("{folder}/{record}"));
        for part in ["\n## Context\n", "\n## Decision\n", "\n## Consequence\n"] {
            assert!(text.contains(part), "{record} has no{part}");
        }
    }
}
