//! The command line that puts an attempt into a sandbox: what anybody would write.

use std::ffi::OsString;

use crate::layer::Tier;
use crate::selftest::attempt::{Attempt, Group};
use crate::selftest::scene::Scene;
use crate::selftest::trial::Ground;

/// Limits for attempts on them: low, so that they are reached quickly.
const LIMITS: [&str; 7] = [
    "--memory=256MiB",
    "--processes=64",
    "--file-size=1MiB",
    "--open-files=64",
    "--cpu-time=1s",
    "--wall-time=3s",
    "--output-size=64KiB",
];

/// What stands between the launcher's name and the program that it runs.
pub fn arguments(tier: Tier, attempt: &Attempt, scene: &Scene, ground: &Ground) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["exec".into(), format!("--tier={tier}").into()];
    words.push(format!("--connect={}", ground.targets.gate).into());
    words.push("--network=none".into());
    words.push("--workspace".into());
    words.push(scene.workspace.clone().into());
    words.push("--read".into());
    words.push(ground.program.clone().into());
    if attempt.group == Group::Resources {
        words.extend(LIMITS.map(OsString::from));
    }
    words.push("--".into());
    words
}
