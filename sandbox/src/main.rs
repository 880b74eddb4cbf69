//! `iron-sandbox`: reads the command line, runs a command, turns its end into an exit code.

use std::process::ExitCode;

use clap::Parser;
use iron_sandbox::command::args::IronSandbox;
use iron_sandbox::command::{run, tell};

fn main() -> ExitCode {
    match run(IronSandbox::parse()) {
        Ok(code) => code,
        Err(failure) => {
            tell(&failure);
            ExitCode::from(failure.code())
        }
    }
}
