//! The clients, and what each is given so that it finds the proxy.

use std::path::{Path, PathBuf};

use iron_policy::types::Dialect;
use serde_json::json;

use crate::{npm, python};

/// Where the proxy is, inside a client's own network.
pub(super) const PROXY_PORT: u16 = 4141;

/// How a client is led to the proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Its base URL is the proxy's.
    BaseUrl,
    /// The same, for a client that then speaks WebSocket first.
    BaseUrlWebSocket,
    /// It has the proxy's address in `HTTPS_PROXY`, and calls the provider's own hosts.
    HttpsProxy,
    /// `iron run` starts it.
    IronRun,
}

impl Route {
    /// As the matrix calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BaseUrl => "base URL",
            Self::BaseUrlWebSocket => "base URL, WebSocket first",
            Self::HttpsProxy => "HTTPS_PROXY",
            Self::IronRun => "iron run",
        }
    }
}

/// A client that people run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// An official SDK for Python.
    Python(&'static str),
    /// An official SDK for Node, by the name of its Python sister.
    Node(&'static str),
    /// Anthropic's coding agent.
    ClaudeCode,
    /// OpenAI's coding agent.
    Codex,
    /// Google's coding agent.
    GeminiCli,
    /// A coding agent for any provider; here OpenAI's.
    OpenCode,
}

/// What a client is asked to do: an SDK's scenario, and the text.
pub struct Task<'a> {
    /// `plain`, `stream` or `tools`; agents do all of it whatever they are asked.
    pub scenario: &'a str,
    /// The user's words.
    pub text: &'a str,
}

/// A command line, and its environment.
pub struct Launch {
    /// The program and its arguments.
    pub line: Vec<String>,
    /// Variables besides `HOME` and `PATH`.
    pub variables: Vec<(&'static str, String)>,
}

impl Client {
    /// As the matrix calls it.
    pub fn name(self) -> String {
        match self {
            Self::Python(sdk) => format!("{sdk} (Python)"),
            Self::Node(_) => format!("{} (Node)", self.package()),
            Self::ClaudeCode => "Claude Code".to_owned(),
            Self::Codex => "Codex".to_owned(),
            Self::GeminiCli => "Gemini CLI".to_owned(),
            Self::OpenCode => "opencode".to_owned(),
        }
    }

    /// The package that it is installed from.
    pub fn package(self) -> &'static str {
        match self {
            Self::Node("anthropic") => "@anthropic-ai/sdk",
            Self::Node("google-genai") => "@google/genai",
            Self::Python(sdk) | Self::Node(sdk) => sdk,
            Self::ClaudeCode => "@anthropic-ai/claude-code",
            Self::Codex => "@openai/codex",
            Self::GeminiCli => "@google/gemini-cli",
            Self::OpenCode => "opencode-ai",
        }
    }

    /// True for a program of its own, false for a library in one of ours.
    pub fn is_agent(self) -> bool {
        !matches!(self, Self::Python(_) | Self::Node(_))
    }

    /// What it speaks.
    pub fn dialect(self) -> Dialect {
        match self {
            Self::Python("anthropic") | Self::Node("anthropic") | Self::ClaudeCode => {
                Dialect::Anthropic
            }
            Self::Python("google-genai") | Self::Node("google-genai") | Self::GeminiCli => {
                Dialect::Gemini
            }
            _ => Dialect::OpenAi,
        }
    }

    /// The model that answers the user; agents ask smaller ones for titles and the like.
    pub fn model(self) -> &'static str {
        match (self, self.dialect()) {
            (Self::ClaudeCode, _) => "claude-opus-4-8",
            (Self::Codex, _) => "gpt-6.1-sol",
            (Self::GeminiCli, _) => "gemini-3.8-flash",
            (Self::OpenCode, _) => "gpt-5-mini",
            (_, Dialect::OpenAi | Dialect::Bedrock) => "gpt-4o-mini",
            (_, Dialect::Anthropic) => "claude-haiku-4-5",
            (_, Dialect::Gemini) => "gemini-2.5-flash",
        }
    }

    /// Installs it, where that was not done before.
    pub fn install(self) -> Installed {
        let folder = match self {
            Self::Python(_) => python::with_requirements_of("sdk"),
            Self::Node(_) => npm::with_packages_of("node"),
            _ => npm::with_packages_of("agents"),
        };
        Installed { client: self, folder }
    }
}

/// A client that is ready to run.
#[derive(Clone, Debug)]
pub struct Installed {
    /// Which one.
    pub client: Client,
    /// The Python, or the folder with `node_modules`.
    folder: PathBuf,
}

impl Installed {
    /// Its version, from what is installed.
    pub fn version(&self) -> String {
        match self.client {
            Client::Python(sdk) => python::version(&self.folder, sdk),
            client => npm::version(&self.folder, client.package()),
        }
    }

    /// How it is run by a route, from a clean home folder.
    pub fn launch(&self, route: Route, task: &Task<'_>, home: &Path) -> Launch {
        let mut variables = vec![
            ("OPENAI_API_KEY", "sk-caller".to_owned()),
            ("ANTHROPIC_API_KEY", "sk-ant-caller".to_owned()),
            ("GEMINI_API_KEY", "google-caller".to_owned()),
        ];
        let base = format!("http://127.0.0.1:{PROXY_PORT}");
        if matches!(route, Route::BaseUrl | Route::BaseUrlWebSocket) {
            variables.push(match self.client.dialect() {
                Dialect::Anthropic => ("ANTHROPIC_BASE_URL", base.clone()),
                Dialect::Gemini => ("GOOGLE_GEMINI_BASE_URL", base.clone()),
                Dialect::OpenAi | Dialect::Bedrock => ("OPENAI_BASE_URL", format!("{base}/v1")),
            });
        }
        let line = self.line(route, &base, task, home, &mut variables);
        Launch { line, variables }
    }

    fn line(
        &self,
        route: Route,
        base: &str,
        task: &Task<'_>,
        home: &Path,
        variables: &mut Vec<(&'static str, String)>,
    ) -> Vec<String> {
        let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("clients");
        let bin =
            |name: &str| self.folder.join("node_modules/.bin").join(name).display().to_string();
        let words = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        match self.client {
            Client::Python(sdk) => {
                let script = own.join("sdk.py").display().to_string();
                let python = self.folder.display().to_string();
                words(&[&python, &script, sdk, task.scenario, task.text])
            }
            Client::Node(sdk) => {
                // Beside its packages: that is where Node looks for them.
                let script = self.folder.join("sdk.mjs");
                std::fs::copy(own.join("node/sdk.mjs"), &script).unwrap();
                words(&["node", &script.display().to_string(), sdk, task.scenario, task.text])
            }
            Client::ClaudeCode => {
                variables.push(("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1".to_owned()));
                words(&[&bin("claude"), "-p", task.text])
            }
            Client::Codex => {
                let mut line = words(&[&bin("codex"), "exec", "--skip-git-repo-check"]);
                let settings = match route {
                    // What it does of itself, with a key for the provider it knows.
                    Route::HttpsProxy | Route::IronRun => {
                        variables.push(("CODEX_API_KEY", "sk-caller".to_owned()));
                        Vec::new()
                    }
                    Route::BaseUrlWebSocket => {
                        variables.push(("CODEX_API_KEY", "sk-caller".to_owned()));
                        vec![format!("openai_base_url=\"{base}/v1\"")]
                    }
                    Route::BaseUrl => vec![
                        format!(
                            "model_providers.iron={{name=\"iron\",base_url=\"{base}/v1\",env_key=\"OPENAI_API_KEY\",wire_api=\"responses\"}}"
                        ),
                        "model_provider=iron".to_owned(),
                    ],
                };
                for setting in settings {
                    line.extend(["-c".to_owned(), setting]);
                }
                line.push(task.text.to_owned());
                line
            }
            Client::GeminiCli => {
                if route != Route::IronRun {
                    let settings = home.join(".gemini");
                    std::fs::create_dir_all(&settings).unwrap();
                    let chosen = json!({"security": {"auth": {"selectedType": "gemini-api-key"}}});
                    std::fs::write(settings.join("settings.json"), chosen.to_string()).unwrap();
                }
                variables.push(("GEMINI_CLI_TRUST_WORKSPACE", "true".to_owned()));
                words(&[&bin("gemini"), "-p", task.text])
            }
            Client::OpenCode => {
                let mut config = json!({
                    "model": format!("openai/{}", self.client.model()), "autoupdate": false,
                });
                if route == Route::BaseUrl {
                    config["provider"] =
                        json!({"openai": {"options": {"baseURL": format!("{base}/v1")}}});
                }
                variables.push(("OPENCODE_CONFIG_CONTENT", config.to_string()));
                words(&[&bin("opencode"), "run", task.text])
            }
        }
    }
}
