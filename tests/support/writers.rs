//! Ternary files as other programs write them, and the codes that are in them.
//!
//! Every layout is written here from its description, element by element and slowly, without the program's encoders: a
//! mistake that encoder and decoder share would show.

use half::f16;
use tritscope::engine::codec::DType;

use super::{Kv, Tiny, TinyTensor, f16_bytes, f32_bytes, normals};

/// What a ternary tensor says: codes (trit + 1; 3 where the format has it) and scales, one a block or one for all.
#[derive(Debug, Clone, PartialEq)]
pub struct Coded {
    /// Elements of a row.
    pub row: usize,
    pub codes: Vec<u8>,
    pub scales: Vec<f32>,
}

/// Weights of a block of a ternary type; 0 where the tensor has one scale.
pub fn group_of(dtype: DType) -> usize {
    match dtype {
        DType::TQ1_0 | DType::TQ2_0 | DType::T158 => 256,
        DType::Q2_0 => 64,
        DType::Q2_0_G128 | DType::PQ2_0 => 128,
        _ => 0,
    }
}

/// Elements of such a tensor must be a multiple of this, those of a row of the second number.
pub fn grains(dtype: DType) -> (usize, usize) {
    match dtype {
        DType::TQ1_0 | DType::TQ2_0 => (256, 256),
        DType::Q2_0 => (64, 64),
        DType::Q2_0_G128 | DType::PQ2_0 => (128, 128),
        DType::I2_S => (128, 1),
        DType::I2_S_ARM => (64, 1),
        _ => (1, 1),
    }
}

/// Random numbers, the same everywhere.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.below(256) as u8).collect()
    }
}

impl Coded {
    /// Random trits; scales that f16 holds, all different, or one for all where `dtype` has one.
    pub fn random(dtype: DType, row: usize, rows: usize, seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let codes = (0..row * rows).map(|_| dice.below(3) as u8).collect::<Vec<_>>();
        let blocks = if group_of(dtype) == 0 { 1 } else { codes.len().div_ceil(group_of(dtype)) };
        let scales = (0..blocks as u64).map(|i| f16::from_f32((1.0 + (i + seed % 7) as f32 * 0.013) * 0.021).to_f32());
        Self { row, codes, scales: scales.collect() }
    }

    /// The same with this scale in every block.
    pub fn with_scale(mut self, scale: f32) -> Self {
        self.scales.fill(scale);
        self
    }

    pub fn scale_of(&self, dtype: DType, element: usize) -> f32 {
        if group_of(dtype) == 0 { self.scales[0] } else { self.scales[element / group_of(dtype)] }
    }

    /// What the writer means: scale × (code − 1); code 3 is +2 to ggml and PrismML, nothing to the others.
    pub fn weights(&self, dtype: DType) -> Vec<f32> {
        let nothing = matches!(dtype, DType::T158 | DType::I2_S | DType::I2_S_ARM | DType::I2_S_ROWS);
        let level = |code: u8| if code == 3 && nothing { 0.0 } else { f32::from(code) - 1.0 };
        self.codes.iter().enumerate().map(|(i, c)| self.scale_of(dtype, i) * level(*c)).collect()
    }

    /// The tensor's bytes.
    pub fn bytes(&self, dtype: DType) -> Vec<u8> {
        match dtype {
            DType::I2_S => self.i2_s(|j| (j / 128 * 32 + j % 32, 6 - 2 * (j % 128 / 32))),
            DType::I2_S_ARM => self.i2_s(|j| (j / 64 * 16 + j % 16, 6 - 2 * (j % 64 / 16))),
            DType::I2_S_ROWS => {
                let columns = self.row;
                self.i2_s(|j| (j / columns / 4 * columns + j % columns, 6 - 2 * (j / columns % 4)))
            }
            _ => {
                let group = group_of(dtype);
                let blocks = self.codes.chunks(group).zip(&self.scales);
                blocks.flat_map(|(codes, scale)| block(dtype, codes, f16::from_f32(*scale).to_le_bytes())).collect()
            }
        }
    }

    /// Codes at (byte, bit), then the scale, then filler that nobody zeroed.
    fn i2_s(&self, place: impl Fn(usize) -> (usize, usize)) -> Vec<u8> {
        let mut out = vec![0u8; self.codes.len() / 4];
        for (j, code) in self.codes.iter().enumerate() {
            let (byte, bit) = place(j);
            out[byte] |= code << bit;
        }
        out.extend(self.scales[0].to_le_bytes());
        out.extend(Dice::new(self.codes.len() as u64).bytes(28));
        out
    }
}

/// One block with an f16 scale.
fn block(dtype: DType, codes: &[u8], scale: [u8; 2]) -> Vec<u8> {
    match dtype {
        DType::TQ2_0 => {
            let mut qs = vec![0u8; 64];
            for (j, code) in codes.iter().enumerate() {
                qs[j / 128 * 32 + j % 32] |= code << (2 * (j % 128 / 32));
            }
            [qs, scale.to_vec()].concat()
        }
        DType::TQ1_0 => [tq1_digits(codes), scale.to_vec()].concat(),
        DType::T158 => [in_order(codes, 64), scale.to_vec()].concat(),
        _ => [scale.to_vec(), in_order(codes, group_of(dtype) / 4)].concat(),
    }
}

/// Four codes a byte, the first lowest; what is missing is zero bits.
fn in_order(codes: &[u8], bytes: usize) -> Vec<u8> {
    let mut qs = vec![0u8; bytes];
    for (j, code) in codes.iter().enumerate() {
        qs[j / 4] |= code << (2 * (j % 4));
    }
    qs
}

/// Five digits a byte, the first most significant, as the fraction ⌈q·256/243⌉.
fn tq1_digits(codes: &[u8]) -> Vec<u8> {
    let byte = |digits: &[u8]| {
        let q = digits.iter().fold(0u32, |q, d| q * 3 + u32::from(*d)) * 3u32.pow(5 - digits.len() as u32);
        (q * 256).div_ceil(243) as u8
    };
    let long = |m: usize| (0..5).map(|n| codes[m + 32 * n]).collect::<Vec<u8>>();
    let middle = |m: usize| (0..5).map(|n| codes[160 + m + 16 * n]).collect::<Vec<u8>>();
    let short = |m: usize| (0..4).map(|n| codes[240 + m + 4 * n]).collect::<Vec<u8>>();
    let groups = (0..32).map(long).chain((0..16).map(middle)).chain((0..4).map(short));
    groups.map(|digits| byte(&digits)).collect()
}

/// A GGUF of another program: any type number, any bytes.
impl Tiny {
    /// Adds a tensor under a bare type number.
    pub fn numbered(mut self, name: &str, dims: &[u64], number: u32, data: Vec<u8>) -> Self {
        let (name, dims) = (name.as_bytes().to_vec(), dims.to_vec());
        self.tensors.push(TinyTensor { name, dims, type_number: number, data, offset: None, n_dims: None });
        self
    }

    /// Adds a ternary tensor with dimensions `[row, rows]`.
    pub fn coded(self, name: &str, dtype: DType, coded: &Coded) -> Self {
        let dims = [coded.row as u64, (coded.codes.len() / coded.row) as u64];
        self.tensor(name, &dims, dtype, coded.bytes(dtype))
    }

    /// Another `general.architecture`.
    pub fn architecture(mut self, name: &str) -> Self {
        self.kvs[0].1 = Kv::Str(name.into());
        self
    }
}

/// A model of bitnet.cpp: I2_S in one of its packings, norms in F32, embeddings in F16.
pub fn bitnet_cpp(packing: DType, layers: u64) -> (Tiny, Vec<(String, Coded)>) {
    let mut tiny = Tiny::default()
        .architecture("bitnet-b1.58")
        .kv("general.file_type", Kv::U32(40))
        .kv("bitnet-b1.58.block_count", Kv::U32(layers as u32))
        .kv("general.quantization_version", Kv::U32(2))
        .normal("token_embd.weight", &[128, 16], 1);
    let mut written = Vec::new();
    for layer in 0..layers {
        tiny = tiny.normal(&format!("blk.{layer}.attn_norm.weight"), &[128], layer);
        for (i, (part, row, rows)) in
            [("attn_q", 128, 12), ("ffn_up", 128, 20), ("ffn_down", 256, 8)].iter().enumerate()
        {
            let coded = Coded::random(packing, *row, *rows, 10 * layer + i as u64).with_scale(0.37 + layer as f32);
            let name = format!("blk.{layer}.{part}.weight");
            tiny = tiny.coded(&name, packing, &coded);
            written.push((name, coded));
        }
    }
    (tiny.normal("output_norm.weight", &[128], 2), written)
}

/// A model of PrismML's fork: Q2_0 in groups of 128 under `dtype`'s number, everything else in F16 and F32.
pub fn prism_ml(dtype: DType, layers: u64) -> (Tiny, Vec<(String, Coded)>) {
    let mut tiny = Tiny::default()
        .architecture("qwen3")
        .kv("general.file_type", Kv::U32(41))
        .kv("qwen3.block_count", Kv::U32(layers as u32))
        .kv("general.quantization_version", Kv::U32(2));
    if dtype == DType::PQ2_0 {
        tiny = tiny.kv("prism.hadamard.block_size", Kv::U32(128));
    }
    tiny = tiny.normal("token_embd.weight", &[128, 16], 1);
    let mut written = Vec::new();
    for layer in 0..layers {
        tiny = tiny.normal(&format!("blk.{layer}.attn_norm.weight"), &[128], layer);
        for (i, part) in ["attn_q", "ffn_up", "ffn_down"].iter().enumerate() {
            let coded = Coded::random(dtype, 256, 6 + i, 10 * layer + i as u64);
            let name = format!("blk.{layer}.{part}.weight");
            tiny = tiny.coded(&name, dtype, &coded);
            written.push((name, coded));
        }
    }
    (tiny.normal("output_norm.weight", &[128], 2), written)
}

/// A file of ruvllm: its keys, tensors sorted by name, dimensions rows first, the last tensor unpadded, scales truncated to
/// f16. Rows of 96 and of 250 let blocks cross rows and leave a part of a block at the end.
pub fn ruvllm() -> (Tiny, Vec<(String, Coded)>) {
    let mut tiny = Tiny { pad_last: false, ..Tiny::default() }
        .architecture("craftsman")
        .kv("craftsman.bitnet.version", Kv::U32(1))
        .kv("craftsman.bitnet.weight_encoding", Kv::Str("absmean_ternary".into()))
        .kv("craftsman.bitnet.activation_bits", Kv::U32(8))
        .kv("craftsman.bitnet.router_precision", Kv::Str("f16".into()))
        .kv("craftsman.bitnet.block_size", Kv::U32(256));
    let mut written = Vec::new();
    for (i, (name, row, rows)) in [
        ("model.layers.0.mlp.experts.0.down_proj.weight", 96, 40),
        ("model.layers.0.mlp.experts.0.gate_proj.weight", 256, 24),
        ("model.layers.0.mlp.experts.1.down_proj.weight", 250, 7),
        ("model.layers.0.mlp.experts.1.up_proj.weight", 512, 8),
    ]
    .into_iter()
    .enumerate()
    {
        let coded = Coded::random(DType::T158, row, rows, 40 + i as u64);
        tiny = tiny.coded(name, DType::T158, &coded).last(|t| t.dims.reverse());
        written.push((name.to_owned(), coded));
    }
    tiny = tiny
        .tensor("model.layers.0.mlp.gate.weight", &[2, 256], DType::F16, f16_bytes(&normals(512, 9)))
        .tensor("model.layers.0.self_attn.q_proj.weight", &[16, 256], DType::F16, f16_bytes(&normals(4096, 8)))
        .tensor("model.norm.weight", &[256], DType::F32, f32_bytes(&normals(256, 7)));
    tiny.tensors.sort_by(|a, b| a.name.cmp(&b.name));
    (tiny, written)
}
