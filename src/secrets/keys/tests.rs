use super::cipher::KEY_BYTES;
use super::*;
use auditferry_core::model::destination::{Azure, AzureCredentials, Destination, Place, SecretRef};

fn ring(ids: &[&str]) -> KeyRing {
    let key = |id: &&str| Key {
        id: (*id).to_owned(),
        source: "test".to_owned(),
        kek: Kek::Local(Zeroizing::new([id.as_bytes()[0]; KEY_BYTES])),
    };
    KeyRing(ids.iter().map(key).collect())
}

fn destination(container: &str) -> Destination {
    Destination {
        prefix: String::new(),
        allow_http: false,
        accept_overwrites: false,
        expires: None,
        place: Place::Azure(Azure {
            container: container.to_owned(),
            endpoint: Some("https://a.example".to_owned()),
            credentials: AzureCredentials::Sas(SecretRef::Env("X".to_owned())),
        }),
    }
}

fn binding(account: &str, container: &str, field: &str, id: &SealedId) -> Binding {
    Binding::new(&account.parse().expect("id"), &destination(container), field, id)
}

#[tokio::test]
async fn a_secret_opens_in_its_own_place_only() {
    let ring = ring(&["a"]);
    let id = new_id();
    let place = binding("acme", "siem", "sas", &id);
    let sealed = ring.seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals");
    assert_eq!(ring.open(&sealed, &place).await.expect("opens").expose(), "HUSH");
    assert!(!sealed.ciphertext.windows(4).any(|bytes| bytes == b"HUSH"));
    for elsewhere in [
        binding("globex", "siem", "sas", &id),
        binding("acme", "other", "sas", &id),
        binding("acme", "siem", "connection_string", &id),
        binding("acme", "siem", "sas", &new_id()),
    ] {
        let refused = ring.open(&sealed, &elsewhere).await;
        assert!(matches!(refused, Err(KeyError::DoesNotOpen(_))), "{elsewhere:?}");
    }
}

#[tokio::test]
async fn another_key_and_a_changed_byte_do_not_open() {
    let id = new_id();
    let place = binding("acme", "siem", "sas", &id);
    let sealed = ring(&["a"]).seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals");
    assert!(matches!(ring(&["b"]).open(&sealed, &place).await, Err(KeyError::Unknown(_))));
    let mut renamed = sealed.clone();
    renamed.wrapped.key = "b".to_owned();
    assert!(ring(&["a", "b"]).open(&renamed, &place).await.is_err());
    for at in 0..sealed.ciphertext.len() {
        let mut changed = sealed.clone();
        changed.ciphertext[at] ^= 1;
        assert!(ring(&["a"]).open(&changed, &place).await.is_err(), "byte {at}");
    }
    for at in 0..sealed.wrapped.data_key.len() {
        let mut changed = sealed.clone();
        changed.wrapped.data_key[at] ^= 1;
        assert!(ring(&["a"]).open(&changed, &place).await.is_err(), "byte {at} of the key");
    }
}

#[tokio::test]
async fn a_rewrapped_secret_opens_with_the_new_key_alone() {
    let id = new_id();
    let place = binding("acme", "siem", "sas", &id);
    let mut sealed = ring(&["a"]).seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals");
    sealed.wrapped = ring(&["b", "a"]).rewrap(&sealed.wrapped, &place).await.expect("rewraps");
    assert_eq!(sealed.wrapped.key, "b");
    assert_eq!(ring(&["b"]).open(&sealed, &place).await.expect("opens").expose(), "HUSH");
    assert!(ring(&["a"]).open(&sealed, &place).await.is_err());
}

#[test]
fn no_two_bindings_have_the_same_bytes() {
    let bytes = |names: Vec<(&'static str, &str)>| {
        Binding(names.into_iter().map(|(name, value)| (name, value.to_owned())).collect()).bytes()
    };
    assert_ne!(bytes(vec![("a", "bc")]), bytes(vec![("ab", "c")]));
    assert_ne!(bytes(vec![("a", ""), ("b", "")]), bytes(vec![("a", "b")]));
    assert_ne!(bytes(vec![("a", "b"), ("c", "d")]), bytes(vec![("a", "bcd")]));
}

#[tokio::test]
async fn each_sealing_is_another() {
    let ring = ring(&["a"]);
    let id = new_id();
    let place = binding("acme", "siem", "sas", &id);
    let (one, two) = (
        ring.seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals"),
        ring.seal(&id, &Secret::new("HUSH".into()), &place).await.expect("seals"),
    );
    assert_ne!(one.ciphertext, two.ciphertext);
    assert_ne!(one.wrapped.data_key, two.wrapped.data_key);
}

#[test]
fn a_generated_key_is_read_again() {
    let key = generate().expect("random");
    assert!(parse(&key).is_some());
    assert!(parse(&Secret::new("c2hvcnQ=".into())).is_none());
    assert_ne!(key.expose(), generate().expect("random").expose());
}
