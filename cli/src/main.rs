//! `iron`: reads the command line, runs a command, turns its end into an exit code.

use std::process::ExitCode;

use clap::Parser;
use iron_cli::args::Iron;
use iron_cli::commands::{self, Failure};

fn main() -> ExitCode {
    let iron = Iron::parse();
    match commands::run(iron) {
        Ok(code) => code,
        Err(failure) => {
            commands::tell(&failure);
            ExitCode::from(match failure {
                Failure::Config(_) => 64,
                Failure::Usage(_) => 2,
                Failure::Other(_) => 1,
            })
        }
    }
}
