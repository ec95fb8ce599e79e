//! Two models side by side: which tensors are the same, which differ and by how much, which only one of them has.
//!
//! Tensors are matched by name, after [`crate::engine::hf`] has given safetensors the names of a GGUF. Both are read band
//! by band; bands are summed up in their order, so that the figures do not depend on the number of threads (rayon works in
//! the caller's pool).

mod look;

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::prelude::*;

use super::error::{Error, Result};
use super::format::source::AlignedBuf;
use super::model::{Model, Tensor};
use super::preview::bands_of;
use super::progress::Cancel;
use super::stats::ErrorSums;

pub use look::{Histograms, histograms};

/// Elements that one task decodes.
const BAND: u64 = 1 << 16;
/// Bytes that one task compares as they are.
const STRETCH: u64 = 1 << 20;
/// Bands whose sums are in memory at once.
const WAVE: usize = 64;

/// A tensor of one model and the one of the same name in the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pair {
    /// Index in the first model.
    pub a: Option<usize>,
    /// Index in the second model.
    pub b: Option<usize>,
}

impl Pair {
    /// The tensors.
    pub fn tensors<'m>(&self, a: &'m Model, b: &'m Model) -> (Option<&'m Tensor>, Option<&'m Tensor>) {
        (self.a.and_then(|i| a.tensors.get(i)), self.b.and_then(|i| b.tensors.get(i)))
    }

    /// Their name.
    pub fn name<'m>(&self, a: &'m Model, b: &'m Model) -> &'m str {
        let (one, other) = self.tensors(a, b);
        one.or(other).map_or("", |t| t.name.as_str())
    }

    /// Whether both have it, in another type.
    pub fn changes_type(&self, a: &Model, b: &Model) -> bool {
        matches!(self.tensors(a, b), (Some(one), Some(other)) if one.dtype != other.dtype)
    }
}

/// What came of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Same type, same bytes.
    Equal,
    /// Another type or packing, but every weight is the same.
    SameValues,
    /// Weights differ.
    Differ,
    /// The shapes differ: nothing was compared.
    Shape,
    /// Only the first model has it.
    Missing,
    /// Only the second model has it.
    Extra,
    /// It could not be told: a type that cannot be decoded, a failed read.
    Unknown,
}

impl Verdict {
    /// Every verdict, in the order of listings.
    pub const ALL: [Self; 7] =
        [Self::Equal, Self::SameValues, Self::Differ, Self::Shape, Self::Missing, Self::Extra, Self::Unknown];

    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::Equal => "equal",
            Self::SameValues => "same values",
            Self::Differ => "differ",
            Self::Shape => "other shape",
            Self::Missing => "missing",
            Self::Extra => "extra",
            Self::Unknown => "not comparable",
        }
    }
}

/// What was found of a pair.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// In a word.
    pub verdict: Verdict,
    /// Sums over both, the first model's weights being the truth; where weights were decoded.
    pub errors: Option<ErrorSums>,
    /// Weights that differ.
    pub unequal: u64,
    /// Places where one of them is NaN or infinite; they are not in the sums.
    pub non_finite: u64,
    /// Why it could not be told.
    pub problem: Option<String>,
}

/// Errors over pairs, and how many pairs they are over.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Over the tensors that are ternary in the second model and were not in the first, whether they lost anything or not:
    /// what an export says of its output.
    pub ternary: (ErrorSums, usize),
    /// Over these and all others that differ.
    pub all: (ErrorSums, usize),
}

impl Outcome {
    fn plain(verdict: Verdict) -> Self {
        Self { verdict, errors: None, unequal: 0, non_finite: 0, problem: None }
    }

    fn unknown(why: String) -> Self {
        Self { problem: Some(why), ..Self::plain(Verdict::Unknown) }
    }

    /// Relative squared difference Σ(a − b)² ÷ Σa²: 0 where nothing differs; `None` where it was not worked out.
    pub fn rel_mse(&self) -> Option<f64> {
        match self.verdict {
            Verdict::Equal | Verdict::SameValues => Some(0.0),
            _ => self.errors.map(|errors| errors.rel_mse()),
        }
    }
}

impl Totals {
    /// Takes in what came of a pair.
    pub fn add(&mut self, (a, b): (&Model, &Model), pair: &Pair, outcome: &Outcome) {
        let Some(errors) = &outcome.errors else { return };
        let goes_ternary = match pair.tensors(a, b) {
            (Some(one), Some(other)) => other.dtype.is_ternary() && !one.dtype.is_ternary(),
            _ => false,
        };
        if goes_ternary {
            self.ternary.0.merge(errors);
            self.ternary.1 += 1;
        }
        if goes_ternary || outcome.verdict == Verdict::Differ {
            self.all.0.merge(errors);
            self.all.1 += 1;
        }
    }
}

/// Matches tensors by name: those of the first model in its order, then what only the second has, in its order. Of tensors
/// with one name the first counts.
pub fn pair_up(a: &Model, b: &Model) -> Vec<Pair> {
    let mut of_b: HashMap<&str, usize> = HashMap::new();
    for (i, tensor) in b.tensors.iter().enumerate() {
        of_b.entry(&tensor.name).or_insert(i);
    }
    let mut seen: HashSet<&str> = HashSet::new();
    let mut pairs = Vec::with_capacity(a.tensors.len());
    for (i, tensor) in a.tensors.iter().enumerate() {
        if seen.insert(&tensor.name) {
            pairs.push(Pair { a: Some(i), b: of_b.get(tensor.name.as_str()).copied() });
        }
    }
    let extra = b.tensors.iter().enumerate().filter(|(_, tensor)| seen.insert(&tensor.name));
    pairs.extend(extra.map(|(i, _)| Pair { a: None, b: Some(i) }));
    pairs
}

/// Compares a pair. A tensor that cannot be read is an outcome, not an error; the one error is cancellation.
pub fn compare(a: &Model, b: &Model, pair: &Pair, cancel: &Cancel) -> Result<Outcome> {
    cancel.check()?;
    let (one, other) = match pair.tensors(a, b) {
        (Some(one), Some(other)) => (one, other),
        (Some(_), None) => return Ok(Outcome::plain(Verdict::Missing)),
        (None, _) => return Ok(Outcome::plain(Verdict::Extra)),
    };
    if significant(&one.dims) != significant(&other.dims) {
        return Ok(Outcome::plain(Verdict::Shape));
    }
    let sides = Sides { a, b, one, other, cancel };
    match sides.look() {
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(e) => Ok(Outcome::unknown(e.to_string())),
        Ok(outcome) => Ok(outcome),
    }
}

/// Dimensions without trailing ones, which writers drop.
fn significant(dims: &[u64]) -> &[u64] {
    let len = dims.iter().rposition(|d| *d != 1).map_or(0, |i| i + 1);
    &dims[..len]
}

/// Two tensors of one shape.
struct Sides<'m> {
    a: &'m Model,
    b: &'m Model,
    one: &'m Tensor,
    other: &'m Tensor,
    cancel: &'m Cancel,
}

/// What a band comes to.
#[derive(Default)]
struct Part {
    errors: ErrorSums,
    unequal: u64,
    non_finite: u64,
}

/// What a task works with.
#[derive(Default)]
struct Work {
    one: Vec<f32>,
    other: Vec<f32>,
    buffers: (AlignedBuf, AlignedBuf),
}

impl Sides<'_> {
    fn look(&self) -> Result<Outcome> {
        let alike = self.one.dtype == self.other.dtype && self.one.bytes == self.other.bytes;
        if alike && self.same_bytes()? {
            return Ok(Outcome::plain(Verdict::Equal));
        }
        for (tensor, which) in [(self.one, "the first"), (self.other, "the second")] {
            if tensor.decoder().is_none() {
                let what = if alike { "their bytes differ, and " } else { "" };
                return Ok(Outcome::unknown(format!("{what}in {which} model {}", tensor.undecodable_reason())));
            }
        }
        self.decoded()
    }

    fn same_bytes(&self) -> Result<bool> {
        let differs = AtomicBool::new(false);
        let stretches = self.one.bytes.div_ceil(STRETCH);
        let each = |(one, other): &mut (AlignedBuf, AlignedBuf), i: u64| -> Result<()> {
            if differs.load(Ordering::Relaxed) {
                return Ok(());
            }
            self.cancel.check()?;
            let (first, len) = (i * STRETCH, STRETCH.min(self.one.bytes - i * STRETCH) as usize);
            if self.a.read_raw(self.one, first, len, one)? != self.b.read_raw(self.other, first, len, other)? {
                differs.store(true, Ordering::Relaxed);
            }
            Ok(())
        };
        (0..stretches).into_par_iter().map_init(Default::default, each).collect::<Result<()>>()?;
        Ok(!differs.into_inner())
    }

    fn decoded(&self) -> Result<Outcome> {
        let bands: Vec<(u64, u64)> = bands_of(0, self.one.elements(), BAND).collect();
        let mut total = Part::default();
        for wave in bands.chunks(WAVE) {
            let parts: Vec<Result<Part>> =
                wave.par_iter().map_init(Work::default, |work, band| self.band(*band, work)).collect();
            for part in parts {
                let part = part?;
                total.errors.merge(&part.errors);
                total.unequal += part.unequal;
                total.non_finite += part.non_finite;
            }
        }
        let verdict = if total.unequal == 0 { Verdict::SameValues } else { Verdict::Differ };
        let Part { errors, unequal, non_finite } = total;
        Ok(Outcome { verdict, errors: Some(errors), unequal, non_finite, problem: None })
    }

    fn band(&self, (first, len): (u64, u64), work: &mut Work) -> Result<Part> {
        self.cancel.check()?;
        work.one.resize(len as usize, 0.0);
        work.other.resize(len as usize, 0.0);
        self.a.read_f32(self.one, first, &mut work.one, &mut work.buffers.0)?;
        self.b.read_f32(self.other, first, &mut work.other, &mut work.buffers.1)?;
        let mut part = Part::default();
        for (x, y) in work.one.iter_mut().zip(&mut work.other) {
            // Zeros of both signs are one number; a NaN is the same as itself.
            part.unequal += u64::from(x != y && x.to_bits() != y.to_bits());
            if !x.is_finite() || !y.is_finite() {
                part.non_finite += 1;
                (*x, *y) = (0.0, 0.0);
            }
        }
        part.errors.add_decoded(&work.one, &work.other);
        Ok(part)
    }
}
