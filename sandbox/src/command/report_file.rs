//! The report as a file of its own: lines of JSON for programs that start sandboxes, apart from what the
//! command itself writes. The Python binding is one.
//!
//! The lines are the events, and besides them `unavailable`, where no sandbox could be made, and
//! `change`, for each file that was changed in an ephemeral workspace.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;

use serde_json::json;

use super::Failure;
use crate::layer::Layer;
use crate::report;
use crate::workspace::changes::Change;

/// How many refusals have a line: a reader wants them all, an agent that floods ends here.
const MOST_LINES: usize = 4096;

/// A file that takes the report.
#[derive(Debug)]
pub(super) struct ReportFile(File);

impl ReportFile {
    /// Opens what `--report-file` names: a path, or `fd:N` for a file that the launcher was given.
    pub(super) fn open(name: &str) -> Result<Self, Failure> {
        let inherited = name.strip_prefix("fd:").and_then(|number| number.parse::<u16>().ok());
        let path = inherited.map_or_else(|| name.to_owned(), |fd| format!("/proc/self/fd/{fd}"));
        let mut options = OpenOptions::new();
        options.append(true).create(inherited.is_none());
        if inherited.is_none() {
            // A link may be an agent's of an earlier run.
            options.custom_flags(libc::O_NOFOLLOW);
        }
        let file = options.open(path);
        let file =
            file.map_err(|error| Failure::Usage(format!("--report-file {name}: {error}")))?;
        Ok(Self(file))
    }

    /// How a reporter tells to it.
    pub(super) fn options(&self) -> io::Result<report::Options> {
        Ok(report::Options {
            mode: report::Mode::Json,
            most_lines: MOST_LINES,
            output: Box::new(self.0.try_clone()?),
            is_terminal_taken: Box::new(|| false),
            ..report::Options::default()
        })
    }

    /// Tells that no sandbox could be made.
    pub(super) fn unavailable(&self, layer: Option<Layer>, message: &str) -> io::Result<()> {
        let layers: Vec<Layer> = layer.into_iter().collect();
        self.line(&json!({ "event": "unavailable", "layers": layers, "message": message }))
    }

    /// Tells of changes in an ephemeral workspace.
    pub(super) fn changes(&self, changes: &[Change]) -> io::Result<()> {
        changes.iter().try_for_each(|change| {
            let path = change.path.to_string_lossy();
            self.line(&json!({ "event": "change", "kind": change.what, "path": path }))
        })
    }

    fn line(&self, line: &serde_json::Value) -> io::Result<()> {
        (&self.0).write_all(format!("{line}\n").as_bytes())
    }
}
