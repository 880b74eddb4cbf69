//! A panel's policy laid over a proxy's own file.
//!
//! The panel decides about calls; the proxy's own file about the machine that it runs on. So all that
//! the panel's text says takes the place of what the file says of it, section by section, but for:
//!
//! | stays the file's | why |
//! |---|---|
//! | `[proxy]`, `[panel]` | ports and files of this machine |
//! | `[[secret]]`, `redact.secret*` | they name variables and files of this machine |
//! | `api_key_env` of an `[[upstream]]` | a variable of this machine; it is read only for an upstream that the file has as well, at the same address: else the panel could have it sent anywhere |
//! | `[[budget]]` | the file's budgets hold beside the panel's |
//! | `tokens.required` | a panel can demand tokens and not waive them |
//! | `connect.private` | which addresses of its own networks a machine opens is its own affair |
//!
//! For the same reason an address that only the panel's policy names, of an upstream or of the recogniser,
//! is refused where it says by itself that it is one of the machine's own networks. A name that a
//! resolver leads there is not looked up here.

use std::net::IpAddr;

use toml::{Table, Value};

use super::{ConfigError, Place, Policy};
use crate::connect::class;

/// Sections that a panel has no say in.
const OWN: [&str; 3] = ["proxy", "panel", "secret"];

impl Policy {
    /// The policy of a proxy with this file, `own`, over which a panel lays its text.
    pub fn overlaid(own: &str, panel: &str) -> Result<Self, ConfigError> {
        let known = Self::parse(own)?;
        let read = |text: &str, whose: &str| {
            toml::from_str::<Table>(text).map_err(|error| ConfigError {
                line: None,
                message: format!("{whose}: {}", error.message()),
            })
        };
        let (mut merged, mut panel) = (read(own, "the file")?, read(panel, "the panel's policy")?);
        for section in OWN {
            panel.remove(section);
        }
        if let Some(upstreams) = panel.get_mut("upstream").and_then(Value::as_array_mut) {
            for upstream in upstreams.iter_mut().filter_map(Value::as_table_mut) {
                own_variable(&known, upstream);
            }
        }
        keep_secret(&merged, &mut panel);
        add_budgets(&merged, &mut panel);
        keep_private(&merged, &mut panel);
        let demands = |tokens: &Value| tokens.get("required").and_then(Value::as_bool);
        if panel.get("tokens").and_then(demands) != Some(true) {
            panel.remove("tokens");
        }
        merged.extend(panel);
        let text = toml::to_string(&merged)
            .map_err(|error| ConfigError { line: None, message: error.to_string() })?;
        // Lines are those of a text that nobody has seen.
        let policy = Self::parse(&text).map_err(|error| ConfigError {
            line: None,
            message: format!("the panel's policy over this proxy's file: {}", error.message),
        })?;
        stays_out(&known, &policy)?;
        Ok(policy)
    }
}

/// Refuses addresses of the machine's own networks that the file does not have.
fn stays_out(known: &Policy, policy: &Policy) -> Result<(), ConfigError> {
    let upstreams = policy.upstreams.iter().map(|upstream| &upstream.base_url);
    let had = |url: &String| known.upstreams.iter().any(|own| own.base_url == *url);
    let new = upstreams.filter(|url| !had(url));
    let recogniser = policy.redact.recogniser.iter().map(|service| &service.url);
    let own = known.redact.recogniser.as_ref().map(|service| &service.url);
    for url in new.chain(recogniser.filter(|url| Some(*url) != own)) {
        if is_inside(known, url) {
            return Err(ConfigError {
                line: None,
                message: format!(
                    "the panel's policy names {url}, an address of this proxy's own networks: name it \
                     in the iron.toml beside the proxy, or allow it there with connect.private"
                ),
            });
        }
    }
    Ok(())
}

/// Whether an address says by itself that it is inside, and the file does not open it.
fn is_inside(known: &Policy, url: &str) -> bool {
    let Some(Place { host, port, .. }) = Place::of_url(url) else { return true };
    let host = host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
    let local = host == "localhost" || host.ends_with(".localhost");
    let ip: IpAddr = match host.parse() {
        Ok(ip) => ip,
        Err(_) if local => IpAddr::from([127, 0, 0, 1]),
        // Resolvers take `127.1` and `0x7f000001` for addresses.
        Err(_) => {
            let last = host.rsplit('.').next().unwrap_or_default();
            return last.starts_with(|c: char| c.is_ascii_digit());
        }
    };
    let allowed = known.connect.private.iter().any(|private| private.allows(&host, ip, port));
    class(ip).is_some() && !allowed
}

/// What is open of the machine's own networks stays as the file says.
fn keep_private(own: &Table, panel: &mut Table) {
    let Some(connect) = panel.get_mut("connect").and_then(Value::as_table_mut) else { return };
    connect.remove("private");
    if let Some(private) = own.get("connect").and_then(|connect| connect.get("private")) {
        connect.insert("private".to_owned(), private.clone());
    }
}

/// Takes the variable that the file has for this very upstream, and no other.
fn own_variable(known: &Policy, upstream: &mut Table) {
    upstream.remove("api_key_env");
    let text = |key: &str| upstream.get(key).and_then(Value::as_str);
    let (name, base_url) = (text("name"), text("base_url"));
    let same = known.upstreams.iter().find(|own| {
        Some(own.name.as_str()) == name
            && base_url.map(|url| url.trim_end_matches('/')) == Some(&*own.base_url)
    });
    if let Some(variable) = same.and_then(|own| own.api_key_env.clone()) {
        upstream.insert("api_key_env".to_owned(), Value::String(variable));
    }
}

/// Where placeholders get their secret from stays the file's.
fn keep_secret(own: &Table, panel: &mut Table) {
    let Some(redact) = panel.get_mut("redact").and_then(Value::as_table_mut) else { return };
    redact.retain(|key, _| !key.starts_with("secret"));
    let own = own.get("redact").and_then(Value::as_table);
    for (key, value) in own.into_iter().flatten().filter(|(key, _)| key.starts_with("secret")) {
        redact.insert(key.clone(), value.clone());
    }
}

fn add_budgets(own: &Table, panel: &mut Table) {
    let Some(budgets) = panel.get_mut("budget").and_then(Value::as_array_mut) else { return };
    let own = own.get("budget").and_then(Value::as_array);
    budgets.splice(0..0, own.into_iter().flatten().cloned());
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN_FILE: &str = r#"
        time_zone = "Europe/Paris"
        [proxy]
        listen = "127.0.0.1:4242"
        [tokens]
        required = true
        [redact]
        secret_env = "PLACEHOLDERS"
        [[budget]]
        scope = "organisation"
        window = "day"
        limit = "1 USD"
        [[upstream]]
        name = "openai"
        dialect = "openai"
        base_url = "https://api.openai.com"
        api_key_env = "OPENAI_API_KEY"
        [[secret]]
        name = "git"
        env = "GIT_TOKEN"
        hosts = ["git.example.org"]
    "#;

    #[test]
    fn the_panel_decides_about_calls_and_the_file_about_its_machine() {
        let panel = r#"
            [proxy]
            listen = "0.0.0.0:1"
            [tokens]
            required = false
            [redact]
            secret_env = "HOME"
            [reserve]
            clamp = true
            [[budget]]
            scope = "agent:*"
            window = "day"
            limit = "2 USD"
            [[secret]]
            name = "stolen"
            env = "AWS_SECRET_ACCESS_KEY"
            hosts = ["evil.example.org"]
        "#;
        let policy = Policy::overlaid(OWN_FILE, panel).unwrap();
        assert_eq!(policy.proxy.listen.port(), 4242);
        assert_eq!(policy.tokens_required, Some(true));
        assert_eq!(policy.redact.secret, Policy::parse(OWN_FILE).unwrap().redact.secret);
        assert!(policy.reserve.clamp);
        let scopes: Vec<_> = policy.budgets.iter().map(|budget| budget.scope.to_string()).collect();
        assert_eq!(scopes, ["organisation", "agent:*"]);
        assert_eq!(policy.secrets.len(), 1);
        assert_eq!(policy.secrets[0].name.as_str(), "git");
        assert_eq!(policy.time_zone.iana_name(), Some("Europe/Paris"));
        assert_eq!(policy.upstreams[0].api_key_env.as_deref(), Some("OPENAI_API_KEY"));
    }

    #[test]
    fn a_variable_is_read_only_for_the_address_that_the_file_has_it_for() {
        let upstream = |name: &str, url: &str| {
            format!(
                "[[upstream]]\nname = \"{name}\"\ndialect = \"openai\"\nbase_url = \"{url}\"\n\
                 api_key_env = \"AWS_SECRET_ACCESS_KEY\"\n"
            )
        };
        for (name, url, variable) in [
            ("openai", "https://api.openai.com", Some("OPENAI_API_KEY")),
            ("openai", "https://api.openai.com/", Some("OPENAI_API_KEY")),
            ("openai", "https://evil.example.org", None),
            ("other", "https://api.openai.com", None),
        ] {
            let policy = Policy::overlaid(OWN_FILE, &upstream(name, url)).unwrap();
            assert_eq!(policy.upstreams[0].api_key_env.as_deref(), variable, "{name} {url}");
            // What the file does not name is there by itself.
            let policy = Policy::overlaid("", &upstream(name, url)).unwrap();
            assert_eq!(policy.upstreams[0].api_key_env.as_deref(), variable, "{name} {url}");
        }
    }

    #[test]
    fn a_panel_demands_tokens_and_waives_none() {
        for (own, panel, required) in [
            ("", "[tokens]\nrequired = false", None),
            ("", "[tokens]\nrequired = true", Some(true)),
            ("[tokens]\nrequired = false", "[tokens]\nrequired = true", Some(true)),
            ("[tokens]\nrequired = true", "[tokens]\nrequired = false", Some(true)),
            ("[tokens]\nrequired = true", "", Some(true)),
        ] {
            assert_eq!(
                Policy::overlaid(own, panel).unwrap().tokens_required,
                required,
                "{own} {panel}"
            );
        }
    }

    #[test]
    fn a_panel_opens_none_of_the_machines_own_networks() {
        let file = "[connect]\nprivate = [\"10.1.2.3:8080\"]";
        let opens = "[connect]\nprivate = [\"192.168.0.0/16:80\"]";
        let own = Policy::parse(file).unwrap().connect.private;
        assert_eq!(Policy::overlaid(file, opens).unwrap().connect.private, own);
        assert!(Policy::overlaid("", opens).unwrap().connect.private.is_empty());
        let at = |url: &str| {
            format!("[[upstream]]\nname = \"a\"\ndialect = \"openai\"\nbase_url = \"{url}\"\n")
        };
        let recogniser = |url: &str| {
            format!("[redact.recogniser]\nurl = \"{url}\"\nkinds = {{ PERSON = \"PERSON\" }}\n")
        };
        for url in [
            "http://127.0.0.1:9000",
            "http://localhost",
            "http://LOCALHOST.:8080/x",
            "http://a.localhost",
            "http://[::1]:80",
            "http://[::ffff:127.0.0.1]",
            "http://169.254.169.254/latest",
            "http://10.0.0.1",
            "http://10.1.2.3:8081",
            "http://192.168.1.1",
            "http://0.0.0.0",
            "http://127.1",
            "http://0x7f000001",
            "http://2130706433",
        ] {
            let error = Policy::overlaid(file, &at(url)).unwrap_err();
            assert!(error.message.contains("own networks"), "{url}: {error}");
            // What the file has itself is its own decision.
            assert!(Policy::overlaid(&at(url), &at(url)).is_ok(), "{url}");
            let error = Policy::overlaid(file, &recogniser(url)).unwrap_err();
            assert!(error.message.contains("own networks"), "{url}: {error}");
        }
        for url in ["http://10.1.2.3:8080", "https://llm.example.org", "https://9.9.9.9"] {
            assert!(Policy::overlaid(file, &at(url)).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_does_not_hold_together_is_refused_without_lines_of_a_text_that_nobody_wrote() {
        for panel in
            ["[nonsense]", "time_zone = 7", "[[route]]\nmodel = \"*\"\nupstream = \"x\"", "["]
        {
            let error = Policy::overlaid(OWN_FILE, panel).unwrap_err();
            assert!(error.line.is_none() && error.message.contains("panel"), "{error}");
        }
        assert!(Policy::overlaid("[", "").is_err());
        let alone = Policy::overlaid(OWN_FILE, "").unwrap();
        assert_eq!(alone.budgets, Policy::parse(OWN_FILE).unwrap().budgets);
    }
}
