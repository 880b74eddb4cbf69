//! Sending an answer: at the pace and with the mishaps that were ordered, and settling the bill.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use hyper::body::{Body, Bytes, Frame};

use super::World;
use super::behaviour::{At, Mishap, Pace};
use super::bill::Usage;
use super::endpoint::Charge;
use super::sse::Piece;

/// How the provider leaves a connection before its time.
#[derive(Clone, Debug)]
pub(super) enum Farewell {
    Close,
    Reset,
    /// After these bytes.
    Wire(Bytes),
}

impl fmt::Display for Farewell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the simulated provider leaves")
    }
}

impl std::error::Error for Farewell {}

/// A call that is being answered.
///
/// Dropped before its end, it was left by the client. In any case it is billed once: what was
/// generated up to then.
#[derive(Debug)]
pub(super) struct Call {
    world: Arc<World>,
    request_id: String,
    charge: Option<Charge>,
    /// Output tokens generated so far.
    tokens: u64,
    ended: bool,
}

impl Call {
    pub(super) fn new(world: Arc<World>, request_id: String) -> Self {
        Self { world, request_id, charge: None, tokens: 0, ended: false }
    }

    /// From now on the call costs something: all of it when `generated`, else as it is sent.
    pub(super) fn owe(&mut self, charge: Option<Charge>, generated: bool) {
        self.charge = charge;
        if generated {
            self.settle(|usage| usage);
        }
    }

    /// The call came to the end that was ordered.
    pub(super) fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            self.settle_so_far();
            self.world.records.answered();
        }
    }

    /// So many more output tokens were generated.
    pub(super) fn generated(&mut self, tokens: u64) {
        self.tokens += tokens;
    }

    /// The whole answer was generated.
    pub(super) fn whole(&mut self) {
        self.settle(|usage| usage);
        self.end();
    }

    fn settle_so_far(&mut self) {
        let tokens = self.tokens;
        self.settle(|whole| Usage {
            output: whole.output.min(tokens),
            audio_output: whole.audio_output.min(2 * tokens),
            ..whole
        });
    }

    fn settle(&mut self, usage: impl FnOnce(Usage) -> Usage) {
        if let Some(charge) = self.charge.take() {
            let id = std::mem::take(&mut self.request_id);
            let used = usage(charge.usage);
            let records = &self.world.records;
            records.charge(id, charge.name, charge.model, used);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.settle_so_far();
        if !self.ended {
            self.world.records.cancelled();
        }
    }
}

/// What is left to do for an answer.
#[derive(Debug)]
pub(super) struct Plan {
    steps: VecDeque<Step>,
    /// Bytes of the whole body, sent or not.
    pub(super) length: usize,
}

#[derive(Debug)]
enum Step {
    Write { bytes: Bytes, tokens: u64 },
    Mishap(Mishap),
}

impl Plan {
    /// Cuts an answer into writes, with the mishaps between them. In a plain answer, the latest
    /// place is before the last byte: after it, nothing can go wrong any more.
    pub(super) fn new(
        pieces: &[Piece],
        streamed: bool,
        pace: Pace,
        mishaps: &[(At, Mishap)],
    ) -> Self {
        let ends: Vec<usize> = pieces
            .iter()
            .scan(0, |end, piece| {
                *end += piece.bytes.len();
                Some(*end)
            })
            .collect();
        let length = ends.last().copied().unwrap_or(0);
        let latest = if streamed { length } else { length.saturating_sub(1) };
        let place = |at: &At| match at {
            At::Head => None,
            At::Byte(bytes) => Some((*bytes).min(latest)),
            At::Event(0) => Some(0),
            At::Event(events) => Some(ends.get(events - 1).map_or(latest, |e| (*e).min(latest))),
        };
        let mut mishaps: VecDeque<(usize, Mishap)> =
            mishaps.iter().filter_map(|(at, mishap)| Some((place(at)?, mishap.clone()))).collect();
        mishaps.make_contiguous().sort_by_key(|(place, _)| *place);

        let mut borders: Vec<usize> = match pace.split {
            Some(size) => (0..length).step_by(size.get()).skip(1).collect(),
            None => ends.clone(),
        };
        borders.extend(mishaps.iter().map(|(place, _)| *place));
        borders.push(length);
        borders.sort_unstable();
        borders.dedup();

        let whole: Bytes = pieces.iter().flat_map(|piece| &piece.bytes).copied().collect();
        let mut unsent = pieces.iter().zip(std::iter::once(0).chain(ends)).peekable();
        let mut steps = VecDeque::with_capacity(borders.len() + mishaps.len());
        let mut start = 0;
        for border in borders {
            if border > start {
                // A token is generated before the first byte of its event leaves.
                let mut tokens = 0;
                while let Some((piece, _)) = unsent.next_if(|(_, begin)| *begin < border) {
                    tokens += piece.tokens;
                }
                let bytes = whole.slice(start..border);
                steps.push_back(Step::Write { bytes, tokens });
                start = border;
            }
            while mishaps.front().is_some_and(|(place, _)| *place == border) {
                steps.extend(mishaps.pop_front().map(|(_, mishap)| Step::Mishap(mishap)));
            }
        }
        Self { steps, length }
    }
}

/// Encodes an answer with gzip, each piece flushed.
pub(super) fn gzip(pieces: &mut [Piece]) -> io::Result<()> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    for piece in pieces.iter_mut() {
        encoder.write_all(&piece.bytes)?;
        encoder.flush()?;
        piece.bytes = std::mem::take(encoder.get_mut());
    }
    let trailer = encoder.finish()?;
    if let Some(last) = pieces.last_mut() {
        last.bytes.extend(trailer);
    }
    Ok(())
}

/// Lets a mishap happen: waits, or says how to leave.
pub(super) async fn suffer(mishap: Mishap) -> Result<(), Farewell> {
    match mishap {
        Mishap::Wait(time) => tokio::time::sleep(time).await,
        Mishap::Hold(gate) => gate.opened().await,
        Mishap::Hang => std::future::pending().await,
        Mishap::Close | Mishap::Part => return Err(Farewell::Close),
        Mishap::Reset => return Err(Farewell::Reset),
    }
    Ok(())
}

type Pause = Pin<Box<dyn Future<Output = Result<(), Farewell>> + Send>>;

/// The body of an answer.
pub(super) struct Delivery {
    call: Call,
    plan: Plan,
    gap: Duration,
    pause: Option<Pause>,
}

impl Delivery {
    pub(super) fn new(mut call: Call, plan: Plan, gap: Duration) -> Self {
        if plan.steps.is_empty() {
            call.end();
        }
        Self { call, plan, gap, pause: None }
    }

    /// No body at all.
    pub(super) fn nothing(call: Call) -> Self {
        let plan = Plan { steps: VecDeque::new(), length: 0 };
        Self::new(call, plan, Duration::ZERO)
    }

    /// Between two writes. The yield makes the server flush the first one.
    fn breathe(&mut self) {
        let gap = self.gap;
        self.pause = Some(Box::pin(async move {
            if gap.is_zero() {
                tokio::task::yield_now().await;
            } else {
                tokio::time::sleep(gap).await;
            }
            Ok(())
        }));
    }
}

impl Body for Delivery {
    type Data = Bytes;
    type Error = Farewell;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Farewell>>> {
        loop {
            if let Some(pause) = &mut self.pause {
                let over = ready!(pause.as_mut().poll(cx));
                self.pause = None;
                if let Err(farewell) = over {
                    self.call.end();
                    return Poll::Ready(Some(Err(farewell)));
                }
            }
            match self.plan.steps.pop_front() {
                Some(Step::Write { bytes, tokens }) => {
                    self.call.tokens += tokens;
                    if self.plan.steps.is_empty() {
                        // Before the client can see the end, so that it finds the bill settled.
                        self.call.settle(|usage| usage);
                        self.call.end();
                    } else {
                        self.breathe();
                    }
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                Some(Step::Mishap(mishap)) => self.pause = Some(Box::pin(suffer(mishap))),
                None => return Poll::Ready(None),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::Behaviour;

    /// Two pieces of five bytes and one token each, as `5/1` for each write and `!` for a mishap.
    fn planned(behaviour: &Behaviour, streamed: bool) -> String {
        let piece = |text: &str| Piece { bytes: text.into(), tokens: 1 };
        let pieces = [piece("01234"), piece("56789")];
        let plan = Plan::new(&pieces, streamed, behaviour.pace, &behaviour.mishaps);
        assert_eq!(plan.length, 10);
        let show = |step: &Step| match step {
            Step::Write { bytes, tokens } => format!("{}/{tokens}", bytes.len()),
            Step::Mishap(_) => "!".to_owned(),
        };
        plan.steps.iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn writes_end_at_events_at_sizes_and_at_mishaps() {
        let well = Behaviour::default();
        let hang = |at| Behaviour::default().at(at, Mishap::Hang);
        assert_eq!(planned(&well, true), "5/1 5/1");
        assert_eq!(planned(&well.split(4), true), "4/1 4/1 2/0");
        assert_eq!(planned(&hang(At::Head), true), "5/1 5/1");
        assert_eq!(planned(&hang(At::Byte(0)), true), "! 5/1 5/1");
        assert_eq!(planned(&hang(At::Byte(6)), true), "5/1 1/1 ! 4/0");
        assert_eq!(planned(&hang(At::Event(1)).split(3), true), "3/1 2/0 ! 1/1 3/0 1/0");
        assert_eq!(planned(&hang(At::Byte(99)), true), "5/1 5/1 !");
        assert_eq!(planned(&hang(At::Event(99)), false), "5/1 4/1 ! 1/0");
    }
}
