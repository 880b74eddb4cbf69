//! `iron-sandbox`: runs an agent so that the proxy is the only thing it can reach.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::SUCCESS
}
