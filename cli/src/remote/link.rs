//! The way to a panel: over HTTPS to a server, or straight into the one in this process. The requests
//! and the answers are the same.

use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HOST, HeaderName};
use hyper::{Method, Request};
use iron_panel::Panel;
use iron_panel::api::access::Trusted;
use iron_panel::api::router;
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt;

use super::https::{AskError, Https, Reply};

/// A way to a panel. Clones are the same one.
#[derive(Clone, Debug)]
pub enum Link {
    /// Over the network.
    Remote(Arc<Https>),
    /// In this process.
    Here(Arc<Here>),
}

/// A panel in this process, and who asks it.
#[derive(Debug)]
pub struct Here {
    router: axum::Router,
    who: Trusted,
}

impl Link {
    /// To a panel in this process, as this principal.
    pub fn here(panel: &Panel, who: Trusted) -> Self {
        Self::Here(Arc::new(Here { router: router(panel), who }))
    }

    /// Sends a request, and reads the whole answer within a time.
    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, String)],
        body: Option<Bytes>,
        within: Duration,
    ) -> Result<Reply, AskError> {
        let here = match self {
            Self::Remote(https) => return https.ask(method, path, headers, body, within).await,
            Self::Here(here) => here,
        };
        let base = "this process".to_owned();
        let unreachable =
            |why: String| AskError::Unreachable { base: "this process".to_owned(), why };
        let mut request = Request::builder().method(method).uri(path).header(HOST, "localhost");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let mut request = request
            .body(axum::body::Body::new(Full::new(body.unwrap_or_default())))
            .map_err(|error| unreachable(error.to_string()))?;
        request.extensions_mut().insert(here.who.clone());
        let answer = async {
            // A router never fails.
            let Ok(response) = here.router.clone().oneshot(request).await;
            let (parts, body) = response.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok::<_, String>(Reply { status: parts.status, headers: parts.headers, body })
        };
        match tokio::time::timeout(within, answer).await {
            Ok(answer) => answer.map_err(unreachable),
            Err(_) => Err(AskError::Slow { base, within }),
        }
    }
}

/// How long a command waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

impl Link {
    /// What a panel answers to this; a refusal is an error with the panel's own words.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        headers: &[(HeaderName, String)],
        body: Option<&(impl Serialize + Sync)>,
    ) -> anyhow::Result<Reply> {
        let body = body.map(serde_json::to_vec).transpose()?.map(Bytes::from);
        let reply = self.ask(method, path, headers, body, PATIENCE).await?;
        if reply.status.is_success() {
            return Ok(reply);
        }
        let problem = reply.json();
        Err(match (problem["code"].as_str(), problem["detail"].as_str()) {
            (Some(code), Some(detail)) => anyhow!("{detail} ({code})"),
            _ => anyhow!("the panel answered {}: is this the address of a panel?", reply.status),
        })
    }

    /// Reads something.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        Ok(self.call(Method::GET, path, &[], None::<&Value>).await?.json())
    }

    /// Creates something, once: who sends it again after no answer came gets the same answer.
    pub async fn post(&self, path: &str, body: &(impl Serialize + Sync)) -> anyhow::Result<Value> {
        let key = iron_panel::store::id("cli");
        let headers = [(HeaderName::from_static("idempotency-key"), key)];
        Ok(self.call(Method::POST, path, &headers, Some(body)).await?.json())
    }

    /// Changes something, as it is now.
    pub async fn change(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> anyhow::Result<Value> {
        let now = self.call(Method::GET, path, &[], None::<&Value>).await?;
        let version = now.headers.get(hyper::header::ETAG).and_then(|tag| tag.to_str().ok());
        let headers: Vec<_> =
            version.map(|tag| (hyper::header::IF_MATCH, tag.to_owned())).into_iter().collect();
        Ok(self.call(method, path, &headers, body).await?.json())
    }

    /// All items of a list, page by page, `most` at most.
    pub async fn list(&self, path: &str, most: usize) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor = None::<String>;
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                None => self.get(&format!("{path}{sign}limit=200")).await?,
                Some(next) => self.get(&format!("{path}{sign}limit=200&cursor={next}")).await?,
            };
            items.extend(page["items"].as_array().into_iter().flatten().cloned());
            cursor = page["next"].as_str().map(str::to_owned);
            if cursor.is_none() || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
        }
    }
}
