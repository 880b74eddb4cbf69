//! A stream of events is relayed: metered, restored, its usage event hidden, and it does not
//! matter how the bytes are cut.
//!
//! The first byte chooses the dialect, the second what is done: bit 0 restores, bit 1 hides.

use std::sync::Arc;

use bytes::Bytes;
use iron_policy::redact::{Restorer, Vault};
use iron_proxy::stream::{Metered, Restorers, StreamRelay, WireKind};

use crate::cuts::{Random, cuts};
use crate::issued::{planted, session};

const KINDS: [WireKind; 4] =
    [WireKind::Chat, WireKind::Completions, WireKind::Responses, WireKind::Messages];

/// Streams up to this length, in bytes, are cut in two at every place.
const EVERY_CUT: usize = 200;

/// Relays the stream in one piece and in many.
pub fn check(data: &[u8]) {
    let [kind, what, rest @ ..] = data else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let (restores, hides) = (what & 1 == 1, what & 2 == 2);
    let (vault, placeholders) = session();
    let stream = planted(rest, &placeholders);
    let relay = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let restorers = restores.then(|| Issued(Arc::clone(&vault)));
        run(StreamRelay::new(kind, hides, restorers), pieces)
    };

    let whole = relay(&mut std::iter::once(&stream[..]));
    if !restores && !hides {
        assert_eq!(whole.out, stream);
    }
    let mut random = Random::from(data);
    for way in cuts(stream.len(), &mut random, |_| true) {
        let cut = relay(&mut way.iter().map(|range| &stream[range.clone()]));
        same(&cut, &whole, &way);
    }
    if stream.len() <= EVERY_CUT {
        for at in 0..=stream.len() {
            let (left, right) = stream.split_at(at);
            same(&relay(&mut [left, right].into_iter()), &whole, &at);
        }
    }
}

/// What a client got, and what the meter says.
#[derive(PartialEq)]
struct Relayed {
    out: Vec<u8>,
    metered: Metered,
    failed: Option<String>,
}

fn run(mut relay: StreamRelay<Issued>, pieces: &mut dyn Iterator<Item = &[u8]>) -> Relayed {
    let mut out = Vec::new();
    for piece in pieces {
        if let Err(error) = relay.push(Bytes::copy_from_slice(piece), &mut out) {
            let failed = Some(error.to_string());
            return Relayed { out: out.concat(), metered: relay.metered().clone(), failed };
        }
    }
    let metered = relay.finish(&mut out);
    Relayed { out: out.concat(), metered, failed: None }
}

fn same(cut: &Relayed, whole: &Relayed, way: &dyn std::fmt::Debug) {
    assert_eq!(cut.failed, whole.failed, "{way:?}");
    assert_eq!(cut.metered, whole.metered, "{way:?}");
    let text = String::from_utf8_lossy;
    assert_eq!(text(&cut.out), text(&whole.out), "{way:?}");
    assert_eq!(cut.out, whole.out, "{way:?}");
}

/// Restores what the session issued, as the proxy does.
struct Issued(Arc<Vault>);

impl Restorers for Issued {
    type R = Restorer;

    fn plain(&self) -> Restorer {
        Restorer::new(Arc::clone(&self.0))
    }

    fn json(&self) -> Restorer {
        Restorer::in_json(Arc::clone(&self.0), 1)
    }
}
