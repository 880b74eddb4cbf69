//! What is looked for only where a policy asks for it: links, dates, ids, digests, postal codes.

pub(super) mod date;
pub(super) mod hash;
pub(super) mod url;
pub(super) mod uuid;
pub(super) mod zip;
