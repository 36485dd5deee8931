use super::*;
use proptest::prelude::*;

/// Ways to say "inside" that have worked elsewhere. Each is refused while nothing is allowed.
const TRICKS: [&str; 84] = [
    // Loopback, in all the forms that inet_aton takes.
    "https://127.0.0.1",
    "https://127.0.0.1:8443",
    "https://127.1",
    "https://127.0.1",
    "https://2130706433",
    "https://0x7f000001",
    "https://0x7f.0.0.1",
    "https://0x7f.1",
    "https://0177.0.0.1",
    "https://0177.0.0.01",
    "https://017700000001",
    "https://127.0.0.1.",
    "https://127.255.255.254",
    "https://0",
    "https://0.0.0.0",
    "https://0x0",
    // Metadata services.
    "http://169.254.169.254",
    "https://169.254.169.254/latest/meta-data/",
    "https://2852039166",
    "https://0xa9fea9fe",
    "https://0251.0376.0251.0376",
    "https://169.254.43518",
    "https://169.254.170.2",
    "https://168.63.129.16",
    "https://100.100.100.200",
    "https://192.0.0.192",
    "https://metadata.google.internal",
    "https://metadata.google.internal.",
    "https://METADATA.google.INTERNAL",
    "https://metadata",
    // Private, shared and reserved ranges.
    "https://10.0.0.1",
    "https://012.0.0.1",
    "https://0x0a000001",
    "https://172.16.0.1",
    "https://172.31.255.255",
    "https://192.168.1.1",
    "https://3232235777",
    "https://100.64.0.1",
    "https://198.18.0.1",
    "https://192.0.2.1",
    "https://224.0.0.1",
    "https://240.0.0.1",
    "https://255.255.255.255",
    // IPv6.
    "https://[::1]",
    "https://[0:0:0:0:0:0:0:1]",
    "https://[::]",
    "https://[::ffff:127.0.0.1]",
    "https://[::ffff:7f00:1]",
    "https://[::ffff:a9fe:a9fe]",
    "https://[0:0:0:0:0:ffff:10.0.0.1]",
    "https://[::127.0.0.1]",
    "https://[::ffff:0:127.0.0.1]",
    "https://[64:ff9b::7f00:1]",
    "https://[64:ff9b:1::a00:1]",
    "https://[2002:7f00:1::]",
    "https://[2001:0:53aa:64c:0:0:80ff:fffe]",
    "https://[fe80::1]",
    "https://[fe80::1%25eth0]",
    "https://[fec0::1]",
    "https://[fc00::1]",
    "https://[fd00:ec2::254]",
    "https://[ff02::1]",
    "https://[2001:db8::1]",
    // Names.
    "https://localhost",
    "https://localhost.",
    "https://LOCALHOST:9000",
    "https://acme.localhost",
    "https://kubernetes.default.svc.cluster.local",
    "https://kubernetes",
    "https://router.home.arpa",
    // Two readings of one text.
    "https://storage.example.com@127.0.0.1",
    "https://user:password@storage.example.com",
    "https://127.0.0.1#@storage.example.com",
    "https://127.0.0.1?.storage.example.com",
    "https://storage.example.com\\@127.0.0.1",
    "https://127.0.0.1\\.storage.example.com",
    "https://127.0.0.1%2f.storage.example.com",
    "https://%31%32%37.0.0.1",
    "https://127.0.0\t.1",
    "https://127.0.0.1\r\n.storage.example.com",
    "https://①②⑦.⓪.⓪.①",
    "https://127。0。0。1",
    "https:///127.0.0.1",
    "https://:443",
];

/// No endpoint of a store, wherever it leads.
const MALFORMED: [&str; 12] = [
    "",
    "https://",
    "https:127.0.0.1",
    "//storage.example.com",
    "storage.example.com",
    "ftp://storage.example.com",
    "file:///etc/passwd",
    "gopher://storage.example.com",
    "HTTPS://storage.example.com",
    " https://storage.example.com",
    "https://storage.example.com:0",
    "https://storage.example.com:65536",
];

#[test]
fn no_trick_leads_inside() {
    let closed = Network::default();
    for trick in TRICKS.into_iter().chain(MALFORMED) {
        let refused = closed.endpoint(trick);
        assert!(refused.is_err(), "{trick:?} is dialled as {refused:?}");
    }
}

#[test]
fn public_endpoints_pass_and_are_normal() {
    let closed = Network::default();
    for (endpoint, dialled) in [
        ("https://s3.eu-central-1.amazonaws.com", "https://s3.eu-central-1.amazonaws.com/"),
        ("https://Acme.Blob.Core.Windows.Net", "https://acme.blob.core.windows.net/"),
        ("https://storage.example.com:9000/s3", "https://storage.example.com:9000/s3"),
        ("https://8.8.8.8", "https://8.8.8.8/"),
        ("https://[2600:1f18::1]:443", "https://[2600:1f18::1]/"),
        ("https://localhost.example.com", "https://localhost.example.com/"),
    ] {
        assert_eq!(closed.endpoint(endpoint).map(String::from), Ok(dialled.to_owned()));
    }
}

#[test]
fn an_endless_endpoint_is_refused_and_not_quoted() {
    let name = |labels: usize| format!("https://{}example.com", "a.".repeat(labels));
    assert!(Network::default().endpoint(&name(121)).is_ok());
    for (endpoint, says) in [(name(122), "253 characters"), (name(600), "1000 characters")] {
        let refused = Network::default().endpoint(&endpoint).expect_err("too long").to_string();
        assert!(refused.contains(says) && !refused.contains("a.a."), "{refused}");
    }
}

#[test]
fn what_the_operator_names_is_allowed_and_nothing_beside_it() {
    let network =
        Network::parse(["10.1.0.0/16", "127.0.0.1", "fd00::/8", "minio.internal"]).expect("entries");
    for allowed in
        ["https://10.1.2.3", "http://127.0.0.1:9000", "https://[fd00::1]", "https://minio.internal"]
    {
        assert!(network.endpoint(allowed).is_ok_and(|url| network.names(&url)), "{allowed}");
    }
    for refused in ["https://10.2.0.1", "https://127.0.0.2", "https://[fe80::1]", "https://a.minio.internal"]
    {
        assert!(network.endpoint(refused).is_err(), "{refused}");
    }
    assert!(!network.names(&network.endpoint("https://8.8.8.8").expect("public")));
}

#[test]
fn a_name_is_judged_by_all_its_addresses() {
    let (public, inside): (IpAddr, IpAddr) = ([8, 8, 8, 8].into(), [10, 0, 0, 1].into());
    let closed = Network::default();
    assert_eq!(closed.admit("a.example.com", &[public]), Ok(()));
    let error = closed.admit("a.example.com", &[public, inside]).expect_err("one leads inside").to_string();
    assert!(error.starts_with("the address 10.0.0.1 is not a public one (private)"), "{error}");
    assert!(closed.admit("a.example.com", &[]).is_err());
    let open = Network::parse(["a.example.com"]).expect("a host");
    assert_eq!(open.admit("a.example.com", &[inside]), Ok(()));
    assert!(open.admit("b.example.com", &[inside]).is_err());
}

#[test]
fn entries_that_are_nothing_are_named() {
    for entry in ["", "10.0.0.0/33", "http://minio", "a b", "minio.internal."] {
        let error = Network::parse([entry]).expect_err(entry).to_string();
        assert!(error.contains(&format!("{entry:?}")), "{error}");
    }
}

proptest! {
    /// However an address is written, what is dialled is what was judged.
    #[test]
    fn no_way_to_write_an_address_changes_the_verdict(address in any::<[u8; 4]>()) {
        let [a, b, c, d] = address;
        let number = u32::from_be_bytes(address);
        let closed = Network::default();
        let public = not_public(address.into()).is_none();
        for text in [
            format!("https://{a}.{b}.{c}.{d}"),
            format!("https://{number}"),
            format!("https://0x{number:x}"),
            format!("https://0{a:o}.0x{b:x}.{c}.0{d:o}"),
            format!("https://{a}.{b}.{}", u32::from(c) << 8 | u32::from(d)),
        ] {
            prop_assert_eq!(closed.endpoint(&text).is_ok(), public, "{}", text);
        }
        let mapped = format!("https://[::ffff:{a}.{b}.{c}.{d}]");
        prop_assert!(closed.endpoint(&mapped).is_err());
    }

    #[test]
    fn no_text_panics(text in ".{0,60}") {
        let _ = Network::default().endpoint(&text);
    }
}
