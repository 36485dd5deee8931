//! Channels of notifications on a server: secrets go there as they are, and are sealed there.

use serde::Deserialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{Remote, lost};
use crate::cli::CliError;
use crate::cli::service::Answer;
use crate::client::Asked;
use crate::operations::notifications::{Added, ChannelView, Given, NewTarget};
use crate::secrets::Secret;
use auditferry_core::model::destination::SecretRef;
use auditferry_core::model::notification::{Audience, Language};

/// A channel as it is answered, with the secret that was made.
#[derive(Deserialize)]
struct Answered {
    #[serde(flatten)]
    channel: ChannelView,
    secret: Option<Zeroizing<String>>,
}

impl Answered {
    /// `made`: whether a secret was to be made, which is answered once.
    fn added(self, made: bool) -> Answer<Added> {
        let Self { channel, secret } = self;
        if made && secret.is_none() {
            return Err(CliError::Failed(format!(
                "the answer with the secret of notification {id} was lost; make another with `auditferry notification \
                 rotate {id}`, and give its receiver that one",
                id = channel.id
            )));
        }
        Ok(Added { channel, secret: secret.map(|secret| Secret::new(secret.as_str().to_owned())) })
    }
}

/// A secret as it is sent. A server takes none from a file or variable of its own.
fn sent(field: &str, given: &Given) -> Answer<Value> {
    match given {
        Given::Sealed(secret) => Ok(secret.expose().trim().into()),
        Given::Named(reference) => {
            let place = match reference {
                SecretRef::File(path) => format!("the file {}", path.display()),
                SecretRef::Env(name) => format!("the variable {name}"),
                SecretRef::Sealed(_) => "a sealed secret".to_owned(),
            };
            Err(CliError::Usage(format!(
                "{field}: {place} would be read by each worker, and a server takes no such reference; add --seal, and it \
                 is read here and kept sealed there"
            )))
        }
    }
}

impl Remote {
    pub(super) async fn added_channel(
        &self,
        audience: Audience,
        language: Language,
        new: NewTarget,
    ) -> Answer<Added> {
        let mut body = json!({ "language": language });
        let mut made = false;
        match &new {
            NewTarget::Webhook { url, secret } => {
                body["kind"] = "webhook".into();
                body["url"] = url.as_str().into();
                match secret {
                    Some(secret) => body["secret"] = sent("secret", secret)?,
                    None => made = true,
                }
            }
            NewTarget::Slack { url } => {
                body["kind"] = "slack".into();
                body["url"] = sent("url", url)?;
            }
            NewTarget::Email { to } => {
                body["kind"] = "email".into();
                body["to"] = to.as_str().into();
            }
        }
        let mut asked = Asked::post(&["notifications"]);
        if let Some(account) = audience.account() {
            body["account"] = json!(account);
            asked = asked.about(account);
        }
        let answered: Option<Answered> = self.client.change(asked.body(&body)).await?.answer()?;
        answered.ok_or_else(|| lost("the notification was added", "notification ls"))?.added(made)
    }

    pub(super) async fn rotated_channel(&self, id: &str, secret: Option<Given>) -> Answer<Added> {
        let mut body = json!({});
        if let Some(secret) = &secret {
            body["secret"] = sent("secret", secret)?;
        }
        let rotate = Asked::post(&["notifications", id, "rotate"]).body(&body);
        let answered: Option<Answered> = self.client.change(rotate).await?.answer()?;
        let answered = answered.ok_or_else(|| lost("the secret was changed", "notification ls"))?;
        answered.added(secret.is_none())
    }
}
