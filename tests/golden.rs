//! Decoders and llama.cpp's own quantizer against vectors made by ggml (tests/data/ggml), bit for bit.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test's helper may fail the test")]

use std::path::PathBuf;

use tritscope::engine::codec::{DType, decoder};
use tritscope::engine::ternary::{Format, Method, Scratch, code_block, encode_block};

/// Fixture names of the types that are decoded, except F32 (which the fixtures themselves are written in).
const NAMES: [&str; 27] = [
    "f16", "bf16", "q4_0", "q4_1", "q5_0", "q5_1", "q8_0", "q2_K", "q3_K", "q4_K", "q5_K", "q6_K", "tq1_0", "tq2_0",
    "q2_0", "iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq3_xxs", "iq3_s", "iq4_nl", "iq4_xs", "mxfp4", "nvfp4",
    "q1_0",
];

fn bytes(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/ggml").join(name);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn floats(name: &str) -> Vec<f32> {
    bytes(name).chunks_exact(4).map(|c| f32::from_le_bytes(c.try_into().unwrap())).collect()
}

/// The same bits, or both NaN (whose payloads a conversion may change).
fn same(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan()))
}

struct Golden {
    dtype: DType,
    block_len: usize,
    block_bytes: usize,
    packed: Vec<u8>,
    decoded: Vec<f32>,
}

impl Golden {
    /// Both vectors of a type: the one made by its quantizer and the one of random bytes.
    fn both(name: &str) -> [Self; 2] {
        let dtype = DType::from_name(name).unwrap();
        let layout = dtype.layout().unwrap();
        ["", ".rand"].map(|kind| Self {
            dtype,
            block_len: layout.block_len as usize,
            block_bytes: layout.block_bytes as usize,
            packed: bytes(&format!("{name}{kind}.q")),
            decoded: floats(&format!("{name}{kind}.f32")),
        })
    }

    fn blocks(&self) -> usize {
        self.packed.len() / self.block_bytes
    }

    /// Decodes blocks `from..to` into a buffer of their own and compares.
    fn check(&self, from: usize, to: usize) {
        // A value that no fixture has, so that an element left unwritten shows.
        let mut out = vec![f32::from_bits(0x5a5a_5a5a); (to - from) * self.block_len];
        let decoder = decoder(self.dtype).unwrap();
        assert!(decoder.decode_blocks(&self.packed[from * self.block_bytes..to * self.block_bytes], &mut out));
        let want = &self.decoded[from * self.block_len..to * self.block_len];
        assert!(same(&out, want), "{} blocks {from}..{to}", self.dtype);
    }
}

#[test]
fn every_decoder_agrees_with_ggml_in_every_bit() {
    for name in NAMES {
        for golden in Golden::both(name) {
            assert_eq!(golden.packed.len() * golden.block_len, golden.decoded.len() * golden.block_bytes, "{name}");
            golden.check(0, golden.blocks());
        }
    }
}

#[test]
fn decoding_part_of_the_blocks_gives_that_part() {
    for name in NAMES {
        for golden in Golden::both(name) {
            let n = golden.blocks();
            for i in 0..n {
                golden.check(0, i);
                golden.check(i, n);
                golden.check(i, i + 1);
            }
            // All ranges where there are few enough blocks to try them.
            for from in 0..if n <= 64 { n } else { 0 } {
                (from..=n).for_each(|to| golden.check(from, to));
            }
        }
    }
}

#[test]
fn f32_decodes_to_itself() {
    let (raw, want) = (bytes("input.f32"), floats("input.f32"));
    let mut out = vec![0.0; want.len()];
    assert!(decoder(DType::F32).unwrap().decode_blocks(&raw, &mut out));
    assert!(same(&out, &want));
}

#[test]
fn types_and_block_sizes_are_those_of_the_index() {
    let index = String::from_utf8(bytes("index.tsv")).unwrap();
    let mut seen = 0;
    for line in index.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let dtype = DType::from_name(fields[0]).unwrap_or_else(|| panic!("{}", fields[0]));
        let layout = dtype.layout().unwrap();
        let got = [u64::from(dtype.number().unwrap()), layout.block_len, layout.block_bytes].map(|n| n.to_string());
        assert_eq!(got, fields[1..4], "{}", fields[0]);
        seen += usize::from(NAMES.contains(&fields[0]));
    }
    assert_eq!(seen, NAMES.len());
}

#[test]
fn a_type_without_a_decoder_is_not_guessed() {
    for dtype in [DType::of_number(36), DType::of_number(134), DType::of_number(999)] {
        assert!(decoder(dtype).is_none(), "{dtype}");
    }
}

#[test]
fn max_writes_the_bytes_of_llama_cpp() {
    let input = floats("input.f32");
    for format in [Format::Tq2_0, Format::Tq1_0, Format::Q2_0] {
        let mut trits = vec![0; format.block_len()];
        let mut out = vec![0xaa; format.block_bytes()];
        let want = bytes(&format!("{format}.q"));
        assert_eq!(want.len() / format.block_bytes(), input.len() / format.block_len());
        for (i, w) in input.chunks_exact(format.block_len()).enumerate() {
            let code = code_block(Method::Max, w, None, &mut trits, &mut Scratch::default()).unwrap();
            encode_block(format, code.scale, &trits, &mut out);
            assert_eq!(out, want[i * format.block_bytes()..][..format.block_bytes()], "{format} block {i}");
        }
    }
}
