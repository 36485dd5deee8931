//! What Export History says.

use crate::http::pages::words::{Language, words};
use auditferry_core::model::download::{DownloadProblem, DownloadState, MailState};

words! {
    /// The words of the page.
    Words {
        title(): "Export History", "Exportverlauf";
        lead_words(kept: &str, zone: &str): "Files made from your audit log. Each is kept for {kept}. Times in {zone}.",
            "Dateien aus Ihrem Audit-Log. Jede wird {kept} aufbewahrt. Zeiten in {zone}.";
        days(n: i64): "{n} days", "{n} Tage";
        hours(n: i64): "{n} hours", "{n} Stunden";
        new_download(): "New download", "Neuer Download";
        asked(name: &str): "“{name}” is in line.", "„{name}“ ist in der Warteschlange.";
        asked_hint(): "You can leave this page. The file will be here.", "Sie können diese Seite verlassen. Die Datei wird hier sein.";
        downloads(): "Downloads", "Downloads";
        name_and_filters(): "Name and filters", "Name und Filter";
        format(): "Format", "Format";
        range(): "Range", "Zeitraum";
        rows(): "Rows", "Zeilen";
        size(): "Size", "Größe";
        state(): "State", "Zustand";
        actions(): "Actions", "Handlungen";
        no_filter(): "No filter", "Kein Filter";
        until(): "to", "bis";
        user(): "User", "Person";
        action(): "Action", "Aktion";
        action_id(): "Action ID", "Aktions-ID";
        ip(): "IP", "IP";
        text(): "Text", "Text";
        waiting(): "Waiting", "Wartet";
        waiting_hint(): "Starts as soon as one before it has ended", "Beginnt, sobald einer davor fertig ist";
        running(): "Running", "In Arbeit";
        running_hint(percent: u32): "{percent} % done", "{percent} % fertig";
        progress(name: &str, percent: u32): "{name}: {percent} %", "{name}: {percent} %";
        completed(): "Completed", "Fertig";
        kept_until(): "Kept until", "Aufbewahrt bis";
        sha(): "SHA-256", "SHA-256";
        copy_sha(): "Copy SHA-256", "SHA-256 kopieren";
        copied(): "Copied", "Kopiert";
        failed(): "Failed", "Gescheitert";
        too_slow(): "The records took longer than 30 minutes to read. Choose a shorter range and start again.",
            "Das Lesen der Einträge hat länger als 30 Minuten gedauert. Wählen Sie einen kürzeren Zeitraum, und beginnen Sie erneut.";
        bad_record(): "One of the records cannot be read. The people who run the product have to mend it.",
            "Einer der Einträge ist nicht lesbar. Der Betreiber des Produkts muss das beheben.";
        failing(): "It was tried five times, and each time something here failed. Start again, or ask support.",
            "Es wurde fünfmal versucht, und jedes Mal ist hier etwas gescheitert. Beginnen Sie erneut, oder fragen Sie den Support.";
        interrupted(): "It was interrupted again and again. Start again.", "Es wurde immer wieder unterbrochen. Beginnen Sie erneut.";
        unknown_zone(): "The time zone is not known here. Ask support.", "Die Zeitzone ist hier nicht bekannt. Fragen Sie den Support.";
        expired(): "Expired", "Abgelaufen";
        removed(): "Its file was removed on", "Die Datei wurde entfernt am";
        download(): "Download", "Herunterladen";
        delete(): "Delete", "Löschen";
        cancel(): "Cancel", "Abbrechen";
        start_again(): "Start again", "Erneut beginnen";
        make_again(): "Make again", "Erneut erstellen";
        foot_words(n: usize, running: usize, most: u32): "{n} downloads. At most {most} are made at once; now {running}.",
            "{n} Downloads. Höchstens {most} entstehen gleichzeitig; gerade {running}.";
        reload(): "Show how far they are", "Zeigen, wie weit sie sind";
        empty_title(): "No downloads yet", "Noch keine Downloads";
        empty(): "Choose records in Audit Logs and press Download, or start here. Files appear in this list as soon as they are asked for.",
            "Wählen Sie Einträge in den Audit-Logs und drücken Sie Herunterladen, oder beginnen Sie hier. Dateien stehen hier, sobald sie angefordert sind.";
        off_title(): "Downloads are not set up here", "Downloads sind hier nicht eingerichtet";
        off(): "The people who run the product can set them up. Records can be looked at in Audit Logs.",
            "Der Betreiber des Produkts kann sie einrichten. Einträge sehen Sie in den Audit-Logs.";
        close(): "Close", "Schließen";
        name(): "Name", "Name";
        default_name(day: &str): "Audit log {day}", "Audit-Log {day}";
        records(): "Records", "Einträge";
        with_filters(): "With the filters of the view", "Mit den Filtern der Ansicht";
        all_of_range(): "All records of these days", "Alle Einträge dieser Tage";
        count(count: &str): "{count} records", "{count} Einträge";
        more_than(count: &str): "more than {count} records", "mehr als {count} Einträge";
        from(): "From", "Von";
        to(): "To", "Bis";
        csv_hint(): "for spreadsheets; cells that would run as a formula are quoted", "für Tabellen; Zellen, die als Formel liefen, sind gekennzeichnet";
        json_hint(): "exactly as recorded", "genau wie aufgezeichnet";
        ndjson_hint(): "one record a line, for tools", "ein Eintrag je Zeile, für Werkzeuge";
        mail_me(): "Mail me when it is ready", "Mail an mich, sobald er fertig ist";
        mail_hint(email: &str): "to {email}, with a link that opens this list once", "an {email}, mit einem Link, der diese Liste einmal öffnet";
        mail_wanted(email: &str): "{email} gets a mail when it has ended", "{email} erhält eine Mail, sobald er geendet hat";
        mail_sent(email: &str): "Mail sent to {email}", "Mail an {email} gesendet";
        mail_failed(email: &str): "No mail could be sent to {email}", "An {email} konnte keine Mail gesendet werden";
        background(): "It is made in the background. You can leave this page.", "Er wird im Hintergrund erstellt. Sie können diese Seite verlassen.";
        make(): "Make download", "Download erstellen";
        wrong_title(): "This has to be mended first", "Das ist zuerst zu berichtigen";
        wrong_name(): "Give a name of 1 to 120 characters on one line.", "Geben Sie einen Namen von 1 bis 120 Zeichen in einer Zeile an.";
        wrong_format(): "Choose a format of the list.", "Wählen Sie ein Format der Liste.";
        too_many(): "20 downloads wait or are being made already. Wait until one is ready, or delete one that waits.",
            "20 Downloads warten schon oder sind in Arbeit. Warten Sie, bis einer fertig ist, oder löschen Sie einen, der wartet.";
    }
}

impl Words {
    /// A length of time in whole days, or hours.
    pub(super) fn span(self, hours: i64) -> String {
        if hours % 24 == 0 { self.days(hours / 24) } else { self.hours(hours) }
    }

    pub(super) fn lead(self, kept: &str, zone: &str) -> String {
        self.lead_words(kept, zone)
    }

    pub(super) fn foot(self, all: usize, running: usize, most: u32) -> String {
        self.foot_words(all, running, most)
    }

    /// Why a download could not be made.
    pub(super) fn problem(self, problem: DownloadProblem) -> String {
        match problem {
            DownloadProblem::TooSlow => self.too_slow(),
            DownloadProblem::BadRecord => self.bad_record(),
            DownloadProblem::Failing => self.failing(),
            DownloadProblem::Interrupted => self.interrupted(),
            DownloadProblem::UnknownZone => self.unknown_zone(),
        }
    }

    /// How the mail about a download is.
    pub(super) fn mail(self, state: MailState, email: &str) -> String {
        match state {
            MailState::Wanted => self.mail_wanted(email),
            MailState::Sent => self.mail_sent(email),
            MailState::Failed => self.mail_failed(email),
        }
    }

    pub(super) fn of_state(self, state: DownloadState) -> String {
        match state {
            DownloadState::Waiting => self.waiting(),
            DownloadState::Running => self.running(),
            DownloadState::Completed => self.completed(),
            DownloadState::Failed => self.failed(),
            DownloadState::Expired => self.expired(),
        }
    }
}

/// How large a file is, as people read it.
pub(super) fn size(language: Language, bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if bytes < 1_000 {
        return format!("{bytes} B");
    }
    // In tenths of a unit.
    let (mut tenths, mut unit) = (bytes / 100, 0);
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths /= 1_000;
        unit += 1;
    }
    let unit = UNITS[unit];
    if tenths >= 100 {
        return format!("{} {unit}", tenths / 10);
    }
    let mark = if language == Language::De { ',' } else { '.' };
    format!("{}{mark}{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_short() {
        let of = |bytes| size(Language::En, bytes);
        assert_eq!((of(0).as_str(), of(999).as_str()), ("0 B", "999 B"));
        assert_eq!((of(1_000).as_str(), of(41_200).as_str()), ("1.0 KB", "41 KB"));
        assert_eq!((of(2_440_000).as_str(), of(999_999).as_str()), ("2.4 MB", "999 KB"));
        assert_eq!(size(Language::De, 2_440_000_000), "2,4 GB");
        assert_eq!(of(7_000_000_000_000_000), "7000 TB");
    }
}
