//! Starting a program so that its calls come by the proxy: what `iron run` and `iron env` share.
//!
//! [`client`] knows a program by its words, [`plan`] what it obeys, [`route`] says where the proxy is,
//! [`child`] runs it as a shell would, [`receipt`] tells what it did,
//! [`shell`] writes a plan for a shell of the user's own.

pub mod child;
pub mod client;
pub mod plan;
pub mod proxy;
pub mod receipt;
pub mod route;
pub mod settings;
pub mod shell;
