//! What goes wrong between the steps, and what people do meanwhile.

use super::chance::Chance;
use super::note;
use super::setup::Fault;
use super::source::{Content, MOST};
use super::store::{Key, Object, Owner};
use super::time::slot_after;
use super::variant::Variant;
use super::world::World;

impl World {
    /// A process, a clock or a bucket has a bad moment.
    pub(crate) fn trouble(&mut self, chance: &mut Chance) {
        let at = chance.below(self.workers.len());
        match chance.below(7) {
            0 | 1 if self.setup.has(Fault::Crash) => {
                note!(self, "w{at} crashes");
                self.totals.crashes += 1;
                self.workers[at].works.clear();
                self.workers[at].down = true;
            }
            2 if self.setup.has(Fault::Pause) => {
                note!(self, "w{at} stands still");
                self.workers[at].paused = true;
            }
            3 if self.setup.has(Fault::Drain) => self.workers[at].draining = true,
            4 if self.setup.has(Fault::Clock) => {
                self.workers[at].skew = Self::some_skew(chance);
                note!(self, "w{at} has its clock wrong by {}", self.workers[at].skew);
            }
            5 if self.setup.has(Fault::Denied) => {
                let account = chance.below(self.setup.accounts);
                let version = self.ledger.accounts[account].state.destination;
                let place = (u8::try_from(account).unwrap_or(0), version);
                match self.store.denied.iter().position(|denied| *denied == place) {
                    Some(known) => drop(self.store.denied.swap_remove(known)),
                    None => self.store.denied.push(place),
                }
                note!(self, "denied now: {:?}", self.store.denied);
            }
            6 if self.setup.has(Fault::Stranger) => self.place_a_strangers_object(chance),
            _ => {}
        }
    }

    /// Somebody else uses a key that we have not tried yet.
    fn place_a_strangers_object(&mut self, chance: &mut Chance) {
        let account = chance.below(self.setup.accounts);
        let owner = &self.ledger.accounts[account];
        let bucket = owner.buckets[owner.state.destination];
        let (slot, ordinal) = match &owner.window {
            Some(window) => (window.slot, 1 + owner.rows.iter().filter(|row| row.attempts > 0).count()),
            None => (slot_after(owner.state.last_slot.max(self.now)), 1),
        };
        let key = Key {
            account: u8::try_from(account).unwrap_or(0),
            slot,
            ordinal: u32::try_from(ordinal).unwrap_or(1),
        };
        let tried = self.store.requests.iter().any(|request| request.key == key);
        if !tried && self.store.find(key, bucket).is_none() {
            note!(self, "a stranger's object stands at {key:?}");
            let content = Content { records: 1 << MOST };
            self.store.objects.push(Object { key, bucket, content, owner: Owner::Stranger });
        }
    }

    /// Support and customers change accounts.
    pub(crate) fn people(&mut self, chance: &mut Chance) {
        let account = u8::try_from(chance.below(self.setup.accounts)).unwrap_or(0);
        self.dirty = true;
        match chance.below(6) {
            0 => self.let_held_accounts_go(),
            1 if self.setup.has(Fault::Support) => {
                let enabled = !self.ledger.account(account).state.enabled;
                self.ledger.edit(account, |account| account.set_enabled(enabled));
                note!(self, "support sets a{account} enabled={enabled}");
            }
            2 | 3 if self.setup.has(Fault::Support) => self.skip(account),
            4 | 5 if self.setup.has(Fault::Replace) => {
                let same = chance.one_in(2) && !self.setup.returns;
                let old = self.ledger.account(account).state.destination;
                let owner = self.ledger.account(account);
                let back = self.setup.returns && owner.buckets[old] != owner.buckets[0];
                self.ledger.edit(account, |account| account.replace_destination(same, back));
                // Mostly the old credentials are revoked; at times they still work.
                if !chance.one_in(3) && !self.store.denied.contains(&(account, old)) {
                    self.store.denied.push((account, old));
                }
                note!(
                    self,
                    "the customer replaces the destination of a{account}, same bucket={same}, back={back}"
                );
            }
            _ => {}
        }
    }

    /// Support asks for a slot beside the schedule.
    pub(crate) fn ask_for_a_slot(&mut self, chance: &mut Chance) {
        if !chance.one_in(30) {
            return;
        }
        let account = u8::try_from(chance.below(self.setup.accounts)).unwrap_or(0);
        let now = self.now;
        let mut done = false;
        self.ledger.edit(account, |account| done = account.add_slot(now));
        if done {
            self.totals.asked += 1;
            note!(self, "support asks a{account} for a slot at {now}");
        }
    }

    /// Support goes on from now: it captures a bound first, and skips to it later.
    fn skip(&mut self, account: u8) {
        let Some((account, bound, windows)) = self.skip.take() else {
            let windows = self.ledger.account(account).state.windows;
            self.skip = Some((account, self.capture(), windows));
            return;
        };
        let before = self.under(account);
        let now = self.now;
        let seen = (self.variant != Variant::SkipOnOldView).then_some(windows);
        let mut done = false;
        self.ledger.edit(account, |account| done = account.skip_to(bound, now, seen));
        note!(self, "support skips a{account} to {bound:?}: done={done}");
        if done {
            self.skipped(account, before);
        }
    }
}
