//! Which answer a message of a WebSocket belongs to, and what it does to it.

use iron_policy::json::{Event, JsonError, Reader, Text};

use super::walk::{count, members, pass_over, skip, string, take};

/// What stands at the head of an event that a provider sends over a WebSocket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head<'a> {
    /// Its type; empty where it has none.
    pub kind: &'a str,
    /// The lane of the Responses API that it came on: the request's `stream_id`.
    pub lane: Option<String>,
    /// The response that it is about.
    pub response: Option<String>,
    /// The status that an error would have had over HTTP.
    pub status: Option<u64>,
    /// The voice detection of a session, where the event tells it: whether it starts responses.
    pub automatic: Option<bool>,
    /// The longest answer that a session allows, where the event tells it; none: the model's.
    pub limit: Option<u64>,
    /// The client's event that an error is about.
    pub about: Option<String>,
    /// The output tokens that the event says were made.
    pub output_tokens: Option<u64>,
}

impl<'a> Head<'a> {
    /// Reads the head of an event. What is not JSON has none.
    pub fn read(data: &'a [u8]) -> Self {
        let mut head = Self::default();
        match Reader::new(data).and_then(|mut reader| head.fill(&mut reader)) {
            Ok(()) => head,
            Err(_) => Self::default(),
        }
    }

    /// True where nothing more comes of the response.
    pub fn ends_response(&self) -> bool {
        matches!(
            self.kind,
            "response.completed" | "response.incomplete" | "response.failed" | "response.done"
        )
    }

    fn fill(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        members(reader, |key, reader| {
            match key.raw() {
                "type" => self.kind = string(reader)?.map_or("", |kind| kind.raw()),
                "stream_id" => self.lane = owned(string(reader)?),
                "response_id" => self.response = owned(string(reader)?),
                "status" | "status_code" => self.status = count(reader)?,
                "response" => self.response_object(reader)?,
                "session" => self.session(reader)?,
                "error" => self.error(reader)?,
                _ => skip(reader)?,
            }
            Ok(())
        })?;
        Ok(())
    }

    fn response_object(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        members(reader, |key, reader| {
            match key.raw() {
                "id" => self.response = owned(string(reader)?),
                "usage" => {
                    members(reader, |key, reader| {
                        match key.raw() {
                            "output_tokens" => self.output_tokens = count(reader)?,
                            _ => skip(reader)?,
                        }
                        Ok(())
                    })?;
                }
                _ => skip(reader)?,
            }
            Ok(())
        })?;
        Ok(())
    }

    fn error(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        members(reader, |key, reader| {
            match key.raw() {
                "event_id" => self.about = owned(string(reader)?),
                _ => skip(reader)?,
            }
            Ok(())
        })?;
        Ok(())
    }

    /// `session.audio.input.turn_detection`, or `session.turn_detection` in the beta's shape.
    fn session(&mut self, reader: &mut Reader<'a>) -> Result<(), JsonError> {
        members(reader, |key, reader| {
            match key.raw() {
                "turn_detection" => self.automatic = Some(detection(reader)?),
                "max_output_tokens" | "max_response_output_tokens" => {
                    self.limit = count(reader)?;
                }
                "audio" => {
                    members(reader, |key, reader| {
                        if !key.is("input") {
                            return skip(reader);
                        }
                        members(reader, |key, reader| {
                            match key.raw() {
                                "turn_detection" => self.automatic = Some(detection(reader)?),
                                _ => skip(reader)?,
                            }
                            Ok(())
                        })?;
                        Ok(())
                    })?;
                }
                _ => skip(reader)?,
            }
            Ok(())
        })?;
        Ok(())
    }
}

fn owned(text: Option<Text<'_>>) -> Option<String> {
    text.map(|text| text.decode().into_owned())
}

/// Whether voice detection set up like this starts responses by itself: unless it is off, or told
/// not to.
fn detection(reader: &mut Reader<'_>) -> Result<bool, JsonError> {
    let (mut creates, mut idle) = (true, false);
    let on = members(reader, |key, reader| {
        let value = take(reader)?;
        match key.raw() {
            "create_response" => creates = value != Event::Bool(false),
            "idle_timeout_ms" => idle = value != Event::Null,
            _ => {}
        }
        pass_over(reader, &value)
    })?;
    Ok(on && (creates || idle))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_says_whose_event_it_is() {
        let head = Head::read(
            br#"{"type":"response.created","stream_id":"a","response":{"id":"resp_1","usage":null}}"#,
        );
        assert_eq!(
            (head.kind, head.lane.as_deref(), head.response.as_deref()),
            ("response.created", Some("a"), Some("resp_1"))
        );
        let head = Head::read(br#"{"type":"error","status":402,"error":{"code":"x"}}"#);
        assert_eq!((head.kind, head.status), ("error", Some(402)));
        assert_eq!(Head::read(b"no json"), Head::default());
        assert_eq!(Head::read(b"[1]"), Head::default());
    }

    #[test]
    fn voice_detection_starts_responses_unless_it_is_told_not_to() {
        for (session, automatic) in [
            (r#"{"audio":{"input":{"turn_detection":{"type":"server_vad"}}}}"#, Some(true)),
            (
                r#"{"audio":{"input":{"turn_detection":{"create_response":false,"type":"server_vad"}}}}"#,
                Some(false),
            ),
            (
                r#"{"audio":{"input":{"turn_detection":{"create_response":false,"idle_timeout_ms":6000}}}}"#,
                Some(true),
            ),
            (r#"{"audio":{"input":{"turn_detection":null}}}"#, Some(false)),
            (r#"{"turn_detection":{"create_response":true,"idle_timeout_ms":null}}"#, Some(true)),
            (r#"{"audio":{"output":{}}}"#, None),
        ] {
            let event = format!(r#"{{"type":"session.updated","session":{session}}}"#);
            assert_eq!(Head::read(event.as_bytes()).automatic, automatic, "{session}");
        }
    }
}
