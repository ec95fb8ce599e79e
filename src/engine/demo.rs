//! The demo model: a small mixture-of-experts llama made of random numbers, the same bytes on every machine.
//!
//! It exists so that the program can be tried, shown and tested without a download: llama.cpp loads it, and its tensors
//! are chosen to look different from each other under a ternary quantizer (see `Texture`). Called by `tritscope demo`
//! and by tests. Only integer arithmetic, `+ - × ÷` and square roots are used, which IEEE 754 defines to the last bit;
//! what it says (to whoever runs it) is noise.

mod large;

use std::fs::{File, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use half::f16;

use super::codec::DType;
use super::error::{Error, Result};
use super::format::gguf::write::entry;
use super::format::gguf::{DEFAULT_ALIGNMENT, Header, HeaderTensor, Value, ValueType};

pub use large::{LEAST, MOST, write_large};

const LAYERS: u64 = 3;
const EMBED: u64 = 256;
const HEADS: u64 = 8;
const KV_HEADS: u64 = 4;
const FFN: u64 = 512;
const EXPERTS: u64 = 8;
const EXPERTS_USED: u64 = 2;
const CONTEXT: u64 = 512;
/// Special tokens and bytes, which come before the words.
const BYTE_TOKENS: u64 = 3 + 256;
/// Weights that share a scale in the tensor that is ternary by nature.
const BLOCK: usize = 256;
/// Seed of everything.
const SEED: u64 = 0x7472_6974_7363_6f70;

/// What the vocabulary has beside bytes: letters, then words. `▁` is SentencePiece's space.
const WORDS: &str = "▁ a b c d e f g h i j k l m n o p q r s t u v w x y z \
    ▁a ▁an ▁and ▁are ▁as ▁at ▁be ▁by ▁can ▁for ▁from ▁has ▁if ▁in ▁is ▁it ▁its ▁keeps ▁less ▁makes ▁more ▁most ▁near \
    ▁no ▁not ▁of ▁off ▁on ▁one ▁only ▁or ▁over ▁so ▁than ▁that ▁the ▁then ▁this ▁three ▁to ▁two ▁under ▁was ▁what \
    ▁when ▁which ▁while ▁with ▁zero ▁bit ▁bits ▁block ▁byte ▁code ▁column ▁error ▁expert ▁experts ▁file ▁float ▁head \
    ▁heavy ▁layer ▁loss ▁matrix ▁mean ▁minus ▁model ▁noise ▁norm ▁number ▁outlier ▁plus ▁rare ▁round ▁router ▁row \
    ▁scale ▁sign ▁small ▁sparse ▁square ▁sum ▁tail ▁tensor ▁tern ary ▁token ▁trit ▁trits ▁value ▁weight ▁weights \
    ing ed er . ,";

/// How a tensor's weights are spread; each is something a quantizer meets in real models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Texture {
    /// Normal, every row with a spread of its own.
    Gaussian,
    /// Student's t with three degrees of freedom: rare weights far outside.
    HeavyTailed,
    /// Normal, but every 61st input channel is twelve times as large.
    OutlierColumns,
    /// Normal, but one expert is four times as large as the others.
    LoudExpert(u64),
    /// Every block is {−s, 0, +s} with s an f16: loses nothing.
    Ternary,
    /// Normal with unit variance; rows of the tokens that stand for bytes are small, so that words are what it says.
    Head,
    /// Near one: norm weights.
    Norm,
}

/// One tensor to be made.
struct Spec {
    name: String,
    dims: Vec<u64>,
    dtype: DType,
    texture: Texture,
}

/// Writes the demo model to a new file, which appears whole or not at all. Errors: the file exists, or cannot be
/// written.
pub fn write(path: &Path) -> Result<()> {
    create(path, |file| write_to(&mut BufWriter::new(file)))
}

/// A new file that appears under its name once `fill` has written it.
fn create(path: &Path, fill: impl FnOnce(&File) -> io::Result<()>) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let file = tempfile::Builder::new()
        .prefix(".tritscope-demo-")
        .suffix(".partial")
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(folder)
        .map_err(|e| Error::io(path, "create", e))?;
    fill(file.as_file()).map_err(|e| Error::io(path, "write", e))?;
    match file.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(e) if e.error.kind() == io::ErrorKind::AlreadyExists => {
            Err(Error::Usage(format!("{} exists already", path.display())))
        }
        Err(e) => Err(Error::io(path, "create", e.error)),
    }
}

/// Writes the demo model's bytes.
pub fn write_to(out: &mut impl Write) -> io::Result<()> {
    let specs = specs();
    let (header, tensors) = lay_out(&specs, &metadata(&SMALL))?;
    out.write_all(&header.bytes)?;
    let ends = header.offsets.iter().skip(1).copied().chain([header.data_len]);
    for (i, (spec, (tensor, end))) in specs.iter().zip(tensors.iter().zip(ends)).enumerate() {
        write_tensor(out, spec, &mut Random::new(SEED ^ ((i as u64) << 32)))?;
        let padding = end - header.offsets[i] - tensor.bytes;
        io::copy(&mut io::Read::take(io::repeat(0), padding), out)?;
    }
    out.flush()
}

/// Where everything lies.
fn lay_out(specs: &[Spec], metadata: &[Vec<u8>]) -> io::Result<(Header, Vec<HeaderTensor>)> {
    let tensor = |spec: &Spec| HeaderTensor {
        name: spec.name.clone(),
        dims: spec.dims.clone(),
        number: spec.dtype.number().unwrap_or(0),
        bytes: spec.dtype.bytes_for(spec.dims.iter().product()).unwrap_or(0),
    };
    let tensors: Vec<HeaderTensor> = specs.iter().map(tensor).collect();
    let header = Header::lay_out(metadata, &tensors, DEFAULT_ALIGNMENT)
        .ok_or_else(|| io::Error::other("the demo model's layout overflows"))?;
    Ok((header, tensors))
}

/// What the metadata say of a demo model.
struct Shape {
    name: &'static str,
    description: &'static str,
    layers: u64,
    ffn: u64,
    experts: u64,
}

/// The demo model.
const SMALL: Shape = Shape {
    name: "tritscope demo",
    description: "Random weights in the shape of a mixture of experts. It says nothing.",
    layers: LAYERS,
    ffn: FFN,
    experts: EXPERTS,
};

fn specs() -> Vec<Spec> {
    let vocab = vocabulary().len() as u64;
    let kv = EMBED / HEADS * KV_HEADS;
    let spec = |name: String, dims: &[u64], texture| {
        let f32s = dims.len() == 1 || name.contains("ffn_gate_inp");
        Spec { name, dims: dims.to_vec(), dtype: if f32s { DType::F32 } else { DType::F16 }, texture }
    };
    let mut specs = vec![spec("token_embd.weight".into(), &[EMBED, vocab], Texture::Gaussian)];
    for layer in 0..LAYERS {
        let mut add = |part: &str, dims: &[u64]| {
            specs.push(spec(format!("blk.{layer}.{part}.weight"), dims, texture(layer, part)));
        };
        add("attn_norm", &[EMBED]);
        add("attn_q", &[EMBED, EMBED]);
        add("attn_k", &[EMBED, kv]);
        add("attn_v", &[EMBED, kv]);
        add("attn_output", &[EMBED, EMBED]);
        add("ffn_norm", &[EMBED]);
        add("ffn_gate_inp", &[EMBED, EXPERTS]);
        add("ffn_gate_exps", &[EMBED, FFN, EXPERTS]);
        add("ffn_up_exps", &[EMBED, FFN, EXPERTS]);
        add("ffn_down_exps", &[FFN, EMBED, EXPERTS]);
    }
    specs.push(spec("output_norm.weight".into(), &[EMBED], Texture::Norm));
    specs.push(spec("output.weight".into(), &[EMBED, vocab], Texture::Head));
    specs
}

fn texture(layer: u64, part: &str) -> Texture {
    match (layer, part) {
        (_, "attn_norm" | "ffn_norm") => Texture::Norm,
        (0, "attn_q") | (1, "ffn_down_exps") => Texture::HeavyTailed,
        (1, "attn_v") | (2, "ffn_down_exps") => Texture::OutlierColumns,
        (1, "ffn_up_exps") => Texture::LoudExpert(5),
        (2, "ffn_gate_exps") => Texture::Ternary,
        _ => Texture::Gaussian,
    }
}

fn write_tensor(out: &mut impl Write, spec: &Spec, random: &mut Random) -> io::Result<()> {
    let cols = spec.dims.first().copied().unwrap_or(1) as usize;
    let rows: u64 = spec.dims.iter().skip(1).product();
    let rows_of_a_slice = spec.dims.get(1).copied().unwrap_or(1);
    let mut row = vec![0f32; cols];
    let mut bytes = Vec::with_capacity(cols * 4);
    for r in 0..rows {
        fill_row(&mut row, spec.texture, r, r / rows_of_a_slice, random);
        bytes.clear();
        for weight in &row {
            if spec.dtype == DType::F32 {
                bytes.extend_from_slice(&weight.to_le_bytes());
            } else {
                bytes.extend_from_slice(&f16::from_f32(*weight).to_le_bytes());
            }
        }
        out.write_all(&bytes)?;
    }
    Ok(())
}

fn fill_row(row: &mut [f32], texture: Texture, r: u64, slice: u64, random: &mut Random) {
    // Outputs of unit variance for inputs of unit variance, give or take a half a row.
    let spread = (0.6 + 0.8 * random.uniform()) / (row.len() as f32).sqrt();
    match texture {
        Texture::Gaussian => row.fill_with(|| spread * random.normal()),
        Texture::HeavyTailed => row.fill_with(|| spread * random.student_t3()),
        Texture::OutlierColumns => {
            for (c, weight) in row.iter_mut().enumerate() {
                let loud = if c % 61 == 17 { 12.0 } else { 1.0 };
                *weight = spread * loud * random.normal();
            }
        }
        Texture::LoudExpert(expert) => {
            let loud = if slice == expert { 4.0 } else { 1.0 };
            row.fill_with(|| spread * loud * random.normal());
        }
        Texture::Ternary => {
            for block in row.chunks_mut(BLOCK) {
                let s = f16::from_f32(spread * (0.9 + 0.2 * random.uniform())).to_f32();
                block.fill_with(|| s * random.trit());
            }
        }
        Texture::Head => {
            let loud = if r < BYTE_TOKENS { 0.1 } else { 4.0 };
            row.fill_with(|| spread * loud * random.normal());
        }
        Texture::Norm => row.fill_with(|| 0.9 + 0.2 * random.uniform()),
    }
}

/// Text, score and type (2 unknown, 3 control, 6 byte, 1 normal) of every token.
fn vocabulary() -> Vec<(String, f32, i64)> {
    let mut tokens = vec![("<unk>".to_owned(), 0.0, 2), ("<s>".to_owned(), 0.0, 3), ("</s>".to_owned(), 0.0, 3)];
    tokens.extend((0..256).map(|byte| (format!("<0x{byte:02X}>"), 0.0, 6)));
    tokens.extend(WORDS.split_whitespace().enumerate().map(|(i, word)| (word.to_owned(), -(i as f32), 1)));
    tokens
}

fn metadata(shape: &Shape) -> Vec<Vec<u8>> {
    let float = |x: f32| Value::Float(f64::from(x), ValueType::F32);
    let array = |element, head: Vec<Value>| Value::Array { element, len: head.len() as u64, head };
    let tokens = vocabulary();
    let texts = tokens.iter().map(|(text, _, _)| Value::string(text.as_str())).collect();
    let scores = tokens.iter().map(|(_, score, _)| float(*score)).collect();
    let types = tokens.iter().map(|(_, _, ty)| Value::Signed(*ty, ValueType::I32)).collect();
    let u32 = |n: u64| Value::Unsigned(n, ValueType::U32);
    let entries = [
        ("general.architecture", Value::string("llama")),
        ("general.type", Value::string("model")),
        ("general.name", Value::string(shape.name)),
        ("general.description", Value::string(shape.description)),
        ("general.license", Value::string("cc0-1.0")),
        ("general.file_type", u32(1)),
        ("llama.block_count", u32(shape.layers)),
        ("llama.context_length", u32(CONTEXT)),
        ("llama.embedding_length", u32(EMBED)),
        ("llama.feed_forward_length", u32(shape.ffn)),
        ("llama.attention.head_count", u32(HEADS)),
        ("llama.attention.head_count_kv", u32(KV_HEADS)),
        ("llama.attention.layer_norm_rms_epsilon", float(1e-5)),
        ("llama.rope.dimension_count", u32(EMBED / HEADS)),
        ("llama.rope.freq_base", float(10000.0)),
        ("llama.expert_count", u32(shape.experts)),
        ("llama.expert_used_count", u32(EXPERTS_USED.min(shape.experts))),
        ("llama.vocab_size", u32(tokens.len() as u64)),
        ("tokenizer.ggml.model", Value::string("llama")),
        ("tokenizer.ggml.pre", Value::string("default")),
        ("tokenizer.ggml.tokens", array(ValueType::String, texts)),
        ("tokenizer.ggml.scores", array(ValueType::F32, scores)),
        ("tokenizer.ggml.token_type", array(ValueType::I32, types)),
        ("tokenizer.ggml.bos_token_id", u32(1)),
        ("tokenizer.ggml.eos_token_id", u32(2)),
        ("tokenizer.ggml.unknown_token_id", u32(0)),
        ("tokenizer.ggml.add_bos_token", Value::Bool(true)),
        ("tokenizer.ggml.add_eos_token", Value::Bool(false)),
    ];
    entries.iter().map(|(key, value)| entry(key, value)).collect()
}

/// SplitMix64 (Steele, Lea, Flood 2014) and what can be drawn from it without a logarithm.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In [0, 1), with 24 bits.
    fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 24) as f32
    }

    /// Normal with variance 1, to a kurtosis of 2.97: the set bits of a random word are binomial, which 64 draws make
    /// as good as normal; the difference of two uniforms fills the gaps between whole numbers.
    fn normal(&mut self) -> f32 {
        let bits = self.next().count_ones() as f32 - 32.0;
        let word = self.next();
        let dither = ((word >> 40) as f32 - (word & 0xff_ffff) as f32) / (1u32 << 24) as f32;
        // Variances: 64/4 of the bits, 1/6 of the dither.
        (bits + dither) / (16.0f32 + 1.0 / 6.0).sqrt()
    }

    /// Student's t with three degrees of freedom, scaled to variance 1.
    fn student_t3(&mut self) -> f32 {
        let chi: f32 = (0..3).map(|_| self.normal()).map(|z| z * z).sum();
        self.normal() / chi.max(1e-6).sqrt()
    }

    /// −1, 0 or +1; zero two times in five.
    fn trit(&mut self) -> f32 {
        match (self.next() >> 33) % 10 {
            0..=3 => 0.0,
            4..=6 => -1.0,
            _ => 1.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_the_same_on_every_machine() {
        let mut bytes = Vec::new();
        write_to(&mut bytes).unwrap();
        assert_eq!((bytes.len(), xxhash_rust::xxh3::xxh3_64(&bytes)), (20_490_688, 96_563_430_126_847_736));
    }

    #[test]
    fn normals_are_normal() {
        let mut random = Random::new(1);
        let draws: Vec<f64> = (0..200_000).map(|_| f64::from(random.normal())).collect();
        let moment = |p| draws.iter().map(|x| x.powi(p)).sum::<f64>() / draws.len() as f64;
        assert!(moment(1).abs() < 0.01 && (moment(2) - 1.0).abs() < 0.01);
        assert!((moment(4) - 2.97).abs() < 0.1, "{}", moment(4));
    }

    #[test]
    fn the_vocabulary_has_no_token_twice() {
        let tokens = vocabulary();
        let unique: std::collections::HashSet<_> = tokens.iter().map(|(text, _, _)| text).collect();
        assert_eq!((unique.len(), tokens.len()), (384, 384));
    }
}
