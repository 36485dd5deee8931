//! What Audit Logs says.

use crate::http::pages::words::words;
use auditferry_core::model::record_query::Problem;

words! {
    /// The words of the page.
    Words {
        title(): "Audit Logs", "Audit-Logs";
        lead(account: &str): "Who did what in {account}, when, and from where.", "Wer was in {account} getan hat, wann und von wo.";
        filter(): "Filter the records", "Einträge filtern";
        range(): "Date range", "Zeitraum";
        last_24h(): "Last 24 hours", "Letzte 24 Stunden";
        last_7d(): "Last 7 days", "Letzte 7 Tage";
        last_30d(): "Last 30 days", "Letzte 30 Tage";
        last_93d(): "Last 93 days", "Letzte 93 Tage";
        dates(): "From and to", "Von und bis";
        from(): "From", "Von";
        to(): "To", "Bis";
        user(): "User", "Person";
        user_hint(): "Email", "E-Mail";
        action(): "Action", "Aktion";
        action_id(): "Action ID", "Aktions-ID";
        ip(): "IP address", "IP-Adresse";
        ip_column(): "IP Address", "IP-Adresse";
        ip_hint(): "Address or net", "Adresse oder Netz";
        text(): "Text", "Text";
        text_hint(): "Any words", "Beliebige Wörter";
        apply(): "Apply", "Anwenden";
        active(): "Active filters", "Aktive Filter";
        remove(filter: &str): "Remove filter {filter}", "Filter {filter} entfernen";
        clear(): "Clear all", "Alle löschen";
        date_chip(range: &str): "Date: {range}", "Zeit: {range}";
        spans(from: &str, to: &str): "{from} to {to}", "{from} bis {to}";
        most(): "A view spans at most 93 days.", "Eine Ansicht umfasst höchstens 93 Tage.";
        kept(days: i64): "Records are kept for {days} days.", "Einträge werden {days} Tage aufbewahrt.";
        kept_since(days: i64): "This view reaches further back than records are kept, which is {days} days. What is older may be gone.",
            "Diese Ansicht reicht weiter zurück, als Einträge aufbewahrt werden, nämlich {days} Tage. Was älter ist, kann fehlen.";
        records(): "Records", "Einträge";
        times_in(): "Times in", "Zeiten in";
        this_browser(): "This browser", "Dieser Browser";
        newest_first(count: &str): "{count} records, newest first", "{count} Einträge, neueste zuerst";
        one_record(): "1 record", "1 Eintrag";
        more_than(count: &str): "More than {count} records, newest first", "Mehr als {count} Einträge, neueste zuerst";
        uncounted(): "Newest first", "Neueste zuerst";
        date(): "Date", "Datum";
        email(): "Email", "E-Mail";
        description(): "Description", "Beschreibung";
        none(): "none", "keine";
        of(shown: &str, count: &str): "{shown} of {count} records", "{shown} von {count} Einträgen";
        shown(shown: &str): "{shown} records", "{shown} Einträge";
        until(): "to", "bis";
        pages(): "Pages of records", "Seiten der Einträge";
        rows(): "Rows", "Zeilen";
        set(): "Set", "Setzen";
        newer(): "Newer", "Neuere";
        older(): "Older", "Ältere";
        newest(): "Newest", "Neueste";
        live(): "Live", "Live";
        news_one(): "1 new", "1 neuer";
        news_many(): "{{n}} new", "{{n}} neue";
        news_more(): "more than {{n}} new", "mehr als {{n}} neue";
        live_full(): "Too many people look at this moment; open the page again to see what is new.",
            "Gerade schauen zu viele zu; öffnen Sie die Seite erneut, um Neues zu sehen.";
        empty_title(): "No record in this view", "Kein Eintrag in dieser Ansicht";
        empty_filtered(): "Nothing matches these filters. Choose more days, or fewer filters.",
            "Nichts passt zu diesen Filtern. Wählen Sie mehr Tage oder weniger Filter.";
        empty_plain(): "Nobody has done anything here in this time. New records appear here by themselves.",
            "In dieser Zeit hat hier niemand etwas getan. Neue Einträge erscheinen hier von selbst.";
        longer(): "Last 93 days", "Letzte 93 Tage";
        wrong_title(count: usize): "{count} things to look at before the search", "{count} Dinge vor der Suche zu prüfen";
        wrong_one(): "One thing to look at before the search", "Eine Sache vor der Suche zu prüfen";
        wrong_body(): "The search was not made", "Die Suche wurde nicht ausgeführt";
        wrong_hint(): "Mend what is marked above, then press Apply.", "Berichtigen Sie das oben Markierte, dann drücken Sie Anwenden.";
        slow_title(): "The search took too long", "Die Suche hat zu lange gedauert";
        slow(seconds: u64): "The search took longer than {seconds} seconds and was stopped. Choose fewer days, or another filter beside the text.",
            "Die Suche hat länger als {seconds} Sekunden gedauert und wurde beendet. Wählen Sie weniger Tage oder einen weiteren Filter neben dem Text.";
        record(): "Record", "Eintrag";
        newer_record(): "Newer record", "Neuerer Eintrag";
        older_record(): "Older record", "Älterer Eintrag";
        close(): "Close and go back to the list", "Schließen und zurück zur Liste";
        in_utc(): "In UTC", "In UTC";
        window_and_object(): "Window and object", "Fenster und Objekt";
        window(): "Window", "Fenster";
        object(): "Object", "Objekt";
        not_delivered(): "Not delivered yet. Its file goes out at", "Noch nicht geliefert. Die Datei geht hinaus um";
        in_delivery(): "It is being delivered now.", "Er wird gerade geliefert.";
        waits(): "Not delivered yet. Nothing is delivered at this time.", "Noch nicht geliefert. Zurzeit wird nichts geliefert.";
        left_out(): "It is in no file: it is from before the export began, or from a time that was left out.",
            "Er ist in keiner Datei: Er ist von vor dem Beginn des Exports oder aus einer Zeit, die ausgelassen wurde.";
        unknown(): "It is not known which file it is in.", "Es ist nicht bekannt, in welcher Datei er ist.";
        json(): "JSON", "JSON";
        json_of(): "JSON of the record", "JSON des Eintrags";
        copy(): "Copy", "Kopieren";
        copied(): "Copied", "Kopiert";
        lost_title(): "This record is not there", "Diesen Eintrag gibt es nicht";
        lost(): "It may be older than records are kept, or the link was cut. The list is below.",
            "Er kann älter sein, als Einträge aufbewahrt werden, oder der Link wurde gekürzt. Die Liste steht unten.";
        download(): "Download", "Herunterladen";
        view_csv(): "This view, CSV", "Diese Ansicht, CSV";
        view_json(): "This view, JSON", "Diese Ansicht, JSON";
        all_records(): "All records…", "Alle Einträge…";
        with_filters(count: &str): "{count} records with the active filters", "{count} Einträge mit den aktiven Filtern";
        with_active(): "With the active filters", "Mit den aktiven Filtern";
        exactly(): "Exactly as delivered to the bucket", "Genau wie in den Bucket geliefert";
        choose(): "Choose range, format and name", "Zeitraum, Format und Name wählen";
        shortcuts(): "Keyboard shortcuts", "Tastenkürzel";
        key_search(): "go to the text filter", "zum Textfilter";
        key_next(): "next record", "nächster Eintrag";
        key_before(): "record before", "vorheriger Eintrag";
        key_help(): "show this", "dies zeigen";
        keys_on(): "Use these keys", "Diese Tasten verwenden";
        done(): "Close", "Schließen";
        recorded(): "Opening this page is itself recorded.", "Das Öffnen dieser Seite wird selbst aufgezeichnet.";
    }
}

words! {
    /// What is wrong with a filter, and what to do.
    Problems {
        unknown_range(): "Choose a range of the list.", "Wählen Sie einen Zeitraum der Liste.";
        not_a_date(): "Write the date as year, month and day: 2026-11-30.", "Schreiben Sie das Datum als Jahr, Monat und Tag: 2026-11-30.";
        date_needed(): "Give the first and the last day.", "Geben Sie den ersten und den letzten Tag an.";
        ends_before(): "The last day is before the first. Give the same day or a later one.",
            "Der letzte Tag liegt vor dem ersten. Geben Sie denselben oder einen späteren an.";
        too_long(): "It is more than 93 days. Choose fewer: a longer time is looked at, and downloaded, piece by piece.",
            "Es sind mehr als 93 Tage. Wählen Sie weniger: Eine längere Zeit wird Stück für Stück angesehen und heruntergeladen.";
        too_many(): "Use at most 200 characters.", "Verwenden Sie höchstens 200 Zeichen.";
        no_address(): "Write an address, or a net with /8, /16 or /24, such as 203.0.113.0/24.",
            "Schreiben Sie eine Adresse oder ein Netz mit /8, /16 oder /24, wie 203.0.113.0/24.";
        unknown_size(): "Use 20, 50 or 200.", "Verwenden Sie 20, 50 oder 200.";
        no_place(): "The address of this page was cut. Begin at the newest records.",
            "Die Adresse dieser Seite wurde gekürzt. Beginnen Sie bei den neuesten Einträgen.";
        unprintable(): "Leave out the character that no text has.", "Lassen Sie das Zeichen weg, das kein Text hat.";
    }
}

impl Problems {
    /// The sentence of a problem.
    pub(in crate::http::portal) fn of(self, problem: Problem) -> String {
        match problem {
            Problem::UnknownRange => self.unknown_range(),
            Problem::NotADate => self.not_a_date(),
            Problem::DateNeeded => self.date_needed(),
            Problem::EndsBeforeItBegins => self.ends_before(),
            Problem::TooLong => self.too_long(),
            Problem::TooManyCharacters => self.too_many(),
            Problem::NotAnAddress => self.no_address(),
            Problem::UnknownSize => self.unknown_size(),
            Problem::NotAPlace => self.no_place(),
            Problem::Unprintable => self.unprintable(),
        }
    }
}
