//! Passwords, by the name that they are given.
//!
//! In code, JSON, YAML, environment files, INI, XML, queries, command lines, connection strings,
//! SQL (`IDENTIFIED BY`), tables and prose, in the languages listed. Names and forms after OWASP's
//! and gitleaks' accounts of where they leak
//! (<https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml>).
//!
//! `changeme`, `admin` and `root` are passwords where they are given as one: they are in use. The
//! word `password` itself, placeholders, variables, types, messages and password hashes are none.

use std::ops::Range;

use super::named::{Form, Named, name_start, suffix_end, value_of};
use super::value::{count, is_placeholder};
use crate::redact::detect::{BASE, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::Password,
    start: Start::Literals(TRIGGERS),
    check,
    by_name: true,
    label: "password",
    // Of two much quoted cartoons and stories: bash.org's quote 244321, xkcd's number 936.
    valid: ["hunter2", "Tr0ub4dor&3"],
    invalid: ["${DB_PASSWORD}", "your-password-here"],
    about: "the name it is given, in code, configuration and prose",
    ..BASE
};

/// What names of passwords start with. No two of them overlap.
#[rustfmt::skip]
const TRIGGERS: &[&str] = &[
    "pass", "PASS", "Pass", "pwd", "PWD", "Pwd", "pw:", "PW:", "pw=", "PW=", "mdp", "MDP",
    "contrase", "Contrase", "CONTRASE", "kennwort", "Kennwort", "senha", "Senha", "wachtwoord",
    "Wachtwoord", "hasło", "Hasło", "пароль", "Пароль", "密码", "密碼", "パスワード", "비밀번호",
    "identified by", "IDENTIFIED BY", "Identified by",
];

const LONGEST: usize = 200;

fn check(site: &Site<'_>) -> Option<Hit> {
    // Asked about a whole text, by the key that stands before it.
    if site.trigger == (0..site.text.len()) {
        let key = site.scene.key()?.as_bytes();
        let at = memchr::memmem::find(&key.to_ascii_lowercase(), b"pass");
        let end = at.map_or(0, |at| at + 4 + word_rest(&key[at + 4..]).unwrap_or(0));
        let named = Named { value: site.trigger.clone(), form: Form::Quoted };
        return (at.is_some() && end == key.len()).then(|| hit(site, named))?;
    }
    let name = name(site)?;
    let named = value_of(site, &name)?;
    let word = &site.text[site.trigger.start..name.end];
    let value = &site.text[named.value.clone()];
    // `PASS: 12 tests`, `pass "x" to it`, `ok ? "PASS" : "FAIL"`
    if word.eq_ignore_ascii_case(b"pass") {
        let sign = site.run(name.end, 4, |byte| b" \"'`\\".contains(&byte));
        let is_bare =
            !matches!(named.form, Form::Quoted | Form::Query | Form::Flag | Form::Connection);
        let is_named = name.start < site.trigger.start;
        let signs: &[u8] = if is_bare && !is_named { b"=" } else { b"=:,>" };
        if !site.byte(sign).is_some_and(|byte| signs.contains(&byte))
            || value.iter().all(u8::is_ascii_uppercase)
        {
            return None;
        }
    }
    // `identified by 'x'` is SQL's; without quotation marks, or in others, it is prose.
    if word[0].eq_ignore_ascii_case(&b'i')
        && !matches!(site.before(named.value.start), Some(b'"' | b'\''))
    {
        return None;
    }
    // `const PASSWORD: usize = 8`
    let type_end = site.run(named.value.end, 2, |byte| byte == b' ');
    if named.form == Form::Environment && site.text[type_end..].starts_with(b"= ") {
        return None;
    }
    hit(site, named)
}

fn hit(site: &Site<'_>, named: Named) -> Option<Hit> {
    let value = &site.text[named.value.clone()];
    is_password(value, named.form).then(|| Hit::sure(named.value, "password", Confidence::Context))
}

/// The name that the trigger is the last word of.
fn name(site: &Site<'_>) -> Option<Range<usize>> {
    let trigger = &site.text[site.trigger.clone()];
    let rest = &site.text[site.trigger.end..];
    let end = match trigger {
        [b'p' | b'P', b'a' | b'A', ..] => site.trigger.end + word_rest(rest)?,
        [b'p' | b'P', b'w' | b'W', b':' | b'='] => site.trigger.end - 1,
        [b'c' | b'C', ..] => {
            let rest = rest.strip_prefix("ña".as_bytes()).or(rest.strip_prefix("Ñ".as_bytes()));
            let rest = rest.or(site.text[site.trigger.end..].strip_prefix(b"na"))?;
            site.text.len() - rest.strip_prefix(b"A").unwrap_or(rest).len()
        }
        _ => site.trigger.end,
    };
    let end = suffix_end(site, end, SUFFIXES)?;
    let start = name_start(site, site.trigger.start);
    (!is_denied(&site.text[start..site.trigger.start], end - site.trigger.start))
        .then_some(start..end)
}

/// The length of what makes a password of `pass`.
fn word_rest(rest: &[u8]) -> Option<usize> {
    let length = rest.iter().take(8).take_while(|byte| byte.is_ascii_alphabetic()).count();
    let word = |length: usize| rest[..length].to_ascii_lowercase();
    [0, 1, 2, 4, 6]
        .into_iter()
        .rev()
        .filter(|size| *size <= length)
        .find(|size| {
            matches!(
                word(*size).as_slice(),
                b"" | b"e" | b"wd" | b"word" | b"wort" | b"code" | b"phrase"
            )
        })
        // `passport`, `passed`, and `passwordField` are other words.
        .filter(|size| *size == length || (*size > 1 && rest[*size].is_ascii_uppercase()))
}

/// What ends such names, besides what ends all.
const SUFFIXES: &[&[u8]] = &[b"plain", b"plaintext", b"default", b"text"];

/// True where what stands before the word makes another of the name: `showPassword`, `bypass`.
fn is_denied(prefix: &[u8], length: usize) -> bool {
    let lower = prefix.to_ascii_lowercase();
    let last = lower.split(|byte| b"_-.".contains(byte)).next_back().unwrap_or_default();
    #[rustfmt::skip]
    let verbs: [&[u8]; 22] = [
        b"show", b"hide", b"has", b"is", b"reset", b"forgot", b"forget", b"no", b"require",
        b"requires", b"enable", b"disable", b"validate", b"check", b"verify", b"min", b"max",
        b"invalid", b"wrong", b"hash", b"hashed", b"use",
    ];
    let words = lower.split(|byte| b"_-.".contains(byte)).chain([last]);
    if words.into_iter().any(|word| verbs.contains(&word)) {
        return true;
    }
    // Four letters alone are the end of many words; three are a directory.
    let systems: [&[u8]; 14] = [
        b"", b"db", b"user", b"admin", b"root", b"ftp", b"smtp", b"mysql", b"pg", b"redis", b"ssh",
        b"mail", b"key", b"store",
    ];
    length <= 4 && !systems.contains(&last)
}

fn is_password(value: &[u8], form: Form) -> bool {
    if !(4..=LONGEST).contains(&value.len()) || is_placeholder(value) || is_message(value) {
        return false;
    }
    let any = |wanted: fn(&u8) -> bool| value.iter().any(wanted);
    let (letter, digit) = (any(u8::is_ascii_alphabetic), any(u8::is_ascii_digit));
    let symbol = value.iter().any(|byte| b"!@#$%^&*+~?=".contains(byte));
    // Letters in three runs of either case are no word either.
    let turns =
        value.windows(2).filter(|two| two[0].is_ascii_lowercase() && two[1].is_ascii_uppercase());
    let drawn = value.len() >= 8 && value.is_ascii() && turns.count() >= 2;
    let strong = letter && (digit || symbol || drawn);
    let is_word = value.iter().all(|byte| byte.is_ascii_alphabetic() || b"_-.".contains(byte));
    match form {
        Form::Quoted | Form::Tag => {
            !is_word || !value.iter().any(|byte| b"_-.".contains(byte)) || count(value, b'-') > 2
        }
        Form::Environment | Form::Query | Form::Connection => {
            !is_number(value) && !value.windows(2).any(|two| two == b"::")
        }
        Form::Flag => !value.iter().all(|byte| byte.is_ascii_uppercase() || b"_-".contains(byte)),
        Form::Bare => (strong && !is_expression(value)) || is_pin(value, 4),
        Form::Cell => strong && !is_expression(value),
        Form::Prose => (strong && !is_expression(value)) || is_pin(value, 6),
        Form::Adjacent => {
            let cases = any(u8::is_ascii_uppercase) && any(u8::is_ascii_lowercase);
            letter && digit && (symbol || cases) && value.len() >= 8 && !is_expression(value)
        }
    }
}

fn is_pin(value: &[u8], least: usize) -> bool {
    value.len() >= least && value.iter().all(u8::is_ascii_digit)
}

/// `0x1F`
fn is_number(value: &[u8]) -> bool {
    value.strip_prefix(b"0x").is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// True for what is a piece of a program rather than a value.
fn is_expression(value: &[u8]) -> bool {
    let is_path = value.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_.".contains(byte))
        && value.iter().any(|byte| b"_.".contains(byte))
        && (value[0].is_ascii_alphabetic() || value[0] == b'_');
    let is_variable = value.starts_with(b"pass")
        && value.len() < 11
        && value.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    is_path
        || is_variable
        || is_number(value)
        || value.iter().any(|byte| b"([{".contains(byte))
        || matches!(value[0], b'$' | b'&' | b'*' | b'!' | b'-' | b'=')
        || value.windows(2).any(|two| two == b"->" || two == b"::" || two == b"&&" || two == b"||")
}

/// True for what is said about passwords: rules of validation, labels, patterns.
fn is_message(value: &[u8]) -> bool {
    let lower = value.to_ascii_lowercase();
    let holds = |part: &[u8]| memchr::memmem::find(&lower, part).is_some();
    let is_word = value.iter().all(|byte| !byte.is_ascii_digit() && !b"!@#$%^&*+~=".contains(byte));
    let spaces = count(value, b' ');
    let mut words = lower.split(|byte| *byte == b' ');
    let plain = |word: &&[u8]| word.len() > 1 && word.iter().all(u8::is_ascii_alphabetic);
    let talk: [&[u8]; 12] = [
        b"must",
        b"the",
        b"your",
        b"is",
        b"least",
        b"characters",
        b"and",
        b"not",
        b"please",
        b"to",
        b"with",
        b"a",
    ];
    let is_sentence = words.clone().filter(plain).count() > 2
        && (value[0].is_ascii_uppercase() || words.any(|word| talk.contains(&word)));
    let is_text = spaces > 0 && is_word && (spaces < 3 || value[0].is_ascii_uppercase());
    is_text
        || is_sentence
        || (is_word && holds(b"assword"))
        || (spaces > 0 && holds(b"assword"))
        || holds(b"required")
        || holds(b"min:")
        || matches!(value[0], b'^')
        || holds(b"(?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn passwords_are_found_wherever_they_are_written() {
        let mut wrong = Vec::new();
        for (text, value) in [
            ("password = \"hunter2\"", "hunter2"),
            ("String dbPassword = 'S3cr;t, yes!';", "S3cr;t, yes!"),
            ("PASSWORD=hunter2\nB=1", "hunter2"),
            ("export PGPASSWORD='p w d 4 me'", "p w d 4 me"),
            ("MYSQL_ROOT_PASSWORD: changeme", "changeme"),
            ("DB_PASS=s3cr3t,and;more", "s3cr3t,and;more"),
            ("{\"user\":\"ann\",\"passwd\":\"rosebud\"}", "rosebud"),
            ("{\\\"password\\\":\\\"hunter2\\\"}", "hunter2"),
            ("password: str = \"hunter2\"", "hunter2"),
            ("config[\"password\"] = 'hunter2'", "hunter2"),
            ("'password' => 'hunter2',", "hunter2"),
            ("<password>hunter2</password>", "hunter2"),
            ("<add key=\"Password\" value=\"hunter2\"/>", "hunter2"),
            ("- name: DB_PASSWORD\n  value: hunter2\n", "hunter2"),
            ("https://example.com/login?user=ann&password=hunter2&x=1", "hunter2"),
            ("mysqladmin --password=hunter2 status", "hunter2"),
            ("tool --password hunter2 --verbose", "hunter2"),
            ("Server=db;Database=app;Uid=ann;Pwd=h,nter 2!;Encrypt=yes", "h,nter 2!"),
            ("jdbc:sqlserver://h:1433;user=ann;password=hunter2;encrypt=true", "hunter2"),
            ("CREATE USER ann IDENTIFIED BY 'hunter2';", "hunter2"),
            ("ALTER USER ann WITH PASSWORD 'hunter2';", "hunter2"),
            ("The password for the staging server is hunter2.", "hunter2"),
            ("pw: hunter2", "hunter2"),
            ("**Password:** `hunter2`", "hunter2"),
            ("Passwort: Gehe1m!", "Gehe1m!"),
            ("su contraseña es hunter2", "hunter2"),
            ("mot de passe : hunter2", "hunter2"),
            ("密码是hunter2。", "hunter2"),
            ("パスワード：hunter2", "hunter2"),
            ("setenv(\"DB_PASSWORD\", \"hunter2\")", "hunter2"),
            ("line\\npassword=hunter2\\nline", "hunter2"),
            ("passphrase: \"correct horse battery staple\"", "correct horse battery staple"),
        ] {
            let found = found(text);
            wrong.extend((found != [(Kind::Password, value)]).then_some((text, found)));
        }
        assert_eq!(wrong, []);
    }

    #[test]
    fn what_is_said_about_passwords_is_none() {
        let mut wrong = Vec::new();
        for text in [
            "password: str, password: String, password?: string; password: &str",
            "password = os.environ[\"DB_PASSWORD\"]",
            "const password = process.env.DB_PASSWORD2;",
            "password = get_password(user1)",
            "self.password = password2",
            "login(user, password=user_password_1)",
            "PASSWORD=${DB_PASSWORD:-x}",
            "password: {{ vault_password }}",
            "password: !vault secret/db2",
            "password: ****",
            "password=xxxxxxxx",
            "password: null, \"password\": false, password: \"\"",
            "\"password\": \"Password must be at least 8 characters\"",
            "'password' => 'required|string|min:8|confirmed'",
            "<input type=\"password\" name=\"password\" placeholder=\"Your password\">",
            "input[type=password] { width: 100px }",
            "GET /reset-password?x=abc123def",
            "password_hash = \"$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW\"",
            "password: \"$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW\"",
            "max_password_length: 128, passwordField: \"pw1field\"",
            "showPassword = true1; has_password: yes1x",
            "PASS: test_login2 (12 ms), 3 passed, passport: yes",
            "compass: n0rth, bypass = ru1es4",
            "PWD=/home/ann/src1",
            "the password is required, the password is stored hashed",
            "Forgot your password? The password was changed on 2024-05-20.",
            "a password is a secret that grants2",
            "password: <PASSWORD_kq7mzvt2ah>",
            "password=<PASSWORD>",
            "\"password\": \"<PASSWORD_kq7mzvt2ah>\"",
            "the password is <PASSWORD_kq7mzvt2ah>, ok1",
            "[\"username\", \"password\", \"email2\"].map(f)",
            "{\"type\":\"password\",\"x-order2\":1}",
            "password: yup.string().min(8)",
            "if (password.length < 8) return pass1;",
            "def f(password): return 1",
            "CI: Pass `--no-self-update2`, pass 'x1y2' on; ok ? \"PASS\" : \"FAIL\"",
            "the header identified by `name1` and identified by name2",
            "pub log_passwd: __u32, pub const USER_PASSWORD: usize = 8;",
            "const PASSWORD: crate::ObjectIdentifier =\n    x;",
            "my $pwd = $ftp->pwd; chdir $pwd;\n    die $@ if $@;",
            "static char *password;\nstatic UInt16 port2;",
            "printf(&quot;Password is correct.&quot;);",
            "via the --username and --password options",
            "f(\n  password,\n  rounds=self._rounds2,\n)",
            "SELECT password FROM users WHERE id2 = 1",
        ] {
            wrong.extend(found(text).into_iter().map(|found| (text, found)));
        }
        assert_eq!(wrong, []);
    }

    #[test]
    fn a_whole_text_is_judged_by_its_key() {
        use crate::redact::context::Scene;
        let ask = |key, text: &str| {
            let scene = Scene::new(text.as_bytes(), key);
            let (text, trigger) = (scene.text(), 0..text.len());
            check(&Site { text, trigger, scene: &scene, detector: 0, supposing: false })
        };
        assert!(ask(Some("password"), "hunter2").is_some());
        assert!(ask(Some("dbPassword"), "rosebud").is_some());
        assert!(ask(Some("password_hash"), "hunter2").is_none());
        assert!(ask(Some("passed"), "hunter2").is_none());
        assert!(ask(None, "hunter2").is_none());
    }
}
