//! The codes in which wallets write addresses: base58 with a checksum, bech32, mixed-case
//! hexadecimal.
//!
//! Base58check: <https://en.bitcoin.it/wiki/Base58Check_encoding>; bech32: BIP 173, bech32m:
//! BIP 350; mixed case: EIP-55; Monero's blocks: <https://docs.getmonero.org/cryptography/base58/>.

use sha2::{Digest, Sha256};

use super::keccak::keccak_256;

const BITCOIN: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const RIPPLE: &[u8; 58] = b"rpshnaf39wBUDNEGHJKLM4PQRST7VWXYZ2bcdeCg65jkm8oFqi1tuvAxyz";
const BECH32: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// The version byte of a base58check address, where its checksum holds.
pub(super) fn base58check_version(text: &[u8]) -> Option<u8> {
    version(&base58(text, BITCOIN)?)
}

/// The same in the alphabet of the XRP Ledger.
pub(super) fn ripple_version(text: &[u8]) -> Option<u8> {
    version(&base58(text, RIPPLE)?)
}

fn version(bytes: &[u8; 25]) -> Option<u8> {
    let digest = Sha256::digest(Sha256::digest(&bytes[..21]));
    (digest[..4] == bytes[21..]).then_some(bytes[0])
}

/// True for the text of exactly 32 bytes.
pub(super) fn is_base58_key(text: &[u8]) -> bool {
    base58::<32>(text, BITCOIN).is_some()
}

/// The bytes of a number in base 58, of which there must be exactly `N`. A leading zero byte is
/// written as the first of the alphabet.
fn base58<const N: usize>(text: &[u8], alphabet: &[u8; 58]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for character in text {
        let mut carry = alphabet.iter().position(|known| known == character)?;
        for byte in bytes.iter_mut().rev() {
            carry += usize::from(*byte) * 58;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            return None;
        }
    }
    let zeros = text.iter().take_while(|character| **character == alphabet[0]).count();
    (bytes.iter().take_while(|byte| **byte == 0).count() == zeros).then_some(bytes)
}

/// True where the checksum of a Monero address holds: 95 characters, or 106 with a payment's id.
pub(super) fn is_monero(text: &[u8]) -> bool {
    let mut bytes = [0; 77];
    let mut length = 0;
    for block in text.chunks(11) {
        let size = match block.len() {
            11 => 8,
            7 => 5,
            _ => return false,
        };
        let Some(value) = monero_block(block) else { return false };
        let Some(place) = bytes.get_mut(length..length + size) else { return false };
        place.copy_from_slice(&value.to_be_bytes()[8 - size..]);
        length += size;
    }
    let Some((body, checksum)) = bytes[..length].split_last_chunk::<4>() else { return false };
    keccak_256(body).is_some_and(|digest| digest[..4] == *checksum)
}

fn monero_block(block: &[u8]) -> Option<u64> {
    block.iter().try_fold(0_u64, |value, character| {
        let digit = BITCOIN.iter().position(|known| known == character)?;
        value.checked_mul(58)?.checked_add(digit as u64)
    })
}

/// True where a bech32 or bech32m checksum holds; which of the two, the `segwit` version decides.
pub(super) fn is_bech32(prefix: &[u8], data: &[u8], segwit: bool) -> bool {
    let lower = prefix.iter().chain(data).all(|byte| !byte.is_ascii_uppercase());
    let upper = prefix.iter().chain(data).all(|byte| !byte.is_ascii_lowercase());
    if !(lower || upper) || data.len() < 8 {
        return false;
    }
    let high = prefix.iter().map(|byte| u32::from(byte.to_ascii_lowercase()) >> 5);
    let low = prefix.iter().map(|byte| u32::from(*byte) & 31);
    let mut sum = high.chain([0]).chain(low).fold(1, polymod);
    let mut version = None;
    for byte in data {
        let byte = byte.to_ascii_lowercase();
        let Some(value) = BECH32.iter().position(|known| *known == byte) else { return false };
        version = version.or(Some(value));
        sum = polymod(sum, value as u32);
    }
    let wanted = if segwit && version != Some(0) { 0x2bc8_30a3 } else { 1 };
    sum == wanted
}

fn polymod(sum: u32, value: u32) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a_57b2, 0x2650_8e6d, 0x1ea1_19fa, 0x3d42_33dd, 0x2a14_62b3];
    let top = sum >> 25;
    let sum = ((sum & 0x01ff_ffff) << 5) ^ value;
    GENERATOR
        .iter()
        .enumerate()
        .filter(|(bit, _)| top >> bit & 1 == 1)
        .fold(sum, |sum, (_, generator)| sum ^ generator)
}

/// True where the case of each letter of 40 hexadecimal digits is the one that EIP-55 wants.
pub(super) fn is_eip55(hex: &[u8]) -> bool {
    let lower = hex.to_ascii_lowercase();
    let Some(digest) = keccak_256(&lower) else { return false };
    hex.iter().enumerate().all(|(place, digit)| {
        let nibble = digest[place / 2] >> (4 * (1 - place % 2)) & 15;
        digit.is_ascii_digit() || digit.is_ascii_uppercase() == (nibble >= 8)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base58_counts_its_zeros() {
        assert_eq!(base58::<3>(b"11z", BITCOIN), Some([0, 0, 57]));
        assert_eq!(base58::<3>(b"1z", BITCOIN), None);
        assert_eq!(base58::<1>(b"zz", BITCOIN), None);
        assert_eq!(base58::<1>(b"0", BITCOIN), None);
    }

    #[test]
    fn bech32_checksums_are_those_of_the_proposals() {
        // BIP 173 and BIP 350, test vectors.
        assert!(is_bech32(b"abcdef", b"qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", false));
        assert!(is_bech32(b"A", b"2UEL5L00", false) == is_bech32(b"a", b"2uel5l00", false));
        assert!(!is_bech32(b"abcdef", b"qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxx", false));
        assert!(!is_bech32(b"ABCDEF", b"qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", false));
    }

    #[test]
    fn mixed_case_is_eip_55s() {
        assert!(is_eip55(b"5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"));
        assert!(!is_eip55(b"5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD"));
    }
}
