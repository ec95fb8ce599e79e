//! Codes and scales of ternary blocks against ggml's own decoding (tests/data/ggml): scale × level is the weight, for
//! what its quantizer wrote and for random bytes.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helper may fail the test")]

use std::path::PathBuf;

use tritscope::engine::codec::codes::{CodesOf, codes_of_q2_0, codes_of_tq1_0, codes_of_tq2_0};

fn bytes(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/ggml").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Compares every block; returns how many bytes were illegal.
fn check(name: &str, codes_of: CodesOf, len: usize, block_bytes: usize) -> u32 {
    let (packed, decoded) = (bytes(&format!("{name}.q")), bytes(&format!("{name}.f32")));
    let decoded: Vec<f32> = decoded.chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect();
    assert_eq!(packed.len() / block_bytes * len, decoded.len());
    let mut codes = vec![0; len];
    let mut illegal = 0;
    for (block, want) in packed.chunks_exact(block_bytes).zip(decoded.chunks_exact(len)) {
        let found = codes_of(block, &mut codes);
        illegal += found.illegal_bytes;
        for (code, want) in codes.iter().zip(want) {
            let got = found.scale * (f32::from(*code) - 1.0);
            assert!(got.to_bits() == want.to_bits() || (got.is_nan() && want.is_nan()), "{name}: {got} {want}");
        }
    }
    illegal
}

#[test]
fn codes_times_scale_are_ggml_s_weights() {
    assert_eq!(check("tq2_0", codes_of_tq2_0, 256, 66), 0);
    assert_eq!(check("tq1_0", codes_of_tq1_0, 256, 54), 0);
    assert_eq!(check("q2_0", codes_of_q2_0, 64, 18), 0);
    // A random byte is illegal with probability 1 − (3/4)⁴ = 0.68 in TQ2_0, 13/256 (qh: 175/256) in TQ1_0.
    let illegal = check("tq2_0.rand", codes_of_tq2_0, 256, 66);
    assert!((300..400).contains(&illegal), "{illegal}");
    let illegal = check("tq1_0.rand", codes_of_tq1_0, 256, 54);
    assert!((20..70).contains(&illegal), "{illegal}");
    assert_eq!(check("q2_0.rand", codes_of_q2_0, 64, 18), 0);
}
