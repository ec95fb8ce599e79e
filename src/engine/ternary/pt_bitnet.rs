//! The seed's interface (PT-BitNet, ruvllm): a whole tensor in memory → packed trits with one f32 scale per block.
//!
//! Blocks run over the flattened tensor, so they may cross rows and the last may be short. Files are not written from
//! here (their scales are f16 and their blocks keep to rows); this is the reference that a user of the seed expects,
//! with its configuration in full.

use super::block::absmean_trits;
use super::exact::{Scratch, optimum};

/// Which tensors a run turns ternary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum LayersToQuantize {
    /// The feed-forward matrices of routed MoE experts.
    #[default]
    ExpertsOnly,
    /// Every linear layer but router, embeddings and head.
    All,
    /// Tensors whose name matches one of these patterns.
    Custom(Vec<String>),
}

/// What a run writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExportFormat {
    /// ruvllm's own type: two bits, groups of 256.
    #[default]
    BitnetT158,
    /// llama.cpp's IQ1_S, which is only nearly ternary.
    Iq1S,
    /// llama.cpp's TQ1_0.
    Tq1_0,
    /// llama.cpp's TQ2_0.
    Tq2_0,
    /// llama.cpp's Q2_0 in groups of 64.
    Q2_0,
    /// bitnet.cpp's I2_S.
    I2S,
}

/// Type of the tensors that stay: router, shared layers, embeddings, head, norms.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RouterPrecision {
    /// IEEE half.
    #[default]
    Fp16,
    /// Brain float.
    Bf16,
    /// IEEE single.
    Fp32,
}

/// The seed's configuration. Build it from `default()` with the `with_…` methods.
#[derive(Debug, Clone, PartialEq)]
pub struct PtBitnetConfig {
    /// How many chunks of an importance matrix count.
    pub calibration_samples: usize,
    /// Weights per scale.
    pub block_size: usize,
    /// Least squared error (importance-weighted where there is importance) instead of raw absmean.
    pub optimize_scales: bool,
    /// Which tensors turn ternary.
    pub layers_to_quantize: LayersToQuantize,
    /// What is written.
    pub export_format: ExportFormat,
    /// Type of the tensors that stay.
    pub router_precision: RouterPrecision,
    /// Map the source instead of reading it through buffers.
    pub use_mmap: bool,
    /// Cap on working memory in GiB.
    pub max_memory_gb: usize,
    /// How much each element of a row counts: as long as a row, the same for every row. It stands where the seed has
    /// `use_metal_calibration`: calibration is an input here, measured by any backend, not a backend of our own. Only
    /// used with `optimize_scales`.
    pub importance: Option<Vec<f32>>,
}

impl Default for PtBitnetConfig {
    fn default() -> Self {
        Self {
            calibration_samples: 1000,
            block_size: 256,
            optimize_scales: true,
            layers_to_quantize: LayersToQuantize::default(),
            export_format: ExportFormat::default(),
            router_precision: RouterPrecision::default(),
            use_mmap: true,
            max_memory_gb: 64,
            importance: None,
        }
    }
}

/// One builder method per field.
macro_rules! builders {
    ($($method:ident, $field:ident: $type:ty;)*) => {
        impl PtBitnetConfig {
            $(
                #[doc = concat!("The same with [`Self::", stringify!($field), "`] set.")]
                #[must_use]
                pub fn $method(mut self, $field: $type) -> Self {
                    self.$field = $field;
                    self
                }
            )*
        }
    };
}

builders! {
    with_calibration_samples, calibration_samples: usize;
    with_block_size, block_size: usize;
    with_optimize_scales, optimize_scales: bool;
    with_layers_to_quantize, layers_to_quantize: LayersToQuantize;
    with_export_format, export_format: ExportFormat;
    with_router_precision, router_precision: RouterPrecision;
    with_use_mmap, use_mmap: bool;
    with_max_memory_gb, max_memory_gb: usize;
    with_importance, importance: Option<Vec<f32>>;
}

/// Why a tensor cannot be quantized or packed.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum PtBitnetError {
    /// A dimension is 0.
    #[error("shape {rows}×{cols} has no elements")]
    EmptyShape {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
    },
    /// No weights per scale.
    #[error("block size 0: a scale needs at least one weight")]
    ZeroBlockSize,
    /// rows × cols does not fit.
    #[error("shape {rows}×{cols} has more elements than a machine word counts")]
    ShapeOverflow {
        /// Rows asked for.
        rows: usize,
        /// Columns asked for.
        cols: usize,
    },
    /// Elements rounded up to whole blocks do not fit.
    #[error("{elements} elements do not fit whole blocks of {block_size} in a machine word")]
    BlockCountOverflow {
        /// rows × cols.
        elements: usize,
        /// Weights per scale.
        block_size: usize,
    },
    /// The weights are not as many as the shape says.
    #[error("{len} weights given, the shape needs {expected}")]
    LengthMismatch {
        /// Weights given.
        len: usize,
        /// rows × cols.
        expected: usize,
    },
    /// The importance vector is not as long as a row.
    #[error("importance has {len} values, a row has {cols}")]
    ImportanceLength {
        /// Values given.
        len: usize,
        /// Elements of a row.
        cols: usize,
    },
    /// A weight is NaN or infinite.
    #[error("weight {index} is {value}")]
    NonFinite {
        /// Its place in the flattened tensor.
        index: usize,
        /// Its value.
        value: f32,
    },
    /// The sum behind a block's scale overflows f32.
    #[error("the scale of block {block} overflows")]
    ScaleOverflow {
        /// The block's place in the tensor.
        block: usize,
    },
    /// A value to pack is none of −1, 0, +1.
    #[error("value {value} at index {index} is not a trit (−1, 0 or +1)")]
    NotATrit {
        /// Its place.
        index: usize,
        /// The value.
        value: i8,
    },
}

/// A quantized tensor: trits packed four to a byte ([`pack`]), one f32 scale per block.
#[derive(Debug, Clone, PartialEq)]
pub struct TernaryTensor {
    /// Two-bit codes of the flattened tensor, least significant first.
    pub packed: Vec<u8>,
    /// Scale of each block, in order.
    pub scales: Vec<f32>,
    /// Rows and columns.
    pub shape: (usize, usize),
    /// Weights per scale; the last block may have fewer.
    pub block_size: usize,
}

impl TernaryTensor {
    fn len(&self) -> usize {
        self.shape.0 * self.shape.1
    }

    /// Share of zero trits, 0 to 1.
    pub fn sparsity(&self) -> f64 {
        let zeros = unpack(&self.packed, self.len()).iter().filter(|t| **t == 0).count();
        zeros as f64 / self.len().max(1) as f64
    }

    /// Bytes of codes and scales.
    pub fn memory_bytes(&self) -> usize {
        self.packed.len() + 4 * self.scales.len()
    }

    /// Blocks: elements ÷ block size, rounded up.
    pub fn num_blocks(&self) -> usize {
        self.len().div_ceil(self.block_size.max(1))
    }
}

/// Everything that can be wrong before the first weight is looked at. Returns rows × cols.
fn check(len: usize, (rows, cols): (usize, usize), config: &PtBitnetConfig) -> Result<usize, PtBitnetError> {
    let block_size = config.block_size;
    if rows == 0 || cols == 0 {
        return Err(PtBitnetError::EmptyShape { rows, cols });
    }
    if block_size == 0 {
        return Err(PtBitnetError::ZeroBlockSize);
    }
    let elements = rows.checked_mul(cols).ok_or(PtBitnetError::ShapeOverflow { rows, cols })?;
    if elements.checked_add(block_size - 1).is_none() {
        return Err(PtBitnetError::BlockCountOverflow { elements, block_size });
    }
    if len != elements {
        return Err(PtBitnetError::LengthMismatch { len, expected: elements });
    }
    match &config.importance {
        Some(v) if v.len() != cols => Err(PtBitnetError::ImportanceLength { len: v.len(), cols }),
        _ => Ok(elements),
    }
}

/// The seed's γ of a block: mean|w| + 10⁻⁸, summed one weight after the other in f32 (its result is compared bit for
/// bit). An empty block has 10⁻⁸.
fn absmean_scale(weights: &[f32]) -> f32 {
    let sum = weights.iter().fold(0.0f32, |sum, w| sum + w.abs());
    sum / weights.len().max(1) as f32 + 1e-8
}

/// Quantizes a tensor of `(rows, cols)` weights, row after row in `weights`.
///
/// With `optimize_scales` each block gets the scale and trits of least squared error (weighted by `importance`), trits
/// being chosen for the scale as rounded to f32; without it the seed's absmean, bit for bit.
pub fn quantize_tensor(
    weights: &[f32],
    (rows, cols): (usize, usize),
    config: &PtBitnetConfig,
) -> Result<TernaryTensor, PtBitnetError> {
    let elements = check(weights.len(), (rows, cols), config)?;
    if let Some((index, value)) = weights.iter().enumerate().find(|(_, w)| !w.is_finite()) {
        return Err(PtBitnetError::NonFinite { index, value: *value });
    }
    let mut trits = vec![0i8; elements];
    let mut scales = Vec::with_capacity(elements.div_ceil(config.block_size));
    let mut scratch = Scratch::default();
    let mut row_importance = Vec::new();
    let blocks = weights.chunks(config.block_size).zip(trits.chunks_mut(config.block_size));
    for (block, (w, t)) in blocks.enumerate() {
        let scale = if config.optimize_scales {
            let importance = config.importance.as_deref().map(|v| {
                let start = block * config.block_size % cols;
                row_importance.clear();
                row_importance.extend(v[start..].iter().chain(v.iter().cycle()).take(w.len()));
                row_importance.as_slice()
            });
            optimised(w, importance, t, &mut scratch)
        } else {
            let gamma = absmean_scale(w);
            absmean_trits(w, gamma, t);
            gamma
        };
        if !scale.is_finite() {
            return Err(PtBitnetError::ScaleOverflow { block });
        }
        scales.push(scale);
    }
    Ok(TernaryTensor { packed: pack(&trits)?, scales, shape: (rows, cols), block_size: config.block_size })
}

fn optimised(weights: &[f32], importance: Option<&[f32]>, trits: &mut [i8], scratch: &mut Scratch) -> f32 {
    let scale = optimum(weights, importance, scratch).scale as f32;
    // In f64, because half of the least f32 denormal is 0 in f32 and would keep what rounding to it lost.
    let threshold = f64::from(scale) / 2.0;
    for (t, w) in trits.iter_mut().zip(weights) {
        let w = f64::from(*w);
        *t = if scale == 0.0 { 0 } else { i8::from(w > threshold) - i8::from(w < -threshold) };
    }
    scale
}

/// The weights that a quantized tensor stands for: trit × scale of its block.
pub fn dequantize(tensor: &TernaryTensor) -> Vec<f32> {
    let trits = unpack(&tensor.packed, tensor.len());
    let blocks = trits.chunks(tensor.block_size.max(1)).zip(&tensor.scales);
    blocks.flat_map(|(trits, scale)| trits.iter().map(|t| f32::from(*t) * *scale)).collect()
}

/// Packs trits four to a byte, least significant first: codes 0, 1, 2 for −1, 0, +1; a last partial byte is filled with
/// zero bits. Any other value is refused.
pub fn pack(trits: &[i8]) -> Result<Vec<u8>, PtBitnetError> {
    if let Some((index, value)) = trits.iter().enumerate().find(|(_, t)| !(-1..=1).contains(*t)) {
        return Err(PtBitnetError::NotATrit { index, value: *value });
    }
    let byte = |four: &[i8]| four.iter().rev().fold(0, |byte, t| byte << 2 | (t + 1) as u8);
    Ok(trits.chunks(4).map(byte).collect())
}

/// The first `n` trits of packed bytes (all of them, if the bytes hold fewer). The reserved code 3 reads as 0.
pub fn unpack(bytes: &[u8], n: usize) -> Vec<i8> {
    const TRIT: [i8; 4] = [-1, 0, 1, 0];
    let trits = bytes.iter().flat_map(|b| [0, 2, 4, 6].map(|shift| TRIT[usize::from(b >> shift & 3)]));
    trits.take(n).collect()
}
