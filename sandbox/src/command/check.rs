//! `iron-sandbox check`: which layers this machine can give, found out by making a sandbox.

use std::io::Write;
use std::process::{Command, ExitCode, Stdio};

use serde::Serialize;

use super::args::{CheckArgs, Output};
use super::{Failure, harmless};
use crate::gaps::{self, Gap};
use crate::launch;
use crate::layer::{Layer, Tier};

/// What a machine can give.
#[derive(Debug, Serialize)]
struct Checked {
    /// The tier that `auto` takes; none where there is none.
    tier: Option<Tier>,
    kernel: String,
    architecture: &'static str,
    tiers: Vec<OfTier>,
}

/// What it can give in one tier.
#[derive(Debug, Serialize)]
struct OfTier {
    tier: Tier,
    available: bool,
    layers: Vec<OfLayer>,
    gaps: Vec<Gap>,
}

#[derive(Debug, Serialize)]
struct OfLayer {
    layer: Layer,
    active: bool,
    /// Why it is not active.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Layers that only one tier has.
const NAMESPACES: [Layer; 5] =
    [Layer::User, Layer::Mount, Layer::Network, Layer::Process, Layer::Ipc];

/// Says what can be had. Fails where no sandbox of the kind asked for can be made.
pub(super) fn check(args: &CheckArgs) -> Result<ExitCode, Failure> {
    let tiers = match args.tier.tier() {
        Some(tier) => vec![tier],
        None => vec![Tier::Namespace, Tier::Fallback],
    };
    let tiers: Vec<OfTier> = tiers.into_iter().map(look).collect();
    let tier = tiers.iter().find(|of| of.available).map(|of| of.tier);
    let kernel = rustix::system::uname().release().to_string_lossy().into_owned();
    let checked = Checked { tier, kernel, architecture: std::env::consts::ARCH, tiers };
    let text = match args.output {
        Output::Json => serde_json::to_string_pretty(&checked).unwrap_or_default(),
        Output::Text => lines(&checked),
    };
    let written = writeln!(std::io::stdout(), "{}", harmless(&text));
    written.map_err(|error| Failure::Other(format!("standard output: {error}")))?;
    Ok(ExitCode::from(u8::from(checked.tier.is_none())))
}

/// Makes a sandbox of a tier, in a process of its own.
fn look(tier: Tier) -> OfTier {
    let failed = try_out(tier).err();
    let optional = launch::optional(tier);
    let layers = Layer::ALL.into_iter().map(|layer| {
        if tier == Tier::Fallback && NAMESPACES.contains(&layer) {
            let why = Some("not in this tier".to_owned());
            return OfLayer { layer, active: false, why };
        }
        if let Some((_, why)) = optional.iter().find(|(other, _)| *other == layer) {
            return OfLayer { layer, active: why.is_none(), why: why.clone() };
        }
        match &failed {
            None => OfLayer { layer, active: true, why: None },
            Some(why) if why.layer == Some(layer) => {
                OfLayer { layer, active: false, why: Some(why.text.clone()) }
            }
            Some(_) => {
                let why = Some("not reached".to_owned());
                OfLayer { layer, active: false, why }
            }
        }
    });
    OfTier { tier, available: failed.is_none(), layers: layers.collect(), gaps: gaps::of(tier) }
}

/// Why a sandbox could not be made.
struct Why {
    layer: Option<Layer>,
    text: String,
}

/// Runs a program that does nothing in a sandbox that grants it nothing else.
fn try_out(tier: Tier) -> Result<(), Why> {
    let other = |text: String| Why { layer: None, text };
    let own = std::env::current_exe().map_err(|error| other(error.to_string()))?;
    let ran = Command::new(own).arg("probe").arg(tier.name()).stdin(Stdio::null()).output();
    let ran = ran.map_err(|error| other(error.to_string()))?;
    if ran.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&ran.stdout).into_owned();
    let (layer, why) = text.split_once('\t').unwrap_or(("", &text));
    Err(Why { layer: layer.parse().ok(), text: why.trim().to_owned() })
}

/// The hidden verb `probe TIER`: makes a sandbox and says which layer it failed on.
pub(super) fn probe(tier: Tier) -> ExitCode {
    let said = match launch::probe(tier) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(launch::Error::Layer { layer, step, why }) => format!("{layer}\t{step}: {why}"),
        Err(error) => format!("\t{error}"),
    };
    let _ = writeln!(std::io::stdout(), "{said}");
    ExitCode::FAILURE
}

fn lines(checked: &Checked) -> String {
    use std::fmt::Write as _;
    let mut text = match checked.tier {
        Some(tier) => format!("A sandbox is made in the {tier} tier (Linux {}).\n", checked.kernel),
        None => format!("No sandbox can be made here (Linux {}).\n", checked.kernel),
    };
    for of in &checked.tiers {
        let can = if of.available { "can be had" } else { "cannot be had" };
        let _ = writeln!(text, "\n{} tier: {can}", of.tier);
        for OfLayer { layer, active, why } in &of.layers {
            let state = if *active { "active" } else { "-" };
            let why = why.as_deref().unwrap_or_default();
            text.push_str(format!("  {:<18} {state:<7} {why}", layer.name()).trim_end());
            text.push('\n');
        }
        text.push_str("  not held:\n");
        for Gap { name, what } in &of.gaps {
            let _ = writeln!(text, "    {name:<16} {what}");
        }
    }
    text.trim_end().to_owned()
}
