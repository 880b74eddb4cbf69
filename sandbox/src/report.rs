//! Tells of a sandbox while it runs: each refusal once on standard error, and every event to a taker.
//!
//! A thread of the launcher. What an agent had a hand in (paths, names of programs) is printed with
//! control characters escaped. While a full-screen program has the terminal, lines wait for its end.
//! An agent that floods is told of up to a number of lines, then counted.

use std::collections::{HashMap, HashSet};
use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::termios::{LocalModes, tcgetattr};

use crate::event::{Action, Denial, Event, Remedy};

/// How events are told.
pub struct Options {
    /// In which form.
    pub mode: Mode,
    /// How many refusals of a kind have a line of their own; the rest is counted.
    pub most_lines: usize,
    /// Takes every event besides, in batches: a slow one delays no line but the next.
    pub taker: Option<Taker>,
    /// Where lines go: the launcher's standard error.
    pub output: Box<dyn Write + Send>,
    /// Whether the terminal is a full-screen program's at the moment.
    pub is_terminal_taken: Box<dyn FnMut() -> bool + Send>,
}

/// Takes events, one after the other.
pub type Taker = Box<dyn FnMut(&Event) + Send>;

/// In which form events are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// A line for people.
    Text,
    /// A line of JSON.
    Json,
    /// Not at all.
    Off,
}

/// Tells, until it is finished.
pub struct Reporter {
    thread: Option<JoinHandle<Vec<Event>>>,
    ending: Arc<AtomicBool>,
    wake: mpsc::Sender<Event>,
}

/// How many events are kept and handed back: more than a supervisor ever sends.
const MOST_KEPT: usize = 16_384;

/// How often is looked whether a full-screen program gave the terminal back.
const TERMINAL_CHECK: Duration = Duration::from_millis(500);

impl Default for Options {
    /// Lines for people on standard error.
    fn default() -> Self {
        Self {
            mode: Mode::Text,
            most_lines: 50,
            taker: None,
            output: Box::new(io::stderr()),
            is_terminal_taken: Box::new(is_standard_error_taken),
        }
    }
}

impl Reporter {
    /// Starts telling. Whatever is sent until `finish` is told.
    pub fn start(options: Options) -> io::Result<(mpsc::Sender<Event>, Self)> {
        let (sender, events) = mpsc::channel();
        let ending = Arc::new(AtomicBool::new(false));
        let telling = Telling::new(options);
        let is_ending = Arc::clone(&ending);
        let thread = thread::Builder::new()
            .name("reporter".to_owned())
            .spawn(move || telling.run(&events, &is_ending))?;
        let reporter = Self { thread: Some(thread), ending, wake: sender.clone() };
        Ok((sender, reporter))
    }

    /// Tells what was sent until now, and what had to wait; hands back every event that was kept.
    pub fn finish(mut self) -> Vec<Event> {
        self.end().unwrap_or_default()
    }

    fn end(&mut self) -> Option<Vec<Event>> {
        let thread = self.thread.take()?;
        self.ending.store(true, Ordering::Release);
        let _ = self.wake.send(wake_up());
        thread.join().ok()
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.end();
    }
}

/// Says nothing: it wakes the thread up.
const fn wake_up() -> Event {
    Event::Limit { limit: "", value: String::new(), effect: "" }
}

struct Telling {
    options: Options,
    seen: HashSet<Denial>,
    kept: Vec<Event>,
    waiting: Vec<String>,
    lines: HashMap<Action, usize>,
    /// Refusals without a line, and of which kinds they were.
    uncounted: usize,
    kinds: HashSet<Action>,
}

impl Telling {
    fn new(options: Options) -> Self {
        Self {
            options,
            seen: HashSet::new(),
            kept: Vec::new(),
            waiting: Vec::new(),
            lines: HashMap::new(),
            uncounted: 0,
            kinds: HashSet::new(),
        }
    }

    fn run(mut self, events: &mpsc::Receiver<Event>, ending: &AtomicBool) -> Vec<Event> {
        let mut looked = Instant::now();
        loop {
            let event = if self.waiting.is_empty() {
                events.recv().ok()
            } else {
                match events.recv_timeout(TERMINAL_CHECK) {
                    Ok(event) => Some(event),
                    Err(mpsc::RecvTimeoutError::Timeout) => Some(wake_up()),
                    Err(mpsc::RecvTimeoutError::Disconnected) => None,
                }
            };
            let Some(event) = event else { break };
            self.take(event);
            if ending.load(Ordering::Acquire) {
                while let Ok(event) = events.try_recv() {
                    self.take(event);
                }
                break;
            }
            if !self.waiting.is_empty() && looked.elapsed() >= TERMINAL_CHECK {
                looked = Instant::now();
                self.print_waiting();
            }
        }
        self.end();
        self.kept
    }

    fn take(&mut self, event: Event) {
        if event == wake_up() {
            return;
        }
        if let Event::Denial(denial) = &event
            && (self.seen.len() >= MOST_KEPT || !self.seen.insert(denial.clone()))
        {
            return;
        }
        if self.kept.len() >= MOST_KEPT {
            return;
        }
        if let Some(taker) = &mut self.options.taker {
            taker(&event);
        }
        self.tell(&event);
        self.kept.push(event);
    }

    fn tell(&mut self, event: &Event) {
        let line = match self.options.mode {
            Mode::Off => return,
            Mode::Json => serde_json::to_string(event).ok(),
            Mode::Text => Some(text(event)),
        };
        let Some(line) = line else { return };
        if let Event::Denial(denial) = event {
            let lines = self.lines.entry(denial.action).or_default();
            if *lines >= self.options.most_lines {
                self.uncounted += 1;
                self.kinds.insert(denial.action);
                return;
            }
            *lines += 1;
        }
        self.waiting.push(line);
        if !(self.options.is_terminal_taken)() {
            self.print_waiting();
        }
    }

    fn print_waiting(&mut self) {
        if (self.options.is_terminal_taken)() {
            return;
        }
        self.print();
    }

    fn print(&mut self) {
        let mut lines = String::new();
        for line in self.waiting.drain(..) {
            lines.push_str(&line);
            lines.push('\n');
        }
        // At once, so that a line is not torn by what the program writes. Where standard error is
        // gone, there is nobody to tell.
        let _ = self.options.output.write_all(lines.as_bytes());
        let _ = self.options.output.flush();
    }

    fn end(&mut self) {
        if self.uncounted > 0 {
            let (count, kinds) = (self.uncounted, self.kinds.len());
            let kinds = if kinds == 1 { "1 kind".to_owned() } else { format!("{kinds} kinds") };
            self.waiting.push(match self.options.mode {
                Mode::Json => {
                    serde_json::json!({ "event": "more_denials", "count": count }).to_string()
                }
                _ => format!("iron-sandbox: refused: and {count} more of {kinds}"),
            });
        }
        if !self.waiting.is_empty() {
            self.print();
        }
    }
}

/// An event as people read it; none for what is nothing new to them.
pub fn text(event: &Event) -> String {
    let line = match event {
        Event::Started { tier, why: None } => format!("confined in the {tier} tier"),
        Event::Started { tier, why: Some(why) } => {
            format!("confined in the {tier} tier, for want of a stronger one: {why}")
        }
        Event::Limit { limit, value, effect } => {
            format!("limit reached: {} of {value}: {effect}", limit.replace('_', " "))
        }
        Event::Denial(denial) => refusal(denial),
    };
    format!("iron-sandbox: {}", escape(&line))
}

fn refusal(denial: &Denial) -> String {
    let Denial { action, target, layer, program, remedy } = denial;
    let action = match action {
        Action::Connect => "connect to ",
        Action::Datagram => "datagrams by ",
        Action::Read => "read ",
        Action::Write => "write ",
        Action::Execute => "execute ",
        Action::Listen | Action::Socket | Action::Call => "",
    };
    let program = program.as_ref().map(|program| format!("; {program}")).unwrap_or_default();
    let remedy = match remedy {
        Remedy::Allow { flag, profile } => {
            format!("to allow it: {flag} (in a profile: {profile})")
        }
        Remedy::Never(why) => why.clone(),
    };
    format!("refused: {action}{target} ({layer}{program}) - {remedy}")
}

/// Escapes what could steer a terminal or pretend to be another line.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            escaped.extend(c.escape_unicode());
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Marks that turn text around or are not seen.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Whether a program took the terminal of standard error: it reads keys, not lines.
fn is_standard_error_taken() -> bool {
    tcgetattr(io::stderr()).is_ok_and(|modes| !modes.local_modes.contains(LocalModes::ICANON))
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::layer::{Layer, Tier};

    /// What was printed.
    #[derive(Clone, Default)]
    struct Screen(Arc<Mutex<Vec<u8>>>);

    impl Screen {
        fn text(&self) -> String {
            String::from_utf8(self.0.lock().expect("a lock").clone()).expect("text")
        }
    }

    impl Write for Screen {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("a lock").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn options(screen: &Screen, mode: Mode) -> Options {
        Options {
            mode,
            most_lines: 2,
            output: Box::new(screen.clone()),
            is_terminal_taken: Box::new(|| false),
            ..Options::default()
        }
    }

    fn denial(target: &str) -> Event {
        Event::Denial(Denial {
            action: Action::Read,
            target: target.to_owned(),
            layer: Layer::Landlock,
            program: Some("python".to_owned()),
            remedy: Remedy::Allow {
                flag: format!("--read {target}"),
                profile: format!("[files] read = [\"{target}\"]"),
            },
        })
    }

    #[test]
    fn each_refusal_has_one_line_and_the_rest_is_counted() {
        let screen = Screen::default();
        let (events, reporter) = Reporter::start(options(&screen, Mode::Text)).expect("a thread");
        for target in ["/a", "/a", "/b", "/c", "/d", "/a"] {
            events.send(denial(target)).expect("somebody listens");
        }
        let kept = reporter.finish();
        assert_eq!(kept, ["/a", "/b", "/c", "/d"].map(denial));
        insta::assert_snapshot!(screen.text(), @r#"
        iron-sandbox: refused: read /a (landlock; python) - to allow it: --read /a (in a profile: [files] read = ["/a"])
        iron-sandbox: refused: read /b (landlock; python) - to allow it: --read /b (in a profile: [files] read = ["/b"])
        iron-sandbox: refused: and 2 more of 1 kind
        "#);
    }

    #[test]
    fn who_floods_hides_no_other_kind() {
        let screen = Screen::default();
        let (events, reporter) = Reporter::start(options(&screen, Mode::Text)).expect("a thread");
        for number in 0..100 {
            events.send(denial(&format!("/{number}"))).expect("somebody listens");
        }
        let Event::Denial(read) = denial("/last") else { panic!("a refusal") };
        let write = Denial { action: Action::Write, ..read };
        events.send(Event::Denial(write)).expect("somebody listens");
        reporter.finish();
        let text = screen.text();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4, "{text}");
        assert!(lines[2].contains("write /last"), "{text}");
        assert!(lines[3].ends_with("and 98 more of 1 kind"), "{text}");
    }

    #[test]
    fn what_an_agent_names_cannot_steer_a_terminal() {
        let line = text(&denial("/a\u{1b}[2J\nb\u{202e}c"));
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line}");
        assert!(line.contains("/a\\u{1b}[2J\\u{a}b\\u{202e}c"), "{line}");
    }

    #[test]
    fn lines_wait_while_a_program_has_the_terminal() {
        let screen = Screen::default();
        let (taken, seen) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)));
        let (is_taken, is_seen) = (Arc::clone(&taken), Arc::clone(&seen));
        let (told, hears) = mpsc::channel();
        let options = Options {
            is_terminal_taken: Box::new(move || {
                is_seen.store(true, Ordering::Release);
                is_taken.load(Ordering::Acquire)
            }),
            taker: Some(Box::new(move |event| told.send(event.clone()).expect("a test"))),
            ..options(&screen, Mode::Text)
        };
        let (events, reporter) = Reporter::start(options).expect("a thread");
        events.send(denial("/a")).expect("somebody listens");
        events.send(denial("/b")).expect("somebody listens");
        // The second is only taken when the first was dealt with.
        assert_eq!(hears.recv(), Ok(denial("/a")));
        assert_eq!(hears.recv(), Ok(denial("/b")));
        assert!(seen.load(Ordering::Acquire));
        assert_eq!(screen.text(), "");
        reporter.finish();
        assert_eq!(screen.text().lines().count(), 2);
    }

    #[test]
    fn json_is_a_line_each_and_off_is_silent() {
        let screen = Screen::default();
        let (events, reporter) = Reporter::start(options(&screen, Mode::Json)).expect("a thread");
        events.send(Event::Started { tier: Tier::Fallback, why: None }).expect("somebody");
        events.send(denial("/a")).expect("somebody listens");
        drop(reporter);
        let lines: Vec<serde_json::Value> =
            screen.text().lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        assert_eq!(lines[0]["event"], "started");
        assert_eq!(lines[1]["target"], "/a");
        let screen = Screen::default();
        let (events, reporter) = Reporter::start(options(&screen, Mode::Off)).expect("a thread");
        events.send(denial("/a")).expect("somebody listens");
        assert_eq!(reporter.finish().len(), 1);
        assert_eq!(screen.text(), "");
    }

    #[test]
    fn a_limit_is_told_in_words() {
        let event = Event::Limit {
            limit: "wall_time",
            value: "10 s".to_owned(),
            effect: "the program was ended",
        };
        let line = "iron-sandbox: limit reached: wall time of 10 s: the program was ended";
        assert_eq!(text(&event), line);
    }
}
