use super::*;

#[test]
fn an_endpoint_is_a_server_or_in_the_large_clouds_a_bucket() {
    let mut destination = s3("siem");
    assert_eq!(destination.endpoint(), "siem.s3.eu-central-1.amazonaws.com");
    if let Place::S3(place) = &mut destination.place {
        place.endpoint = Some("https://MinIO.example:9000/base".into());
    }
    assert_eq!(destination.endpoint(), "minio.example:9000");
    let secret = SecretRef::Env("AZURE".into());
    destination.place = Place::Azure(Azure {
        container: "logs".into(),
        endpoint: None,
        credentials: AzureCredentials::ConnectionString(secret),
    });
    assert_eq!(destination.endpoint(), r#"logs of { env = "AZURE" }"#);
}

fn s3(bucket: &str) -> Destination {
    Destination {
        prefix: String::new(),
        allow_http: true,
        accept_overwrites: false,
        expires: None,
        place: Place::S3(S3 {
            bucket: bucket.into(),
            region: "eu-central-1".into(),
            endpoint: None,
            path_style: None,
            sse_kms_key_id: None,
            expected_bucket_owner: None,
            storage_class: None,
            checksum: None,
            request_payer: None,
            acl: None,
            sse: None,
            credentials: S3Credentials::Ambient,
        }),
    }
}

#[test]
fn bucket_names_that_s3_would_refuse_are_refused() {
    assert_eq!(s3("acme-siem.logs").validate(), Ok(()));
    for bad in ["ab", "Acme", "a_b_c", "-abc", "abc.", "a..b", "192.168.1.1", "xn--abc", &"x".repeat(64)] {
        assert_eq!(s3(bad).validate().map_err(|e| e.field), Err("bucket"), "{bad}");
    }
}

#[test]
fn a_place_is_a_folder_of_a_bucket_and_not_who_writes_there() {
    let mut key = s3("acme");
    let of = |destination: &mut Destination, change: &dyn Fn(&mut S3)| match &mut destination.place {
        Place::S3(place) => change(place),
        _ => unreachable!("it is S3"),
    };
    of(&mut key, &|place| {
        place.credentials = S3Credentials::AccessKey(AccessKey {
            id: "AKIA".into(),
            secret: SecretRef::Env("X".into()),
            session_token: None,
        });
    });
    assert!(key.is_same_place(&s3("acme")) && s3("acme").needs_proof() && !key.needs_proof());
    for change in [
        |place: &mut S3| place.bucket = "other".into(),
        |place: &mut S3| place.region = "cn-north-1".into(),
        |place: &mut S3| place.endpoint = Some("https://storage.example.com".into()),
    ] {
        let mut other = s3("acme");
        of(&mut other, &change);
        assert!(!other.is_same_place(&s3("acme")));
    }
    assert!(!Destination { prefix: "siem/".into(), ..s3("acme") }.is_same_place(&s3("acme")));
    let secret = SecretRef::Env("AZURE".into());
    let hidden = Azure {
        container: "logs".into(),
        endpoint: None,
        credentials: AzureCredentials::ConnectionString(secret),
    };
    let hidden = Destination { place: Place::Azure(hidden), ..s3("acme") };
    assert!(!hidden.is_same_place(&hidden), "nobody can say");
}

#[test]
fn plain_http_must_be_allowed() {
    let with = |endpoint: &str, allow_http| {
        let mut destination = Destination { allow_http, ..s3("acme-siem") };
        if let Place::S3(place) = &mut destination.place {
            place.endpoint = Some(endpoint.to_owned());
        }
        destination.validate().map_err(|error| error.problem)
    };
    assert_eq!(with("http://localhost:9000", true), Ok(()));
    assert_eq!(with("https://localhost:9000", false), Ok(()));
    assert!(with("http://localhost:9000", false).is_err_and(|problem| problem.contains("without TLS")));
}

#[test]
fn a_destination_reads_as_it_is_written() {
    let toml = r#"
        kind = "s3"
        bucket = "acme-siem"
        region = "eu-central-1"
        prefix = "siem/"
        credentials = { access_key = { id = "AKIA", secret = { env = "ACME" } } }
    "#;
    let destination: Destination = toml::from_str(toml).expect("reads");
    assert_eq!(destination.to_string(), "s3://acme-siem/siem/");
    let json = serde_json::to_string(&destination).expect("writes");
    assert_eq!(serde_json::from_str::<Destination>(&json).expect("reads"), destination);
}
