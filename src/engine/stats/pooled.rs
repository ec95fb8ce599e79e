//! The relative error of several parts together (a folder's tensors, a model's), as sums that parts are added to and
//! taken from: a tensor that is measured or toggled among a hundred thousand costs the same as among ten.
//!
//! The ratio of the expanded sums is R = Σ Nē ÷ Σ Nw̄. Its variance by linearisation is that of Σ N·mean(e − R·w), parts
//! independent, with the finite population correction (Cochran, Sampling Techniques, ch. 2 and 6). A part's share in it
//! is a polynomial in R of the second degree; so polynomials are what is summed, and R is put in at the end.
//!
//! Block errors can have heavy tails: a few blocks with huge weights move R and are often not in the sample, so the
//! plain t interval holds the truth far too seldom. Two things widen it where the sample kurtosis κ says so: the degrees
//! of freedom are those that κ leaves to the variance estimate, and `TAIL`·s·√(κ − 3)/n is added at both ends, which is
//! what a handful of unseen blocks as extreme as the worst seen would do. On normal weights both hardly matter. κ is that
//! of a part's own residuals, e − w·(its own ratio): of one part alone that is the same. A sample that caught no sign of
//! its outliers is still too sure of itself; `tests/sampling.rs` has the rates.
//!
//! Parts with no sampled block are left out; a part with one block has its residual for a spread; one part of one block
//! says nothing of the spread, so it has no upper end.

use super::sample::{Estimate, SampleMoments};

/// How much of a heavy tail is taken for unseen: chosen so that intervals of 64 and more blocks hold the truth in nine
/// of ten samples of Student-t(3) weights, whose blocks' squared sums have no variance at all.
const TAIL: f64 = 10.0;

/// A polynomial in the ratio, lowest power first.
type Polynomial<const N: usize> = [f64; N];

/// How many parts there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Counts {
    /// All of them.
    parts: u64,
    /// Those with any error.
    wrong: u64,
    /// Those of which not every block was sampled.
    sampled: u64,
    /// Those among them of which one block was.
    lone: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.parts += other.parts;
        self.wrong += other.wrong;
        self.sampled += other.sampled;
        self.lone += other.lone;
    }

    fn remove(&mut self, other: Self) {
        self.parts = self.parts.saturating_sub(other.parts);
        self.wrong = self.wrong.saturating_sub(other.wrong);
        self.sampled = self.sampled.saturating_sub(other.sampled);
        self.lone = self.lone.saturating_sub(other.lone);
    }
}

/// Adds one polynomial to another, or takes it away.
fn accumulate<const N: usize>(sums: &mut Polynomial<N>, terms: Polynomial<N>, sign: f64) {
    sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += sign * term);
}

/// Sums over parts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pooled {
    counts: Counts,
    /// Expanded Σe and Σw.
    sums: (f64, f64),
    /// Variance of the expanded sum of residuals.
    variance: Polynomial<3>,
    /// Σ variance² ÷ degrees of freedom (Satterthwaite).
    doubt: Polynomial<5>,
    /// Σ of the squared allowances for unseen tails.
    tail: Polynomial<3>,
}

/// What of a part is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    /// No block.
    Nothing,
    /// Every block.
    All,
    /// A sample.
    Sample,
    /// One block.
    One,
}

/// One part, as what its terms of the sums are made from: a cache line, so that many lie well side by side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PooledPart {
    seen: Seen,
    /// Expanded Σe and Σw.
    sums: (f64, f64),
    /// Variance of the expanded sum of residuals.
    variance: Polynomial<3>,
    /// 1 ÷ degrees of freedom.
    per_freedom: f64,
    /// The squared allowance for unseen tails ÷ the variance.
    tail: f64,
}

impl PooledPart {
    /// Of a sample.
    pub fn of(part: &SampleMoments) -> Self {
        let none = Self { seen: Seen::Nothing, sums: (0.0, 0.0), variance: [0.0; 3], per_freedom: 0.0, tail: 0.0 };
        if part.n == 0 {
            return none;
        }
        let sums = part.expanded();
        if part.n >= part.population {
            return Self { seen: Seen::All, sums, ..none };
        }
        let (n, population) = (part.n as f64, part.population as f64);
        let unseen = 1.0 - n / population;
        let (spread, freedom, excess) = if part.n == 1 {
            let (e, w) = part.means();
            ([e * e, -2.0 * e * w, w * w], 1.0, 0.0)
        } else {
            let ratio = if sums.1 > 0.0 { sums.0 / sums.1 } else { 0.0 };
            let (second, fourth) = part.residual_moments(ratio);
            // Var(s²)/s⁴ is about (κ − 1)/n, where a normal sample has κ = 3.
            let kurtosis = if second > 0.0 { (fourth / second / second).max(3.0) } else { 3.0 };
            let freedom = (2.0 * n / (kurtosis - 1.0)).clamp(1.0, n);
            (part.variance_by_ratio().map(|c| c * n / (n - 1.0)), freedom.min(n - 1.0), kurtosis - 3.0)
        };
        Self {
            seen: if part.n == 1 { Seen::One } else { Seen::Sample },
            sums,
            variance: spread.map(|c| population * population * unseen * c / n),
            per_freedom: 1.0 / freedom,
            tail: TAIL * TAIL * unseen * excess / n,
        }
    }

    /// Σe and Σw of the part, as far as the sample tells.
    pub fn expanded(&self) -> (f64, f64) {
        self.sums
    }

    /// The relative error of this part alone, with its interval.
    pub fn estimate(&self) -> Estimate {
        let mut alone = Pooled::default();
        alone.add_part(self);
        alone.estimate()
    }

    fn is_sampled(&self) -> bool {
        matches!(self.seen, Seen::Sample | Seen::One)
    }

    fn counts(&self) -> Counts {
        Counts {
            parts: u64::from(self.seen != Seen::Nothing),
            wrong: u64::from(self.sums.0 != 0.0),
            sampled: u64::from(self.is_sampled()),
            lone: u64::from(self.seen == Seen::One),
        }
    }

    /// Its terms of variance², lowest power first.
    fn doubt(&self) -> Polynomial<5> {
        let [a, b, c] = self.variance;
        [a * a, 2.0 * a * b, b * b + 2.0 * a * c, 2.0 * b * c, c * c].map(|term| term * self.per_freedom)
    }
}

impl Pooled {
    /// Adds a part.
    pub fn add_part(&mut self, part: &PooledPart) {
        self.counts.add(part.counts());
        self.join(part, 1.0);
    }

    /// Takes away a part that was added before.
    pub fn remove_part(&mut self, part: &PooledPart) {
        self.counts.remove(part.counts());
        self.join(part, -1.0);
        // What is left of sums of nothing is rounding.
        if self.counts.parts == 0 {
            *self = Self::default();
        }
        if self.counts.wrong == 0 {
            self.sums.0 = 0.0;
        }
        if self.counts.sampled == 0 {
            (self.variance, self.doubt, self.tail) = Default::default();
        }
    }

    /// Adds the parts of another sum.
    pub fn add(&mut self, other: &Self) {
        self.counts.add(other.counts);
        self.sums.0 += other.sums.0;
        self.sums.1 += other.sums.1;
        accumulate(&mut self.variance, other.variance, 1.0);
        accumulate(&mut self.doubt, other.doubt, 1.0);
        accumulate(&mut self.tail, other.tail, 1.0);
    }

    fn join(&mut self, part: &PooledPart, sign: f64) {
        self.sums.0 += sign * part.sums.0;
        self.sums.1 += sign * part.sums.1;
        // Most parts of a model of small tensors are exact.
        if part.is_sampled() {
            accumulate(&mut self.variance, part.variance, sign);
            accumulate(&mut self.doubt, part.doubt(), sign);
            accumulate(&mut self.tail, part.variance.map(|c| c * part.tail), sign);
        }
    }

    /// Whether there is any part.
    pub fn is_empty(&self) -> bool {
        self.counts.parts == 0
    }

    /// The relative error of all parts together, with its interval.
    pub fn estimate(&self) -> Estimate {
        let (e, w) = self.sums;
        let value = if e == 0.0 { 0.0 } else { e / w };
        if self.counts.parts == 1 && self.counts.lone == 1 {
            return Estimate { value, low: 0.0, high: f64::INFINITY };
        }
        // Without weights (all zero) there is no error either, and nothing to be unsure of.
        let reach = if w > 0.0 && self.counts.sampled > 0 { self.reach(value) / w } else { 0.0 };
        Estimate { value, low: (value - reach).max(0.0), high: value + reach }
    }

    /// How far the expanded sum of residuals may be from 0.
    fn reach(&self, ratio: f64) -> f64 {
        fn at<const N: usize>(polynomial: &Polynomial<N>, ratio: f64) -> f64 {
            polynomial.iter().rev().fold(0.0, |sum, c| sum * ratio + c).max(0.0)
        }
        let (variance, doubt) = (at(&self.variance, ratio), at(&self.doubt, ratio));
        let freedom = if doubt > 0.0 { variance * variance / doubt } else { f64::INFINITY };
        student_t975(freedom) * variance.sqrt() + at(&self.tail, ratio).sqrt()
    }
}

/// The 97.5 % quantile of Student's t, linear in 1/degrees between table entries, which errs to the wide side.
fn student_t975(freedom: f64) -> f64 {
    const TABLE: [(f64, f64); 14] = [
        (1.0, 12.706),
        (2.0, 4.303),
        (3.0, 3.182),
        (4.0, 2.776),
        (5.0, 2.571),
        (6.0, 2.447),
        (8.0, 2.306),
        (10.0, 2.228),
        (15.0, 2.131),
        (20.0, 2.086),
        (30.0, 2.042),
        (60.0, 2.000),
        (120.0, 1.980),
        (f64::INFINITY, 1.960),
    ];
    let x = 1.0 / freedom.max(1.0);
    let between = TABLE.windows(2).find(|pair| x >= 1.0 / pair[1].0);
    between.map_or(1.960, |pair| {
        let (near, far) = (1.0 / pair[1].0, 1.0 / pair[0].0);
        pair[1].1 + (pair[0].1 - pair[1].1) * (x - near) / (far - near)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(population: u64, n: u32, of: impl Fn(u32) -> (f64, f64)) -> SampleMoments {
        let mut part = SampleMoments::new(population);
        (0..n).map(of).for_each(|(e, w)| part.add(e, w));
        part
    }

    #[test]
    fn what_is_taken_away_leaves_what_was_there() {
        let parts: Vec<SampleMoments> = (1..9u32)
            .map(|k| part(u64::from(k) * 40, 20, |i| (f64::from(i * i % (7 + k)) + 1.0, f64::from(i % 5 + k) * 9.0)))
            .collect();
        let mut pooled = Pooled::default();
        parts.iter().for_each(|p| pooled.add_part(&PooledPart::of(p)));
        parts[4..].iter().for_each(|p| pooled.remove_part(&PooledPart::of(p)));
        let (left, expected) = (pooled.estimate(), SampleMoments::combine(parts[..4].iter()));
        for (a, b) in [(left.value, expected.value), (left.low, expected.low), (left.high, expected.high)] {
            assert!((a / b - 1.0).abs() < 1e-9, "{left:?} {expected:?}");
        }
        parts[..4].iter().for_each(|p| pooled.remove_part(&PooledPart::of(p)));
        assert_eq!(pooled, Pooled::default());
    }

    #[test]
    fn no_error_stays_no_error_when_others_were_there() {
        let exact = |e: f64| PooledPart::of(&SampleMoments::complete(3, e, 7.0));
        let mut pooled = Pooled::default();
        pooled.add_part(&exact(0.0));
        pooled.add_part(&exact(0.1));
        pooled.add_part(&exact(0.7));
        pooled.remove_part(&exact(0.1));
        pooled.remove_part(&exact(0.7));
        assert_eq!(pooled.estimate().value, 0.0);
    }

    #[test]
    fn the_polynomial_is_the_variance_of_residuals_at_any_ratio() {
        let part = part(500, 30, |i| (1e3 + f64::from(i * i % 37), 5e3 + f64::from(i * 7 % 41)));
        let [a, b, c] = part.variance_by_ratio();
        for ratio in [0.0, 0.1, 0.2, 0.9] {
            let (second, _) = part.residual_moments(ratio);
            assert!(((a + b * ratio + c * ratio * ratio) / second - 1.0).abs() < 1e-9);
        }
    }

    #[test]
    fn quantiles_of_t_are_the_tables_and_fall_between() {
        assert_eq!(student_t975(1.0), 12.706);
        assert_eq!(student_t975(10.0), 2.228);
        assert_eq!(student_t975(f64::INFINITY), 1.960);
        assert!((student_t975(40.0) - 2.021).abs() < 2e-3);
        assert!((student_t975(1000.0) - 1.962).abs() < 1e-3);
        assert_eq!(student_t975(0.1), 12.706);
    }
}
