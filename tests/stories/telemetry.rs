//! Traces and metrics of calls, as a collector gets them.

use std::time::{Duration, Instant};

use iron_cli::otel::{Settings, Signal, Telemetry};
use iron_cli::simulator::Simulator;
use iron_tests::World;
use iron_tests::binary::Proxy;
use iron_tests::client::{CALLER_KEY, Client, chat_stream, content, message};
use iron_tests::collector::{Collector, Manner, Point, Span};
use iron_tests::world::OPERATOR_KEY;
use serde_json::{Value, json};

const CANARY: &str = "sk-proj-CANARYa8Xk2Qv7Lm4Zr9Tb3Yw6Nc1Pd5Sf0Gh8Jk2Lq7";
const CANARY_MAIL: &str = "canary.of.the.story@example.org";
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

fn settings(url: &str, timeout: Duration) -> Settings {
    let signal = |name| Signal { endpoint: format!("{url}/v1/{name}"), timeout, ca: None };
    Settings { traces: Some(signal("traces")), metrics: Some(signal("metrics")) }
}

/// A world whose calls are told to a collector.
async fn told(lines: &str, collector: &Collector) -> (World, Telemetry) {
    let world = World::with(lines).await;
    let settings = settings(&collector.url(), Duration::from_secs(10));
    let telemetry = Telemetry::start(&world.shared, &settings).unwrap();
    (world, telemetry)
}

#[tokio::test]
async fn a_call_a_stream_and_a_refusal_are_told_as_the_convention_says() {
    let collector = Collector::start(Manner::Well).await;
    let poor = "[[budget]]\nscope = \"agent:poor\"\nwindow = \"day\"\nlimit = \"0.000001 USD\"\n";
    let (world, telemetry) = told(poor, &collector).await;
    let text = format!("key {CANARY} of {CANARY_MAIL}");
    let traced = format!("00-{TRACE}-{PARENT}-01");
    let client = world.client().header("traceparent", &traced);
    let directive = "input=600; cache-read=400; output=40; reasoning=10";
    let agent = client.clone().header("x-iron-agent", "researcher");
    let agent = agent.header("x-iron-project", "atlas").header("x-iron-session", "run-7");
    assert_eq!(agent.header("x-simulate", directive).chat(&text).await.status, 200);
    let directive = "input=10; cache-read=300; cache-write=200; output=20";
    let anthropic = world.anthropic().header("x-simulate", directive);
    assert_eq!(anthropic.post("/v1/messages", &message(&text)).await.status, 200);
    let streamed = chat_stream(&text);
    client.stream("/v1/chat/completions", &streamed).await.rest().await;
    let refused = client.clone().header("x-iron-agent", "poor").chat(&text).await;
    assert_eq!(refused.code(), "insufficient_quota");
    let gemini = "/v1beta/models/gemini-2.5-flash:generateContent";
    let gemini =
        world.gemini().header("x-simulate", "status=503").post(gemini, &content("hi")).await;
    assert_eq!(gemini.status, 503);
    // The headers of others are not believed where they are not as the standard says.
    let odd = traced.to_uppercase();
    assert_eq!(world.client().header("traceparent", &odd).chat("hello").await.status, 200);
    let calls = world.calls().await;
    telemetry.finish().await;

    let spans = collector.spans();
    assert_eq!(spans.len(), calls.len(), "{spans:?}");
    for call in &calls {
        let id = call.id.to_string();
        let span = spans.iter().find(|span| span.attributes["iron.call"] == id).unwrap();
        // Money and states are the ledger's, to the last digit.
        assert_eq!(span.attributes["iron.cost.usd_nano"], call.posted.0);
        assert_eq!(span.attributes["iron.reserved.usd_nano"], call.reserved.0);
        assert_eq!(span.attributes["iron.outcome"], call.outcome);
        assert_eq!(span.attributes["iron.reason"], call.reason);
        assert_eq!(span.attributes["iron.estimated"], call.estimated);
        assert_eq!(span.attributes["iron.agent"], call.agent);
        let steps: Vec<_> = call.timeline.as_object().unwrap().keys().collect();
        let events: Vec<_> =
            span.events.iter().map(|(name, _)| name.replace("iron.", "")).collect();
        assert!(events.iter().eq(steps), "{events:?}");
        assert_eq!(span.kind, 3);
        assert!(span.begun < span.ended);
        assert!(span.events.is_sorted_by_key(|(_, at)| *at), "{:?}", span.events);
        assert!(span.events.iter().all(|(_, at)| (span.begun..=span.ended).contains(at)));
    }
    assert_whole_calls(&spans);
    assert_other_ends(&spans);
    assert_points(&collector.points(), calls.iter().map(|call| call.posted.0).sum());
    assert_silence(&collector);
}

fn find(spans: &[Span], wanted: impl Fn(&Span) -> bool) -> &Span {
    let mut found = spans.iter().filter(|span| wanted(span));
    let first = found.next().unwrap_or_else(|| panic!("{spans:#?}"));
    assert_eq!(found.count(), 0);
    first
}

fn assert_attributes(span: &Span, wanted: &Value) {
    for (name, value) in wanted.as_object().unwrap() {
        let said = span.attributes.get(name).unwrap_or(&Value::Null);
        assert_eq!(said, value, "{name} of {span:#?}");
    }
}

fn assert_whole_calls(spans: &[Span]) {
    let chat = find(spans, |span| span.attributes["iron.agent"] == "researcher");
    assert_eq!(chat.name, "chat gpt-4o-mini");
    assert_eq!((chat.trace.as_str(), chat.parent.as_str()), (TRACE, PARENT));
    assert!(!chat.failed);
    assert_attributes(
        chat,
        &json!({
            "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini", "gen_ai.request.stream": null,
            "gen_ai.agent.name": "researcher", "gen_ai.conversation.id": "run-7",
            "gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 50,
            "gen_ai.usage.cache_read.input_tokens": 400,
            "gen_ai.usage.cache_write.input_tokens": null,
            "gen_ai.usage.reasoning.output_tokens": 10,
            "http.response.status_code": 200, "error.type": null,
            "server.address": "127.0.0.1", "iron.project": "atlas", "iron.run": "run-7",
            "iron.upstream": "openai", "iron.attempt": 1, "iron.findings": 2,
        }),
    );
    let kinds = chat.attributes["iron.findings.kinds"].as_array().unwrap();
    assert!(kinds.contains(&json!("EMAIL")) && kinds.len() == 2, "{kinds:?}");

    // Anthropic counts cached tokens apart; the convention has them all in one.
    let anthropic = find(spans, |span| span.attributes["iron.upstream"] == "anthropic");
    assert_eq!(anthropic.name, "chat claude-haiku-4-5");
    assert_eq!(anthropic.parent, "");
    assert_attributes(
        anthropic,
        &json!({
            "gen_ai.provider.name": "anthropic", "gen_ai.usage.input_tokens": 510,
            "gen_ai.usage.cache_read.input_tokens": 300,
            "gen_ai.usage.cache_write.input_tokens": 200, "gen_ai.usage.output_tokens": 20,
        }),
    );

    let stream = find(spans, |span| span.attributes.contains_key("gen_ai.request.stream"));
    assert_eq!((stream.trace.as_str(), stream.parent.as_str()), (TRACE, PARENT));
    let first = stream.attributes["gen_ai.response.time_to_first_chunk"].as_f64().unwrap();
    assert!(first > 0.0 && first <= (stream.ended - stream.begun) as f64 / 1e9);
    assert!(stream.attributes["gen_ai.usage.input_tokens"].as_u64().unwrap() > 0);
}

fn assert_other_ends(spans: &[Span]) {
    let refused = find(spans, |span| span.attributes["iron.outcome"] == "refused");
    assert_eq!(refused.name, "chat gpt-4o-mini");
    assert_eq!((refused.trace.as_str(), refused.parent.as_str()), (TRACE, PARENT));
    assert!(refused.failed);
    assert_attributes(
        refused,
        &json!({
            "error.type": "budget_exhausted", "http.response.status_code": 402,
            "iron.cost.usd_nano": 0, "gen_ai.usage.input_tokens": null, "iron.agent": "poor",
        }),
    );
    let failed = find(spans, |span| span.attributes["iron.outcome"] == "upstream_error");
    assert_eq!(failed.name, "generate_content gemini-2.5-flash");
    assert!(failed.failed);
    assert_attributes(failed, &json!({"error.type": "503", "gen_ai.provider.name": "gcp.gemini"}));
    let odd = find(spans, |span| {
        span.attributes["iron.upstream"] == "openai"
            && span.trace != TRACE
            && span.attributes["iron.outcome"] == "ok"
    });
    assert_eq!(odd.parent, "");
}

fn assert_points(points: &[Point], spent: i64) {
    let of = |metric: &'static str| points.iter().filter(move |point| point.metric == metric);
    let tokens = of("gen_ai.client.token.usage");
    let read = tokens.clone().find(|point| {
        point.attributes["gen_ai.provider.name"] == "anthropic"
            && point.attributes["gen_ai.token.type"] == "input"
    });
    let read = read.unwrap();
    assert_eq!((read.sum, read.count, read.unit.as_str()), (510.0, 1, "{token}"));
    assert_eq!(read.attributes["gen_ai.request.model"], "claude-haiku-4-5");
    assert_eq!(read.attributes["gen_ai.operation.name"], "chat");
    assert_eq!((read.bounds.len(), read.bounds[3], read.bounds[13]), (14, 64.0, 67_108_864.0));

    let times: Vec<_> = of("gen_ai.client.operation.duration").collect();
    assert_eq!(times.iter().map(|point| point.count).sum::<u64>(), 6);
    assert!(times.iter().all(|point| point.unit == "s" && (point.bounds[13] - 81.92).abs() < 1e-9));
    let errors = times.iter().filter_map(|point| point.attributes.get("error.type"));
    let mut errors: Vec<_> = errors.filter_map(Value::as_str).collect();
    errors.sort_unstable();
    assert_eq!(errors, ["503", "budget_exhausted"]);

    let first = of("gen_ai.client.operation.time_to_first_chunk");
    assert_eq!(first.map(|point| point.count).sum::<u64>(), 1);
    let told: f64 = of("iron.cost").map(|point| point.sum).sum();
    assert!((told - spent as f64).abs() < 0.5, "{told} is not {spent}");
    let of_project = of("iron.cost").find(|point| point.attributes.contains_key("iron.project"));
    assert_eq!(of_project.unwrap().attributes["iron.agent"], "researcher");
    assert_eq!(of("iron.telemetry.dropped").count(), 0);
}

/// Nothing that was sent holds what calls said, or who may say it.
fn assert_silence(collector: &Collector) {
    let holds = |body: &[u8], text: &str| body.windows(text.len()).any(|w| w == text.as_bytes());
    for taken in collector.taken() {
        for secret in [CANARY, CANARY_MAIL, CALLER_KEY, OPERATOR_KEY] {
            assert!(!holds(&taken.body, secret), "{} holds {secret}", taken.path);
        }
    }
}

#[tokio::test]
async fn what_callers_write_for_a_model_is_not_told_unless_it_looks_like_one() {
    let collector = Collector::start(Manner::Well).await;
    let (world, telemetry) = told("", &collector).await;
    for model in [CANARY, "tell me of canary.of.the.story@example.org"] {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
        assert!(world.client().post("/v1/chat/completions", &body).await.status.as_u16() >= 400);
    }
    telemetry.finish().await;
    let spans = collector.spans();
    assert_eq!(spans.len(), 2);
    assert!(spans.iter().all(|span| span.name == "chat other"), "{spans:#?}");
    assert_silence(&collector);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_is_away_slow_or_answers_nonsense_disturbs_no_call() {
    let trouble = [
        None,
        Some(Manner::Status(500)),
        Some(Manner::Status(307)),
        Some(Manner::Garbage),
        Some(Manner::Silent),
    ];
    let worlds = trouble.map(|manner| {
        tokio::spawn(async move {
            let collector = Collector::start(manner.unwrap_or(Manner::Well)).await;
            // Nothing listens on a port that cannot be asked for.
            let url = manner.map_or("http://127.0.0.1:0".to_owned(), |_| collector.url());
            let world = World::plain().await;
            let settings = settings(&url, Duration::from_millis(500));
            let telemetry = Telemetry::start(&world.shared, &settings).unwrap();
            for _ in 0..10 {
                assert_eq!(world.client().chat("hello").await.status, 200);
            }
            let bill = world.provider.bill().total_nano_usd;
            assert_eq!(world.totals().await.posted.0, bill, "{manner:?}");
            let begun = Instant::now();
            telemetry.finish().await;
            assert!(begun.elapsed() < Duration::from_secs(6), "{manner:?}");
            assert_eq!(manner.is_some(), !collector.taken().is_empty(), "{manner:?}");
            assert_eq!(world.client().chat("hello").await.status, 200);
        })
    });
    for world in worlds {
        world.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_standard_variables_turn_telemetry_on() {
    let provider = Simulator::start("127.0.0.1:0".parse().unwrap()).unwrap();
    let collector = Collector::start(Manner::Well).await;
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("iron.toml");
    let upstream = "[[upstream]]\nname = \"openai\"\ndialect = \"openai\"\nbase_url =";
    std::fs::write(&config, format!("{upstream} \"{}\"\n", provider.url())).unwrap();
    let log = folder.path().join("log");
    let url = collector.url();
    let variables = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", url.as_str()),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20key-of-the-collector"),
        ("OTEL_SERVICE_NAME", "cage-of-the-story"),
        ("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=story"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "3600000"),
    ];
    let variables = variables.map(|(name, value)| (name, std::ffi::OsStr::new(value)));
    let state = folder.path().join("state.db");
    let proxy = Proxy::start_logging_with(&config, &state, &log, &variables);
    let text = format!("key {CANARY} of {CANARY_MAIL}");
    for flags in ["01", "00"] {
        let client = Client::new(proxy.address);
        let client = client.header("traceparent", &format!("00-{TRACE}-{PARENT}-{flags}"));
        assert_eq!(client.chat(&text).await.status, 200);
    }
    // What waits is sent before the end.
    assert!(tokio::task::spawn_blocking(|| proxy.terminate()).await.unwrap());

    // A caller that does not record its trace is not recorded; its call counts.
    let spans = collector.spans();
    assert_eq!(spans.len(), 1);
    assert_eq!((spans[0].trace.as_str(), spans[0].parent.as_str()), (TRACE, PARENT));
    assert_eq!(spans[0].resource["service.name"], "cage-of-the-story");
    assert_eq!(spans[0].resource["deployment.environment.name"], "story");
    assert_eq!(spans[0].resource["service.version"], env!("CARGO_PKG_VERSION"));
    assert!(spans[0].resource.contains_key("service.instance.id"));
    let points = collector.points();
    let times = points.iter().filter(|point| point.metric == "gen_ai.client.operation.duration");
    assert_eq!(times.map(|point| point.count).sum::<u64>(), 2);
    let taken = collector.taken();
    assert!(taken.iter().all(|taken| {
        taken.headers["authorization"] == "Bearer key-of-the-collector"
            && taken.headers["content-type"] == "application/x-protobuf"
    }));
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("told to an OpenTelemetry collector"), "{log}");
    for secret in [CANARY, CANARY_MAIL, CALLER_KEY, "key-of-the-collector", TRACE] {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
}
