//! The seed's whole-tensor interface: the behaviours it is known by.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]

#[path = "support/noise.rs"]
mod noise;

use noise::Noise;
use proptest::prelude::*;
use tritscope::engine::ternary::pt_bitnet::{
    ExportFormat, LayersToQuantize, PtBitnetConfig, PtBitnetError, RouterPrecision, dequantize, pack, quantize_tensor,
    unpack,
};

fn raw() -> PtBitnetConfig {
    PtBitnetConfig::default().with_optimize_scales(false)
}

fn gaussian(n: usize, seed: u64) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    (0..n).map(|_| 0.02 * noise.normal() as f32).collect()
}

fn trits(weights: &[f32], config: &PtBitnetConfig) -> (Vec<i8>, Vec<f32>) {
    let tensor = quantize_tensor(weights, (1, weights.len()), config).unwrap();
    (unpack(&tensor.packed, weights.len()), tensor.scales)
}

#[test]
fn defaults_are_the_seeds() {
    let config = PtBitnetConfig::default();
    assert_eq!((config.calibration_samples, config.block_size, config.max_memory_gb), (1000, 256, 64));
    assert!(config.optimize_scales && config.use_mmap);
    assert_eq!(config.layers_to_quantize, LayersToQuantize::ExpertsOnly);
    assert_eq!(config.export_format, ExportFormat::BitnetT158);
    assert_eq!(config.router_precision, RouterPrecision::Fp16);
    assert_eq!(config.importance, None);
}

#[test]
fn every_field_has_a_builder() {
    let config = PtBitnetConfig::default()
        .with_calibration_samples(7)
        .with_block_size(64)
        .with_optimize_scales(false)
        .with_layers_to_quantize(LayersToQuantize::Custom(vec!["ffn".to_owned()]))
        .with_export_format(ExportFormat::Tq2_0)
        .with_router_precision(RouterPrecision::Bf16)
        .with_use_mmap(false)
        .with_max_memory_gb(2)
        .with_importance(Some(vec![1.0]));
    let want = PtBitnetConfig {
        calibration_samples: 7,
        block_size: 64,
        optimize_scales: false,
        layers_to_quantize: LayersToQuantize::Custom(vec!["ffn".to_owned()]),
        export_format: ExportFormat::Tq2_0,
        router_precision: RouterPrecision::Bf16,
        use_mmap: false,
        max_memory_gb: 2,
        importance: Some(vec![1.0]),
    };
    assert_eq!(config, want);
}

#[test]
fn the_worked_example_comes_out() {
    let (trits, scales) = trits(&[0.5, -0.5, 0.0, 1.0, -1.0, 0.25], &raw());
    assert_eq!(trits, [1, -1, 0, 1, -1, 0]);
    assert!((scales[0] - 0.5417).abs() < 1e-4);
}

#[test]
fn a_block_of_zeros_has_only_zeros_and_a_scale_below_1e_7() {
    for config in [raw(), PtBitnetConfig::default()] {
        let (trits, scales) = trits(&[0.0; 256], &config);
        assert_eq!(trits, [0; 256]);
        assert!((0.0..1e-7).contains(&scales[0]));
    }
}

#[test]
fn raw_scales_are_sums_in_order_in_f32() {
    let weights = gaussian(1000, 1);
    let (_, scales) = trits(&weights, &raw());
    for (block, scale) in weights.chunks(256).zip(scales) {
        let mut sum = 0.0f32;
        for w in block {
            sum += w.abs();
        }
        assert_eq!(scale, sum / block.len() as f32 + 1e-8);
    }
}

#[test]
fn blocks_of_one_sign_and_of_alternating_sign_keep_every_weight() {
    let alternating: Vec<f32> = (0..256u16).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
    for config in [raw(), PtBitnetConfig::default()] {
        assert_eq!(trits(&[0.3; 256], &config).0, [1; 256]);
        assert_eq!(trits(&[-0.3; 256], &config).0, [-1; 256]);
        let (got, scales) = trits(&alternating, &config);
        assert!(got.iter().zip(&alternating).all(|(t, w)| f32::from(*t) == *w));
        assert!((scales[0] - 1.0).abs() < 1e-6);
    }
}

#[test]
fn one_outlier_saturates_and_the_rest_go_to_zero() {
    let mut weights = [0.01f32; 256];
    weights[9] = -100.0;
    for config in [raw(), PtBitnetConfig::default()] {
        let (got, _) = trits(&weights, &config);
        assert!(got.iter().enumerate().all(|(i, t)| *t == if i == 9 { -1 } else { 0 }));
    }
}

#[test]
fn gaussian_weights_lose_about_a_third_to_zero() {
    let tensor = quantize_tensor(&gaussian(1 << 16, 2), (256, 256), &raw()).unwrap();
    assert!((tensor.sparsity() - 0.32).abs() < 0.02, "{}", tensor.sparsity());
}

#[test]
fn a_single_weight_is_a_block() {
    let tensor = quantize_tensor(&[-0.7], (1, 1), &raw()).unwrap();
    assert_eq!((tensor.num_blocks(), tensor.packed.len(), tensor.sparsity()), (1, 1, 0.0));
    assert_eq!(dequantize(&tensor), [-tensor.scales[0]]);
}

#[test]
fn sizes_are_those_of_four_trits_a_byte_and_a_scale_a_block() {
    let tensor = quantize_tensor(&gaussian(512, 3), (2, 256), &PtBitnetConfig::default()).unwrap();
    assert_eq!((tensor.packed.len(), tensor.num_blocks(), tensor.memory_bytes()), (128, 2, 136));
    let tensor = quantize_tensor(&gaussian(1 << 18, 4), (512, 512), &PtBitnetConfig::default()).unwrap();
    let compression = f64::from(4 << 18) / tensor.memory_bytes() as f64;
    assert!((10.0..20.0).contains(&compression), "{compression}");
}

#[test]
fn a_tensor_that_is_no_multiple_of_the_block_has_a_short_last_one() {
    let weights = gaussian(30 * 37, 5);
    for block_size in [1, 7, 256, 1110, 5000] {
        let config = raw().with_block_size(block_size);
        let tensor = quantize_tensor(&weights, (30, 37), &config).unwrap();
        assert_eq!(tensor.num_blocks(), 1110usize.div_ceil(block_size));
        assert_eq!(tensor.scales.len(), tensor.num_blocks());
        assert_eq!(tensor.packed.len(), 278);
        let decoded = dequantize(&tensor);
        assert_eq!(decoded.len(), 1110);
        for ((w, y), i) in weights.iter().zip(decoded).zip(0usize..) {
            let scale = tensor.scales[i / block_size];
            assert_eq!(y, (w / scale).clamp(-1.0, 1.0).round() * scale);
        }
    }
}

#[test]
fn optimised_scales_have_the_lower_error() {
    let weights = gaussian(1 << 14, 6);
    let loss = |config: &PtBitnetConfig| -> f64 {
        let decoded = dequantize(&quantize_tensor(&weights, (64, 256), config).unwrap());
        weights.iter().zip(decoded).map(|(w, y)| f64::from(w - y).powi(2)).sum()
    };
    assert!(loss(&PtBitnetConfig::default()) < 0.8 * loss(&raw()));
}

#[test]
fn importance_is_repeated_for_each_row_and_lowers_the_weighted_error() {
    // Rows of 100 and blocks of 64, so that blocks begin anywhere in a row and cross its end.
    let (rows, cols) = (64, 100);
    let weights = gaussian(rows * cols, 7);
    let importance: Vec<f32> = (0..cols).map(|i| if i % 10 == 0 { 50.0 } else { 0.1 }).collect();
    let loss = |config: &PtBitnetConfig| -> f64 {
        let decoded = dequantize(&quantize_tensor(&weights, (rows, cols), config).unwrap());
        let terms = weights.iter().zip(decoded).zip(importance.iter().cycle());
        terms.map(|((w, y), q)| f64::from(*q) * f64::from(w - y).powi(2)).sum()
    };
    let plain = PtBitnetConfig::default().with_block_size(64);
    let weighted = loss(&plain.clone().with_importance(Some(importance.clone())));
    assert!(weighted < 0.8 * loss(&plain), "{weighted} {}", loss(&plain));
    // Turned by one place the same vector must do far worse.
    let mut turned = importance.clone();
    turned.rotate_right(1);
    assert!(weighted < 0.8 * loss(&plain.with_importance(Some(turned))));
}

#[test]
fn what_is_wrong_is_refused_with_both_numbers() {
    let message = |weights: &[f32], shape, config: &PtBitnetConfig| {
        quantize_tensor(weights, shape, config).unwrap_err().to_string()
    };
    let config = PtBitnetConfig::default();
    let three = [1.0f32; 3];
    assert_eq!(message(&three, (0, 3), &config), "shape 0×3 has no elements");
    assert_eq!(message(&three, (3, 0), &config), "shape 3×0 has no elements");
    assert_eq!(message(&three, (2, 2), &config), "3 weights given, the shape needs 4");
    assert!(message(&three, (3, 1), &config.clone().with_block_size(0)).starts_with("block size 0"));
    assert!(message(&three, (usize::MAX, 2), &config).starts_with(&format!("shape {}×2", usize::MAX)));
    let blocks = message(&three, (usize::MAX, 1), &config);
    assert!(blocks.contains(&usize::MAX.to_string()) && blocks.contains("256"), "{blocks}");
    let short = config.with_importance(Some(vec![1.0; 2]));
    assert_eq!(message(&three, (1, 3), &short), "importance has 2 values, a row has 3");
}

#[test]
fn a_weight_that_is_not_finite_is_named_by_its_place() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for index in [0, 255, 256, 299] {
            let mut weights = gaussian(300, 8);
            weights[index] = bad;
            for config in [raw(), PtBitnetConfig::default()] {
                let error = quantize_tensor(&weights, (3, 100), &config).unwrap_err();
                assert!(error.to_string().starts_with(&format!("weight {index} is")), "{error}");
            }
        }
    }
}

#[test]
fn a_scale_that_overflows_is_an_error_and_never_infinite() {
    let mut weights = vec![1.0f32; 512];
    weights[256..].fill(f32::MAX);
    let error = quantize_tensor(&weights, (2, 256), &raw()).unwrap_err();
    assert_eq!(error, PtBitnetError::ScaleOverflow { block: 1 });
    assert_eq!(quantize_tensor(&weights, (2, 256), &PtBitnetConfig::default()).unwrap().scales, [1.0, f32::MAX]);
}

#[test]
fn the_least_weights_that_f32_has_are_coded() {
    let tiny = [f32::from_bits(1), 0.0, -f32::from_bits(1)];
    let (got, scales) = trits(&tiny, &PtBitnetConfig::default());
    assert_eq!((got, scales), (vec![1, 0, -1], vec![f32::from_bits(1)]));
}

#[test]
fn packing_is_least_significant_first_and_pads_with_zero_bits() {
    assert_eq!(pack(&[-1, 0, 1, 1]), Ok(vec![0b10_10_01_00]));
    assert_eq!(pack(&[1, 0, -1, 0, 1]), Ok(vec![0b01_00_01_10, 0b10]));
    assert_eq!(pack(&[]), Ok(vec![]));
}

#[test]
fn packing_refuses_what_is_no_trit() {
    for bad in [2, -2, 127, -128] {
        assert_eq!(pack(&[0, 1, bad, 5]), Err(PtBitnetError::NotATrit { index: 2, value: bad }));
    }
}

#[test]
fn unpacking_reads_the_reserved_code_as_zero_and_stops_where_told() {
    assert_eq!(unpack(&[0b11_10_01_00], 4), [-1, 0, 1, 0]);
    assert_eq!(unpack(&[0b11_10_01_00, 0xff], 3), [-1, 0, 1]);
    assert_eq!(unpack(&[0xaa], 9), [1; 4]);
}

proptest! {
    // No file of past failures: a failing case becomes a test by hand.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn packed_trits_come_back(trits in prop::collection::vec(-1i8..=1, 0..300)) {
        let packed = pack(&trits).unwrap();
        prop_assert_eq!(packed.len(), trits.len().div_ceil(4));
        prop_assert_eq!(unpack(&packed, trits.len()), trits);
    }
}
