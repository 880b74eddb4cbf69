//! Refusals in words: which call, which kind of socket, which address to listen on.

use super::connect::without_network;
use super::verdict::{self, Answer};
use super::{Answering, Caller};
use crate::event::{Action, Remedy};
use crate::layer::Layer;
use crate::seccomp::explain;
use crate::seccomp::rules::Duty;
use crate::sys::notify::Reply;

impl Answering {
    /// Refuses a call and tells of it.
    pub(super) fn refuse(&self, caller: Caller<'_>, name: &'static str, duty: Duty) -> Reply {
        let (action, target, remedy) = match duty {
            Duty::Socket => socket(name, caller, self.inside.is_empty()),
            Duty::Listen => (Action::Listen, name.to_owned(), self.why(name)),
            _ => (Action::Call, name.to_owned(), self.why(name)),
        };
        self.tell(caller, action, target, Layer::Seccomp, remedy);
        Reply::Errno(libc::EPERM)
    }

    pub(super) fn why(&self, name: &str) -> Remedy {
        let why = explain(name, self.scene.tier).map(|explained| explained.why);
        Remedy::Never(why.unwrap_or_default().to_owned())
    }
}

/// What kind of socket was asked for.
fn socket(name: &str, caller: Caller<'_>, alone: bool) -> (Action, String, Remedy) {
    // As the kernel: the flags are no part of the type.
    let kind = caller.number(1) & 0xf;
    let protocol = caller.number(2);
    let never = |why: &str| Remedy::Never(why.to_owned());
    let internet = "there are TCP sockets alone";
    let (action, target, remedy) = match (caller.number(0), kind) {
        (libc::AF_UNIX, _) if name == "socketpair" => (
            Action::Socket,
            "a pair of UNIX datagram sockets",
            never("such a pair can send to any path: a pair of streams is there"),
        ),
        (libc::AF_UNIX, _) => (
            Action::Socket,
            "a UNIX socket",
            never("services of this machine (Docker, D-Bus, agents of keys) are out of reach"),
        ),
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_DGRAM) => match protocol {
            libc::IPPROTO_ICMP | libc::IPPROTO_ICMPV6 => {
                (Action::Datagram, "ICMP", never(internet))
            }
            _ if alone => (Action::Datagram, "UDP", without_network()),
            _ => {
                let Answer::Refused { remedy, .. } = verdict::host() else {
                    return (Action::Datagram, "UDP".to_owned(), never(internet));
                };
                (Action::Datagram, "UDP", remedy)
            }
        },
        (libc::AF_INET | libc::AF_INET6, libc::SOCK_RAW) => {
            (Action::Socket, "a raw socket", never(internet))
        }
        (libc::AF_PACKET, _) => (Action::Socket, "a packet socket", never(internet)),
        (libc::AF_VSOCK, _) => {
            (Action::Socket, "a socket to a host of this machine", never(internet))
        }
        (libc::AF_ALG, _) => {
            (Action::Socket, "a socket of the kernel's cryptography", never(internet))
        }
        (family, _) => {
            let target = format!("a socket of family {family}, type {kind}, protocol {protocol}");
            return (Action::Socket, target, never(internet));
        }
    };
    (action, target.to_owned(), remedy)
}
