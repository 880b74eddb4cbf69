//! Passwords in URLs and DSNs: `scheme://user:password@host` (RFC 3986, section 3.2.1).
//!
//! What is found is the pair `user:password` without the `@`, or the password alone where no user
//! is named, as Redis writes it; also curl's `-u user:password` and Go's `user:password@tcp(...)`.
//! Connection strings of names and values (`Pwd=...;`) are the
//! [`password`](super::password)'s.

use std::ops::Range;

use super::value::is_placeholder;
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Credentials,
    start: Start::Literals(&["://", "@tcp(", "@unix(", " -u ", " --user "]),
    check,
    // PostgreSQL's documentation of connection URIs, with a password; Redis's of its own.
    valid: [
        "postgresql://⟦other:Kq81zz⟧@localhost/otherdb?connect_timeout=10",
        "redis://:⟦p%40ss55w0rd⟧@redis-16379.example.com:16379/0",
    ],
    invalid: [
        "postgres://user:password@localhost:5432/db",
        "mongodb+srv://${DB_USER}:${DB_PASSWORD}@cluster0.example.net/",
    ],
    about: "a user and a password before the host of a URL",
    ..BASE
};

/// How far before `-u` the command's name may stand.
const COMMAND: usize = 300;
/// Bytes of a user and a password, which are also the most that are looked at.
const LONGEST: usize = 256;

fn check(site: &Site<'_>) -> Option<Hit> {
    let pair = match &site.text[site.trigger.clone()] {
        b"://" => return in_url(site),
        [b'@', ..] => before_at(site)?,
        _ => curl(site, site.trigger.end)?,
    };
    Some(Hit::sure(pair, "credentials", Confidence::Prefix))
}

/// The pair before the address of a Go program's data source: `user:password@tcp(host:3306)/x`.
fn before_at(site: &Site<'_>) -> Option<Range<usize>> {
    let at = site.trigger.start;
    let window = &site.text[at.saturating_sub(LONGEST)..at];
    let is_pair = |byte: &&u8| byte.is_ascii_graphic() && !b"\"'`<>=,;|".contains(byte);
    let start = at - window.iter().rev().take_while(is_pair).count();
    let colon = memchr::memchr(b':', &site.text[start..at])?;
    let password = &site.text[start + colon + 1..at];
    (colon > 0 && !password.is_empty() && !is_placeholder(password)).then_some(start..at)
}

/// `user:password` after `curl ... -u`.
fn curl(site: &Site<'_>, start: usize) -> Option<Range<usize>> {
    let before = &site.text[site.trigger.start.saturating_sub(COMMAND)..site.trigger.start];
    memchr::memmem::rfind(before, b"curl")?;
    let start = site.run(start, 4, |byte| byte == b' ');
    let (start, quote) = match site.byte(start)? {
        quote @ (b'"' | b'\'') => (start + 1, Some(quote)),
        b'\\' if site.byte(start + 1) == Some(b'"') => (start + 2, Some(b'\\')),
        _ => (start, None),
    };
    let end = site.run(start, 256, |byte| match quote {
        Some(quote) => byte != quote && byte != b'\n',
        None => byte.is_ascii_graphic() && !b"\"'`|;&<>\\".contains(&byte),
    });
    let pair = &site.text[start..end];
    let colon = memchr::memchr(b':', pair)?;
    let (user, password) = (&pair[..colon], &pair[colon + 1..]);
    let fits = password.len() >= 3 && !is_placeholder(password);
    (fits && !user.starts_with(b"$") && std::str::from_utf8(pair).is_ok()).then_some(start..end)
}

fn in_url(site: &Site<'_>) -> Option<Hit> {
    let start = site.trigger.end;
    if !site.text[..site.trigger.start].last().is_some_and(u8::is_ascii_alphanumeric) {
        return None;
    }
    let is_authority = |byte: u8| byte.is_ascii_graphic() && !b"\"'`<>\\/?#".contains(&byte);
    let mut end = site.run(start, LONGEST, is_authority);
    // Passwords of data stores are often written as they are, `/` and `#` too.
    if is_store(&site.text[..site.trigger.start]) {
        end =
            site.run(end, LONGEST, |byte| byte.is_ascii_graphic() && !b"\"'`<>\\".contains(&byte));
    }
    let at = start + memchr::memrchr(b'@', &site.text[start..end])?;
    let colon = start + memchr::memchr(b':', &site.text[start..at])?;
    let user = &site.text[start..colon];
    let password = &site.text[colon + 1..at];
    let is_host =
        site.byte(at + 1).is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'[');
    let is_user = user.is_empty() || (!user.contains(&b'/') && !is_variable(user));
    if !is_host || !is_user || password.is_empty() || is_placeholder(password) {
        return None;
    }
    let start = if user.is_empty() { colon + 1 } else { start };
    Some(Hit::sure(start..at, "url-credentials", Confidence::Prefix))
}

fn is_variable(user: &[u8]) -> bool {
    matches!(user, [b'$' | b'{' | b'<' | b'%' | b'[', ..])
}

/// True where the scheme before is that of a data store or a message queue.
fn is_store(before: &[u8]) -> bool {
    let window = &before[before.len().saturating_sub(16)..];
    let scheme = window.rsplit(|byte| !byte.is_ascii_alphanumeric() && *byte != b'+').next();
    let schemes =
        ["postgres", "mysql", "mariadb", "mongodb", "redis", "amqp", "mssql", "sqlserver"];
    scheme.is_some_and(|scheme| schemes.iter().any(|name| scheme.starts_with(name.as_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn urls_of_all_kinds_hold_credentials() {
        for (text, pair) in [
            ("curl -u ann:hunter2 https://example.com", "ann:hunter2"),
            ("curl -u \":d2LkV78zLx!t\" https://localhost:9200", ":d2LkV78zLx!t"),
            ("curl --user  'ann:h0pk1ns~21s' $URL", "ann:h0pk1ns~21s"),
            ("curl -sS --user \"ann:correct horse\" https://example.com", "ann:correct horse"),
            ("dsn: app:s3cr3t@tcp(10.0.0.7:3306)/shop", "app:s3cr3t"),
            ("DATABASE_URL=postgres://app:s3cr3t@db.example.com:5432/app", "app:s3cr3t"),
            ("mysql://root:Tr0ub4dor&3@10.0.0.5/x", "root:Tr0ub4dor&3"),
            ("\"mongodb+srv://ann:Wx9%21k@cluster0.ab1cd.mongodb.net/test\"", "ann:Wx9%21k"),
            ("amqp://guest:guest@rabbit:5672/%2f", "guest:guest"),
            ("ftp://ann:lee2024@ftp.example.com/pub", "ann:lee2024"),
            ("git clone https://ann:hunter2@git.example.com/a/b.git", "ann:hunter2"),
            ("postgresql+asyncpg://u:a@b@host/db", "u:a@b"),
            ("postgres://app:a/b#c?d1@host/db?x=1", "app:a/b#c?d1"),
            ("redis://default:Ab3Cd4@[::1]:6379", "default:Ab3Cd4"),
        ] {
            assert_eq!(found(text).first(), Some(&(Kind::Credentials, pair)), "{text}");
            assert_eq!(found(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn urls_without_a_password_hold_none() {
        for text in [
            "https://example.com:8080/@scope/package",
            "https://example.com/a:b@c",
            "http://localhost:3000?x=a:b@c",
            "postgres://localhost:5432/db",
            "postgres://<user>:<password>@host",
            "postgres://username:****@host/db",
            "https://user:pass@example.com",
            "mysql://{user}:{password}@{host}/{db}",
            "redis://:${REDIS_PASSWORD}@redis:6379",
            "f'postgres://{u}:{p}@{h}'",
            "postgres://<CREDENTIALS_kq7mzvt2ah>@db.example.com/app",
            "std::://a:b@c",
            "ssh://git@github.com:22/a.git",
            "https://u:@example.com",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
