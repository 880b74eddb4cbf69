//! Step 5: what is personal or secret becomes a placeholder, or stops the call.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderValue, header};
use iron_policy::outline::path_at;
use iron_policy::redact::{Edit, Finding, Mode, Vault};

use super::decode::{Content, Decoded};
use super::identify::Identified;
use super::{Halt, Stopped};
use crate::live::Live;

/// A call whose outgoing text holds nothing that the policy keeps in.
#[derive(Debug)]
pub(super) struct Redacted {
    pub(super) call: Identified,
    pub(super) content: Option<Content>,
    /// What to change in the body, in order of position.
    pub(super) edits: Vec<Edit>,
    /// The session's placeholders, to be restored in the answer.
    pub(super) vault: Arc<Vault>,
}

/// Finds and replaces.
pub(super) fn redact(live: &Arc<Live>, decoded: Decoded) -> Result<Redacted, Box<Halt>> {
    let Decoded { admitted, content } = decoded;
    let mut call = admitted.call;
    let vault = live.sessions.vault(&call.target.session, live.policy.redact.remember);
    let mut edits = Vec::new();
    if let Some(content) = &content {
        let outline = content.parsed.borrow_dependent();
        let redaction = live.engine.redact(&outline.spans, &vault);
        call.ticket.findings(&redaction.findings);
        if let Some(found) = blocked(content, &redaction.findings) {
            return Err(call.ticket.halt(Stopped::Blocked { found }));
        }
        edits = redaction.edits;
    }
    if !vault.is_empty() || live.guards_answers() {
        // Nothing can be found in an answer that is compressed.
        call.target.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    call.ticket.mark("redact");
    Ok(Redacted { call, content, edits, vault })
}

/// Kinds and paths of what the policy blocks, at most a few, never a value.
fn blocked(content: &Content, findings: &[Finding]) -> Option<String> {
    let body = content.parsed.borrow_owner();
    let places: BTreeSet<String> = findings
        .iter()
        .filter(|finding| finding.action == Mode::Block)
        .take(20)
        .map(|finding| format!("{} at {}", finding.kind.name(), path_at(body, finding.range.start)))
        .collect();
    let shown: Vec<_> = places.into_iter().take(5).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}
