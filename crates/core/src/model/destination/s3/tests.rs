use super::*;

fn s3(region: &str) -> S3 {
    S3 {
        bucket: "acme-siem".into(),
        region: region.into(),
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
    }
}

#[test]
fn arns_and_hosts_are_of_the_buckets_partition() {
    let at = |region, endpoint: Option<&str>| S3 { endpoint: endpoint.map(str::to_owned), ..s3(region) };
    for (place, partition, url) in [
        (at("eu-central-1", None), "aws", "https://s3.eu-central-1.amazonaws.com"),
        (at("cn-north-1", None), "aws-cn", "https://s3.cn-north-1.amazonaws.com.cn"),
        (at("us-gov-west-1", None), "aws-us-gov", "https://s3.us-gov-west-1.amazonaws.com"),
        (
            at("us-gov-west-1", Some("https://s3-fips.us-gov-west-1.amazonaws.com")),
            "aws-us-gov",
            "https://s3-fips.us-gov-west-1.amazonaws.com",
        ),
        (
            at("cn-north-1", Some("https://s3.dualstack.cn-north-1.amazonaws.com.cn:443/")),
            "aws-cn",
            "https://s3.dualstack.cn-north-1.amazonaws.com.cn:443/",
        ),
        (at("cn-east-1", Some("https://s3.example.cn")), "aws", "https://s3.example.cn"),
    ] {
        assert_eq!((place.partition(), place.url()), (partition, url.to_owned()), "{place:?}");
    }
    assert_eq!(s3("cn-north-1").server(), "acme-siem.s3.cn-north-1.amazonaws.com.cn");
    let role = AssumeRole {
        role_arn: "arn:aws-us-gov:iam::123456789012:role/siem".into(),
        external_id: None,
        session_name: None,
        duration: None,
    };
    let by_role = S3 { credentials: S3Credentials::AssumeRole(role), ..s3("us-gov-east-1") };
    assert_eq!(by_role.partition(), "aws-us-gov");
}

#[test]
fn an_endpoint_that_names_the_bucket_is_refused() {
    let refused = |endpoint: &str, path_style| {
        let place = S3 { endpoint: Some(endpoint.into()), path_style, ..s3("us-east-1") };
        place.validate(true).err().map(|error| error.to_string())
    };
    for endpoint in [
        "https://acme-siem.s3.eu-central-1.amazonaws.com",
        "https://s3.example.com/acme-siem",
        "https://x.supabase.test/storage/v1/s3/acme-siem/",
    ] {
        for path_style in [None, Some(false)] {
            let error = refused(endpoint, path_style).unwrap_or_else(|| panic!("accepted {endpoint}"));
            assert!(
                error.starts_with("destination.endpoint: ") && error.contains("\"acme-siem\""),
                "{error}"
            );
            assert!(error.contains("without the bucket"), "{error}");
        }
    }
    // The server is called so, and somebody says that the bucket stands in the path.
    assert_eq!(refused("https://acme-siem.example.com", Some(true)), None);
    assert!(refused("https://s3.example.com/acme-siem", Some(true)).is_some());
    assert_eq!(refused("https://x.supabase.test/storage/v1/s3/", None), None);
}

#[test]
fn one_encryption_is_named_at_most() {
    let place = S3 { sse: Some(Encryption::Aes256), ..s3("us-east-1") };
    assert_eq!(place.validate(false), Ok(()));
    assert_eq!(place.asked().as_deref(), Some("encrypted with AES256"));
    let both = S3 { sse_kms_key_id: Some("alias/siem".into()), ..place };
    let both = S3 { credentials: S3Credentials::AccessKey(key("AKIAIOSFODNN7EXAMPLE")), ..both };
    assert_eq!(both.validate(false).map_err(|error| error.field), Err("sse"));
}

fn key(id: &str) -> AccessKey {
    AccessKey { id: id.into(), secret: SecretRef::Env("X".into()), session_token: None }
}

#[test]
fn an_acl_that_shows_the_log_to_strangers_is_refused() {
    for acl in CannedAcl::ALL {
        assert_eq!(acl.as_str().parse(), Ok(acl));
    }
    let refused = "public-read".parse::<CannedAcl>().expect_err("refused");
    assert!(refused.contains("strangers") && refused.contains("bucket-owner-full-control"), "{refused}");
    let refused = "aws:kms".parse::<Encryption>().expect_err("refused");
    assert!(refused.contains("sse_kms_key_id"), "{refused}");
}
