//! Which client a command starts, told by its words alone: nothing is executed to find out.

use std::ffi::OsString;
use std::path::Path;

/// A client whose ways are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Client {
    /// Claude Code.
    Claude,
    /// OpenAI's Codex CLI.
    Codex,
    /// Google's Gemini CLI.
    Gemini,
    /// opencode.
    Opencode,
    /// aider.
    Aider,
    /// Anything in Python: the official SDKs, LiteLLM, LangChain.
    Python,
    /// Anything in Node, Deno or Bun.
    Node,
}

/// A client, and the place of the first argument that is its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub client: Client,
    /// Index into the command's words.
    pub arguments: usize,
}

impl Client {
    /// The name, as it is typed.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claude => "claude",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Opencode => "opencode",
            Self::Aider => "aider",
            Self::Python => "python",
            Self::Node => "node",
        }
    }

    /// The client that a command starts, seen through `npx`, `uv run` and their like.
    pub fn of(command: &[OsString]) -> Option<Found> {
        let words: Vec<&str> = command.iter().map(|word| word.to_str().unwrap_or("")).collect();
        let mut at = 0;
        loop {
            let word = words.get(at)?;
            if let Some(client) = Self::named(program(word)) {
                return Some(Self::through(client, &words, at));
            }
            at += 1 + wrapped(program(word), &words[at + 1..])?;
        }
    }

    /// A script that an interpreter runs may be a client of its own.
    fn through(client: Self, words: &[&str], at: usize) -> Found {
        let found = Found { client, arguments: at + 1 };
        let rest = &words[at + 1..];
        let (Self::Python | Self::Node, Some(first)) = (client, rest.first()) else { return found };
        let (script, own) = match (client, *first) {
            (Self::Python, "-m") => (rest.get(1).copied().unwrap_or_default(), at + 3),
            (Self::Node, script) => (package(script), at + 2),
            (_, script) => (script, at + 2),
        };
        match Self::named(program(script)) {
            Some(
                inner @ (Self::Claude | Self::Codex | Self::Gemini | Self::Opencode | Self::Aider),
            ) => Found { client: inner, arguments: own },
            _ => found,
        }
    }

    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "claude" | "@anthropic-ai/claude-code" | "claude-code" => Self::Claude,
            "codex" | "@openai/codex" => Self::Codex,
            "gemini" | "@google/gemini-cli" | "gemini-cli" => Self::Gemini,
            "opencode" | "opencode-ai" => Self::Opencode,
            "aider" | "aider-chat" => Self::Aider,
            "node" | "nodejs" | "deno" | "bun" | "tsx" | "ts-node" => Self::Node,
            "pytest" | "ipython" | "jupyter" => Self::Python,
            _ => {
                let version = name.strip_prefix("python").or_else(|| name.strip_prefix("pypy"))?;
                let number = |b: u8| b.is_ascii_digit() || b == b'.';
                return version.bytes().all(number).then_some(Self::Python);
            }
        })
    }
}

/// The name that a word calls a program by: without its folder, a version behind `@`, an ending.
fn program(word: &str) -> &str {
    let scoped = word.starts_with('@');
    let name = if scoped { word } else { word.rsplit('/').next().unwrap_or(word) };
    let from = usize::from(scoped);
    let name =
        name[from..].split_once('@').map_or(name, |(before, _)| &name[..from + before.len()]);
    [".exe", ".cmd", ".js", ".mjs", ".py"]
        .iter()
        .find_map(|end| name.strip_suffix(end))
        .unwrap_or(name)
}

/// The npm package whose file a path is, else the file itself.
fn package(path: &str) -> &str {
    let Some((_, inside)) = path.rsplit_once("node_modules/") else { return path };
    let parts = if inside.starts_with('@') { 2 } else { 1 };
    let mut ends = inside.match_indices('/').map(|(at, _)| at);
    if inside.starts_with(".bin/") {
        return path;
    }
    ends.nth(parts - 1).map_or(inside, |end| &inside[..end])
}

/// How many words stand between a program that starts another one and that one's name.
fn wrapped(wrapper: &str, rest: &[&str]) -> Option<usize> {
    // Words that must come first, and options that take the next word along.
    let (first, with_value): (&[&str], &[&str]) = match wrapper {
        "npx" | "bunx" => (&[], &["-p", "--package", "-w", "--workspace"]),
        "uvx" | "pipx" => (&["run"], &["--from", "--with", "-p", "--python", "--index-url"]),
        "uv" => {
            (&["run", "tool"], &["--from", "--with", "-p", "--python", "--project", "--env-file"])
        }
        "pnpm" | "yarn" | "npm" | "bun" => (&["dlx", "exec", "x"], &["--filter", "-C"]),
        "poetry" | "pdm" | "hatch" | "rye" | "pixi" => (&["run"], &["-C"]),
        "env" => (&[], &["-u", "-C"]),
        "nice" => (&[], &["-n"]),
        "iron-sandbox" if !matches!(rest.first(), Some(&("exec" | "learn"))) => return None,
        "iron-sandbox" => (&["exec", "learn"], &SANDBOX_FLAGS),
        "time" | "nohup" | "command" | "exec" | "stdbuf" | "caffeinate" | "mise" | "direnv" => {
            (&["exec"], &[])
        }
        _ => return None,
    };
    let mut at = 0;
    while let Some(word) = rest.get(at) {
        let assigns = wrapper == "env" && word.contains('=');
        if with_value.contains(word) {
            at += 2;
        } else if first.contains(word) || word.starts_with('-') || assigns {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

/// The flags of `iron-sandbox exec` and `learn` that take the next word along.
const SANDBOX_FLAGS: [&str; 27] = [
    "--profile",
    "--tier",
    "--allow-degraded",
    "--workspace",
    "--workspace-access",
    "--read",
    "--write",
    "--protect",
    "--hide",
    "--network",
    "--connect",
    "--env",
    "--memory",
    "--processes",
    "--file-size",
    "--open-files",
    "--cpu-time",
    "--wall-time",
    "--output-size",
    "--apply",
    "--ephemeral-limit",
    "--watch",
    "--report",
    "--write-to",
    "--agent",
    "--budget",
    "--receipt",
];

/// What a command runs in a sandbox; none where it makes none.
pub fn sandboxed(command: &[OsString]) -> Option<&[OsString]> {
    let (first, rest) = command.split_first()?;
    if program(first.to_str()?) != "iron-sandbox" {
        return None;
    }
    let words: Vec<&str> = rest.iter().map(|word| word.to_str().unwrap_or("")).collect();
    wrapped("iron-sandbox", &words).map(|at| &rest[at..])
}

/// A short name for a command of any kind: that of its client, else of its file, also in a sandbox.
pub fn label(command: &[OsString], found: Option<Found>) -> String {
    if let Some(found) = found {
        return found.client.name().to_owned();
    }
    let command = sandboxed(command).unwrap_or(command);
    let file = command.first().and_then(|word| Path::new(word).file_name());
    file.map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_known_through_what_starts_it() {
        use Client::{Aider, Claude, Codex, Gemini, Node, Opencode, Python};
        for (line, client, own) in [
            ("claude -p hi", Claude, 1),
            ("/usr/local/bin/codex exec hi", Codex, 1),
            ("npx codex exec hi", Codex, 2),
            ("npx -y @openai/codex@0.169.0 exec hi", Codex, 3),
            ("npx --package @openai/codex codex exec", Codex, 4),
            ("pnpm dlx @google/gemini-cli -p hi", Gemini, 3),
            ("bunx opencode-ai run hi", Opencode, 2),
            ("uvx --from aider-chat aider --model x", Aider, 4),
            ("uv run --with openai python story.py", Python, 5),
            ("uv tool run aider", Aider, 4),
            ("env -u X A=1 B=2 claude", Claude, 6),
            ("python3.12 -m aider --yes", Aider, 3),
            ("python3 story.py", Python, 1),
            ("node /x/node_modules/@openai/codex/bin/codex.js exec", Codex, 2),
            ("node agent.mjs", Node, 1),
            ("./node_modules/.bin/gemini", Gemini, 1),
            ("iron-sandbox exec codex exec hi", Codex, 3),
            (
                "/opt/iron-sandbox exec --read /x --diff --ephemeral=copy -- codex exec -- hi",
                Codex,
                8,
            ),
            ("iron-sandbox exec --env A=1 -- npx -y codex -- hi", Codex, 8),
            ("iron-sandbox learn --write-to x.toml python3.12 -m aider", Aider, 7),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(Client::of(&words), Some(Found { client, arguments: own }), "{line}");
        }
        for (line, name) in [
            ("iron-sandbox exec ./agent --flag", "agent"),
            ("iron-sandbox exec --tier fallback -- make test", "make"),
            ("iron-sandbox check", "iron-sandbox"),
            ("make -- test", "make"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(label(&words, Client::of(&words)), name, "{line}");
        }
        for line in ["bash -c codex", "pythonic", "npx", "make test", "uv sync"] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(Client::of(&words), None, "{line}");
        }
    }
}
