//! `iron-sandbox exec`: plans a sandbox, runs the command in it, and says what came of it.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::mpsc;

use super::args::{EphemeralArg, ExecArgs, NetworkArg, ReportArg};
use super::plan::{self, Planned};
use super::records::Records;
use super::report_file::ReportFile;
use super::surroundings::Surroundings;
use super::through_iron::{end_with_the_run, through_iron};
use super::{Failure, harmless};
use crate::confinement::{Behind, Confinement, Introduction, Layout};
use crate::event::{Action, Denial, Event, Remedy};
use crate::launch::{self, End, Ended};
use crate::layer::{Layer, Tier};
use crate::report::{self, Reporter};
use crate::workspace::guard::Guard;
use crate::workspace::{self, Ephemeral, conclude};

/// Runs the command. Standard output is the command's alone, but for a difference that was asked for.
pub(super) fn exec(args: &ExecArgs, here: &Surroundings) -> Result<ExitCode, Failure> {
    check_words(&args.command)?;
    if plan::wants_run(&args.confine, here) {
        check_before_run(args, here)?;
        return Err(through_iron(&args.confine, &args.run, &args.command));
    }
    end_with_the_run()?;
    let planned = plan::confinement(args, here)?;
    let told = args.report == ReportArg::Text && args.report_file.is_none();
    if told {
        planned.notes.iter().for_each(|note| tell(&format!("note: {note}")));
    }
    let (ended, _) = run(planned, args, told)?;
    Ok(ExitCode::from(ended.code()))
}

/// A mistyped flag is taken for the command by who reads the words: here it is told apart.
pub(super) fn check_words(command: &[OsString]) -> Result<(), Failure> {
    let words: Vec<OsString> = std::env::args_os().collect();
    let before = words.len().checked_sub(command.len() + 1).and_then(|at| words.get(at));
    match command.first() {
        Some(first)
            if first.as_encoded_bytes().starts_with(b"-")
                && before.is_none_or(|word| word != "--") =>
        {
            Err(Failure::Usage(format!(
                "`{}` is no flag here: `iron-sandbox exec --help` lists them, and a program whose name begins \
                 with a dash comes after `--`",
                first.display()
            )))
        }
        _ => Ok(()),
    }
}

/// What cannot be made is told before a proxy is started for it.
pub(super) fn check_before_run(args: &ExecArgs, here: &Surroundings) -> Result<(), Failure> {
    let mut without = args.clone();
    without.confine.network = NetworkArg::None;
    plan::confinement(&without, here).map(drop)
}

/// Runs what was planned; gives all events with the end.
pub(super) fn run(
    planned: Planned,
    args: &ExecArgs,
    told: bool,
) -> Result<(Ended, Vec<Event>), Failure> {
    let report = args.report_file.as_deref().map(ReportFile::open).transpose()?;
    planned.prepare()?;
    let mut confinement = planned.confinement;
    let aside = put_aside(args, &mut confinement, told)?;
    let mode = match args.report {
        ReportArg::Text => report::Mode::Text,
        ReportArg::Json => report::Mode::Json,
        ReportArg::Off => report::Mode::Off,
    };
    let proxy = confinement.network.gates.iter().find_map(|gate| match &gate.behind {
        Behind::Proxy(introduction) => Some(introduction.clone()),
        Behind::Service(_) => None,
    });
    let report = report.as_ref();
    let mut host =
        Host { confinement: &confinement, mode, report, proxy, guard: None, telling: None };
    let ran = launch::run(&confinement, &mut host);
    let Host { guard, telling, .. } = host;
    let restored = guard.as_ref().map(Guard::restore);
    let mut ended = match ran {
        Ok(ended) => ended,
        Err(error) => {
            drop(telling);
            let failure = failure(&error);
            if let Some(report) = &report {
                let layer = match error {
                    launch::Error::Layer { layer, .. } => Some(layer),
                    _ => None,
                };
                report.unavailable(layer, &failure.to_string()).map_err(|error| untold(&error))?;
            }
            return Err(failure);
        }
    };
    if let End::NotExecuted(errno) = &mut ended.end {
        // From within, a folder on PATH that cannot be read looks like a program that cannot be executed.
        if *errno == libc::EACCES && !candidates(&confinement).iter().any(|file| file.is_file()) {
            *errno = libc::ENOENT;
        }
        let errno = *errno;
        tell(&not_executed(&confinement, errno));
    }
    let events = telling.map(|telling| {
        put_back(&telling, restored);
        telling.finish()
    });
    if let Some(aside) = aside {
        if let Some(report) = &report {
            let changes = aside.changes().map_err(|error| Failure::Other(error.to_string()))?;
            report.changes(&changes.changes).map_err(|error| untold(&error))?;
        }
        land(args, aside, &confinement.files.protect)?;
    }
    Ok((ended, events.unwrap_or_default()))
}

fn untold(error: &std::io::Error) -> Failure {
    Failure::Other(format!("the report cannot be written: {error}"))
}

/// Who tells of events while the sandbox runs.
struct Telling {
    events: mpsc::Sender<Event>,
    reporter: Reporter,
    records: Option<Records>,
}

impl Telling {
    fn start(
        options: report::Options,
        proxy: Option<Introduction>,
    ) -> std::io::Result<(mpsc::Sender<Event>, Self)> {
        let records = proxy.map(Records::start).transpose()?;
        let taker = records.as_ref().map(Records::taker);
        let options = report::Options { taker, ..options };
        let (events, reporter) = Reporter::start(options)?;
        Ok((events.clone(), Self { events, reporter, records }))
    }

    fn finish(self) -> Vec<Event> {
        drop(self.events);
        let events = self.reporter.finish();
        if let Some(records) = self.records
            && let Err(error) = records.finish()
        {
            tell(&format!("what was refused is not in the proxy's records: {error}"));
        }
        events
    }
}

/// Puts the workspace aside where that is asked for.
fn put_aside(
    args: &ExecArgs,
    confinement: &mut Confinement,
    told: bool,
) -> Result<Option<Ephemeral>, Failure> {
    let Some(way) = args.ephemeral else { return Ok(None) };
    let mode = match way {
        EphemeralArg::Auto => workspace::Mode::Auto,
        EphemeralArg::Overlay => workspace::Mode::Overlay,
        EphemeralArg::Copy => workspace::Mode::Copy,
    };
    let tier = confinement.tier.unwrap_or(Tier::Namespace);
    let limit = args.ephemeral_limit.unwrap_or(workspace::LIMIT);
    let made = Ephemeral::prepare(&confinement.files.workspace, mode, tier, limit);
    let made = made.map_err(|error| Failure::Other(error.to_string()))?;
    if told {
        for note in made.notes() {
            tell(&format!("note: {}: {}", note.path, note.text));
        }
    }
    confinement.files.layout = made.layout().clone();
    Ok(Some(made))
}

/// What the launcher asks on its way.
struct Host<'a> {
    confinement: &'a Confinement,
    mode: report::Mode,
    report: Option<&'a ReportFile>,
    proxy: Option<Introduction>,
    guard: Option<Guard>,
    telling: Option<Telling>,
}

impl launch::Host for Host<'_> {
    /// Remembers what is protected and could be written to all the same: what is not there yet, and, in
    /// the fallback tier, everything. What is put aside lands by rules of its own.
    fn remember(&mut self, tier: Tier) -> io::Result<()> {
        let mut files = self.confinement.files.clone();
        if files.layout != Layout::InPlace {
            let workspace = files.workspace.clone();
            files.protect.retain(|path| !path.starts_with(&workspace));
        }
        let guard = Guard::take(&files, tier).map_err(|error| {
            io::Error::other(format!(
                "what is protected cannot be remembered, so that it could be put back: {error}. \
                 --ephemeral keeps the workspace as it is instead"
            ))
        })?;
        self.guard = Some(guard).filter(|guard| !guard.is_empty());
        Ok(())
    }

    fn listen(&mut self) -> io::Result<mpsc::Sender<Event>> {
        let options = self.report.map(ReportFile::options).transpose()?;
        let options = options
            .unwrap_or_else(|| report::Options { mode: self.mode, ..report::Options::default() });
        let (events, told) = Telling::start(options, self.proxy.clone())?;
        self.telling = Some(told);
        Ok(events)
    }

    fn put_back_orphaned(&self) {
        for restored in self.guard.iter().filter_map(|guard| guard.restore().ok()).flatten() {
            tell(&restored.to_string());
        }
    }
}

/// Tells of protected paths that were put back.
fn put_back(telling: &Telling, restored: Option<std::io::Result<Vec<workspace::guard::Restored>>>) {
    match restored {
        None => {}
        Some(Err(error)) => {
            tell(&format!("protected paths could not be compared with what they were: {error}"));
        }
        Some(Ok(restored)) => {
            for restored in restored {
                let target = restored.path.display().to_string();
                let remedy = Remedy::Never(restored.to_string());
                let (action, layer) = (Action::Write, Layer::Guard);
                let denial = Denial { action, target, layer, program: None, remedy };
                let _ = telling.events.send(Event::Denial(denial));
            }
        }
    }
}

/// Shows, applies, keeps or drops what was changed in a workspace that was put aside.
fn land(args: &ExecArgs, aside: Ephemeral, protect: &[PathBuf]) -> Result<(), Failure> {
    let outcome = conclude::conclude_here(aside, &args.ending(protect))
        .map_err(|error| Failure::Other(error.to_string()))?;
    if outcome.failed {
        return Err(Failure::Other("the changes were not all applied".to_owned()));
    }
    Ok(())
}

/// What a user is told of a command that could not be executed.
fn not_executed(confinement: &Confinement, errno: i32) -> String {
    let name = confinement.command[0].to_string_lossy();
    let Some(file) = candidates(confinement).into_iter().find(is_program) else {
        let error = std::io::Error::from_raw_os_error(errno);
        return match error.kind() {
            std::io::ErrorKind::NotFound => format!("{name}: command not found"),
            _ => format!("{name}: {error}"),
        };
    };
    let files = &confinement.files;
    let readable = files.read.iter().chain(&files.write).chain([&files.workspace]);
    let real = file.canonicalize().unwrap_or_else(|_| file.clone());
    if readable.into_iter().any(|folder| real.starts_with(folder)) {
        let error = std::io::Error::from_raw_os_error(errno);
        return format!("{name}: {}: {error}, or what it needs is not readable", file.display());
    }
    format!(
        "{name}: {} cannot be executed in the sandbox (landlock): allow it with `--read {}`",
        file.display(),
        real.parent().unwrap_or(Path::new("/")).display()
    )
}

/// The files that the command's first word may mean.
fn candidates(confinement: &Confinement) -> Vec<PathBuf> {
    let path = confinement.environment.iter().find(|(name, _)| name == "PATH");
    let path = path.map(|(_, value)| value.clone()).unwrap_or_default();
    launch::candidates(&confinement.command[0], &path)
}

fn is_program(file: &PathBuf) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(file)
        .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Why no sandbox was made, and what to do.
fn failure(error: &launch::Error) -> Failure {
    let next = match error {
        launch::Error::Layer { layer, .. } => format!(
            "nothing was run. `iron-sandbox check` says what this machine can give; --allow-degraded={layer} \
             goes on without it, where that is possible"
        ),
        launch::Error::Gate(..) => {
            "nothing was run: another program has that port, or the proxy's is not \
                                    on 127.0.0.1"
                .to_owned()
        }
        _ => "nothing was run".to_owned(),
    };
    Failure::Unsupported(format!("{error}; {next}"))
}

/// A line for the user, beside what the command writes.
fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "iron-sandbox: {}", harmless(text));
}
