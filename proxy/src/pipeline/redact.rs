//! Step 5: what is personal or secret becomes a placeholder, or stops the call.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::{HeaderValue, header};
use iron_policy::config::OpaqueParts;
use iron_policy::outline::{Multipart, Opaque, path_at};
use iron_policy::redact::{Aids, Edit, Finding, Mode, Redaction, Span, Vault, screen};

use super::decode::{Decoded, Payload};
use super::identify::Identified;
use super::{Halt, Stopped};
use crate::live::Live;
use crate::recogniser::{Recognised, RecogniserError};

/// A call whose outgoing text holds nothing that the policy keeps in.
#[derive(Debug)]
pub(super) struct Redacted {
    pub(super) call: Identified,
    /// What the caller sent; attempts share it.
    pub(super) payload: Arc<Payload>,
    /// What to change in the body, in order of position.
    pub(super) edits: Vec<Edit>,
    /// The session's placeholders, to be restored in the answer.
    pub(super) vault: Arc<Vault>,
}

/// Finds and replaces.
pub(super) async fn redact(live: &Arc<Live>, decoded: Decoded) -> Result<Redacted, Box<Halt>> {
    let Decoded { admitted, payload } = decoded;
    let mut call = admitted.call;
    let vault = live.sessions.vault(&call.target.session, live.policy.redact.remember);
    let redaction = match &payload {
        Payload::Nothing => Redaction::default(),
        Payload::Document(content) => {
            match search(live, &vault, &content.parsed.borrow_dependent().spans).await {
                Ok(redaction) => redaction,
                Err(why) => return Err(call.ticket.halt(why)),
            }
        }
        Payload::Upload(upload) => {
            let parts = upload.parts.borrow_dependent();
            if let Some(part) = kept_in(live, parts) {
                return Err(call.ticket.halt(Stopped::OpaquePart { part }));
            }
            parts.redact(&live.engine, &vault)
        }
    };
    call.ticket.findings(&redaction.findings);
    if let Some(found) = blocked(&payload, &redaction.findings) {
        return Err(call.ticket.halt(Stopped::Blocked { found }));
    }
    let edits = redaction.edits;
    if !vault.is_empty() || live.guards_answers() {
        // Nothing can be found in an answer that is compressed.
        call.target.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    call.ticket.mark("redact");
    Ok(Redacted { call, payload: Arc::new(payload), edits, vault })
}

/// Finds what must not leave in these texts, and says what to put in its place.
pub(super) async fn search(
    live: &Live,
    vault: &Arc<Vault>,
    spans: &[Span<'_>],
) -> Result<Redaction, Stopped> {
    let recognised = recognise(live, spans).await.map_err(Stopped::Recogniser)?;
    Ok(live.engine.redact_with(
        spans,
        Aids {
            vault,
            // What was not seen by the recogniser must not be remembered as searched.
            memory: recognised.as_ref().is_none_or(Recognised::is_whole).then_some(&live.memory),
            recogniser: recognised.as_ref().map(|recognised| recognised as _),
        },
    ))
}

/// What the policy's recogniser says of the texts; `None` where the policy has none.
async fn recognise(live: &Live, spans: &[Span<'_>]) -> Result<Option<Recognised>, RecogniserError> {
    let Some(recogniser) = &live.recogniser else { return Ok(None) };
    let texts = live.engine.texts(spans);
    recogniser.ask(texts).await.map(Some)
}

/// The first part that the policy does not let out unread; none where nothing is kept in at all.
fn kept_in(live: &Live, parts: &Multipart<'_>) -> Option<String> {
    if !screen::guards(live.engine.modes(), &live.policy.redact.kinds()) {
        return None;
    }
    let stops = |what: &Opaque| match live.policy.redact.opaque_parts {
        OpaqueParts::Pass => false,
        OpaqueParts::Media => *what != Opaque::Media,
        OpaqueParts::Block => true,
    };
    parts.opaque().find(|(what, _)| stops(what)).map(|(_, part)| part)
}

/// Kinds and places of what the policy blocks, at most a few, never a value.
fn blocked(payload: &Payload, findings: &[Finding]) -> Option<String> {
    blocked_at(findings, |at| match payload {
        Payload::Nothing => String::new(),
        Payload::Document(content) => path_at(content.parsed.borrow_owner(), at),
        Payload::Upload(upload) => upload.parts.borrow_dependent().place(at),
    })
}

/// The same, where `place` says what stands at an offset.
pub(super) fn blocked_at(findings: &[Finding], place: impl Fn(usize) -> String) -> Option<String> {
    let places: BTreeSet<String> = findings
        .iter()
        .filter(|finding| finding.action == Mode::Block)
        .take(20)
        .map(|finding| format!("{} at {}", finding.kind.name(), place(finding.range.start)))
        .collect();
    let shown: Vec<_> = places.into_iter().take(5).collect();
    (!shown.is_empty()).then(|| shown.join(", "))
}
