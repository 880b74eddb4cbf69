//! What tells a secret's value from what stands in its place: placeholders, references, words.
//!
//! Shared by the detectors of secrets that have no form of their own. Bounded by the value that
//! they are given.

use crate::redact::encoded::decode;

/// What stands where a secret will: compared in lower case, whole.
#[rustfmt::skip]
const WORDS: &[&str] = &[
    "password", "passwd", "pass", "pwd", "passphrase", "passcode", "pw", "secret",
    "secrets", "token", "key", "apikey", "api_key", "api-key", "value", "string", "str",
    "text", "none", "null", "nil", "undefined", "true", "false", "yes", "not", "required",
    "optional", "empty", "unset", "default", "hashed", "encrypted", "hidden", "invalid",
    "incorrect", "wrong", "missing", "unknown", "any", "object", "bytes", "secretstr",
    "example", "todo", "tbd", "n/a", "varchar", "char", "byte", "prompt", "input",
    "passwort", "kennwort", "senha", "wachtwoord", "parola", "hasło", "heslo", "salasana",
    "contraseña", "contrasena", "mot de passe", "пароль",
    "密码", "パスワード", "비밀번호", "username", "user", "this",
    "self", "expired", "sample", "options",
];

/// What a made-up value says, anywhere in it.
const SAYS: [&[u8]; 13] = [
    b"your",
    b"placeholder",
    b"redacted",
    b"replace",
    b"insert",
    b"enter_",
    b"enter-",
    b"xxxx",
    b"***",
    b"...",
    b"masked",
    b"<",
    b"goes-here",
];

/// The starts of password hashes, which let nobody in: crypt's, Argon2's, Django's, LDAP's.
const HASHES: [&[u8]; 12] = [
    b"$2a$",
    b"$2b$",
    b"$2y$",
    b"$argon2",
    b"$1$",
    b"$5$",
    b"$6$",
    b"$y$",
    b"$scrypt$",
    b"pbkdf2",
    b"$pbkdf2",
    b"{SSHA",
];

/// True for what is no secret, but stands for one or says where it is.
pub(super) fn is_placeholder(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let holds = |part: &[u8]| memchr::memmem::find(&lower, part).is_some();
    is_reference(value)
        || value.iter().all(|byte| b"*xX.-_#?0".contains(byte) || !byte.is_ascii())
            && !value.iter().any(u8::is_ascii_alphanumeric)
        || value.windows(2).all(|two| two[0] == two[1])
        || WORDS.iter().any(|word| word.as_bytes() == lower)
        || SAYS.iter().any(|part| holds(part))
}

/// True for variables, templates, paths, URLs and hashes.
fn is_reference(value: &[u8]) -> bool {
    let is_name = |name: &[u8]| {
        name.first().is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    let holds = |part: &[u8]| memchr::memmem::find(value, part).is_some();
    let is_form = match value {
        [b'$' | b':' | b'@', name @ ..] | [b'%', name @ .., b'%'] => is_name(name),
        [b'{', name @ .., b'}'] | [b'[', name @ .., b']'] => !name.contains(&b':'),
        [b'/', rest @ ..] => rest.contains(&b'/'),
        [b'%', b's' | b'd' | b'v' | b'(' | b'q', ..]
        | [b'.' | b'~', b'/', ..]
        | [b'.', b'.', b'/', ..] => true,
        _ => false,
    };
    is_form
        || HASHES.iter().any(|hash| value.starts_with(hash))
        || [b"${" as &[u8], b"$(", b"{{", b"#{", b"://", b"%(", b"process.env", b"os.environ"]
            .into_iter()
            .any(holds)
}

/// True for what was drawn at random, so that nobody could have written it as a word, a name or a
/// path: letters and digits change places often.
pub(super) fn is_random(value: &[u8]) -> bool {
    let mut seen = [false; 256];
    let (mut digits, mut lower, mut upper) = (0_usize, 0_usize, 0_usize);
    let (mut runs, mut steps) = (0_usize, 0_usize);
    let mut before = Class::Other;
    let mut alone = false;
    for (at, &byte) in value.iter().enumerate() {
        seen[usize::from(byte)] = true;
        steps += usize::from(at > 0 && byte == value[at - 1].wrapping_add(1));
        let class = Class::of(byte);
        match class {
            Class::Digit => digits += 1,
            Class::Lower => lower += 1,
            Class::Upper => upper += 1,
            Class::Other => {}
        }
        // `Title` is one run, as a word is.
        let title = class == Class::Lower && before == Class::Upper && alone;
        if class != Class::Other && class != before && !title {
            runs += 1;
        }
        alone = class == Class::Upper && before != Class::Upper;
        before = class;
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    let known = digits + lower + upper;
    // Every third of the alphabet in its order is documentation.
    if known < 10 || steps * 3 > value.len() {
        return false;
    }
    let hex = value.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    if hex && known >= 16 {
        return distinct >= 6 && digits > 2 && lower + upper > 1;
    }
    // One part at least must itself be a mixture.
    let is_mixture = |part: &[u8]| {
        let holds = |wanted: fn(&u8) -> bool| part.iter().any(wanted);
        let cases =
            holds(u8::is_ascii_lowercase) && part.iter().skip(1).any(u8::is_ascii_uppercase);
        part.len() >= 8 && (cases || (holds(u8::is_ascii_digit) && holds(u8::is_ascii_alphabetic)))
    };
    if !value.split(|byte| !byte.is_ascii_alphanumeric()).any(is_mixture) {
        return false;
    }
    let letters = lower + upper;
    let is_drawn = (digits > 1 && letters > 3) || (lower > 2 && upper > 2 && known >= 20);
    // Ten such letters and digits in three runs are words and a year.
    distinct >= 8 && is_drawn && known * 10 <= runs * 33
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Lower,
    Upper,
    Digit,
    Other,
}

impl Class {
    const fn of(byte: u8) -> Self {
        match byte {
            b'a'..=b'z' => Self::Lower,
            b'A'..=b'Z' => Self::Upper,
            b'0'..=b'9' => Self::Digit,
            _ => Self::Other,
        }
    }
}

/// How often a byte occurs.
pub(super) fn count(text: &[u8], byte: u8) -> usize {
    memchr::memchr_iter(byte, text).count()
}

/// The octets that base64 (RFC 4648, section 4), with or without its padding, stands for.
pub(super) fn base64(text: &[u8]) -> Option<Vec<u8>> {
    let end = text.iter().rposition(|byte| *byte != b'=').map_or(0, |last| last + 1);
    decode(&text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_secret_is_told_from_one() {
        for value in [
            "<PASSWORD>",
            "<PASSWORD_kq7mzvt2ah>",
            "${DB_PASSWORD}",
            "$DB_PASSWORD",
            "{{ password }}",
            "%s",
            "%(password)s",
            "****",
            "••••••",
            "xxxxxxxx",
            "your-password-here",
            "YOUR_PASSWORD",
            "password",
            "None",
            "/run/secrets/db",
            "$2b$12$abcdefghijklmnopqrstuu",
            "[redacted]",
            "%DB_PASSWORD%",
            "{password}",
            "https://example.com/reset",
            "$(cat pw)",
            "...",
            "-----",
            "process.env.PASSWORD",
            ":password",
            "mot de passe",
        ] {
            assert!(is_placeholder(value.as_bytes()), "{value}");
        }
        for value in
            ["hunter2", "Tr0ub4dor&3", "changeme", "p@ss/word1", "$ecret!23", "/x9", "{a:b}"]
        {
            assert!(!is_placeholder(value.as_bytes()), "{value}");
        }
    }

    #[test]
    fn what_was_drawn_is_told_from_what_was_written() {
        for value in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "83a6f36bb3457dfdc4e4bb3aa1c7e4eb",
            "550e8400-e29b-41d4-a716-446655440000",
            "q7w3e9r5t1y8u2i4",
            "hfKjwLqPzVtRmNbXcYsDgA",
            "Zm9vYmFyMTIz8QxkT0",
        ] {
            assert!(is_random(value.as_bytes()), "{value}");
        }
        for value in [
            "my-secret-key-2024",
            "base64Encode2Helper",
            "abcdefghijklmnop1234567890",
            "short1A",
            "AuthenticationTokenProvider",
            "src/config/keys2.json",
            "user_access_token_v2",
            "0000000000000000",
            "sha256sum",
            "2024-05-20T21:03:42Z",
            "v1.2.3-rc.4",
            "tutorial_v1_2_3",
            "com.example.app.Config2",
            "12345678901234567890",
        ] {
            assert!(!is_random(value.as_bytes()), "{value}");
        }
    }
}
