//! Paths from what a profile says: `~`, `$VARIABLE`, `*`, and symbolic links.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Component, Path, PathBuf};

/// The most paths that one `*` stands for.
const MOST: usize = 256;

/// What paths are expanded by.
pub struct Expand<'a> {
    /// The user's folder.
    pub home: Option<&'a Path>,
    /// What relative paths are relative to.
    pub workspace: &'a Path,
    /// Looks up a variable.
    pub variable: &'a dyn Fn(&str) -> Option<OsString>,
}

impl Expand<'_> {
    /// All paths that a text stands for, absolute, their `..` taken away, their links as they are. None
    /// where a variable in it is not set, or where no name fits its `*`.
    pub fn paths(&self, text: &str) -> Vec<PathBuf> {
        let Some(path) = self.path(text) else { return Vec::new() };
        let path = plain(&self.workspace.join(path));
        if path.as_os_str().as_encoded_bytes().contains(&b'*') {
            matching(&path)
        } else {
            vec![path]
        }
    }

    fn path(&self, text: &str) -> Option<PathBuf> {
        let (first, rest) = match text.split_once('/') {
            Some((first, rest)) => (first, Some(rest)),
            None => (text, None),
        };
        let start = if first == "~" {
            self.home?.to_owned()
        } else if let Some(name) = first.strip_prefix('$') {
            let name =
                name.strip_prefix('{').and_then(|name| name.strip_suffix('}')).unwrap_or(name);
            let value = PathBuf::from((self.variable)(name)?);
            // A relative one would mean another place in each folder.
            if !value.is_absolute() {
                return None;
            }
            value
        } else {
            return Some(PathBuf::from(text));
        };
        Some(rest.map_or_else(|| start.clone(), |rest| start.join(rest.trim_start_matches('/'))))
    }
}

/// A path without `.` and `..`, by its words alone.
pub fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn matching(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for component in pattern.components() {
        let name = component.as_os_str();
        if !name.as_encoded_bytes().contains(&b'*') {
            for path in &mut found {
                path.push(name);
            }
            continue;
        }
        let mut next = Vec::new();
        for folder in found {
            let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
            let names = entries.map(|entry| entry.file_name()).filter(|found| fits(found, name));
            next.extend(names.map(|name| folder.join(name)));
        }
        next.sort();
        next.truncate(MOST);
        found = next;
    }
    found.retain(|path| path.symlink_metadata().is_ok());
    found
}

/// Whether a name is what a pattern with one `*` stands for. Hidden names are meant only where the
/// pattern begins with a dot, as in a shell.
fn fits(name: &OsStr, pattern: &OsStr) -> bool {
    let (name, pattern) = (name.as_encoded_bytes(), pattern.as_encoded_bytes());
    let Some(star) = pattern.iter().position(|byte| *byte == b'*') else { return name == pattern };
    let (before, after) = (&pattern[..star], &pattern[star + 1..]);
    let hidden = name.first() == Some(&b'.') && before.is_empty();
    !hidden
        && name.len() >= before.len() + after.len()
        && name.starts_with(before)
        && name.ends_with(after)
}

/// Where a path that is there really is: the place itself, and, where that is a link, also what it
/// leads to. Folders above are resolved. Empty where there is no such path.
pub fn places(path: &Path) -> Vec<PathBuf> {
    // Most of what is asked for is not there: that is found out by one call.
    let Ok(found) = path.symlink_metadata() else { return Vec::new() };
    let place = match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => return path.canonicalize().into_iter().collect(),
    };
    if !found.is_symlink() {
        return vec![place];
    }
    match path.canonicalize() {
        Ok(real) => vec![place, real],
        Err(_) => Vec::new(),
    }
}

/// As [`places`], for a path that need not be there: what is there of it is resolved, the rest is as
/// it is written. Empty where it can never be there, because a file stands in its way.
pub fn places_to_be(path: &Path) -> Vec<PathBuf> {
    let found = places(path);
    if !found.is_empty() {
        return found;
    }
    // A link that leads nowhere is a place of its own.
    let mut rest = Vec::new();
    let mut above = path;
    loop {
        let (Some(parent), Some(name)) = (above.parent(), above.file_name()) else {
            return Vec::new();
        };
        rest.push(name);
        above = parent;
        if let Ok(real) = above.canonicalize() {
            if !real.is_dir() {
                return Vec::new();
            }
            return vec![rest.iter().rev().fold(real, |path, name| path.join(name))];
        }
    }
}

/// Each once, and none that stands in a folder that is listed itself. Sorted.
pub fn without_nested(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort();
    paths.dedup();
    let mut kept: Vec<PathBuf> = Vec::with_capacity(paths.len());
    for path in paths {
        // Sorted by components: what holds a path comes before it, with nothing of another between.
        if !kept.last().is_some_and(|last| path.starts_with(last)) {
            kept.push(path);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_text_becomes_paths() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().canonicalize().unwrap();
        for name in ["lib/python3.11", "lib/python3.12", "lib/perl", "lib/.python"] {
            fs::create_dir_all(home.join(name)).unwrap();
        }
        let variable = |name: &str| match name {
            "TOOLS" => Some(OsString::from("/opt/tools")),
            "RELATIVE" => Some(OsString::from("tools")),
            _ => None,
        };
        let expand =
            Expand { home: Some(&home), workspace: Path::new("/work"), variable: &variable };
        assert_eq!(expand.paths("~"), [home.as_path()]);
        assert_eq!(expand.paths("~/.a"), [home.join(".a")]);
        assert_eq!(expand.paths(".git/../x"), [Path::new("/work/x")]);
        assert_eq!(expand.paths("$TOOLS/bin/.."), [Path::new("/opt/tools")]);
        assert_eq!(expand.paths("${TOOLS}"), [Path::new("/opt/tools")]);
        assert!(expand.paths("$NONE/x").is_empty());
        assert!(expand.paths("$RELATIVE/x").is_empty());
        assert_eq!(
            expand.paths("~/lib/python*"),
            [home.join("lib/python3.11"), home.join("lib/python3.12")]
        );
        assert!(expand.paths("~/lib/ruby*").is_empty());
    }

    #[test]
    fn a_link_is_a_place_and_leads_to_one() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        fs::create_dir(root.join("real")).unwrap();
        fs::write(root.join("real/tool"), "").unwrap();
        symlink("real", root.join("folder")).unwrap();
        symlink("real/tool", root.join("link")).unwrap();
        symlink("nowhere", root.join("dangling")).unwrap();
        assert_eq!(places(&root.join("folder/tool")), [root.join("real/tool")]);
        assert_eq!(places(&root.join("link")), [root.join("link"), root.join("real/tool")]);
        assert!(places(&root.join("none")).is_empty());
        assert_eq!(places_to_be(&root.join("folder/a/b")), [root.join("real/a/b")]);
        assert_eq!(places_to_be(&root.join("dangling")), [root.join("dangling")]);
        assert!(places_to_be(&root.join("real/tool/x")).is_empty());
    }

    #[test]
    fn what_stands_in_a_listed_folder_is_not_listed() {
        let paths = ["/a/b", "/a", "/a-b", "/a/c", "/b/c", "/a"].map(PathBuf::from).to_vec();
        assert_eq!(without_nested(paths), ["/a", "/a-b", "/b/c"].map(PathBuf::from));
    }
}
