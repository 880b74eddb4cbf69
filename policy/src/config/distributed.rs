//! What a policy may say that a panel hands out: everything but where one machine listens, and where
//! one machine keeps its keys.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Policy};

/// Sections that are one machine's own.
const SECTIONS: [(&str, &str); 3] = [
    ("proxy", "where a proxy listens is its own: write [proxy] into the iron.toml beside it"),
    ("panel", "where a panel listens is its own: write [panel] into the iron.toml beside it"),
    ("secret", "where a value is kept is a machine's own: write [[secret]] into its iron.toml"),
];

/// Keys that say where a machine keeps a secret: section and key.
const SOURCES: [(&str, &str); 3] =
    [("upstream", "api_key_env"), ("redact", "secret_env"), ("redact", "secret_file")];

impl Policy {
    /// Reads the text of a policy that is handed out to many proxies: like [`Policy::parse`], and
    /// refuses what belongs to one machine.
    pub fn parse_distributed(text: &str) -> Result<Self, ConfigError> {
        let policy = Self::parse(text)?;
        let refuse = |at: usize, message: &str| {
            let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
            Err(ConfigError { line: Some(line), message: message.to_owned() })
        };
        // It was parsed once: it parses again.
        let Ok(file) = DeTable::parse(text) else { return Ok(policy) };
        let sections = file.get_ref();
        for (name, why) in SECTIONS {
            if let Some((key, _)) = sections.get_key_value(name) {
                return refuse(key.span().start, why);
            }
        }
        for (section, name) in SOURCES {
            let tables = sections.get(section).map(tables).unwrap_or_default();
            if let Some((key, _)) = tables.iter().find_map(|table| table.get_key_value(name)) {
                let why = format!(
                    "{section}.{name} says where one machine keeps a secret: the panel hands keys \
                     out by itself (`iron secret set`), others belong into the proxy's iron.toml"
                );
                return refuse(key.span().start, &why);
            }
        }
        Ok(policy)
    }
}

/// A section's tables: one of `[name]`, all of `[[name]]`.
fn tables<'a, 'i>(section: &'a Spanned<DeValue<'i>>) -> Vec<&'a DeTable<'i>> {
    match section.get_ref() {
        DeValue::Table(table) => vec![table],
        DeValue::Array(all) => all.iter().filter_map(|one| one.get_ref().as_table()).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_one_machine_is_refused_with_its_line() {
        let upstream =
            "[[upstream]]\nname = \"a\"\ndialect = \"openai\"\nbase_url = \"https://a.example\"\n";
        let other = upstream.replace("\"a\"", "\"b\"").replace("a.example", "b.example");
        for (text, line, words) in [
            ("[proxy]\nlisten = \"127.0.0.1:1\"\n".to_owned(), 1, "[proxy]"),
            ("\n\nproxy.listen = \"127.0.0.1:1\"\n".to_owned(), 3, "[proxy]"),
            ("[panel]\nlisten = \"127.0.0.1:1\"\n".to_owned(), 1, "[panel]"),
            (
                "\n[[secret]]\nname = \"s\"\nenv = \"A\"\nhosts = [\"a.org\"]\n".to_owned(),
                2,
                "[[secret]]",
            ),
            ("[redact]\nsecret_env = \"A\"\n".to_owned(), 2, "redact.secret_env"),
            ("redact = { secret_file = \"/a\" }\n".to_owned(), 1, "redact.secret_file"),
            (format!("{other}\n{upstream}api_key_env = \"A\"\n"), 10, "upstream.api_key_env"),
        ] {
            let error = Policy::parse_distributed(&text).unwrap_err();
            assert_eq!(error.line, Some(line), "{text}: {error}");
            assert!(error.message.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn everything_else_is_a_policy_and_errors_keep_their_line() {
        assert!(Policy::parse_distributed("").is_ok());
        let text = "[[budget]]\nscope = \"organisation\"\nlimit = \"5 USD\"\nwindow = \"day\"\n";
        assert_eq!(Policy::parse_distributed(text).unwrap().budgets.len(), 1);
        let error = Policy::parse_distributed("\n[[budget]]\nscope = \"nobody\"\n").unwrap_err();
        assert!(error.line.is_some(), "{error}");
    }
}
