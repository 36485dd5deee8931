//! The partitions of AWS: each has ARNs and hosts of its own.

/// A part of AWS that knows nothing of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AwsPartition {
    /// What stands in its ARNs, such as `aws-cn`.
    pub name: &'static str,
    /// What its hosts end in.
    pub domain: &'static str,
}

/// What a region's name begins with, in which partition.
///
/// Source: `partitions.json` of Amazon's SDKs.
const PARTITIONS: [(&str, AwsPartition); 7] = [
    ("cn-", AwsPartition { name: "aws-cn", domain: "amazonaws.com.cn" }),
    ("us-gov-", AwsPartition { name: "aws-us-gov", domain: "amazonaws.com" }),
    ("us-isof-", AwsPartition { name: "aws-iso-f", domain: "csp.hci.ic.gov" }),
    ("us-isob-", AwsPartition { name: "aws-iso-b", domain: "sc2s.sgov.gov" }),
    ("us-iso-", AwsPartition { name: "aws-iso", domain: "c2s.ic.gov" }),
    ("eu-isoe-", AwsPartition { name: "aws-iso-e", domain: "cloud.adc-e.uk" }),
    ("eusc-", AwsPartition { name: "aws-eusc", domain: "amazonaws.eu" }),
];

impl AwsPartition {
    /// The partition of a region.
    #[must_use]
    pub fn of_region(region: &str) -> Self {
        let known = PARTITIONS.into_iter().find(|(begin, _)| region.starts_with(begin));
        known.map_or(Self { name: "aws", domain: "amazonaws.com" }, |(_, partition)| partition)
    }

    /// The host of a service of Amazon's in a region.
    #[must_use]
    pub fn host(service: &str, region: &str) -> String {
        format!("{service}.{region}.{}", Self::of_region(region).domain)
    }

    /// Whether a host is of a service of Amazon's, in any partition: FIPS and dual stack too.
    #[must_use]
    pub fn has_host(host: &str) -> bool {
        let ends = |domain: &str| host.strip_suffix(domain).is_some_and(|before| before.ends_with('.'));
        // Dual stack has a domain of its own in China.
        ["amazonaws.com", "api.aws", "api.amazonwebservices.com.cn"].into_iter().any(ends)
            || PARTITIONS.into_iter().any(|(_, partition)| ends(partition.domain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_tells_its_partition_and_its_hosts() {
        for (region, name, host) in [
            ("eu-central-1", "aws", "s3.eu-central-1.amazonaws.com"),
            ("cn-north-1", "aws-cn", "s3.cn-north-1.amazonaws.com.cn"),
            ("cn-northwest-1", "aws-cn", "s3.cn-northwest-1.amazonaws.com.cn"),
            ("us-gov-west-1", "aws-us-gov", "s3.us-gov-west-1.amazonaws.com"),
            ("us-iso-east-1", "aws-iso", "s3.us-iso-east-1.c2s.ic.gov"),
            ("us-isob-east-1", "aws-iso-b", "s3.us-isob-east-1.sc2s.sgov.gov"),
            ("eusc-de-east-1", "aws-eusc", "s3.eusc-de-east-1.amazonaws.eu"),
        ] {
            assert_eq!(
                (AwsPartition::of_region(region).name, AwsPartition::host("s3", region)),
                (name, host.to_owned())
            );
        }
        assert_eq!(AwsPartition::host("sts", "cn-north-1"), "sts.cn-north-1.amazonaws.com.cn");
    }

    #[test]
    fn amazons_hosts_are_told_from_others() {
        for host in [
            "s3.eu-central-1.amazonaws.com",
            "s3-fips.us-gov-west-1.amazonaws.com",
            "s3.dualstack.eu-central-1.amazonaws.com",
            "s3.cn-north-1.amazonaws.com.cn",
        ] {
            assert!(AwsPartition::has_host(host), "{host}");
        }
        for host in ["amazonaws.com.evil.example", "s3.wasabisys.com", "evilamazonaws.com", "127.0.0.1"] {
            assert!(!AwsPartition::has_host(host), "{host}");
        }
    }
}
