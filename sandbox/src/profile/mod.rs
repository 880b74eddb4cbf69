//! What a sandbox is to be, from profiles and from what is found on this machine.
//!
//! [`file`] is a profile as it is written, [`library`] where profiles come from, [`merge`] several as
//! one. [`detect`] knows which of them a command wants, [`toolchain`] what an interpreter needs to
//! start, [`git`] what a repository needs and what of it must stay. [`expand`] makes paths of what is
//! written, [`own`] a folder of a client's own, [`environment`] chooses variables, [`trust`] decides about a workspace's own file, and
//! [`propose`] makes a profile of what was refused.
//! Nothing is executed here, and nothing is written but such a folder and the list of what is trusted.

pub mod detect;
pub mod environment;
pub mod expand;
pub mod file;
pub mod folder;
pub mod git;
pub mod library;
pub mod merge;
pub mod own;
pub mod propose;
pub mod toolchain;
pub mod trust;
