//! What clients read as JSON rather than as plain variables. A user's own files are never changed.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use iron_policy::types::Dialect;
use serde_json::{Map, Value, json};

use super::route::Route;

/// A home for Gemini CLI in which the API key is the way to log in: with a base URL and no such
/// choice it refuses to start, and no variable makes it. None where the user's own settings say so.
///
/// All else in it is the user's own, by links. Settings that only root may own, as Gemini CLI wants
/// those of a machine's administrator, would be of no use here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeminiHome {
    /// What takes the place of the user's folder.
    pub home: PathBuf,
    /// The user's own `.gemini`.
    real: PathBuf,
}

/// Gemini CLI's folder within a home, and the file in it.
const GEMINI_FOLDER: &str = ".gemini";
const GEMINI_SETTINGS: &str = "settings.json";

impl GeminiHome {
    /// Makes it in `folder` for the home of a user.
    pub fn make(folder: &Path, own: &Path) -> io::Result<Option<Self>> {
        let real = own.join(GEMINI_FOLDER);
        let text = fs::read_to_string(real.join(GEMINI_SETTINGS)).unwrap_or_default();
        let mut settings: Value = serde_json::from_str(&text).unwrap_or_else(|_| json!({}));
        if settings["security"]["auth"]["selectedType"] == "gemini-api-key" {
            return Ok(None);
        }
        let home = folder.join("gemini-home");
        let inside = home.join(GEMINI_FOLDER);
        if inside.exists() {
            fs::remove_dir_all(&inside)?;
        }
        fs::create_dir_all(&inside)?;
        for entry in fs::read_dir(&real).into_iter().flatten().flatten() {
            if entry.file_name() != GEMINI_SETTINGS {
                symlink(entry.path(), inside.join(entry.file_name()))?;
            }
        }
        merge(&mut settings, &json!({"security": {"auth": {"selectedType": "gemini-api-key"}}}));
        fs::write(inside.join(GEMINI_SETTINGS), format!("{settings:#}"))?;
        Ok(Some(Self { home, real }))
    }

    /// Gives the user what Gemini CLI made in it, as it would have without this.
    pub fn give_back(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.home.join(GEMINI_FOLDER))?.flatten() {
            let target = self.real.join(entry.file_name());
            let new = !entry.file_type()?.is_symlink() && entry.file_name() != GEMINI_SETTINGS;
            if new && !target.exists() {
                fs::create_dir_all(&self.real)?;
                fs::rename(entry.path(), target)?;
            }
        }
        Ok(())
    }
}

/// The configuration that opencode takes from a variable, with what the user has there.
pub fn opencode(route: &Route, own: Option<&str>) -> String {
    let base = route.base();
    let mut providers = Map::new();
    for (name, dialect, version) in [
        ("openai", Dialect::OpenAi, "/v1"),
        ("anthropic", Dialect::Anthropic, "/v1"),
        ("google", Dialect::Gemini, "/v1beta"),
    ] {
        if route.default_upstream(dialect).is_some() {
            let url = format!("{base}{version}");
            providers.insert(name.to_owned(), json!({"options": {"baseURL": url}}));
        }
    }
    let own = own.and_then(|own| serde_json::from_str(own).ok());
    let mut config = own.unwrap_or_else(|| json!({}));
    merge(&mut config, &json!({"provider": providers}));
    config.to_string()
}

/// Puts `over` into `under`; what both have and is no object is taken from `over`.
fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (name, value) in over {
                merge(under.entry(name.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => under.clone_from(over),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::launch::route::tests::route;

    #[test]
    fn gemini_finds_the_users_own_things_and_leaves_its_own() {
        let user = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let real = user.path().join(".gemini");
        fs::create_dir(&real).unwrap();
        fs::write(real.join("history"), "kept").unwrap();
        let settings = r#"{"ui":{"theme":"x"},"security":{"auth":{"selectedType":"oauth"}}}"#;
        fs::write(real.join("settings.json"), settings).unwrap();
        let made = GeminiHome::make(folder.path(), user.path()).unwrap().unwrap();
        let inside = made.home.join(".gemini");
        let written: Value =
            serde_json::from_str(&fs::read_to_string(inside.join("settings.json")).unwrap())
                .unwrap();
        assert_eq!(
            written,
            json!({"ui": {"theme": "x"}, "security": {"auth": {"selectedType": "gemini-api-key"}}})
        );
        fs::write(inside.join("history"), "more").unwrap();
        fs::write(inside.join("new"), "made").unwrap();
        made.give_back().unwrap();
        let read = |name: &str| fs::read_to_string(real.join(name)).unwrap();
        assert_eq!(
            (read("history"), read("new"), read("settings.json")),
            ("more".into(), "made".into(), settings.into())
        );
        fs::write(real.join("settings.json"), written.to_string()).unwrap();
        assert!(GeminiHome::make(folder.path(), user.path()).unwrap().is_none());
    }

    #[test]
    fn what_a_user_has_there_stays() {
        let own = r#"{"theme":"x","provider":{"openai":{"options":{"timeout":1}}}}"#;
        let config: Value = serde_json::from_str(&opencode(&route(), Some(own))).unwrap();
        assert_eq!(
            (&config["theme"], &config["provider"]["openai"]["options"]["timeout"]),
            (&json!("x"), &json!(1))
        );
        assert_eq!(
            config["provider"]["google"]["options"]["baseURL"],
            "http://127.0.0.1:4141/agent/claude/run/run-1/v1beta"
        );
    }
}
