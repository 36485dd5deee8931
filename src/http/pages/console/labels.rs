//! Words that many pages of the console share.

use crate::http::pages::parts::{Html, Tone, badge};
use crate::http::pages::words::words;
use crate::ledger::Health;

words! {
    /// The words of the console.
    Words {
        name(): "auditferry console", "auditferry-Konsole";
        skip(): "Skip to the content", "Zum Inhalt";
        pages(): "Pages", "Seiten";
        home(): "Home", "Übersicht";
        accounts(): "Accounts", "Konten";
        deliveries(): "Deliveries", "Lieferungen";
        changes(): "Changes", "Änderungen";
        replays(): "Replays", "Wiederholungen";
        notifications(): "Notifications", "Benachrichtigungen";
        tokens(): "Tokens", "Tokens";
        sessions(): "Sessions", "Sitzungen";
        system(): "System", "System";
        role(role: &str): "Role: {role}", "Rolle: {role}";
        theme(): "Theme", "Farben";
        theme_system(): "as the system", "wie das System";
        theme_light(): "light", "hell";
        theme_dark(): "dark", "dunkel";
        language(): "Language", "Sprache";
        keep(): "Keep", "Merken";
        log_out(): "Log out", "Abmelden";
        foot(version: &str): "auditferry {version}. Counts only: the console shows no record.",
            "auditferry {version}. Nur Zahlen: Die Konsole zeigt keinen Eintrag.";
        account(): "Account", "Konto";
        health(): "Health", "Zustand";
        reason(): "Reason", "Grund";
        fix(): "Fix", "Abhilfe";
        since(): "Since", "Seit";
        all(count: &str): "All {count}", "Alle {count}";
        copy(): "Copy", "Kopieren";
        copied(): "Copied", "Kopiert";
        pager(): "Pages of the list", "Seiten der Liste";
        first_page(): "First", "Anfang";
        next_page(): "Next", "Weiter";
        more_fields(count: usize): "and {count} more", "und {count} weitere";
        held(): "Held", "Angehalten";
        held_hint(): "a person must decide", "ein Mensch muss entscheiden";
        unattended(): "Unattended", "Unbeachtet";
        unattended_hint(): "due, and no worker takes it", "fällig, und kein Worker nimmt es";
        no_worker(): "No worker", "Kein Worker";
        no_worker_hint(): "nothing runs that could deliver", "es läuft nichts, das liefern könnte";
        clock_ahead(): "Clock ahead", "Uhr geht vor";
        clock_ahead_hint(): "its newest slot lies in the future", "der neueste Termin liegt in der Zukunft";
        suspended(): "Suspended", "Ausgesetzt";
        suspended_hint(): "refused for days, only probed", "tagelang abgewiesen, wird nur noch geprüft";
        retrying(): "Retrying", "Neuer Versuch";
        retrying_hint(): "the next try comes by itself", "der nächste Versuch kommt von selbst";
        no_destination(): "No destination", "Kein Ziel";
        no_destination_hint(): "not set up yet", "noch nicht eingerichtet";
        paused(): "Paused", "Pausiert";
        paused_hint(): "by support", "durch den Support";
        expired(): "Ended", "Zu Ende";
        expired_hint(): "the add-on is over", "die Zusatzleistung ist zu Ende";
        disabled(): "Off", "Aus";
        disabled_hint(): "the add-on is off", "die Zusatzleistung ist aus";
        running(): "Running", "Läuft";
        running_hint(): "on schedule", "nach Plan";
    }
}

impl Words {
    /// What a state of health is called, and what it means.
    pub(in crate::http) fn of_health(self, health: Health) -> (String, String) {
        match health {
            Health::Held => (self.held(), self.held_hint()),
            Health::Unattended => (self.unattended(), self.unattended_hint()),
            Health::NoWorker => (self.no_worker(), self.no_worker_hint()),
            Health::ClockAhead => (self.clock_ahead(), self.clock_ahead_hint()),
            Health::Suspended => (self.suspended(), self.suspended_hint()),
            Health::Retrying => (self.retrying(), self.retrying_hint()),
            Health::NoDestination => (self.no_destination(), self.no_destination_hint()),
            Health::Paused => (self.paused(), self.paused_hint()),
            Health::Expired => (self.expired(), self.expired_hint()),
            Health::Disabled => (self.disabled(), self.disabled_hint()),
            Health::Running => (self.running(), self.running_hint()),
        }
    }

    /// The badge of a state of health.
    pub(in crate::http) fn health_badge(self, health: Health) -> Html {
        badge(tone(health), &self.of_health(health).0)
    }
}

/// The colour of a state of health.
pub(in crate::http) fn tone(health: Health) -> Tone {
    match health {
        Health::Held | Health::Unattended | Health::NoWorker | Health::ClockAhead | Health::Suspended => {
            Tone::Bad
        }
        Health::Retrying => Tone::Late,
        Health::Paused => Tone::Paused,
        Health::NoDestination | Health::Expired | Health::Disabled => Tone::Off,
        Health::Running => Tone::Ok,
    }
}
