//! What is around a page of the portal: the account, its pages, who is there, and until when.

use super::Portal;
use super::fault::site;
use super::visitor::Visitor;
use crate::http::pages::frame::Frame;
use crate::http::pages::parts::{Clock, Html, breaking};
use crate::http::pages::words::words;
use auditferry_core::model::portal::Capability;

words! {
    /// The words around a page of the portal.
    Words {
        skip(): "Skip to the content", "Zum Inhalt";
        brand(): "Audit log", "Audit-Log";
        pages(): "Pages", "Seiten";
        logs(): "Audit Logs", "Audit-Logs";
        downloads(): "Export History", "Exportverlauf";
        export(): "Export Center", "Export-Center";
        theme(): "Theme", "Darstellung";
        theme_system(): "As the system", "Wie das System";
        theme_light(): "Light", "Hell";
        theme_dark(): "Dark", "Dunkel";
        language(): "Language", "Sprache";
        keep(): "Apply", "Übernehmen";
        back(site: &str): "Back to {site}", "Zurück zu {site}";
        log_out(): "Log out", "Abmelden";
        session_of(): "Session of", "Sitzung von";
        of_account(): "for", "für";
        ends_at(): "ends at", "endet um";
    }
}

/// What is around a page that nobody needs a session for; templates call it `a`.
pub(in crate::http) struct Bare {
    pub(in crate::http) frame: Frame,
    pub(in crate::http) w: Words,
    hosts: String,
}

impl Bare {
    pub(super) fn new(portal: &Portal, frame: &Frame) -> Self {
        Self { w: Words(frame.language), frame: frame.clone(), hosts: portal.hosts() }
    }

    pub(in crate::http) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// For templates that are rendered in tests.
    #[cfg(test)]
    pub(super) fn sample(language: crate::http::pages::words::Language) -> Self {
        let frame = Frame::sample(language);
        Self { w: Words(language), frame, hosts: "https://app.vendor.example".to_owned() }
    }
}

/// The pages of the portal, as its bar names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum Section {
    /// The records.
    Logs,
    /// Downloads.
    Downloads,
    /// The export.
    Export,
}

impl Section {
    /// All of them, in their order.
    pub(in crate::http) const ALL: &[Self] = &[Self::Logs, Self::Downloads, Self::Export];

    /// What it needs.
    pub(in crate::http) fn needs(self) -> Capability {
        match self {
            Self::Logs => Capability::RecordsRead,
            Self::Downloads => Capability::RecordsDownload,
            Self::Export => Capability::ExportRead,
        }
    }

    /// Where it is.
    pub(in crate::http) fn path(self) -> &'static str {
        match self {
            Self::Logs => "/portal/logs",
            Self::Downloads => "/portal/downloads",
            Self::Export => "/portal/export",
        }
    }

    fn label(self, w: Words) -> String {
        match self {
            Self::Logs => w.logs(),
            Self::Downloads => w.downloads(),
            Self::Export => w.export(),
        }
    }
}

/// A link of the bar.
pub(in crate::http) struct Link {
    pub(in crate::http) href: &'static str,
    pub(in crate::http) label: String,
    pub(in crate::http) current: bool,
}

/// What is around a page; templates call it `a`.
pub(in crate::http) struct Around {
    pub(in crate::http) frame: Frame,
    pub(in crate::http) visitor: Visitor,
    pub(in crate::http) w: Words,
    section: Section,
    clock: Clock,
}

impl Around {
    /// Of a page. `clock`: in the account's zone.
    pub(in crate::http) fn new(visitor: &Visitor, section: Section, clock: Clock) -> Self {
        let (frame, visitor) = (visitor.frame.clone(), visitor.clone());
        Self { w: Words(frame.language), frame, visitor, section, clock }
    }

    pub(in crate::http) fn links(&self) -> Vec<Link> {
        let seen = Section::ALL.iter().filter(|section| self.visitor.may(section.needs()));
        seen.map(|section| Link {
            href: section.path(),
            label: section.label(self.w),
            current: *section == self.section,
        })
        .collect()
    }

    pub(in crate::http) fn hosts(&self) -> &str {
        self.visitor.hosts()
    }

    pub(in crate::http) fn account(&self) -> &str {
        self.visitor.account().as_str()
    }

    pub(in crate::http) fn email(&self) -> Html {
        breaking(&self.visitor.actor().email)
    }

    pub(in crate::http) fn ends_at(&self) -> Html {
        self.clock.minute(self.visitor.ends_at())
    }

    /// Where the person goes back to, and the words for it.
    pub(in crate::http) fn back(&self) -> Option<(String, String)> {
        let url = self.visitor.return_url()?;
        Some((url.to_owned(), self.w.back(&site(url)?)))
    }
}
