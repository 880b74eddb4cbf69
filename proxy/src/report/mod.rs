//! Telling the panel which calls there were: each once in effect, in the order of the journal.
//!
//! What is to be told is in the state file's outbox, which the journal fills by itself; a batch goes
//! from there to the panel, and out of it once the panel has said that it is on record. So nothing is
//! lost by a kill, by a day without the panel or by answers that make no sense; what is sent twice
//! is known there by its id. A record that the panel will never take is set aside, so that those
//! behind it go on. Nothing here is waited for by a call, and none costs a write of its own.
//!
//! Breakers are told as they are now: what one was meanwhile is in the records of its calls.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use iron_policy::breaker::State;
use iron_policy::control::{Batch, BreakerRecord};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use crate::control_plane::{ControlError, ControlPlane};
use crate::shared::{Shared, unix_ms};
use crate::state::{Ledger, ReserveError, Told};

/// The times that records are told by.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often it is looked whether there is something to tell.
    pub every: Duration,
    /// How long the panel may take for a batch.
    pub timeout: Duration,
    /// How long what is left may take when the proxy stops.
    pub patience: Duration,
    /// The longest pause after the panel did not answer.
    pub longest_pause: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_millis(500),
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(3),
            longest_pause: Duration::from_secs(15),
        }
    }
}

/// Records in a batch: no panel takes more.
const MOST_RECORDS: usize = 500;
/// What a panel says of a batch that it will not take as it is, whenever it comes.
const UNFIT: [&str; 3] = ["record_refused", "invalid_request", "body_too_large"];

/// Tells a panel of the calls of one proxy, until it is dropped.
#[derive(Debug)]
pub struct Records(mpsc::UnboundedSender<oneshot::Sender<bool>>, Duration);

impl Records {
    /// Begins to tell of every call that ends from now on, and of those that an earlier run of this
    /// proxy did not get to tell. `shared` is whose breakers are told; none tells none.
    pub async fn start(
        ledger: Ledger,
        plane: Arc<dyn ControlPlane>,
        shared: Weak<Shared>,
        pace: Pace,
    ) -> Result<Self, ReserveError> {
        ledger.tell_panel(true).await?;
        let (flush, flushes) = mpsc::unbounded_channel();
        let teller = Teller {
            ledger,
            plane,
            shared,
            pace,
            most: MOST_RECORDS,
            breakers: HashMap::new(),
            pause: None,
        };
        tokio::spawn(teller.run(flushes));
        Ok(Self(flush, pace.patience))
    }

    /// Tells all that there is to tell. False where that did not work in the time that a stop has for
    /// it: the next start goes on from there.
    pub async fn flush(&self) -> bool {
        let (answer, done) = oneshot::channel();
        if self.0.send(answer).is_err() {
            return false;
        }
        matches!(tokio::time::timeout(self.1, done).await, Ok(Ok(true)))
    }
}

/// By upstream and lane.
type Breakers = HashMap<(String, String), &'static str>;

struct Teller {
    ledger: Ledger,
    plane: Arc<dyn ControlPlane>,
    shared: Weak<Shared>,
    pace: Pace,
    /// How many records the next batch has: fewer after one was not taken as it was.
    most: usize,
    /// Which breakers the panel knows not to be closed.
    breakers: Breakers,
    /// When the panel is asked again that did not answer, and how long that pause was.
    pause: Option<(Instant, Duration)>,
}

/// What came of a batch.
enum Sent {
    /// There may be more.
    All,
    /// There was nothing (more) to tell.
    Nothing,
}

impl Teller {
    async fn run(mut self, mut flushes: mpsc::UnboundedReceiver<oneshot::Sender<bool>>) {
        let mut ticks = tokio::time::interval(self.pace.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                flush = flushes.recv() => {
                    let Some(flush) = flush else { return };
                    self.ledger.flush().await;
                    let told = self.tell_all().await;
                    let _ = flush.send(told);
                }
                _ = ticks.tick() => {
                    if self.pause.is_none_or(|(until, _)| until <= Instant::now()) {
                        self.tell_all().await;
                    }
                }
            }
        }
    }

    /// Tells what there is, batch by batch. False where the panel did not take it.
    async fn tell_all(&mut self) -> bool {
        loop {
            match self.tell_some().await {
                Ok(Sent::All) => self.pause = None,
                Ok(Sent::Nothing) => return true,
                Err(why) => {
                    let pause = self.pause.map_or(self.pace.every / 2, |(_, pause)| pause * 2);
                    let pause = pause.min(self.pace.longest_pause);
                    if self.pause.is_none() {
                        tracing::warn!(%why, "the panel was not told of calls; it will be");
                    }
                    self.pause = Some((Instant::now() + pause, pause));
                    return false;
                }
            }
        }
    }

    async fn tell_some(&mut self) -> Result<Sent, String> {
        self.tell_breakers().await?;
        let outbox = self.ledger.outbox(self.most).await.map_err(|error| error.to_string())?;
        let Some(last) = outbox.records.last().map(|(sequence, _)| *sequence) else {
            return Ok(Sent::Nothing);
        };
        let mut batch = Batch::default();
        for (_, told) in &outbox.records {
            match told {
                Told::Call(call) => batch.calls.push((**call).clone()),
                Told::Extra(extra) => batch.extra.push(extra.clone()),
                Told::Nothing => {}
            }
        }
        let refused = match self.send(&batch).await {
            Ok(()) => {
                self.most = (self.most * 2).min(MOST_RECORDS);
                Vec::new()
            }
            // Half of it, and so on down to the one record that is at fault.
            Err(Failed::Unfit(_)) if self.most > 1 => {
                self.most = (outbox.records.len() / 2).max(1);
                return Ok(Sent::All);
            }
            Err(Failed::Unfit(why)) => {
                tracing::error!(
                    %why, record = last,
                    "the panel refuses this record for good: it stays in the state file, untold"
                );
                self.most = MOST_RECORDS;
                vec![last]
            }
            Err(Failed::Later(why)) => return Err(why),
        };
        self.ledger.told(last, refused).await.map_err(|error| error.to_string())?;
        Ok(Sent::All)
    }

    async fn tell_breakers(&mut self) -> Result<(), String> {
        let now = self.standing();
        let breakers = changed(&self.breakers, &now);
        if !breakers.is_empty() {
            match self.send(&Batch { breakers, ..Batch::default() }).await {
                Ok(()) => {}
                // They are told again when they change; calls do not wait for that.
                Err(Failed::Unfit(why)) => tracing::warn!(%why, "the panel takes no breakers"),
                Err(Failed::Later(why)) => return Err(why),
            }
            self.breakers = now;
        }
        Ok(())
    }

    async fn send(&self, batch: &Batch) -> Result<(), Failed> {
        let records = (batch.calls.len() + batch.extra.len() + batch.breakers.len()) as u64;
        if records == 0 {
            return Ok(());
        }
        match tokio::time::timeout(self.pace.timeout, self.plane.ingest(batch)).await {
            // Who says that it took less than there is has not understood.
            Ok(Ok(taken)) if taken.new.saturating_add(taken.known) < records => Err(Failed::Later(
                format!("it took {} of {records} records", taken.new.saturating_add(taken.known)),
            )),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(ControlError::Refused { code, detail })) if UNFIT.contains(&code.as_str()) => {
                Err(Failed::Unfit(detail))
            }
            Ok(Err(error)) => Err(Failed::Later(error.to_string())),
            Err(_) => Err(Failed::Later("the panel did not answer in time".to_owned())),
        }
    }

    /// The breakers that are not closed now.
    fn standing(&self) -> Breakers {
        let mut standing = Breakers::new();
        let Some(shared) = self.shared.upgrade() else { return self.breakers.clone() };
        for upstream in shared.live().upstreams() {
            let (whole, models) = upstream.state();
            let lanes = std::iter::once((String::new(), whole)).chain(models);
            for (lane, state) in lanes.filter(|(_, state)| *state != State::Closed) {
                standing.insert((upstream.name().to_owned(), lane), name(state));
            }
        }
        standing
    }
}

enum Failed {
    /// It is the batch's fault.
    Unfit(String),
    /// It is not.
    Later(String),
}

const fn name(state: State) -> &'static str {
    match state {
        State::Closed => "closed",
        State::Open { .. } => "open",
        State::HalfOpen => "half_open",
    }
}

/// What changed between what the panel knows and what is; what is no more is closed.
fn changed(known: &Breakers, now: &Breakers) -> Vec<BreakerRecord> {
    let at = unix_ms();
    let record = |(upstream, lane): &(String, String), state: &str| BreakerRecord {
        upstream: upstream.clone(),
        lane: lane.clone(),
        state: state.to_owned(),
        at,
    };
    let closed = known.keys().filter(|lane| !now.contains_key(*lane));
    let closed = closed.map(|lane| record(lane, "closed"));
    let other = now.iter().filter(|(lane, state)| known.get(*lane) != Some(state));
    closed.chain(other.map(|(lane, state)| record(lane, state))).take(MOST_RECORDS).collect()
}
