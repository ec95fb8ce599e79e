//! Ternary tensors of known origin: what their figures are, and that the verdict finds the origin again.

#![expect(clippy::expect_used, reason = "a test's helper may fail the test")]

#[path = "support/noise.rs"]
mod noise;

use noise::Noise;
use tritscope::engine::stats::forensics::{CodeThree, Context, SignAgreement, TritForensics, VerdictKind, verdict};
use tritscope::engine::ternary::{Method, Scratch, code_block};

/// Weights of a tensor: `rows` rows of `row_len` standard normal or Laplace weights, rows of different size.
fn weights(rows: usize, row_len: usize, laplace: bool, row_spread: f64) -> Vec<f32> {
    let mut noise = Noise::new(11);
    let mut out = Vec::with_capacity(rows * row_len);
    for _ in 0..rows {
        let size = 0.02 * (row_spread * noise.normal()).exp();
        for _ in 0..row_len {
            let x = if laplace { noise.normal() * (-(1.0 - noise.uniform()).ln()).sqrt() } else { noise.normal() };
            out.push((size * x) as f32);
        }
    }
    out
}

/// Codes a tensor block by block and gathers what there is to see.
fn quantized(weights: &[f32], row_len: usize, block: usize, method: Method) -> (TritForensics, SignAgreement) {
    let mut forensics = TritForensics::new(CodeThree::Illegal, row_len as u64, 0);
    let mut agreement = SignAgreement::default();
    let (mut trits, mut scratch) = (vec![0i8; block], Scratch::default());
    for w in weights.chunks_exact(block) {
        let code = code_block(method, w, None, &mut trits, &mut scratch).expect("finite weights are coded");
        let codes: Vec<u8> = trits.iter().map(|t| (t + 1) as u8).collect();
        forensics.add_block(&codes, code.scale.to_f32(), 0);
        agreement.add(&codes, w);
    }
    (forensics, agreement)
}

/// Asserts that `got` lies within `reach` of `want`.
fn near(what: &str, got: f64, want: f64, reach: f64) {
    assert!((got - want).abs() <= reach, "{what}: {got}, expected {want} ± {reach}");
}

#[test]
fn each_rule_leaves_its_share_of_zeros_and_its_spread_on_normal_weights() {
    // Shares: P(|x| < t) with t = ½·0.7979, ¾·0.7979 and 0.6121 (half of the best scale 1.2242, Max 1960); for max of
    // half the mean largest |x|. Spreads from a simulation of 20 000 blocks with another generator.
    let cases = [
        (Method::Absmean, 64, 0.310, 0.60),
        (Method::Absmean, 256, 0.310, 0.60),
        (Method::Refit, 256, 0.310, 0.60),
        (Method::Twn, 64, 0.450, 0.45),
        (Method::Twn, 256, 0.450, 0.45),
        (Method::Exact, 64, 0.456, 1.52),
        (Method::Exact, 256, 0.459, 1.51),
        (Method::Max, 64, 0.796, 2.20),
        (Method::Max, 256, 0.866, 4.71),
    ];
    let w = weights(512, 2048, false, 0.0);
    for (method, block, share, spread) in cases {
        let (f, _) = quantized(&w, 2048, block, method);
        let name = format!("{method} in blocks of {block}");
        near(&name, f.zero_share(), share, 0.004);
        near(&name, f.zero_dispersion(), spread, 0.06 * spread);
        near(&name, f.sign_balance(), 0.0, 0.005);
        assert_eq!((f.rows.rows(), f.zero_blocks, f.duplicates.repeated()), (512, 0, 0), "{name}");
        near(&name, f.rows.mean(), share, 0.004);
    }
}

#[test]
fn quantizing_afterwards_is_found_for_every_rule_block_and_distribution() {
    for (laplace, row_spread) in [(false, 0.0), (false, 0.3), (true, 0.0), (true, 0.3)] {
        let w = weights(256, 1024, laplace, row_spread);
        for (method, rule) in [
            (Method::Absmean, "absmean"),
            (Method::Refit, "absmean"),
            (Method::Twn, "¾ mean"),
            (Method::Exact, "least squared error"),
            (Method::Max, "llama.cpp"),
        ] {
            for block in [64, 128, 256] {
                let (f, _) = quantized(&w, 1024, block, method);
                let found = verdict(&f, Context::default());
                let name = format!("{method} {block} laplace {laplace} rows {row_spread}: {found:?}");
                assert_eq!(found.kind, VerdictKind::PostTraining, "{name}");
                assert!(found.evidence[1].contains(rule), "{name}");
            }
        }
    }
}

#[test]
fn one_scale_for_the_matrix_is_found_native_by_whatever_rule_it_is_packed() {
    let w = weights(64, 1024, true, 0.3);
    let gamma = w.iter().map(|w| f64::from(w.abs())).sum::<f64>() / w.len() as f64;
    let native: Vec<f32> =
        w.iter().map(|w| (gamma * (f64::from(*w) / gamma).round().clamp(-1.0, 1.0)) as f32).collect();
    for method in [Method::Max, Method::Exact, Method::Twn, Method::Refit] {
        for block in [64, 256] {
            let (f, agreement) = quantized(&native, 1024, block, method);
            let found = verdict(&f, Context::default());
            assert_eq!(found.kind, VerdictKind::NativelyTernary, "{method} {block}: {found:?}");
            assert_eq!((f.scales.distinct(), f.scales.std(), f.scales.changes()), (1, 0.0, 0), "{method} {block}");
            assert_eq!((agreement.share(), agreement.disagree), (Some(1.0), 0));
            near("correlation", agreement.correlation().unwrap_or(0.0), 1.0, 1e-9);
        }
    }
    // absmean takes a mean of each block even then, and so hides where the trits come from.
    let (f, _) = quantized(&native, 1024, 256, Method::Absmean);
    assert_ne!(verdict(&f, Context::default()).kind, VerdictKind::NativelyTernary);
}

#[test]
fn merged_experts_with_a_scale_each_are_native_and_need_their_number() {
    let mut forensics = TritForensics::new(CodeThree::Illegal, 1024, 0);
    let mut noise = Noise::new(5);
    for expert in 0..32u8 {
        for _ in 0..64 {
            let codes: Vec<u8> = (0..256).map(|_| (noise.bits() % 3) as u8).collect();
            forensics.add_block(&codes, 0.02 + 0.0003 * f32::from(expert), 0);
        }
    }
    let experts = Context { matrices: 32, ..Context::default() };
    assert_eq!(verdict(&forensics, experts).kind, VerdictKind::NativelyTernary);
    assert_eq!(verdict(&forensics, Context::default()).kind, VerdictKind::Unclear);
    near("dispersion", forensics.zero_dispersion(), 1.0, 0.1);
    near("entropy", forensics.entropy(), 3f64.log2(), 1e-4);
}

#[test]
fn signs_agree_with_the_base_and_with_nobody_else() {
    let w = weights(64, 1024, false, 0.0);
    let (_, own) = quantized(&w, 1024, 256, Method::Exact);
    assert_eq!(own.share(), Some(1.0));
    // ρ = (2φ(t) − E|x|·p) ÷ √((1 − 2/π)·p(1 − p)) for normal x, with t = 0.612 and p = P(|x| > t) = 0.5405: 0.767.
    near("correlation", own.correlation().unwrap_or(0.0), 0.767, 0.005);
    let mut stranger = SignAgreement::default();
    let codes: Vec<u8> = w.iter().map(|w| u8::from(*w > 0.012) + 1 - u8::from(*w < -0.012)).collect();
    let shifted: Vec<f32> = w[1..].iter().chain(&w[..1]).copied().collect();
    stranger.add(&codes, &shifted);
    near("share", stranger.share().unwrap_or(0.0), 0.5, 0.01);
    near("correlation", stranger.correlation().unwrap_or(1.0), 0.0, 0.015);
}
