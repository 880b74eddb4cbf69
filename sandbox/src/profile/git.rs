//! What a repository needs so that an agent can commit, and what of it must stay as it is.
//!
//! A commit writes objects, refs, logs and the index. It does not write the hooks, the configuration or
//! what says where either is; these run, or name what runs, when the user works there later. A worktree
//! or submodule has its folder elsewhere: that is granted only where it points back here, since its file
//! `.git` stands in the workspace and was perhaps written by an agent.

use std::fs;
use std::path::{Path, PathBuf};

use super::expand::plain;
use super::library;

/// What a repository asks for. Paths are as they are written, and absolute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Git {
    /// Written to.
    pub write: Vec<PathBuf>,
    /// Kept as it is.
    pub protect: Vec<PathBuf>,
    /// What the user should know.
    pub notes: Vec<String>,
}

/// The most folders of submodules that are looked at.
const MOST: usize = 512;

/// How deep submodules' folders stand within `modules`: their names may have slashes.
const DEEPEST: usize = 6;

/// Looks at a workspace, resolved.
pub fn look(workspace: &Path) -> Git {
    let dot_git = workspace.join(".git");
    let Ok(kind) = dot_git.symlink_metadata() else { return without(workspace, dot_git) };
    let mut git = Git::default();
    if kind.is_dir() {
        git.folder(workspace, &dot_git);
        return git;
    }
    git.protect.push(dot_git.clone());
    if kind.is_file() {
        match elsewhere(workspace, &dot_git) {
            Some((own, common)) => {
                git.write.push(common.clone());
                git.folder(workspace, &common);
                if own != common {
                    git.folder(workspace, &own);
                    git.write.push(own);
                }
            }
            None => git.notes.push(format!(
                "{} names a folder that does not point back here, so it is not granted and git does \
                 not work in the sandbox: `git worktree repair` mends a worktree that was moved",
                dot_git.display()
            )),
        }
    }
    git
}

/// No repository, or one further up.
fn without(workspace: &Path, dot_git: PathBuf) -> Git {
    // Whoever makes a repository here decides what runs when the user calls git, also by a `.git` that
    // is a file or a link: it is kept away as a whole.
    let mut git = Git { protect: vec![dot_git], ..Git::default() };
    let above = workspace.ancestors().skip(1).take(32).find(|above| above.join(".git").exists());
    if let Some(above) = above {
        git.notes.push(format!(
            "the workspace is a folder within the repository {}, which is not granted: for git in the \
             sandbox add --workspace {}",
            above.display(),
            above.display()
        ));
    }
    git
}

impl Git {
    /// What of a repository's folder stays.
    fn folder(&mut self, workspace: &Path, folder: &Path) {
        // The last two say where the rest is, a configuration too.
        let names = ["hooks", "config", "config.worktree", "commondir", "gitdir"];
        self.protect.extend(names.map(|name| folder.join(name)));
        for entry in
            fs::read_dir(folder.join("worktrees")).into_iter().flatten().flatten().take(MOST)
        {
            let names = ["config.worktree", "commondir", "gitdir"];
            self.protect.extend(names.map(|name| entry.path().join(name)));
        }
        let mut left = MOST;
        self.modules(&folder.join("modules"), DEEPEST, &mut left);
        self.protect.extend(hooks_elsewhere(workspace, folder));
    }

    /// Submodules' folders have hooks and a configuration each.
    fn modules(&mut self, folder: &Path, depth: usize, left: &mut usize) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if depth == 0 || *left == 0 {
                return;
            }
            *left -= 1;
            let path = entry.path();
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if path.join("HEAD").exists() {
                self.protect.extend(["hooks", "config", "commondir"].map(|name| path.join(name)));
                self.modules(&path.join("modules"), depth - 1, left);
            } else {
                self.modules(&path, depth - 1, left);
            }
        }
    }
}

/// The folder of a worktree or submodule, and the one that it shares with others: only where it points
/// back to the workspace.
fn elsewhere(workspace: &Path, dot_git: &Path) -> Option<(PathBuf, PathBuf)> {
    let own =
        first_line(dot_git)?.strip_prefix("gitdir:").map(|path| workspace.join(path.trim()))?;
    let own = own.canonicalize().ok()?;
    if !own.join("HEAD").is_file() {
        return None;
    }
    if let Some(back) = first_line(&own.join("gitdir")) {
        let points_back =
            plain(&own.join(back)).canonicalize().ok()? == dot_git.canonicalize().ok()?;
        let common = own.join(first_line(&own.join("commondir"))?).canonicalize().ok()?;
        let shape = common.join("objects").is_dir()
            && common.join("refs").is_dir()
            && own.parent() == Some(&common.join("worktrees"));
        return (points_back && shape).then_some((own, common));
    }
    let config = library::read(&own.join("config")).ok()?;
    let worktree = setting(&config, "core", "worktree")?;
    let points_back = own.join(worktree).canonicalize().ok()? == workspace;
    let within_modules = own.ancestors().any(|above| above.ends_with(".git/modules"));
    (points_back && within_modules && own.join("objects").is_dir()).then(|| (own.clone(), own))
}

/// Where hooks are instead, when the configuration says so and it is within the workspace.
fn hooks_elsewhere(workspace: &Path, folder: &Path) -> Option<PathBuf> {
    let config = library::read(&folder.join("config")).ok()?;
    let hooks = plain(&workspace.join(setting(&config, "core", "hookspath")?));
    (hooks.starts_with(workspace) && hooks != workspace).then_some(hooks)
}

/// A value of git's configuration, the last that is given. Without what git allows besides: values that
/// go on in the next line, and files that are included.
fn setting(config: &str, section: &str, name: &str) -> Option<String> {
    let mut inside = false;
    let mut found = None;
    for line in config.lines().map(str::trim) {
        if let Some(heading) = line.strip_prefix('[') {
            inside = heading
                .split(']')
                .next()
                .is_some_and(|own| own.trim().eq_ignore_ascii_case(section));
        } else if inside
            && let Some((own, value)) = line.split_once('=')
            && own.trim().eq_ignore_ascii_case(name)
        {
            found = Some(without_comment(value).trim().trim_matches('"').to_owned());
        }
    }
    found
}

/// What stands before a `#` or `;` that is not in quotes.
fn without_comment(value: &str) -> &str {
    let mut quoted = false;
    let mut escaped = false;
    let end = value.find(|c: char| {
        let is_escaped = escaped;
        escaped = c == '\\' && !is_escaped;
        if c == '"' && !is_escaped {
            quoted = !quoted;
        }
        !quoted && matches!(c, '#' | ';')
    });
    end.map_or(value, |end| &value[..end])
}

fn first_line(path: &Path) -> Option<String> {
    let text = library::read(path).ok()?;
    text.lines().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    fn git(folder: &Path, arguments: &[&str]) {
        let status = Command::new("git")
            .args(["-c", "protocol.file.allow=always", "-c", "user.name=a", "-c", "user.email=a@b"])
            .args(arguments)
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(status.status.success(), "{arguments:?}: {status:?}");
    }

    fn repository() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let main = root.join("main");
        fs::create_dir(&main).unwrap();
        git(&main, &["init", "-q"]);
        git(&main, &["commit", "-q", "--allow-empty", "-m", "first"]);
        (folder, main)
    }

    #[test]
    fn a_repository_keeps_its_hooks_and_configuration() {
        let (_folder, main) = repository();
        git(&main, &["config", "core.hooksPath", ".husky/_"]);
        let found = look(&main);
        assert!(found.write.is_empty());
        for name in
            [".git/hooks", ".git/config", ".git/config.worktree", ".git/commondir", ".husky/_"]
        {
            assert!(found.protect.contains(&main.join(name)), "{name}: {found:?}");
        }
        assert!(found.notes.is_empty());
        fs::create_dir(main.join("sub")).unwrap();
        let below = look(&main.join("sub"));
        assert_eq!(below.protect, [main.join("sub/.git")]);
        assert!(below.notes[0].contains("--workspace"), "{below:?}");
    }

    #[test]
    fn a_worktree_is_granted_what_it_shares_only_where_that_points_back() {
        let (_folder, main) = repository();
        let tree = main.parent().unwrap().join("tree");
        git(&main, &["worktree", "add", "-q", tree.to_str().unwrap()]);
        let found = look(&tree);
        let own = main.join(".git/worktrees/tree");
        assert_eq!(found.write, [main.join(".git"), own.clone()]);
        for path in [tree.join(".git"), main.join(".git/hooks"), own.join("commondir")] {
            assert!(found.protect.contains(&path), "{}: {found:?}", path.display());
        }
        // An agent that was here before may have written the file that says where the folder is.
        let forged = main.parent().unwrap().join("forged");
        fs::create_dir(&forged).unwrap();
        for target in [own.clone(), main.join(".git"), main.clone()] {
            fs::write(forged.join(".git"), format!("gitdir: {}\n", target.display())).unwrap();
            let found = look(&forged);
            assert!(found.write.is_empty(), "{}: {found:?}", target.display());
            assert_eq!(found.notes.len(), 1);
        }
    }

    #[test]
    fn a_submodule_keeps_its_hooks_too() {
        let (_folder, main) = repository();
        let outer = main.parent().unwrap().join("outer");
        fs::create_dir(&outer).unwrap();
        git(&outer, &["init", "-q"]);
        git(&outer, &["submodule", "add", "-q", main.to_str().unwrap(), "a/b"]);
        let own = outer.join(".git/modules/a/b");
        let found = look(&outer);
        assert!(found.protect.contains(&own.join("hooks")), "{found:?}");
        let found = look(&outer.join("a/b"));
        assert_eq!(found.write, std::slice::from_ref(&own));
        assert!(found.protect.contains(&own.join("config")), "{found:?}");
    }

    #[test]
    fn a_folder_without_a_repository_gets_none() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        assert_eq!(look(&root).protect, [root.join(".git")]);
    }
}
