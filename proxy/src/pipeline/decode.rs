//! Step 4: the body, within its limits, and what it asks for.
//!
//! The body stays the bytes that came. A compressed one is read from a decoded copy; the
//! original is what leaves if nothing has to change.

use std::sync::Arc;

use bytes::Bytes;
use http::header;
use hyper::body::Incoming;
use iron_policy::outline::{BadBody, Endpoint, Outline};
use self_cell::self_cell;

use super::admit::{self, Admitted};
use super::{Halt, Stopped};
use crate::body::{self, CollectError};
use crate::dialect::{self, Operation};
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
        let model = &outline.model;
        route(live, &mut admitted, model);
        admitted.call.ticket.request(model, outline.stream);
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
    let bytes =
        body::collect(body, limit, live.policy.proxy.read_timeout).await.map_err(|error| {
            match error {
                CollectError::TooLarge => Stopped::TooLarge { limit },
                CollectError::Late => Stopped::SlowBody,
                CollectError::Broken => Stopped::BrokenBody,
            }
        })?;
    let coding = admitted.call.target.headers.get(header::CONTENT_ENCODING);
    let coding = Encoding::parse(coding.map_or("", |value| value.to_str().unwrap_or("?")))?;
    let (plain, encoded) = match coding {
        Encoding::Identity => (bytes, None),
        coding => (encoding::decode(coding, &bytes, limit)?, Some(bytes)),
    };
    let model = dialect::gemini_call(&admitted.call.target.path).map(|(model, _)| model);
    let parsed = Parsed::try_new(plain, |plain| Outline::read_for(plain, endpoint, model))
        .map_err(|error: BadBody| Stopped::Body(error))?;
    Ok(Content { endpoint, parsed, encoded })
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
