//! Numbers that a state gives to people and companies, one file per number.

mod layout;

pub(super) mod ca_sin;
pub(super) mod in_aadhaar;
pub(super) mod in_gstin;
pub(super) mod in_pan;
pub(super) mod in_voter_id;
pub(super) mod us_dea;
pub(super) mod us_ein;
pub(super) mod us_itin;
pub(super) mod us_mbi;
pub(super) mod us_npi;
pub(super) mod us_ssn;
