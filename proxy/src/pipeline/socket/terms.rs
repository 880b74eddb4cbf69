//! On what terms a conversation of the Realtime API is opened and changed: nothing in it may cost
//! what could not be bounded or billed.

use iron_policy::outline::{BadBody, ClientEvent};

use super::super::Stopped;

/// Why an event is not passed on: it would make the session cost what has no bound here.
pub(super) fn unbounded(event: &ClientEvent<'_>, model: &str) -> Option<&'static str> {
    if event.transcription {
        return Some(
            "transcription of the input is done and billed by another model, for which nothing is \
             held: leave audio.input.transcription out",
        );
    }
    if event.hosted_tools {
        return Some(
            "tools that the provider runs make responses of their own: offer function tools only",
        );
    }
    if event.session.is_some_and(|kind| kind != "realtime")
        || event.kind.starts_with("transcription_session.")
    {
        return Some("only sessions of the type `realtime` have a known price");
    }
    if event.model.is_some_and(|named| !named.is(model)) {
        return Some("the model is the one that the connection was opened for: connect anew");
    }
    None
}

/// The model that the query names. What else it may say would open something else.
pub(super) fn model_of(query: &str) -> Result<String, Stopped> {
    let mut model = None;
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match name {
            "model" if model.is_none() => model = Some(value),
            "model" => return Err(Stopped::Body(BadBody::Duplicate("model"))),
            _ => {
                return Err(Stopped::Unbounded(
                    "only ?model=... opens a conversation of a known price: no call_id, no intent",
                ));
            }
        }
    }
    let plain =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b':');
    match model {
        Some(model) if !model.is_empty() && model.bytes().all(plain) => Ok(model.to_owned()),
        Some(_) => Err(Stopped::Body(BadBody::Field { field: "model", wanted: "a plain name" })),
        None => Err(Stopped::Body(BadBody::NoModel)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_model_opens_a_conversation() {
        assert_eq!(model_of("model=gpt-realtime").unwrap(), "gpt-realtime");
        for query in [
            "",
            "model=",
            "model=a&model=b",
            "model=a%20b",
            "call_id=x",
            "model=a&intent=transcription",
        ] {
            assert!(model_of(query).is_err(), "{query}");
        }
    }
}
