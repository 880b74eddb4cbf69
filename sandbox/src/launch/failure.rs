//! Why a sandbox was not made.

use std::io;

use crate::layer::Layer;

/// Why a sandbox was not made. Nothing runs then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A layer cannot be had.
    #[error("the layer `{layer}` cannot be set up: {step}: {why}")]
    Layer {
        /// Which.
        layer: Layer,
        /// What was being done.
        step: String,
        /// Why it failed.
        why: io::Error,
    },
    /// What is asked for cannot be had in this tier.
    #[error("{0}")]
    Tier(String),
    /// A standard file is a way out by itself.
    #[error(
        "standard {0} is a socket that could be connected elsewhere from inside, or a folder or a disk: hand it on \
         through a pipe, as in `| cat`"
    )]
    Standard(&'static str),
    /// A gate cannot be opened.
    #[error("a gate to {0} cannot be opened: {1}")]
    Gate(std::net::SocketAddr, io::Error),
    /// The sandbox ended before the command began.
    #[error("the sandbox ended while it was made")]
    Gone,
    /// The launcher's own doing.
    #[error("the launcher: {0}")]
    Io(#[from] io::Error),
}

/// A step of a layer's that failed, on its way to become an [`Error`].
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) layer: Layer,
    pub(super) step: String,
    pub(super) why: io::Error,
}

/// Says what was being done where something fails.
pub(super) trait Step<T> {
    /// Of which layer it is a step, and what was being done.
    fn step(self, layer: Layer, what: impl FnOnce() -> String) -> Result<T, Failed>;
}

impl<T, E: Into<io::Error>> Step<T> for Result<T, E> {
    fn step(self, layer: Layer, what: impl FnOnce() -> String) -> Result<T, Failed> {
        self.map_err(|why| Failed { layer, step: what(), why: why.into() })
    }
}

impl From<Failed> for Error {
    fn from(failed: Failed) -> Self {
        Self::Layer { layer: failed.layer, step: failed.step, why: failed.why }
    }
}
