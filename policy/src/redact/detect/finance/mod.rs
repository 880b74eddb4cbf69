//! Money: cards, accounts, banks, wallets.

pub(super) mod credit_card;
pub(super) mod iban;
