//! Where agents may connect through the proxy, and what happens on the way.
//!
//! Pure decisions over names and addresses: which rule a host falls under ([`Rules`]), and whether
//! an address may be dialled ([`class`], [`Private`]). Resolving and dialling are the proxy's.

mod address;
mod host;
mod rules;

pub use address::{Class, Net, class, embedded};
pub use host::{BadHost, HostPattern, host_name};
pub use rules::{OtherHosts, Private, Rules};
