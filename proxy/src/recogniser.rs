//! Asks a service for names and places: Presidio's analyzer, or whatever speaks like it.
//!
//! Before a body is redacted, its texts are posted in one request, and each answer is remembered by
//! the text's hash, so that a conversation's history is asked for once. The request has a time
//! limit of its own; what happens when it is not met is the policy's choice. Texts go to the
//! service as they are: it belongs on the same machine, or on one as trusted.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use iron_policy::config::{self, OnFailure};
use iron_policy::redact::{Confidence, Kind, Match, Recognise};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::connect::Network;
use crate::upstream::Connector;

/// Answers that are remembered.
const TEXTS: usize = 10_000;
/// Bytes of an answer.
const LONGEST: usize = 16 << 20;
/// The rule's name in findings.
const RULE: &str = "recogniser";

/// A service at work.
#[derive(Debug)]
pub struct Recogniser {
    config: config::Recogniser,
    address: Uri,
    client: Client<Connector, Full<Bytes>>,
    known: Mutex<HashMap<Mark, Found>>,
}

type Mark = [u8; 32];
type Found = Arc<[Match]>;

/// What the service said of the texts of one call.
#[derive(Debug, Default)]
pub struct Recognised {
    found: HashMap<Mark, Found>,
    whole: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum RecogniserError {
    /// The configured address is none.
    #[error("`{0}` is not a valid address")]
    Address(String),
    /// It cannot be reached, or the connection broke.
    #[error("it cannot be reached: {0}")]
    Connect(String),
    /// It took too long.
    #[error("it did not answer within {0:?}")]
    Late(std::time::Duration),
    /// It answered with an error.
    #[error("it answered with status {0}")]
    Status(u16),
    /// Its answer is not a list of findings for each text.
    #[error("its answer cannot be read: {0}")]
    Answer(String),
}

/// One finding, as the service writes it. Offsets are in characters.
#[derive(Deserialize)]
struct Entity {
    #[serde(rename = "entity_type")]
    name: String,
    start: usize,
    end: usize,
    score: f64,
}

impl Recogniser {
    /// Sets a service up; nothing is dialled yet.
    pub fn new(config: config::Recogniser, network: &Network) -> Result<Self, RecogniserError> {
        let address =
            config.url.parse().map_err(|_| RecogniserError::Address(config.url.clone()))?;
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .build(Connector::new(network, config.timeout));
        Ok(Self { address, client, known: Mutex::default(), config })
    }

    /// Asks about texts. Where the policy is to go on without an answer, there is an empty one.
    pub async fn ask(&self, texts: Vec<String>) -> Result<Recognised, RecogniserError> {
        let mut recognised = Recognised { whole: true, ..Recognised::default() };
        let mut unknown = Vec::new();
        {
            let known = self.known();
            for text in texts.into_iter().filter(|text| is_prose(text)) {
                let mark = mark(&text);
                match known.get(&mark) {
                    Some(found) => {
                        recognised.found.insert(mark, Arc::clone(found));
                    }
                    None => unknown.push((mark, text)),
                }
            }
        }
        if unknown.is_empty() {
            return Ok(recognised);
        }
        let limit = self.config.timeout;
        let asked = tokio::time::timeout(limit, self.post(&unknown)).await;
        match asked.unwrap_or(Err(RecogniserError::Late(limit))) {
            Ok(found) => {
                let mut known = self.known();
                if known.len() + unknown.len() > TEXTS {
                    known.clear();
                }
                for ((mark, _), found) in unknown.into_iter().zip(found) {
                    known.insert(mark, Arc::clone(&found));
                    recognised.found.insert(mark, found);
                }
            }
            Err(error) if self.config.on_failure == OnFailure::Open => {
                tracing::warn!(%error, "the recogniser was not asked: on_failure is open");
                recognised.whole = false;
            }
            Err(error) => return Err(error),
        }
        Ok(recognised)
    }

    async fn post(&self, texts: &[(Mark, String)]) -> Result<Vec<Found>, RecogniserError> {
        let body = serde_json::json!({
            "text": texts.iter().map(|(_, text)| text).collect::<Vec<_>>(),
            "language": self.config.language,
            "score_threshold": self.config.min_score,
            "entities": self.config.kinds.keys().collect::<Vec<_>>(),
        });
        let broken = |error: &dyn std::fmt::Display| RecogniserError::Connect(error.to_string());
        let request = Request::post(self.address.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|error| broken(&error))?;
        let answer = self.client.request(request).await.map_err(|error| broken(&error))?;
        if !answer.status().is_success() {
            return Err(RecogniserError::Status(answer.status().as_u16()));
        }
        let bytes = Limited::new(answer.into_body(), LONGEST)
            .collect()
            .await
            .map_err(|error| RecogniserError::Answer(error.to_string()))?
            .to_bytes();
        let answers: Vec<Vec<Entity>> = serde_json::from_slice(&bytes)
            .map_err(|error| RecogniserError::Answer(error.to_string()))?;
        if answers.len() != texts.len() {
            let (got, wanted) = (answers.len(), texts.len());
            return Err(RecogniserError::Answer(format!("{got} answers for {wanted} texts")));
        }
        let found = |((_, text), entities): (&(Mark, String), Vec<Entity>)| {
            matches(text, &entities, &self.config.kinds, self.config.min_score)
        };
        Ok(texts.iter().zip(answers).map(found).collect())
    }

    /// A panic elsewhere leaves the map whole.
    fn known(&self) -> MutexGuard<'_, HashMap<Mark, Found>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recognised {
    /// True where every text was answered for.
    pub const fn is_whole(&self) -> bool {
        self.whole
    }
}

impl Recognise for Recognised {
    fn find(&self, text: &str, _key: Option<&str>) -> Vec<Match> {
        self.found.get(&mark(text)).map(|found| found.to_vec()).unwrap_or_default()
    }
}

fn mark(text: &str) -> Mark {
    Sha256::digest(text.as_bytes()).into()
}

/// True for a text that can hold a name: it has two letters in a row.
fn is_prose(text: &str) -> bool {
    let letters: Vec<bool> = text.chars().take(10_000).map(char::is_alphabetic).collect();
    letters.windows(2).any(|two| two[0] && two[1])
}

/// The service's findings of the configured kinds, in bytes. What is out of the text is none.
fn matches(
    text: &str,
    entities: &[Entity],
    kinds: &BTreeMap<String, Kind>,
    min_score: f64,
) -> Found {
    let borders: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    entities
        .iter()
        .filter(|entity| entity.score >= min_score)
        .filter_map(|entity| {
            let kind = *kinds.get(&entity.name)?;
            let range = *borders.get(entity.start)?..*borders.get(entity.end)?;
            let found =
                Match { kind, range, rule: RULE, confidence: Confidence::Context, word: None };
            (!found.range.is_empty()).then_some(found)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_become_bytes_and_what_does_not_fit_is_left_out() {
        let kinds = BTreeMap::from([("PERSON".to_owned(), Kind::Person)]);
        let entity =
            |kind: &str, start, end, score| Entity { name: kind.to_owned(), start, end, score };
        let text = "Grüße an Zoë Müller";
        let entities = [
            entity("PERSON", 9, 19, 0.9),
            entity("PERSON", 0, 5, 0.1),
            entity("DATE_TIME", 0, 5, 0.9),
            entity("PERSON", 9, 99, 0.9),
            entity("PERSON", 9, 9, 0.9),
        ];
        let found = matches(text, &entities, &kinds, 0.5);
        assert_eq!(found.len(), 1);
        assert_eq!(&text[found[0].range.clone()], "Zoë Müller");
    }

    #[test]
    fn numbers_and_marks_are_not_asked_about() {
        assert!(is_prose("Zoë") && is_prose("1 李明"));
        assert!(!is_prose("1 + 2 = 3") && !is_prose("") && !is_prose("a 1 b"));
    }
}
