//! One span of each call, made after its end from what is kept of it.
//!
//! Names, counts, times and money; never a text, a key, or the id of a caller's token. The steps of
//! a call are events of its span. Attributes are those of the convention, and `iron.*` of ours.

use std::time::Duration;

use iron_policy::config::Upstream;
use iron_policy::redact::Kind;
use iron_policy::types::{Name, TokenClass};
use iron_proxy::observer::{EndedCall, TraceParent};
use iron_proxy::state::CallRecord;
use opentelemetry::trace::{
    Event, Span as _, SpanBuilder, SpanContext, SpanKind, Status, TraceContextExt as _, TraceFlags,
    TraceState, Tracer as _,
};
use opentelemetry::{Array, Context, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::SdkTracer;

use super::names;

/// Makes the span of a call that went to this upstream.
pub(super) fn make(tracer: &SdkTracer, call: &EndedCall, upstream: Option<&Upstream>) {
    let record = &call.record;
    let operation = names::operation(record.endpoint);
    let model = names::model(record);
    let name = if model.is_empty() { operation.to_owned() } else { format!("{operation} {model}") };
    let begun = call.at.checked_sub(call.took).unwrap_or(call.at);
    let mut at = begun;
    let events = record.timeline.iter().map(|(step, micros)| {
        let took = Duration::from_micros(u64::from(*micros));
        at = (at + took).min(call.at);
        let took = KeyValue::new("iron.step.duration", took.as_secs_f64());
        Event::new(format!("iron.{step}"), at, vec![took], 0)
    });
    let builder = SpanBuilder {
        events: Some(events.collect()),
        ..SpanBuilder::from_name(name)
            .with_kind(SpanKind::Client)
            .with_start_time(begun)
            .with_attributes(attributes(call, upstream))
    };
    let mut span = tracer.build_with_context(builder, &context(call.parent));
    if names::error(record).is_some() {
        span.set_status(Status::error(""));
    }
    span.end_with_timestamp(call.at);
}

/// The caller's span, as the parent.
fn context(parent: Option<TraceParent>) -> Context {
    let Some(parent) = parent else { return Context::new() };
    let flags = if parent.sampled { TraceFlags::SAMPLED } else { TraceFlags::NOT_SAMPLED };
    let (trace, span) = (parent.trace.into(), parent.span.into());
    let parent = SpanContext::new(trace, span, flags, true, TraceState::NONE);
    Context::new().with_remote_span_context(parent)
}

fn attributes(call: &EndedCall, upstream: Option<&Upstream>) -> Vec<KeyValue> {
    let record = &call.record;
    let mut all = Vec::with_capacity(40);
    let mut put = |key: &'static str, value: Value| all.push(KeyValue::new(key, value));
    let text = |name: &Name| Value::from(name.as_str().to_owned());

    put("gen_ai.operation.name", names::operation(record.endpoint).into());
    if let Some(provider) = names::provider(record, upstream) {
        put("gen_ai.provider.name", provider.into());
    }
    let model = names::model(record);
    if !model.is_empty() {
        put("gen_ai.request.model", model.to_owned().into());
    }
    if record.stream {
        put("gen_ai.request.stream", true.into());
    }
    if let Some((address, port)) = upstream.and_then(names::server) {
        put("server.address", address.into());
        put("server.port", port.into());
    }
    if let Some(agent) = &record.agent {
        put("gen_ai.agent.name", text(agent));
        put("iron.agent", text(agent));
    }
    if let Some(run) = &record.run {
        put("gen_ai.conversation.id", text(run));
        put("iron.run", text(run));
    }
    if let Some(first) = call.first_chunk {
        put("gen_ai.response.time_to_first_chunk", first.as_secs_f64().into());
    }
    for (key, tokens) in usage(record) {
        put(key, number(tokens));
    }
    if record.status != 0 {
        put("http.response.status_code", i64::from(record.status).into());
    }
    if let Some(error) = names::error(record) {
        put("error.type", error.into());
    }

    put("iron.call", record.id.to_string().into());
    put("iron.outcome", record.outcome.name().into());
    put("iron.reason", record.reason.into());
    put("iron.attempt", i64::from(record.attempt).into());
    if let Some(first) = record.first_attempt {
        put("iron.first_attempt", first.to_string().into());
    }
    if let Some(project) = &record.project {
        put("iron.project", text(project));
    }
    if let Some(upstream) = &record.upstream {
        put("iron.upstream", text(upstream));
    }
    put("iron.cost.usd_nano", record.posted.0.into());
    put("iron.reserved.usd_nano", record.reserved.0.into());
    put("iron.estimated", record.estimated.into());
    for (key, kinds, found) in [
        ("iron.findings", "iron.findings.kinds", &record.findings),
        ("iron.answer_findings", "iron.answer_findings.kinds", &record.answer_findings),
    ] {
        put(key, number(found.iter().map(|(_, count)| u64::from(*count)).sum()));
        if !found.is_empty() {
            put(kinds, Value::Array(Array::String(found.iter().map(kind).collect())));
        }
    }
    all
}

fn kind((kind, _): &(Kind, u32)) -> StringValue {
    kind.to_string().into()
}

/// What the provider says was used. Input counts cached tokens, in every dialect; what a class has
/// none of is not said.
fn usage(record: &CallRecord) -> impl Iterator<Item = (&'static str, u64)> {
    let counts = record.usage.map(|usage| {
        let of = |classes: &[TokenClass]| classes.iter().map(|class| usage.of(*class)).sum();
        [
            ("gen_ai.usage.input_tokens", usage.input_tokens()),
            ("gen_ai.usage.output_tokens", usage.output_tokens()),
            (
                "gen_ai.usage.cache_read.input_tokens",
                of(&[TokenClass::CacheRead, TokenClass::AudioCacheRead]),
            ),
            (
                "gen_ai.usage.cache_write.input_tokens",
                of(&[TokenClass::CacheWrite, TokenClass::CacheWrite1h]),
            ),
            ("gen_ai.usage.reasoning.output_tokens", of(&[TokenClass::Reasoning])),
            (
                "gen_ai.usage.audio.input_tokens",
                of(&[TokenClass::AudioInput, TokenClass::AudioCacheRead]),
            ),
            ("gen_ai.usage.audio.output_tokens", of(&[TokenClass::AudioOutput])),
        ]
    });
    let counts = counts.into_iter().flatten().enumerate();
    // The two totals are said also where they are zero.
    counts.filter(|(place, (_, tokens))| *place < 2 || *tokens > 0).map(|(_, count)| count)
}

fn number(count: u64) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}
