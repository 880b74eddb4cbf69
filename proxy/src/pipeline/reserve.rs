//! Step 6: the most that the call can cost, held in every budget it touches, on disk.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, header};
use iron_policy::budget::{Hold as BudgetHold, Subject, Window};
use iron_policy::outline::{Endpoint, MediaAsk, Outline};
use iron_policy::price::{Ask, ModelPrice, ServiceTier, media as images};
use iron_policy::redact::{Edit, Vault, splice};
use iron_policy::types::{Dialect, Name, NanoUsd};

use super::decode::{Content, Payload, Upload};
use super::follow::Follow;
use super::identify::Identified;
use super::redact::Redacted;
use super::{Halt, Stopped, batch, media};
use crate::live::Live;
use crate::state::{Exhausted, LeaseHold, ReserveError, Source};
use crate::stream::Cap;
use crate::tokens::TokenRefused;
use crate::upstream::Upstream;

/// A call that is paid for: what leaves now is covered by a committed reservation.
#[derive(Debug)]
pub(super) struct Reserved {
    pub(super) call: Identified,
    /// The bytes to send.
    pub(super) body: Bytes,
    pub(super) endpoint: Option<Endpoint>,
    pub(super) vault: Arc<Vault>,
    /// True where the caller did not ask for the usage event that will come.
    pub(super) hide_usage: bool,
}

/// What providers put around a conversation, in tokens: well above what any documents, and above the
/// bytes of a limit on output that is still to be written.
pub(super) const CALL_OVERHEAD: u64 = 128;
/// No model reads more than this at once; for models whose window the list does not say.
pub(super) const LARGEST_WINDOW: u64 = 2_000_000;
/// What a call costs of its list price where it is kept in a region.
pub(super) const REGIONAL_PERCENT: u64 = 110;
/// Tiers whose prices are known. A dearer one, like `ultrafast`, has no bound here.
const KNOWN_TIERS: [&str; 8] =
    ["auto", "default", "flex", "priority", "fast", "standard", "standard_only", "on_demand"];
/// What a provider adds to explain tools to the model. Anthropic documents up to 804 tokens for
/// its system prompt and up to 735 for one of its own tools (docs, "Tool use", pricing).
const TOOLS_OVERHEAD: u64 = 1_024;

/// Reserves, or refuses with what is left.
pub(super) async fn reserve(live: &Arc<Live>, redacted: Redacted) -> Result<Reserved, Box<Halt>> {
    let Redacted { mut call, payload, edits, vault } = redacted;
    let content = match &*payload {
        Payload::Document(content) => content,
        other => {
            let body = match other {
                Payload::Upload(Upload { parts, encoded, paid: Some((endpoint, ask)) }) => {
                    let added = edits.iter().map(|edit| edit.with.len() as u64).sum::<u64>();
                    let ask = MediaAsk { text_bytes: ask.text_bytes + added, ..ask.clone() };
                    if let Err(why) = media::hold(live, &mut call, *endpoint, &ask).await {
                        return Err(call.ticket.halt(why));
                    }
                    let plain = parts.borrow_owner();
                    let body = outgoing(&mut call, plain, encoded.as_ref(), &edits);
                    call.ticket.mark("reserve");
                    let endpoint = Some(*endpoint);
                    return Ok(Reserved { call, body, endpoint, vault, hide_usage: false });
                }
                Payload::Upload(Upload { parts, encoded, paid: None }) => {
                    let plain = parts.borrow_owner();
                    let requests = if edits.is_empty() {
                        batch::of_upload(live, &call, plain)
                    } else {
                        batch::of_upload(live, &call, &splice(plain, &edits))
                    };
                    if let Some(requests) = requests {
                        call.ticket.follow = Follow::File(requests);
                    }
                    outgoing(&mut call, plain, encoded.as_ref(), &edits)
                }
                _ => Bytes::new(),
            };
            return Ok(Reserved { call, body, endpoint: None, vault, hide_usage: false });
        }
    };
    let endpoint = content.endpoint;
    let outline = content.parsed.borrow_dependent();
    let hide_usage = asks_for_usage(&call, endpoint, outline);
    let edits = match hold(live, &mut call, content, edits, hide_usage).await {
        Ok(edits) => edits,
        Err(why) => return Err(call.ticket.halt(why)),
    };
    if hide_usage {
        // An event can only be left out of a stream that is not compressed.
        call.target.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    }
    let Content { parsed, encoded, .. } = content;
    let body = outgoing(&mut call, parsed.borrow_owner(), encoded.as_ref(), &edits);
    call.ticket.mark("reserve");
    Ok(Reserved { call, body, endpoint: Some(endpoint), vault, hide_usage })
}

fn asks_for_usage(call: &Identified, endpoint: Endpoint, outline: &Outline<'_>) -> bool {
    outline.stream
        && endpoint.usage_is_optional()
        && call.target.upstream.config.include_usage
        && !outline.wants_usage()
}

/// Adds the edits that money needs, and holds the bound of what results.
async fn hold(
    live: &Live,
    call: &mut Identified,
    content: &Content,
    mut edits: Vec<Edit>,
    ask_for_usage: bool,
) -> Result<Vec<Edit>, Stopped> {
    let endpoint = content.endpoint;
    let outline = content.parsed.borrow_dependent();
    if ask_for_usage {
        edits.extend(outline.ask_for_usage());
    }
    let changed = call.target.model.clone();
    if let Some(model) = &changed {
        edits.extend(outline.name_model(endpoint, &model.called));
    }
    if endpoint.is_free() {
        return Ok(sorted(edits));
    }
    if endpoint.is_batch() {
        batch::hold(live, call, content, &edits).await?;
        return Ok(sorted(edits));
    }
    if endpoint.is_media() {
        let mut ask = MediaAsk::of_json(&splice(content.parsed.borrow_owner(), &edits))?;
        if let Some(model) = changed {
            ask.model = model.meant;
        }
        media::hold(live, call, endpoint, &ask).await?;
        return Ok(sorted(edits));
    }
    let mut limit = outline.max_output;
    // What sets or lowers the limit on output: replaced as a whole, for a field may stand once.
    let mut limiting = Vec::new();
    if let (None, Some(default), true) =
        (limit, live.policy.reserve.default_max_output, endpoint.has_output())
    {
        limit = Some(default);
        limiting = outline.limit_output(endpoint, default);
    }
    let model: &str = changed.as_ref().map_or(&outline.model, |changed| &changed.meant);
    let upstream = Arc::clone(&call.target.upstream);
    let price = live.price(&upstream, model);
    let unpriced = |why: String| unpriced(&upstream, model, why);
    let Some(price) = price else {
        let why = match upstream.config.platform {
            None => "it is not in the price list".to_owned(),
            Some(_) => format!(
                "it is not in the price list; where it is a name of your own, add models = {{ \
                 \"{}\" = \"the model behind it\" }} to this [[upstream]]",
                model.chars().filter(|c| *c != '"').take(80).collect::<String>()
            ),
        };
        return Err(unpriced(why));
    };
    if let Some(what) = outline.unpriced {
        return Err(unpriced(what.to_owned()));
    }
    tier_is_priced(endpoint, outline, &price, has_own_tiers(&upstream)).map_err(&unpriced)?;
    let added: usize = edits.iter().map(|edit| edit.with.len()).sum();
    let body = (content.parsed.borrow_owner().len() + added) as u64;
    let (mut ask, output) = ask(live, endpoint, outline, body, &price, model, limit);
    let mut amount = price.bound(&ask).map_err(|error| unpriced(error.to_string()))?;
    call.ticket.price(Arc::clone(&price), ask.percent);
    if outline.stream {
        call.ticket.capped(Cap {
            reserved: amount,
            price: Arc::clone(&price),
            percent: ask.percent,
            tiers: ask.tiers,
            choices: outline.choices,
            tells_usage: outline.wants_usage(),
            input: content.parsed.borrow_owner().len() as u64 / 4,
        });
    }
    loop {
        call.ticket.keep_pace(&live.policy, amount)?;
        match reserve_in_all(live, call, model, amount).await {
            Ok(()) => {
                edits.append(&mut limiting);
                return Ok(sorted(edits));
            }
            Err(ReserveError::Exhausted(exhausted)) => {
                let clamped = (exhausted.clamp || live.policy.reserve.clamp)
                    .then(|| price.affordable_output(&ask, exhausted.left))
                    .flatten()
                    .map(|all| output.limit(all))
                    .filter(|lower| *lower > 0 && limit.is_none_or(|now| *lower < now));
                let Some(lower) = clamped else {
                    return Err(refused(ReserveError::Exhausted(exhausted), amount));
                };
                limiting = outline.limit_output(endpoint, lower);
                limit = Some(lower);
                ask.max_output = Some(output.all(lower));
                amount = price.bound(&ask).map_err(|error| unpriced(error.to_string()))?;
            }
            Err(error) => return Err(refused(error, amount)),
        }
    }
}

/// Whether the tier that a call names has a price; why not, where it has none.
pub(super) fn tier_is_priced(
    endpoint: Endpoint,
    outline: &Outline<'_>,
    price: &ModelPrice,
    own_tiers: bool,
) -> Result<(), String> {
    if let Some(tier) = outline.service_tier.filter(|tier| !KNOWN_TIERS.contains(tier)) {
        let tier: String = tier.chars().take(40).collect();
        return Err(format!("the price of its service tier `{tier}` is not known"));
    }
    if outline.service_tier == Some("priority")
        && (own_tiers || matches!(endpoint.dialect(), Dialect::Gemini | Dialect::Bedrock))
        && !price.has_tier(ServiceTier::Priority)
    {
        // It is dearer than the standard one by a part that is not published for every model.
        return Err("the price of its service tier `priority` is not known".into());
    }
    Ok(())
}

/// What stops a call whose cost has no bound.
pub(super) fn unpriced(upstream: &Upstream, model: &str, why: String) -> Stopped {
    Stopped::UnpricedModel {
        model: model.chars().take(80).collect(),
        upstream: upstream.name().to_owned(),
        why,
    }
}

/// Whether an upstream that speaks OpenAI's dialect has tiers that OpenAI's prices say nothing of.
pub(super) fn has_own_tiers(upstream: &Upstream) -> bool {
    upstream.config.platform.is_some() || upstream.config.dialect == Dialect::Gemini
}

/// What stops a call whose amount could not be held.
pub(super) fn refused(error: ReserveError, amount: NanoUsd) -> Stopped {
    match error {
        ReserveError::Exhausted(exhausted) => {
            let text = told(&exhausted, amount);
            match exhausted.source {
                Source::Away { why, .. } => {
                    tracing::debug!(scope = %exhausted.scope, %why, "no more could be leased");
                    Stopped::LeaseExhausted(text)
                }
                Source::Local | Source::Panel { .. } => Stopped::Exhausted(text),
            }
        }
        ReserveError::Unheard(why) => Stopped::LeaseExhausted(why),
        ReserveError::Revoked(token) => Stopped::Token(TokenRefused::Revoked(token)),
        error @ (ReserveError::Unavailable(_) | ReserveError::Short(_)) => Stopped::Ledger(error),
    }
}

/// What the caller is told: the limit, what is left, what the call needs, what would help.
fn told(exhausted: &Exhausted, amount: NanoUsd) -> String {
    let Exhausted { source, scope, window, limit, left, resets_at, .. } = exhausted;
    let resets = resets_at
        .and_then(|at| jiff::Timestamp::from_millisecond(at).ok())
        .map(|at| format!(" It begins anew at {at:.0}."))
        .unwrap_or_default();
    let span = match window {
        Window::Total => "in total".to_owned(),
        window => format!("per {}", window.name()),
    };
    match source {
        Source::Local => {}
        Source::Panel { budget, held } => {
            let others = match *held {
                NanoUsd::ZERO => String::new(),
                held => format!(" (other proxies hold {held}, of which some may come back)"),
            };
            return format!(
                "the panel's budget {budget} of {scope} ({limit} {span}) has {left} left{others}, and \
                 this call may cost up to {amount}.{resets} Lower max_tokens, or ask for more: iron \
                 budget request {budget} --more '5 USD' --why '...' --wait, and try again once it is \
                 approved"
            );
        }
        Source::Away { budget, since_ms, .. } => {
            let since = jiff::Timestamp::from_millisecond(*since_ms).unwrap_or_default();
            return format!(
                "this proxy has {left} left of what it leased of the panel's budget {budget} of \
                 {scope} ({limit} {span}), this call may cost up to {amount}, and the panel cannot be \
                 asked for more since {since:.0}. Lower max_tokens, or try again once it answers"
            );
        }
    }
    let raise = if scope.starts_with("run:") {
        "start the run anew with a larger --budget"
    } else {
        "raise the limit of this [[budget]] in iron.toml"
    };
    format!(
        "the budget of {scope} ({limit} {span}) has {left} left, and this call may cost up to \
         {amount}.{resets} Lower max_tokens, set clamp = true under [reserve] in iron.toml to have \
         answers shortened to what is left, or {raise}"
    )
}

/// Holds an amount for one response of a conversation that the provider keeps.
pub(super) async fn hold_amount(
    live: &Live,
    call: &mut Identified,
    price: &Arc<ModelPrice>,
    model: &str,
    amount: NanoUsd,
) -> Result<(), Stopped> {
    call.ticket.price(Arc::clone(price), 100);
    call.ticket.keep_pace(&live.policy, amount)?;
    match reserve_in_all(live, call, model, amount).await {
        Ok(()) => {
            call.ticket.mark("reserve");
            Ok(())
        }
        Err(error) => Err(refused(error, amount)),
    }
}

async fn reserve_in_all(
    live: &Live,
    call: &mut Identified,
    model: &str,
    amount: NanoUsd,
) -> Result<(), ReserveError> {
    let touched = touched(live, call, model)?;
    call.ticket.reserve(amount, touched).await
}

/// What a call holds money in.
pub(super) struct Touched {
    /// Accounts of the configuration's budgets, and of runs.
    pub(super) accounts: Vec<BudgetHold>,
    /// The panel's budgets.
    pub(super) leases: Vec<LeaseHold>,
}

/// What a call for this model touches.
pub(super) fn touched(
    live: &Live,
    call: &Identified,
    model: &str,
) -> Result<Touched, ReserveError> {
    let now = crate::shared::unix_ms();
    let subject = Subject {
        agent: call.target.session.agent.as_str(),
        project: call.ticket.project(),
        token: call.ticket.token(),
        run: call.target.session.run.as_ref().map(Name::as_str),
        model,
    };
    let mut accounts: Vec<_> = live
        .policy
        .budgets
        .iter()
        .filter_map(|budget| budget.hold(&subject, now, &live.policy.time_zone))
        .collect();
    if let Some(run) = &call.target.session.run {
        accounts.extend(call.ticket.shared().runs.holds(run));
    }
    let leases = match call.ticket.shared().leases.get() {
        Some(leases) => leases.touched(&subject, now)?,
        None => Vec::new(),
    };
    Ok(Touched { accounts, leases })
}

/// What a call asks for at most, in the units that have prices; `body` is its length in bytes.
pub(super) fn ask(
    live: &Live,
    endpoint: Endpoint,
    outline: &Outline<'_>,
    body: u64,
    price: &ModelPrice,
    model: &str,
    limit: Option<u64>,
) -> (Ask, Output) {
    let dialect = endpoint.dialect();
    // A token is at least one byte of text, and what JSON adds around the text is more than what
    // providers add around a message.
    let mut input = body.saturating_sub(outline.media_bytes) + CALL_OVERHEAD;
    let hosted = outline.hosted_tools + outline.unbilled_tools;
    if outline.tools + hosted > 0 {
        input += TOOLS_OVERHEAD * (1 + hosted);
    }
    let tool_calls =
        (hosted > 0).then(|| outline.max_tool_calls.unwrap_or(live.policy.reserve.tool_calls));
    let images: Option<u64> =
        outline.images.iter().map(|detail| images::image_tokens(dialect, model, *detail)).sum();
    if outline.hidden_input || images.is_none() || tool_calls.is_some() {
        // What the provider adds is bounded by the context window, in each of its own turns.
        let turns = 1 + tool_calls.unwrap_or_default();
        let window = price.context_window().unwrap_or(LARGEST_WINDOW);
        input = input.max(window.saturating_mul(turns));
    }
    // Base64 takes four bytes for three; a byte of audio is never more than a token.
    let mut audio = outline.audio_bytes / 4 * 3;
    let mut image = images.unwrap_or_default();
    match (dialect, outline.hidden_input) {
        // Files hold sound as well, which some of Google's models price above text.
        (Dialect::Gemini, true) => audio += std::mem::take(&mut input),
        (Dialect::Gemini, false) if images.is_none() => image += std::mem::take(&mut input),
        _ => {}
    }
    let output = Output::of(endpoint, outline, body, tool_calls);
    let ask = Ask {
        input_tokens: input,
        image_tokens: image,
        audio_tokens: audio,
        max_output: if endpoint.has_output() {
            limit.map(|limit| output.all(limit))
        } else {
            Some(0)
        },
        choices: outline.choices,
        tool_calls: tool_calls.filter(|_| outline.hosted_tools > 0),
        percent: if outline.regional { REGIONAL_PERCENT } else { 100 },
        tiers: tiers(dialect, outline),
    };
    (ask, output)
}

/// How a limit on output relates to all the output that is billed.
pub(super) struct Output {
    /// Billed beside the answer: OpenAI bills the rejected parts of a prediction.
    beside: u64,
    /// How often the limit applies. Anthropic's is on each of the turns that its own tools lead
    /// to; OpenAI's is on the whole response ("an upper bound for the number of tokens generated").
    /// Google's docs do not say. Its limit includes what is thought.
    turns: u64,
}

impl Output {
    fn of(endpoint: Endpoint, outline: &Outline<'_>, body: u64, tool_calls: Option<u64>) -> Self {
        Self {
            beside: if outline.predicted { body } else { 0 },
            turns: match (endpoint, tool_calls) {
                (
                    Endpoint::Messages
                    | Endpoint::RawPredict
                    | Endpoint::StreamRawPredict
                    | Endpoint::InvokeModel
                    | Endpoint::InvokeModelStream
                    | Endpoint::Converse
                    | Endpoint::ConverseStream
                    | Endpoint::GenerateContent
                    | Endpoint::StreamGenerateContent,
                    Some(calls),
                ) => 1 + calls,
                _ => 1,
            },
        }
    }

    /// All the output that a limit lets through.
    const fn all(&self, limit: u64) -> u64 {
        limit.saturating_add(self.beside).saturating_mul(self.turns)
    }

    /// The highest limit that lets no more than this through.
    const fn limit(&self, all: u64) -> u64 {
        (all / self.turns).saturating_sub(self.beside)
    }
}

/// The tiers that OpenAI may serve a call at that names none.
pub(super) const OPEN_TIERS: &[ServiceTier] =
    &[ServiceTier::Standard, ServiceTier::Priority, ServiceTier::Fast];

/// The tiers that may serve a call: those that the request leaves open.
fn tiers(dialect: Dialect, outline: &Outline<'_>) -> &'static [ServiceTier] {
    use ServiceTier::{Fast, Flex, Priority, Standard};
    match (dialect, outline.service_tier) {
        (Dialect::OpenAi, Some("default")) => &[Standard],
        (Dialect::OpenAi, Some("flex")) => &[Standard, Flex],
        // Without a tier, or with `auto`, the provider's project settings decide.
        (Dialect::OpenAi, _) => OPEN_TIERS,
        // Anthropic's priority tier costs the same per token; only fast mode is dearer.
        (Dialect::Anthropic, _) if outline.speed => &[Standard, Fast],
        (Dialect::Gemini | Dialect::Bedrock, Some("priority")) => &[Standard, Priority],
        // Google serves a flexible call at no more than the standard price, and at that a call that
        // names no tier.
        (Dialect::Anthropic | Dialect::Gemini | Dialect::Bedrock, _) => &[Standard],
    }
}

fn sorted(mut edits: Vec<Edit>) -> Vec<Edit> {
    edits.sort_by_key(|edit| edit.range.start);
    edits
}

/// The bytes to send: those that came where nothing changes.
fn outgoing(
    call: &mut Identified,
    plain: &Bytes,
    encoded: Option<&Bytes>,
    edits: &[Edit],
) -> Bytes {
    if edits.is_empty() {
        return encoded.unwrap_or(plain).clone();
    }
    call.target.headers.remove(header::CONTENT_ENCODING);
    splice(plain, edits).into()
}
