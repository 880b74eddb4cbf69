//! Step 4: the body, within its limits, and what it asks for.
//!
//! The body stays the bytes that came. A compressed one is read from a decoded copy; the
//! original is what leaves if nothing has to change.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::header;
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use iron_policy::outline::{BadBody, Endpoint, Outline};
use self_cell::self_cell;

use super::admit::{self, Admitted};
use super::{Halt, Stopped};
use crate::dialect::Operation;
use crate::live::Live;
use crate::stream::encoding::{self, Encoding};
use crate::upstream::strip_credentials;

/// A call whose body is understood.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) admitted: Admitted,
    /// None for operations without a body.
    pub(super) content: Option<Content>,
}

/// A body and what it asks for.
#[derive(Debug)]
pub(super) struct Content {
    pub(super) endpoint: Endpoint,
    pub(super) parsed: Parsed,
    /// The bytes as they came, where they were compressed.
    pub(super) encoded: Option<Bytes>,
}

self_cell!(
    pub(super) struct Parsed {
        owner: Bytes,
        #[covariant]
        dependent: Outline,
    }

    impl {Debug}
);

/// Reads the body and finds out what it asks for.
pub(super) async fn decode(
    live: &Arc<Live>,
    mut admitted: Admitted,
    body: Incoming,
) -> Result<Decoded, Box<Halt>> {
    let content = match admitted.call.target.operation {
        Operation::Known(endpoint) => match read(live, &admitted, endpoint, body).await {
            Ok(content) => Some(content),
            Err(why) => return Err(admitted.call.ticket.halt(why)),
        },
        // Known to carry no text: whatever is there is not sent.
        Operation::Free | Operation::Unpriced => None,
    };
    if let Some(content) = &content {
        let outline = content.parsed.borrow_dependent();
        let model = outline.model.decode();
        route(live, &mut admitted, &model);
        admitted.call.ticket.request(&model, outline.stream);
        let estimate =
            content.parsed.borrow_owner().len() as u64 / 4 + outline.max_output.unwrap_or_default();
        if let Err(why) = admit::take_tokens(&admitted, estimate) {
            return Err(admitted.call.ticket.halt(why));
        }
    }
    admitted.call.ticket.mark("decode");
    Ok(Decoded { admitted, content })
}

async fn read(
    live: &Live,
    admitted: &Admitted,
    endpoint: Endpoint,
    body: Incoming,
) -> Result<Content, Stopped> {
    let limit = live.policy.proxy.max_body;
    let bytes = collect(live, body).await?;
    let coding = admitted.call.target.headers.get(header::CONTENT_ENCODING);
    let coding = Encoding::parse(coding.map_or("", |value| value.to_str().unwrap_or("?")))?;
    let (plain, encoded) = match coding {
        Encoding::Identity => (bytes, None),
        coding => (encoding::decode(coding, &bytes, limit)?, Some(bytes)),
    };
    let parsed = Parsed::try_new(plain, |plain| Outline::read(plain, endpoint))
        .map_err(|error: BadBody| Stopped::Body(error))?;
    Ok(Content { endpoint, parsed, encoded })
}

/// The whole body in one piece, without a copy where it arrives in one.
async fn collect(live: &Live, mut body: Incoming) -> Result<Bytes, Stopped> {
    let limit = live.policy.proxy.max_body;
    let expected = body.size_hint().lower();
    if expected > limit as u64 {
        return Err(Stopped::TooLarge { limit });
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    loop {
        let frame = tokio::time::timeout(live.policy.proxy.read_timeout, body.frame())
            .await
            .map_err(|_| Stopped::SlowBody)?;
        let Some(frame) = frame else { break };
        let Ok(data) = frame.map_err(|_| Stopped::BrokenBody)?.into_data() else { continue };
        if first.len() + rest.len() + data.len() > limit {
            return Err(Stopped::TooLarge { limit });
        }
        if first.is_empty() && rest.is_empty() {
            first = data;
            continue;
        }
        if rest.is_empty() {
            rest.reserve((expected as usize).max(first.len() + data.len()));
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// Sends a model elsewhere where the policy says so and the caller did not name the upstream.
fn route(live: &Live, admitted: &mut Admitted, model: &str) {
    let call = &mut admitted.call;
    if call.target.addressed {
        return;
    }
    let Some(upstream) = live.route(call.target.upstream.config.dialect, model) else { return };
    if Arc::ptr_eq(&upstream, &call.target.upstream) {
        return;
    }
    // The caller's key is for the provider that it addressed, not for this one.
    strip_credentials(&mut call.target.headers);
    if let Some(key) = upstream.key() {
        key.replace(&mut call.target.headers);
    }
    call.ticket.upstream(&upstream);
    call.target.upstream = upstream;
}
