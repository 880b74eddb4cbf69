//! Step 3: rates. Calls per minute and calls at once, of the agent and of the upstream.

use std::sync::Arc;

use super::identify::Identified;
use super::{Halt, Stopped};
use crate::limits::{Gate, Limited, Slot};
use crate::live::Live;

/// A call that is within its rates; it holds its places until it ends.
#[derive(Debug)]
pub(super) struct Admitted {
    pub(super) call: Identified,
    /// The agent's gate: tokens are taken from it once they can be estimated.
    pub(super) gate: Arc<Gate>,
}

/// Lets a call in, or refuses it with the time to come back.
pub(super) fn admit(live: &Arc<Live>, mut call: Identified) -> Result<Admitted, Box<Halt>> {
    if let Err(why) = still_good(&call) {
        return Err(call.ticket.halt(why));
    }
    let agent = call.target.session.agent.clone();
    let own = live.policy.agent(&agent).and_then(|agent| agent.limits);
    let gate = live.gates.of(&agent, own);
    match enter(&gate, &call) {
        Ok(slots) => {
            call.ticket.hold_slots(slots);
            call.ticket.mark("admit");
            Ok(Admitted { call, gate })
        }
        Err(why) => Err(call.ticket.halt(why)),
    }
}

/// Whether the call's token is good still: over a connection that stays, like a WebSocket, calls are
/// made long after it was looked at first.
pub(super) fn still_good(call: &Identified) -> Result<(), Stopped> {
    match &call.target.claims {
        Some(claims) => Ok(call.ticket.shared().tokens.check(claims)?),
        None => Ok(()),
    }
}

fn enter(gate: &Arc<Gate>, call: &Identified) -> Result<[Slot; 2], Stopped> {
    let own = gate.enter().map_err(|limited| of_agent(call, limited))?;
    let shared = call.target.upstream.gate.enter().map_err(|limited| of_upstream(call, limited))?;
    Ok([own, shared])
}

/// Takes the estimated tokens of a call from both allowances.
pub(super) fn take_tokens(admitted: &Admitted, tokens: u64) -> Result<(), Stopped> {
    let call = &admitted.call;
    admitted.gate.take_tokens(tokens).map_err(|limited| of_agent(call, limited))?;
    call.target.upstream.gate.take_tokens(tokens).map_err(|limited| of_upstream(call, limited))
}

fn of_agent(call: &Identified, limited: Limited) -> Stopped {
    Stopped::Limited { whose: format!("agent `{}`", call.target.session.agent), limited }
}

fn of_upstream(call: &Identified, limited: Limited) -> Stopped {
    Stopped::Limited { whose: format!("upstream `{}`", call.target.upstream.name()), limited }
}
