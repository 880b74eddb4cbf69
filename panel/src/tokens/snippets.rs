//! What to do with a token: ready commands for the usual clients, with the token in them.
//!
//! They are answered together with the token, once, and kept nowhere.

use std::net::SocketAddr;

use serde::Serialize;
use sqlx::{AnyConnection, Row};
use utoipa::ToSchema;

use crate::store::StoreError;

/// Where agents reach a proxy that was set up with the defaults.
const USUAL: &str = "http://127.0.0.1:4141";

/// Commands and lines to copy.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Snippets {
    /// For a shell.
    pub curl: String,
    /// For OpenAI's Python SDK.
    pub python: String,
    /// For OpenAI's Node SDK.
    pub node: String,
    /// For Claude Code.
    pub claude_code: String,
    /// For Codex.
    pub codex: String,
}

impl Snippets {
    /// For this token at this proxy. `model` is one that the token allows.
    pub fn of(base_url: &str, token: &str, model: Option<&str>) -> Self {
        let base = base_url.trim_end_matches('/');
        let model = model.unwrap_or("gpt-5-mini");
        Self {
            curl: format!(
                "curl {base}/v1/chat/completions \\\n  -H 'authorization: Bearer {token}' \\\n  \
                 -H 'content-type: application/json' \\\n  -d '{{\"model\": \"{model}\", \"messages\": \
                 [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'"
            ),
            python: format!(
                "from openai import OpenAI\n\nclient = OpenAI(base_url=\"{base}/v1\", \
                 api_key=\"{token}\")\nprint(client.chat.completions.create(model=\"{model}\", \
                 messages=[{{\"role\": \"user\", \"content\": \"Hello\"}}]).choices[0].message.content)"
            ),
            node: format!(
                "import OpenAI from \"openai\";\n\nconst client = new OpenAI({{ baseURL: \
                 \"{base}/v1\", apiKey: \"{token}\" }});\nconst answer = await \
                 client.chat.completions.create({{\n  model: \"{model}\",\n  messages: [{{ role: \
                 \"user\", content: \"Hello\" }}],\n}});\nconsole.log(answer.choices[0].message.content);"
            ),
            claude_code: format!("ANTHROPIC_BASE_URL={base} ANTHROPIC_AUTH_TOKEN={token} claude"),
            codex: format!(
                "OPENAI_API_KEY={token} codex -c \
                 'model_providers.iron={{name=\"iron\",base_url=\"{base}/v1\",env_key=\"OPENAI_API_KEY\",\
                 wire_api=\"responses\"}}' -c model_provider=iron"
            ),
        }
    }
}

/// Where agents reach the proxy beside them: as the one says that was heard of last. A proxy says that
/// by itself, and everybody's token stands beside it: only an address of the agent's own machine is
/// taken, so that no proxy has tokens of others sent to it.
pub async fn base_url(connection: &mut AnyConnection) -> Result<String, StoreError> {
    let row = sqlx::query(
        "SELECT listens FROM proxy WHERE removed_at IS NULL AND listens IS NOT NULL
         ORDER BY COALESCE(seen_at, 0) DESC LIMIT 1",
    )
    .fetch_optional(connection)
    .await?;
    let listens: Option<String> = row.map(|row| row.try_get(0)).transpose()?;
    let own = listens.as_deref().and_then(loopback);
    Ok(own.map_or_else(|| USUAL.to_owned(), |at| format!("http://{at}")))
}

/// `HOST:PORT` of an address on the machine of whoever uses it.
fn loopback(listens: &str) -> Option<String> {
    let at = listens.strip_prefix("http://").unwrap_or(listens);
    let local = at.parse::<SocketAddr>().is_ok_and(|address| address.ip().is_loopback());
    let named = at.strip_prefix("localhost:").is_some_and(|port| port.parse::<u16>().is_ok());
    (local || named).then(|| at.to_owned())
}

/// Whether an address can stand in a shell's command and in source code as it is.
pub fn is_plain(address: &str) -> bool {
    let fine = |b: u8| b.is_ascii_alphanumeric() || b".:/-_[]".contains(&b);
    (1..=200).contains(&address.len()) && address.bytes().all(fine)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_of_the_agents_own_machine_is_shown_to_everybody() {
        for (listens, own) in [
            ("http://127.0.0.1:4242", Some("127.0.0.1:4242")),
            ("127.0.0.1:4242", Some("127.0.0.1:4242")),
            ("http://[::1]:4242", Some("[::1]:4242")),
            ("http://localhost:4242", Some("localhost:4242")),
            ("http://10.0.0.5:4141", None),
            ("http://0.0.0.0:4141", None),
            ("https://evil.example", None),
            ("http://localhost.evil.example:80", None),
            ("http://localhost:80@evil.example", None),
            ("http://127.0.0.1:80@evil.example", None),
            ("http://127.0.0.1:80/x", None),
            ("", None),
        ] {
            assert_eq!(loopback(listens).as_deref(), own, "{listens}");
        }
    }
}
