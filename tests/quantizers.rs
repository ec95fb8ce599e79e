//! The quantizers of blocks: each method against its definition, what all share, formats both ways.

#[path = "support/noise.rs"]
mod noise;

use half::f16;
use noise::{Noise, assorted, importances};
use proptest::prelude::*;
use tritscope::engine::codec::{Decoder, decoder};
use tritscope::engine::stats::ErrorSums;
use tritscope::engine::ternary::{
    BlockCode, BlockError, Format, Method, Scratch, code_block, dequantize_block, encode_block, native_scale,
};

fn code(method: Method, weights: &[f32]) -> Result<(BlockCode, Vec<i8>), BlockError> {
    weighted(method, weights, None)
}

fn weighted(method: Method, weights: &[f32], importance: Option<&[f32]>) -> Result<(BlockCode, Vec<i8>), BlockError> {
    // A value no method writes, so that a trit left unset shows.
    let mut trits = vec![77; weights.len()];
    let code = code_block(method, weights, importance, &mut trits, &mut Scratch::default())?;
    assert!(trits.iter().all(|t| (-1..=1).contains(t)), "{method}: {trits:?}");
    Ok((code, trits))
}

#[test]
fn absmean_is_the_seeds_bit_for_bit() {
    for n in [1, 3, 64, 256] {
        for block in assorted(n, 60, 11) {
            let mut sum = 0.0f32;
            for w in &block {
                sum += w.abs();
            }
            let gamma = sum / n as f32 + 1e-8;
            let want: Vec<i8> = block.iter().map(|w| (w / gamma).clamp(-1.0, 1.0).round() as i8).collect();
            let (got, trits) = code(Method::Absmean, &block).unwrap();
            assert_eq!((got.scale, trits), (f16::from_f32(gamma), want));
        }
    }
}

#[test]
fn absmean_rounds_halves_away_from_zero() {
    // γ = 1 (the 1e-8 is lost in f32), so ±0.5 are exact halves.
    let (got, trits) = code(Method::Absmean, &[0.5, -0.5, 1.5, -1.5, 0.499_999_97, 1.5]).unwrap();
    assert_eq!(got.scale.to_f32(), 1.0);
    assert_eq!(trits, [1, -1, 1, -1, 0, 1]);
}

#[test]
fn refit_keeps_absmeans_trits_and_takes_the_mean_of_the_kept() {
    for block in assorted(256, 60, 12).into_iter().filter(|b| native_scale(b).is_none()) {
        let (_, absmean) = code(Method::Absmean, &block).unwrap();
        let (got, trits) = code(Method::Refit, &block).unwrap();
        assert_eq!(trits, absmean);
        let kept: Vec<f64> =
            block.iter().zip(&trits).filter(|(_, t)| **t != 0).map(|(w, _)| f64::from(w.abs())).collect();
        let mean = kept.iter().sum::<f64>() / kept.len().max(1) as f64;
        assert_eq!(got.scale, f16::from_f32(mean as f32));
    }
}

#[test]
fn twn_keeps_what_is_above_three_quarters_of_the_mean() {
    for block in assorted(256, 60, 13).into_iter().filter(|b| native_scale(b).is_none()) {
        let mean = block.iter().map(|w| f64::from(w.abs())).sum::<f64>() / 256.0;
        let (got, trits) = code(Method::Twn, &block).unwrap();
        let kept: Vec<f64> = block.iter().map(|w| f64::from(w.abs())).filter(|w| *w > 0.75 * mean).collect();
        assert_eq!(got.scale, f16::from_f32((kept.iter().sum::<f64>() / kept.len() as f64) as f32));
        for (w, t) in block.iter().zip(trits) {
            let want = if f64::from(w.abs()) > 0.75 * mean { w.signum() as i8 } else { 0 };
            assert_eq!(t, want);
        }
    }
}

#[test]
fn max_takes_the_greatest_and_rounds_the_rest_to_it() {
    let (got, trits) = code(Method::Max, &[1.0, -2.0, 0.99, -1.0, 0.0, 0.3]).unwrap();
    assert_eq!(got.scale.to_f32(), 2.0);
    assert_eq!(trits, [1, -1, 0, -1, 0, 0]);
}

#[test]
fn a_block_that_is_ternary_already_keeps_its_trits_and_scale() {
    let importance = importances(256, 23);
    let mut noise = Noise::new(24);
    for s in [1.0f32, 0.012_3, 7.5e-5, 65504.0, 5.96e-8] {
        // Exactly ternary, and within half an f16 step of it.
        let s = f16::from_f32(s).to_f32();
        for wobble in if s > 1e-7 { [0.0f32, 1e-4] } else { [0.0; 2] } {
            let want: Vec<i8> = (0..256).map(|i| if i < 5 { 1 } else { (noise.bits() % 3) as i8 - 1 }).collect();
            let block: Vec<f32> =
                want.iter().map(|t| f32::from(*t) * s * (1.0 - wobble * noise.uniform() as f32)).collect();
            assert_eq!(native_scale(&block), Some(f16::from_f32(s)));
            for method in Method::ALL.into_iter().filter(|m| *m != Method::Absmean) {
                if method == Method::Lossless && wobble > 0.0 {
                    continue;
                }
                for importance in [None, Some(importance.as_slice())] {
                    let (got, trits) = weighted(method, &block, importance).unwrap();
                    assert_eq!((got.scale.to_f32(), &trits), (s, &want), "{method} {s}");
                    assert!(got.native);
                    assert_eq!(got.underflow, s < f16::MIN_POSITIVE.to_f32());
                }
            }
            assert!(code(Method::Absmean, &block).unwrap().0.native);
        }
    }
}

#[test]
fn a_block_that_is_not_quite_ternary_is_not_called_so() {
    let mut block = [0.25f32; 64];
    block[7] = -0.250_3;
    assert_eq!(native_scale(&block), None);
    assert!(!code(Method::Exact, &block).unwrap().0.native);
    assert_eq!(native_scale(&[1e-9, 0.0]), None, "rounds to 0");
    assert_eq!(native_scale(&[1e6, -1e6]), None, "rounds to infinity");
    assert_eq!(native_scale(&[f32::NAN; 4]), None);
    assert_eq!(native_scale(&[f32::INFINITY; 4]), None);
}

#[test]
fn lossless_refuses_what_it_would_change() {
    let at = |i: usize, v: f32| {
        let mut block = [0.5f32, 0.0, -0.5, -0.0, 0.5, 0.0];
        block[i] = v;
        code(Method::Lossless, &block).map(|(c, t)| (c.scale.to_f32(), t))
    };
    assert_eq!(at(1, 0.0), Ok((0.5, vec![1, 0, -1, 0, 1, 0])));
    assert_eq!(at(4, 0.25), Err(BlockError::NotTernary { index: 4 }));
    assert_eq!(at(2, -0.500_000_06), Err(BlockError::NotTernary { index: 2 }));
    assert_eq!(at(0, 0.25), Err(BlockError::NotTernary { index: 2 }));
    let third = 1.0f32 / 3.0;
    assert_eq!(code(Method::Lossless, &[third, -third]), Err(BlockError::ScaleNotF16 { scale: third }));
    assert_eq!(code(Method::Lossless, &[65536.0; 3]), Err(BlockError::ScaleNotF16 { scale: 65536.0 }));
    assert_eq!(code(Method::Lossless, &[0.0; 3]).unwrap().1, [0; 3]);
    let (got, _) = code(Method::Lossless, &[f16::from_bits(1).to_f32(); 3]).unwrap();
    assert_eq!((got.scale, got.underflow), (f16::from_bits(1), true));
}

#[test]
fn a_weight_that_is_not_finite_is_an_error_at_its_place_under_every_method() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -f32::NAN] {
        for index in 0..64 {
            let mut block = [0.5f32; 64];
            block[index] = bad;
            block[63] = f32::NAN;
            for method in Method::ALL {
                match code(method, &block) {
                    Err(BlockError::NonFinite { index: i, value }) => {
                        assert_eq!(i, index);
                        assert!(value.to_bits() == block[index].to_bits());
                    }
                    other => panic!("{method} {index}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_scale_beyond_f16_is_an_error_and_the_largest_is_not() {
    // Uneven, so that no block is native; every method's scale is near 1e5.
    let large: Vec<f32> = (0..64u8).map(|i| 1e5 + f32::from(i) * 500.0).collect();
    for method in Method::COMPARED {
        match code(method, &large) {
            Err(BlockError::ScaleOverflow { scale }) => assert!((9e4..1.4e5).contains(&scale), "{method}: {scale}"),
            other => panic!("{method}: {other:?}"),
        }
        let (got, _) = code(method, &[65519.0; 64]).unwrap();
        assert_eq!(got.scale, f16::MAX, "{method}");
    }
    match code(Method::Absmean, &[f32::MAX; 64]) {
        Err(BlockError::ScaleOverflow { scale }) => assert_eq!(scale, f32::INFINITY),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_scale_that_f16_cannot_hold_is_reported() {
    for (size, zero) in [(1e-6f32, false), (1e-9, true), (1e-40, true)] {
        let block: Vec<f32> = (1..=64u8).map(|i| size * f32::from(i) / 64.0).collect();
        for method in Method::COMPARED {
            let (got, trits) = code(method, &block).unwrap();
            assert!(got.underflow, "{method} {size}");
            assert_eq!(got.scale == f16::ZERO, zero, "{method} {size}");
            if zero && method == Method::Exact {
                assert_eq!(trits, [0; 64]);
            }
        }
    }
    assert!(!code(Method::Exact, &[6.3e-5, 2e-5]).unwrap().0.underflow);
}

#[test]
fn a_block_of_zeros_has_no_trits_no_scale_and_no_underflow() {
    for block in [[0.0f32; 64], [-0.0; 64]] {
        for method in Method::ALL {
            let (got, trits) = code(method, &block).unwrap();
            assert_eq!(got, BlockCode { scale: f16::ZERO, native: true, underflow: false }, "{method}");
            assert_eq!(trits, [0; 64]);
        }
    }
}

#[test]
fn minus_zero_is_zero() {
    let block = [1.0f32, -0.0, 0.0, -0.9];
    for method in Method::COMPARED {
        let (_, trits) = code(method, &block).unwrap();
        assert_eq!(trits, [1, 0, 0, -1], "{method}");
    }
}

#[test]
fn one_outlier_saturates_and_the_rest_go_to_zero() {
    let mut block: Vec<f32> = (0..256u16).map(|i| 0.001 + f32::from(i) * 1e-6).collect();
    block[100] = -50.0;
    for method in Method::COMPARED {
        let (got, trits) = code(method, &block).unwrap();
        assert_eq!(trits[100], -1, "{method}");
        assert_eq!(trits.iter().filter(|t| **t != 0).count(), 1, "{method}");
        if method != Method::Absmean {
            assert_eq!(got.scale.to_f32(), 50.0, "{method}");
        }
    }
}

#[test]
fn a_block_of_one_weight_and_an_empty_block_are_coded() {
    for method in Method::ALL {
        let (got, trits) = code(method, &[-0.75]).unwrap();
        assert_eq!((got.scale.to_f32(), trits), (0.75, vec![-1]), "{method}");
        let (got, trits) = code(method, &[]).unwrap();
        assert_eq!((got.scale, trits), (f16::ZERO, vec![]), "{method}");
    }
}

#[test]
fn gaussian_blocks_have_the_zeros_and_the_error_that_theory_gives() {
    let mut noise = Noise::new(30);
    let blocks: Vec<Vec<f32>> = (0..400).map(|_| (0..256).map(|_| 0.02 * noise.normal() as f32).collect()).collect();
    // Share of zeros and dB of unit normals: thresholds of σ·√(2/π)/2 (absmean), 0.75·σ·√(2/π) and 0.612σ.
    for (method, zeros, db) in [
        (Method::Absmean, 0.310, 5.85),
        (Method::Refit, 0.310, 6.78),
        (Method::Twn, 0.450, 7.18),
        (Method::Exact, 0.459, 7.21),
    ] {
        let mut sums = ErrorSums::default();
        for block in &blocks {
            let (got, trits) = code(method, block).unwrap();
            sums.add_block(block, got.scale.to_f32(), &trits);
        }
        println!("{method} {:.3} {:.3}", sums.zero_share(), sums.sqnr_db());
        assert!((sums.zero_share() - zeros).abs() < 0.01, "{method} {}", sums.zero_share());
        assert!((sums.sqnr_db() - db).abs() < 0.15, "{method} {}", sums.sqnr_db());
    }
}

#[test]
fn what_was_coded_before_leaves_no_trace() {
    let importance = importances(256, 31);
    let mut scratch = Scratch::default();
    for (i, block) in assorted(256, 60, 32).iter().enumerate() {
        let n = [256, 64, 7][i % 3];
        let importance = (i % 2 == 0).then_some(&importance[..n]);
        for method in Method::COMPARED {
            let mut trits = vec![0; n];
            let got = code_block(method, &block[..n], importance, &mut trits, &mut scratch).unwrap();
            assert_eq!((got, trits), weighted(method, &block[..n], importance).unwrap());
        }
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    use rayon::prelude::*;
    let blocks = assorted(256, 200, 33);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            blocks
                .par_iter()
                .map_init(Scratch::default, |scratch, block| {
                    let mut trits = vec![0; 256];
                    let code = code_block(Method::Exact, block, None, &mut trits, scratch).unwrap();
                    (code, trits)
                })
                .collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(4));
}

/// The formats whose blocks are trits and a scale.
const PLAIN: [Format; 7] =
    [Format::Tq2_0, Format::Tq1_0, Format::Q2_0, Format::Q2_0G128, Format::I2S, Format::I2SArm, Format::T158];

proptest! {
    // No file of past failures: a failing case becomes a test by hand.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_coded_block_decodes_to_its_scale_times_its_trits(
        format in prop::sample::select(&PLAIN[..]),
        bits in 0u16..0x7c00,
        seed in any::<u64>(),
    ) {
        let mut noise = Noise::new(seed);
        let trits: Vec<i8> = (0..format.block_len()).map(|_| (noise.bits() % 3) as i8 - 1).collect();
        let scale = f16::from_bits(bits);
        let mut block = vec![0xff; format.block_bytes()];
        encode_block(format, scale, &trits, &mut block);
        let mut want = vec![0.0; trits.len()];
        dequantize_block(scale, &trits, &mut want);
        let mut got = vec![1.0; trits.len()];
        match decoder(format.dtype()).unwrap() {
            Decoder::Blocks(decode) => decode(&block, &mut got),
            Decoder::OneScale(decode) => decode(&block, scale.to_f32(), &mut got),
            Decoder::FourRows(_) => unreachable!("no format is written so"),
        }
        prop_assert_eq!(got, want);
    }

    #[test]
    fn what_a_format_holds_is_coded_again_without_loss(
        format in prop::sample::select(&PLAIN[..]),
        bits in 1u16..0x7c00,
        seed in any::<u64>(),
    ) {
        let mut noise = Noise::new(seed);
        let trits: Vec<i8> = (0..format.block_len()).map(|_| (noise.bits() % 3) as i8 - 1).collect();
        let mut weights = vec![0.0; trits.len()];
        dequantize_block(f16::from_bits(bits), &trits, &mut weights);
        let (got, again) = code(Method::Lossless, &weights).unwrap();
        prop_assert_eq!(again, trits);
        prop_assert_eq!(got.scale.to_bits(), bits);
    }

    #[test]
    fn every_finite_block_is_coded_or_refused_for_its_scale(
        weights in prop::collection::vec(any::<u32>().prop_map(|b| f32::from_bits(b & 0xbfff_ffff)), 1..80),
        method in prop::sample::select(&Method::COMPARED[..]),
    ) {
        match code(method, &weights) {
            Ok((got, _)) => prop_assert!(got.scale.is_finite() && got.scale >= f16::ZERO),
            Err(e) => prop_assert!(matches!(e, BlockError::ScaleOverflow { .. }), "{}", e),
        }
    }
}
