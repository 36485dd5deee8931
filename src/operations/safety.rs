//! A change that stops many accounts at once is confirmed first: a file that was cut, or the wrong one, looks like a
//! wish to stop everybody.

use auditferry_core::model::account::AccountId;
use auditferry_core::refusal::{Refusal, RefusalCode};
use auditferry_core::text::count::counted;

/// So few are never asked about: in a small installation one account is a large share.
pub const FEW: usize = 5;

/// How many accounts are named.
const NAMED: usize = 5;

/// What one step would stop, and of how many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sweep {
    /// The accounts that would be disabled or removed.
    pub stopped: Vec<AccountId>,
    /// How many of them export now.
    pub stopped_active: usize,
    /// All accounts.
    pub accounts: usize,
    /// All accounts that export now.
    pub active: usize,
}

/// Whether a step may be made. `confirmed`: how many accounts a person has said that it stops.
///
/// # Errors
/// When it would stop more than the share, of all accounts or of those that export, and that was not confirmed with
/// its number; and when another number was confirmed.
pub fn allow(sweep: &Sweep, max_share: f64, confirmed: Option<u64>) -> Result<(), Refusal> {
    let Sweep { stopped, stopped_active, accounts, active } = sweep;
    let number = stopped.len() as u64;
    let (all, exporting) = (counted(number, "account"), counted(*stopped_active as u64, "account"));
    match confirmed {
        Some(confirmed) if confirmed == number => return Ok(()),
        Some(confirmed) => {
            let problem = format!("{confirmed} was confirmed, and {all} would be disabled or removed");
            return Err(Refusal::field("confirm", RefusalCode::TooManyAccounts, problem)
                .fix("look at the difference again (on the command line --dry-run)"));
        }
        None if !exceeds(stopped.len(), *accounts, max_share)
            && !exceeds(*stopped_active, *active, max_share) =>
        {
            return Ok(());
        }
        None => {}
    }
    let names: Vec<&str> = stopped.iter().take(NAMED).map(AccountId::as_str).collect();
    let more = match stopped.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let problem = format!(
        "{all} of {accounts} would be disabled or removed in one step, of which {exporting} of {active} export now, and \
         safety.max_share allows a share of {max_share}: {}{more}",
        names.join(", ")
    );
    Err(Refusal::field("confirm", RefusalCode::TooManyAccounts, problem).fix(format!(
        "see that the file is the right one and whole; if that is meant, confirm the number {number} (on the command line \
         --confirm {number})"
    )))
}

fn exceeds(stopped: usize, of: usize, max_share: f64) -> bool {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    stopped >= FEW && number(stopped) > max_share * number(of)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(stopped: usize, accounts: usize, stopped_active: usize, active: usize) -> Sweep {
        let stopped = (0..stopped).map(|number| format!("a{number:02}").parse().expect("id")).collect();
        Sweep { stopped, stopped_active, accounts, active }
    }

    #[test]
    fn many_accounts_are_stopped_only_when_their_number_was_confirmed() {
        let allowed = |sweep: Sweep, confirmed| allow(&sweep, 0.2, confirmed).is_ok();
        assert!(allowed(sweep(20, 100, 0, 0), None), "a fifth is not more than a fifth");
        assert!(!allowed(sweep(21, 100, 0, 0), None));
        assert!(allowed(sweep(4, 4, 4, 4), None), "few are never asked about");
        assert!(!allowed(sweep(5, 5, 5, 5), None));
        assert!(!allowed(sweep(10, 100, 10, 20), None), "half of those that export");
        assert!(allowed(sweep(10, 100, 4, 20), None));
        assert!(allowed(sweep(21, 100, 0, 0), Some(21)));
        for other in [0, 20, 22] {
            assert!(!allowed(sweep(21, 100, 0, 0), Some(other)), "{other}");
        }
        assert!(!allowed(sweep(1, 100, 0, 0), Some(2)), "another file than the one that was looked at");
        assert!(allow(&sweep(100, 100, 100, 100), 1.0, None).is_ok());
        assert!(allow(&sweep(5, 100, 0, 0), 0.0, None).is_err());
        assert!(allow(&Sweep::default(), 0.0, None).is_ok());
    }

    #[test]
    fn a_refusal_says_how_many_and_which() {
        let refusal = allow(&sweep(37, 120, 30, 35), 0.2, None).expect_err("too many");
        assert_eq!(refusal.code, RefusalCode::TooManyAccounts);
        let said = refusal.to_string();
        for words in [
            "37 accounts of 120 would be disabled or removed",
            "30 accounts of 35 export now",
            "a share of 0.2: a00, a01, a02, a03, a04 and 32 more",
            "--confirm 37",
        ] {
            assert!(said.contains(words), "{said}\nlacks {words}");
        }
        let other = allow(&sweep(37, 120, 30, 35), 0.2, Some(36)).expect_err("another number");
        assert!(other.to_string().contains("36 was confirmed, and 37 accounts would be"), "{other}");
    }
}
