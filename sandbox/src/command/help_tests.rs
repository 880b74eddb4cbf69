//! What `--help` says, as it is read by people.

use clap::{CommandFactory, Parser};

use super::args::IronSandbox;

/// The text, as wide as a terminal is.
fn help(words: &[&str]) -> String {
    let words = ["iron-sandbox"].iter().chain(words).chain(&["--help"]);
    let error = IronSandbox::try_parse_from(words).err().map(|error| error.render().to_string());
    error.unwrap_or_default()
}

#[test]
fn every_verb_says_what_it_does() {
    let root = IronSandbox::command();
    let mut all = vec![help(&[])];
    let verbs = root.get_subcommands().filter(|verb| !verb.is_hide_set());
    // The self-test's own is beside the self-test.
    let verbs = verbs.map(clap::Command::get_name).filter(|name| !matches!(*name, "selftest"));
    all.extend(verbs.map(|verb| help(&[verb])));
    insta::assert_snapshot!(all.join("\n────\n"));
}

#[test]
fn every_example_is_one() {
    let root = IronSandbox::command();
    let mut examples = 0;
    for verb in std::iter::once(&root).chain(root.get_subcommands()) {
        let text = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
        for line in text.lines().filter_map(|line| line.trim().strip_prefix("iron-sandbox ")) {
            // What explains it stands behind two spaces.
            let line = line.split("  ").next().unwrap_or(line);
            let words = line.split_whitespace().map(|word| word.trim_matches('"'));
            let words = std::iter::once("iron-sandbox").chain(words);
            if let Err(error) = IronSandbox::try_parse_from(words) {
                panic!("{line}: {error}");
            }
            examples += 1;
        }
    }
    assert!(examples >= 15, "{examples}");
}
