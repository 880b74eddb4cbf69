//! A name and the value that it is given, in whatever is written: code, JSON, YAML, environment
//! files, INI, XML, connection strings, command lines, queries, tables, prose.
//!
//! Shared by [`password`](super::password) and [`named_secret`](super::named_secret), which know
//! the names and judge the values. Looks at one line, or at the next where a table's header or
//! `name:`, `value:` says so, and at a bounded part of each.

use std::ops::Range;

use super::value::count;
use crate::redact::site::Site;

/// A value that has been given a name.
pub(super) struct Named {
    pub(super) value: Range<usize>,
    pub(super) form: Form,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Between quotation marks.
    Quoted,
    /// `NAME=value`, `NAME: value`, the name in capitals.
    Environment,
    /// `name = value`, `name: value`, without quotation marks: a value or an expression.
    Bare,
    /// `--name value`.
    Flag,
    /// `?name=value`.
    Query,
    /// `...;name=value;...`.
    Connection,
    /// `<name>value</name>`.
    Tag,
    /// A cell below a column's header, or before a name in parentheses.
    Cell,
    /// `the name is value`.
    Prose,
    /// `name value`.
    Adjacent,
}

/// Bytes of a name, of a value, of what stands between, and of a line of a table.
const NAME: usize = 64;
const VALUE: usize = 1024;
const GAP: usize = 48;

/// Where the identifier starts that holds the byte at `at`.
pub(super) fn name_start(site: &Site<'_>, at: usize) -> usize {
    let window = &site.text[at.saturating_sub(NAME)..at];
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-.".contains(byte);
    let start = at - window.iter().rev().take_while(is_name).count();
    // `\npassword`: the letter belongs to the escape.
    let is_escape = start > 0 && start < at && site.before(start + 1) == Some(b'\n');
    start + usize::from(is_escape && site.text[start - 1] == b'\\')
}

/// Where a name ends that goes on at `at` in one of the ways that say which one it is:
/// `_old`, `_prod`, `2`, or one of `more`.
pub(super) fn suffix_end(site: &Site<'_>, at: usize, more: &[&[u8]]) -> Option<usize> {
    let common: [&[u8]; 10] = [
        b"",
        b"old",
        b"new",
        b"prod",
        b"production",
        b"dev",
        b"staging",
        b"test",
        b"live",
        b"value",
    ];
    let end = site.run(at, 24, |byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let suffix = site.text[at..end].to_ascii_lowercase();
    let suffix = suffix.strip_prefix(b"_").or(suffix.strip_prefix(b"-")).unwrap_or(&suffix);
    let known = common.contains(&suffix) || more.contains(&suffix);
    (known || suffix.iter().all(u8::is_ascii_digit)).then_some(end)
}

/// The value that the name is given.
pub(super) fn value_of(site: &Site<'_>, name: &Range<usize>) -> Option<Named> {
    let text = site.text;
    let before = site.before(name.start);
    // `Vendor::Module::Secret` is a type.
    if site.text[..name.start].ends_with(b"::") {
        return None;
    }
    if before == Some(b'/') || (before == Some(b'@') && site.byte(name.end) != Some(b':')) {
        return None;
    }
    let next = site.byte(name.end);
    if before == Some(b'<') && next == Some(b'>') {
        return tag(site, name.end + 1);
    }
    if before == Some(b'(') && next == Some(b')') {
        return cell_before(site, name.start - 1);
    }
    let is_closer = |byte: u8| b" \t\"'`\\])*?".contains(&byte);
    let sign = site.run(name.end, 12, is_closer);
    let quoted = text[name.end..sign].iter().any(|byte| b"\"'`".contains(byte));
    let after = site.run(sign, 3, |byte| b":=>".contains(&byte));
    let signs = &text[sign..after];
    match signs {
        b":" | b"=" | b":=" | b"=>" | b"==" | b"===" => {
            let form = form(site, name, sign, signs);
            return assigned(site, after, form, signs == b":");
        }
        b">" if quoted => return tag(site, after),
        b"" => {}
        _ => return None,
    }
    // The colon of Chinese and Japanese.
    if let Some(rest) = text[sign..].strip_prefix("：".as_bytes()) {
        return assigned(site, text.len() - rest.len(), Form::Prose, false);
    }
    if quoted && site.byte(sign) == Some(b',') {
        let named = assigned(site, sign + 1, Form::Cell, false)?;
        let is_string = matches!(site.before(named.value.start), Some(b'"' | b'\'' | b'`'));
        // The first of a pair or of arguments, not one of a list.
        let before = text[..name.start].iter().rev().find(|byte| !b"\"'`\\".contains(byte));
        let is_first = matches!(before, Some(b'(' | b'[' | b'{'));
        return (is_string && is_first).then_some(Named { form: Form::Cell, ..named });
    }
    attribute(site, name.end).or_else(|| spoken(site, name, sign))
}

fn form(site: &Site<'_>, name: &Range<usize>, sign: usize, signs: &[u8]) -> Form {
    let word = &site.text[name.clone()];
    if word.starts_with(b"--") {
        return Form::Flag;
    }
    let tight = sign == name.end && signs.len() == 1;
    match site.before(name.start) {
        Some(b'?' | b'&') if tight => return Form::Query,
        Some(b';') if signs == b"=" => return Form::Connection,
        Some(b' ') if signs == b"=" && site.text[..name.start].ends_with(b"; ") => {
            return Form::Connection;
        }
        _ => {}
    }
    let is_capital = |byte: &u8| !byte.is_ascii_lowercase();
    if tight && word.iter().all(is_capital) { Form::Environment } else { Form::Bare }
}

/// The value after a sign, in quotation marks or not.
fn assigned(site: &Site<'_>, sign: usize, form: Form, typed: bool) -> Option<Named> {
    let text = site.text;
    let mut at = site.run(sign, 8, |byte| b" \t*".contains(&byte));
    // A string's own prefix: `b"..."`, `r'...'`, `@"..."`.
    if matches!(site.byte(at), Some(b'b' | b'r' | b'f' | b'u' | b'L' | b'@'))
        && matches!(site.byte(at + 1), Some(b'"' | b'\''))
    {
        at += 1;
    }
    if let Some(value) = quoted(site, at) {
        return Some(Named { value, form: Form::Quoted });
    }
    // `password: str = "..."`
    if typed && let Some(value) = behind_type(site, at) {
        return Some(Named { value, form: Form::Quoted });
    }
    let is_value = |byte: u8| {
        (byte.is_ascii_graphic() || (byte == b' ' && form == Form::Connection))
            && !b"\"'`<>".contains(&byte)
            && match form {
                Form::Environment => true,
                Form::Query => !b"&#;".contains(&byte),
                Form::Connection => byte != b';',
                _ => !b",;|".contains(&byte),
            }
    };
    let mut end = site.run(at, VALUE, is_value);
    // Escaped text goes on with `\n`, or its string ends with `\"`.
    if let Some(escape) = memchr::memchr(b'\\', &text[at..end]) {
        let next = site.byte(at + escape + 1);
        if matches!(next, Some(b'n' | b'r' | b't' | b'"' | b'\'') | None) {
            end = at + escape;
        }
    }
    let entities = [b"&quot" as &[u8], b"&lt", b"&gt", b"&#"];
    let found =
        entities.into_iter().filter_map(|entity| memchr::memmem::find(&text[at..end], entity));
    end = found.min().map_or(end, |entity| at + entity);
    if form != Form::Connection {
        end = trimmed(text, at, end);
    }
    (end > at).then_some(Named { value: at..end, form })
}

/// Without what ends a sentence, and without brackets that were not opened.
fn trimmed(text: &[u8], start: usize, mut end: usize) -> usize {
    while end > start {
        let value = &text[start..end];
        let count = |byte: u8| count(value, byte);
        let spare = match value[value.len() - 1] {
            b'.' | b',' | b';' | b':' | b'?' | b'\\' | b'|' => true,
            b')' => count(b')') > count(b'('),
            b']' => count(b']') > count(b'['),
            b'}' => count(b'}') > count(b'{'),
            _ => false,
        };
        if !spare {
            break;
        }
        end -= 1;
    }
    end
}

/// What stands between quotation marks that open at `at`.
fn quoted(site: &Site<'_>, at: usize) -> Option<Range<usize>> {
    let slashes = site.run(at, 3, |byte| byte == b'\\') - at;
    let rest = &site.text[at..];
    let (open, close): (usize, &[u8]) = match rest {
        rest if matches!(rest.get(slashes), Some(b'"' | b'\'' | b'`')) => {
            (slashes + 1, &rest[..=slashes])
        }
        rest if rest.starts_with("“".as_bytes()) => (3, "”".as_bytes()),
        rest if rest.starts_with("„".as_bytes()) => (3, "“".as_bytes()),
        rest if rest.starts_with("«".as_bytes()) => (2, "»".as_bytes()),
        rest if rest.starts_with("「".as_bytes()) => (3, "」".as_bytes()),
        _ => return None,
    };
    let start = at + open;
    let window = &site.text[start..site.text.len().min(start + VALUE)];
    let mut end = memchr::memmem::find(window, close)?;
    // `\"` within is the string's own.
    while slashes == 0 && window[..end].ends_with(b"\\") {
        end += 1 + memchr::memmem::find(&window[end + 1..], close)?;
    }
    let value = &window[..end];
    let is_whole = !value.is_empty() && !value.contains(&b'\n');
    // A string that is itself a name: `"password", "user": ...`.
    let after = site.run(start + end + close.len(), 2, |byte| byte == b' ');
    let is_key = matches!(site.byte(after), Some(b':')) && close.len() == 1 && slashes == 0;
    (is_whole && !is_key).then_some(start..start + end)
}

/// The string after a type: ` str = "..."`.
fn behind_type(site: &Site<'_>, at: usize) -> Option<Range<usize>> {
    let is_type = |byte: u8| byte.is_ascii_alphanumeric() || b"_<>&?[]|.:' ".contains(&byte);
    let sign = site.run(at, 32, is_type);
    if site.byte(sign) != Some(b'=') {
        return None;
    }
    quoted(site, site.run(sign + 1, 4, |byte| byte == b' '))
}

/// The content of an element whose opening tag ends before `start`.
fn tag(site: &Site<'_>, start: usize) -> Option<Named> {
    let end = site.run(start, VALUE, |byte| !b"<\n".contains(&byte));
    if site.byte(end) != Some(b'<') || site.byte(end + 1) != Some(b'/') {
        return None;
    }
    let lead = site.text[start..end].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
    let value = site.text[start..end].trim_ascii();
    let start = start + lead;
    (!value.is_empty()).then_some(Named { value: start..start + value.len(), form: Form::Tag })
}

/// `name="password" value="..."`, `name: password`, `value: ...`.
fn attribute(site: &Site<'_>, at: usize) -> Option<Named> {
    let start = site.run(at, 24, |byte| byte.is_ascii_whitespace() || b",\"'\\".contains(&byte));
    let word = site.text.get(start..start + 5)?;
    if start == at || !word.eq_ignore_ascii_case(b"value") {
        return None;
    }
    let sign = site.run(start + 5, 4, |byte| b" \"'\\".contains(&byte));
    let after = site.run(sign, 1, |byte| b":=".contains(&byte));
    (after > sign).then(|| assigned(site, after, Form::Bare, false))?
}

/// `the password for the server is ...`, `--password ...`, `PASSWORD '...'`.
fn spoken(site: &Site<'_>, name: &Range<usize>, at: usize) -> Option<Named> {
    let text = site.text;
    if text[name.clone()].starts_with(b"--") && site.byte(name.end) == Some(b' ') {
        let named = assigned(site, at, Form::Prose, false)?;
        return (site.byte(at) != Some(b'-')).then_some(named);
    }
    for word in ["是", "为", "為", "は", "는", "은"] {
        if text[at..].starts_with(word.as_bytes()) {
            return assigned(site, at + word.len(), Form::Prose, false);
        }
    }
    if !text[name.end..at].contains(&b' ') {
        return None;
    }
    let is_prose =
        |byte: u8| byte.is_ascii_alphanumeric() || b" -_'/".contains(&byte) || !byte.is_ascii();
    let window = &text[at - 1..site.run(at, GAP, is_prose)];
    let verbs = [
        " is ", " was ", " is: ", " to ", " be ", " ist ", " lautet ", " est ", " es ", " é ",
        " è ", " jest ",
    ];
    let found = verbs.iter().filter_map(|verb| {
        let place = memchr::memmem::find(window, verb.trim_end().as_bytes())?;
        window[place..]
            .get(verb.len() - 1)
            .is_none_or(|byte| *byte == b' ')
            .then_some((place, verb))
    });
    if let Some((place, verb)) = found.min_by_key(|(place, _)| *place) {
        let mut after = at - 1 + place + verb.trim_end().len();
        after += usize::from(site.byte(after) == Some(b':'));
        return assigned(site, after, Form::Prose, false).map(|named| {
            // A quotation is as good as a sign, but for `to`, which may start anything.
            Named {
                form: if named.form == Form::Quoted && *verb == " to " {
                    Form::Prose
                } else {
                    named.form
                },
                ..named
            }
        });
    }
    let gap = site.run(name.end, 4, |byte| byte == b' ');
    let named = assigned(site, gap, Form::Adjacent, false).filter(|_| gap > name.end)?;
    Some(Named {
        form: if named.form == Form::Quoted { Form::Quoted } else { Form::Adjacent },
        ..named
    })
}

/// The word before ` (password)`.
fn cell_before(site: &Site<'_>, bracket: usize) -> Option<Named> {
    let window = &site.text[bracket.saturating_sub(VALUE)..bracket];
    let end = bracket - usize::from(window.last() == Some(&b' '));
    let is_value = |byte: &&u8| byte.is_ascii_graphic() && !b"\"'`<>,;|(".contains(byte);
    let start =
        end - site.text[end.saturating_sub(VALUE)..end].iter().rev().take_while(is_value).count();
    (end < bracket && start < end).then_some(Named { value: start..end, form: Form::Cell })
}
