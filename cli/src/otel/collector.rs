//! The way to a collector: requests of the SDK over the project's own HTTP client.
//!
//! The SDK asks from threads that have no runtime, so each request is a task of the proxy's. No
//! redirect is followed, an answer is read up to a bound, and all of it has one limit of time. That a
//! collector does not take what it is sent is logged once, then at most once a minute.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response, ResponseBodyTooLarge};
use tokio::runtime::Handle;

use super::settings::Signal;
use crate::remote::https::{self, Pool};

/// The longest answer that is read, in bytes; what the SDK's own clients read.
const LARGEST: usize = 4 << 20;
/// How often a collector that takes nothing is logged.
const QUIET: Duration = Duration::from_mins(1);

/// Where one kind of telemetry goes.
pub(super) struct Collector {
    pool: Pool,
    runtime: Handle,
    timeout: Duration,
    signal: &'static str,
    /// When it was last logged that nothing is taken; none while all is well.
    ailing: Mutex<Option<Instant>>,
}

impl Collector {
    pub(super) fn new(to: &Signal, signal: &'static str) -> anyhow::Result<Self> {
        Ok(Self {
            pool: https::pool(to.ca.as_deref())?,
            runtime: Handle::try_current()?,
            timeout: to.timeout,
            signal,
            ailing: Mutex::default(),
        })
    }

    fn note(&self, why: Option<&str>) {
        let mut ailing = self.ailing.lock().unwrap_or_else(PoisonError::into_inner);
        match why {
            None if ailing.take().is_some() => {
                tracing::info!("the collector takes {} again", self.signal);
            }
            Some(why) if ailing.is_none_or(|since| since.elapsed() >= QUIET) => {
                *ailing = Some(Instant::now());
                tracing::warn!(
                    "the collector does not take {}: {why}; calls go on, and what it does not take \
                     in time is dropped",
                    self.signal
                );
            }
            _ => {}
        }
    }
}

impl fmt::Debug for Collector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collector").field("signal", &self.signal).finish_non_exhaustive()
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (pool, timeout) = (self.pool.clone(), self.timeout);
        let exchange = async move {
            let answer = pool.request(request.map(Full::new)).await?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, LARGEST).collect().await.map_err(|error| {
                let too_large = error.is::<LengthLimitError>();
                if too_large { ResponseBodyTooLarge::new().into() } else { error }
            })?;
            Ok::<_, HttpError>(Response::from_parts(head, body.to_bytes()))
        };
        // The timer too is made where there is a runtime.
        let task = self.runtime.spawn(async move { tokio::time::timeout(timeout, exchange).await });
        let answer = match task.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(format!("no answer within {timeout:?}").into()),
            Err(_) => Err("the proxy is ending".into()),
        };
        match &answer {
            Ok(answer) if answer.status().is_success() => self.note(None),
            Ok(answer) => self.note(Some(&format!("it answers {}", answer.status()))),
            Err(error) => self.note(Some(&https::causes(error.as_ref()))),
        }
        answer
    }
}
