//! Counters for Prometheus, one handle per time series so that counting is one atomic addition.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use metrics::{Counter, Histogram};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use iron_policy::redact::Kind;
use iron_policy::types::{NanoUsd, Outcome, TokenClass, Usage};

/// The proxy's own recorder: nothing global, so that two proxies in one process do not mix.
pub struct Metrics {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    series: Mutex<HashMap<SeriesKey, Series>>,
    /// By where they were and what they are.
    findings: Mutex<HashMap<(&'static str, Kind), Counter>>,
}

#[derive(PartialEq, Eq, Hash, Clone)]
struct SeriesKey {
    upstream: String,
    outcome: Outcome,
    reason: &'static str,
}

#[derive(Clone)]
struct Series {
    calls: Counter,
    seconds: Histogram,
    spent: Counter,
    input: Counter,
    output: Counter,
    tool_calls: Counter,
}

impl Series {
    fn count(&self, spent: NanoUsd, usage: Option<&Usage>) {
        self.spent.increment(spent.0.max(0) as u64);
        if let Some(usage) = usage {
            self.input.increment(usage.input_tokens());
            self.output.increment(usage.output_tokens());
            self.tool_calls.increment(usage.of(TokenClass::ToolCall));
        }
    }
}

/// Upper bounds in seconds: from an answer out of a cache to a long generation.
const SECONDS: [f64; 12] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A recorder with nothing counted yet.
    pub fn new() -> Self {
        let recorder =
            PrometheusBuilder::new().set_buckets(&SECONDS).unwrap_or_default().build_recorder();
        let handle = recorder.handle();
        Self { recorder, handle, series: Mutex::default(), findings: Mutex::default() }
    }

    /// Counts a call that ended. `upstream` is empty where none was chosen.
    pub fn ended(&self, call: &Ended<'_>) {
        let key = SeriesKey {
            upstream: call.upstream.to_owned(),
            outcome: call.outcome,
            reason: call.reason,
        };
        let series = {
            let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
            series.entry(key).or_insert_with_key(|key| self.register(key)).clone()
        };
        series.calls.increment(1);
        series.seconds.record(call.seconds);
        series.count(call.spent, call.usage);
        self.findings("request", call.findings);
        self.findings("answer", call.answer_findings);
    }

    /// Counts the money of a call that was counted when it was made.
    pub fn settled_later(&self, upstream: &str, spent: NanoUsd, usage: Option<&Usage>) {
        let key =
            SeriesKey { upstream: upstream.to_owned(), outcome: Outcome::Ok, reason: "batch" };
        let series = {
            let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
            series.entry(key).or_insert_with_key(|key| self.register(key)).clone()
        };
        series.count(spent, usage);
    }

    /// Counts a connection through the proxy that ended. Both words are of closed sets.
    pub fn connection(&self, handling: &'static str, outcome: &'static str, sent: u64, got: u64) {
        metrics::with_local_recorder(&self.recorder, || {
            let labels = [("handling", handling), ("outcome", outcome)];
            metrics::counter!("iron_connections_total", &labels).increment(1);
            for (direction, bytes) in [("from_agent", sent), ("to_agent", got)] {
                let labels = [("handling", handling), ("direction", direction)];
                metrics::counter!("iron_connection_bytes_total", &labels).increment(bytes);
            }
        });
    }

    fn findings(&self, place: &'static str, findings: &[(Kind, u32)]) {
        if findings.is_empty() {
            return;
        }
        let mut known = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        for (kind, count) in findings {
            let counter = known.entry((place, *kind)).or_insert_with(|| {
                let labels = [("in", place.to_owned()), ("kind", kind.to_string())];
                metrics::with_local_recorder(&self.recorder, || {
                    metrics::counter!("iron_findings_total", &labels)
                })
            });
            counter.increment(u64::from(*count));
        }
    }

    fn register(&self, key: &SeriesKey) -> Series {
        let labels = [
            ("upstream", key.upstream.clone()),
            ("outcome", key.outcome.name().to_owned()),
            ("reason", key.reason.to_owned()),
        ];
        metrics::with_local_recorder(&self.recorder, || Series {
            calls: metrics::counter!("iron_calls_total", &labels),
            seconds: metrics::histogram!("iron_call_seconds", &labels),
            spent: metrics::counter!("iron_spent_nano_usd_total", &labels),
            input: metrics::counter!("iron_input_tokens_total", &labels),
            output: metrics::counter!("iron_output_tokens_total", &labels),
            tool_calls: metrics::counter!("iron_billed_tool_calls_total", &labels),
        })
    }

    /// The text that Prometheus reads.
    pub fn render(&self) -> String {
        self.handle.run_upkeep();
        self.handle.render()
    }
}

/// What is counted of a call.
#[derive(Debug)]
pub struct Ended<'a> {
    /// The upstream's name.
    pub upstream: &'a str,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, in a few words of a closed set.
    pub reason: &'static str,
    /// From the request's head to the end.
    pub seconds: f64,
    /// What was charged.
    pub spent: NanoUsd,
    /// What was used, where the provider said so.
    pub usage: Option<&'a Usage>,
    /// What was found in the request, by kind.
    pub findings: &'a [(Kind, u32)],
    /// What was found in the answer.
    pub answer_findings: &'a [(Kind, u32)],
}
