//! The fake world of the stories: a real proxy on a free port, a simulated provider behind it,
//! and a client that speaks plain HTTP.
//!
//! Nothing here sleeps for a guess: waiting is for an event, with a limit of time after which the
//! story fails.

pub mod binary;
pub mod client;
pub mod world;

pub use client::{Answer, Client, Events};
pub use world::World;
