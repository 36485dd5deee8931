//! Who uses this process, for the change log.

use auditferry_core::model::actor::{Actor, ActorKind, Channel};
use nix::unistd::{Uid, User};

/// The user of the operating system, by the name that the system's user database gives (files, LDAP,
/// whatever it is set to), and the user id. Under sudo, also the name that sudo says. `called`: the name
/// of the person, where many share one user.
#[must_use]
pub fn os_user(called: Option<&str>) -> Actor {
    let uid = Uid::current();
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    let sudo = std::env::var("SUDO_USER").ok().filter(|_| uid.is_root());
    Actor {
        kind: ActorKind::OsUser,
        id: uid.to_string(),
        name: described(uid.as_raw(), name.as_deref(), sudo.as_deref(), called),
        channel: Channel::Cli,
    }
}

fn described(uid: u32, name: Option<&str>, sudo: Option<&str>, called: Option<&str>) -> String {
    let user = name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"));
    // A name of any other form could make a line of its own in a listing.
    let plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c));
    let user = match sudo.filter(plain) {
        Some(sudo) => format!("{user}, through sudo of {sudo}"),
        None => user,
    };
    match called {
        Some(called) => format!("{called}, as {user}"),
        None => user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_as_the_system_knows_them() {
        assert_eq!(described(1000, Some("ana"), None, None), "ana (uid 1000)");
        assert_eq!(described(100, None, None, None), "uid 100");
        assert_eq!(described(0, Some("root"), Some("ana"), None), "root (uid 0), through sudo of ana");
        assert_eq!(described(0, Some("root"), Some("ana\nroot"), None), "root (uid 0)");
        assert_eq!(described(65532, None, None, Some("Ana Lima")), "Ana Lima, as uid 65532");
    }

    #[test]
    fn the_id_is_the_numeric_one() {
        assert_eq!(os_user(None).id, nix::unistd::getuid().to_string());
    }
}
