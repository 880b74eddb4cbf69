//! Machines: addresses and device numbers.

pub(super) mod ip_v4;
pub(super) mod ip_v6;
