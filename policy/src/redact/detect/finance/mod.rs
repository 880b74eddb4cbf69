//! Money: cards, accounts, banks, wallets.

pub(super) mod aba_routing;
pub(super) mod bank_account;
pub(super) mod credit_card;
pub(super) mod crypto_wallet;
pub(super) mod iban;
mod keccak;
pub(super) mod sort_code;
pub(super) mod swift_bic;
mod wallet_codes;
