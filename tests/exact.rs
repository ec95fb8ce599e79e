//! The exact optimum against brute force, and what the rounding of its scale does to the trits.

#![expect(clippy::panic, reason = "a test's helper may fail the test")]

#[path = "support/noise.rs"]
mod noise;

use noise::{assorted, importances};
use tritscope::engine::ternary::{BlockCode, Method, Scratch, code_block, optimum};

/// Codes a block whose scale f16 holds.
fn code(method: Method, weights: &[f32], importance: Option<&[f32]>) -> (BlockCode, Vec<i8>) {
    let mut trits = vec![77; weights.len()];
    match code_block(method, weights, importance, &mut trits, &mut Scratch::default()) {
        Ok(code) => (code, trits),
        Err(e) => panic!("{method}: {e}"),
    }
}

/// Importance as quality.md normalises it, computed anew.
fn q_of(importance: Option<&[f32]>, n: usize) -> Vec<f64> {
    let Some(importance) = importance else { return vec![1.0; n] };
    let mean = importance.iter().map(|v| f64::from(*v)).sum::<f64>() / n as f64;
    importance.iter().map(|v| f64::from(*v) / mean + 1e-6).collect()
}

/// Gain of a code over all zeros at its best scale.
fn gain(weights: &[f32], q: &[f64], trits: &[i8]) -> f64 {
    let terms = weights.iter().zip(q).zip(trits).filter(|(_, t)| **t != 0);
    let (dot, mass) =
        terms.fold((0.0, 0.0), |(dot, mass), ((w, q), t)| (dot + q * f64::from(*w) * f64::from(*t), mass + q));
    if dot > 0.0 { dot * dot / mass } else { 0.0 }
}

/// Weighted squared error of a code.
fn error(weights: &[f32], q: &[f64], scale: f64, trits: &[i8]) -> f64 {
    let terms = weights.iter().zip(q).zip(trits);
    terms.map(|((w, q), t)| q * (f64::from(*w) - scale * f64::from(*t)).powi(2)).sum()
}

/// How far a gain may be from that of the search: with importance products are in f32.
fn slack(importance: Option<&[f32]>) -> f64 {
    if importance.is_some() { 1e-6 } else { 1e-12 }
}

#[test]
fn the_optimum_is_that_of_a_search_over_every_prefix() {
    let importance = importances(256, 20);
    for block in assorted(256, 100, 14) {
        for importance in [None, Some(importance.as_slice())] {
            let q = q_of(importance, 256);
            let mut order: Vec<usize> = (0..256).collect();
            order.sort_by(|a, b| block[*b].abs().total_cmp(&block[*a].abs()));
            let mut trits = [0i8; 256];
            let mut best = 0.0f64;
            for i in order {
                trits[i] = if block[i] < 0.0 { -1 } else { 1 };
                best = best.max(gain(&block, &q, &trits));
            }
            let found = optimum(&block, importance, &mut Scratch::default());
            assert!((found.gain - best).abs() <= slack(importance) * best, "{} {best}", found.gain);
            // What the three fields say must agree with each other.
            let kept = code_of(&block, found.scale);
            assert!((gain(&block, &q, &kept) - best).abs() <= 1e-9 * best);
        }
    }
}

/// Trits that are best for a scale.
fn code_of(weights: &[f32], scale: f64) -> Vec<i8> {
    weights.iter().map(|w| if f64::from(w.abs()) > scale / 2.0 { w.signum() as i8 } else { 0 }).collect()
}

#[test]
fn no_code_of_a_small_block_beats_the_optimum() {
    for n in 1..=8usize {
        let importance = importances(n, 21 + n as u64);
        for block in assorted(n, 25, 15 + n as u64) {
            for importance in [None, Some(importance.as_slice())] {
                let q = q_of(importance, n);
                let mut best = 0.0f64;
                for number in 0..3usize.pow(n as u32) {
                    let trits: Vec<i8> = (0..n).map(|i| (number / 3usize.pow(i as u32) % 3) as i8 - 1).collect();
                    best = best.max(gain(&block, &q, &trits));
                }
                let found = optimum(&block, importance, &mut Scratch::default());
                assert!((found.gain - best).abs() <= slack(importance) * best, "{block:?}: {} {best}", found.gain);
                let loss = error(&block, &q, found.scale, &code_of(&block, found.scale));
                let zeros = error(&block, &q, 0.0, &vec![0; n]);
                assert!((zeros - best - loss).abs() <= slack(importance).max(1e-9) * zeros, "{block:?}");
            }
        }
    }
}

#[test]
fn of_equal_supports_the_shortest_is_taken() {
    // Supports {4} and {4, 1×8}: 16 and (4+8)²/9 = 16.
    let block = [1.0, -1.0, 1.0, 4.0, 1.0, 1.0, 1.0, 1.0, 1.0];
    let found = optimum(&block, None, &mut Scratch::default());
    assert_eq!((found.support, found.scale, found.gain), (1, 4.0, 16.0));
    let even = optimum(&block, Some(&[2.5; 9]), &mut Scratch::default());
    assert_eq!(even.support, 1);
}

#[test]
fn exact_is_never_worse_than_another_method() {
    for n in [64, 256] {
        for block in assorted(n, 100, 16) {
            let found = optimum(&block, None, &mut Scratch::default());
            let energy = error(&block, &vec![1.0; n], 0.0, &vec![0; n]);
            for method in Method::COMPARED {
                let (got, trits) = code(method, &block, None);
                let loss = error(&block, &vec![1.0; n], f64::from(got.scale.to_f32()), &trits);
                assert!(energy - found.gain <= loss + 1e-12 * energy, "{method}: {} {loss}", energy - found.gain);
            }
        }
    }
}

#[test]
fn exact_chooses_the_trits_that_are_best_for_the_rounded_scale() {
    for block in assorted(256, 100, 17) {
        let (got, trits) = code(Method::Exact, &block, None);
        let scale = f64::from(got.scale.to_f32());
        for (w, t) in block.iter().zip(&trits) {
            let loss = |t: i8| (f64::from(*w) - scale * f64::from(t)).powi(2);
            assert!((-1..=1).all(|other| loss(*t) <= loss(other)), "{w} {t} {scale}");
        }
    }
}

#[test]
fn importance_moves_exact_and_nothing_else() {
    let importance = importances(256, 22);
    let mut moved = 0;
    for block in assorted(256, 30, 18) {
        for method in Method::COMPARED {
            let (plain, with) = (code(method, &block, None), code(method, &block, Some(&importance)));
            if method == Method::Exact {
                moved += u32::from(plain != with);
            } else {
                assert_eq!(plain, with, "{method}");
            }
        }
    }
    assert!(moved > 10, "{moved}");
}

#[test]
fn importance_without_information_is_as_if_it_were_not_there() {
    for block in assorted(64, 20, 19) {
        let plain = code(Method::Exact, &block, None);
        for importance in [[0.0; 64], [3.5; 64], [f32::INFINITY; 64], [f32::NAN; 64]] {
            assert_eq!(code(Method::Exact, &block, Some(&importance)), plain);
        }
    }
}
