//! One scale for a whole tensor (I2_S): found in a few passes over weights that are never all in memory.
//!
//! A pass gathers sums in a [`Gather`]; parts merge in order, so that the result does not depend on threads. [`Whole`]
//! says what the next pass has to gather and ends with a [`WholeCode`]: the scale, and the rule that picks each trit.
//!
//! The exact optimum is the one of [`super::optimum`] with the tensor as the block: the best support is a prefix of |w| in
//! descending order. |w| as a bit pattern orders like |w|, so prefixes are found by radix: a pass over buckets of the upper
//! 16 bits gives (Σq, Σq|w|) of each; between two bucket edges the gain (S + s)²/(Q + m) is bounded by its value at the
//! ends with s = m·(upper edge), because it is convex in m; buckets whose bound stays below the best edge are dropped, the
//! others are divided by 256 and gathered again, until buckets are single values. Nothing is approximated.

use super::Method;
use super::block::{BlockError, kept_from};
use super::masses::{Buckets, COARSE_SHIFT, MAGNITUDE, Mass, Masses, STEP};
use crate::engine::stats::{fits_f32, in_halves, wide_sum};

/// Buckets that are refined at once, for the memory; where more are open the others wait for a later pass.
const MAX_OPEN: usize = 4096;

const INFINITE: u32 = 0x7f80_0000;

/// How a tensor with one scale is coded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WholeCode {
    /// What a trit of +1 decodes to.
    pub scale: f32,
    /// Whether the tensor was {−s, 0, +s} before.
    pub native: bool,
    rule: Rule,
}

/// How a trit follows from a weight.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    /// sign(w) where |w| > threshold.
    Above(f64),
    /// round(clamp(w/γ)): ±1 from |w/γ| = ½ up, the quotient in f32.
    Ratio(f32),
    /// round(w · (1/d)) with the reciprocal and product in f32.
    Inverse(f32),
}

/// How many magnitudes lie above a threshold, and their sum, in the order of [`wide_sum`]. Both in one pass and without a
/// branch, so that it is compiled to vectors. Of no slice in memory a lane counts 2³² weights.
fn support(weights: &[f32], above: f32) -> Mass {
    const WIDE: usize = 16;
    let (mut counts, mut sums) = ([0u32; WIDE], [0.0f64; WIDE]);
    let mut add = |weights: &[f32]| {
        for ((count, sum), w) in counts.iter_mut().zip(&mut sums).zip(weights) {
            let kept = w.abs() > above;
            *count += u32::from(kept);
            *sum += f64::from(if kept { w.abs() } else { 0.0 });
        }
    };
    let (sixteens, rest) = weights.as_chunks::<WIDE>();
    sixteens.iter().for_each(|sixteen| add(sixteen));
    add(rest);
    (counts.iter().map(|count| f64::from(*count)).sum(), in_halves(sums))
}

impl Rule {
    /// A magnitude that is not kept though all above it are; of a reciprocal only where it is one of a normal number.
    fn above(self) -> f32 {
        match self {
            Self::Above(threshold) => {
                // As an f32 it may have been rounded up, to a magnitude that is kept.
                let near = threshold as f32;
                if f64::from(near) > threshold { near.next_down() } else { near }
            }
            Self::Ratio(gamma) => (gamma * 0.5).next_down(),
            Self::Inverse(inverse) => kept_from(inverse).next_down(),
        }
    }
}

impl WholeCode {
    /// A magnitude that is not kept though all above it are, where the scale is one that f16 could hold.
    pub(super) fn above(&self) -> f32 {
        match self.rule {
            Rule::Inverse(_) if !fits_f32(self.scale, self.scale) => f32::INFINITY,
            rule => rule.above(),
        }
    }

    /// The trits of some of the tensor's weights.
    pub fn trits(&self, weights: &[f32], trits: &mut [i8]) {
        for (t, w) in trits.iter_mut().zip(weights) {
            *t = match self.rule {
                Rule::Above(threshold) => {
                    let w = f64::from(*w);
                    i8::from(w > threshold) - i8::from(w < -threshold)
                }
                Rule::Ratio(gamma) => half_up(w / gamma),
                Rule::Inverse(inverse) => half_up(w * inverse),
            };
        }
    }
}

fn half_up(ratio: f32) -> i8 {
    i8::from(ratio >= 0.5) - i8::from(ratio <= -0.5)
}

/// What a pass gathers.
#[derive(Debug, Clone)]
pub struct Gather {
    goal: Goal,
    n: u64,
    sum_abs: f64,
    least: u32,
    greatest: u32,
    non_finite: Option<(u64, f32)>,
    /// The first nonzero weight: its index and pattern.
    first: Option<(u64, u32)>,
    /// Index of the first nonzero weight whose magnitude differs from that one's.
    differs: Option<u64>,
    /// Count and Σ|w| of what a rule keeps.
    kept: Mass,
    /// Buckets, where the optimum is wanted.
    masses: Option<Masses>,
}

#[derive(Debug, Clone, PartialEq)]
enum Goal {
    /// Sums, extremes, and coarse buckets where the optimum is wanted.
    First { buckets: bool },
    /// Σ|w| and count where this rule gives a nonzero trit.
    Support(Rule),
    /// The open buckets, each divided by 2⁸: their first patterns at this shift, ascending.
    Refine { starts: Vec<u32>, shift: u32 },
}

impl Gather {
    fn new(goal: Goal) -> Self {
        let buckets = match &goal {
            Goal::First { buckets: true } => Some(Buckets::Coarse),
            Goal::Refine { starts, shift } => Some(Buckets::Fine { starts: starts.clone(), shift: *shift }),
            Goal::First { buckets: false } | Goal::Support(_) => None,
        };
        Self {
            goal,
            n: 0,
            sum_abs: 0.0,
            least: u32::MAX,
            greatest: 0,
            non_finite: None,
            first: None,
            differs: None,
            kept: (0.0, 0.0),
            masses: buckets.map(Masses::new),
        }
    }

    /// Adds weights, the first of which is element `first` of the tensor; `importance` is as long.
    pub fn add(&mut self, weights: &[f32], importance: Option<&[f32]>, first: u64) {
        match &self.goal {
            Goal::First { .. } => self.look_over(weights, first),
            Goal::Support(rule) => {
                let (count, sum) = support(weights, rule.above());
                self.kept = (self.kept.0 + count, self.kept.1 + sum);
            }
            Goal::Refine { .. } => {}
        }
        if let Some(masses) = &mut self.masses {
            masses.add(weights, importance);
        }
    }

    /// What the first pass finds beside the buckets.
    fn look_over(&mut self, weights: &[f32], first: u64) {
        self.n += weights.len() as u64;
        self.sum_abs += wide_sum(weights.len(), |i| f64::from(weights[i].abs()));
        let patterns = weights.iter().map(|w| w.to_bits() & MAGNITUDE);
        // 0 comes last among the least.
        let (least, greatest) = patterns.fold((self.least, self.greatest), |(least, greatest), pattern| {
            (least.min(pattern.wrapping_sub(1)), greatest.max(pattern))
        });
        (self.least, self.greatest) = (least, greatest);
        if greatest >= INFINITE && self.non_finite.is_none() {
            let at = weights.iter().position(|w| !w.is_finite());
            self.non_finite = at.map(|at| (first + at as u64, weights[at]));
        }
        // Of most tensors the first two weights differ.
        if self.differs.is_none() {
            let mut nonzero = weights.iter().zip(first..).filter(|(w, _)| **w != 0.0);
            let (_, known) = match self.first {
                Some(known) => known,
                None => match nonzero.next() {
                    Some((w, at)) => *self.first.insert((at, w.to_bits() & MAGNITUDE)),
                    None => return,
                },
            };
            self.differs = nonzero.find(|(w, _)| w.to_bits() & MAGNITUDE != known).map(|(_, at)| at);
        }
    }

    /// Adds a later part.
    pub fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum_abs += other.sum_abs;
        self.least = self.least.min(other.least);
        self.greatest = self.greatest.max(other.greatest);
        self.non_finite = self.non_finite.or(other.non_finite);
        match (self.first, other.first) {
            (None, theirs) => (self.first, self.differs) = (theirs, other.differs),
            (Some((_, mine)), Some((at, theirs))) if mine != theirs => {
                self.differs = self.differs.or(Some(at));
            }
            _ => self.differs = self.differs.or(other.differs),
        }
        self.kept = (self.kept.0 + other.kept.0, self.kept.1 + other.kept.1);
        if let (Some(mine), Some(theirs)) = (&mut self.masses, &other.masses) {
            mine.merge(theirs);
        }
    }

    /// The mass of each bucket.
    fn sums(&self) -> Vec<Mass> {
        self.masses.as_ref().map(Masses::sums).unwrap_or_default()
    }
}

/// The search for a tensor's one scale.
#[derive(Debug, Clone)]
pub struct Whole {
    method: Method,
    goal: Goal,
    /// What is known of all weights in descending order: the lowest pattern of each bucket, its width, its mass.
    buckets: Vec<Bucket>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    low: u32,
    shift: u32,
    mass: Mass,
}

impl Bucket {
    fn upper(&self) -> f64 {
        f64::from(f32::from_bits(self.low | ((1u64 << self.shift) - 1) as u32))
    }
}

impl Whole {
    /// Begins; every method but `lossless` takes any finite weights.
    pub fn new(method: Method) -> Self {
        Self { method, goal: Goal::First { buckets: method == Method::Exact }, buckets: Vec::new() }
    }

    /// An empty gathering for the next pass.
    pub fn gather(&self) -> Gather {
        Gather::new(self.goal.clone())
    }

    /// Takes what a pass over all weights gathered: the code, or `None` where another pass is needed. Errors: weights that
    /// are not finite (the index is the tensor's), a tensor that `lossless` refuses, a scale beyond f32.
    pub fn take(&mut self, gathered: &Gather) -> Result<Option<WholeCode>, BlockError> {
        match &gathered.goal {
            Goal::First { .. } => self.after_first(gathered),
            Goal::Support(rule) => {
                let (count, sum) = gathered.kept;
                Self::done(if count > 0.0 { sum / count } else { 0.0 }, *rule)
            }
            Goal::Refine { starts, shift } => {
                self.replace(starts, *shift, &gathered.sums());
                self.search()
            }
        }
    }

    fn after_first(&mut self, g: &Gather) -> Result<Option<WholeCode>, BlockError> {
        if let Some((index, value)) = g.non_finite {
            return Err(BlockError::NonFinite { index: usize::try_from(index).unwrap_or(usize::MAX), value });
        }
        let mean = g.sum_abs / g.n.max(1) as f64;
        let greatest = f32::from_bits(g.greatest);
        let native = g.least == u32::MAX || g.least + 1 == g.greatest;
        if native && self.method != Method::Absmean && self.method != Method::Max {
            let scale = if g.least == u32::MAX { 0.0 } else { greatest };
            return Ok(Some(WholeCode { scale, native: true, rule: Rule::Above(0.0) }));
        }
        match self.method {
            Method::Calibrated => Err(BlockError::NeedsMoments),
            Method::Lossless => {
                let index = g.differs.and_then(|i| usize::try_from(i).ok()).unwrap_or(0);
                Err(BlockError::NotTernary { index })
            }
            Method::Absmean => {
                let gamma = mean as f32 + 1e-8;
                Self::done(f64::from(gamma), Rule::Ratio(gamma))
            }
            Method::Max => {
                let inverse = if greatest == 0.0 { 0.0 } else { 1.0 / greatest };
                Self::done(f64::from(greatest), Rule::Inverse(inverse))
            }
            Method::Refit => {
                self.goal = Goal::Support(Rule::Ratio(mean as f32 + 1e-8));
                Ok(None)
            }
            Method::Twn => {
                self.goal = Goal::Support(Rule::Above(0.75 * mean));
                Ok(None)
            }
            Method::Exact => {
                let bucket = |(i, mass): (usize, &Mass)| Bucket {
                    low: (i as u32) << COARSE_SHIFT,
                    shift: COARSE_SHIFT,
                    mass: *mass,
                };
                self.buckets = g.sums().iter().enumerate().rev().filter(|(_, m)| m.0 > 0.0).map(bucket).collect();
                self.search()
            }
        }
    }

    fn done(scale: f64, rule: Rule) -> Result<Option<WholeCode>, BlockError> {
        let scale = scale as f32;
        if scale.is_finite() {
            Ok(Some(WholeCode { scale, native: false, rule }))
        } else {
            Err(BlockError::ScaleOverflow { scale })
        }
    }

    /// Puts refined buckets in the place of those that were opened.
    fn replace(&mut self, starts: &[u32], shift: u32, mass: &[Mass]) {
        let mut fine: Vec<Bucket> = Vec::new();
        for bucket in &self.buckets {
            let start = bucket.low >> shift;
            match starts.binary_search(&start) {
                Ok(open) if bucket.shift == shift + STEP => {
                    let slots = &mass[open << STEP..(open + 1) << STEP];
                    let filled = slots.iter().enumerate().rev().filter(|(_, m)| m.0 > 0.0);
                    fine.extend(filled.map(|(i, m)| Bucket { low: (start + i as u32) << shift, shift, mass: *m }));
                }
                _ => fine.push(*bucket),
            }
        }
        self.buckets = fine;
    }

    /// Looks for the best edge and for buckets whose inside may hold a better one.
    fn search(&mut self) -> Result<Option<WholeCode>, BlockError> {
        let (mut q, mut s) = (0.0, 0.0);
        let (mut best, mut scale) = (0.0, 0.0);
        for bucket in &self.buckets {
            q += bucket.mass.0;
            s += bucket.mass.1;
            if s * s / q > best {
                (best, scale) = (s * s / q, s / q);
            }
        }
        let (mut q, mut s) = (0.0f64, 0.0f64);
        let mut open: Vec<Bucket> = Vec::new();
        for bucket in &self.buckets {
            let (m, sum) = bucket.mass;
            // Of a whole bucket at its upper edge; a part of it lies below the larger of the two ends.
            let bound = (s + m * bucket.upper()).powi(2) / (q + m);
            if bucket.shift > 0 && bound > best {
                open.push(*bucket);
            }
            q += m;
            s += sum;
        }
        // Refine the widest first; those that are finer wait for the next look.
        let Some(widest) = open.iter().map(|b| b.shift).max() else {
            return Self::done(scale, Rule::Above(f64::from(scale as f32) / 2.0)).map(|code| code.map(zero_rule));
        };
        let shift = widest - STEP;
        let wide = open.iter().filter(|b| b.shift == widest);
        let mut starts: Vec<u32> = wide.take(MAX_OPEN).map(|b| b.low >> shift).collect();
        starts.sort_unstable();
        self.goal = Goal::Refine { starts, shift };
        Ok(None)
    }
}

/// With a scale of 0 every code has the same error; zeros say so.
fn zero_rule(code: WholeCode) -> WholeCode {
    if code.scale == 0.0 { WholeCode { rule: Rule::Above(f64::INFINITY), ..code } } else { code }
}

/// Codes weights that are all in memory, as a test and a preview of a sample do.
pub fn whole_code(method: Method, weights: &[f32], importance: Option<&[f32]>) -> Result<WholeCode, BlockError> {
    let mut whole = Whole::new(method);
    loop {
        let mut gather = whole.gather();
        gather.add(weights, importance, 0);
        if let Some(code) = whole.take(&gather)? {
            return Ok(code);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Scratch, optimum};
    use super::*;

    fn noise(n: usize, seed: u64) -> Vec<f32> {
        let mut state = seed | 1;
        let mut uniform = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1u32 << 24) as f32 - 0.5
        };
        (0..n).map(|_| (0..6).map(|_| uniform()).sum::<f32>() * 0.07).collect()
    }

    #[test]
    fn the_optimum_is_that_of_sorting() {
        for (n, seed) in [(1, 1), (7, 2), (500, 3), (20_000, 4), (20_000, 5)] {
            let weights = noise(n, seed);
            let importance: Vec<f32> = noise(n, seed + 100).iter().map(|x| x * x + 1e-4).collect();
            let best = optimum(&weights, None, &mut Scratch::default());
            let found = whole_code(Method::Exact, &weights, None).unwrap();
            assert!((f64::from(found.scale) - best.scale).abs() < 1e-6 * best.scale, "{n}: {found:?} {best:?}");
            let weighted = optimum(&weights, Some(&importance), &mut Scratch::default());
            let found = whole_code(Method::Exact, &weights, Some(&importance)).unwrap();
            // The block's weighting adds 10⁻⁶ to every weight.
            assert!(
                (f64::from(found.scale) - weighted.scale).abs() < 1e-4 * weighted.scale,
                "{n} {found:?} {weighted:?}"
            );
        }
    }

    #[test]
    fn what_a_rule_keeps_is_counted_as_its_trits_are_chosen() {
        let mut weights = noise(4099, 11);
        let mean = weights.iter().map(|w| f64::from(w.abs())).sum::<f64>() / weights.len() as f64;
        let gamma = mean as f32 + 1e-8;
        // On the edges of both rules, and beside them.
        for edge in [gamma * 0.5, (0.75 * mean) as f32] {
            weights.extend([edge, -edge, edge.next_up(), edge.next_down(), -edge.next_down().next_down()]);
        }
        for rule in [Rule::Ratio(gamma), Rule::Above(0.75 * mean), Rule::Above(0.0), Rule::Ratio(f32::INFINITY)] {
            let mut trits = vec![0; weights.len()];
            WholeCode { scale: gamma, native: false, rule }.trits(&weights, &mut trits);
            let kept = |i: usize| if trits[i] == 0 { 0.0 } else { f64::from(weights[i].abs()) };
            let count = trits.iter().filter(|t| **t != 0).count();
            assert_eq!(support(&weights, rule.above()), (count as f64, wide_sum(weights.len(), kept)), "{rule:?}");
        }
    }

    #[test]
    fn every_method_codes_a_tensor_and_native_ones_keep_theirs() {
        let weights = noise(4096, 9);
        let mean = weights.iter().map(|w| f64::from(w.abs())).sum::<f64>() / 4096.0;
        let absmean = whole_code(Method::Absmean, &weights, None).unwrap();
        assert_eq!(absmean.scale, mean as f32 + 1e-8);
        let max = whole_code(Method::Max, &weights, None).unwrap();
        assert_eq!(max.scale, weights.iter().fold(0.0f32, |m, w| m.max(w.abs())));
        let mut trits = vec![0; 4096];
        for method in [Method::Refit, Method::Twn] {
            let code = whole_code(method, &weights, None).unwrap();
            code.trits(&weights, &mut trits);
            let kept: Vec<f64> =
                weights.iter().zip(&trits).filter(|(_, t)| **t != 0).map(|(w, _)| f64::from(w.abs())).collect();
            let mean = kept.iter().sum::<f64>() / kept.len() as f64;
            assert!((f64::from(code.scale) - mean).abs() < 1e-7, "{method}");
        }
        assert!(matches!(whole_code(Method::Lossless, &weights, None), Err(BlockError::NotTernary { .. })));
        let native: Vec<f32> = (0..300).map(|i| [-0.3, 0.0, 0.3][i % 3]).collect();
        let code = whole_code(Method::Lossless, &native, None).unwrap();
        let mut trits = vec![9; 300];
        code.trits(&native, &mut trits);
        assert_eq!((code.scale, code.native, &trits[..3]), (0.3, true, &[-1i8, 0, 1][..]));
        let zeros = whole_code(Method::Exact, &[0.0; 64], None).unwrap();
        assert_eq!((zeros.scale, zeros.native), (0.0, true));
        assert!(matches!(
            whole_code(Method::Exact, &[1.0, f32::NAN], None),
            Err(BlockError::NonFinite { index: 1, .. })
        ));
    }
}
