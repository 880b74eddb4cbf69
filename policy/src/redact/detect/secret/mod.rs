//! What opens doors: keys, tokens, passwords.

pub(super) mod api_key;
pub(super) mod auth_header;
mod families;
pub(super) mod jwt;
mod named;
pub(super) mod named_secret;
pub(super) mod password;
pub(super) mod private_key;
pub(super) mod url_credentials;
mod value;
pub(super) mod webhook_url;

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use crate::redact::detect::tests::found;
    use crate::redact::{Engine, Mode, Modes};

    /// Texts with one secret each, in whose place a placeholder is no secret.
    const TEXTS: [&str; 12] = [
        "password = \"hunter2\"",
        "PASSWORD=hunter2",
        "the password is hunter2, he said",
        "tool --password hunter2",
        "name,password,city\nAnn,hunter2,Rome",
        "hunter2 (password)",
        "<password>hunter2</password>",
        "postgres://ann:hunter2@db.example.com/app",
        "client_secret: q7W3e9R5t1Y8u2I4o6P0",
        "curl -H 'Authorization: Bearer q7W3e9R5t1Y8u2I4o6P0' https://example.com",
        "curl -u ann:hunter2 https://example.com",
        "Server=db;Uid=ann;Pwd=hunter2;Encrypt=yes",
    ];

    #[test]
    fn a_placeholder_in_a_secrets_place_is_none() {
        let engine = Engine::new(Modes::all(Mode::Detect));
        for text in TEXTS {
            let matches = engine.find(text, None);
            assert_eq!(matches.len(), 1, "{text}");
            let kind = matches[0].kind;
            for placeholder in [format!("<{kind}>"), format!("<{kind}_kq7mzvt2ah>")] {
                let mut text = text.to_owned();
                text.replace_range(matches[0].range.clone(), &placeholder);
                assert_eq!(found(&text), [], "{text}");
            }
        }
    }

    /// Bytes of the shorter of two texts that are compared; the longer has four times as many.
    const SHORT: usize = 8_000;

    /// How often longer work takes on a text than on a quarter of it: 4 where it is linear, 16
    /// where it is quadratic.
    ///
    /// By the least time that either took, since what else runs on the machine only adds to it:
    /// measured again as long as it looks too much.
    fn growth(unit: &str, short: usize, work: impl Fn(&str)) -> f64 {
        let texts = [short, 4 * short].map(|bytes| unit.repeat(bytes / unit.len()));
        let mut least = [Duration::MAX; 2];
        let mut growth = f64::MAX;
        for round in 0..12 {
            for (text, least) in texts.iter().zip(&mut least) {
                let start = Instant::now();
                work(text);
                *least = start.elapsed().min(*least);
            }
            growth = least[1].as_secs_f64() / least[0].as_secs_f64();
            if round > 0 && growth < MOST {
                break;
            }
        }
        growth
    }

    /// Between what linear and what quadratic work gives.
    const MOST: f64 = 8.0;

    #[test]
    fn many_names_cost_no_more_than_their_number() {
        let engine = Engine::new(Modes::all(Mode::Detect));
        for unit in [
            "password,",
            "password\n",
            "password=\"",
            "password='a\\",
            "secret;",
            "token: ",
            "pass ",
            "://a:b",
            "postgres://",
            "Bearer ",
            "Basic YTpi",
            "Authorization: ",
            "curl -u ",
            "(password) ",
            "hooks.slack.com/",
            "PuTTY-User-Key-File-",
            "---- BEGIN ",
            "password is ",
            "_key _KEY Key",
            "AAAAAAAAAAAAAAAAAAAAAA",
            "1:AA",
            "pw:",
            "<password>",
            "- name: password\n  value: ",
        ] {
            let growth = growth(unit, SHORT, |text| {
                engine.find(text, None);
            });
            assert!(growth < MOST, "{unit} {growth}");
        }
        // What is quadratic is told from it.
        let squared = growth("ab", 1_000, |text| {
            let pairs = text.bytes().map(|a| text.bytes().filter(|b| a == *b).count());
            std::hint::black_box(pairs.sum::<usize>());
        });
        assert!(squared > MOST, "{squared}");
    }
}
