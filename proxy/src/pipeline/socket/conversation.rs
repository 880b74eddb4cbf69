//! What is known of a conversation of the Realtime API: which responses are open or expected, what
//! was said, and so the most that the next response can cost.

use std::collections::{BTreeMap, VecDeque};

use iron_policy::outline::{ClientEvent, OutputLimit};
use iron_policy::price::{Ask, ModelPrice, NoBound};
use iron_policy::redact::Kind;
use iron_policy::types::NanoUsd;

use super::super::reserve::{CALL_OVERHEAD, LARGEST_WINDOW, OPEN_TIERS};
use super::turn::Turn;

/// What a session's own instructions may take of the context, in tokens, where it has not said yet.
const INSTRUCTIONS: u64 = 8_192;

/// What has happened so far.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent fact of the session")]
pub(super) struct State {
    /// Asked for, and not begun by the upstream; with the event's id.
    pub(super) asked: VecDeque<(String, Turn)>,
    /// Held for a response that voice detection may start.
    pub(super) advance: Option<Turn>,
    /// Begun, by their id.
    pub(super) running: BTreeMap<String, Turn>,
    /// Whether voice detection may start a response. It does until the session says otherwise.
    pub(super) automatic: bool,
    /// The longest answer that the session allows, as the upstream says; none: the model's.
    pub(super) limit: Option<u64>,
    /// Limits that were asked for and not confirmed, the largest; and how many changes are.
    pub(super) asked_limit: Option<OutputLimit>,
    pub(super) changes: u32,
    /// Bytes of text that were sent, and the session's own.
    pub(super) text: u64,
    pub(super) instructions: u64,
    /// Tokens of the answers so far, which are input from then on.
    pub(super) answered: u64,
    /// True once the context holds what cannot be counted: audio, images, templates.
    pub(super) uncounted: bool,
    /// True while voice detection may have heard something since the last response that it began.
    pub(super) heard: bool,
    /// True from the end of a turn of speech until a response begins: it is due.
    pub(super) due: bool,
    /// True once the session may answer silence, for which nothing needs to be heard.
    pub(super) prompts: bool,
    /// True once no further response can be paid for.
    pub(super) over: bool,
    /// Findings in messages since the last request.
    pub(super) found: Vec<(Kind, u32)>,
}

impl State {
    /// Of a conversation in which nothing was said.
    pub(super) const fn new() -> Self {
        Self {
            asked: VecDeque::new(),
            advance: None,
            running: BTreeMap::new(),
            automatic: true,
            limit: None,
            asked_limit: None,
            changes: 0,
            text: 0,
            instructions: INSTRUCTIONS,
            answered: 0,
            uncounted: false,
            heard: false,
            due: false,
            prompts: false,
            over: false,
            found: Vec::new(),
        }
    }

    /// Notes what a message adds to the context, and what it asks of the session.
    pub(super) fn says(&mut self, event: &ClientEvent<'_>, bytes: u64) {
        self.text += bytes.saturating_sub(event.audio_bytes);
        self.uncounted |= event.audio_bytes > 0 || event.hidden_input;
        if event.kind != "response.create"
            && event.session.is_some() | event.kind.starts_with("session.")
        {
            self.changes = self.changes.saturating_add(1);
            self.automatic |= event.detection;
            self.asked_limit = larger(self.asked_limit, event.max_output);
        }
    }

    /// The request that an error is about, where it names one that has not begun.
    pub(super) fn refused(&mut self, about: Option<&str>) -> Option<Turn> {
        let about = about?;
        let place = self.asked.iter().position(|(id, _)| id == about)?;
        self.asked.remove(place).map(|(_, turn)| turn)
    }

    /// The most that the next response can cost.
    pub(super) fn bound(
        &self,
        price: &ModelPrice,
        asked: Option<OutputLimit>,
    ) -> Result<NanoUsd, NoBound> {
        let own = self.limit.map_or(OutputLimit::Model, OutputLimit::Tokens);
        let limit = larger(larger(Some(own), self.asked_limit), asked);
        let max_output = match limit {
            Some(OutputLimit::Tokens(tokens)) => Some(tokens),
            Some(OutputLimit::Model) | None => None,
        };
        let ask = |text, image, audio| Ask {
            input_tokens: text,
            image_tokens: image,
            audio_tokens: audio,
            max_output,
            choices: 1,
            tool_calls: None,
            percent: 100,
            tiers: OPEN_TIERS,
        };
        let window = price.context_window().unwrap_or(LARGEST_WINDOW);
        if self.uncounted {
            let text = price.bound(&ask(window, 0, 0))?;
            let image = price.bound(&ask(0, window, 0))?;
            return Ok(text.max(image).max(price.bound(&ask(0, 0, window))?));
        }
        // What was answered may have been audio, and is audio again when it is read.
        let audio = self.answered.min(window);
        let text = self.text + self.instructions + CALL_OVERHEAD;
        price.bound(&ask(text.min(window - audio), 0, audio))
    }
}

fn larger(one: Option<OutputLimit>, other: Option<OutputLimit>) -> Option<OutputLimit> {
    match (one, other) {
        (Some(OutputLimit::Tokens(one)), Some(OutputLimit::Tokens(other))) => {
            Some(OutputLimit::Tokens(one.max(other)))
        }
        (Some(_), Some(_)) => Some(OutputLimit::Model),
        (one, other) => one.or(other),
    }
}
