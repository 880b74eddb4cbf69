//! Calls added up: the convention's histograms of tokens and times, and what calls cost.
//!
//! Names that callers choose have a series of their own only up to a number; the rest is "other".

use iron_policy::config::Upstream;
use iron_policy::types::{Name, Outcome};
use iron_proxy::observer::EndedCall;
use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Histogram, Meter};

use super::names::{self, Known};

/// Models that have series of their own.
const MOST_MODELS: usize = 100;
/// Agents, and projects, that have series of their own.
const MOST_CALLERS: usize = 100;

/// Bounds that the convention gives for tokens.
const TOKENS: [f64; 14] = [
    1.0,
    4.0,
    16.0,
    64.0,
    256.0,
    1_024.0,
    4_096.0,
    16_384.0,
    65_536.0,
    262_144.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Bounds that it gives for times, in seconds.
const SECONDS: [f64; 14] =
    [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];

/// The instruments, and the names that have series.
pub(super) struct Figures {
    tokens: Histogram<u64>,
    duration: Histogram<f64>,
    first_chunk: Histogram<f64>,
    cost: Counter<u64>,
    dropped: Counter<u64>,
    models: Known,
    agents: Known,
    projects: Known,
}

impl Figures {
    pub(super) fn of(meter: &Meter) -> Self {
        Self {
            tokens: meter
                .u64_histogram("gen_ai.client.token.usage")
                .with_description("Number of input and output tokens used.")
                .with_unit("{token}")
                .with_boundaries(TOKENS.to_vec())
                .build(),
            duration: meter
                .f64_histogram("gen_ai.client.operation.duration")
                .with_description("GenAI operation duration.")
                .with_unit("s")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            first_chunk: meter
                .f64_histogram("gen_ai.client.operation.time_to_first_chunk")
                .with_description("Time to receive the first chunk of a stream.")
                .with_unit("s")
                .with_boundaries(SECONDS.to_vec())
                .build(),
            cost: meter
                .u64_counter("iron.cost")
                .with_description("What calls were charged, in billionths of a US dollar.")
                .with_unit("{nano_usd}")
                .build(),
            dropped: meter
                .u64_counter("iron.telemetry.dropped")
                .with_description("Calls that no telemetry was made of.")
                .with_unit("{call}")
                .build(),
            models: Known::up_to(MOST_MODELS),
            agents: Known::up_to(MOST_CALLERS),
            projects: Known::up_to(MOST_CALLERS),
        }
    }

    /// Adds a call that went to this upstream.
    pub(super) fn add(&mut self, call: &EndedCall, upstream: Option<&Upstream>) {
        let record = &call.record;
        let mut shared =
            vec![KeyValue::new("gen_ai.operation.name", names::operation(record.endpoint))];
        if let Some(provider) = names::provider(record, upstream) {
            shared.push(KeyValue::new("gen_ai.provider.name", provider));
        }
        let model = names::model(record);
        if !model.is_empty() {
            let model = self.models.of(model, record);
            shared.push(KeyValue::new("gen_ai.request.model", model));
        }
        if let Some((address, port)) = upstream.and_then(names::server) {
            shared.push(KeyValue::new("server.address", address));
            shared.push(KeyValue::new("server.port", port));
        }
        let with = |more: Option<KeyValue>| -> Vec<KeyValue> {
            shared.iter().cloned().chain(more).collect()
        };

        let error = names::error(record).map(|error| KeyValue::new("error.type", error));
        self.duration.record(call.took.as_secs_f64(), &with(error));
        if let (Some(first), true) = (call.first_chunk, record.stream) {
            self.first_chunk.record(first.as_secs_f64(), &shared);
        }
        if let Some(usage) = &record.usage {
            for (kind, count) in
                [("input", usage.input_tokens()), ("output", usage.output_tokens())]
            {
                if count > 0 {
                    let kind = KeyValue::new("gen_ai.token.type", kind);
                    self.tokens.record(count, &with(Some(kind)));
                }
            }
        }
        let cost = u64::try_from(record.posted.0).unwrap_or_default();
        if cost == 0 && record.outcome != Outcome::Ok {
            return;
        }
        let mut by_caller = with(None);
        let named = |name: Option<&Name>, known: &mut Known| {
            name.map(|name| known.of(name.as_str(), record))
        };
        if let Some(agent) = named(record.agent.as_ref(), &mut self.agents) {
            by_caller.push(KeyValue::new("iron.agent", agent));
        }
        if let Some(project) = named(record.project.as_ref(), &mut self.projects) {
            by_caller.push(KeyValue::new("iron.project", project));
        }
        by_caller.push(KeyValue::new("iron.estimated", record.estimated));
        self.cost.add(cost, &by_caller);
    }

    /// Counts calls that no telemetry was made of.
    pub(super) fn dropped(&self, calls: u64) {
        self.dropped.add(calls, &[]);
    }
}
