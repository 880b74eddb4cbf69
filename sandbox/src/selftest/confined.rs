//! The command line that puts an attempt into a sandbox: what anybody would write.

use std::ffi::OsString;

use crate::layer::Tier;
use crate::selftest::scene::Scene;
use crate::selftest::trial::Ground;

/// Limits for the attempts on them: low, so that they are reached quickly.
const LIMITS: [(&str, &str); 7] = [
    ("memory-bomb", "--memory=256MiB"),
    // A pid namespace has room for 301 at least.
    ("fork-bomb", "--processes=400"),
    ("file-size-bomb", "--file-size=1MiB"),
    ("open-files-bomb", "--open-files=64"),
    ("cpu-bomb", "--cpu-time=1s"),
    ("wall-time-bomb", "--wall-time=1s"),
    ("output-bomb", "--output-size=64KiB"),
];

/// What stands between the launcher's name and the program that it runs.
pub fn arguments(tier: Tier, attempt: &str, scene: &Scene, ground: &Ground) -> Vec<OsString> {
    let mut words: Vec<OsString> = vec!["exec".into(), format!("--tier={tier}").into()];
    words.push(format!("--connect={}", ground.targets.gate).into());
    words.push("--network=none".into());
    words.push("--workspace".into());
    words.push(scene.workspace.clone().into());
    words.push("--read".into());
    words.push(ground.program.clone().into());
    let limits = LIMITS.iter().filter(|(name, _)| *name == attempt);
    words.extend(limits.map(|(_, limit)| OsString::from(limit)));
    words.push("--".into());
    words
}
