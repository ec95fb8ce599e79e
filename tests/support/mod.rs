//! Tiny models built in code: sound ones, and ones with exactly one thing wrong.
//!
//! [`Tiny`] writes a GGUF on its own, without the program's writer, so that a mistake shared by writer and reader shows.
//! Every number in the file can be replaced by a wrong one. Each test binary uses a part of this.

#![allow(dead_code, reason = "every test binary compiles this module and uses its own part of it")]
#![allow(clippy::expect_used, reason = "a test that cannot set itself up should stop")]

pub mod reading;
pub mod safetensors;
pub mod writers;

use std::path::{Path, PathBuf};

use half::f16;
use tritscope::engine::codec::DType;
use tritscope::engine::error::Result;
use tritscope::engine::model::{Model, OpenOptions};

/// A metadata value to be written.
#[derive(Debug, Clone)]
pub enum Kv {
    U8(u8),
    U32(u32),
    U64(u64),
    I32(i32),
    F32(f32),
    F64(f64),
    Bool(bool),
    Str(String),
    Strings(Vec<String>),
    F32s(Vec<f32>),
    I32s(Vec<i32>),
    /// Type number and bytes as they are.
    Raw(u32, Vec<u8>),
}

impl Kv {
    fn number(&self) -> u32 {
        match self {
            Self::U8(_) => 0,
            Self::U32(_) => 4,
            Self::I32(_) => 5,
            Self::F32(_) => 6,
            Self::Bool(_) => 7,
            Self::Str(_) => 8,
            Self::Strings(_) | Self::F32s(_) | Self::I32s(_) => 9,
            Self::U64(_) => 10,
            Self::F64(_) => 12,
            Self::Raw(number, _) => *number,
        }
    }

    fn bytes(&self) -> Vec<u8> {
        fn array(number: u32, len: usize, items: impl Iterator<Item = Vec<u8>>) -> Vec<u8> {
            let head = number.to_le_bytes().into_iter().chain((len as u64).to_le_bytes());
            head.chain(items.flatten()).collect()
        }
        match self {
            Self::U8(n) => vec![*n],
            Self::U32(n) => n.to_le_bytes().to_vec(),
            Self::U64(n) => n.to_le_bytes().to_vec(),
            Self::I32(n) => n.to_le_bytes().to_vec(),
            Self::F32(x) => x.to_le_bytes().to_vec(),
            Self::F64(x) => x.to_le_bytes().to_vec(),
            Self::Bool(b) => vec![u8::from(*b)],
            Self::Str(s) => string(s.as_bytes()),
            Self::Strings(items) => array(8, items.len(), items.iter().map(|s| string(s.as_bytes()))),
            Self::F32s(items) => array(6, items.len(), items.iter().map(|x| x.to_le_bytes().to_vec())),
            Self::I32s(items) => array(5, items.len(), items.iter().map(|x| x.to_le_bytes().to_vec())),
            Self::Raw(_, bytes) => bytes.clone(),
        }
    }
}

/// A tensor to be written.
#[derive(Debug, Clone)]
pub struct TinyTensor {
    pub name: Vec<u8>,
    pub dims: Vec<u64>,
    pub type_number: u32,
    pub data: Vec<u8>,
    /// Offset to announce instead of where the data is.
    pub offset: Option<u64>,
    /// Dimension count to announce instead of how many there are.
    pub n_dims: Option<u32>,
}

/// A GGUF in the making. [`Tiny::default`] is an empty version 3 file with `general.architecture` = `llama`.
#[derive(Debug, Clone)]
pub struct Tiny {
    pub magic: [u8; 4],
    pub version: u32,
    pub kvs: Vec<(Vec<u8>, Kv)>,
    pub tensors: Vec<TinyTensor>,
    /// What padding follows; [`Tiny::alignment`] also announces it.
    pub padded_to: usize,
    /// Tensor count to announce instead.
    pub n_tensors: Option<u64>,
    /// Metadata count to announce instead.
    pub n_kvs: Option<u64>,
    /// Whether the last tensor is padded too.
    pub pad_last: bool,
}

impl Default for Tiny {
    fn default() -> Self {
        Self {
            magic: *b"GGUF",
            version: 3,
            kvs: vec![(b"general.architecture".to_vec(), Kv::Str("llama".into()))],
            tensors: Vec::new(),
            padded_to: 32,
            n_tensors: None,
            n_kvs: None,
            pad_last: true,
        }
    }
}

impl Tiny {
    /// Adds a metadata entry.
    pub fn kv(mut self, key: &str, value: Kv) -> Self {
        self.kvs.push((key.as_bytes().to_vec(), value));
        self
    }

    /// Adds a tensor of raw bytes.
    pub fn tensor(mut self, name: &str, dims: &[u64], dtype: DType, data: Vec<u8>) -> Self {
        let (name, dims) = (name.as_bytes().to_vec(), dims.to_vec());
        self.tensors.push(TinyTensor {
            name,
            dims,
            type_number: dtype.number().expect("a GGUF type"),
            data,
            offset: None,
            n_dims: None,
        });
        self
    }

    /// Adds a tensor of normal weights, stored as F16, or as F32 where it has one dimension.
    pub fn normal(self, name: &str, dims: &[u64], seed: u64) -> Self {
        let weights = normals(dims.iter().product::<u64>() as usize, seed);
        if dims.len() == 1 {
            self.tensor(name, dims, DType::F32, f32_bytes(&weights))
        } else {
            self.tensor(name, dims, DType::F16, f16_bytes(&weights))
        }
    }

    /// Pads to `alignment` and says so in `general.alignment`.
    pub fn alignment(mut self, alignment: u32) -> Self {
        self.padded_to = alignment as usize;
        self.kv("general.alignment", Kv::U32(alignment))
    }

    /// Changes the last tensor that was added.
    pub fn last(mut self, change: impl FnOnce(&mut TinyTensor)) -> Self {
        self.tensors.last_mut().map(change);
        self
    }

    /// The file, and the offset of everything in it: header fields, entries, infos, data; each with what begins there.
    pub fn build(&self) -> (Vec<u8>, Vec<(usize, String)>) {
        let mut out = Vec::new();
        let mut marks = Vec::new();
        let put = |out: &mut Vec<u8>, marks: &mut Vec<(usize, String)>, what: String, bytes: &[u8]| {
            marks.push((out.len(), what));
            out.extend_from_slice(bytes);
        };
        let n_tensors = self.n_tensors.unwrap_or(self.tensors.len() as u64);
        let n_kvs = self.n_kvs.unwrap_or(self.kvs.len() as u64);
        put(&mut out, &mut marks, "magic".into(), &self.magic);
        put(&mut out, &mut marks, "version".into(), &self.version.to_le_bytes());
        put(&mut out, &mut marks, "tensor count".into(), &n_tensors.to_le_bytes());
        put(&mut out, &mut marks, "metadata count".into(), &n_kvs.to_le_bytes());
        for (key, value) in &self.kvs {
            let name = String::from_utf8_lossy(key).into_owned();
            put(&mut out, &mut marks, format!("key {name}"), &string(key));
            put(&mut out, &mut marks, format!("type of {name}"), &value.number().to_le_bytes());
            put(&mut out, &mut marks, format!("value of {name}"), &value.bytes());
        }
        let mut running = 0usize;
        for tensor in &self.tensors {
            let name = String::from_utf8_lossy(&tensor.name).into_owned();
            let n_dims = tensor.n_dims.unwrap_or(tensor.dims.len() as u32);
            let offset = tensor.offset.unwrap_or(running as u64);
            put(&mut out, &mut marks, format!("name {name}"), &string(&tensor.name));
            put(&mut out, &mut marks, format!("dimension count of {name}"), &n_dims.to_le_bytes());
            let dims: Vec<u8> = tensor.dims.iter().flat_map(|d| d.to_le_bytes()).collect();
            put(&mut out, &mut marks, format!("dimensions of {name}"), &dims);
            put(&mut out, &mut marks, format!("type of {name}"), &tensor.type_number.to_le_bytes());
            put(&mut out, &mut marks, format!("offset of {name}"), &offset.to_le_bytes());
            running = (running + tensor.data.len()).next_multiple_of(self.padded_to.max(1));
        }
        put(&mut out, &mut marks, "padding".into(), &[]);
        for (i, tensor) in self.tensors.iter().enumerate() {
            out.resize(out.len().next_multiple_of(self.padded_to.max(1)), 0);
            let name = String::from_utf8_lossy(&tensor.name).into_owned();
            put(&mut out, &mut marks, format!("data of {name}"), &tensor.data);
            if self.pad_last || i + 1 < self.tensors.len() {
                out.resize(out.len().next_multiple_of(self.padded_to.max(1)), 0);
            }
        }
        (out, marks)
    }

    /// The file's bytes.
    pub fn bytes(&self) -> Vec<u8> {
        self.build().0
    }

    /// Writes it as `model.gguf` into a folder.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join("model.gguf");
        std::fs::write(&path, self.bytes()).expect("a folder for tests can be written to");
        path
    }

    /// Writes and opens it, mapped.
    pub fn open(&self) -> Result<Model> {
        open_bytes(&self.bytes(), true)
    }
}

/// Opens bytes as a model file. The file is gone afterwards; the model keeps it open.
pub fn open_bytes(bytes: &[u8], mmap: bool) -> Result<Model> {
    let folder = tempfile::tempdir().expect("a folder for tests");
    let path = folder.path().join("model.gguf");
    std::fs::write(&path, bytes).expect("a folder for tests can be written to");
    Model::open(&path, &OpenOptions { mmap, ..OpenOptions::default() })
}

/// A mixture of experts with names in natural order (twelve layers), an odd row length and a vector; 300 KB.
pub fn moe() -> Tiny {
    let mut tiny = Tiny::default().kv("llama.block_count", Kv::U32(12)).kv("llama.expert_count", Kv::U32(4));
    tiny = tiny.normal("token_embd.weight", &[64, 32], 1);
    for layer in 0..12 {
        let seed = 10 * (layer + 1);
        let name = |part: &str| format!("blk.{layer}.{part}.weight");
        tiny = tiny
            .normal(&name("attn_norm"), &[64], seed)
            .normal(&name("attn_q"), &[64, 64], seed + 1)
            .normal(&name("attn_output"), &[64, 64], seed + 2)
            .normal(&name("ffn_norm"), &[64], seed + 3)
            .tensor(&name("ffn_gate_inp"), &[64, 4], DType::F32, f32_bytes(&normals(256, seed + 4)))
            .normal(&name("ffn_gate_exps"), &[64, 16, 4], seed + 5)
            .normal(&name("ffn_down_exps"), &[16, 64, 4], seed + 6);
    }
    tiny.normal("output_norm.weight", &[64], 2).normal("output.weight", &[64, 32], 3)
}

/// One linear layer with rows of 256 between a norm and an odd-sized one: the smallest model worth quantizing.
pub fn dense() -> Tiny {
    Tiny::default()
        .kv("general.name", Kv::Str("dense".into()))
        .kv("llama.block_count", Kv::U32(1))
        .normal("token_embd.weight", &[256, 8], 1)
        .normal("blk.0.attn_norm.weight", &[256], 2)
        .normal("blk.0.ffn_up.weight", &[256, 64], 3)
        .normal("blk.0.ffn_down.weight", &[64, 256], 4)
        .normal("output.weight", &[256, 8], 5)
}

/// A string as GGUF stores it.
pub fn string(bytes: &[u8]) -> Vec<u8> {
    (bytes.len() as u64).to_le_bytes().into_iter().chain(bytes.iter().copied()).collect()
}

/// Little-endian half floats.
pub fn f16_bytes(weights: &[f32]) -> Vec<u8> {
    weights.iter().flat_map(|w| f16::from_f32(*w).to_le_bytes()).collect()
}

/// Little-endian floats.
pub fn f32_bytes(weights: &[f32]) -> Vec<u8> {
    weights.iter().flat_map(|w| w.to_le_bytes()).collect()
}

/// Nearly normal weights of standard deviation 0.02: sums of twelve uniforms.
pub fn normals(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut uniform = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 24) as f32
    };
    (0..n).map(|_| ((0..12).map(|_| uniform()).sum::<f32>() - 6.0) * 0.02).collect()
}
