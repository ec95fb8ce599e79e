//! Many blocks at a time, by what the CPU has: the fast way to what [`Coder`](super::Coder) does block by block.
//!
//! `code_block`, `ErrorSums` and the encoders are the readable scalar truth. A kernel gives the same bytes and the same
//! figures, bit for bit, for ordinary blocks of whole length, and leaves every other block to them: so every rule and every
//! error stays in one place. Which kernel runs is decided once, by the CPU or by who forces one; `quantize` and `support`
//! are written over `lanes`, which `avx2`, `avx512` and `neon` implement.

#![allow(
    clippy::inline_always,
    clippy::unused_self,
    clippy::wildcard_imports,
    reason = "what is not inlined where the instructions are enabled is compiled without them; a proof is passed, not read; \
              intrinsics are named one by one in every line"
)]

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "intrinsics of instructions that the CPU was asked for")]
mod avx2;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "intrinsics of instructions that the CPU was asked for")]
mod avx512;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no kernel uses it"))]
mod codes;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "intrinsics of instructions that the CPU was asked for")]
mod digits_x86;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no kernel uses it"))]
mod lanes;
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "intrinsics of instructions that the CPU was asked for")]
#[allow(unused_unsafe, reason = "those without pointers are safe where every build has NEON")]
mod neon;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no kernel uses it"))]
mod powers;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no kernel uses it"))]
mod quantize;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no kernel uses it"))]
mod repack;
#[cfg(target_arch = "aarch64")]
#[allow(unsafe_code, reason = "intrinsics of instructions that the CPU was asked for")]
#[allow(unused_unsafe, reason = "those without pointers are safe where every build has NEON")]
mod repack_neon;
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code, reason = "intrinsics of instructions that the CPU was asked for")]
mod repack_x86;
#[allow(unsafe_code, reason = "functions for instructions that the CPU was asked for")]
mod rows;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no kernel uses it"))]
mod support;
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no kernel uses it"))]
mod weighted;

use std::fmt;
use std::sync::OnceLock;

use self::lanes::Lanes;
pub use self::powers::Powers;
pub use self::rows::{SubtractMultiple, subtract_multiple};
use super::{Format, Method};
use crate::engine::codec::{DType, decoder};
use crate::engine::stats::BlockStats;

/// A set of instructions that blocks are coded with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Those that every CPU has.
    Scalar,
    /// AVX2, with F16C, FMA, BMI2.
    Avx2,
    /// AVX-512: F, BW, DQ, VL, and what [`Kernel::Avx2`] has.
    Avx512,
    /// NEON, of 64-bit ARM.
    Neon,
}

/// A kernel that cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelError {
    /// No kernel has that name.
    #[error("unknown kernel '{0}': one of scalar, avx2, avx512, neon")]
    Unknown(String),
    /// The CPU lacks its instructions.
    #[error("this CPU does not have the instructions of kernel '{wanted}'; it has {}", list(available))]
    Unavailable {
        /// What was asked for.
        wanted: Kernel,
        /// What there is.
        available: Vec<Kernel>,
    },
}

fn list(kernels: &[Kernel]) -> String {
    kernels.iter().map(|k| k.name()).collect::<Vec<_>>().join(", ")
}

/// What the lanes of a kernel give, or something else where it is scalar or the CPU lacks it.
macro_rules! with {
    ($kernel:expr, $l:ident => $value:expr, else $other:expr) => {
        match $kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => avx2::Avx2::detect().map_or($other, |$l| $value),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => avx512::Avx512::detect().map_or($other, |$l| $value),
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => neon::Neon::detect().map_or($other, |$l| $value),
            _ => $other,
        }
    };
}

static CHOSEN: OnceLock<Kernel> = OnceLock::new();

impl Kernel {
    /// Every kernel, slowest first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Neon];

    /// Name in `TRITSCOPE_KERNEL`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// Those that this CPU has, slowest first.
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|k| k.is_here()).collect()
    }

    /// Whether this CPU has it.
    pub fn is_here(self) -> bool {
        self == Self::Scalar || with!(self, _l => true, else false)
    }

    /// A kernel by its name. Errors: there is none, or this CPU lacks its instructions.
    pub fn named(name: &str) -> Result<Self, KernelError> {
        let found = Self::ALL.into_iter().find(|k| k.name().eq_ignore_ascii_case(name));
        let kernel = found.ok_or_else(|| KernelError::Unknown(name.to_owned()))?;
        if kernel.is_here() {
            Ok(kernel)
        } else {
            Err(KernelError::Unavailable { wanted: kernel, available: Self::available() })
        }
    }

    /// The kernel that works where nobody names another: the fastest, or the one that was forced.
    pub fn current() -> Self {
        *CHOSEN.get_or_init(|| Self::available().last().copied().unwrap_or(Self::Scalar))
    }

    /// Makes a kernel the current one, for the whole process. To be called before any work; later it changes nothing.
    /// Errors: as [`Kernel::named`].
    pub fn force(name: &str) -> Result<(), KernelError> {
        let kernel = Self::named(name)?;
        let _ = CHOSEN.set(kernel);
        Ok(())
    }

    /// Codes blocks from the front of `weights` into `out` until one is not ordinary, and adds what they cost to `stats`;
    /// returns how many were coded.
    pub(super) fn blocks(self, task: Task, weights: Weights<'_>, out: &mut [u8], stats: &mut BlockStats) -> usize {
        with!(self, l => l.blocks(task, weights, out, stats), else 0)
    }

    /// Codes blocks from the front with importance, which the choice of scales passes over if `blind`, until one is not
    /// ordinary; returns how many. Importance is whole blocks' and laid over the weights again and again.
    pub(super) fn weighted(
        self,
        task: (Task, bool),
        weights: (Weights<'_>, Regard<'_>),
        out: &mut [u8],
        stats: &mut BlockStats,
    ) -> usize {
        with!(self, l => l.weighted(task, weights, out, stats), else 0)
    }

    /// Sums over a multiple of sixteen weights; `None` of the scalar kernel.
    fn powers_of_whole(self, weights: Weights<'_>) -> Option<Powers> {
        with!(self, l => Some(l.powers(weights)), else None)
    }

    /// Packs codes (0, 1, 2) of whole blocks, each with the bits of its scale, into the bytes of a format. Whether it did: the
    /// scalar kernel leaves it to `encode_block`.
    pub fn pack(self, format: Format, codes: &[u8], scales: &[u16], out: &mut [u8]) -> bool {
        with!(self, l => { l.pack(format, codes, scales, out); true }, else false)
    }

    /// Reads the codes of whole blocks of a format with a scale in each block, and adds the scales and how many bytes of
    /// each block no writer produces. Whether it did: the scalar kernel leaves it to [`crate::engine::codec::codes`].
    pub fn unpack(
        self,
        format: Format,
        blocks: &[u8],
        codes: &mut [u8],
        (scales, illegal): (&mut Vec<f32>, &mut Vec<u32>),
    ) -> bool {
        if !format.is_plain() || format.has_one_scale() {
            return false;
        }
        let mut found = codes::Found { scales, illegal };
        with!(self, l => { l.unpack(format, blocks, codes, &mut found); true }, else false)
    }

    /// Moves groups of [`Kernel::GROUP`] weights from blocks of one format to blocks of another, from the front until one is
    /// not ordinary: its blocks have different scales or one that is not finite, or it holds a code 3. Returns how many
    /// were moved. Where blocks of `from` have no scale, `one` is that of all. The scalar kernel, and formats whose
    /// groups are not known here, move none.
    pub fn repack(self, formats: (Format, Format), blocks: (&[u8], u16), out: &mut [u8]) -> usize {
        with!(self, l => l.repack(formats, blocks, out), else 0)
    }

    /// How many groups [`Kernel::repack`] would move; only those with one scale, where that is given.
    pub fn ordinary_groups(self, from: Format, blocks: &[u8], only: Option<u16>) -> usize {
        with!(self, l => l.ordinary_groups(from, blocks, only), else 0)
    }

    /// Weights of a group: whole blocks of every format that [`Kernel::repack`] knows.
    pub const GROUP: usize = repack::GROUP;
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Importance of weights, and room for what their blocks count by it.
#[derive(Debug)]
pub(super) struct Regard<'a> {
    pub importance: &'a [f32],
    pub normalised: &'a mut Vec<f32>,
}

/// What blocks are coded to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub method: Method,
    pub format: Format,
    /// The code of the tensor, where it has one for all.
    pub whole: Option<Whole>,
}

/// How a tensor with one scale is coded.
#[derive(Debug, Clone, Copy)]
pub(super) struct Whole {
    /// Weights above are kept.
    pub above: f32,
    pub scale: f32,
    pub native: bool,
}

/// Weights as a file has them.
#[derive(Debug, Clone, Copy)]
pub enum Weights<'a> {
    /// F16, little-endian.
    F16(&'a [[u8; 2]]),
    /// BF16, little-endian.
    BF16(&'a [[u8; 2]]),
    /// F32, in memory.
    F32(&'a [f32]),
}

impl<'a> Weights<'a> {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::F16(w) | Self::BF16(w) => w.len(),
            Self::F32(w) => w.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those from `first` on, `len` of them or as many as there are.
    #[must_use]
    pub fn part(&self, first: usize, len: usize) -> Self {
        fn of<T>(all: &[T], first: usize, len: usize) -> &[T] {
            let rest = all.get(first..).unwrap_or(&[]);
            &rest[..len.min(rest.len())]
        }
        match self {
            Self::F16(w) => Self::F16(of(w, first, len)),
            Self::BF16(w) => Self::BF16(of(w, first, len)),
            Self::F32(w) => Self::F32(of(w, first, len)),
        }
    }

    /// The same in f32, in `buffer` where they are not yet.
    pub fn singles<'b>(&self, buffer: &'b mut Vec<f32>) -> &'b [f32]
    where
        'a: 'b,
    {
        let (dtype, pairs) = match self {
            Self::F16(w) => (DType::F16, w),
            Self::BF16(w) => (DType::BF16, w),
            Self::F32(w) => return w,
        };
        buffer.resize(pairs.len(), 0.0);
        if let Some(decoder) = decoder(dtype) {
            decoder.decode_blocks(pairs.as_flattened(), buffer);
        }
        buffer
    }
}

/// The sum of 32 lanes in two vectors, in the order of `stats::lanes`.
#[inline(always)]
#[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code, reason = "no kernel uses it"))]
fn fold<L: Lanes>(l: L, lanes: (L::V, L::V)) -> f32 {
    l.total(l.add(lanes.0, lanes.1))
}
