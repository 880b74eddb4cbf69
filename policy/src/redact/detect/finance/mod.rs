//! Money: cards, accounts, banks, wallets.

pub(super) mod credit_card;
pub(super) mod crypto_wallet;
pub(super) mod iban;
mod keccak;
mod wallet_codes;
