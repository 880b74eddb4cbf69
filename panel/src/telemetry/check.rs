//! What a panel takes from a proxy: names of a length, amounts that can be true, times that have
//! been. A batch with anything else is refused whole, and the refusal says which record it was.

use iron_policy::control::{Batch, BreakerRecord, CallRecord, ExtraRecord};
use iron_policy::types::CallId;

/// Calls in a batch at most, and corrections and breakers.
pub const MOST: usize = 500;
/// What one call or correction can cost, in nano-USD: a million dollars. Sums stay sums.
const MOST_MONEY: i64 = 1_000_000_000_000_000;
/// How many tokens a call can have.
const MOST_TOKENS: i64 = 1_000_000_000_000;
/// How far a proxy's clock may be ahead, in milliseconds: a day.
const AHEAD: i64 = 86_400_000;
/// Bytes of a name, of a word, of an id.
const NAME: usize = 128;
/// Characters of a model's name that are kept: the caller wrote it.
const MODEL: usize = 200;
/// Bytes of a reason in words.
const DETAIL: usize = 2_000;
/// Kinds, steps and classes of one call.
const LISTED: usize = 100;

/// Why a batch is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{list}[{index}]: {why}")]
pub struct Unfit {
    /// `calls`, `breakers` or `extra`.
    pub list: &'static str,
    /// Which of them, from 0.
    pub index: usize,
    /// What is wrong.
    pub why: &'static str,
}

/// Checks a batch, and puts in order what callers of a proxy may have written in it.
pub fn check(batch: &mut Batch, now_ms: i64) -> Result<(), Unfit> {
    let lists = [
        ("calls", batch.calls.len()),
        ("breakers", batch.breakers.len()),
        ("extra", batch.extra.len()),
    ];
    for (list, length) in lists {
        if length > MOST {
            return Err(Unfit {
                list,
                index: MOST,
                why: "there are more than 500: send several batches",
            });
        }
    }
    for (index, call) in batch.calls.iter_mut().enumerate() {
        check_call(call, now_ms).map_err(|why| Unfit { list: "calls", index, why })?;
    }
    for (index, breaker) in batch.breakers.iter_mut().enumerate() {
        check_breaker(breaker, now_ms).map_err(|why| Unfit { list: "breakers", index, why })?;
    }
    for (index, extra) in batch.extra.iter_mut().enumerate() {
        check_extra(extra, now_ms).map_err(|why| Unfit { list: "extra", index, why })?;
    }
    Ok(())
}

fn check_call(call: &mut CallRecord, now_ms: i64) -> Result<(), &'static str> {
    id(call.id, now_ms)?;
    call.model = cut(&call.model, MODEL);
    let names = [&call.agent, &call.project, &call.token, &call.run, &call.upstream, &call.dialect];
    names.into_iter().flatten().try_for_each(|text| name(text))?;
    [&call.endpoint, &call.outcome, &call.reason].into_iter().try_for_each(|text| name(text))?;
    money(call.reserved)?;
    money(call.posted)?;
    tokens(call.input_tokens)?;
    tokens(call.output_tokens)?;
    if call.status > 999 {
        return Err("the status is none");
    }
    if [call.usage.len(), call.cost.len(), call.findings.len(), call.timeline.len()]
        .into_iter()
        .any(|length| length > LISTED)
    {
        return Err("a list has more than 100 entries");
    }
    call.usage.keys().chain(call.cost.keys()).try_for_each(|text| name(text))?;
    call.findings.iter().try_for_each(|finding| name(&finding.kind))?;
    call.timeline.iter().try_for_each(|(step, _)| name(step))
}

fn check_breaker(breaker: &mut BreakerRecord, now_ms: i64) -> Result<(), &'static str> {
    name(&breaker.upstream)?;
    breaker.lane = cut(&breaker.lane, MODEL);
    if !matches!(&*breaker.state, "closed" | "open" | "half_open") {
        return Err("the state is none of closed, open, half_open");
    }
    time(breaker.at, now_ms)
}

fn check_extra(extra: &mut ExtraRecord, now_ms: i64) -> Result<(), &'static str> {
    name(&extra.id)?;
    name(&extra.kind)?;
    let names = [&extra.agent, &extra.project, &extra.run, &extra.finding];
    names.into_iter().flatten().try_for_each(|text| name(text))?;
    extra.detail = cut(&extra.detail, DETAIL);
    if let Some(call) = extra.call {
        id(call, now_ms)?;
    }
    if let Some(posted) = extra.posted {
        money(posted)?;
    }
    time(extra.at, now_ms)
}

fn id(id: i64, now_ms: i64) -> Result<(), &'static str> {
    if id < 0 {
        return Err("the id is none");
    }
    time(CallId(id).unix_ms(), now_ms)
}

fn time(unix_ms: i64, now_ms: i64) -> Result<(), &'static str> {
    match unix_ms {
        0.. if unix_ms <= now_ms.saturating_add(AHEAD) => Ok(()),
        0.. => Err("the time is more than a day from now: set the proxy's clock"),
        _ => Err("the time is before 1970"),
    }
}

fn name(text: &str) -> Result<(), &'static str> {
    if text.len() > NAME {
        Err("a name is longer than 128 bytes")
    } else if text.contains('\0') {
        Err("a name holds a null character")
    } else {
        Ok(())
    }
}

const fn money(nano: i64) -> Result<(), &'static str> {
    match nano {
        0..=MOST_MONEY => Ok(()),
        _ => Err("an amount is negative, or above a million dollars"),
    }
}

const fn tokens(count: i64) -> Result<(), &'static str> {
    match count {
        0..=MOST_TOKENS => Ok(()),
        _ => Err("a count of tokens is negative, or cannot be"),
    }
}

/// The beginning of a text that anybody may have written, without what PostgreSQL cannot store.
fn cut(text: &str, most: usize) -> String {
    text.chars().take(most).map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_000_000_000;

    fn call() -> CallRecord {
        CallRecord {
            id: CallId::first_at(NOW).0,
            outcome: "ok".to_owned(),
            ..CallRecord::default()
        }
    }

    fn why(change: impl FnOnce(&mut CallRecord)) -> Option<&'static str> {
        let mut bad = call();
        change(&mut bad);
        let mut batch = Batch { calls: vec![call(), bad], ..Batch::default() };
        let unfit = check(&mut batch, NOW).err()?;
        assert_eq!((unfit.list, unfit.index), ("calls", 1));
        Some(unfit.why)
    }

    #[test]
    fn what_cannot_be_true_is_refused_with_its_place() {
        assert_eq!(why(|_| ()), None);
        assert!(why(|call| call.posted = -1).unwrap().contains("negative"));
        assert!(why(|call| call.reserved = i64::MAX).unwrap().contains("million"));
        assert!(why(|call| call.input_tokens = -1).unwrap().contains("tokens"));
        assert!(why(|call| call.id = -1).unwrap().contains("id"));
        assert!(why(|call| call.id = i64::MAX).unwrap().contains("day"));
        assert!(why(|call| call.id = CallId::first_at(NOW + AHEAD + 1).0).is_some());
        assert!(why(|call| call.agent = Some("a".repeat(129))).unwrap().contains("128"));
        assert!(why(|call| call.run = Some("\0".to_owned())).unwrap().contains("null"));
        assert!(why(|call| call.timeline = vec![(String::new(), 0); 101]).is_some());
        assert!(why(|call| call.status = 1_000).is_some());
    }

    #[test]
    fn what_callers_of_a_proxy_wrote_is_cut_and_not_refused() {
        let mut wild = call();
        wild.model = format!("a\0{}", "é".repeat(5_000));
        let mut batch = Batch { calls: vec![wild], ..Batch::default() };
        check(&mut batch, NOW).unwrap();
        assert_eq!(batch.calls[0].model.chars().count(), MODEL);
        assert!(batch.calls[0].model.starts_with("a\u{fffd}é"));
    }

    #[test]
    fn more_than_a_batch_holds_is_refused() {
        let mut batch = Batch { calls: vec![call(); MOST + 1], ..Batch::default() };
        assert_eq!(check(&mut batch, NOW).unwrap_err().index, MOST);
    }
}
