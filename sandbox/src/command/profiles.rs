//! `iron-sandbox profiles`: those there are, and what each comes to on this machine.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::args::{Output, ProfilesArgs, ProfilesCommand};
use super::surroundings::Surroundings;
use super::{Failure, say};
use crate::confinement::{Access, Limits};
use crate::profile::expand::Expand;
use crate::profile::library::{BASE, Library};
use crate::profile::merge::{Entry, Merged};
use crate::units;

/// Lists them, or shows one.
pub fn profiles(args: &ProfilesArgs, here: &Surroundings) -> Result<(), Failure> {
    let library = Library::of_user(here.configuration().as_deref());
    match &args.command {
        None | Some(ProfilesCommand::List) => list(&library, args.output),
        Some(ProfilesCommand::Show { profile }) => show(&library, profile, args.output, here),
    }
}

fn list(library: &Library, output: Output) -> Result<(), Failure> {
    let mut all = Vec::new();
    for name in library.names() {
        let loaded =
            library.load(&name).map_err(|error| Failure::Configuration(error.to_string()))?;
        all.push(loaded);
    }
    if output == Output::Json {
        let profiles = all.iter().map(|loaded| {
            json!({
                "name": loaded.name,
                "file": loaded.file,
                "description": loaded.profile.description,
                "extends": loaded.profile.extends,
                "commands": loaded.profile.detect.commands,
            })
        });
        say(&format!("{:#}", Value::Array(profiles.collect())));
        return Ok(());
    }
    let width = all.iter().map(|loaded| loaded.name.chars().count()).max().unwrap_or_default();
    for loaded in &all {
        let yours = if loaded.file.is_some() { " (yours)" } else { "" };
        say(&format!("{:width$}  {}{yours}", loaded.name, loaded.profile.description));
    }
    if let Some(folder) = library.folder() {
        say(&format!("\nYour own are files NAME.toml in {}", folder.display()));
    }
    Ok(())
}

fn show(library: &Library, name: &str, output: Output, here: &Surroundings) -> Result<(), Failure> {
    let names = [BASE.to_owned(), name.to_owned()];
    let merged =
        Merged::of(library, &names).map_err(|error| Failure::Configuration(error.to_string()))?;
    let variable = |name: &str| here.variable(name).map(std::ffi::OsString::from);
    let expand =
        Expand { home: here.home.as_deref(), workspace: &here.current_folder, variable: &variable };
    let text = match output {
        Output::Text => as_toml(&merged, &expand),
        Output::Json => as_json(&merged).to_string(),
    };
    say(text.trim_end());
    Ok(())
}

/// As a profile that extends nothing. Who asked for what, and what is not there, is said beside it.
pub fn as_toml(merged: &Merged, expand: &Expand<'_>) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "# {}", merged.names.join(", then "));
    let _ = writeln!(text, "[files]");
    if let Some(access) = merged.workspace {
        let _ = writeln!(text, "workspace = {}", quoted(access_name(access)));
    }
    let there = |entry: &Entry| expand.paths(&entry.text).iter().any(|path| Path::exists(path));
    list_of(&mut text, "read", &merged.read, &there);
    list_of(&mut text, "write", &merged.write, &there);
    list_of(&mut text, "protect", &merged.protect, &|_| true);
    list_of(&mut text, "hide", &merged.hide, &|_| true);
    if !merged.connect.is_empty() {
        let _ = writeln!(text, "\n[network]");
        let services = merged.connect.iter().map(|(service, _)| quoted(&service.to_string()));
        let _ = writeln!(text, "connect = [{}]", services.collect::<Vec<_>>().join(", "));
    }
    let _ = writeln!(text, "\n[environment]");
    list_of(&mut text, "allow", &merged.allow, &|_| true);
    let set = merged.set.iter().map(|(name, entry)| format!("{name} = {}", quoted(&entry.text)));
    let _ = writeln!(text, "set = {{ {} }}", set.collect::<Vec<_>>().join(", "));
    for own in &merged.own {
        let names =
            |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "\n[own_folder]\nvariable = {}", quoted(&own.variable));
        let _ = writeln!(text, "name = {}\nfrom = {}", quoted(&own.name), quoted(&own.from));
        let _ = writeln!(text, "copy = [{}]\nlink = [{}]", names(&own.copy), names(&own.link));
    }
    let limits = limits(&merged.limits);
    if !limits.is_empty() {
        let _ = writeln!(text, "\n[limits]");
        for (name, value) in limits {
            let _ = writeln!(text, "{name} = {value}");
        }
    }
    text
}

fn list_of(text: &mut String, name: &str, entries: &[Entry], there: &dyn Fn(&Entry) -> bool) {
    if entries.is_empty() {
        return;
    }
    let _ = writeln!(text, "{name} = [");
    let mut from = "";
    for entry in entries {
        if entry.from != from {
            from = &entry.from;
            let _ = writeln!(text, "    # {from}");
        }
        let missing = if there(entry) { "" } else { "  # not here" };
        let _ = writeln!(text, "    {},{missing}", quoted(&entry.text));
    }
    let _ = writeln!(text, "]");
}

/// Limits as lines of a profile.
fn limits(limits: &Limits) -> Vec<(&'static str, String)> {
    let compact = |text: String| quoted(&text.replace(' ', ""));
    let size = |bytes: Option<u64>| bytes.map(|bytes| compact(units::size(bytes)));
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    // A profile's minutes are `m`.
    let time = |time: Option<std::time::Duration>| {
        time.map(|time| compact(units::duration(time).replace("min", "m")))
    };
    let all = [
        ("memory", size(limits.memory)),
        ("processes", number(limits.processes)),
        ("file_size", size(limits.file_size)),
        ("open_files", number(limits.open_files)),
        ("cpu_time", time(limits.cpu_time)),
        ("wall_time", time(limits.wall_time)),
        ("output", size(limits.output)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn as_json(merged: &Merged) -> Value {
    #[derive(Serialize)]
    struct From<'a> {
        value: &'a str,
        from: &'a str,
    }
    let entries = |entries: &[Entry]| {
        let entries =
            entries.iter().map(|entry| json!(From { value: &entry.text, from: &entry.from }));
        Value::Array(entries.collect())
    };
    let set: BTreeMap<_, _> = merged
        .set
        .iter()
        .map(|(name, entry)| (name, From { value: &entry.text, from: &entry.from }))
        .collect();
    let services =
        merged.connect.iter().map(|(service, from)| json!({"value": service, "from": from}));
    let own = merged.own.iter().map(|own| {
        json!({
            "variable": own.variable, "name": own.name, "from": own.from,
            "copy": own.copy, "link": own.link,
        })
    });
    let own: Vec<Value> = own.collect();
    let seconds = |time: Option<std::time::Duration>| time.map(|time| time.as_secs_f64());
    json!({
        "profiles": merged.names,
        "files": {
            "workspace": merged.workspace.map(access_name),
            "read": entries(&merged.read),
            "write": entries(&merged.write),
            "protect": entries(&merged.protect),
            "hide": entries(&merged.hide),
        },
        "network": { "connect": services.collect::<Vec<_>>() },
        "environment": { "allow": entries(&merged.allow), "set": set },
        "own_folders": own,
        "limits": {
            "memory_bytes": merged.limits.memory,
            "processes": merged.limits.processes,
            "file_size_bytes": merged.limits.file_size,
            "open_files": merged.limits.open_files,
            "cpu_time_seconds": seconds(merged.limits.cpu_time),
            "wall_time_seconds": seconds(merged.limits.wall_time),
            "output_bytes": merged.limits.output,
        },
    })
}

const fn access_name(access: Access) -> &'static str {
    match access {
        Access::Read => "read",
        Access::Write => "write",
    }
}

/// A text as TOML writes it.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::file::Profile;

    #[test]
    fn what_is_shown_is_a_profile_that_comes_to_the_same() {
        let library = Library::new(None);
        let variable = |_: &str| None;
        let expand = Expand { home: None, workspace: Path::new("/work"), variable: &variable };
        for name in library.names() {
            let merged = Merged::of(&library, std::slice::from_ref(&name)).unwrap();
            let shown = Profile::parse(&as_toml(&merged, &expand)).unwrap();
            let texts = |entries: &[Entry]| -> Vec<String> {
                entries.iter().map(|entry| entry.text.clone()).collect()
            };
            assert_eq!(shown.files.read, texts(&merged.read), "{name}");
            assert_eq!(shown.files.write, texts(&merged.write), "{name}");
            assert_eq!(shown.files.protect, texts(&merged.protect), "{name}");
            assert_eq!(shown.environment.allow, texts(&merged.allow), "{name}");
            assert_eq!(shown.limits, merged.limits, "{name}");
            assert_eq!(shown.own_folder.as_ref(), merged.own.first(), "{name}");
        }
    }
}
