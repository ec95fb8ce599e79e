//! IQ1_S blocks: 256 weights into 50 bytes, with or without an importance matrix.
//!
//! `d: f16, qs[32], qh: u16[8]`: for each group of 32 the four low bytes of its codebook indices in `qs`, and in `qh`
//! three high bits of each index, three bits of level (`(level − 1) / 2`) and the sign of delta. Layout and codebook
//! are ggml's; the search ([`super::iq1_search`]) is not.

use super::EncodeError;
use super::encode_error::largest_magnitude;
use super::iq1_search::{Choice, GROUP, GROUPS, Search};

/// Weights of a block.
const LEN: usize = GROUP * GROUPS;
/// Bytes of a block.
const BYTES: usize = 50;

/// What every weight counts beside its importance (mean 1): the importance matrix is an estimate from some text, and
/// weights that it makes light must not drown in noise. With 0.1 the importance-weighted error is 0.5 % above its least
/// on real weights, the plain error 3.5 % below what importance alone leads to.
const EVEN_SHARE: f32 = 0.1;
/// Floor of a weight's importance.
const LEAST: f64 = 1e-6;

/// Room for the search over one block; reused from block to block, carrying nothing over.
#[derive(Debug, Clone, Default)]
pub struct Iq1Scratch(Box<Search>);

/// Writes 256 weights as one IQ1_S block of 50 bytes, with the least error that the search finds.
///
/// `importance` says how much each weight's squared error counts (256 values ≥ 0, any scale; without it all count the
/// same). The same input gives the same bytes on every machine.
pub fn encode_iq1_s(
    weights: &[f32],
    importance: Option<&[f32]>,
    out: &mut [u8],
    scratch: &mut Iq1Scratch,
) -> Result<(), EncodeError> {
    debug_assert_eq!((weights.len(), out.len()), (LEN, BYTES));
    let largest = largest_magnitude(weights)?;
    out.fill(0);
    if largest == 0.0 {
        return Ok(());
    }
    // The power of two below the largest weight: dividing by it is exact and keeps squares far from f32's ends.
    let unit = f64::from_bits(f64::from(largest).to_bits() & 0xfff0_0000_0000_0000);
    let mut scaled = [0.0; LEN];
    for (s, w) in scaled.iter_mut().zip(weights) {
        *s = (f64::from(*w) / unit) as f32;
    }
    scratch.0.load(&scaled, &counts(importance), unit);
    let choice = scratch.0.run().ok_or(EncodeError::ScaleOverflow { largest })?;
    pack(&choice, out);
    Ok(())
}

/// How much each weight counts: its importance over the block's mean, with a floor and an even share. All count the
/// same where no mean can be had (all zero, or not finite).
fn counts(importance: Option<&[f32]>) -> [f32; LEN] {
    let mut counts = [1.0; LEN];
    let Some(importance) = importance else { return counts };
    debug_assert_eq!(importance.len(), LEN);
    let mean = importance.iter().map(|q| f64::from(*q)).sum::<f64>() / LEN as f64;
    if mean > 0.0 && mean.is_finite() {
        for (c, q) in counts.iter_mut().zip(importance) {
            *c = (f64::from(*q) / mean).max(LEAST) as f32 + EVEN_SHARE;
        }
    }
    counts
}

fn pack(choice: &Choice, out: &mut [u8]) {
    let (d, rest) = out.split_at_mut(2);
    let (qs, qh) = rest.split_at_mut(GROUP);
    d.copy_from_slice(&choice.d.to_le_bytes());
    let bytes = qs.as_chunks_mut::<4>().0.iter_mut().zip(qh.as_chunks_mut::<2>().0);
    for ((qs, qh), (fit, level)) in bytes.zip(&choice.groups) {
        let mut high = u16::from(level / 2) << 12 | u16::from(fit.below) << 15;
        for (l, entry) in fit.entries.iter().enumerate() {
            qs[l] = *entry as u8;
            high |= entry >> 8 << (3 * l);
        }
        *qh = high.to_le_bytes();
    }
}

#[cfg(test)]
mod tests {
    use half::f16;

    use super::super::iq1::decode_iq1_s;
    use super::*;

    /// Pseudo-random bits, fixed seed.
    struct Bits(u64);

    impl Bits {
        fn next(&mut self) -> u32 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 32) as u32
        }

        /// Nearly normal, standard deviation 1: twelve even numbers added.
        fn normal(&mut self) -> f32 {
            (0..12).map(|_| self.next() as f32 / u32::MAX as f32).sum::<f32>() - 6.0
        }

        fn block(&mut self, size: f32) -> Vec<f32> {
            (0..LEN).map(|_| size * self.normal()).collect()
        }
    }

    fn encode(weights: &[f32], importance: Option<&[f32]>) -> [u8; BYTES] {
        let mut out = [0xa5; BYTES];
        encode_iq1_s(weights, importance, &mut out, &mut Iq1Scratch::default()).unwrap();
        out
    }

    fn decode(block: &[u8]) -> [f32; LEN] {
        let mut y = [0.0; LEN];
        decode_iq1_s(block, &mut y);
        y
    }

    /// Σ counts·(w − y)² over Σ counts·w².
    fn relative_error(weights: &[f32], block: &[u8], counts: impl Fn(usize) -> f32) -> f64 {
        let y = decode(block);
        let sum = |value: &dyn Fn(usize) -> f32| -> f64 {
            (0..LEN).map(|i| f64::from(counts(i)) * f64::from(value(i)).powi(2)).sum()
        };
        sum(&|i| weights[i] - y[i]) / sum(&|i| weights[i])
    }

    fn plain_error(weights: &[f32], block: &[u8]) -> f64 {
        relative_error(weights, block, |_| 1.0)
    }

    #[test]
    fn weights_that_an_iq1_s_block_holds_exactly_come_back_exactly() {
        let mut bits = Bits(3);
        for round in 0..200 {
            let mut block: [u8; BYTES] = std::array::from_fn(|_| bits.next() as u8);
            let size = [0.002, 0.05, -0.05, 1.0, -30.0][round % 5] * (1.0 + bits.next() as f32 / u32::MAX as f32);
            block[..2].copy_from_slice(&f16::from_f32(size).to_le_bytes());
            let weights = decode(&block);
            let importance: Vec<f32> = (0..LEN).map(|_| bits.normal().abs()).collect();
            for importance in [None, Some(&importance[..])] {
                assert_eq!(decode(&encode(&weights, importance)), weights, "round {round}");
            }
        }
    }

    #[test]
    fn normal_weights_keep_four_fifths_of_their_energy_at_any_size() {
        let mut bits = Bits(4);
        for size in [1e-4f32, 0.02, 1.0, 3000.0] {
            let errors: Vec<f64> =
                (0..40).map(|_| bits.block(size)).map(|w| plain_error(&w, &encode(&w, None))).collect();
            let mean = errors.iter().sum::<f64>() / errors.len() as f64;
            assert!(mean < 0.202, "size {size}: mean {mean}");
            assert!(errors.iter().all(|e| *e < 0.24), "size {size}: {errors:?}");
        }
    }

    #[test]
    fn scales_among_the_subnormal_halves_still_code_most_of_a_block() {
        // d is about size / 7; the least positive half is 6e-8.
        let mut bits = Bits(5);
        for (size, most) in [(1e-5f32, 0.22), (2e-6, 0.24), (3e-7, 0.4), (1e-7, 0.8)] {
            let weights = bits.block(size);
            let error = plain_error(&weights, &encode(&weights, None));
            assert!(error < most, "size {size}: {error}");
        }
        for size in [1e-30, 1e-44] {
            assert!(decode(&encode(&bits.block(size), None)).iter().all(|y| *y == 0.0));
        }
    }

    #[test]
    fn zeros_are_a_block_of_zero_bytes() {
        assert_eq!(encode(&[0.0; LEN], None), [0; BYTES]);
        assert_eq!(encode(&[-0.0; LEN], Some(&[1.0; LEN])), [0; BYTES]);
    }

    #[test]
    fn one_outlier_among_zeros_costs_no_more_than_delta_makes_it() {
        // Delta moves the 31 zeros of its group off zero: with s·9/8 for the outlier and s/8 for them, 27.7 % is the least.
        for at in [0, 100, 255] {
            for outlier in [-2.0f32, 2.0] {
                let mut weights = [0.0; LEN];
                weights[at] = outlier;
                let block = encode(&weights, None);
                let error = plain_error(&weights, &block);
                assert!(error < 0.284, "{at} {outlier}: {error}");
                let y = decode(&block);
                assert!(y[at] / outlier > 0.7, "{}", y[at]);
                assert!((0..LEN).all(|i| i == at || y[i].abs() < 0.2), "{y:?}");
            }
        }
    }

    #[test]
    fn an_outlier_that_counts_for_nothing_does_not_drown_the_weights_that_count() {
        let mut weights = Bits(6).block(1e-3);
        let mut importance = [1000.0; LEN];
        (weights[17], importance[17]) = (0.02, 0.0);
        let block = encode(&weights, Some(&importance));
        assert!(relative_error(&weights, &block, |i| importance[i]) < 0.3);
    }

    #[test]
    fn importance_moves_the_error_to_where_it_counts_less() {
        let mut bits = Bits(7);
        let (mut with, mut without) = (0.0, 0.0);
        for _ in 0..20 {
            let weights = bits.block(0.02);
            let importance: Vec<f32> = (0..LEN).map(|_| bits.normal().exp()).collect();
            with += relative_error(&weights, &encode(&weights, Some(&importance)), |i| importance[i]);
            without += relative_error(&weights, &encode(&weights, None), |i| importance[i]);
        }
        assert!(with < 0.9 * without, "{with} {without}");
    }

    #[test]
    fn the_unit_of_importance_is_of_no_account_and_useless_importance_is_none() {
        let mut bits = Bits(8);
        let weights = bits.block(0.02);
        let importance: Vec<f32> = (0..LEN).map(|_| bits.normal().abs()).collect();
        let larger: Vec<f32> = importance.iter().map(|q| 1024.0 * q).collect();
        assert_eq!(encode(&weights, Some(&importance)), encode(&weights, Some(&larger)));
        for useless in [0.0, f32::NAN, f32::INFINITY, -1.0] {
            assert_eq!(encode(&weights, Some(&[useless; LEN])), encode(&weights, None));
        }
        let mut odd = importance;
        (odd[3], odd[4]) = (-1.0, 0.0);
        assert!(plain_error(&weights, &encode(&weights, Some(&odd))) < 0.4);
    }

    #[test]
    fn what_cannot_be_written_is_refused_by_name() {
        let (mut out, mut scratch) = ([0; BYTES], Iq1Scratch::default());
        let mut weights = [0.5; LEN];
        weights[200] = f32::INFINITY;
        assert_eq!(encode_iq1_s(&weights, None, &mut out, &mut scratch), Err(EncodeError::NonFinite(200)));
        weights[7] = f32::NAN;
        assert_eq!(encode_iq1_s(&weights, None, &mut out, &mut scratch), Err(EncodeError::NonFinite(7)));
        let refused = encode_iq1_s(&[3e38; LEN], None, &mut out, &mut scratch);
        assert_eq!(refused, Err(EncodeError::ScaleOverflow { largest: 3e38 }));
        let weights = Bits(9).block(1e5);
        assert!(plain_error(&weights, &encode(&weights, None)) < 0.24);
    }

    #[test]
    fn a_used_scratch_gives_the_bytes_of_a_fresh_one() {
        let mut bits = Bits(10);
        let mut scratch = Iq1Scratch::default();
        for size in [1.0f32, 1e-6, 0.0, 0.02] {
            let weights = bits.block(size);
            let mut out = [0; BYTES];
            encode_iq1_s(&weights, None, &mut out, &mut scratch).unwrap();
            assert_eq!(out, encode(&weights, None));
        }
    }
}
