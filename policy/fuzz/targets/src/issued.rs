//! A session that has issued placeholders, and inputs that hold them.

use std::sync::Arc;

use iron_policy::redact::{Kind, Vault};

/// Values that need escaping, that look like other placeholders, and plain ones.
const VALUES: [(Kind, &str); 5] = [
    (Kind::Email, "ann@example.com"),
    (Kind::PrivateKey, "-----\n\"a\\b\"\u{7}\u{e9}\n-----"),
    (Kind::Ssn, "536-22-8731"),
    (Kind::ApiKey, "<EMAIL_kq7mzvt2ah>"),
    (Kind::Iban, "\\"),
];

/// The session, and its placeholders.
pub(crate) fn session() -> (Arc<Vault>, Vec<String>) {
    let vault = Arc::new(Vault::new([7; 32], 100));
    let placeholders = VALUES.iter().map(|(kind, value)| vault.placeholder(*kind, value)).collect();
    (vault, placeholders)
}

/// The input, with each of the control characters 1 to 5 (and `{1}` to `{5}`) replaced by a
/// placeholder: no fuzzer would ever guess one. 6 and `{6}` stand for the start of one.
pub(crate) fn planted(data: &[u8], placeholders: &[String]) -> Vec<u8> {
    let start = placeholders[0][..placeholders[0].len() - 3].to_owned();
    let mut out = Vec::with_capacity(data.len());
    let mut rest = data;
    while let Some((&first, after)) = rest.split_first() {
        let (number, length) = match rest {
            [b'{', digit @ b'1'..=b'6', b'}', ..] => (usize::from(digit - b'0'), 3),
            [digit @ 1..=6, ..] => (usize::from(*digit), 1),
            _ => {
                out.push(first);
                rest = after;
                continue;
            }
        };
        out.extend_from_slice(placeholders.get(number - 1).unwrap_or(&start).as_bytes());
        rest = &rest[length..];
    }
    out
}
