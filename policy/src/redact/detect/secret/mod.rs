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

    #[test]
    fn many_names_cost_no_more_than_their_number() {
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
            let text = unit.repeat(200_000 / unit.len());
            let start = Instant::now();
            found(&text);
            // Without optimisation, on a busy machine; what is not linear takes minutes.
            assert!(start.elapsed() < Duration::from_secs(10), "{unit} {:?}", start.elapsed());
        }
    }
}
