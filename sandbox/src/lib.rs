//! Runs an agent so that it can reach the proxy, its folder and the system's read-only files, and
//! nothing else.
//!
//! [`confinement`] says what a sandbox is, [`layer`] what it is made of, [`event`] what is told of it.
//! Everything below that is Linux; where that is missing, `iron-sandbox` says so and ends.

pub mod command;
pub mod confinement;
pub mod event;
pub mod gaps;
#[cfg(target_os = "linux")]
pub mod gate;
#[cfg(target_os = "linux")]
pub mod launch;
pub mod layer;
pub mod profile;
#[cfg(target_os = "linux")]
pub mod proxy;
#[cfg(target_os = "linux")]
pub mod report;
#[cfg(target_os = "linux")]
pub mod seccomp;
#[cfg(target_os = "linux")]
pub mod selftest;
#[cfg(target_os = "linux")]
pub mod supervise;
#[cfg(target_os = "linux")]
pub mod sys;
pub mod units;
#[cfg(target_os = "linux")]
pub mod workspace;
