//! A control panel on another machine, or in another process: how it is asked.

pub mod https;
