//! Batches of both dialects: made, looked at, cancelled, and their results.
//!
//! Each request of a batch is answered by the very endpoint that it names. What all of them cost is
//! charged once for each model, at half the price, when the batch is worked on.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use hyper::{HeaderMap, Method};
use serde_json::{Value, json};

use super::behaviour::Behaviour;
use super::bill::{Model, Usage, Vendor};
use super::endpoint::{self, Numbered, Prepared};
use super::files::Files;
use super::records::{Received, Records};
use super::refusal::Refusal;

/// What becomes of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BatchEnd {
    /// They are worked on at once.
    #[default]
    Completed,
    /// They stay as they are, until they are cancelled.
    Running,
    /// They end with this status, without any work: `failed`, `expired`.
    Nothing(&'static str),
}

#[derive(Debug, Default)]
pub(super) struct Batches {
    end: Mutex<BatchEnd>,
    made: Mutex<BTreeMap<String, Batch>>,
}

#[derive(Clone, Debug)]
struct Batch {
    vendor: Vendor,
    created: u64,
    endpoint: Value,
    input_file: Value,
    status: String,
    output_file: Option<String>,
    error_file: Option<String>,
    /// Requests, those that succeeded, those that failed.
    counts: [usize; 3],
    /// Anthropic's results.
    results: String,
}

/// One request of a batch.
struct Request {
    id: Value,
    path: String,
    body: Value,
}

impl Batches {
    /// What becomes of batches from now on.
    pub(super) fn end(&self, end: BatchEnd) {
        *self.end.lock().unwrap_or_else(PoisonError::into_inner) = end;
    }

    /// The answer to a call about batches; none where it is about something else.
    pub(super) fn answer(
        &self,
        call: Numbered<'_>,
        vendor: Vendor,
        files: &Files,
        records: &Records,
    ) -> Option<Result<Prepared, Refusal>> {
        let path = endpoint::path(call.call);
        let rest = match vendor {
            Vendor::OpenAi => path.strip_prefix("/v1/batches")?,
            Vendor::Anthropic => path.strip_prefix("/v1/messages/batches")?,
            Vendor::Gemini | Vendor::Bedrock => return None,
        };
        let answer = endpoint::authenticate(&call.call.headers, vendor);
        Some(answer.and_then(|()| {
            let rest: Vec<&str> = rest.split('/').skip(1).collect();
            match (&call.call.method, rest.as_slice()) {
                (&Method::POST, []) => self.make(call, vendor, files, records),
                (&Method::GET, []) => Ok(self.list(vendor)),
                (&Method::GET, [id]) => self.shown(id),
                (&Method::POST, [id, "cancel"]) => self.cancel(id),
                (&Method::GET, [id, "results"]) if vendor == Vendor::Anthropic => self.results(id),
                _ => Err(Refusal::new(404, "there is no such path")),
            }
        }))
    }

    fn make(
        &self,
        call: Numbered<'_>,
        vendor: Vendor,
        files: &Files,
        records: &Records,
    ) -> Result<Prepared, Refusal> {
        let body: Value = serde_json::from_slice(&call.call.body)
            .map_err(|_| Refusal::new(400, "the body is not JSON"))?;
        let requests = match vendor {
            Vendor::OpenAi => of_file(&body, files)?,
            Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => of_body(&body)?,
        };
        let end = *self.end.lock().unwrap_or_else(PoisonError::into_inner);
        let mut batch = Batch {
            vendor,
            created: call.created,
            endpoint: body["endpoint"].clone(),
            input_file: body["input_file_id"].clone(),
            status: match end {
                BatchEnd::Completed => "completed".to_owned(),
                BatchEnd::Running => "in_progress".to_owned(),
                BatchEnd::Nothing(status) => status.to_owned(),
            },
            output_file: None,
            error_file: None,
            counts: [requests.len(), 0, 0],
            results: String::new(),
        };
        if end == BatchEnd::Completed {
            batch.work(call, &requests, files, records);
        }
        let sign = if vendor == Vendor::OpenAi { "batch_" } else { "msgbatch_" };
        let id = format!("{sign}simulated{:08}", call.number);
        let shown = batch.object(&id);
        self.made().insert(id, batch);
        Ok(Prepared::json(&shown))
    }

    fn list(&self, vendor: Vendor) -> Prepared {
        let made = self.made();
        let of = made.iter().filter(|(_, batch)| batch.vendor == vendor);
        let data: Vec<Value> = of.map(|(id, batch)| batch.object(id)).collect();
        Prepared::json(&json!({ "object": "list", "data": data, "has_more": false }))
    }

    fn shown(&self, id: &str) -> Result<Prepared, Refusal> {
        let made = self.made();
        let batch = made.get(id).ok_or_else(|| Refusal::new(404, "no such batch"))?;
        Ok(Prepared::json(&batch.object(id)))
    }

    fn cancel(&self, id: &str) -> Result<Prepared, Refusal> {
        let mut made = self.made();
        let batch = made.get_mut(id).ok_or_else(|| Refusal::new(404, "no such batch"))?;
        if batch.status == "in_progress" {
            "cancelled".clone_into(&mut batch.status);
        }
        Ok(Prepared::json(&batch.object(id)))
    }

    fn results(&self, id: &str) -> Result<Prepared, Refusal> {
        let made = self.made();
        let batch = made.get(id).ok_or_else(|| Refusal::new(404, "no such batch"))?;
        Ok(Prepared::free(200, "application/x-jsonl", batch.results.clone()))
    }

    fn made(&self) -> std::sync::MutexGuard<'_, BTreeMap<String, Batch>> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Batch {
    /// Answers every request, writes the results down, and charges for them.
    fn work(&mut self, call: Numbered<'_>, requests: &[Request], files: &Files, records: &Records) {
        let mut used: Vec<(&'static Model, String, Vec<Usage>)> = Vec::new();
        let (mut well, mut badly) = (String::new(), String::new());
        for (place, request) in requests.iter().enumerate() {
            let received = Received {
                method: Method::POST,
                path: request.path.clone(),
                headers: self.headers(),
                body: request.body.to_string().into(),
                at: call.call.at,
            };
            let number = call.number * 1_000 + place as u64;
            let numbered = Numbered { call: &received, number, created: call.created };
            let (status, body) = match endpoint::answer(numbered, &Behaviour::default()) {
                Ok(prepared) => {
                    if let Some(charge) = prepared.charge {
                        match used.iter_mut().find(|(_, name, _)| *name == charge.name) {
                            Some((_, _, usages)) => usages.push(charge.usage),
                            None => used.push((charge.model, charge.name, vec![charge.usage])),
                        }
                    }
                    let bytes: Vec<u8> =
                        prepared.pieces.into_iter().flat_map(|piece| piece.bytes).collect();
                    (200, serde_json::from_slice(&bytes).unwrap_or_default())
                }
                Err(refusal) => (refusal.status, refusal.body(self.vendor, "req_simulated")),
            };
            self.counts[if status == 200 { 1 } else { 2 }] += 1;
            let line = self.line(&request.id, status, &body).to_string() + "\n";
            match self.vendor {
                Vendor::OpenAi if status != 200 => badly.push_str(&line),
                _ => well.push_str(&line),
            }
        }
        for (model, name, usages) in used {
            records.charge_batch(format!("batch-{}-{name}", call.number), name, model, &usages);
        }
        if self.vendor == Vendor::Anthropic {
            self.results = well;
            return;
        }
        let number = call.number;
        if !well.is_empty() {
            let id = format!("file-output{number:08}");
            files.keep(&id, "batch_output.jsonl", call.created, well.into());
            self.output_file = Some(id);
        }
        if !badly.is_empty() {
            let id = format!("file-errors{number:08}");
            files.keep(&id, "batch_error.jsonl", call.created, badly.into());
            self.error_file = Some(id);
        }
    }

    fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let name = if self.vendor == Vendor::OpenAi { "authorization" } else { "x-api-key" };
        headers.insert(name, hyper::header::HeaderValue::from_static("Bearer simulated"));
        headers
    }

    fn line(&self, id: &Value, status: u16, body: &Value) -> Value {
        match self.vendor {
            Vendor::OpenAi => json!({
                "id": "batch_req_simulated",
                "custom_id": id,
                "response": { "status_code": status, "request_id": "req_simulated", "body": body },
                "error": null,
            }),
            _ if status == 200 => json!({
                "custom_id": id, "result": { "type": "succeeded", "message": body },
            }),
            _ => json!({ "custom_id": id, "result": { "type": "errored", "error": body } }),
        }
    }

    fn object(&self, id: &str) -> Value {
        let [total, well, badly] = self.counts;
        match self.vendor {
            Vendor::OpenAi => json!({
                "id": id,
                "object": "batch",
                "endpoint": self.endpoint,
                "errors": null,
                "input_file_id": self.input_file,
                "completion_window": "24h",
                "status": self.status,
                "output_file_id": self.output_file,
                "error_file_id": self.error_file,
                "created_at": self.created,
                "request_counts": { "total": total, "completed": well, "failed": badly },
                "metadata": null,
            }),
            Vendor::Anthropic | Vendor::Gemini | Vendor::Bedrock => {
                let running = self.status == "in_progress";
                let ended = json!("2026-11-25T00:00:00Z");
                let url = format!("https://api.anthropic.com/v1/messages/batches/{id}/results");
                let given_up =
                    if running || self.counts[1] + self.counts[2] > 0 { 0 } else { total };
                json!({
                    "id": id,
                    "type": "message_batch",
                    "processing_status": if running { "in_progress" } else { "ended" },
                    "request_counts": {
                        "processing": if running { total } else { 0 },
                        "succeeded": well,
                        "errored": badly,
                        "canceled": if self.status == "cancelled" { given_up } else { 0 },
                        "expired": if self.status == "expired" { given_up } else { 0 },
                    },
                    "archived_at": null,
                    "cancel_initiated_at": null,
                    "created_at": "2026-11-25T00:00:00Z",
                    "ended_at": if running { Value::Null } else { ended },
                    "expires_at": "2026-11-26T00:00:00Z",
                    "results_url": if running { Value::Null } else { json!(url) },
                })
            }
        }
    }
}

/// The requests of an uploaded file, one a line.
fn of_file(body: &Value, files: &Files) -> Result<Vec<Request>, Refusal> {
    let id = body["input_file_id"].as_str().unwrap_or_default();
    let content = files.content(id).ok_or_else(|| Refusal::new(400, format!("no file {id}")))?;
    let text = String::from_utf8_lossy(&content);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            let line: Value = serde_json::from_str(line)
                .map_err(|_| Refusal::new(400, "a line of the file is not JSON"))?;
            if line["url"] != body["endpoint"] {
                return Err(Refusal::new(400, "a line is for another endpoint"));
            }
            Ok(Request {
                id: line["custom_id"].clone(),
                path: line["url"].as_str().unwrap_or_default().to_owned(),
                body: line["body"].clone(),
            })
        })
        .collect()
}

/// The requests that stand in the body.
fn of_body(body: &Value) -> Result<Vec<Request>, Refusal> {
    let requests = body["requests"].as_array();
    let requests = requests.ok_or_else(|| Refusal::new(400, "requests: Field required"))?;
    let request = |request: &Value| Request {
        id: request["custom_id"].clone(),
        path: "/v1/messages".to_owned(),
        body: request["params"].clone(),
    };
    Ok(requests.iter().map(request).collect())
}
