//! Addresses of cryptocurrency wallets.
//!
//! | network                         | written as                                   | validated by |
//! |---------------------------------|----------------------------------------------|--------------|
//! | Bitcoin, Litecoin, Dogecoin, Dash, Tron, XRP | 25 bytes in base 58             | version byte, SHA-256 twice |
//! | Bitcoin and Litecoin (segwit), Cardano, Cosmos | bech32 or bech32m             | BIP 173, BIP 350 |
//! | Ethereum and its kin            | `0x` and 40 hexadecimal digits               | EIP-55 where the case is mixed |
//! | Monero                          | 95 or 106 characters in base 58 by blocks    | Keccak-256 |
//! | Solana                          | 32 bytes in base 58                          | nothing: only where named |
//!
//! Version bytes: <https://en.bitcoin.it/wiki/List_of_address_prefixes>, Tron's from its
//! documentation of accounts, XRP's from <https://xrpl.org/base58-encodings.html>.

use std::ops::Range;

use super::wallet_codes::{
    base58check_version, is_base58_key, is_bech32, is_eip55, is_monero, ripple_version,
};
use crate::redact::detect::token::{is_in_path, word_around};
use crate::redact::detect::{BASE, Before, Detector, Start};
use crate::redact::kind::{Confidence, Kind};
use crate::redact::site::{Hit, Site};

pub(in crate::redact::detect) const DETECTOR: Detector = Detector {
    kind: Kind::CryptoWallet,
    start: Start::Digits { lengths: &[1, 2, 3, 4, 5, 6], before: &[Before::Clear, Before::Letter] },
    word: (25, 110),
    check,
    // The first block's (bitcoin.it); BIP 173's example.
    valid: ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"],
    // One character changed, in the first and in EIP-55's example.
    invalid: ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"],
    words: &[
        "solana",
        "sol wallet",
        "sol address",
        "phantom wallet",
        "wallet",
        "wallet address",
        "wallets",
        "crypto wallet",
        "crypto address",
        "cartera",
        "billetera",
        "portefeuille crypto",
        "geldbörse",
        "钱包",
        "钱包地址",
        "ウォレット",
        "кошелек",
        "кошелёк",
    ],
    about: "base58check, bech32, EIP-55 and Monero checksums; Solana only where named",
    ..BASE
};

/// The longest of these addresses, Monero's with a payment's id.
const LONGEST: usize = 110;

/// Prefixes of bech32 addresses, and whether a version follows that says which checksum it is.
const PREFIXES: [(&[u8], bool); 10] = [
    (b"bc", true),
    (b"tb", true),
    (b"ltc", true),
    (b"addr", false),
    (b"stake", false),
    (b"cosmos", false),
    (b"osmo", false),
    (b"bnb", false),
    (b"celestia", false),
    (b"inj", false),
];

fn check(site: &Site<'_>) -> Option<Hit> {
    let word = word_around(site, 34, LONGEST)?;
    let text = &site.text[word.clone()];
    if text.len() < 25 {
        return None;
    }
    let sure = |range: Range<usize>, rule| Some(Hit::sure(range, rule, Confidence::Checksum));
    if let Some(hex) = text.strip_prefix(b"0x") {
        return ethereum(site, word, hex);
    }
    if let Some(one) = text.iter().position(|byte| *byte == b'1') {
        let (prefix, data) = (&text[..one], &text[one + 1..]);
        let known = PREFIXES.iter().find(|(known, _)| known.eq_ignore_ascii_case(prefix));
        if let Some((_, segwit)) = known {
            return if is_bech32(prefix, data, *segwit) {
                sure(word, "wallet-bech32")
            } else {
                None
            };
        }
    }
    match (text.len(), text[0]) {
        (25..=35, b'r') if ripple_version(text) == Some(0) => sure(word, "wallet-xrp"),
        (25..=35, first) if is_known(first, text) => sure(word, "wallet-base58"),
        (95 | 106, b'4' | b'8') if is_monero(text) => sure(word, "wallet-monero"),
        (32..=44, _) if is_mixed(text) && !is_in_path(site, &word) && is_base58_key(text) => {
            site.if_named(word, "wallet-solana", Confidence::Context)
        }
        _ => None,
    }
}

/// True where the first character is the version byte's, and all of the rest holds.
fn is_known(first: u8, text: &[u8]) -> bool {
    let versions: &[u8] = match first {
        b'1' => &[0x00],
        b'3' => &[0x05],
        b'L' => &[0x30],
        b'M' => &[0x32],
        b'D' => &[0x1e],
        b'9' | b'A' => &[0x16],
        b'X' => &[0x4c],
        b'7' => &[0x10],
        b'T' => &[0x41],
        _ => return false,
    };
    base58check_version(text).is_some_and(|version| versions.contains(&version))
}

fn ethereum(site: &Site<'_>, word: Range<usize>, hex: &[u8]) -> Option<Hit> {
    let kinds = |digit: u8| hex.contains(&digit) || hex.contains(&digit.to_ascii_uppercase());
    if hex.len() != 40
        || !hex.iter().all(u8::is_ascii_hexdigit)
        || b"0123456789abcdef".iter().filter(|digit| kinds(**digit)).count() < 8
    {
        // Null, burnt and padded addresses are nobody's.
        return None;
    }
    let lower = hex.iter().any(u8::is_ascii_lowercase);
    let upper = hex.iter().any(u8::is_ascii_uppercase);
    if lower && upper {
        let valid = is_eip55(hex);
        return valid.then_some(Hit::sure(word, "wallet-ethereum", Confidence::Checksum));
    }
    site.unless_denied(word, "wallet-ethereum", Confidence::Shape)
}

/// True where letters of both cases and digits are mixed, as no word, number or digest is.
fn is_mixed(text: &[u8]) -> bool {
    let count = |wanted: fn(&u8) -> bool| text.iter().filter(|byte| wanted(byte)).count();
    count(u8::is_ascii_digit) > 1
        && count(u8::is_ascii_lowercase) > 3
        && count(u8::is_ascii_uppercase) > 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::redact::detect::tests::found;

    #[test]
    fn each_network_has_its_code() {
        for text in [
            // bitcoin.it, BIP 173 and BIP 350.
            "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
            "BC1QW508D6QEJXTDG4Y5R3ZARVARY0C5XW7KV8F3T4",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqzk5jj0",
            // EIP-55, and the same without case.
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xfb6916095ca1df60bb79ce92ce3ea74c37c5d359",
            // Tron's USDT contract, XRP's first account.
            "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t",
            "rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh",
            // Monero's general fund.
            "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3A",
        ] {
            assert_eq!(found(text), [(Kind::CryptoWallet, text)]);
            assert_eq!(found(&format!("a={text}&b")), [(Kind::CryptoWallet, text)]);
        }
    }

    #[test]
    fn solanas_must_be_named() {
        let key = "7EcDhSYGxXyscszYEp35KHN8vvw3svAuLKTzXwCFLtV";
        assert_eq!(found(key), []);
        let text = format!("my Solana wallet is {key}.");
        assert_eq!(found(&text), [(Kind::CryptoWallet, key)]);
    }

    #[test]
    fn what_merely_looks_like_one_is_none() {
        for text in [
            "0x0000000000000000000000000000000000000000",
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe",
            "x1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa",
            "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa_2",
            "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t5",
            "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
            "44AFFq5kSiGBoZ4NMDwYtN18obc8AemS33DBLWs3H7otXft3XjrpDtQGv7SqSsaBYBb98uNbr2VBBEt7f2wfn3RVGQBEP3B",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
