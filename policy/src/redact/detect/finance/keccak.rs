//! Keccak-256 as Ethereum and Monero use it: the submission to the SHA-3 contest, whose padding
//! the standard later changed. For checksums of a few bytes, not for speed.
//!
//! After "The Keccak reference", version 3.0 (<https://keccak.team/files/Keccak-reference-3.0.pdf>).

/// Bytes that one permutation takes in.
const RATE: usize = 136;

/// The digest of a message that is shorter than one block.
pub(super) fn keccak_256(message: &[u8]) -> Option<[u8; 32]> {
    if message.len() >= RATE {
        return None;
    }
    let mut block = [0; RATE];
    block[..message.len()].copy_from_slice(message);
    block[message.len()] ^= 0x01;
    block[RATE - 1] ^= 0x80;
    let mut lanes = [0_u64; 25];
    for (lane, bytes) in lanes.iter_mut().zip(block.as_chunks::<8>().0) {
        *lane = u64::from_le_bytes(*bytes);
    }
    permute(&mut lanes);
    let mut digest = [0; 32];
    for (bytes, lane) in digest.as_chunks_mut::<8>().0.iter_mut().zip(lanes) {
        *bytes = lane.to_le_bytes();
    }
    Some(digest)
}

/// Keccak-f\[1600\]. The lane at column x, row y is at x + 5 y.
fn permute(lanes: &mut [u64; 25]) {
    let mut shift_register = 1_u8;
    for _ in 0..24 {
        // Theta: each column takes in the parity of two neighbours.
        let parity: [u64; 5] =
            std::array::from_fn(|x| (0..5).fold(0, |parity, y| parity ^ lanes[x + 5 * y]));
        for (place, lane) in lanes.iter_mut().enumerate() {
            let x = place % 5;
            *lane ^= parity[(x + 4) % 5] ^ parity[(x + 1) % 5].rotate_left(1);
        }
        // Rho and pi: lanes turn, and move along one cycle through all but the first.
        let (mut x, mut y) = (1, 0);
        let mut moved = lanes[1];
        for step in 1..=24_u32 {
            (x, y) = (y, (2 * x + 3 * y) % 5);
            let turned = moved.rotate_left(step * (step + 1) / 2 % 64);
            moved = std::mem::replace(&mut lanes[x + 5 * y], turned);
        }
        // Chi: the only step that is not linear.
        for row in lanes.as_chunks_mut::<5>().0 {
            let old = *row;
            for (x, lane) in row.iter_mut().enumerate() {
                *lane ^= !old[(x + 1) % 5] & old[(x + 2) % 5];
            }
        }
        // Iota: bits of a linear feedback shift register, at 2^j - 1.
        for power in 0..7 {
            if shift_register & 1 == 1 {
                lanes[0] ^= 1 << ((1 << power) - 1);
            }
            let carry = shift_register >> 7;
            shift_register = (shift_register << 1) ^ (carry * 0x71);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_that_ethereum_knows() {
        let hex = |message: &[u8]| {
            let digest = keccak_256(message).unwrap();
            digest.iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
        };
        // The hash of empty code (Ethereum yellow paper, section 4.1), and of the event
        // `Transfer(address,address,uint256)` (EIP-20).
        assert_eq!(hex(b""), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
        assert_eq!(
            hex(b"Transfer(address,address,uint256)"),
            "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"
        );
        assert_eq!(keccak_256(&[0; RATE]), None);
    }
}
