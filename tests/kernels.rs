//! Every kernel that this CPU has against the scalar truth: the same bytes, the same figures, the same errors.

#![allow(clippy::unwrap_used, reason = "a test's helper may fail the test")]

#[path = "support/noise.rs"]
mod noise;

use half::{bf16, f16};
use noise::{Noise, assorted, importances};
use tritscope::engine::codec::codes::{CodesOf, codes_of_q2_0, codes_of_t158, codes_of_tq1_0, codes_of_tq2_0};
use tritscope::engine::codec::{DType, decoder_by};
use tritscope::engine::stats::BlockStats;
use tritscope::engine::ternary::kernels::{Kernel, KernelError, Weights};
use tritscope::engine::ternary::{BlockError, Coder, CoderWork, Format, Method, encode_block, whole_code};

/// Formats of trits and a scale.
const FORMATS: [Format; 7] =
    [Format::Tq2_0, Format::Tq1_0, Format::Q2_0, Format::Q2_0G128, Format::T158, Format::I2S, Format::I2SArm];

/// Kernels beside the scalar one. None is left out in silence: a CPU without any says so.
#[allow(clippy::print_stdout, reason = "a test may say what it did not do")]
fn fast() -> Vec<Kernel> {
    let found: Vec<Kernel> = Kernel::available().into_iter().filter(|k| *k != Kernel::Scalar).collect();
    if found.is_empty() {
        println!("this CPU has the scalar kernel only");
    }
    found
}

/// Weights of one type, owned.
enum Owned {
    F16(Vec<[u8; 2]>),
    BF16(Vec<[u8; 2]>),
    F32(Vec<f32>),
}

impl Owned {
    /// The same numbers in each type, rounded to it.
    fn all(weights: &[f32]) -> [Self; 3] {
        [
            Self::F16(weights.iter().map(|w| f16::from_f32(*w).to_le_bytes()).collect()),
            Self::BF16(weights.iter().map(|w| bf16::from_f32(*w).to_le_bytes()).collect()),
            Self::F32(weights.to_vec()),
        ]
    }

    fn weights(&self) -> Weights<'_> {
        match self {
            Self::F16(w) => Weights::F16(w),
            Self::BF16(w) => Weights::BF16(w),
            Self::F32(w) => Weights::F32(w),
        }
    }
}

/// What coding gives: bytes, figures, and the block and reason where it ended.
type Outcome = (Vec<u8>, BlockStats, Option<(usize, BlockError)>);

fn code(coder: Coder, weights: Weights<'_>) -> (Outcome, usize) {
    let (len, bytes) = (coder.format().block_len(), coder.format().block_bytes());
    let blocks = weights.len().div_ceil(len);
    // A value that shows where nothing is written.
    let mut out = vec![0x5a; blocks * bytes];
    let (mut stats, mut work) = (BlockStats::default(), CoderWork::default());
    let (mut block, mut calls) = (0, 0);
    while block < blocks {
        let rest = weights.part(block * len, usize::MAX);
        match coder.code_many(rest, &mut work, &mut out[block * bytes..], &mut stats) {
            Ok(done) => block += done,
            Err(e) => return ((out, stats, Some((block, e))), calls),
        }
        calls += 1;
    }
    ((out, stats, None), calls)
}

/// Asserts that all kernels agree on some weights in all types, for a method and a format.
fn agree(method: Method, format: Format, weights: &[f32], what: &str) {
    for owned in Owned::all(weights) {
        let whole = format.has_one_scale().then(|| {
            let mut buffer = Vec::new();
            whole_code(method, owned.weights().singles(&mut buffer), None)
        });
        // A tensor without a code of its own has no blocks to be coded.
        let Ok(whole) = whole.transpose() else { continue };
        let coder = Coder::new(format, method, whole);
        let (truth, _) = code(coder.with_kernel(Kernel::Scalar), owned.weights());
        for kernel in fast() {
            let (found, _) = code(coder.with_kernel(kernel), owned.weights());
            // Debug prints of f64 tell −0 from 0 and are one a value: equal text is equal bits.
            assert_eq!(found.0, truth.0, "{kernel} {method} {format} {what}: bytes");
            assert_eq!(format!("{:?}", found.1), format!("{:?}", truth.1), "{kernel} {method} {format} {what}");
            assert_eq!(format!("{:?}", found.2), format!("{:?}", truth.2), "{kernel} {method} {format} {what}");
        }
    }
}

fn agree_everywhere(weights: &[f32], what: &str) {
    for method in Method::ALL {
        for format in FORMATS {
            agree(method, format, weights, what);
        }
    }
}

/// Asserts the same of blocks with importance.
fn agree_weighted(method: Method, format: Format, weights: &[f32], importance: &[f32], what: &str) {
    let len = format.block_len();
    for owned in Owned::all(weights) {
        for blind in [false, true] {
            let run = |kernel: Kernel| {
                let coder = Coder::new(format, method, None).with_kernel(kernel);
                let coder = if blind { coder.blind() } else { coder };
                let (mut stats, mut work) = (BlockStats::default(), CoderWork::default());
                let mut out = vec![0x5a; weights.len().div_ceil(len) * format.block_bytes()];
                let (mut failed, mut at) = (None, 0);
                while at * len < weights.len() {
                    let rest = owned.weights().part(at * len, usize::MAX);
                    let (importance, out) = (&importance[at * len..], &mut out[at * format.block_bytes()..]);
                    match coder.code_weighted((rest, importance), &mut work, out, &mut stats) {
                        Ok(done) => at += done,
                        Err(e) => {
                            failed = Some((at, e));
                            break;
                        }
                    }
                }
                (out, format!("{stats:?} {failed:?}"))
            };
            let truth = run(Kernel::Scalar);
            for kernel in fast() {
                assert_eq!(run(kernel), truth, "{kernel} {method} {format} {what} blind: {blind}");
            }
        }
    }
}

#[test]
fn blocks_with_importance() {
    let mut noise = Noise::new(27);
    let n = 256 * 6;
    let uneven = importances(n, 28);
    let rows = [
        ("uneven", uneven.clone()),
        ("flat", vec![3.5; n]),
        ("none", vec![0.0; n]),
        ("one that counts", (0..n).map(|i| if i % 256 == 7 { 1e6 } else { 0.0 }).collect()),
        ("no numbers", (0..n).map(|i| [f32::NAN, -1.0, 2.0, f32::INFINITY][i % 4]).collect()),
        ("minute", uneven.iter().map(|q| q * 1e-39).collect()),
        ("immense", uneven.iter().map(|q| q * 1e37).collect()),
        ("of the magnitude", (0..n).map(|i| 10f32.powi(i as i32 % 9 - 4)).collect()),
    ];
    let normal: Vec<f32> = (0..n).map(|_| 0.02 * noise.normal() as f32).collect();
    let heavy: Vec<f32> = (0..n - 100).map(|_| 0.5 * noise.student3() as f32).collect();
    for (what, importance) in &rows {
        for format in FORMATS.into_iter().filter(|f| !f.has_one_scale()) {
            for weights in [&normal, &heavy, &assorted(n, 3, 29)[2]] {
                for method in [Method::Exact, Method::Absmean, Method::Twn] {
                    agree_weighted(method, format, weights, importance, what);
                }
            }
        }
    }
    for (what, block) in adversarial() {
        for format in FORMATS.into_iter().filter(|f| !f.has_one_scale()) {
            agree_weighted(Method::Exact, format, &block, &uneven, what);
        }
    }
}

#[test]
fn importance_of_a_row_is_laid_over_all_rows() {
    let mut noise = Noise::new(31);
    let weights: Vec<f32> = (0..256 * 35).map(|_| 0.02 * noise.normal() as f32).collect();
    for kernel in fast() {
        for format in FORMATS.into_iter().filter(|f| !f.has_one_scale()) {
            let row = importances(format.block_len() * 5, 32);
            let coder = Coder::new(format, Method::Exact, None).with_kernel(kernel);
            let run = |importance: &[f32]| {
                let (mut stats, mut work) = (BlockStats::default(), CoderWork::default());
                let mut out = vec![0; weights.len() / format.block_len() * format.block_bytes()];
                let done = coder.code_weighted((Weights::F32(&weights), importance), &mut work, &mut out, &mut stats);
                (done, out, stats)
            };
            let all: Vec<f32> = row.iter().copied().cycle().take(weights.len()).collect();
            let (by_row, whole) = (run(&row), run(&all));
            assert_eq!(by_row, whole, "{kernel} {format}");
            assert_eq!(by_row.0, Ok(weights.len() / format.block_len()), "{kernel} {format}");
        }
    }
}

#[test]
fn weights_and_importance_that_lie_far_apart() {
    let (mut noise, n) = (Noise::new(7), 256 * 1500);
    let weights: Vec<f32> = (0..n).map(|_| 0.02 * (noise.student3() as f32).powi(3)).collect();
    let importance: Vec<f32> = (0..n).map(|_| noise.student3().powi(6) as f32 + 1e-9).collect();
    for format in [Format::Tq2_0, Format::Q2_0, Format::Q2_0G128] {
        agree(Method::Exact, format, &weights, "far apart");
        agree_weighted(Method::Exact, format, &weights, &importance, "far apart");
    }
}

#[test]
fn random_blocks() {
    for (i, block) in assorted(256 * 5, 40, 21).iter().enumerate() {
        agree_everywhere(block, &format!("block {i}"));
    }
    let mut noise = Noise::new(22);
    let normal: Vec<f32> = (0..256 * 200).map(|_| 0.02 * noise.normal() as f32).collect();
    agree_everywhere(&normal, "normal");
    let heavy: Vec<f32> = (0..256 * 200).map(|_| 0.02 * noise.student3() as f32).collect();
    agree_everywhere(&heavy, "heavy-tailed");
    // Ternary already, within the rounding of f16 and just outside of it.
    for spread in [0.0, 1e-4, 3e-4, 6e-4, 1e-3, 2e-3] {
        let near = |w: &f32| 0.0123 * w.signum() * (1.0 + spread * (w.abs() * 1e4).fract());
        let ternary: Vec<f32> = heavy[..256 * 20].iter().map(|w| if w.abs() > 0.015 { near(w) } else { 0.0 }).collect();
        agree_everywhere(&ternary, &format!("ternary within {spread}"));
    }
    for power in -24..16 {
        let scaled: Vec<f32> = normal[..512].iter().map(|w| w * 2f32.powi(power)).collect();
        agree_everywhere(&scaled, &format!("times 2^{power}"));
    }
}

/// Blocks that are made to be awkward.
fn adversarial() -> Vec<(&'static str, Vec<f32>)> {
    let mut noise = Noise::new(23);
    let mut normal = |n: usize| (0..n).map(|_| 0.03 * noise.normal() as f32).collect::<Vec<f32>>();
    let with = |mut block: Vec<f32>, at: usize, w: f32| {
        block[at] = w;
        block
    };
    let mut ascending = normal(256);
    ascending.sort_by(f32::total_cmp);
    let mut descending = ascending.clone();
    descending.reverse();
    let by_magnitude = |mut block: Vec<f32>| {
        block.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
        block
    };
    let mut one_left = vec![0.0; 256];
    one_left[77] = -0.25;
    vec![
        ("two magnitudes", (0..256).map(|i| [0.5, -0.25, 0.25, -0.5][i % 4]).collect()),
        ("half of the mean", (0..256).map(|i| if i % 2 == 0 { 0.75 } else { -0.25 }).collect()),
        ("halves of the greatest", (0..256).map(|i| if i % 3 == 0 { 1.0 } else { 0.5 }).collect()),
        ("few values", (0..256).map(|i| ((i * 7 % 11) as f32 - 5.0) * 0.0625).collect()),
        ("one outlier", with(normal(256), 100, 30.0)),
        ("an outlier that is all", with(normal(256), 0, 6e4)),
        ("two outliers", with(with(normal(256), 3, -9.0), 200, 8.0)),
        ("denormals of f16", normal(256).iter().map(|w| w * 1e-4).collect()),
        ("denormals of f32", normal(256).iter().map(|w| w * 1e-37).collect()),
        ("minus zero", (0..256).map(|i| if i % 2 == 0 { -0.0 } else { 0.125 * (i % 5) as f32 }).collect()),
        ("all minus zero", vec![-0.0; 256]),
        ("all zero", vec![0.0; 256]),
        ("all equal", vec![0.375; 256]),
        ("all equal but signs", (0..256).map(|i| if i % 3 == 0 { -0.375 } else { 0.375 }).collect()),
        ("nearly equal", (0..256).map(|i| 0.375 + (i % 9) as f32 * 0.000_3).collect()),
        ("equal within f16", (0..256).map(|i| 0.375 + (i % 9) as f32 * 1e-5).collect()),
        ("ternary", (0..256).map(|i| [0.7, 0.0, -0.7][i * i % 3]).collect()),
        ("nearly ternary", (0..256).map(|i| [0.7, 0.001, -0.7005][i * i % 3]).collect()),
        ("one weight", one_left),
        ("ascending", ascending),
        ("descending", descending),
        ("ascending in magnitude", by_magnitude(normal(256))),
        ("geometric", (0..256).map(|i| 0.97f32.powi(i)).collect()),
        ("steeply geometric", (0..256).map(|i| 0.8f32.powi(i)).collect()),
        ("great", normal(256).iter().map(|w| w * 4e5).collect()),
        ("beyond f16", normal(256).iter().map(|w| w * 1e7).collect()),
        ("beyond all", normal(256).iter().map(|w| w * 1e38).collect()),
        ("not a number", with(normal(256), 255, f32::NAN)),
        ("infinite", with(normal(256), 0, f32::NEG_INFINITY)),
        ("infinite and not a number", with(with(normal(256), 31, f32::INFINITY), 32, f32::NAN)),
    ]
}

#[test]
fn adversarial_blocks() {
    for (what, block) in adversarial() {
        agree_everywhere(&block, what);
        // Between ordinary blocks: what is left to the scalar code does not disturb what is behind it.
        let ordinary: Vec<f32> = assorted(512, 1, 5).concat();
        agree_everywhere(&[ordinary.clone(), block, ordinary].concat(), what);
    }
}

#[test]
fn short_blocks() {
    let mut noise = Noise::new(24);
    let weights: Vec<f32> = (0..700).map(|_| noise.normal() as f32).collect();
    for len in [0, 1, 2, 15, 16, 17, 31, 33, 63, 65, 255, 257, 300, 511, 513, 700] {
        agree_everywhere(&weights[..len], &format!("{len} weights"));
    }
}

#[test]
fn kernels_do_take_ordinary_blocks() {
    let mut noise = Noise::new(25);
    let normal: Vec<f32> = (0..256 * 64).map(|_| 0.02 * noise.normal() as f32).collect();
    let heavy: Vec<f32> = (0..256 * 64).map(|_| 0.02 * noise.student3() as f32).collect();
    let ternary: Vec<f32> = heavy.iter().map(|w| 0.0123 * w.signum() * f32::from(u8::from(w.abs() > 0.015))).collect();
    for kernel in fast() {
        for method in Method::COMPARED {
            for owned in [Owned::all(&normal), Owned::all(&heavy), Owned::all(&ternary)].iter().flatten() {
                let coder = Coder::new(Format::Tq2_0, method, None).with_kernel(kernel);
                assert_eq!(code(coder, owned.weights()).1, 1, "{kernel} {method}");
            }
        }
    }
}

#[test]
fn the_exact_scale_is_the_best_of_all() {
    let mut noise = Noise::new(26);
    for kernel in fast() {
        for round in 0..400 {
            let block: Vec<f32> =
                (0..256).map(|_| if round % 2 == 0 { noise.normal() } else { noise.student3() } as f32).collect();
            let halves: Vec<[u8; 2]> = block.iter().map(|w| f16::from_f32(*w).to_le_bytes()).collect();
            let mut sorted: Vec<f64> =
                halves.iter().map(|b| f64::from(f16::from_le_bytes(*b).to_f32().abs())).collect();
            sorted.sort_by(|a, b| b.total_cmp(a));
            let (mut sum, mut best, mut scale) = (0.0, 0.0, 0.0);
            for (k, w) in sorted.iter().enumerate() {
                sum += w;
                if sum * sum / (k + 1) as f64 > best {
                    (best, scale) = (sum * sum / (k + 1) as f64, sum / (k + 1) as f64);
                }
            }
            let coder = Coder::new(Format::Tq2_0, Method::Exact, None).with_kernel(kernel);
            let ((out, stats, _), _) = code(coder, Weights::F16(&halves));
            assert_eq!(f16::from_le_bytes([out[64], out[65]]), f16::from_f32(scale as f32), "{kernel}");
            // With the scale rounded the error is within 2⁻²² of the least.
            let least = sorted.iter().map(|w| w * w).sum::<f64>() - best;
            assert!((stats.errors.sum_e2 / least - 1.0).abs() < 1e-5, "{kernel} {} {least}", stats.errors.sum_e2);
        }
    }
}

#[test]
fn codes_are_packed_as_by_the_encoders() {
    let mut noise = Noise::new(30);
    for format in Format::ALL.into_iter().filter(|f| f.is_plain()) {
        let (len, bytes) = (format.block_len(), format.block_bytes());
        let codes: Vec<u8> = (0..len * 37).map(|_| (noise.bits() >> 20) as u8 % 3).collect();
        let scales: Vec<u16> = (0..37).map(|_| (noise.bits() >> 20) as u16).collect();
        let mut truth = vec![0x5a; 37 * bytes];
        for ((codes, scale), out) in codes.chunks(len).zip(&scales).zip(truth.chunks_mut(bytes)) {
            let trits: Vec<i8> = codes.iter().map(|c| *c as i8 - 1).collect();
            encode_block(format, f16::from_bits(*scale), &trits, out);
        }
        for kernel in fast() {
            let mut out = vec![0x5a; 37 * bytes];
            assert!(kernel.pack(format, &codes, &scales, &mut out));
            assert_eq!(out, truth, "{kernel} {format}");
        }
    }
}

#[test]
fn blocks_are_unpacked_as_by_the_readers_of_codes() {
    let readers: [(Format, CodesOf); 5] = [
        (Format::Tq2_0, codes_of_tq2_0),
        (Format::Tq1_0, codes_of_tq1_0),
        (Format::Q2_0, codes_of_q2_0),
        (Format::Q2_0G128, codes_of_q2_0),
        (Format::T158, codes_of_t158),
    ];
    let mut noise = Noise::new(31);
    for (format, read) in readers {
        let (len, bytes) = (format.block_len(), format.block_bytes());
        // Any bytes: a file may hold them. And every byte in every place.
        let mut packed: Vec<u8> = (0..bytes * 300).map(|_| (noise.bits() >> 20) as u8).collect();
        for byte in 0..=255 {
            packed.extend(vec![byte; bytes]);
        }
        let blocks = packed.len() / bytes;
        let (mut truth, mut scales, mut illegal) = (vec![9; blocks * len], Vec::new(), Vec::new());
        for (block, codes) in packed.chunks(bytes).zip(truth.chunks_mut(len)) {
            let found = read(block, codes);
            scales.push(found.scale.to_bits());
            illegal.push(found.illegal_bytes);
        }
        for kernel in fast() {
            let (mut codes, mut found_scales, mut found_illegal) = (vec![9; blocks * len], Vec::new(), Vec::new());
            assert!(kernel.unpack(format, &packed, &mut codes, (&mut found_scales, &mut found_illegal)));
            let found_scales: Vec<u32> = found_scales.iter().map(|s| s.to_bits()).collect();
            assert!(codes == truth && found_scales == scales, "{kernel} {format}");
            assert_eq!(found_illegal, illegal, "{kernel} {format}");
        }
    }
}

/// Formats whose groups of 256 weights the kernels move from one to another.
const MOVED: [Format; 6] = [Format::Tq2_0, Format::Tq1_0, Format::Q2_0, Format::Q2_0G128, Format::T158, Format::I2S];

/// The blocks of some codes, by the scalar encoders; each group of 256 has a scale.
fn encoded(format: Format, codes: &[u8], scales: &[u16]) -> Vec<u8> {
    let (len, bytes) = (format.block_len(), format.block_bytes());
    let mut out = vec![0x5a; codes.len() / len * bytes];
    for (i, (codes, out)) in codes.chunks(len).zip(out.chunks_mut(bytes)).enumerate() {
        let trits: Vec<i8> = codes.iter().map(|c| *c as i8 - 1).collect();
        encode_block(format, f16::from_bits(scales[i * len / Kernel::GROUP]), &trits, out);
    }
    out
}

#[test]
fn groups_are_moved_as_by_codes() {
    let mut noise = Noise::new(32);
    let groups = 500;
    let codes: Vec<u8> = (0..Kernel::GROUP * groups).map(|_| (noise.bits() >> 20) as u8 % 3).collect();
    let scales: Vec<u16> = (0..groups).map(|_| (noise.bits() >> 20) as u16 & 0xbbff).collect();
    let one = vec![0x2c11; groups];
    for from in MOVED {
        let scales = if from.has_one_scale() { &one } else { &scales };
        let blocks = encoded(from, &codes, scales);
        for to in MOVED {
            let truth = encoded(to, &codes, scales);
            for kernel in fast() {
                let mut out = vec![0; truth.len()];
                assert_eq!(kernel.repack((from, to), (&blocks, 0x2c11), &mut out), groups, "{kernel} {from} {to}");
                assert!(out == truth, "{kernel} {from} -> {to}");
            }
            assert_eq!(Kernel::Scalar.repack((from, to), (&blocks, 0x2c11), &mut truth.clone()), 0);
        }
        for kernel in fast() {
            assert_eq!(kernel.ordinary_groups(from, &blocks, None), groups);
            let only = if from.has_one_scale() { 0 } else { scales[0] };
            let alike = scales.iter().take_while(|s| **s == only).count();
            assert_eq!(
                kernel.ordinary_groups(from, &blocks, Some(only)),
                if from.has_one_scale() { groups } else { alike }
            );
        }
    }
}

#[test]
fn digits_of_every_byte_are_moved() {
    let mut codes = [0; 256];
    for kernel in fast() {
        for byte in 0..=255 {
            let mut block = vec![byte; 54];
            block[52..].copy_from_slice(&0x2c11u16.to_le_bytes());
            codes_of_tq1_0(&block, &mut codes);
            let mut out = vec![0; 66];
            assert_eq!(kernel.repack((Format::Tq1_0, Format::Tq2_0), (&block, 0), &mut out), 1);
            assert_eq!(out, encoded(Format::Tq2_0, &codes, &[0x2c11]), "{kernel} {byte}");
        }
    }
}

#[test]
fn groups_that_are_not_ordinary_are_left() {
    let codes: Vec<u8> = (0..Kernel::GROUP * 3).map(|i| (i * i % 3) as u8).collect();
    for kernel in fast() {
        for from in MOVED {
            let whole = encoded(from, &codes, &[0x2c11; 3]);
            let stops_at_the_second = |blocks: &[u8], what: &str| {
                for to in MOVED {
                    let mut out = vec![0x5a; 3 * 72];
                    assert_eq!(kernel.repack((from, to), (blocks, 0x2c11), &mut out), 1, "{kernel} {from} {to} {what}");
                    let bytes = Kernel::GROUP / to.block_len() * to.block_bytes();
                    assert!(out[bytes..].iter().all(|b| *b == 0x5a), "{kernel} {from} {to} {what}");
                }
                assert_eq!(kernel.ordinary_groups(from, blocks, None), 1, "{kernel} {from} {what}");
            };
            if from != Format::Tq1_0 {
                // A code 3 in each of its places.
                let bytes = whole.len() / 3;
                for bit in (0..8 * bytes).step_by(2) {
                    let block = bit / 8 % from.block_bytes();
                    let of_scale = match from {
                        Format::Q2_0 | Format::Q2_0G128 => block < 2,
                        _ => block >= 64,
                    };
                    if of_scale {
                        continue;
                    }
                    let mut blocks = whole.clone();
                    blocks[bytes + bit / 8] |= 3 << (bit % 8);
                    stops_at_the_second(&blocks, "code 3");
                }
            }
            if !from.has_one_scale() {
                stops_at_the_second(&encoded(from, &codes, &[0x2c11, 0x7c00, 0x2c11]), "infinite");
                stops_at_the_second(&encoded(from, &codes, &[0x2c11, 0xfe01, 0x2c11]), "not a number");
            }
            if from.block_len() < Kernel::GROUP && !from.has_one_scale() {
                let mut blocks = whole.clone();
                let last = blocks.len() / 3 * 2 - from.block_bytes();
                blocks[last] ^= 1;
                stops_at_the_second(&blocks, "scales differ");
            }
        }
    }
}

#[test]
fn decoders_give_the_bits_of_the_scalar_ones() {
    let mut noise = Noise::new(33);
    let legacy = [DType::Q4_0, DType::Q4_1, DType::Q5_0, DType::Q5_1, DType::Q8_0];
    let k = [DType::Q2_K, DType::Q3_K, DType::Q4_K, DType::Q5_K, DType::Q6_K];
    for dtype in legacy.into_iter().chain(k).chain([DType::TQ1_0, DType::TQ2_0, DType::Q2_0]) {
        // Any bytes, scales that are no numbers among them.
        let elements = 256 * 400;
        let bytes = dtype.bytes_for(elements).unwrap() as usize;
        let blocks: Vec<u8> = (0..bytes).map(|_| (noise.bits() >> 20) as u8).collect();
        let decoded = |kernel: Kernel| {
            let mut out = vec![9.0f32; elements as usize];
            assert!(decoder_by(kernel, dtype).unwrap().decode_blocks(&blocks, &mut out));
            // Which NaN it is that comes of two is nobody's business.
            out.iter().map(|w| if w.is_nan() { u32::MAX } else { w.to_bits() }).collect::<Vec<u32>>()
        };
        let truth = decoded(Kernel::Scalar);
        for kernel in fast() {
            assert!(decoded(kernel) == truth, "{kernel} {dtype}");
        }
    }
}

#[test]
fn powers_are_summed_alike() {
    let mut weights = adversarial().into_iter().flat_map(|(_, weights)| weights).collect::<Vec<f32>>();
    weights.retain(|w| w.abs() < 1e4);
    weights.extend([0.0, -0.0, 1.5]);
    for n in [0, 1, 15, 16, 17, 300, weights.len()] {
        for owned in Owned::all(&weights[..n]) {
            let truth = Kernel::Scalar.powers(owned.weights());
            let mut buffer = Vec::new();
            let sum = |power: i32| -> f64 {
                owned.weights().singles(&mut buffer.clone()).iter().map(|w| f64::from(*w).powi(power)).sum()
            };
            for (found, power) in [(truth.sum, 1), (truth.square, 2), (truth.cube, 3), (truth.fourth, 4)] {
                assert!((found - sum(power)).abs() <= 1e-9 * sum(4).max(1.0), "{n}: {power}: {found}");
            }
            let zeros = owned.weights().singles(&mut buffer).iter().filter(|w| **w == 0.0).count();
            assert_eq!(truth.zeros, zeros as u64);
            for kernel in fast() {
                assert_eq!(format!("{:?}", kernel.powers(owned.weights())), format!("{truth:?}"), "{kernel} {n}");
            }
        }
    }
    let spoilt = [1.0, f32::NAN, 2.0].repeat(16);
    for kernel in Kernel::available() {
        assert!(!kernel.powers(Weights::F32(&spoilt)).abs.is_finite(), "{kernel}");
        assert!(!kernel.powers(Weights::F32(&[f32::NEG_INFINITY; 32])).abs.is_finite(), "{kernel}");
    }
}

#[test]
fn a_kernel_is_refused_by_name() {
    assert_eq!(Kernel::named("SCALAR"), Ok(Kernel::Scalar));
    assert_eq!(Kernel::named("mmx"), Err(KernelError::Unknown("mmx".to_owned())));
    for kernel in Kernel::ALL {
        let named = Kernel::named(kernel.name());
        if Kernel::available().contains(&kernel) {
            assert_eq!(named, Ok(kernel));
        } else {
            let available = Kernel::available();
            assert_eq!(named, Err(KernelError::Unavailable { wanted: kernel, available }));
        }
    }
}
