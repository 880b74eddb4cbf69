//! The pure core of Iron Cage: what is allowed, what it costs, and what must not leave.
//!
//! Nothing in this crate does I/O, is async, or reads a clock: `now` and randomness are arguments.
//! That is what lets the proxy, the panel and the tests share one truth.
//!
//! | module      | answers                                                             |
//! |-------------|---------------------------------------------------------------------|
//! | [`types`]   | the words everything speaks: money, token classes, ids, outcomes    |
//! | [`json`]    | where is each value in these bytes? (a strict reader with positions) |
//! | [`outline`] | what does this request body ask for, and where is its text?         |
//! | [`redact`]  | what in that text is personal or secret, and how is it replaced?    |
//! | [`price`]   | what can this call cost at most, and what did it cost?              |
//! | [`budget`]  | which budgets does a call touch, and in which window?               |
//! | [`breaker`] | may a call go to this upstream now?                                 |
//! | [`connect`] | where may agents connect through the proxy?                         |
//! | [`config`]  | what did the operator write in `iron.toml`?                         |
//! | [`control`] | what do panel and proxy say to each other?                          |
//! | [`mod@replay`] | what would another policy have done with recorded calls?        |
//! | [`token`]   | whose call is this, and what may it ask for?                        |

pub mod breaker;
pub mod budget;
pub mod config;
pub mod connect;
pub mod control;
pub mod json;
pub mod outline;
pub mod price;
pub mod redact;
pub mod replay;
pub mod retry;
pub mod runaway;
pub mod token;
pub mod types;
