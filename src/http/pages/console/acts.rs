//! What a person does with an account: each deed has a page that says what it does before it asks.

use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use jiff::civil::DateTime;

use super::dialog::{Dialog, reason};
use super::links::account_path;
use super::{Answer, Needs, Section, Visit, guarded, without_terms};
use crate::http::api::Api;
use crate::http::api::jobs::slot;
use crate::http::api::problem::Problem;
use crate::http::pages::forms::{Field, Kind};
use crate::http::pages::parts::Clock;
use crate::http::pages::to;
use crate::http::pages::words::words;
use crate::http::sign_in::SignIn;
use crate::operations::admin::AdminError;
use crate::operations::jobs::Asked;
use crate::operations::probes::Told;
use crate::operations::replay::Request;
use auditferry_core::model::access::{Permission, Role};
use auditferry_core::model::account::{AccountId, AddOn, AddOnChange};
use auditferry_core::model::start::Start;

words! {
    /// The words of the deeds.
    Words {
        reason(): "Reason", "Grund";
        reason_hint(): "For the next person who looks, such as a ticket’s number.",
            "Für den nächsten Menschen, der nachsieht, etwa die Nummer eines Tickets.";
        pause(account: &str): "Pause {account}", "{account} pausieren";
        pause_does(): "Nothing starts until somebody resumes it. A file that is being put right now may still arrive.",
            "Nichts beginnt, bis jemand fortsetzt. Eine Datei, die gerade abgelegt wird, kann noch ankommen.";
        pause_keeps(): "Nothing is lost: what comes meanwhile is delivered afterwards, in one file or a few.",
            "Nichts geht verloren: Was inzwischen kommt, wird danach geliefert, in einer Datei oder wenigen.";
        pause_go(): "Pause it", "Pausieren";
        resume(account: &str): "Resume {account}", "{account} fortsetzen";
        resume_does(): "It goes on where it stands. What waits is delivered at once.",
            "Es geht weiter, wo es steht. Was wartet, wird sofort geliefert.";
        resume_go(): "Resume it", "Fortsetzen";
        release(account: &str): "Release {account}", "{account} freigeben";
        release_does(): "The account is held because something happened that only a person can judge. Release it once the cause is removed.",
            "Das Konto ist angehalten, weil etwas geschehen ist, das nur ein Mensch beurteilen kann. Geben Sie es frei, wenn die Ursache behoben ist.";
        release_checks(): "What held it is looked at again first; if it is still there, nothing changes.",
            "Was es angehalten hat, wird zuerst noch einmal geprüft; ist es noch da, ändert sich nichts.";
        release_go(): "Release it", "Freigeben";
        deliver_now(account: &str): "Deliver {account} now", "{account} jetzt liefern";
        deliver_does(): "What is there is delivered at once, in a slot of its own beside the schedule. The schedule stays.",
            "Was da ist, wird sofort geliefert, in einem eigenen Termin neben dem Zeitplan. Der Zeitplan bleibt.";
        deliver_empty(): "Without records there is no file.", "Ohne Einträge gibt es keine Datei.";
        deliver_go(): "Deliver now", "Jetzt liefern";
        rewind(account: &str): "Rewind {account}", "{account} zurücksetzen";
        rewind_does(): "Use this when the source or the ledger was restored from a backup, so that the account does not know any more where it stands.",
            "Dafür ist es da: Die Quelle oder das Journal wurde aus einer Sicherung geholt, sodass das Konto nicht mehr weiß, wo es steht.";
        rewind_twice(): "Records that were delivered since then may be delivered again, under new names. Nothing in the bucket is overwritten.",
            "Einträge, die seither geliefert wurden, können noch einmal geliefert werden, unter neuen Namen. Im Bucket wird nichts überschrieben.";
        rewind_from(): "It goes on from", "Es geht weiter ab";
        rewind_agree(): "where source and ledger agree", "wo Quelle und Journal übereinstimmen";
        rewind_now(): "now, and what was not delivered is a gap for ever", "jetzt, und was nicht geliefert ist, bleibt für immer eine Lücke";
        rewind_beginning(): "the very beginning: everything again", "ganz vorn: alles noch einmal";
        rewind_accept(): "Records may be delivered again, under new names", "Einträge dürfen noch einmal geliefert werden, unter neuen Namen";
        rewind_needs(): "tick it if that may be", "setzen Sie den Haken, wenn das sein darf";
        rewind_go(): "Rewind it", "Zurücksetzen";
        skip(account: &str): "Leave records of {account} out", "Einträge von {account} auslassen";
        skip_does(): "Records that cannot be exported hold the account. Those that you name will be in no file, ever; that is recorded as a gap, with your reason.",
            "Einträge, die sich nicht exportieren lassen, halten das Konto an. Die genannten kommen nie in eine Datei; das wird als Lücke festgehalten, mit Ihrem Grund.";
        skip_keys(): "Keys of the records", "Schlüssel der Einträge";
        skip_keys_hint(): "One a line, as the account’s last error names them.", "Einer je Zeile, wie der letzte Fehler des Kontos sie nennt.";
        skip_none(): "it names no record", "er nennt keinen Eintrag";
        skip_go(): "Leave them out", "Auslassen";
        addon(account: &str): "Add-on of {account}", "Zusatzleistung von {account}";
        addon_does(): "The export runs while the add-on is on, and stops by itself at its end. What was not delivered by then is delivered up to the end.",
            "Der Export läuft, solange die Zusatzleistung an ist, und hört an ihrem Ende von selbst auf. Was bis dahin nicht geliefert ist, wird bis zum Ende noch geliefert.";
        addon_is(): "The add-on is", "Die Zusatzleistung ist";
        addon_on(): "on", "an";
        addon_off(): "off", "aus";
        addon_until(): "Until", "Bis";
        addon_until_hint(zone: &str): "In {zone}. Empty: without an end.", "In {zone}. Leer: ohne Ende.";
        addon_skip(): "Skip what was not delivered until now, which leaves a gap", "Was bis jetzt nicht geliefert ist, überspringen; das lässt eine Lücke";
        addon_not_moment(): "it is no date and time", "das ist kein Datum mit Uhrzeit";
        addon_ambiguous(): "clocks are changed then, so that it names no single moment: choose another minute",
            "da werden die Uhren umgestellt, sodass es keinen eindeutigen Moment nennt: wählen Sie eine andere Minute";
        addon_go(): "Set it", "Übernehmen";
        replay(account: &str): "Replay files of {account}", "Dateien von {account} wiederholen";
        replay_does(): "Files that were delivered are rebuilt from the source, compared with what was delivered by their hash, and put again where they are missing.",
            "Gelieferte Dateien werden aus der Quelle neu gebaut, per Prüfsumme mit dem Gelieferten verglichen und dort wieder abgelegt, wo sie fehlen.";
        replay_dry_first(): "A dry run shows first what would be written.", "Ein Probelauf zeigt zuerst, was geschrieben würde.";
        replay_from(): "First slot", "Erster Termin";
        replay_to(): "Last slot", "Letzter Termin";
        replay_slot_hint(): "As in a file’s name (20261121T040000Z), an instant, or the name of a file.",
            "Wie im Namen einer Datei (20261121T040000Z), ein Zeitpunkt oder der Name einer Datei.";
        replay_as_new(): "Put all of them under new names, for readers that never look back", "Alle unter neuen Namen ablegen, für Leser, die nie zurückschauen";
        replay_dry(): "Dry run: compare only", "Probelauf: nur vergleichen";
        replay_go(): "Begin", "Beginnen";
        busy(): "As many jobs run as can. Ask again in ten seconds.", "Es laufen so viele Aufträge, wie laufen können. In zehn Sekunden noch einmal.";
    }
}

/// A deed that takes a reason alone.
#[derive(Debug, Clone, Copy)]
enum Plain {
    Pause,
    Resume,
    Release,
    DeliverNow,
}

impl Plain {
    fn dialog(self, w: Words, id: &AccountId, revision: u64) -> Dialog {
        let account = id.as_str();
        let (title, sentences, submit) = match self {
            Self::Pause => (w.pause(account), vec![w.pause_does(), w.pause_keeps()], w.pause_go()),
            Self::Resume => (w.resume(account), vec![w.resume_does()], w.resume_go()),
            Self::Release => (w.release(account), vec![w.release_does(), w.release_checks()], w.release_go()),
            Self::DeliverNow => {
                (w.deliver_now(account), vec![w.deliver_does(), w.deliver_empty()], w.deliver_go())
            }
        };
        let fields = vec![reason(w.reason(), w.reason_hint()).optional()];
        dialog(id, revision, title, sentences, fields, submit)
    }

    async fn act(self, api: &Api, visit: &Visit, id: &AccountId) -> Result<&'static str, Problem> {
        let by = visit.viewer.by(&visit.form)?;
        let said = match self {
            Self::Pause => api.admin.pause(&by, id).await.map(|_| "paused"),
            Self::Resume => api.admin.resume(&by, id).await.map(|_| "resumed"),
            Self::Release => api.admin.release(&by, id).await.map(|_| "released"),
            Self::DeliverNow => api.admin.deliver_now(&by, id).await.map(|_| "delivers"),
        };
        Ok(said?)
    }
}

fn dialog(
    id: &AccountId,
    revision: u64,
    title: String,
    sentences: Vec<String>,
    fields: Vec<Field>,
    submit: String,
) -> Dialog {
    Dialog {
        title,
        back: (account_path(id), id.to_string()),
        sentences,
        fields,
        submit,
        danger: false,
        revision: Some(revision),
    }
}

/// Back to the account, with what was done.
fn back(id: &AccountId, said: &str) -> Response {
    to(&format!("{}?said={said}", account_path(id)))
}

fn plain(sign_in: &SignIn, needs: Permission, name: &str, deed: Plain) -> Router<Api> {
    let open = move |State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit| async move {
        let revision = api.admin.ledger.revision(&id).await?;
        Ok::<_, crate::http::pages::fault::Fault>(
            deed.dialog(Words(visit.frame.language), &id, revision).opened(&visit, Section::Accounts),
        )
    };
    let act = move |State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit| async move {
        let done = deed.act(&api, &visit, &id).await.map(|said| back(&id, said));
        let revision = api.admin.ledger.revision(&id).await?;
        deed.dialog(Words(visit.frame.language), &id, revision).done(&visit, Section::Accounts, done)
    };
    let path = format!("/console/accounts/{{account}}/{name}");
    guarded(sign_in, Needs::Account(needs), &path, get(open).post(act))
}

pub(super) fn routes(sign_in: &SignIn) -> Router<Api> {
    use Permission as P;
    let of = |needs, name: &str, pages| {
        guarded(sign_in, Needs::Account(needs), &format!("/console/accounts/{{account}}/{name}"), pages)
    };
    Router::new()
        .merge(plain(sign_in, P::Pause, "pause", Plain::Pause))
        .merge(plain(sign_in, P::Pause, "resume", Plain::Resume))
        .merge(plain(sign_in, P::Recover, "release", Plain::Release))
        .merge(plain(sign_in, P::Deliver, "deliver-now", Plain::DeliverNow))
        .merge(of(P::Recover, "rewind", get(open_rewind).post(rewind)))
        .merge(of(P::Recover, "skip", get(open_skip).post(skip)))
        .merge(of(P::ManageAddOns, "add-on", get(open_addon).post(addon)))
        .merge(of(P::Deliver, "replay", get(open_replay).post(replay)))
        .merge(of(P::Probe, "probe", axum::routing::post(probe)))
}

async fn rewind_dialog(api: &Api, w: Words, id: &AccountId) -> Result<Dialog, Problem> {
    let choices = [("", w.rewind_agree()), ("now", w.rewind_now()), ("beginning", w.rewind_beginning())];
    let choices = choices.into_iter().map(|(value, label)| (value.to_owned(), label)).collect();
    let fields = vec![
        Field::new("from", Kind::Choice(choices), w.rewind_from()),
        Field::new("accept", Kind::Box, w.rewind_accept()),
        reason(w.reason(), w.reason_hint()).optional(),
    ];
    let revision = api.admin.ledger.revision(id).await?;
    let sentences = vec![w.rewind_does(), w.rewind_twice()];
    let title = w.rewind(id.as_str());
    Ok(Dialog { danger: true, ..dialog(id, revision, title, sentences, fields, w.rewind_go()) })
}

async fn open_rewind(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let dialog = rewind_dialog(&api, Words(visit.frame.language), &id).await?;
    Ok(dialog.opened(&visit, Section::Accounts))
}

async fn rewind(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let w = Words(visit.frame.language);
    let done = async {
        if !visit.form.ticked("accept") {
            return Err(Problem::invalid("accept", w.rewind_accept()).fix(w.rewind_needs()));
        }
        let from = visit.form.given("from").map(str::parse::<Start>).transpose();
        let from = from.map_err(|problem| Problem::invalid("from", problem.to_string()))?;
        api.admin.rewound(&visit.viewer.by(&visit.form)?, &id, from).await?;
        Ok(back(&id, "rewound"))
    };
    let done = done.await;
    rewind_dialog(&api, w, &id).await?.done(&visit, Section::Accounts, done)
}

async fn skip_dialog(api: &Api, w: Words, id: &AccountId) -> Result<Dialog, Problem> {
    let fields = vec![
        Field::new("keys", Kind::Lines, w.skip_keys()).hint(w.skip_keys_hint()),
        reason(w.reason(), w.reason_hint()),
    ];
    let revision = api.admin.ledger.revision(id).await?;
    let title = w.skip(id.as_str());
    Ok(Dialog { danger: true, ..dialog(id, revision, title, vec![w.skip_does()], fields, w.skip_go()) })
}

async fn open_skip(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let dialog = skip_dialog(&api, Words(visit.frame.language), &id).await?;
    Ok(dialog.opened(&visit, Section::Accounts))
}

async fn skip(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let w = Words(visit.frame.language);
    let done = async {
        let keys: Vec<String> = visit
            .form
            .text("keys")
            .lines()
            .map(|key| key.trim().to_owned())
            .filter(|key| !key.is_empty())
            .collect();
        if keys.is_empty() || keys.len() > 1_000 {
            return Err(Problem::invalid("keys", w.skip_none()));
        }
        let by = visit.viewer.by(&visit.form)?;
        if by.reason.is_none() {
            return Err(Problem::invalid("reason", w.reason_hint()));
        }
        api.admin.skip_records(&by, &id, &keys).await?;
        Ok(back(&id, "skipped"))
    };
    let done = done.await;
    skip_dialog(&api, w, &id).await?.done(&visit, Section::Accounts, done)
}

async fn addon_dialog(api: &Api, w: Words, id: &AccountId) -> Result<Dialog, Problem> {
    let revision = api.admin.ledger.revision(id).await?;
    let account = api.admin.ledger.account(id).await?;
    let zone = api.admin.zones.find(&account.zone).map_err(AdminError::from)?;
    let until = account
        .addon
        .until
        .map(|at| at.to_zoned(zone.rules().clone()).strftime("%Y-%m-%dT%H:%M").to_string());
    let choices = vec![("on".to_owned(), w.addon_on()), ("off".to_owned(), w.addon_off())];
    let fields = vec![
        Field::new("addon", Kind::Choice(choices), w.addon_is()).value(if account.addon.enabled {
            "on"
        } else {
            "off"
        }),
        Field::new("until", Kind::Moment, w.addon_until())
            .hint(w.addon_until_hint(&account.zone))
            .value(until.unwrap_or_default())
            .optional(),
        reason(w.reason(), w.reason_hint()).value(account.addon.reason.unwrap_or_default()).optional(),
        Field::new("skip", Kind::Box, w.addon_skip()),
    ];
    Ok(dialog(id, revision, w.addon(id.as_str()), vec![w.addon_does()], fields, w.addon_go()))
}

async fn open_addon(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let dialog = addon_dialog(&api, Words(visit.frame.language), &id).await?;
    Ok(dialog.opened(&visit, Section::Accounts))
}

/// A date and time where the account is. Of a time that the clocks pass twice or never, the person chooses another.
fn local(w: Words, zone: &jiff::tz::TimeZone, text: &str) -> Result<Timestamp, Problem> {
    let invalid = |words: String| Problem::invalid("until", words);
    let local: DateTime = text.parse().map_err(|_| invalid(w.addon_not_moment()))?;
    let zoned = zone.to_ambiguous_zoned(local);
    zoned.unambiguous().map(|zoned| zoned.timestamp()).map_err(|_| invalid(w.addon_ambiguous()))
}

async fn addon(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let w = Words(visit.frame.language);
    let done = async {
        let account = api.admin.ledger.account(&id).await?;
        let zone = api.admin.zones.find(&account.zone).map_err(AdminError::from)?;
        let until = visit.form.given("until").map(|text| local(w, zone.rules(), text)).transpose()?;
        let mut by = visit.viewer.by(&visit.form)?;
        let reason = by.reason.take();
        let addon = AddOn { enabled: visit.form.text("addon") == "on", until, reason };
        let from = visit.form.ticked("skip").then_some(Start::Now);
        api.admin.set_addon(&by, &id, &AddOnChange::Declared(addon), from).await?;
        Ok(back(&id, "addon"))
    };
    let done = done.await;
    addon_dialog(&api, w, &id).await?.done(&visit, Section::Accounts, done)
}

async fn replay_dialog(api: &Api, visit: &Visit, id: &AccountId) -> Result<Dialog, Problem> {
    let w = Words(visit.frame.language);
    let slot = |name, label| Field::new(name, Kind::Line, label).hint(w.replay_slot_hint());
    let fields = vec![
        slot("from", w.replay_from()).value(visit.asked("from").unwrap_or_default()),
        slot("to", w.replay_to()).value(visit.asked("to").unwrap_or_default()),
        Field::new("as_new", Kind::Box, w.replay_as_new()).value(visit.asked("as_new").unwrap_or_default()),
        Field::new("dry", Kind::Box, w.replay_dry()).value(if visit.asked("real").is_some() {
            ""
        } else {
            "on"
        }),
        reason(w.reason(), w.reason_hint()).optional(),
    ];
    let revision = api.admin.ledger.revision(id).await?;
    let sentences = vec![w.replay_does(), w.replay_dry_first()];
    Ok(dialog(id, revision, w.replay(id.as_str()), sentences, fields, w.replay_go()))
}

async fn open_replay(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    Ok(replay_dialog(&api, &visit, &id).await?.opened(&visit, Section::Accounts))
}

/// The page of a job that has begun.
fn job(w: Words, id: &AccountId, kind: &str, asked: Asked) -> Result<Response, Problem> {
    match asked {
        Asked::Begun(job) => Ok(to(&format!("{}/{kind}/{job}", account_path(id)))),
        Asked::Busy => Err(Problem::busy().fix(w.busy())),
    }
}

async fn replay(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let w = Words(visit.frame.language);
    let done = async {
        let named = |field: &str| slot(field, visit.form.text(field), &id);
        let request = Request {
            from: named("from")?,
            to: named("to")?,
            as_new: visit.form.ticked("as_new"),
            dry_run: visit.form.ticked("dry"),
        };
        let by = visit.viewer.by(&visit.form)?;
        let by = without_terms(by);
        job(w, &id, "replays", api.begin_replay(&by, &id, request).await?)
    };
    let done = done.await;
    replay_dialog(&api, &visit, &id).await?.done(&visit, Section::Accounts, done)
}

async fn probe(State(api): State<Api>, Path(id): Path<AccountId>, visit: Visit) -> Answer {
    let told = if visit.viewer.grant.role == Role::Operator { Told::Everything } else { Told::NoNames };
    let by = without_terms(visit.viewer.by(&visit.form)?);
    let begun = api.begin_probe(&by, &id, told).await?;
    Ok(job(Words(visit.frame.language), &id, "probes", begun)?)
}

/// The zone in which the pages of an account tell times.
pub(super) async fn clock(api: &Api, id: &AccountId) -> Result<Clock, Problem> {
    let account = api.admin.ledger.account(id).await?;
    let zone = api.admin.zones.find(&account.zone).map_err(AdminError::from)?;
    Ok(Clock::of(zone.rules().clone()))
}
