//! Telling the panel what was spent: everything since a lease began, so that the newest report says
//! all that lost ones said.
//!
//! One task makes all reports, one after the other. It looks at the leases every second; which of them
//! it reports, what of them goes back and which report is the last is [`decide`]d without waiting for
//! anything.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use iron_policy::control::{LeaseId, Report, Reports};
use iron_policy::types::NanoUsd;
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

use super::{Core, Terms, expires};
use crate::shared::unix_ms;
use crate::state::{Learned, LeaseRow, LeaseState, Prepare};

/// Reports in one message at most.
const MOST_REPORTS: usize = 500;
/// How long to wait before the panel is asked again that did not answer, at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// An idle lease keeps at least this part of what its last grant brought, for an outage of the panel.
const KEEPS: i64 = 16;

/// A report that somebody waits for.
pub(super) struct Wanted {
    /// Whether the proxy stops: what no call holds goes back.
    pub(super) closing: bool,
    pub(super) answer: oneshot::Sender<Result<(), String>>,
}

/// What the panel was told of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    posted: NanoUsd,
    pending: NanoUsd,
    overrun: NanoUsd,
    returned: NanoUsd,
}

impl Said {
    const fn of(row: &LeaseRow) -> Self {
        let LeaseRow { posted, pending, overrun, returned, .. } = row;
        Self { posted: *posted, pending: *pending, overrun: *overrun, returned: *returned }
    }

    const fn in_report(report: &Report) -> Self {
        let Report { spent, pending, overrun, returned, .. } = report;
        Self { posted: *spent, pending: *pending, overrun: *overrun, returned: *returned }
    }
}

/// What is remembered of a lease between two looks at it.
#[derive(Debug)]
struct Memory {
    /// What the panel has, and since when; none before it has said so in this run.
    said: Option<(Said, Instant)>,
    /// What was spent and held when it last changed, and when that was.
    used: (NanoUsd, NanoUsd, Instant),
}

/// What is looked at when it is decided what to report.
#[derive(Debug, Clone, Copy)]
struct Moment {
    at: Instant,
    unix_ms: i64,
    /// Somebody waits: everything is reported.
    all: bool,
    closing: bool,
    /// The budget's limit was lowered: whoever set it wants it to bind now.
    lowered: bool,
}

/// The task.
pub(super) struct Reporter {
    core: Arc<Core>,
    memory: HashMap<LeaseId, Memory>,
    /// When the panel is asked again that did not answer, and how long the next pause is.
    pause: Option<(Instant, Duration)>,
}

impl Reporter {
    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core, memory: HashMap::new(), pause: None }
    }

    /// Reports until nobody spends by lease any more.
    pub(super) async fn run(mut self, mut wanted: mpsc::UnboundedReceiver<Wanted>) {
        let mut ticks = tokio::time::interval(self.core.terms.report_every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                first = wanted.recv() => {
                    let Some(first) = first else { return };
                    let mut waiting = vec![first];
                    while let Ok(more) = wanted.try_recv() {
                        waiting.push(more);
                    }
                    let closing = waiting.iter().any(|wanted| wanted.closing);
                    let reported = self.round(true, closing).await;
                    for wanted in waiting {
                        let _ = wanted.answer.send(reported.clone());
                    }
                }
                _ = ticks.tick() => {
                    let paused = self.pause.is_some_and(|(until, _)| until > Instant::now());
                    if !paused && let Err(why) = self.round(false, false).await {
                        tracing::debug!(%why, "spending was not reported; it will be");
                    }
                }
            }
        }
    }

    /// Reports what there is to report; what was not heard is in the next round's reports.
    async fn round(&mut self, all: bool, closing: bool) -> Result<(), String> {
        let leases = self.core.ledger.leases().await.map_err(|error| error.to_string())?;
        let (at, unix_ms) = (Instant::now(), unix_ms());
        let moment = Moment { at, unix_ms, all, closing, lowered: false };
        self.remember(&leases, moment.at);
        let lowered = {
            let mut lowered = self.core.lowered.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *lowered)
        };
        let prepare: Vec<Prepare> = leases
            .iter()
            .filter_map(|row| {
                let moment = Moment { lowered: lowered.contains(&row.key.budget), ..moment };
                decide(row, self.memory.get(&row.id)?, moment, &self.core.terms)
            })
            .collect();
        for some in prepare.chunks(MOST_REPORTS) {
            let reports = self.core.ledger.prepare(some.to_vec()).await;
            let reports = reports.map_err(|error| error.to_string())?;
            self.send(Reports { reports }).await?;
        }
        Ok(())
    }

    async fn send(&mut self, reports: Reports) -> Result<(), String> {
        let core = Arc::clone(&self.core);
        let sent = core.clock.now_ms();
        let answer = tokio::time::timeout(core.terms.timeout, core.plane.report(&reports)).await;
        let answer = match answer {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Err(self.failed(&error.to_string())),
            Err(_) => return Err(self.failed("it did not answer in time")),
        };
        core.contact.answered();
        self.pause = None;
        let mut learned = Vec::with_capacity(reports.reports.len());
        let mut missing = 0_usize;
        for report in &reports.reports {
            let Some(kept) = answer.kept.iter().find(|kept| kept.lease == report.lease) else {
                missing += 1;
                continue;
            };
            if kept.sequence >= report.sequence
                && let Some(memory) = self.memory.get_mut(&report.lease)
            {
                memory.said = Some((Said::in_report(report), Instant::now()));
            }
            learned.push(Learned {
                lease: kept.lease.clone(),
                sequence: kept.sequence,
                standing: kept.standing,
                expires: match kept.expires_in_ms {
                    0 => 0,
                    given => expires(sent, given),
                },
                boot: core.clock.boot().to_owned(),
            });
        }
        core.ledger.learn_of_leases(learned).await.map_err(|error| error.to_string())?;
        if missing > 0 {
            return Err(self.failed(&format!("it says nothing of {missing} reports")));
        }
        Ok(())
    }

    fn failed(&mut self, why: &str) -> String {
        self.core.contact.failed(why);
        let pause = self.pause.map_or(self.core.terms.report_every / 2, |(_, pause)| pause * 2);
        let pause = pause.min(LONGEST_PAUSE);
        self.pause = Some((Instant::now() + pause, pause));
        why.to_owned()
    }

    /// Notes which leases were used since the last look, and forgets those that are gone.
    fn remember(&mut self, leases: &[LeaseRow], now: Instant) {
        let there: std::collections::HashSet<&str> =
            leases.iter().map(|row| row.id.as_str()).collect();
        self.memory.retain(|id, _| there.contains(id.as_str()));
        for row in leases {
            let used = (row.posted, row.pending, now);
            let memory =
                self.memory.entry(row.id.clone()).or_insert_with(|| Memory { said: None, used });
            if (memory.used.0, memory.used.1) != (row.posted, row.pending) {
                memory.used = used;
            }
        }
    }
}

/// Which report to make of a lease; none where the panel knows all there is to know.
fn decide(row: &LeaseRow, memory: &Memory, moment: Moment, terms: &Terms) -> Option<Prepare> {
    let over = row.resets_at.is_some_and(|ends| ends <= moment.unix_ms);
    let free = row.pending == NanoUsd::ZERO;
    let last = match row.state {
        LeaseState::Closing => true,
        LeaseState::Taken => free,
        LeaseState::Open => free && (over || moment.closing),
        LeaseState::Stranded => free && over,
        LeaseState::Closed => return None,
    };
    let idle = free && moment.at.duration_since(memory.used.2) >= terms.idle;
    let room = row.room().0.max(0);
    let keeps = (room / 4).max(row.chunk.0 / KEEPS);
    let give_back = match row.state {
        LeaseState::Open if moment.lowered => NanoUsd(room),
        LeaseState::Open if idle => NanoUsd((room - keeps).max(0)),
        _ => NanoUsd::ZERO,
    };
    let news = memory.said.is_none_or(|(said, since)| {
        said != Said::of(row) || moment.at.duration_since(since) >= terms.heartbeat
    });
    let due = moment.all || last || news || give_back > NanoUsd::ZERO;
    due.then(|| Prepare { lease: row.id.clone(), give_back, last })
}
