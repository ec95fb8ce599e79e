//! Samples of blocks: what a plan picks, and that intervals hold the truth as often as they say.

#![expect(clippy::unwrap_used, reason = "a test's helper may fail the test")]

#[path = "support/noise.rs"]
mod noise;

use noise::Noise;
use tritscope::engine::stats::{ErrorSums, Estimate, SampleMoments, SamplePlan};
use tritscope::engine::ternary::{Method, Scratch, code_block};

/// Squared error and squared weights of one block.
type Pair = (f64, f64);

/// A tensor of `blocks` blocks of 64 weights, coded exactly, as its pairs.
fn tensor(blocks: usize, mut weight: impl FnMut(usize) -> f64) -> Vec<Pair> {
    let (mut trits, mut scratch) = ([0i8; 64], Scratch::default());
    let pair = |block: usize| {
        let weights: [f32; 64] = std::array::from_fn(|_| weight(block) as f32);
        let code = code_block(Method::Exact, &weights, None, &mut trits, &mut scratch).unwrap();
        let mut sums = ErrorSums::default();
        sums.add_block(&weights, code.scale.to_f32(), &trits);
        (sums.sum_e2, sums.sum_w2)
    };
    (0..blocks).map(pair).collect()
}

fn gaussian(blocks: usize, seed: u64) -> Vec<Pair> {
    let mut noise = Noise::new(seed);
    tensor(blocks, |_| 0.02 * noise.normal())
}

fn heavy(blocks: usize, seed: u64) -> Vec<Pair> {
    let mut noise = Noise::new(seed);
    tensor(blocks, |_| 0.02 * noise.student3())
}

/// One block in twenty holds weights of a spread of its own, five times as wide and heavy-tailed.
fn outlier_blocks(blocks: usize, seed: u64) -> Vec<Pair> {
    let mut noise = Noise::new(seed);
    let loud: Vec<bool> = (0..blocks).map(|_| noise.uniform() < 0.05).collect();
    tensor(blocks, |block| if loud[block] { 0.1 * noise.student3() } else { 0.02 * noise.normal() })
}

fn truth(pairs: &[Pair]) -> f64 {
    pairs.iter().map(|p| p.0).sum::<f64>() / pairs.iter().map(|p| p.1).sum::<f64>()
}

fn sampled(pairs: &[Pair], wanted: usize, seed: u64) -> SampleMoments {
    let mut moments = SampleMoments::new(pairs.len() as u64);
    for i in SamplePlan::new(pairs.len() as u64, wanted, seed).iter() {
        let (e2, w2) = pairs[i as usize];
        moments.add(e2, w2);
    }
    moments
}

fn holds(estimate: Estimate, truth: f64) -> bool {
    estimate.low <= truth && truth <= estimate.high
}

/// Share of samples whose interval holds the truth, over 12 tensors with 200 samples each, and the median width of the
/// intervals relative to the truth.
fn coverage(make: fn(usize, u64) -> Vec<Pair>, wanted: usize) -> (f64, f64) {
    let mut held = 0;
    let mut widths = Vec::new();
    for tensor in 0..12 {
        let pairs = make(4096, 7 * tensor + 1);
        let truth = truth(&pairs);
        for seed in 0..200 {
            let estimate = sampled(&pairs, wanted, seed).estimate();
            held += u32::from(holds(estimate, truth));
            widths.push((estimate.high - estimate.low) / truth);
        }
    }
    widths.sort_by(f64::total_cmp);
    (f64::from(held) / widths.len() as f64, widths[widths.len() / 2])
}

#[test]
fn intervals_hold_the_truth_on_gaussian_weights_and_stay_narrow() {
    for (wanted, widest) in [(32, 0.13), (64, 0.10), (256, 0.05), (1024, 0.02)] {
        let (held, width) = coverage(gaussian, wanted);
        println!("{wanted}: {held:.3}, width {width:.4}");
        assert!((0.94..0.995).contains(&held), "{wanted}: {held}");
        assert!(width < widest, "{wanted}: {width}");
    }
}

#[test]
fn intervals_hold_the_truth_in_nine_of_ten_samples_of_heavy_tails() {
    for wanted in [64, 256, 1024] {
        let (held, width) = coverage(heavy, wanted);
        println!("{wanted}: {held:.3}, width {width:.4}");
        assert!(held >= 0.9, "{wanted}: {held}");
    }
}

#[test]
fn intervals_hold_the_truth_with_rare_loud_blocks() {
    for wanted in [64, 256, 1024] {
        let (held, width) = coverage(outlier_blocks, wanted);
        println!("{wanted}: {held:.3}, width {width:.4}");
        assert!(held >= 0.93, "{wanted}: {held}");
    }
}

#[test]
fn a_sample_of_everything_is_exact() {
    let pairs = heavy(50, 4);
    let estimate = sampled(&pairs, 50, 0).estimate();
    assert!((estimate.value - truth(&pairs)).abs() < 1e-12);
    assert_eq!((estimate.low, estimate.high), (estimate.value, estimate.value));
}

#[test]
fn a_single_block_of_many_says_nothing_of_the_spread() {
    let estimate = sampled(&gaussian(10, 5), 1, 0).estimate();
    assert_eq!((estimate.low, estimate.high), (0.0, f64::INFINITY));
    let nothing = SampleMoments::new(10).estimate();
    assert_eq!((nothing.value, nothing.low, nothing.high), (0.0, 0.0, 0.0));
}

#[test]
fn intervals_never_reach_below_zero_and_always_hold_the_estimate() {
    for seed in 0..200 {
        let e = sampled(&outlier_blocks(300, seed), 2 + seed as usize % 9, seed).estimate();
        assert!(0.0 <= e.low && e.low <= e.value && e.value <= e.high, "{e:?}");
    }
}

#[test]
fn blocks_without_error_or_without_weights_give_zero() {
    let mut moments = SampleMoments::new(100);
    (0..10).for_each(|_| moments.add(0.0, 0.0));
    assert_eq!(moments.estimate(), Estimate { value: 0.0, low: 0.0, high: 0.0 });
    (0..10).for_each(|_| moments.add(0.0, 3.0));
    assert_eq!(moments.estimate(), Estimate { value: 0.0, low: 0.0, high: 0.0 });
}

#[test]
fn the_intervals_of_a_model_hold_its_truth() {
    let tensors: Vec<Vec<Pair>> = (0..20u64)
        .map(|i| {
            let gain = 10f64.powi(i as i32 % 3);
            let pairs = if i % 4 == 0 { heavy(1000, i) } else { gaussian(500 + 100 * i as usize, i) };
            pairs.into_iter().map(|(e2, w2)| (e2 * gain, w2 * gain)).collect()
        })
        .collect();
    let all: Vec<Pair> = tensors.iter().flatten().copied().collect();
    let truth = truth(&all);
    let estimates: Vec<Estimate> = (0..500)
        .map(|seed| {
            let parts: Vec<SampleMoments> =
                tensors.iter().zip(0u64..).map(|(pairs, i)| sampled(pairs, 32, seed * 100 + i)).collect();
            SampleMoments::combine(parts.iter())
        })
        .collect();
    let held = estimates.iter().filter(|e| holds(**e, truth)).count();
    let width = estimates.iter().map(|e| e.high - e.low).sum::<f64>() / 500.0 / truth;
    println!("{held} of 500, width {width:.4}");
    assert!(held >= 450, "{held}");
    assert!(width < 0.5, "{width}");
}
