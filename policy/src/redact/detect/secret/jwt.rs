//! JSON web tokens: signed (RFC 7515, three parts) or encrypted (RFC 7516, five parts).
//!
//! Three or five parts of base64url with dots between; the first decodes to a JSON object that
//! names its algorithm, which every token must (RFC 7515, section 4.1.1).

use crate::json::{Event, Reader};
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::encoded::decode;
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};
use crate::token::PREFIX;

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Jwt,
    // `{"` in base64, which is how every header starts that has no white space; and `{` with a
    // line feed, a space, a tab or a carriage return behind it.
    start: Start::Literals(&["eyJ", "ewog", "ewoJ", "ewoi", "eyAi", "eyAg", "ewki", "ew0K"]),
    check,
    valid: [
        // RFC 7515, appendix A.1.
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQog\
         Imh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        // The example of jwt.io.
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwi\
         aWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
    ],
    // A header without an algorithm; one part only.
    invalid: [
        "eyJ0eXAiOiJKV1QifQ.eyJpc3MiOiJqb2UifQ.dBjftJeZ4CVP",
        "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9",
    ],
    about: "its header decodes and names an algorithm",
    ..BASE
};

/// Bytes of a header, and of any other part, that are looked at.
const HEADER: usize = 8 * 1024;
const PART: usize = 256 * 1024;

fn check(site: &Site<'_>) -> Option<Hit> {
    let header_start = site.trigger.start;
    // An agent's token is one behind a prefix of its own.
    let own = site.text[..header_start].ends_with(PREFIX.as_bytes());
    let start = if own { header_start - PREFIX.len() } else { header_start };
    // Runs of base64 do not overlap, so a rejected header is read once however often `eyJ`
    // occurs in it.
    if site.before(start).is_some_and(|byte| is_base64url(byte) || byte == b'.') {
        return None;
    }
    let header = site.run(header_start, HEADER, is_base64url);
    if site.byte(header) != Some(b'.') || !names_algorithm(&site.text[header_start..header]) {
        return None;
    }
    let payload = site.run(header + 1, PART, is_base64url);
    let mut end = payload;
    let mut parts = 2;
    while parts < 5 && site.byte(end) == Some(b'.') {
        // An empty signature is an unsecured token; its dot belongs to it only if nothing else
        // could follow.
        let next = site.run(end + 1, PART, is_base64url);
        if next == end + 1 && parts > 2 {
            break;
        }
        end = next;
        parts += 1;
    }
    (payload > header + 1 && parts >= 3).then_some(Hit::sure(start..end, "jwt", Confidence::Prefix))
}

fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

fn names_algorithm(header: &[u8]) -> bool {
    let Some(json) = decode(header) else {
        return false;
    };
    let Ok(mut reader) = Reader::new(&json) else {
        return false;
    };
    let mut named = false;
    loop {
        match reader.next() {
            Ok(Some(Event::Key(key))) if reader.depth() == 1 && key.is("alg") => {
                named = matches!(reader.next(), Ok(Some(Event::String(_))));
            }
            Ok(Some(_)) => {}
            Ok(None) => return named,
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn a_header_may_hold_white_space() {
        // `{\n  "alg": "HS256"\n}` and `{ "alg": "HS256" }`; the rest after RFC 7515.
        for header in ["ewogICJhbGciOiAiSFMyNTYiCn0", "eyAiYWxnIjogIkhTMjU2IiB9"] {
            let token = format!("{header}.eyJpc3MiOiJqb2UifQ.dBjftJeZ4CVPmB92K27uhbUJU1p1r");
            assert_eq!(found(&token), [(Kind::Jwt, token.as_str())]);
        }
    }

    #[test]
    fn an_agents_token_is_found_with_its_prefix() {
        let token = "iron_eyJhbGciOiJFZERTQSJ9.eyJpc3MiOiJqb2UifQ.dBjftJeZ4CVPmB92K27uhbUJU1p1r";
        for text in [token.to_owned(), format!("use {token} here"), format!("\"key\":\"{token}\"")]
        {
            assert_eq!(found(&text), [(Kind::Jwt, token)], "{text}");
        }
        assert_eq!(found(&token.replacen("iron_", "xiron_", 1)), []);
    }

    #[test]
    fn encrypted_and_unsecured_tokens_are_found_whole() {
        // RFC 7516, appendix A.1, its parts cut short; RFC 7519, section 6.1.
        for token in [
            "eyJhbGciOiJSU0EtT0FFUCIsImVuYyI6IkEyNTZHQ00ifQ.OKOawDo13gRp.48V1_ALb6US0.5eym8TW_c8Su.XFBoMYUZodet",
            "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODB9.",
        ] {
            let text = format!("Authorization: Bearer {token}\n");
            assert_eq!(found(&text), [(Kind::Jwt, token)]);
        }
    }
}
