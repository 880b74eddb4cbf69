//! One module a command.

mod audit;
mod budget;
mod ca;
mod correct;
mod demo;
mod doctor;
mod env;
mod explain;
mod lease;
mod login;
mod logs;
mod panel;
mod policy;
mod proxies;
mod proxy;
mod replay;
mod run;
mod scan;
mod secret_key;
mod status;
mod stop;
mod token;
mod up;
mod usage;
mod usage_of_panel;
mod user;
mod versions;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use iron_policy::types::NanoUsd;
use iron_proxy::state::Filter;

pub use run::Receipt;

use crate::args::{At, Command, Files, Iron, PolicyCommand, RunArgs, UsageCommand};
use crate::launch::plan::Ways;

/// Why a command did not do what it was asked to.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong; nothing was started.
    Config(anyhow::Error),
    /// The words of the command make no sense.
    Usage(anyhow::Error),
    /// Anything else.
    Other(anyhow::Error),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Config(error) | Self::Usage(error) | Self::Other(error)) = self;
        write!(f, "{error:#}")
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}

/// Prints a failure with what led to it.
pub fn tell(failure: &Failure) {
    let mut err = std::io::stderr().lock();
    let label = if err.is_terminal() { "\x1b[31merror:\x1b[0m" } else { "error:" };
    let failure = failure.to_string();
    let _ = writeln!(err, "{label} {}", crate::output::harmless(&failure, &['\n', '\t']));
}

/// Runs one command to its end, and says with which code to exit.
pub fn run(iron: Iron) -> Result<ExitCode, Failure> {
    match iron.command {
        Command::Run(given) => {
            let (files, wanted) = wanted(given)?;
            runtime()?.block_on(run::run(&files, wanted))
        }
        other => carry_out(other).map(|()| ExitCode::SUCCESS),
    }
}

fn wanted(given: RunArgs) -> Result<(Files, run::Wanted), Failure> {
    if given.budget.is_some_and(|budget| budget <= NanoUsd::ZERO) {
        return Err(Failure::Usage(anyhow::anyhow!("--budget: a budget is more than nothing")));
    }
    let wanted = run::Wanted {
        budget: given.budget,
        agent: given.agent,
        strict: given.strict,
        ways: ways(given.base_url_only, given.proxy_only),
        simulate: given.simulate,
        receipt: given.receipt,
        command: given.command,
    };
    Ok((given.files, wanted))
}

const fn ways(base_url_only: bool, proxy_only: bool) -> Ways {
    match (base_url_only, proxy_only) {
        (true, _) => Ways::BaseUrl,
        (_, true) => Ways::Proxy,
        _ => Ways::Both,
    }
}

fn carry_out(command: Command) -> Result<(), Failure> {
    match command {
        Command::Run(_) => Ok(()),
        Command::Doctor { files, output } => runtime()?.block_on(doctor::doctor(&files, output)),
        Command::Env { client, files, shell, agent, base_url_only, proxy_only } => {
            let ways = ways(base_url_only, proxy_only);
            runtime()?.block_on(env::env(&files, client, shell, agent, ways))
        }
        Command::Up { files, simulate, listen } => {
            runtime()?.block_on(up::up(&files, simulate, listen))
        }
        Command::Panel(given) => runtime()?.block_on(panel::panel(given)),
        Command::Login(given) => runtime()?.block_on(login::login(given)),
        Command::Logout => runtime()?.block_on(login::logout()),
        Command::Token { command } => runtime()?.block_on(token::token(command)),
        Command::Proxies { command } => runtime()?.block_on(proxies::proxies(command)),
        Command::Budget { command } => runtime()?.block_on(budget::budget(command)),
        Command::Secret { command } => runtime()?.block_on(secret_key::secret(command)),
        Command::User { command } => runtime()?.block_on(user::user(command)),
        Command::Project { command } => runtime()?.block_on(user::project(command)),
        Command::Audit { command } => runtime()?.block_on(audit::audit(command)),
        Command::Lease { command } => runtime()?.block_on(lease::lease(command)),
        Command::Proxy { files, panel, listen } => {
            runtime()?.block_on(proxy::proxy(&files, &panel, listen))
        }
        Command::Ca { command } => runtime()?.block_on(ca::ca(command)),
        Command::Demo => runtime()?.block_on(demo::demo()),
        Command::Usage { files, output, since, until, agent, run, by, panel, command } => {
            match command {
                Some(UsageCommand::Correct { files, call, amount, reason }) => {
                    runtime()?.block_on(correct::correct(&files, &call, &amount, &reason))
                }
                None => {
                    let range = usage::Range { since, until, agent, run };
                    match panel {
                        None => runtime()?.block_on(usage::usage(&files, output, &range, by)),
                        Some(url) => {
                            let range = range.of_panel(&files)?;
                            let files = Files { config: None, state: None };
                            let panel = Some(url).filter(|url| !url.is_empty());
                            let at = At { files, panel, output };
                            runtime()?.block_on(usage_of_panel::usage(&at, &range, by))
                        }
                    }
                }
            }
        }
        Command::Logs { files, output, follow, lines, agent, run } => {
            let filter = Filter { agent, run, ..Filter::default() };
            runtime()?.block_on(logs::logs(&files, output, follow, lines, &filter))
        }
        Command::Stop { files, who, lift } => runtime()?.block_on(stop::stop(&files, who, lift)),
        Command::Start { files, who } => runtime()?.block_on(stop::stop(&files, who, true)),
        Command::Status { files, output } => runtime()?.block_on(status::status(&files, output)),
        Command::Scan { file, config, jsonl, show, check, kinds, output } => {
            let engine = scan::engine(config, &kinds)?;
            let found = if jsonl {
                scan::lines(&engine, file.as_deref())?
            } else {
                scan::text(&engine, file.as_deref(), show, output)?
            };
            if check && found > 0 {
                return Err(Failure::Other(anyhow::anyhow!("{}", scan::counted(found))));
            }
            Ok(())
        }
        Command::Policy { command } => match command {
            PolicyCommand::Check { files, output } => policy::check(&files, output),
            PolicyCommand::Explain { text, key, files, output } => {
                explain::explain(text, key.as_deref(), &files, output)
            }
            PolicyCommand::Kinds { files, output } => explain::kinds(&files, output),
            PolicyCommand::Replay { policy, since, at } => {
                runtime()?.block_on(replay::replay(&policy, &since, &at))
            }
            PolicyCommand::Publish { file, note, keep, at } => {
                runtime()?.block_on(versions::publish(&file, &note, keep, &at))
            }
            PolicyCommand::Versions { at } => runtime()?.block_on(versions::versions(&at)),
            PolicyCommand::Activate { number, at } => {
                runtime()?.block_on(versions::activate(number, &at))
            }
            PolicyCommand::Prices { query, files, output } => {
                policy::prices(query.as_deref(), &files, output)
            }
        },
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime did not start")?;
    Ok(runtime)
}
