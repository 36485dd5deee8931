use super::*;

fn parsed(url: &str) -> Address {
    Address::parse(url).unwrap_or_else(|problem| panic!("{url}: {problem}"))
}

fn servers(url: &str) -> Vec<(String, u16)> {
    let server = |options: &PgConnectOptions| (options.get_host().to_owned(), options.get_port());
    parsed(url).servers.iter().map(server).collect()
}

fn refused(url: &str) -> String {
    Address::parse(url).err().unwrap_or_else(|| panic!("accepted {url}"))
}

#[test]
fn servers_are_read_wherever_they_stand() {
    let at = |host: &str, port| (host.to_owned(), port);
    assert_eq!(servers("postgres://u@db/x"), [at("db", 5432)]);
    assert_eq!(servers("postgres://u@[::1]/x"), [at("::1", 5432)]);
    assert_eq!(servers("postgres://u@[::1]:5433/x"), [at("::1", 5433)]);
    assert_eq!(servers("postgres://u@db/x?host=::1"), [at("::1", 5432)]);
    assert_eq!(servers("postgres://u:p@a:5432,b:5433/x"), [at("a", 5432), at("b", 5433)]);
    assert_eq!(servers("postgres://u@a,[::1]:7/x"), [at("a", 5432), at("::1", 7)]);
    assert_eq!(servers("postgres://u@/x?host=a,b&port=7"), [at("a", 7), at("b", 7)]);
    assert_eq!(servers("postgres:///x?host=a,b&port=7,8"), [at("a", 7), at("b", 8)]);
    assert_eq!(servers("postgres://u@a,b/x?hostaddr=192.0.2.1"), [at("192.0.2.1", 5432)]);
    let socket = parsed("postgres:///x?host=/run/postgresql");
    assert_eq!(
        socket.servers[0].get_socket().map(|path| path.display().to_string()).as_deref(),
        Some("/run/postgresql")
    );
    let whole = parsed("postgres://ana:s%40e@a,b/x?application_name=mine&sslmode=disable");
    for server in &whole.servers {
        assert_eq!((server.get_username(), server.get_database()), ("ana", Some("x")));
        assert_eq!(server.get_application_name(), Some("mine"));
    }
    assert_eq!(whole.session, SessionAttrs::Any);
    assert_eq!(parsed("postgres://a,b/x?target_session_attrs=read-write").session, SessionAttrs::ReadWrite);
}

#[test]
fn a_password_that_ends_early_is_told_and_not_shown() {
    for url in [
        "postgres://ana:HUSH/word@db/x",
        "postgres://ana:12/HUSH@db/x",
        "postgres://ana:p@ss/HUSH@db/x",
        "postgres://ana:HUSH#word@db/x",
        "postgres://ana:HUSH?word@db/x",
    ] {
        let problem = refused(url);
        assert!(problem.contains("percent-encoding") && problem.contains("%2F"), "{problem}");
        assert!(!problem.contains("HUSH"), "{problem}");
    }
    // An @ alone says what it means: the last one ends the password.
    assert_eq!(servers("postgres://ana:p@ss@db/x"), [("db".to_owned(), 5432)]);
}

#[test]
fn what_is_no_address_is_refused() {
    for (url, problem) in [
        ("postgres:db/x", "no // after its scheme"),
        ("postgres://db:port/x", "invalid port number"),
        ("postgres://a:1,b:x/x", "invalid port number"),
        ("postgres://::1/x", "stands in [ ]"),
        ("postgres://[::1/x", "without its ]"),
        ("postgres://[db]/x", "no address of IPv6"),
        ("postgres:///x?host=a,b,c&port=1,2", "2 ports are given for 3 hosts"),
        ("postgres://a,b/x?target_session_attrs=master", "target_session_attrs \"master\" is not known"),
        ("postgres://a/x?channel_binding=require", "\"channel_binding\" cannot be kept"),
        ("postgres://a/x?sslmod=HUSH", "\"sslmod\" is not known"),
        ("postgres://a/x?HUSH", "the parameter after the ?"),
        ("postgres://a/x?sslmode=require&sslrootcert=system", "sslmode=verify-full"),
        ("postgres://a/x?sslrootcert=/nowhere/ca.pem", "sslrootcert: /nowhere/ca.pem: No such file"),
        ("postgres://a/x?sslmode=sometimes", "sometimes"),
    ] {
        let told = refused(url);
        assert!(told.contains(problem), "{url}: {told}");
        assert!(!told.contains("HUSH"), "{told}");
    }
}

#[test]
fn what_has_no_effect_is_noted() {
    let notes = parsed("postgres://a/x?connect_timeout=3&keepalives=1&gssencmode=disable").notes;
    assert_eq!(notes.len(), 2);
    assert!(notes[0].contains("\"connect_timeout\" has no effect"), "{notes:?}");
}

#[test]
fn the_systems_certificates_are_trusted_where_it_is_asked_for() {
    let by_system = parsed("postgres://a/x?sslrootcert=system");
    assert!(matches!(by_system.servers[0].get_ssl_mode(), PgSslMode::VerifyFull));
    assert!(matches!(parsed("postgres://a/x").servers[0].get_ssl_mode(), PgSslMode::Prefer));
}

#[test]
fn libpqs_variables_count_where_the_url_says_nothing() {
    let with = |url: &str, variable: &'static str, value: &'static str| {
        Address::parse_with(url, move |name| (name == variable).then(|| value.to_owned()))
    };
    let session = |url: &str| with(url, "PGTARGETSESSIONATTRS", "primary").map(|address| address.session);
    assert_eq!(session("postgres://a,b/x"), Ok(SessionAttrs::Primary));
    assert_eq!(session("postgres://a,b/x?target_session_attrs=standby"), Ok(SessionAttrs::Standby));
    let refused = with("postgres://a/x", "PGCHANNELBINDING", "require").err().expect("refused");
    assert!(refused.contains("PGCHANNELBINDING cannot be kept"), "{refused}");
    assert!(with("postgres://a/x", "PGREQUIREAUTH", "scram-sha-256").is_err());
    let noted = with("postgres://a/x", "PGCONNECT_TIMEOUT", "5").expect("taken").notes;
    assert!(noted[0].contains("PGCONNECT_TIMEOUT has no effect"), "{noted:?}");
    let several = parsed("postgres://a,b/x").notes;
    assert!(several[0].contains("target_session_attrs=read-write"), "{several:?}");
    assert!(parsed("postgres://a,b/x?target_session_attrs=any").notes.len() == 1);
}
