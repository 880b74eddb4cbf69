//! What one attempt to get out is, and what came of it. `attempts` holds the table.

use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::layer::{Layer, Tier};
use crate::selftest::errno;
use crate::selftest::stage::Stage;

/// One attempt to get out.
#[derive(Debug, Clone, Copy)]
pub struct Attempt {
    /// Names it: `tcp-other-port`.
    pub name: &'static str,
    /// The part of the table that it stands in.
    pub group: Group,
    /// What is tried, in one line.
    pub what: &'static str,
    /// Tries it. The same code runs in the sandbox and, as its control, outside.
    pub run: fn(&Stage) -> Result<String, Refusal>,
    /// What shows that it worked.
    pub shows: Shows,
    /// What a sandbox does about it.
    pub expect: Expect,
}

/// Parts of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Group {
    /// Connections, datagrams and sockets of every family.
    Network,
    /// Unix sockets.
    Unix,
    /// Files outside the workspace: what is in them.
    Files,
    /// Files outside the workspace: their modes, owners, times and attributes.
    Metadata,
    /// What stands within the workspace and must not change.
    Protected,
    /// Other processes.
    Processes,
    /// The launcher and the keeper.
    Launcher,
    /// System calls that an agent has no use for.
    Kernel,
    /// Namespaces and mounts.
    Namespaces,
    /// Shared memory and queues.
    Ipc,
    /// The terminal and devices.
    Devices,
    /// Environment, descriptors, setuid programs: what is handed on.
    Inherited,
    /// How much is used.
    Resources,
}

/// What shows that an attempt worked. In a sandbox every one of them counts; its control must show
/// the one that is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// The attempt's own word: nothing outside can tell.
    Report,
    /// The attempt reports the secret that it cannot know otherwise.
    Secret,
    /// A listener outside was sent the attempt's token.
    Listener,
    /// Files outside, or protected ones, are not what they were.
    Files,
    /// A process outside is not what it was.
    Victim,
    /// There are System V objects outside that were not there.
    Objects,
}

/// What a sandbox does about an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// One of these refuses it.
    Held(&'static [By]),
    /// It works, and is known to: why, and why that is borne.
    Gap(&'static str),
}

/// An [`Expectation`] for each way to make a sandbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expect {
    /// In the namespace tier.
    pub namespace: Expectation,
    /// In the fallback tier.
    pub fallback: Expectation,
    /// In the fallback tier where the user is root, if that is another.
    pub fallback_root: Option<Expectation>,
}

/// What holds an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// A layer.
    Layer(Layer),
    /// No descriptor but the standard three is handed on.
    Descriptors,
}

/// What came of running an attempt's code, as it says itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// It worked.
    Worked {
        /// What shows it.
        evidence: String,
    },
    /// It did not.
    Refused {
        /// What it could not do.
        step: String,
        /// The error's number; 0 where there is none.
        errno: i32,
        /// The error in words.
        detail: String,
    },
    /// It was ended by a signal.
    Killed {
        /// Which.
        signal: i32,
    },
    /// There is nothing here to try it on.
    Absent {
        /// Why.
        why: String,
    },
}

/// Why an attempt did not work.
#[derive(Debug)]
pub enum Refusal {
    /// A step of it failed.
    Failed {
        /// Which.
        step: &'static str,
        /// How.
        error: io::Error,
    },
    /// There is nothing here to try it on.
    Absent(String),
}

/// Names the step that failed.
pub trait At<T> {
    /// Names the step that failed.
    fn at(self, step: &'static str) -> Result<T, Refusal>;
}

impl<T, E: Into<io::Error>> At<T> for Result<T, E> {
    fn at(self, step: &'static str) -> Result<T, Refusal> {
        self.map_err(|error| Refusal::Failed { step, error: error.into() })
    }
}

impl Refusal {
    /// The step did what it does and came to nothing.
    pub fn nothing(step: &'static str) -> Self {
        Self::Failed { step, error: io::Error::other("no effect") }
    }

    /// There is nothing here to try it on.
    pub fn absent(why: impl Into<String>) -> Self {
        Self::Absent(why.into())
    }
}

impl Attempt {
    /// The same, of which something else is expected than of its neighbours.
    #[must_use]
    pub const fn expecting(mut self, expect: Expect) -> Self {
        self.expect = expect;
        self
    }
}

impl Attempt {
    /// The same, shown to work by something else than its neighbours.
    #[must_use]
    pub const fn shown_by(mut self, shows: Shows) -> Self {
        self.shows = shows;
        self
    }
}

impl Expect {
    /// Held in both tiers by the first of `by` whose refusal it is.
    pub const fn held(by: &'static [By]) -> Self {
        Self {
            namespace: Expectation::Held(by),
            fallback: Expectation::Held(by),
            fallback_root: None,
        }
    }

    /// Held in each tier by its own.
    pub const fn tiers(namespace: &'static [By], fallback: &'static [By]) -> Self {
        Self {
            namespace: Expectation::Held(namespace),
            fallback: Expectation::Held(fallback),
            fallback_root: None,
        }
    }

    /// Held in the namespace tier; a known gap of the other.
    pub const fn gap_in_fallback(namespace: &'static [By], why: &'static str) -> Self {
        Self {
            namespace: Expectation::Held(namespace),
            fallback: Expectation::Gap(why),
            fallback_root: None,
        }
    }

    /// Held, but for the fallback tier where the user is root.
    pub const fn gap_for_root(
        namespace: &'static [By],
        fallback: &'static [By],
        why: &'static str,
    ) -> Self {
        Self {
            namespace: Expectation::Held(namespace),
            fallback: Expectation::Held(fallback),
            fallback_root: Some(Expectation::Gap(why)),
        }
    }

    /// A known gap of both.
    pub const fn gap(why: &'static str) -> Self {
        Self {
            namespace: Expectation::Gap(why),
            fallback: Expectation::Gap(why),
            fallback_root: None,
        }
    }

    /// What is expected of this tier for this user.
    pub fn of(&self, tier: Tier, root: bool) -> Expectation {
        match (tier, root, self.fallback_root) {
            (Tier::Namespace, _, _) => self.namespace,
            (Tier::Fallback, true, Some(expectation)) => expectation,
            (Tier::Fallback, _, _) => self.fallback,
        }
    }
}

impl Outcome {
    /// What a run of an attempt's code came to.
    pub fn of(result: &Result<String, Refusal>) -> Self {
        match result {
            Ok(evidence) => Self::Worked { evidence: evidence.clone() },
            Err(Refusal::Failed { step, error }) => Self::Refused {
                step: (*step).to_owned(),
                errno: error.raw_os_error().unwrap_or(0),
                detail: error.to_string(),
            },
            Err(Refusal::Absent(why)) => Self::Absent { why: why.clone() },
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worked { evidence } => f.write_str(evidence),
            Self::Refused { step, errno: ..=0, detail } => write!(f, "{step}: {detail}"),
            Self::Refused { step, errno, .. } => write!(f, "{step}: {}", errno::name(*errno)),
            Self::Killed { signal } => write!(f, "ended by {}", errno::signal(*signal)),
            Self::Absent { why } => f.write_str(why),
        }
    }
}

impl By {
    /// Whether a refusal like this one is of this one's making. What fails for another reason is
    /// not held by what the table says.
    pub fn refuses_with(self, outcome: &Outcome) -> bool {
        let errno = match outcome {
            Outcome::Refused { errno, .. } => *errno,
            Outcome::Killed { signal } => {
                return match self {
                    Self::Layer(Layer::Seccomp) => *signal == libc::SIGSYS,
                    Self::Layer(Layer::Rlimits) => {
                        [libc::SIGXCPU, libc::SIGXFSZ, libc::SIGKILL, libc::SIGTERM, libc::SIGABRT]
                            .contains(signal)
                    }
                    Self::Layer(Layer::Cgroup) => *signal == libc::SIGKILL,
                    _ => false,
                };
            }
            Outcome::Worked { .. } | Outcome::Absent { .. } => return false,
        };
        let layer = match self {
            Self::Layer(layer) => layer,
            Self::Descriptors => return errno == libc::EBADF || errno == libc::ENOENT,
        };
        match layer {
            // EINVAL: no such user in the namespace.
            Layer::User => [libc::EPERM, libc::EACCES, libc::EINVAL].contains(&errno),
            Layer::Capabilities => errno == libc::EPERM || errno == libc::EACCES,
            // What a call in a place of one's own comes to: nothing there, or no effect outside (0).
            Layer::Mount => [
                0,
                libc::ENOENT,
                libc::EROFS,
                libc::EACCES,
                libc::EPERM,
                libc::EXDEV,
                libc::EBUSY,
                libc::ENOTDIR,
                libc::ENXIO,
                libc::EISDIR,
            ]
            .contains(&errno),
            Layer::Network => [
                0,
                libc::ENETUNREACH,
                libc::ECONNREFUSED,
                libc::EADDRNOTAVAIL,
                libc::ETIMEDOUT,
                libc::EHOSTUNREACH,
                libc::ENODEV,
                libc::EINPROGRESS,
            ]
            .contains(&errno),
            Layer::Process => [0, libc::ESRCH, libc::ENOENT, libc::EPERM].contains(&errno),
            Layer::Ipc => [0, libc::ENOENT, libc::EINVAL].contains(&errno),
            // A signal to a group is sent to those that it may reach: no error, and no effect (0).
            Layer::Landlock => [0, libc::EACCES, libc::EPERM, libc::EXDEV].contains(&errno),
            // What a program is ready for: no such call, no such thing on this file system.
            Layer::Seccomp => {
                [libc::EPERM, libc::ENOSYS, libc::EACCES, libc::EOPNOTSUPP].contains(&errno)
            }
            Layer::Notify => {
                [libc::EACCES, libc::EPERM, libc::ECONNREFUSED, libc::ENETUNREACH].contains(&errno)
            }
            Layer::NoNewPrivileges | Layer::Environment | Layer::Guard => errno == 0,
            Layer::Rlimits | Layer::Cgroup => {
                [0, libc::EAGAIN, libc::ENOMEM, libc::EFBIG, libc::EMFILE, libc::EPERM]
                    .contains(&errno)
            }
        }
    }

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Layer(layer) => layer.name(),
            Self::Descriptors => "descriptors",
        }
    }
}

impl Group {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Unix => "unix",
            Self::Files => "files",
            Self::Metadata => "metadata",
            Self::Protected => "protected",
            Self::Processes => "processes",
            Self::Launcher => "launcher",
            Self::Kernel => "kernel",
            Self::Namespaces => "namespaces",
            Self::Ipc => "ipc",
            Self::Devices => "devices",
            Self::Inherited => "inherited",
            Self::Resources => "resources",
        }
    }
}

/// For the tables: the layers by their short names.
pub mod by {
    use super::By;
    use crate::layer::Layer;

    /// A user namespace.
    pub const USER: By = By::Layer(Layer::User);
    /// Own view of the files.
    pub const MOUNT: By = By::Layer(Layer::Mount);
    /// Own network.
    pub const NETWORK: By = By::Layer(Layer::Network);
    /// Own processes.
    pub const PROCESS: By = By::Layer(Layer::Process);
    /// Own shared memory.
    pub const IPC: By = By::Layer(Layer::Ipc);
    /// Files by path, scopes.
    pub const LANDLOCK: By = By::Layer(Layer::Landlock);
    /// System calls.
    pub const SECCOMP: By = By::Layer(Layer::Seccomp);
    /// System calls that are answered.
    pub const NOTIFY: By = By::Layer(Layer::Notify);
    /// No capabilities.
    pub const CAPABILITIES: By = By::Layer(Layer::Capabilities);
    /// No setuid.
    pub const NO_NEW_PRIVILEGES: By = By::Layer(Layer::NoNewPrivileges);
    /// Allow list.
    pub const ENVIRONMENT: By = By::Layer(Layer::Environment);
    /// Limits of a process.
    pub const RLIMITS: By = By::Layer(Layer::Rlimits);
    /// Limits of all together.
    pub const CGROUP: By = By::Layer(Layer::Cgroup);
    /// No other descriptors.
    pub const DESCRIPTORS: By = By::Descriptors;
    /// Put back at the end.
    pub const PUT_BACK: By = By::Layer(Layer::Guard);
}
