//! Numbers that a state gives to people and companies, one file per number.

pub(super) mod driving_licence;
pub(super) mod passport;
pub(super) mod us_ssn;
