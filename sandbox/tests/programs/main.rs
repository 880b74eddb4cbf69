//! Real programs in a sandbox: each as root and as a plain user, in both tiers, and unconfined as the
//! control that shows that the program itself works here.

#![cfg(target_os = "linux")]
#![expect(
    clippy::unwrap_used,
    reason = "a program that cannot be run fails its test, and says where"
)]

mod binding;
mod ends;
mod fixture;
mod git;
mod limits;
mod node;
mod python;
mod rust;
mod streams;
mod terminal;
