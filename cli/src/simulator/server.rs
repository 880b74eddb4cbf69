//! The listener, and a call's way through the house. HTTP/1.1 over TCP or TLS.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::World;
use super::behaviour::{Answer, At, Behaviour};
use super::bill::Vendor;
use super::cloud;
use super::delivery::{Call, Delivery, Farewell, Plan, gzip, suffer};
use super::directive;
use super::endpoint::{self, Numbered, Prepared};
use super::gemini;
use super::media;
use super::records::Received;
use super::refusal::Refusal;
use super::socket::{self, Opened};

/// The largest request body taken: above any provider's limit, below what hurts.
const BODY_LIMIT: usize = 64 << 20;

/// Serves until the sender of `stop` is gone.
pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    world: Arc<World>,
    mut stop: watch::Receiver<()>,
) {
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => return,
        };
        match accepted {
            Ok((stream, _)) => {
                // Without it a small write may wait for the client's acknowledgement of the one
                // before.
                let _ = stream.set_nodelay(true);
                let (world, stop) = (Arc::clone(&world), stop.clone());
                let Some(tls) = tls.clone() else {
                    tokio::spawn(connection(stream, world, stop));
                    continue;
                };
                tokio::spawn(async move {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, world, stop).await;
                    }
                });
            }
            // Out of file descriptors, most likely: others must end first.
            Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    }
}

type Answering = Pin<Box<dyn Future<Output = Result<Response<Delivery>, Farewell>> + Send>>;

/// A connection that can be reset instead of closed.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

async fn connection(stream: impl Wire, world: Arc<World>, mut stop: watch::Receiver<()>) {
    let opened = Arc::new(Mutex::new(None));
    let service = {
        let (world, opened) = (Arc::clone(&world), Arc::clone(&opened));
        service_fn(move |request| -> Answering {
            Box::pin(answer(Arc::clone(&world), request, Arc::clone(&opened)))
        })
    };
    let mut http = http1::Builder::new()
        .timer(TokioTimer::new())
        .serve_connection(TokioIo::new(stream), service);
    let mut stopping = false;
    let end = loop {
        tokio::select! {
            end = std::future::poll_fn(|cx| http.poll_without_shutdown(cx)) => break end,
            _ = stop.changed(), if !stopping => {
                stopping = true;
                Pin::new(&mut http).graceful_shutdown();
            }
        }
    };
    let parts = http.into_parts();
    let mut stream = parts.io.into_inner();
    let talk = opened.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let (Some(talk), Ok(())) = (talk, &end) {
        tokio::select! {
            () = socket::talk(talk, stream, parts.read_buf, &world) => {}
            _ = stop.changed() => {}
        }
        return;
    }
    let error = end.err();
    let farewell = error.as_ref().and_then(|error| error.source()?.downcast_ref());
    match farewell {
        Some(Farewell::Reset) => {
            let _ = stream.tcp().set_zero_linger();
            return;
        }
        Some(Farewell::Wire(bytes)) => {
            let _ = stream.write_all(bytes).await;
        }
        Some(Farewell::Close) | None => {}
    }
    let _ = stream.shutdown().await;
}

/// A call from its first byte to the head of its answer.
async fn answer(
    world: Arc<World>,
    request: Request<Incoming>,
    opened: Arc<Mutex<Option<Opened>>>,
) -> Result<Response<Delivery>, Farewell> {
    let (head, body) = request.into_parts();
    let (body, whole) = match Limited::new(body, BODY_LIMIT).collect().await {
        Ok(body) => (body.to_bytes(), true),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => (Bytes::new(), false),
        Err(_) => return Err(Farewell::Close),
    };
    let started = Instant::now();
    let received = Received {
        path: head.uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        method: head.method,
        headers: head.headers,
        body,
        at: SystemTime::now(),
    };
    let number = world.records.receive(received.clone());
    let request_id = format!("req_simulated{number:012}");
    let mut call = Call::new(Arc::clone(&world), request_id.clone());
    let vendor = endpoint::vendor(&received);
    if let Some(answer) = socket::open(&world, &received, &opened) {
        return answer.map(|response| response.map(|()| Delivery::nothing(call)));
    }

    let ordered = ordered(&world, &received);
    let (behaviour, prepared) = match ordered {
        Ok(behaviour) if whole => {
            let created = received.at.duration_since(UNIX_EPOCH).unwrap_or_default();
            let numbered = Numbered { call: &received, number, created: created.as_secs() };
            let prepared = prepare(&world, numbered, &behaviour, vendor);
            (behaviour, prepared)
        }
        Ok(behaviour) => (behaviour, Err(Refusal::of_status(413, vendor))),
        Err(refusal) => (Behaviour::default(), Err(refusal)),
    };
    let mut prepared = prepared.unwrap_or_else(|refusal| {
        let body = refusal.body(vendor, &request_id).to_string();
        Prepared::free(refusal.status, "application/json", body)
    });
    if behaviour.form.gzip {
        gzip(&mut prepared.pieces).map_err(|_| Farewell::Close)?;
    }
    call.owe(prepared.charge.take(), !prepared.streamed);
    for (at, mishap) in &behaviour.mishaps {
        if *at == At::Head {
            suffer(mishap.clone()).await.inspect_err(|_| call.end())?;
        }
    }
    if let Answer::Wire(bytes) = behaviour.answer {
        call.end();
        return Err(Farewell::Wire(bytes));
    }
    let plan = Plan::new(&prepared.pieces, prepared.streamed, behaviour.pace, &behaviour.mishaps);
    let mut response = Response::new(());
    *response.status_mut() =
        StatusCode::from_u16(prepared.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    provider_headers(headers, vendor, &request_id, started.elapsed());
    for (name, value) in cloud::headers(&received, prepared.status) {
        set(headers, name, &value);
    }
    set(headers, CONTENT_TYPE.as_str(), &prepared.content_type);
    if prepared.status == 429 {
        set(headers, "retry-after", "1");
    }
    if prepared.streamed {
        set(headers, "cache-control", "no-cache");
    } else {
        set(headers, CONTENT_LENGTH.as_str(), &plan.length.to_string());
    }
    if behaviour.form.gzip {
        set(headers, "content-encoding", "gzip");
    }
    for (name, value) in &behaviour.headers {
        set(headers, name, value);
    }
    Ok(response.map(|()| Delivery::new(call, plan, behaviour.pace.gap)))
}

/// The one field that an order can be bound to, where the path does not say it.
#[derive(Deserialize)]
struct Named {
    model: String,
}

/// The behaviour that the call itself asks for, or that the script has for it.
fn ordered(world: &World, received: &Received) -> Result<Behaviour, Refusal> {
    if let Some(directives) = received.headers.get(directive::HEADER) {
        let text = directives.to_str().unwrap_or("?");
        return text
            .parse()
            .map_err(|error: super::DirectiveError| Refusal::new(400, error.to_string()));
    }
    let named = serde_json::from_slice::<Named>(&received.body).ok();
    let path_model = gemini::model_in(endpoint::path(received)).map(str::to_owned);
    let path_model = path_model.or_else(|| cloud::model_in(received));
    let model = path_model.or(named.map(|named| named.model));
    Ok(world.script.behaviour(endpoint::path(received), model.as_deref()))
}

fn prepare(
    world: &World,
    call: Numbered<'_>,
    behaviour: &Behaviour,
    vendor: Vendor,
) -> Result<Prepared, Refusal> {
    match &behaviour.answer {
        Answer::Generate => {
            let batch = world.batches.answer(call, vendor, &world.files, &world.records);
            let other = batch.or_else(|| world.files.answer(call, vendor));
            let other = other.or_else(|| media::answer(call, behaviour));
            other.unwrap_or_else(|| endpoint::answer(call, behaviour))
        }
        Answer::Refuse(status) => Err(Refusal::of_status(*status, vendor)),
        Answer::Literal { status, content_type, body } => {
            Ok(Prepared::free(*status, content_type, body.clone()))
        }
        Answer::Wire(_) => Ok(Prepared::free(200, "", Bytes::new())),
    }
}

fn provider_headers(headers: &mut HeaderMap, vendor: Vendor, request_id: &str, took: Duration) {
    match vendor {
        Vendor::OpenAi => {
            set(headers, "x-request-id", request_id);
            set(headers, "openai-organization", "org-simulated");
            set(headers, "openai-version", "2020-10-01");
            set(headers, "openai-processing-ms", &took.as_millis().to_string());
            set(headers, "x-ratelimit-limit-requests", "10000");
            set(headers, "x-ratelimit-remaining-requests", "9999");
            set(headers, "x-ratelimit-reset-requests", "6ms");
            set(headers, "x-ratelimit-limit-tokens", "2000000");
            set(headers, "x-ratelimit-remaining-tokens", "1999000");
            set(headers, "x-ratelimit-reset-tokens", "30ms");
        }
        Vendor::Bedrock => {
            set(headers, "x-amzn-requestid", request_id);
        }
        Vendor::Gemini => {
            set(headers, "x-request-id", request_id);
            set(headers, "server-timing", &format!("gfet4t7; dur={}", took.as_millis()));
            set(headers, "x-gemini-service-tier", "standard");
        }
        Vendor::Anthropic => {
            set(headers, "request-id", request_id);
            set(headers, "anthropic-organization-id", "org-simulated");
            set(headers, "anthropic-ratelimit-requests-limit", "4000");
            set(headers, "anthropic-ratelimit-requests-remaining", "3999");
            set(headers, "anthropic-ratelimit-tokens-limit", "2000000");
            set(headers, "anthropic-ratelimit-tokens-remaining", "1999000");
        }
    }
}

/// Sets a header; one that HTTP cannot carry is left out.
fn set(headers: &mut HeaderMap, name: &str, value: &str) {
    let name = HeaderName::from_bytes(name.as_bytes());
    if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
        headers.insert(name, value);
    }
}
