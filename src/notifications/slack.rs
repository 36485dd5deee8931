//! Messages to Slack, and to what takes the same (Mattermost, Rocket.Chat, Discord with `/slack`).

use serde_json::{Value, json};

use super::message::Message;

/// Most characters of a text, a little below Slack's own 40,000.
const MAX_CHARS: usize = 39_000;

/// The body of a message.
#[must_use]
pub fn body(message: &Message) -> Value {
    let text = escaped(&message.text());
    let text: String = text.chars().take(MAX_CHARS).collect();
    json!({ "text": text })
}

/// Without what Slack takes for a mention or a link.
///
/// Source: "Formatting text for app surfaces", Slack: `&`, `<` and `>` are replaced, and nothing else.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_mentioned() {
        let message = Message { title: "a <!channel> & b".to_owned(), ..Message::default() };
        assert_eq!(body(&message)["text"], "a &lt;!channel&gt; &amp; b\n");
    }
}
