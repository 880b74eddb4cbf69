//! Base64 in a text, one level deep, for the secrets in it.
//!
//! A key in a Kubernetes secret or in a Basic header is as good as plain. Runs of base64 (either
//! alphabet) are decoded where their beginning decodes to text; images, hashes and ciphertexts do
//! not, and cost no more than that look.

use std::ops::Range;

/// The shortest run that is looked at, and the longest, in characters.
const SHORTEST: usize = 24;
const LONGEST: usize = 64 * 1024;
/// How far apart the text is probed for runs. A run of the shortest length holds a probe and as
/// many characters after it.
const STEP: usize = SHORTEST - PROBE;
const PROBE: usize = 8;
/// Characters that are decoded to see whether text comes out.
const SAMPLE: usize = 32;

/// Calls `found` with each run and the text that it encodes.
pub(super) fn each(text: &str, found: &mut impl FnMut(Range<usize>, &str)) {
    let bytes = text.as_bytes();
    let mut at = 0;
    let mut done = 0;
    while let Some(probe) = bytes.get(at..).and_then(<[u8]>::first_chunk::<PROBE>) {
        // Without an early exit, for vector instructions.
        if !probe.iter().fold(true, |all, byte| all & is_code(*byte)) {
            at += STEP;
            continue;
        }
        let start =
            bytes[done..at].iter().rposition(|byte| !is_code(*byte)).map_or(done, |p| done + p + 1);
        let end =
            at + bytes[at..].iter().position(|byte| !is_code(*byte)).unwrap_or(bytes.len() - at);
        done = end;
        at = end;
        let run = start..end;
        if (SHORTEST..=LONGEST).contains(&run.len())
            && let Some(decoded) = decode_text(&bytes[run.clone()])
        {
            let padding = bytes[end..].iter().take(2).take_while(|byte| **byte == b'=').count();
            found(run.start..end + padding, &decoded);
        }
    }
}

#[expect(
    clippy::needless_bitwise_bool,
    reason = "without branches it compiles to vector instructions"
)]
const fn is_code(byte: u8) -> bool {
    let letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let digit = byte.wrapping_sub(b'0') < 10;
    letter | digit | (byte == b'+') | (byte == b'/') | (byte == b'-') | (byte == b'_')
}

/// The text that a run encodes; `None` where it encodes something else.
fn decode_text(run: &[u8]) -> Option<String> {
    // Words run together decode to noise at once.
    let sample = decode(&run[..run.len().min(SAMPLE)])?;
    if !sample.iter().all(|byte| is_plain(*byte)) {
        return None;
    }
    let whole = decode(run)?;
    let text = String::from_utf8(whole).ok()?;
    text.bytes().all(is_plain).then_some(text)
}

const fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t')
}

/// Base64 of either alphabet without its padding (RFC 4648, sections 4 and 5).
pub(super) fn decode(run: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(run.len() * 3 / 4);
    for chunk in run.chunks(4) {
        let mut bits = 0_u32;
        for byte in chunk {
            let value = match byte {
                b'A'..=b'Z' => byte - b'A',
                b'a'..=b'z' => byte - b'a' + 26,
                b'0'..=b'9' => byte - b'0' + 52,
                b'+' | b'-' => 62,
                b'/' | b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        bits <<= 6 * (4 - chunk.len());
        let [_, three @ ..] = bits.to_be_bytes();
        // n characters carry n - 1 bytes; a single one carries none.
        let carried = chunk.len().checked_sub(1).filter(|carried| *carried > 0)?;
        bytes.extend_from_slice(&three[..carried]);
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::Kind;
    use crate::redact::detect::tests::found;

    #[test]
    fn base64_is_decoded() {
        // RFC 4648, section 10.
        for (text, bytes) in
            [("", ""), ("Zg", "f"), ("Zm8", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob")]
        {
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes.as_bytes()), "{text}");
        }
        assert_eq!(decode(b"Zm9vY"), None);
        assert_eq!(decode(b"Zm9v=="), None);
    }

    #[test]
    fn a_key_in_base64_is_found_and_other_text_is_not() {
        // `ghp_` and 36 characters, as in the example of the keys' own detector.
        let coded = "Z2hwXzE2QzdlNDJGMjkyYzY5MTJFNzcxMGM4MzgzNDdBZTE3OEI0YQ==";
        for text in
            [coded.to_owned(), format!("token: {coded}\n"), format!("{{\"a\":\"{coded}\"}}")]
        {
            assert_eq!(found(&text), [(Kind::ApiKey, coded)], "{text}");
        }
        // "The quick brown fox jumps over the lazy dog."
        let prose = "VGhlIHF1aWNrIGJyb3duIGZveCBqdW1wcyBvdmVyIHRoZSBsYXp5IGRvZy4=";
        assert_eq!(found(prose), []);
        // An address is personal, not secret: base64 is not looked into for it.
        assert_eq!(found("YW5uLmxlZUBleGFtcGxlLmNvbSBhbmQgbW9yZSBvZiBpdA=="), []);
    }

    #[test]
    fn every_run_is_probed() {
        for pad in 0..64 {
            let run = "Z2hwXzE2QzdlNDJGMjkyYzY5MTJFNzcx";
            let text = format!("{} {run} ", ".".repeat(pad));
            let mut runs = Vec::new();
            each(&text, &mut |range, _| runs.push(range));
            assert_eq!(runs, std::slice::from_ref(&(pad + 1..pad + 1 + run.len())));
        }
    }
}
