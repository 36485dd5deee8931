//! Who uses this process, for the log of changes.

/// The user of the operating system: the name that /etc/passwd gives the process's user id,
/// and the id itself. Under sudo, also the name that sudo says.
#[must_use]
pub fn os_user() -> String {
    let uid = rustix::process::getuid().as_raw();
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let sudo = std::env::var("SUDO_USER").ok().filter(|_| uid == 0);
    described(uid, &passwd, sudo.as_deref())
}

fn described(uid: u32, passwd: &str, sudo: Option<&str>) -> String {
    let id = uid.to_string();
    let name = passwd.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == id).then_some(name)
    });
    let user = name.map_or_else(|| format!("uid {uid}"), |name| format!("{name} (uid {uid})"));
    // A name of any other form could make a line of its own in a listing.
    let plain = |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || "._-@".contains(c));
    match sudo.filter(plain) {
        Some(sudo) => format!("{user}, through sudo of {sudo}"),
        None => user,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_named_as_the_system_knows_them() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nana:x:1000:1000::/home/ana:/bin/sh\n";
        assert_eq!(described(1000, passwd, None), "ana (uid 1000)");
        assert_eq!(described(100, passwd, None), "uid 100");
        assert_eq!(described(0, passwd, Some("ana")), "root (uid 0), through sudo of ana");
        assert_eq!(described(0, passwd, Some("ana\nroot")), "root (uid 0)");
    }
}
