//! A control panel, asked: over HTTPS, or in this process.

pub mod https;
pub mod link;
pub mod plane;
