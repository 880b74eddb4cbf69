//! Which bytes of a block are of a kind, as bits: for loops that would else branch at every byte.

/// Bytes of a block.
pub(super) const BLOCK: usize = 64;

/// Bit n: byte n of the block is of the kind. Compiles to vector instructions.
pub(super) fn mask(block: &[u8; BLOCK], is_kind: impl Fn(u8) -> bool) -> u64 {
    let mut flags = [0_u8; BLOCK];
    for (flag, byte) in flags.iter_mut().zip(block) {
        *flag = u8::from(is_kind(*byte));
    }
    let (eights, _) = flags.as_chunks::<8>();
    let mut bits = 0;
    for (place, eight) in eights.iter().enumerate() {
        // The product gathers the eight flags in its highest byte.
        let gathered = u64::from_le_bytes(*eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= gathered.wrapping_shl(8 * place as u32);
    }
    bits
}

/// Calls `read` with the block of a text that starts at `at`, filled with zeros behind its end.
pub(super) fn with_block<T>(text: &[u8], at: usize, read: impl FnOnce(&[u8; BLOCK]) -> T) -> T {
    let rest = text.get(at..).unwrap_or_default();
    if let Some(whole) = rest.first_chunk() {
        return read(whole);
    }
    let mut block = [0; BLOCK];
    block[..rest.len()].copy_from_slice(rest);
    read(&block)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_byte_has_its_bit() {
        for at in 0..BLOCK {
            let mut block = [b'a'; BLOCK];
            block[at] = b'7';
            assert_eq!(mask(&block, |byte| byte.is_ascii_digit()), 1 << at);
        }
        assert_eq!(mask(&[b'1'; BLOCK], |byte| byte.is_ascii_digit()), u64::MAX);
        let ones = |block: &[u8; BLOCK]| mask(block, |byte| byte == b'1');
        assert_eq!(with_block(b"a1", 1, ones), 1);
    }
}
