//! A plan as text that a user's own shell takes.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::client::Client;
use super::plan::Plan;

/// Whose syntax.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Shell {
    /// bash, zsh, sh.
    Bash,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
    /// A `.env` file, as dotenv, Docker Compose and IDEs read it.
    Dotenv,
    /// For programs.
    Json,
}

impl Shell {
    /// The shell that a path such as that in `SHELL` names.
    pub fn named(path: &str) -> Self {
        match path.rsplit('/').next() {
            Some("fish") => Self::Fish,
            Some("pwsh" | "powershell") => Self::Powershell,
            _ => Self::Bash,
        }
    }

    /// A plan in this shell's words, each group of settings with what it does.
    pub fn write(self, plan: &Plan, client: Option<Client>) -> String {
        if self == Self::Json {
            return format!("{:#}\n", object(plan));
        }
        let mut text = String::new();
        let mut why = "";
        for setting in &plan.settings {
            if setting.why != why {
                why = setting.why;
                let _ = writeln!(text, "# {why}");
            }
            let (name, value) = (&setting.name, self.quote(&setting.value));
            let _ = match self {
                Self::Bash => writeln!(text, "export {name}={value}"),
                Self::Fish => writeln!(text, "set -gx {name} {value}"),
                Self::Powershell => writeln!(text, "$env:{name} = {value}"),
                Self::Dotenv | Self::Json => writeln!(text, "{name}={value}"),
            };
        }
        if let (Some(client), false) = (client, plan.arguments.is_empty()) {
            let name = client.name();
            let words: Vec<String> = plan.arguments.iter().map(|word| self.quote(word)).collect();
            let words = words.join(" ");
            let _ = writeln!(text, "# {name} takes this from its command line alone");
            let _ = match self {
                Self::Bash => writeln!(text, "{name}() {{ command {name} {words} \"$@\"; }}"),
                Self::Fish => writeln!(text, "function {name}; command {name} {words} $argv; end"),
                Self::Powershell => writeln!(
                    text,
                    "function {name} {{ & (Get-Command {name} -CommandType Application)[0] {words} @args }}"
                ),
                Self::Dotenv | Self::Json => writeln!(text, "# {name} {words} ..."),
            };
        }
        for note in &plan.notes {
            let _ = writeln!(text, "# note: {note}");
        }
        text
    }

    /// A text as one word.
    fn quote(self, text: &str) -> String {
        match self {
            Self::Bash => format!("'{}'", text.replace('\'', r"'\''")),
            Self::Fish => format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'")),
            Self::Powershell => format!("'{}'", text.replace('\'', "''")),
            // Within single quotes nothing is replaced; what holds one is escaped in double quotes.
            Self::Dotenv if !text.contains('\'') => format!("'{text}'"),
            Self::Dotenv | Self::Json => {
                let escaped = text.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$");
                format!("\"{escaped}\"")
            }
        }
    }
}

fn object(plan: &Plan) -> Value {
    let variables: Map<String, Value> =
        plan.settings.iter().map(|setting| (setting.name.clone(), json!(setting.value))).collect();
    json!({"variables": variables, "arguments": plan.arguments, "notes": plan.notes})
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::launch::plan::Setting;

    /// What is hard to quote.
    const HARD: &str = r#"it's "x" $HOME `id` \ {"a":1}"#;

    fn hard() -> Plan {
        let setting = Setting { name: "HARD".to_owned(), value: HARD.to_owned(), why: "a test" };
        Plan {
            settings: vec![setting],
            arguments: vec!["-c".to_owned(), HARD.to_owned()],
            ..Plan::default()
        }
    }

    #[test]
    fn a_shell_reads_what_was_written_for_it() {
        let written = Shell::Bash.write(&hard(), Some(Client::Codex));
        // The function calls a program of that name: here one that prints its words.
        let script = format!(
            "{written}\ncommand() {{ shift; printf '%s\\n' \"$@\"; }}\nprintf '%s\\n' \"$HARD\"\ncodex exec"
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said, format!("{HARD}\n-c\n{HARD}\nexec\n"), "{written}");
    }

    #[test]
    fn each_shell_has_its_own_words() {
        let told = |shell: Shell| shell.write(&hard(), Some(Client::Codex));
        insta::assert_snapshot!(told(Shell::Fish), @r#"
        # a test
        set -gx HARD 'it\'s "x" $HOME `id` \\ {"a":1}'
        # codex takes this from its command line alone
        function codex; command codex '-c' 'it\'s "x" $HOME `id` \\ {"a":1}' $argv; end
        "#);
        insta::assert_snapshot!(told(Shell::Powershell), @r#"
        # a test
        $env:HARD = 'it''s "x" $HOME `id` \ {"a":1}'
        # codex takes this from its command line alone
        function codex { & (Get-Command codex -CommandType Application)[0] '-c' 'it''s "x" $HOME `id` \ {"a":1}' @args }
        "#);
        insta::assert_snapshot!(told(Shell::Dotenv), @r##"
        # a test
        HARD="it's \"x\" \$HOME `id` \\ {\"a\":1}"
        # codex takes this from its command line alone
        # codex '-c' "it's \"x\" \$HOME `id` \\ {\"a\":1}" ...
        "##);
        let told: Value = serde_json::from_str(&told(Shell::Json)).unwrap();
        assert_eq!(
            (&told["variables"]["HARD"], &told["arguments"][1]),
            (&json!(HARD), &json!(HARD))
        );
    }

    #[test]
    fn the_users_shell_is_known_by_its_path() {
        assert_eq!(Shell::named("/usr/bin/fish"), Shell::Fish);
        assert_eq!(Shell::named("/opt/microsoft/powershell/7/pwsh"), Shell::Powershell);
        assert_eq!(Shell::named("/bin/zsh"), Shell::Bash);
    }
}
