//! Traces and metrics of calls by OTLP, with the conventions for generative AI.
//!
//! Off unless a standard variable names a collector ([`settings`]). Then the proxy is told of each
//! call that ended ([`Observer`]), and puts it into a queue that never waits: what does not fit is
//! dropped and counted. A task takes calls out, makes a span of each ([`spans`]) and adds it up
//! ([`figures`]). The SDK's own threads send them in batches through [`collector`].
//!
//! A collector that is away, slow or answers nonsense costs memory up to the queues' bounds and
//! nothing else. There are no spans of requests to the panel.

mod collector;
mod figures;
mod names;
mod settings;
mod spans;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use anyhow::{Context, anyhow};
use iron_proxy::observer::{EndedCall, Observer};
use iron_proxy::shared::Shared;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry::{InstrumentationScope, Key, KeyValue};
use opentelemetry_otlp::{
    MetricExporter, Protocol, SpanExporter, WithExportConfig, WithHttpConfig,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use collector::Collector;
use figures::Figures;
pub use settings::{Settings, Signal};

/// How many calls may wait to be made into spans.
const QUEUE: usize = 4_096;
/// How long the end of the process waits for what is still to be sent.
const FLUSH: Duration = Duration::from_secs(3);
/// The service's name where no variable gives it another.
const SERVICE: &str = "iron-cage";
/// What an attribute of the resource is called that no other process has the same value of.
const INSTANCE: &str = "service.instance.id";

/// What is sent to a collector, while the proxy runs.
#[derive(Debug)]
pub struct Telemetry {
    calls: mpsc::Sender<Message>,
    traces: Option<SdkTracerProvider>,
    metrics: Option<SdkMeterProvider>,
}

/// What goes through the queue.
#[derive(Debug)]
enum Message {
    Ended(Box<EndedCall>),
    /// Everything before it has been taken out.
    Finish(oneshot::Sender<()>),
}

/// Puts calls into the queue.
#[derive(Debug)]
struct Queue {
    calls: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
}

impl Observer for Queue {
    fn ended(&self, call: EndedCall) {
        if self.calls.try_send(Message::Ended(Box::new(call))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Telemetry {
    /// Begins to send what the standard variables ask for; none where they ask for nothing.
    ///
    /// What is wrong with them is logged and turns telemetry off: it never keeps a proxy from
    /// starting.
    pub fn of_environment(shared: &Arc<Shared>) -> Option<Self> {
        let settings = Settings::of(|name| std::env::var(name).ok())?;
        match Self::start(shared, &settings) {
            Ok(telemetry) => {
                tracing::info!(
                    traces = telemetry.traces.is_some(),
                    metrics = telemetry.metrics.is_some(),
                    "calls are told to an OpenTelemetry collector"
                );
                Some(telemetry)
            }
            Err(error) => {
                tracing::warn!("no telemetry is sent: {error:#}; correct the OTEL_* variables");
                None
            }
        }
    }

    /// Begins to send. Must be called within a runtime, and once for a proxy.
    pub fn start(shared: &Arc<Shared>, settings: &Settings) -> anyhow::Result<Self> {
        let resource = resource();
        let scope =
            InstrumentationScope::builder(SERVICE).with_version(env!("CARGO_PKG_VERSION")).build();
        let traces = settings.traces.as_ref().map(|signal| traces(signal, &resource));
        let traces = traces.transpose().context("traces")?;
        let metrics = settings.metrics.as_ref().map(|signal| metrics(signal, &resource));
        let metrics = metrics.transpose().context("metrics")?;
        let (calls, queue) = mpsc::channel(QUEUE);
        let dropped = Arc::<AtomicU64>::default();
        let observer = Queue { calls: calls.clone(), dropped: Arc::clone(&dropped) };
        let set = shared.observer.set(Box::new(observer));
        set.map_err(|_| anyhow!("the proxy has an observer already"))?;
        let teller = Teller {
            shared: Arc::downgrade(shared),
            tracer: traces.as_ref().map(|traces| traces.tracer_with_scope(scope.clone())),
            figures: metrics.as_ref().map(|metrics| Figures::of(&metrics.meter_with_scope(scope))),
            dropped,
            told: 0,
        };
        tokio::spawn(teller.run(queue));
        Ok(Self { calls, traces, metrics })
    }

    /// Sends what is still there, for a short time at most: a collector that does not answer keeps
    /// no proxy from ending.
    pub async fn finish(self) {
        let deadline = Instant::now() + FLUSH;
        let Self { calls, traces, metrics } = self;
        let (done, is_done) = oneshot::channel();
        let taken_out = async {
            if calls.send(Message::Finish(done)).await.is_ok() {
                let _ = is_done.await;
            }
        };
        let mut late = timeout_at(deadline, taken_out).await.is_err();
        // The SDK waits in the thread that asks it to end, for longer than may be waited here.
        let traces = traces.map(|traces| aside(move || traces.shutdown_with_timeout(FLUSH)));
        let metrics = metrics.map(|metrics| aside(move || metrics.shutdown_with_timeout(FLUSH)));
        for ended in [traces, metrics].into_iter().flatten() {
            late |= !matches!(timeout_at(deadline, ended).await, Ok(Ok(true)));
        }
        if late {
            tracing::warn!("the collector did not take all telemetry before the end: it is lost");
        }
    }
}

/// Does something that waits in a thread of its own; tells whether it went well.
fn aside<E>(what: impl FnOnce() -> Result<(), E> + Send + 'static) -> oneshot::Receiver<bool> {
    let (done, is_done) = oneshot::channel();
    // Without a thread the other end is dropped, which is an end that did not go well.
    let _ = std::thread::Builder::new().name("telemetry".to_owned()).spawn(move || {
        let _ = done.send(what().is_ok());
    });
    is_done
}

fn traces(signal: &Signal, resource: &Resource) -> anyhow::Result<SdkTracerProvider> {
    let exporter = SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&signal.endpoint)
        .with_timeout(signal.timeout)
        .with_http_client(Collector::new(signal, "traces")?)
        .build()?;
    Ok(SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.clone())
        .build())
}

fn metrics(signal: &Signal, resource: &Resource) -> anyhow::Result<SdkMeterProvider> {
    let exporter = MetricExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(&signal.endpoint)
        .with_timeout(signal.timeout)
        .with_http_client(Collector::new(signal, "metrics")?)
        .build()?;
    Ok(SdkMeterProvider::builder()
        .with_periodic_exporter(exporter)
        .with_resource(resource.clone())
        .build())
}

/// Who sends: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` come first. Sums of two proxies
/// would be taken for one that jumps, if nothing told the two apart.
fn resource() -> Resource {
    let said = Resource::builder().build();
    let name = said.get(&Key::from_static_str("service.name")).map(|name| name.to_string());
    let mut resource = Resource::builder()
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
    if name.is_none_or(|name| name.starts_with("unknown_service")) {
        resource = resource.with_service_name(SERVICE);
    }
    if said.get(&Key::from_static_str(INSTANCE)).is_none() {
        let instance = uuid::Uuid::now_v7().to_string();
        resource = resource.with_attribute(KeyValue::new(INSTANCE, instance));
    }
    resource.build()
}

/// Takes calls out of the queue.
struct Teller {
    shared: Weak<Shared>,
    tracer: Option<SdkTracer>,
    figures: Option<Figures>,
    dropped: Arc<AtomicU64>,
    /// How many of the dropped calls were told of.
    told: u64,
}

impl Teller {
    async fn run(mut self, mut queue: mpsc::Receiver<Message>) {
        while let Some(message) = queue.recv().await {
            match message {
                Message::Ended(call) => self.tell(&call),
                Message::Finish(done) => {
                    self.tell_dropped();
                    // The SDK's ends are dropped before the answer: they keep its threads alive.
                    drop(self);
                    let _ = done.send(());
                    return;
                }
            }
        }
    }

    fn tell(&mut self, call: &EndedCall) {
        if call.other_host {
            // No call of a model, and its name is what some program wrote.
            return;
        }
        let live = self.shared.upgrade().map(|shared| shared.live());
        let name = call.record.upstream.as_ref();
        let upstream = live.zip(name).and_then(|(live, name)| live.upstream(name.as_str()));
        let upstream = upstream.as_ref().map(|upstream| &*upstream.config);
        if let Some(figures) = &mut self.figures {
            figures.add(call, upstream);
        }
        if let Some(tracer) = &self.tracer {
            spans::make(tracer, call, upstream);
        }
        if self.dropped.load(Ordering::Relaxed) > self.told {
            self.tell_dropped();
        }
    }

    fn tell_dropped(&mut self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        let more = dropped - self.told;
        if more == 0 {
            return;
        }
        if self.told == 0 {
            tracing::warn!(
                calls = more,
                "calls end faster than telemetry is made of them: some are not told of"
            );
        }
        self.told = dropped;
        if let Some(figures) = &self.figures {
            figures.dropped(more);
        }
    }
}

#[cfg(test)]
mod tests {
    use iron_policy::types::CallId;
    use iron_proxy::state::CallRecord;

    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted_and_nobody_waits() {
        let (calls, mut queue) = mpsc::channel(2);
        let dropped = Arc::<AtomicU64>::default();
        let observer = Queue { calls, dropped: Arc::clone(&dropped) };
        let call = EndedCall {
            record: CallRecord::new(CallId(1)),
            took: Duration::ZERO,
            at: std::time::SystemTime::UNIX_EPOCH,
            first_chunk: None,
            parent: None,
            other_host: false,
        };
        for _ in 0..5 {
            observer.ended(call.clone());
        }
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
        assert!(queue.try_recv().is_ok());
        observer.ended(call.clone());
        drop(queue);
        observer.ended(call);
        assert_eq!(dropped.load(Ordering::Relaxed), 4);
    }
}
