//! Codebooks of the IQ types: tables of vectors that an index in the block points into.
//!
//! Every table has as many entries as its index has values (the index is cut to its bits where it is taken), so that no
//! bytes of a file reach past one. The entries are ggml's, one byte a number, compiled in from `tables/`.

/// IQ2_XXS: eight magnitudes by an index of 8 bits.
pub(super) static IQ2_XXS: [[u8; 8]; 256] = entries(include_bytes!("tables/iq2xxs_grid.bin"));
/// IQ2_XS: eight magnitudes by an index of 9 bits.
pub(super) static IQ2_XS: [[u8; 8]; 512] = entries(include_bytes!("tables/iq2xs_grid.bin"));
/// IQ2_S: eight magnitudes by an index of 10 bits.
pub(super) static IQ2_S: [[u8; 8]; 1024] = entries(include_bytes!("tables/iq2s_grid.bin"));
/// IQ3_XXS: four magnitudes by an index of 8 bits.
pub(super) static IQ3_XXS: [[u8; 4]; 256] = entries(include_bytes!("tables/iq3xxs_grid.bin"));
/// IQ3_S: four magnitudes by an index of 9 bits.
pub(super) static IQ3_S: [[u8; 4]; 512] = entries(include_bytes!("tables/iq3s_grid.bin"));
/// IQ1_S and IQ1_M: eight trits, each the byte of an `i8`, by an index of 11 bits.
pub(super) static IQ1: [[u8; 8]; 2048] = entries(include_bytes!("tables/iq1s_grid.bin"));

/// Eight signs from seven bits: the eighth makes the number of negative elements even.
static EVEN_SIGNS: [u8; 128] = even_signs();

/// Sign bits of eight floats by a byte of signs: element `j` is negative where bit `j` is set. A table because testing
/// each bit took half as long again and more: compilers make branches of it, and signs are as good as random.
static SIGN_BITS: [[u32; 8]; 256] = sign_bits();

/// The entries of a raw table; compiling stops where the table is not exactly `N` entries long.
const fn entries<const W: usize, const N: usize>(raw: &[u8]) -> [[u8; W]; N] {
    assert!(raw.len() == N * W);
    let mut table = [[0; W]; N];
    let mut i = 0;
    while i < raw.len() {
        table[i / W][i % W] = raw[i];
        i += 1;
    }
    table
}

const fn even_signs() -> [u8; 128] {
    let mut table = [0; 128];
    let mut i = 0;
    while i < table.len() {
        let seven = i as u8;
        table[i] = seven | (seven.count_ones() as u8 & 1) << 7;
        i += 1;
    }
    table
}

const fn sign_bits() -> [[u32; 8]; 256] {
    let mut table = [[0; 8]; 256];
    let mut signs = 0;
    while signs < table.len() {
        let mut j = 0;
        while j < 8 {
            table[signs][j] = (signs as u32 >> j) << 31;
            j += 1;
        }
        signs += 1;
    }
    table
}

/// The signs that the lowest seven bits of `packed` stand for.
#[inline]
pub(super) fn seven_bit_signs(packed: u32) -> u8 {
    EVEN_SIGNS[packed as usize & 127]
}

/// Scale × magnitude, negative where the element's bit in `signs` is set. The sign is put on last, as ggml's factor of
/// ±1 does, so that zeros have its sign too.
#[inline]
pub(super) fn signed_octet(scale: f32, magnitudes: [u8; 8], signs: u8, y: &mut [f32; 8]) {
    for ((y, magnitude), sign) in y.iter_mut().zip(magnitudes).zip(SIGN_BITS[usize::from(signs)]) {
        *y = f32::from_bits((scale * f32::from(magnitude)).to_bits() ^ sign);
    }
}

/// Two entries of four as one of eight.
#[inline]
pub(super) fn joined(first: [u8; 4], second: [u8; 4]) -> [u8; 8] {
    let mut both = [0; 8];
    both[..4].copy_from_slice(&first);
    both[4..].copy_from_slice(&second);
    both
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_negative_elements_is_even_and_seven_bits_are_themselves() {
        for packed in 0..=u32::from(u16::MAX) {
            let signs = seven_bit_signs(packed);
            assert_eq!(u32::from(signs & 127), packed & 127);
            assert_eq!(signs.count_ones() % 2, 0, "{packed}");
        }
    }

    #[test]
    fn entries_of_the_one_bit_codebook_are_trits_and_all_differ() {
        let mut sorted = IQ1;
        sorted.sort_unstable();
        assert!(sorted.windows(2).all(|w| w[0] != w[1]));
        assert!(IQ1.as_flattened().iter().all(|b| matches!(*b as i8, -1..=1)));
    }

    #[test]
    fn magnitudes_are_odd_multiples_of_the_step_and_never_zero() {
        // 8, 25, 43 of IQ2 and 4, 12, 20 … 62 of IQ3_XXS, 1, 3, 5 … 15 of IQ3_S; zero would lose its sign bit's meaning.
        let tables = [IQ2_XXS.as_flattened(), IQ2_XS.as_flattened(), IQ2_S.as_flattened(), IQ3_XXS.as_flattened()];
        let largest = tables.map(|t| t.iter().max().copied());
        assert_eq!(largest, [Some(43), Some(43), Some(43), Some(62)]);
        assert_eq!(tables.map(|t| t.iter().min().copied()), [Some(8), Some(8), Some(8), Some(4)]);
        assert!(IQ3_S.as_flattened().iter().all(|m| m % 2 == 1 && *m <= 15));
    }

    #[test]
    fn signs_go_to_their_elements_and_to_zeros() {
        let mut y = [9.0; 8];
        signed_octet(0.5, [1, 2, 3, 4, 5, 6, 7, 8], 0b1000_0010, &mut y);
        assert_eq!(y, [0.5, -1.0, 1.5, 2.0, 2.5, 3.0, 3.5, -4.0]);
        signed_octet(0.0, [1; 8], 1, &mut y);
        assert_eq!(y.map(f32::is_sign_negative), [true, false, false, false, false, false, false, false]);
    }
}
