//! `POST /v1/embeddings`.

use serde_json::{Value, json};

use crate::simulator::behaviour::Report;
use crate::simulator::bill::Usage;

const DEFAULT_DIMENSIONS: usize = 1536;
const LARGEST: usize = 3072;

/// The answer: one vector per input, as floats or as base 64 of little-endian 32-bit floats.
pub(in crate::simulator) fn plain(body: &Value, usage: &Usage, report: Report) -> Value {
    let dimensions = body["dimensions"]
        .as_u64()
        .map_or(DEFAULT_DIMENSIONS, |wanted| wanted as usize)
        .clamp(1, LARGEST);
    let base64 = body["encoding_format"] == "base64";
    let embed = |(index, seed): (usize, u64)| {
        let vector = vector(seed, dimensions);
        let embedding = if base64 {
            let bytes: Vec<u8> = vector.iter().flat_map(|part| part.to_le_bytes()).collect();
            json!(to_base64(&bytes))
        } else {
            json!(vector)
        };
        json!({ "object": "embedding", "index": index, "embedding": embedding })
    };
    let data: Vec<Value> = seeds(&body["input"]).into_iter().enumerate().map(embed).collect();
    let mut answer = json!({ "object": "list", "data": data, "model": body["model"] });
    if report != Report::Never {
        let tokens = usage.all_input();
        answer["usage"] = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
    }
    answer
}

/// The vector of an input: the same for the same input.
pub(in crate::simulator) fn vector_of(input: &Value, dimensions: usize) -> Vec<f32> {
    vector(seed(input), dimensions)
}

/// A number for each input: a text, a list of texts, a list of tokens, or a list of such lists.
fn seeds(input: &Value) -> Vec<u64> {
    match input.as_array() {
        Some(items) if !items.iter().all(Value::is_number) => items.iter().map(seed).collect(),
        _ => vec![seed(input)],
    }
}

/// FNV-1a over the input's JSON text: the same input has the same vector.
fn seed(input: &Value) -> u64 {
    input.to_string().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// A vector of length one.
fn vector(seed: u64, dimensions: usize) -> Vec<f32> {
    let mut state = seed | 1;
    let raw: Vec<f32> = std::iter::repeat_with(|| {
        // Xorshift, Marsaglia 2003.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 48) as f32 / 32_768.0 - 1.0
    })
    .take(dimensions)
    .collect();
    let length = raw.iter().map(|part| part * part).sum::<f32>().sqrt();
    raw.iter().map(|part| part / length.max(f32::EPSILON)).collect()
}

/// Standard base 64 with padding (RFC 4648, section 4).
fn to_base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, place| {
            bits << 8 | u32::from(group.get(place).copied().unwrap_or(0))
        });
        for place in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= group.len() { digit as char } else { '=' });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_padded() {
        // RFC 4648, section 10.
        for (plain, coded) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            assert_eq!(to_base64(plain.as_bytes()), coded);
        }
    }

    #[test]
    fn every_shape_of_input_is_counted() {
        for (input, vectors) in [
            (json!("a"), 1),
            (json!(["a", "b"]), 2),
            (json!([1, 2, 3]), 1),
            (json!([[1, 2], [3]]), 2),
        ] {
            assert_eq!(seeds(&input).len(), vectors, "{input}");
        }
    }
}
