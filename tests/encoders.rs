//! Encoders against ggml's own quantizers, on the vectors in tests/data/ggml: the types of kept tensors bit for bit,
//! IQ1_S by its error.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helper may fail the test")]

use std::path::PathBuf;

use tritscope::engine::codec::{EncodeError, Iq1Scratch, encode_iq1_s, encode_q4_0, encode_q6_k, encode_q8_0};

fn bytes(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/ggml").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn floats(name: &str) -> Vec<f32> {
    bytes(name).chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect()
}

#[test]
fn kept_types_are_ggmls_bytes() {
    type Encode = fn(&[f32], &mut [u8]) -> Result<(), EncodeError>;
    // The `.plain` vectors were made without an importance matrix; Q8_0 has no use for one.
    let cases: [(&str, Encode, usize, usize); 3] = [
        ("q8_0.q", encode_q8_0, 32, 34),
        ("q4_0.plain.q", encode_q4_0, 32, 18),
        ("q6_K.plain.q", encode_q6_k, 256, 210),
    ];
    let weights = floats("input.f32");
    for (name, encode, len, size) in cases {
        let want = bytes(name);
        assert_eq!(want.len() * len, weights.len() * size, "{name}");
        for (i, (weights, want)) in weights.chunks_exact(len).zip(want.chunks_exact(size)).enumerate() {
            let mut block = vec![0xa5; size];
            encode(weights, &mut block).unwrap();
            assert_eq!(block, want, "{name}, block {i}");
        }
    }
}

/// Weighted and plain squared error of IQ1_S blocks, decoded by the layout's description alone.
fn iq1_s_errors(weights: &[f32], importance: &[f32], blocks: &[u8]) -> (f64, f64) {
    let codebook = include_bytes!("../src/engine/codec/tables/iq1s_grid.bin");
    let (mut weighted, mut plain) = (0.0, 0.0);
    for (i, (w, q)) in weights.iter().zip(importance.iter().cycle()).enumerate() {
        let block = &blocks[i / 256 * 50..][..50];
        let (group, octet) = (i % 256 / 32, i % 32 / 8);
        let high = u16::from_le_bytes([block[34 + 2 * group], block[35 + 2 * group]]);
        let entry = usize::from(block[2 + 4 * group + octet]) | usize::from(high >> (3 * octet) & 7) << 8;
        let delta = if high & 0x8000 == 0 { 0.125 } else { -0.125 };
        let scale = half::f16::from_le_bytes([block[0], block[1]]).to_f64() * f64::from(2 * (high >> 12 & 7) + 1);
        let y = scale * (f64::from(codebook[8 * entry + i % 8] as i8) + delta);
        plain += (f64::from(*w) - y).powi(2);
        weighted += f64::from(*q) * (f64::from(*w) - y).powi(2);
    }
    (weighted, plain)
}

#[test]
fn iq1_s_leaves_less_error_than_ggmls_quantizer() {
    let (weights, importance) = (floats("input.f32"), floats("importance.f32"));
    let ggml = iq1_s_errors(&weights, &importance, &bytes("iq1_s.q"));
    let (mut blocks, mut scratch) = (vec![0; weights.len() / 256 * 50], Iq1Scratch::default());
    for (i, block) in blocks.chunks_exact_mut(50).enumerate() {
        let importance = &importance[256 * i % importance.len()..][..256];
        encode_iq1_s(&weights[256 * i..][..256], Some(importance), block, &mut scratch).unwrap();
    }
    let ours = iq1_s_errors(&weights, &importance, &blocks);
    assert!(ours.0 < 0.9 * ggml.0, "weighted: {} of {}", ours.0, ggml.0);
    assert!(ours.1 < ggml.1, "plain: {} of {}", ours.1, ggml.1);
}
