//! Giving up capabilities for good.

use std::fs;
use std::io;

use caps::CapSet;
use rustix::thread::{CapabilitySet, CapabilitySets, set_capabilities};

/// Gives up all capabilities, and the way to any.
pub(super) fn drop_all() -> io::Result<()> {
    let other = |error: caps::errors::CapsError| io::Error::other(error.to_string());
    if caps::has_cap(None, CapSet::Effective, caps::Capability::CAP_SETPCAP).map_err(other)? {
        caps::clear(None, CapSet::Bounding).map_err(other)?;
        // Those that are newer than the list of the crate.
        for number in caps::all().len() as u64..=last()? {
            if let Some(capability) = 1_u64.checked_shl(number as u32) {
                let newer = CapabilitySet::from_bits_retain(capability);
                rustix::thread::remove_capability_from_bounding_set(newer)?;
            }
        }
    }
    rustix::thread::clear_ambient_capability_set()?;
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })?;
    Ok(())
}

/// The newest capability that the kernel knows.
fn last() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/sys/kernel/cap_last_cap")?;
    text.trim().parse().map_err(|_| io::Error::other("the newest capability is no number"))
}
