//! What the page says.

use crate::http::pages::words::words;
use crate::http::portal::export::fields::{Cloud, How};

words! {
    /// The words of the page.
    Words {
        title(): "Set up the export", "Export einrichten";
        lead_new(): "Five steps, about ten minutes. The first file comes at the next slot after you save.",
            "Fünf Schritte, etwa zehn Minuten. Die erste Datei kommt zum nächsten Termin nach dem Speichern.";
        lead(): "Five steps, about ten minutes. The present destination keeps receiving files until the new one is proved.",
            "Fünf Schritte, etwa zehn Minuten. Das jetzige Ziel bekommt weiter Dateien, bis das neue nachgewiesen ist.";
        steps(): "Steps", "Schritte";
        s1(): "1. Cloud", "1. Cloud";
        s2(): "2. Create", "2. Anlegen";
        s3(): "3. Bucket", "3. Bucket";
        s4(): "4. Test", "4. Test";
        s5(): "5. Save", "5. Speichern";
        to_mend(count: usize): "fields to mend: {count}", "Felder zu berichtigen: {count}";
        to_do(): "to do", "zu tun";
        at_work(): "at work", "läuft";
        failed(): "failed", "fehlgeschlagen";
        passed(): "passed", "bestanden";
        after_test(): "after the test", "nach dem Test";
        ready(): "ready", "bereit";
        look_at(count: usize): "To look at before the test: {count}", "Vor dem Test zu prüfen: {count}";
        where_to(): "1. Where do the files go?", "1. Wohin gehen die Dateien?";
        cloud(): "Cloud", "Cloud";
        s3_hint(): "A bucket in your AWS account. We use a role with an external id; no key to store.",
            "Ein Bucket in Ihrem AWS-Konto. Wir verwenden eine Rolle mit externer ID; kein Schlüssel wird gespeichert.";
        gcs_hint(): "A bucket in your project. We use a service account that you name.",
            "Ein Bucket in Ihrem Projekt. Wir verwenden ein Dienstkonto, das Sie nennen.";
        azure_hint(): "A container in your storage account. We use a SAS or an app registration.",
            "Ein Container in Ihrem Speicherkonto. Wir verwenden eine SAS oder eine App-Registrierung.";
        choose(): "Choose", "Wählen";
        what_aws(): "2. What to create in AWS", "2. Was in AWS anzulegen ist";
        what_google(): "2. What to create at Google", "2. Was bei Google anzulegen ist";
        what_azure(): "2. What to create in Azure", "2. Was in Azure anzulegen ist";
        marked(): "Your values are filled in and marked.", "Ihre Werte sind eingesetzt und markiert.";
        how_to(): "How to create it", "Wie es angelegt wird";
        commands(): "Commands", "Befehle";
        copy(): "Copy", "Kopieren";
        copied(): "Copied", "Kopiert";
        no_external_id(): "Your role needs an external id, by which nobody else can use it. It is made once.",
            "Ihre Rolle braucht eine externe ID, mit der niemand sonst sie verwenden kann. Sie wird einmal erstellt.";
        make_external_id(): "Make the external id", "Externe ID erstellen";
        no_principal(contact: &str): "Ask {contact} for the AWS identity of this service: it takes the place of ARN-OF-THE-SERVICE.",
            "Fragen Sie {contact} nach der AWS-Identität dieses Dienstes: sie steht anstelle von ARN-OF-THE-SERVICE.";
        contact(): "the people who run this service", "die Betreiber dieses Dienstes";
        instead(): "Other ways:", "Andere Wege:";
        way_role(): "a role, without a key to store", "eine Rolle, ohne gespeicherten Schlüssel";
        way_key(): "an access key, which you have to rotate", "ein Zugriffsschlüssel, den Sie erneuern müssen";
        way_google_key(): "a key of a service account", "ein Schlüssel eines Dienstkontos";
        way_impersonate(): "a service account that lets ours act as it", "ein Dienstkonto, das unseres für sich handeln lässt";
        way_sas(): "a shared access signature", "eine Shared Access Signature";
        way_application(): "an app registration", "eine App-Registrierung";
        way_connection(): "a connection string", "eine Verbindungszeichenfolge";
        your_bucket(): "3. Your bucket", "3. Ihr Bucket";
        earlier(): "Use a bucket of before", "Einen früheren Bucket verwenden";
        new_bucket(): "A new bucket", "Ein neuer Bucket";
        use_it(): "Use it", "Verwenden";
        test_it(): "Test the bucket", "Bucket testen";
        tests_left(left: u32): "10 tests an hour; {left} are left", "10 Tests je Stunde; {left} sind übrig";
        test_h(): "4. Test", "4. Test";
        not_tested(): "Nothing is tested yet. The test writes one empty file beside the folder of the export.",
            "Noch ist nichts getestet. Der Test schreibt eine leere Datei neben den Ordner des Exports.";
        test_again(): "Test again", "Erneut testen";
        show_now(): "Show how far it is", "Zeigen, wie weit er ist";
        said(): "The cloud said:", "Die Cloud sagte:";
        save_h(): "5. Save", "5. Speichern";
        save_when(): "Save becomes possible when all steps passed.", "Speichern wird möglich, wenn alle Schritte bestanden sind.";
        first_file(): "The first file then comes at the next slot, at", "Die erste Datei kommt dann zum nächsten Termin, um";
        proof_follows(): "As we write there as ourselves, a token is then written into the bucket, and counts only when you give it back.",
            "Da wir dort als wir selbst schreiben, wird dann ein Token in den Bucket geschrieben; erst wenn Sie es zurückgeben, gilt das Ziel.";
        save(): "Save", "Speichern";
        cancel(): "Cancel", "Abbrechen";
        too_many(): "Tests: ten an hour are done. Wait some minutes.", "Tests: zehn in dieser Stunde sind gemacht. Warten Sie einige Minuten.";
        busy(): "The service is busy. Test again in some seconds.", "Der Dienst ist ausgelastet. Testen Sie in einigen Sekunden erneut.";
        under_way(): "A test of this account is at work already. Wait until it has ended.",
            "Ein Test dieses Kontos läuft schon. Warten Sie, bis er zu Ende ist.";
        changed(): "Somebody has changed the account since the test. Test again, then save.",
            "Das Konto wurde seit dem Test geändert. Testen Sie erneut, und speichern Sie dann.";
        test_first(): "There is no test that may be saved: test again.", "Es gibt keinen Test, der gespeichert werden darf: testen Sie erneut.";
        no_key(): "The service has no key to seal secrets with. Ask the people who run it.",
            "Der Dienst hat keinen Schlüssel, um Geheimnisse zu versiegeln. Fragen Sie seine Betreiber.";
        not_right(problem: &str): "This is not right: {problem}", "Das stimmt nicht: {problem}";
        token_wrong(left: u32): "This is another token. {left} tries are left.", "Das ist ein anderes Token. {left} Versuche sind übrig.";
        token_late(): "The token has expired. Set the destination up again, which writes another.",
            "Das Token ist abgelaufen. Richten Sie das Ziel erneut ein; dann wird ein neues geschrieben.";
        token_none(): "No destination waits for a token.", "Kein Ziel wartet auf ein Token.";
    }
}

impl Words {
    /// What a way is called.
    pub(super) fn way(self, how: How) -> String {
        match how {
            How::Role => self.way_role(),
            How::Key => self.way_key(),
            How::GoogleKey => self.way_google_key(),
            How::Impersonate => self.way_impersonate(),
            How::Sas => self.way_sas(),
            How::Application => self.way_application(),
            How::Connection => self.way_connection(),
        }
    }

    /// The clouds, what they are called, and what is needed there.
    pub(super) fn clouds(self) -> [(Cloud, &'static str, String); 3] {
        [
            (Cloud::S3, "AWS S3", self.s3_hint()),
            (Cloud::Gcs, "Google Cloud Storage", self.gcs_hint()),
            (Cloud::Azure, "Azure Blob Storage", self.azure_hint()),
        ]
    }
}
