//! git: a repository that the user made is worked in; its hooks and its settings stay the user's.

use std::path::PathBuf;
use std::process::Command;

use iron_sandbox::layer::Tier;

use crate::fixture::{Case, everywhere};

everywhere!(commits, repositories_of_its_own);

const NAMES: &str = "export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@example.com \
                     GIT_COMMITTER_NAME=A GIT_COMMITTER_EMAIL=a@example.com; set -e; ";

fn commits(case: &Case) {
    let made = case.as_user(Command::new("git").args(["init", "--quiet", "."])).status().unwrap();
    assert!(made.success());
    case.put("one.txt", "one\n");
    let script = "git add . ; git commit --quiet -m first; echo two > two.txt; git add two.txt; \
                  git status --short; git commit --quiet -m second; git log --format=%s; \
                  git switch --quiet -c other; git rm --quiet one.txt; git commit --quiet -m third; \
                  git switch --quiet -; git merge --quiet other; git gc --quiet; git stash list; \
                  git worktree add --quiet ../work/tree other; ls tree; git -C tree log --oneline | wc -l; \
                  git worktree remove tree; git fsck --no-progress; git diff HEAD~1 --stat";
    let written = case.succeeds(&[], &["sh", "-c", &format!("{NAMES}{script}")]);
    let lines: Vec<&str> = written.lines().map(str::trim).collect();
    assert_eq!(lines[..5], ["A  two.txt", "second", "first", "two.txt", "3"]);
    let before = protected(case);
    for attempt in [
        "echo 'touch hooked' > .git/hooks/pre-commit && chmod +x .git/hooks/pre-commit",
        "git config core.hooksPath elsewhere",
        "mv .git/hooks .git/elsewhere",
    ] {
        let output = case.command(&[], &["sh", "-c", attempt]).output().unwrap();
        // In the namespace tier it is refused, in the fallback tier it is put back at the end.
        if case.tier == Some(Tier::Namespace) {
            assert!(!output.status.success(), "not refused: {attempt}");
        }
        assert_eq!(protected(case) == before, case.confined(), "{attempt}");
    }
}

/// What of a repository is the user's alone: its settings and its hooks, with what is in them.
fn protected(case: &Case) -> Vec<(PathBuf, Option<Vec<u8>>)> {
    let git = case.workspace.join(".git");
    let hooks = std::fs::read_dir(git.join("hooks")).into_iter().flatten().flatten();
    let mut paths: Vec<_> = hooks.map(|entry| entry.path()).collect();
    paths.extend([git.join("config"), git.join("elsewhere")]);
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), std::fs::read(path).ok())).collect()
}

fn repositories_of_its_own(case: &Case) {
    let script = "mkdir sub; cd sub; git init --quiet; echo x > x; git add x; git commit --quiet -m x; \
                  git clone --quiet . ../clone; git -C ../clone log --format=%s";
    let written = case.succeeds(&[], &["sh", "-c", &format!("{NAMES}{script}")]);
    assert_eq!(written, "x\n");
}
