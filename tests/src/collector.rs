//! A collector of OpenTelemetry, or something in its place that does not behave as one.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Any;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::number_data_point::Value as Number;
use prost::Message;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// How a collector answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// As it should.
    Well,
    /// With this status.
    Status(u16),
    /// With bytes that mean nothing.
    Garbage,
    /// Not at all.
    Silent,
}

/// A collector on a free port, and what it was sent.
pub struct Collector {
    /// Where it listens.
    pub address: SocketAddr,
    taken: Arc<Mutex<Vec<Taken>>>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

/// Attributes by name.
pub type Attributes = BTreeMap<String, Value>;

/// A span.
#[derive(Clone, Debug)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// Its kind, as a number of the protocol: 3 is a client's.
    pub kind: i32,
    /// Its trace, in hexadecimal digits.
    pub trace: String,
    /// The span that it belongs to; empty where there is none.
    pub parent: String,
    /// When it began, in Unix nanoseconds.
    pub begun: u64,
    /// When it ended.
    pub ended: u64,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its events: name and time.
    pub events: Vec<(String, u64)>,
    /// Whether its status is an error.
    pub failed: bool,
    /// Who sent it.
    pub resource: Attributes,
}

/// A point of a sum or a histogram.
#[derive(Clone, Debug)]
pub struct Point {
    /// The metric's name.
    pub metric: String,
    /// Its unit.
    pub unit: String,
    /// The point's attributes.
    pub attributes: Attributes,
    /// The sum.
    pub sum: f64,
    /// How many values; 0 where it is no histogram.
    pub count: u64,
    /// The histogram's bounds.
    pub bounds: Vec<f64>,
}

impl Collector {
    /// Listens on a free port and answers in this manner.
    pub async fn start(manner: Manner) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let taken = Arc::<Mutex<Vec<Taken>>>::default();
        let all = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let all = Arc::clone(&all);
                let service = service_fn(move |request| answer(manner, request, Arc::clone(&all)));
                let served = hyper::server::conn::http1::Builder::new();
                tokio::spawn(served.serve_connection(TokioIo::new(stream), service));
            }
        });
        Self { address, taken }
    }

    /// Its base address, as `OTEL_EXPORTER_OTLP_ENDPOINT` holds it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// All requests until now.
    pub fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// All spans until now.
    pub fn spans(&self) -> Vec<Span> {
        let requests = self.taken().into_iter().filter(|taken| taken.path == "/v1/traces");
        let sent = requests.map(|taken| ExportTraceServiceRequest::decode(taken.body).unwrap());
        let mut spans = Vec::new();
        for of in sent.flat_map(|request| request.resource_spans) {
            let resource = attributes(&of.resource.unwrap().attributes);
            for span in of.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                let events = span.events.into_iter();
                spans.push(Span {
                    name: span.name,
                    kind: span.kind,
                    trace: hex(&span.trace_id),
                    parent: hex(&span.parent_span_id),
                    begun: span.start_time_unix_nano,
                    ended: span.end_time_unix_nano,
                    attributes: attributes(&span.attributes),
                    events: events.map(|event| (event.name, event.time_unix_nano)).collect(),
                    failed: span.status.is_some_and(|status| status.code == 2),
                    resource: resource.clone(),
                });
            }
        }
        spans
    }

    /// All points that were sent last.
    pub fn points(&self) -> Vec<Point> {
        let mut requests = self.taken().into_iter().filter(|taken| taken.path == "/v1/metrics");
        let Some(last) = requests.next_back() else { return Vec::new() };
        let sent = ExportMetricsServiceRequest::decode(last.body).unwrap();
        let scopes = sent.resource_metrics.into_iter().flat_map(|of| of.scope_metrics);
        let mut points = Vec::new();
        for metric in scopes.flat_map(|scope| scope.metrics) {
            let point = |of: &[KeyValue]| Point {
                metric: metric.name.clone(),
                unit: metric.unit.clone(),
                attributes: attributes(of),
                sum: 0.0,
                count: 0,
                bounds: Vec::new(),
            };
            match &metric.data {
                Some(Data::Histogram(histogram)) => {
                    points.extend(histogram.data_points.iter().map(|own| Point {
                        sum: own.sum.unwrap(),
                        count: own.count,
                        bounds: own.explicit_bounds.clone(),
                        ..point(&own.attributes)
                    }));
                }
                Some(Data::Sum(sum)) => points.extend(sum.data_points.iter().map(|own| Point {
                    sum: match own.value.unwrap() {
                        Number::AsInt(value) => value as f64,
                        Number::AsDouble(value) => value,
                    },
                    ..point(&own.attributes)
                })),
                other => panic!("a metric of another kind: {other:?}"),
            }
        }
        points
    }
}

async fn answer(
    manner: Manner,
    request: Request<Incoming>,
    all: Arc<Mutex<Vec<Taken>>>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path().to_owned();
    all.lock().unwrap().push(Taken { path, headers: head.headers, body });
    let mut response = Response::new(Full::default());
    match manner {
        Manner::Well => {}
        Manner::Status(status) => *response.status_mut() = status.try_into().unwrap(),
        Manner::Garbage => *response.body_mut() = Full::from("\u{fffd}<html>no protobuf"),
        Manner::Silent => std::future::pending().await,
    }
    Ok(response)
}

fn attributes(all: &[KeyValue]) -> Attributes {
    all.iter().map(|own| (own.key.clone(), value(own.value.as_ref()))).collect()
}

fn value(own: Option<&AnyValue>) -> Value {
    match own.and_then(|own| own.value.as_ref()) {
        Some(Any::StringValue(text)) => json!(text),
        Some(Any::BoolValue(flag)) => json!(flag),
        Some(Any::IntValue(number)) => json!(number),
        Some(Any::DoubleValue(number)) => json!(number),
        Some(Any::ArrayValue(array)) => array.values.iter().map(|own| value(Some(own))).collect(),
        other => panic!("a value of another kind: {other:?}"),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
