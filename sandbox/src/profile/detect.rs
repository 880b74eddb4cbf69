//! Which profiles a command wants, told by its words alone: nothing is executed to find out.
//!
//! Seen through what starts other programs: `npx`, `uv run`, `env` and their like. Not through
//! `bash -c`: what a shell will run, only a shell knows.

use std::ffi::OsString;

use super::file::Profile;
use super::library::{Error, Library};

/// The profiles that a command wants, in the order of their names: those of each program that is
/// started on the way, and of the script or module that an interpreter runs.
pub fn profiles(library: &Library, command: &[OsString]) -> Result<Vec<String>, Error> {
    let mut known = Vec::new();
    let programs = programs(command);
    for name in library.candidates(&programs) {
        let loaded = library.load(&name)?;
        if !loaded.profile.detect.commands.is_empty() {
            known.push((name, loaded.profile));
        }
    }
    let mut found: Vec<String> = Vec::new();
    for program in &programs {
        for (name, profile) in &known {
            if wants(profile, program) && !found.contains(name) {
                found.push(name.clone());
            }
        }
    }
    Ok(found)
}

fn wants(profile: &Profile, program: &str) -> bool {
    profile.detect.commands.iter().any(|command| {
        let rest = program.strip_prefix(command.as_str());
        // `python3.12` is a `python`.
        rest.is_some_and(|version| version.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    })
}

/// The names of all programs that a command starts, as far as its words tell, the outermost first.
pub fn programs(command: &[OsString]) -> Vec<String> {
    let words: Vec<&str> = command.iter().map(|word| word.to_str().unwrap_or("")).collect();
    let mut programs = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let name = program(word);
        programs.push(name.to_owned());
        let rest = &words[at + 1..];
        if let Some(skip) = wrapped(name, rest) {
            at += 1 + skip;
            continue;
        }
        programs.extend(script(name, rest));
        break;
    }
    programs
}

/// What an interpreter runs: a module, or a script by its name or package.
fn script(interpreter: &str, rest: &[&str]) -> Option<String> {
    let first = rest.first()?;
    let version = |name: &str| interpreter.strip_prefix(name).is_some_and(is_version);
    if version("python") || version("pypy") {
        let module = *first == "-m";
        let word = if module { rest.get(1)? } else { first };
        return (module || !word.starts_with('-')).then(|| program(word).to_owned());
    }
    if matches!(interpreter, "node" | "nodejs" | "bun" | "deno") && !first.starts_with('-') {
        return Some(program(package(first)).to_owned());
    }
    None
}

fn is_version(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
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
    if inside.starts_with(".bin/") {
        return path;
    }
    let parts = if inside.starts_with('@') { 2 } else { 1 };
    let mut ends = inside.match_indices('/').map(|(at, _)| at);
    ends.nth(parts - 1).map_or(inside, |end| &inside[..end])
}

/// How many words stand between a program that starts another one and that one's name.
fn wrapped(wrapper: &str, rest: &[&str]) -> Option<usize> {
    // Words that must come first, and options that take the next word along.
    let (first, with_value): (&[&str], &[&str]) = match wrapper {
        "npx" | "bunx" | "pnpx" => (&[], &["-p", "--package", "-w", "--workspace"]),
        "uvx" | "pipx" => (&["run"], &["--from", "--with", "-p", "--python", "--index-url"]),
        "uv" => {
            (&["run", "tool"], &["--from", "--with", "-p", "--python", "--project", "--env-file"])
        }
        "pnpm" | "yarn" | "npm" | "bun" => (&["dlx", "exec", "x"], &["--filter", "-C"]),
        "poetry" | "pdm" | "hatch" | "rye" | "pixi" => (&["run"], &["-C"]),
        "env" => (&[], &["-u", "-C"]),
        "nice" => (&[], &["-n"]),
        "timeout" => return timeout(rest),
        "time" | "nohup" | "command" | "exec" | "stdbuf" | "setsid" | "mise" | "direnv" => {
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

/// `timeout [-k 5] 10 program`.
fn timeout(rest: &[&str]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = rest.get(at) {
        match *word {
            "-k" | "-s" | "--kill-after" | "--signal" => at += 2,
            word if word.starts_with('-') => at += 1,
            _ => return (at + 1 < rest.len()).then_some(at + 1),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_known_through_what_starts_it() {
        let library = Library::new(None);
        for (line, wanted) in [
            ("python agent.py", "python"),
            ("/opt/x/bin/python3.12 -u agent.py", "python"),
            ("./.venv/bin/pytest", "python"),
            ("uv run --with openai agent.py", "python"),
            ("uv run python agent.py", "python"),
            ("node agent.mjs", "node"),
            ("npm test", "node"),
            ("claude -p hi", "claude-code"),
            ("npx -y @anthropic-ai/claude-code@2 -p hi", "node claude-code"),
            ("node /x/node_modules/@openai/codex/bin/codex.js exec", "node codex"),
            ("env -u X A=1 codex exec hi", "codex"),
            ("timeout -k 1 10 cargo build", "rust"),
            ("python3 -m aider", "python"),
            ("bash -c codex", "shell"),
            ("make test", "shell"),
            ("./agent", ""),
            ("pythonic", ""),
            ("true python", ""),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(profiles(&library, &words).unwrap().join(" "), wanted, "{line}");
        }
    }
}
