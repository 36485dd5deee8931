//! What to do at Google, in the words of `gcloud`.

use super::{exists, unreachable};
use auditferry_core::model::destination::{Gcs, GcsCredentials, Impersonate};
use auditferry_core::store::PutErrorKind;

pub(super) fn of_gcs(kind: PutErrorKind, message: &str, gcs: &Gcs) -> Option<String> {
    let bucket = &gcs.bucket;
    let credentials = &gcs.credentials;
    Some(match (kind, credentials) {
        (PutErrorKind::Denied, GcsCredentials::ServiceAccount(_)) => format!(
            "{} with the client_email of its key",
            denied("The service account", "serviceAccount:CLIENT_EMAIL", bucket)
        ),
        (PutErrorKind::Denied, GcsCredentials::Impersonate(Impersonate { service_account })) => denied(
            &format!("The service account `{service_account}`"),
            &format!("serviceAccount:{service_account}"),
            bucket,
        ),
        (PutErrorKind::Denied, GcsCredentials::Ambient) => format!(
            "{} with the worker's service account, or with its principal in the pool of a workload identity federation \
             (`principal://iam.googleapis.com/…`)",
            denied("The worker's own Google identity", "serviceAccount:WORKER", bucket)
        ),
        (PutErrorKind::InvalidCredentials, GcsCredentials::ServiceAccount(_)) => {
            "The service account's key is not in force: see that the account is enabled and lists this key (`gcloud iam \
             service-accounts keys list --iam-account=CLIENT_EMAIL`), or make another key and set the destination again \
             with it"
                .to_owned()
        }
        (PutErrorKind::InvalidCredentials, GcsCredentials::Impersonate(Impersonate { service_account })) => format!(
            "The service account `{service_account}` does not let the worker act as it, or is not in force: see that it \
             is enabled (`gcloud iam service-accounts describe {service_account}`), and run `gcloud iam service-accounts \
             add-iam-policy-binding {service_account} --member=serviceAccount:WORKER \
             --role=roles/iam.serviceAccountTokenCreator` with the worker's service account, which counts after some \
             minutes"
        ),
        (PutErrorKind::InvalidCredentials, GcsCredentials::Ambient) => {
            "For those who run the worker: Google does not take the token of its own identity; see that its service \
             account is enabled (`gcloud iam service-accounts describe WORKER`)"
                .to_owned()
        }
        (PutErrorKind::Unreachable, GcsCredentials::Impersonate(_) | GcsCredentials::Ambient)
            if message.starts_with("no token") =>
        {
            "For those who run the worker: there is no token of its own Google identity; do what the message says, and \
             see that it runs on Google Cloud with a service account or has a google.credentials_file, that it reaches \
             Google, and that the IAM Service Account Credentials API is enabled in its project (`gcloud services enable \
             iamcredentials.googleapis.com`)"
                .to_owned()
        }
        (PutErrorKind::NoSuchBucket, _) => format!(
            "There is no bucket `{bucket}`: create it (`gcloud storage buckets create gs://{bucket}`), or correct its \
             name in the destination"
        ),
        (PutErrorKind::Unreachable, _) => {
            unreachable(gcs.endpoint.as_deref().unwrap_or("https://storage.googleapis.com"))
        }
        (PutErrorKind::Exists, _) => exists("bucket", bucket),
        _ => return None,
    })
}

fn denied(who: &str, member: &str, bucket: &str) -> String {
    format!(
        "{who} may not `storage.objects.create` on `{bucket}`; run `gcloud storage buckets add-iam-policy-binding \
         gs://{bucket} --member={member} --role=roles/storage.objectCreator`"
    )
}
