//! What the page says.

use crate::http::pages::words::words;

words! {
    /// The words of the page.
    Words {
        title(): "Export Center", "Export-Center";
        lead(): "Your audit log, delivered to your own bucket.", "Ihr Audit-Log, in Ihren eigenen Bucket geliefert.";
        change(): "Change destination", "Ziel ändern";
        set_up(): "Set up the export", "Export einrichten";
        saved(): "Saved. The next file goes to this destination.", "Gespeichert. Die nächste Datei geht an dieses Ziel.";
        on_schedule(): "On schedule", "Im Zeitplan";
        retrying(): "Late", "Verspätet";
        failing(): "Failing", "Schlägt fehl";
        stopped(): "Stopped", "Angehalten";
        off(): "Off", "Aus";
        to_begin(): "To set up", "Einzurichten";
        delivering(place: &str, ago: &str): "Delivering to {place}, last file {ago}", "Liefert an {place}, letzte Datei {ago}";
        begins(place: &str): "Ready to deliver to {place}",
            "Bereit für {place}";
        late_now(place: &str): "The last file is not in {place} yet; it is tried again by itself",
            "Die letzte Datei ist noch nicht in {place}; sie wird von selbst erneut versucht";
        refused_now(place: &str): "{place} refuses files; it is tried again at each slot, and nothing is lost",
            "{place} weist Dateien ab; es wird zu jedem Termin erneut versucht, und nichts geht verloren";
        held_now(): "Delivery waits for the people who run this service; nothing is lost",
            "Die Lieferung wartet auf die Betreiber dieses Dienstes; nichts geht verloren";
        paused_now(): "Support has paused the export; nothing is lost", "Der Support hat den Export pausiert; nichts geht verloren";
        expired_now(): "The add-on has ended. Your destination is kept as it is", "Die Zusatzleistung ist zu Ende. Ihr Ziel bleibt, wie es ist";
        disabled_now(): "The add-on is off. Your destination is kept as it is", "Die Zusatzleistung ist aus. Ihr Ziel bleibt, wie es ist";
        none_now(): "No destination yet", "Noch kein Ziel";
        none_hint(): "Set up a bucket and the first file comes at the next slot.", "Richten Sie einen Bucket ein; die erste Datei kommt zum nächsten Termin.";
        none_ask(): "Whoever manages the export of your account sets one up.", "Wer den Export Ihres Kontos verwaltet, richtet eines ein.";
        next_slot(): "next slot at", "nächster Termin um";
        next(): "next at", "die nächste um";
        come_at(): "The next files come at", "Die nächsten Dateien kommen um";
        by_hand(contact: &str): "They cannot be started by hand; to stop them, ask {contact}.",
            "Sie lassen sich nicht von Hand starten; um sie anzuhalten, fragen Sie {contact}.";
        go_on(contact: &str): "To go on, ask {contact}.", "Damit es weitergeht, fragen Sie {contact}.";
        contact(): "the people who run this service", "die Betreiber dieses Dienstes";
        minutes_ago(count: i64): "{count} minutes ago", "vor {count} Minuten";
        hours_ago(count: i64): "{count} hours ago", "vor {count} Stunden";
        days_ago(count: i64): "{count} days ago", "vor {count} Tagen";
        just_now(): "just now", "soeben";
        credentials_end(): "Its credentials end at", "Seine Zugangsdaten enden am";
        credentials_ended(): "Its credentials have ended at", "Seine Zugangsdaten sind zu Ende seit";
        last_days(): "Last 14 days", "Die letzten 14 Tage";
        too_many(): "The schedule has too many slots for a drawing.", "Der Zeitplan hat zu viele Termine für eine Zeichnung.";
        no_slots(): "No slot has come yet.", "Noch ist kein Termin gekommen.";
        as_table(): "The same as a table", "Dasselbe als Tabelle";
        odd_caption(): "Slots that were not delivered on time", "Termine, die nicht pünktlich geliefert wurden";
        none_odd(): "All slots of these days were delivered on time, or were empty.",
            "Alle Termine dieser Tage wurden pünktlich geliefert oder waren leer.";
        slot(): "Slot", "Termin";
        happened(): "What happened", "Was geschah";
        objects(): "Last objects", "Letzte Dateien";
        inside(): "in", "in";
        no_objects(): "No file yet", "Noch keine Datei";
        no_objects_hint(): "The first one comes with the next slot that has records.",
            "Die erste kommt mit dem nächsten Termin, der Einträge hat.";
        object(): "Object", "Datei";
        window(): "Window", "Fenster";
        delivered(): "Delivered", "Geliefert";
        not_yet(): "not yet", "noch nicht";
        records(): "Records", "Einträge";
        bytes(): "Bytes", "Bytes";
        to(): "to", "bis";
        error(): "Last error", "Letzter Fehler";
        open(): "Open", "Offen";
        mended(): "Mended", "Behoben";
        tried(count: u32): "tried {count} times", "{count} Mal versucht";
        mended_at(): "mended at", "behoben um";
        said(): "The cloud said:", "Die Cloud sagte:";
        to_do(): "What to do", "Was zu tun ist";
        no_error(): "Nothing has gone wrong lately.", "In letzter Zeit ging nichts schief.";
        arriving(): "Is it arriving?", "Kommt es an?";
        arriving_of(done: usize, all: usize): "{done} of {all}", "{done} von {all}";
        a_tested(): "A bucket is set up", "Ein Bucket ist eingerichtet";
        a_file(): "A file lies in the bucket", "Eine Datei liegt im Bucket";
        a_hash(): "Its SHA-256 is the one shown here", "Ihr SHA-256 ist der hier gezeigte";
        a_hash_how(): "Download it and compare:", "Laden Sie sie herunter und vergleichen Sie:";
        a_notice(): "A notification leaves the bucket when a file comes", "Eine Benachrichtigung verlässt den Bucket, wenn eine Datei kommt";
        a_notice_s3(): "S3 event notifications for s3:ObjectCreated:*, to SQS or SNS", "S3-Ereignisbenachrichtigungen für s3:ObjectCreated:*, an SQS oder SNS";
        a_notice_gcs(): "Pub/Sub notifications for OBJECT_FINALIZE", "Pub/Sub-Benachrichtigungen für OBJECT_FINALIZE";
        a_notice_azure(): "An Event Grid subscription for Blob Created", "Ein Event-Grid-Abonnement für Blob Created";
        a_siem(): "Your SIEM reads the folder", "Ihr SIEM liest den Ordner";
        a_siem_how(kind: &str): "Point it at the bucket with this prefix; files are {kind}.",
            "Geben Sie ihm den Bucket mit diesem Präfix; die Dateien sind {kind}.";
        a_alert(): "An alert fires when no file came for longer than the time between two slots",
            "Ein Alarm meldet sich, wenn länger keine Datei kam als zwischen zwei Terminen liegt";
        a_alert_empty(): "A slot without records makes a file too.", "Auch ein Termin ohne Einträge ergibt eine Datei.";
        a_alert_skip(): "A slot without records makes no file.", "Ein Termin ohne Einträge ergibt keine Datei.";
        proof(): "Prove that the bucket is yours", "Weisen Sie nach, dass der Bucket Ihnen gehört";
        proof_lead(): "We write there as ourselves, so anybody could have named it. A token stands in this object, which only its owner can read:",
            "Wir schreiben dort als wir selbst; jeder hätte ihn nennen können. In diesem Objekt steht ein Token, das nur sein Besitzer lesen kann:";
        proof_until(): "It counts until", "Es gilt bis";
        proof_tries(left: u32): "{left} tries are left.", "{left} Versuche sind übrig.";
        proof_meanwhile(): "Until then everything stays as it is.", "Bis dahin bleibt alles, wie es ist.";
        token(): "Token", "Token";
        token_hint(): "What stands behind token: in the object", "Was in dem Objekt hinter token: steht";
        prove(): "Prove", "Nachweisen";
        copy(): "Copy", "Kopieren";
        copied(): "Copied", "Kopiert";
    }
}
