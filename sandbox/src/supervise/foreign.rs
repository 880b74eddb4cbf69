//! Calls that set limits, priorities and processors of a process, in the fallback tier, where other
//! processes can be seen: a process may do that to itself.
//!
//! The process is named in a register, which nobody can change, so that the kernel may carry the call
//! out. Between our look and that a thread can end and its number be given to another process, which
//! takes a round of all numbers within microseconds: a gap in name alone.

use std::path::Path;

use super::{Answering, Caller};
use crate::event::Action;
use crate::layer::Layer;
use crate::sys::notify::Reply;

impl Answering {
    /// What becomes of such a call.
    pub(super) fn concern(&self, caller: Caller<'_>, name: &'static str) -> Reply {
        let who = match name {
            // PRIO_PROCESS, IOPRIO_WHO_PROCESS: never a group's or a user's.
            "setpriority" => (caller.number(0) == 0).then(|| caller.number(1)),
            "ioprio_set" => (caller.number(0) == 1).then(|| caller.number(1)),
            _ => Some(caller.number(0)),
        };
        // What a limit is may be asked of anyone.
        let asks = name == "prlimit64" && caller.argument(2) == 0;
        let own = who.filter(|who| *who > 0).is_some_and(|who| is_of_one_process(caller, who));
        if (asks || own) && caller.waits() {
            return Reply::Continue;
        }
        let target = match who {
            Some(who) => format!("{name} of process {who}"),
            None => format!("{name} of several processes"),
        };
        self.tell(caller, Action::Call, target, Layer::Notify, self.why(name));
        Reply::Errno(libc::EPERM)
    }
}

fn is_of_one_process(caller: Caller<'_>, thread: i32) -> bool {
    caller
        .process()
        .is_some_and(|process| Path::new(&format!("/proc/{process}/task/{thread}")).exists())
}
