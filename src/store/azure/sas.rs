//! Shared access signatures of Azure Storage: what they allow can be read from them, so that
//! one that cannot work is refused before it is used.
//!
//! Source: "Create an account SAS", "Create a service SAS" and "Create a user delegation SAS",
//! Azure Storage REST API.

use url::form_urlencoded;

use crate::secrets::Secret;
use crate::store::OpenError;

/// What a signature is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Services of a whole storage account.
    Account,
    /// One container, or one folder of it.
    Container,
}

/// A signature that may create blobs, as far as can be read from it.
pub(super) struct Sas {
    /// The query, without the `?` that the portal puts before it.
    pub(super) query: Secret,
    protocols: Option<String>,
}

/// The parts of a signature that say what it allows; none of them is secret.
#[derive(Default)]
struct Parts {
    services: Option<String>,
    types: Option<String>,
    resource: Option<String>,
    permissions: Option<String>,
    policy: Option<String>,
    protocols: Option<String>,
}

impl Sas {
    /// Reads a signature; a message names the part that is wrong, and shows no secret.
    /// `field` and `name` say where it stands.
    pub(super) fn parse(text: &str, field: &'static str, name: &str) -> Result<Self, OpenError> {
        let refuse =
            |(problem, fix)| OpenError::Malformed { field, problem: format!("{name} {problem}"), fix };
        let text = text.trim();
        let text = text.strip_prefix('?').unwrap_or(text);
        let parts = Parts::split(text).map_err(refuse)?;
        parts.reach().and_then(|reach| parts.may_create(reach)).map_err(refuse)?;
        Ok(Self { query: Secret::new(text.to_owned()), protocols: parts.protocols })
    }

    /// That it may be used at an endpoint of this scheme.
    pub(super) fn check_scheme(&self, scheme: &str, field: &'static str) -> Result<(), OpenError> {
        match &self.protocols {
            Some(protocols) if !protocols.split(',').any(|protocol| protocol == scheme) => {
                Err(OpenError::Malformed {
                    field,
                    problem: format!(
                        "the signature allows spr={}, and the endpoint is {scheme}",
                        shown(protocols)
                    ),
                    fix: "make one for https (--https-only), and use an endpoint that begins with https://",
                })
            }
            _ => Ok(()),
        }
    }
}

/// A problem and its fix.
type Problem = (String, &'static str);

const COPY: &str = "copy the SAS token from the portal, from sv= or sp= to its end";
const CREATE: &str =
    "make one that may create blobs: az storage container generate-sas --permissions c --https-only";

impl Parts {
    fn split(text: &str) -> Result<Self, Problem> {
        if text.chars().any(|c| !c.is_ascii_graphic()) || text.contains("://") {
            return Err(("is not the query of a URL".to_owned(), COPY));
        }
        let mut parts = Self::default();
        let (mut version, mut signature) = (None, None);
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let place = match &*name {
                "ss" => &mut parts.services,
                "srt" => &mut parts.types,
                "sr" => &mut parts.resource,
                "sp" => &mut parts.permissions,
                "si" => &mut parts.policy,
                "spr" => &mut parts.protocols,
                "sv" => &mut version,
                // That it is there will do.
                "sig" if !value.is_empty() => {
                    signature = Some(());
                    continue;
                }
                _ => continue,
            };
            if place.is_some() {
                return Err((format!("has {name}= twice"), COPY));
            }
            *place = Some(value.into_owned()).filter(|value| !value.is_empty());
        }
        for (there, name) in [(version.is_some(), "sv"), (signature.is_some(), "sig")] {
            if !there {
                return Err((format!("has no {name}= in it"), COPY));
            }
        }
        Ok(parts)
    }

    fn reach(&self) -> Result<Reach, Problem> {
        match (&self.services, &self.types, self.resource.as_deref()) {
            (Some(_), Some(_), None) => Ok(Reach::Account),
            (None, None, Some("c" | "d")) => Ok(Reach::Container),
            (None, None, Some("b" | "bs" | "bv")) => {
                Err(("is for one blob (sr=b), and each export is another one".to_owned(), CREATE))
            }
            (None, None, Some(other)) => Err((
                format!("is for sr={}, which is neither a container nor a folder", shown(other)),
                CREATE,
            )),
            (None, None, None) => {
                Err(("has neither ss= and srt= (of an account) nor sr= (of a container)".to_owned(), COPY))
            }
            _ => Err(("mixes the parts of an account's and of a container's SAS".to_owned(), COPY)),
        }
    }

    fn may_create(&self, reach: Reach) -> Result<(), Problem> {
        let lacks = |part: &Option<String>, letters: &[char]| {
            part.as_deref().is_none_or(|part| !part.contains(letters))
        };
        if reach == Reach::Account {
            let whole =
                "make the account SAS with --services b --resource-types o --permissions c --https-only";
            if lacks(&self.services, &['b']) {
                return Err(("is not for blobs (ss= has no b)".to_owned(), whole));
            }
            if lacks(&self.types, &['o']) {
                return Err(("is not for objects (srt= has no o)".to_owned(), whole));
            }
        }
        // A stored access policy may say what the signature does not.
        let by_policy = self.policy.is_some() && self.permissions.is_none();
        if !by_policy && lacks(&self.permissions, &['c', 'w']) {
            let permissions = self.permissions.as_deref().unwrap_or("nothing");
            return Err((format!("may not create blobs (sp= allows {})", shown(permissions)), CREATE));
        }
        Ok(())
    }
}

/// A value that may be shown: where an & was lost, the signature itself stands in it. What
/// Azure puts there is small letters.
fn shown(value: &str) -> &str {
    let plain = |c: char| c.is_ascii_lowercase() || c == ',';
    if value.len() <= 24 && value.chars().all(plain) { value } else { "…" }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: &str = "sv=2024-11-04&ss=b&srt=o&sp=c&se=2030-01-01T00:00:00Z&spr=https&sig=HU%2FSH%3D";
    const CONTAINER: &str =
        "sp=c&st=2026-01-01T00:00:00Z&se=2030-01-01T00:00:00Z&spr=https&sv=2024-11-04&sr=c&sig=HUSH";
    const DELEGATED: &str = "sp=racw&se=2026-11-25T00:00:00Z&skoid=1&sktid=2&skt=3&ske=4&sks=b&skv=2024-11-04&sv=2024-11-04&sr=c&sig=HUSH";

    fn parse(text: &str) -> Result<Sas, String> {
        Sas::parse(text, "credentials.sas", "the signature").map_err(|error| error.to_string())
    }

    fn reach(text: &str) -> Reach {
        parse(text).unwrap_or_else(|error| panic!("{error}"));
        let parts = Parts::split(text.trim_start_matches('?'));
        parts.and_then(|parts| parts.reach()).unwrap_or_else(|(problem, _)| panic!("{problem}"))
    }

    #[test]
    fn an_accounts_and_a_containers_signature_are_told_apart() {
        assert_eq!(reach(ACCOUNT), Reach::Account);
        assert_eq!(
            reach("?sv=2022-11-02&ss=bfqt&srt=sco&sp=rwdlacupiytfx&se=2030-01-01&sig=HUSH"),
            Reach::Account
        );
        assert_eq!(reach(CONTAINER), Reach::Container);
        assert_eq!(reach(DELEGATED), Reach::Container);
        assert_eq!(reach("sv=2024-11-04&sr=d&sdd=1&sp=w&sig=HUSH"), Reach::Container);
        // The policy says what is allowed and until when.
        assert_eq!(reach("si=auditferry&spr=https&sv=2024-11-04&sr=c&sig=HUSH"), Reach::Container);
    }

    #[test]
    fn what_cannot_create_a_blob_is_refused_by_its_part() {
        let without = |text: &str, part: &str| {
            text.split('&').filter(|pair| !pair.starts_with(part)).collect::<Vec<_>>().join("&")
        };
        for (text, problem) in [
            (ACCOUNT.replace("sp=c", "sp=rl"), "may not create blobs (sp= allows rl)"),
            (without(ACCOUNT, "sp="), "may not create blobs (sp= allows nothing)"),
            (ACCOUNT.replace("srt=o", "srt=sc"), "is not for objects (srt= has no o)"),
            (ACCOUNT.replace("ss=b", "ss=qt"), "is not for blobs (ss= has no b)"),
            (without(ACCOUNT, "ss="), "mixes the parts"),
            (format!("{ACCOUNT}&sr=c"), "mixes the parts"),
            (CONTAINER.replace("sp=c", "sp=r"), "may not create blobs (sp= allows r)"),
            (CONTAINER.replace("sp=c", "sp=r&si=x"), "may not create blobs (sp= allows r)"),
            (CONTAINER.replace("sr=c", "sr=b"), "is for one blob"),
            (CONTAINER.replace("sr=c", "sr=f"), "is for sr=f"),
            (CONTAINER.replace("sr=c", "sr=csig=HUSH"), "is for sr=…,"),
            (without(CONTAINER, "sr="), "has neither ss= and srt="),
            (format!("{CONTAINER}&sp=cw"), "has sp= twice"),
            (without(CONTAINER, "sv="), "has no sv= in it"),
            (without(CONTAINER, "sig="), "has no sig= in it"),
            (CONTAINER.replace("sig=HUSH", "sig="), "has no sig= in it"),
            (format!("https://a.example/c?{CONTAINER}"), "is not the query of a URL"),
        ] {
            let message = parse(&text).err().unwrap_or_else(|| panic!("accepted {text}"));
            assert!(message.contains(problem), "{text}: {message}");
            assert!(message.starts_with("destination.credentials.sas: the signature "), "{message}");
            assert!(!message.contains("HUSH") && !message.contains("HU%2FSH"), "{message}");
        }
    }

    #[test]
    fn a_signature_is_used_where_it_allows() {
        let allows = |text: &str, scheme| {
            let sas = parse(text).unwrap_or_else(|error| panic!("{error}"));
            sas.check_scheme(scheme, "endpoint").map_err(|error| error.to_string())
        };
        assert_eq!(allows(CONTAINER, "https"), Ok(()));
        assert_eq!(allows(DELEGATED, "https"), Ok(()));
        let both = CONTAINER.replace("spr=https", "spr=https%2Chttp");
        assert_eq!((allows(&both, "https"), allows(&both, "http")), (Ok(()), Ok(())));
        let problem = allows(CONTAINER, "http").expect_err("refused");
        assert!(problem.contains("spr=https, and the endpoint is http"), "{problem}");
        let problem = allows(&CONTAINER.replace("spr=https", "spr=http"), "https").expect_err("refused");
        assert!(problem.contains("spr=http, and the endpoint is https"), "{problem}");
    }
}
