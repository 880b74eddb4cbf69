//! Machines: addresses and device numbers.

pub(super) mod imei;
pub(super) mod ip_v4;
pub(super) mod ip_v6;
pub(super) mod mac;
pub(super) mod vin;
