//! `iron run`: a program with its calls through the proxy, and a receipt at its end.

use std::ffi::OsString;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use iron_policy::config::Policy;
use iron_policy::types::{Name, NanoUsd};
use iron_proxy::sessions::fresh_secret;
use serde_json::{Value, json};

use super::Failure;
use crate::args::Files;
use crate::files::{self, Config};
use crate::launch::child;
use crate::launch::client::{self, Client, Found};
use crate::launch::plan::{self, Own, Plan, Ways};
use crate::launch::proxy::Proxy;
use crate::launch::receipt::{self, Told};
use crate::launch::route::Route;
use crate::launch::settings::GeminiHome;

/// What was asked for.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) budget: Option<NanoUsd>,
    pub(super) agent: Option<Name>,
    pub(super) strict: bool,
    pub(super) ways: Ways,
    pub(super) simulate: bool,
    pub(super) receipt: Receipt,
    pub(super) command: Vec<OsString>,
}

/// Where the receipt goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// Lines on standard error.
    Lines,
    /// An object on standard error.
    Json,
    /// An object in a file.
    File(PathBuf),
    /// Nowhere.
    Off,
}

impl std::str::FromStr for Receipt {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "text" => Self::Lines,
            "json" => Self::Json,
            "off" => Self::Off,
            file => Self::File(file.into()),
        })
    }
}

/// A program that fails within this time has perhaps not come to its first call.
const SOON: Duration = Duration::from_secs(30);

/// Runs a program to its end. Standard output is the program's alone.
pub(super) async fn run(files: &Files, wanted: Wanted) -> Result<ExitCode, Failure> {
    let config = Config::read(files)?;
    let found = Client::of(&wanted.command);
    let variable = |name: &str| std::env::var(name).ok();
    let own = Own { variable: &variable, home: std::env::home_dir() };
    let proxy = proxy(files, &config, &wanted, found, &own).await?;
    let run = Run::announce(&proxy, &wanted, found).await?;
    // Beside the state, so that what a client makes there can be moved to where it belongs.
    let state = proxy.state();
    let beside = state.parent().context("the state file has no folder")?;
    let folder = tempfile::Builder::new().prefix("run-").tempdir_in(beside);
    let folder = folder.context("no folder for the run can be made beside the state file")?;
    let route = run.route(&config.policy, &proxy, &wanted);
    let client = found.map(|found| found.client);
    let place = found.map_or(1, |found| found.arguments).min(wanted.command.len());
    let arguments = &wanted.command[place..];
    // Keys of the user's own do not come into a sandbox.
    let is_sandboxed = client::sandboxed(&wanted.command).is_some();
    let inside =
        |name: &str| if is_sandboxed && plan::KEYS.contains(&name) { None } else { variable(name) };
    let inside = Own { variable: &inside, home: own.home.clone() };
    let plan = Plan::of(&route, client, arguments, wanted.ways, &inside, folder.path())
        .context("a client's settings cannot be written")?;
    for note in &plan.notes {
        tell(&format!("note: {note}"));
    }
    let mut command = Command::new(&wanted.command[0]);
    command.args(&wanted.command[1..place]).args(&plan.arguments).args(arguments);
    for name in &plan.unset {
        command.env_remove(name);
    }
    command.envs(plan.settings.iter().map(|setting| (&setting.name, &setting.value)));
    run.name_in(&mut command, &proxy);
    hand_on(&plan, &mut command);

    let begun = Instant::now();
    let mut running = match child::start(&mut command) {
        Ok(running) => running,
        Err(error) => {
            let program = wanted.command[0].to_string_lossy();
            tell(&format!("{program} cannot be started: {error}"));
            proxy.close().await;
            return Ok(ExitCode::from(child::start_code(&error)));
        }
    };
    let status = running.wait().await.context("the program's end cannot be waited for")?;
    // What was made in a sandbox would be obeyed outside of it the next time.
    let given_back = plan.gemini_home.as_ref().filter(|_| !is_sandboxed);
    if let Some(Err(error)) = given_back.map(GeminiHome::give_back) {
        tell(&format!("what Gemini CLI made could not be put into its folder: {error}"));
    }
    let told = Told {
        program: &client::label(&wanted.command, found),
        took: begun.elapsed(),
        exit: child::exit_code(status),
        simulated: proxy.is_simulated(),
    };
    match proxy.figures(run.id.as_str()).await {
        Ok(figures) => {
            write_receipt(&wanted.receipt, &figures, &told)?;
            if wanted.receipt != Receipt::Off {
                tell_bypass(&figures, &told, client);
            }
        }
        Err(error) => tell(&format!("no receipt: {error:#}")),
    }
    proxy.close().await;
    Ok(ExitCode::from(told.exit))
}

/// The proxy that runs, else one of this run's own.
async fn proxy(
    files: &Files,
    config: &Config,
    wanted: &Wanted,
    found: Option<Found>,
    own: &Own<'_>,
) -> Result<Proxy, Failure> {
    if !wanted.simulate
        && let Some(proxy) = Proxy::running(files::proxy_address(&config.policy)).await?
    {
        return Ok(proxy);
    }
    let has_key = has_key(&config.policy, found, own);
    let proxy =
        Proxy::start(files, config, wanted.simulate || !has_key).await.map_err(|failure| {
            match failure {
            Failure::Other(error) => Failure::Other(error.context(
                "no proxy runs, and none can be started for this run (for several runs at once, \
                 start one with `iron up`)",
            )),
            other => other,
        }
        })?;
    if proxy.is_simulated() && !wanted.simulate {
        tell("no provider key is set, so a simulated provider answers and no money is spent");
    }
    Ok(proxy)
}

/// Whether anybody has a key for a provider: the environment, or the client by its own login.
fn has_key(policy: &Policy, found: Option<Found>, own: &Own<'_>) -> bool {
    let set = |name: &str| (own.variable)(name).is_some_and(|key| !key.is_empty());
    let configured = policy.upstreams.iter().filter_map(|upstream| upstream.api_key_env.as_deref());
    // Which clients take a key from besides.
    let others =
        ["ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN", "CODEX_API_KEY", "GOOGLE_API_KEY"];
    configured.chain(others).any(set)
        || found.is_some_and(|found| plan::has_login(found.client, own))
}

/// A run that was announced to the proxy.
struct Run {
    id: Name,
    agent: Name,
    depth: u8,
}

impl Run {
    async fn announce(
        proxy: &Proxy,
        wanted: &Wanted,
        found: Option<Found>,
    ) -> Result<Self, Failure> {
        let outer = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let parent = outer("IRON_RUN_ID").and_then(|id| id.parse::<Name>().ok());
        // A run that is not known here was another proxy's, and is none of this one's business.
        let parent = match parent {
            Some(parent) if proxy.figures(parent.as_str()).await.is_ok() => Some(parent),
            _ => None,
        };
        let depth = match &parent {
            Some(_) => {
                let above = outer("IRON_DEPTH").and_then(|depth| depth.parse::<u8>().ok());
                above.unwrap_or_default().saturating_add(1)
            }
            None => 0,
        };
        let agent = wanted.agent.clone().or_else(|| {
            let inherited = parent.as_ref().and_then(|_| outer("IRON_AGENT"));
            inherited.and_then(|agent| agent.parse().ok())
        });
        let agent = agent.or_else(|| agent_name(&client::label(&wanted.command, found)));
        let agent = agent.context("the program has no name: give it one with --agent")?;
        let id = fresh_id()?;
        let announcement = json!({
            "id": id,
            "agent": agent,
            "parent": parent,
            "budget": wanted.budget.map(|budget| budget.to_string()),
            "strict": wanted.strict,
        });
        proxy.announce(&announcement).await.context("the run cannot be announced")?;
        Ok(Self { id, agent, depth })
    }

    fn route(&self, policy: &Policy, proxy: &Proxy, wanted: &Wanted) -> Route {
        Route {
            address: proxy.address,
            agent: Some(self.agent.clone()),
            run: Some(self.id.clone()),
            depth: self.depth,
            strict: wanted.strict,
            ..Route::to(policy, proxy.address, &proxy.status)
        }
    }

    /// Tells a program, and any `iron` within it, in which run it is.
    fn name_in(&self, command: &mut Command, proxy: &Proxy) {
        command
            .env("IRON_RUN_ID", self.id.as_str())
            .env("IRON_AGENT", self.agent.as_str())
            .env("IRON_DEPTH", self.depth.to_string())
            .env("IRON_PROXY", proxy.address.to_string())
            .env("IRON_STATE", proxy.state());
    }
}

/// Tells a sandbox what its program needs of all this: it hands on nothing by itself.
fn hand_on(plan: &Plan, command: &mut Command) {
    let names: Vec<&str> = plan.settings.iter().map(|setting| &*setting.name).collect();
    command.env("IRON_RUN_VARIABLES", names.join(","));
    let home = plan.gemini_home.as_ref().map(|made| &made.home);
    let reads: Vec<&PathBuf> = plan.reads.iter().collect();
    for (name, paths) in [("IRON_RUN_READ", reads), ("IRON_RUN_WRITE", home.into_iter().collect())]
    {
        // A path with a colon in it cannot be told, and is then not there in a sandbox.
        let told = paths.into_iter().filter(|path| !path.as_os_str().as_bytes().contains(&b':'));
        command.env(name, std::env::join_paths(told).unwrap_or_default());
    }
}

/// A program's name as an agent's: what a name may not hold becomes `-`.
fn agent_name(label: &str) -> Option<Name> {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let text: String = label.chars().take(64).map(|c| if fine(c) { c } else { '-' }).collect();
    text.parse().ok()
}

/// `run-` and 60 random bits in Crockford's base 32.
fn fresh_id() -> Result<Name, Failure> {
    let random = fresh_secret().map_err(anyhow::Error::from)?;
    let digit = |byte: &u8| char::from(b"0123456789abcdefghjkmnpqrstvwxyz"[usize::from(byte & 31)]);
    let id: String = random.iter().take(12).map(digit).collect();
    Ok(format!("run-{id}").parse().map_err(|error| anyhow!("{error}"))?)
}

fn write_receipt(receipt: &Receipt, figures: &Value, told: &Told<'_>) -> Result<(), Failure> {
    match receipt {
        Receipt::Off => {}
        Receipt::Lines => raw(&receipt::lines(figures, told)),
        Receipt::Json => raw(&format!("{}\n", receipt::object(figures, told))),
        Receipt::File(path) => {
            let text = format!("{:#}\n", receipt::object(figures, told));
            std::fs::write(path, text)
                .with_context(|| format!("the receipt {} cannot be written", path.display()))?;
        }
    }
    Ok(())
}

/// Says where a program's calls went that did not come by here, as far as anybody can know.
fn tell_bypass(figures: &Value, told: &Told<'_>, client: Option<Client>) {
    if figures["calls"] != 0 || figures["open_calls"] != 0 {
        return;
    }
    let any = |name: &str| figures[name].as_object().is_some_and(|hosts| !hosts.is_empty());
    let tunnelled = any("tunnels") || any("other_hosts");
    let seen = if tunnelled {
        "it reached other hosts through the proxy, but no provider"
    } else {
        "nothing of it came by the proxy"
    };
    let advice = match client {
        _ if told.exit != 0 && told.took < SOON => "it failed, perhaps before its first call",
        Some(Client::Node) => {
            "a Node program obeys the base URLs only where its SDK reads them, and npm's SDKs ignore \
             HTTPS_PROXY before Node 24: give its client `baseURL: process.env.OPENAI_BASE_URL`"
        }
        Some(Client::Python) => {
            "a base_url that the program gives its client comes before OPENAI_BASE_URL: take it from \
             the environment"
        }
        Some(Client::Claude) => {
            "look for ANTHROPIC_BASE_URL or CLAUDE_CODE_USE_BEDROCK in ~/.claude/settings.json, which \
             come before the environment"
        }
        Some(Client::Codex) => "a login with ChatGPT or a profile may choose another provider",
        Some(Client::Gemini) => {
            "its own settings may choose another way to log in than the API key"
        }
        Some(Client::Opencode) => {
            "a provider of its own configuration has another baseURL, perhaps"
        }
        Some(Client::Aider) => {
            "an --openai-api-base or .aider.conf.yml comes before the environment"
        }
        None => "if it made calls, it set its own base URL",
    };
    tell(&format!(
        "no call of {} arrived: {seen}. Traffic past the proxy cannot be seen from here; {advice}. \
         `iron doctor` looks for more",
        told.program
    ));
}

fn tell(what: &str) {
    raw(&format!("iron: {what}\n"));
}

/// To standard error as it is; one that is closed is no error.
fn raw(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}
