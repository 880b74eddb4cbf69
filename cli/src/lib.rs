//! The parts of the `iron` binary.

pub mod simulator;
