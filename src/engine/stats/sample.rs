//! Figures from a sample of blocks: which blocks to take, and how far the truth may lie from what they say.
//!
//! [`SamplePlan`] spreads the sample over the tensor; [`SampleMoments`] gathers each taken block's squared error and
//! squared weights and turns them into an [`Estimate`] of the relative error. Nothing here reads a block.

/// The splitmix64 generator (Steele, Lea, Flood 2014): small, seedable, the same everywhere.
struct SplitMix64(u64);

impl SplitMix64 {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `n`, evenly but for a bias of n/2⁶⁴.
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }
}

/// Which blocks of a tensor are looked at: one at random from each of equally long stretches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SamplePlan {
    indices: Vec<u64>,
}

impl SamplePlan {
    /// A sample of `wanted` out of `population` blocks, or all of them if there are no more than that.
    pub fn new(population: u64, wanted: usize, seed: u64) -> Self {
        let taken = population.min(wanted as u64);
        let start = |i: u64| (u128::from(i) * u128::from(population) / u128::from(taken.max(1))) as u64;
        let mut rng = SplitMix64(seed);
        let indices = (0..taken).map(|i| start(i) + rng.below(start(i + 1) - start(i))).collect();
        Self { indices }
    }

    /// Block indices, strictly ascending.
    pub fn indices(&self) -> &[u64] {
        &self.indices
    }

    /// The same, one by one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = u64> + '_ {
        self.indices.iter().copied()
    }
}

/// A figure and the interval that holds the truth in 95 of 100 samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure as the sample has it.
    pub value: f64,
    /// Lower end, never below 0.
    pub low: f64,
    /// Upper end; infinite where one block is all there is to go by.
    pub high: f64,
}

/// Sums over sampled blocks of all products eᵃwᵇ up to the fourth degree, from which the spread and the tails of any
/// e − R·w follow without knowing R beforehand.
///
/// e is a block's Σ(w − ŵ)², w its Σw². Both are shifted by the first block's values and divided by its w, so that
/// differences of nearly equal sums lose no digits and powers neither overflow nor vanish.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleMoments {
    /// Blocks of the tensor.
    pub population: u64,
    /// Blocks sampled.
    pub n: u64,
    unit: f64,
    origin: (f64, f64),
    /// `powers[a][b]` = Σ eᵃ wᵇ of the shifted values, a + b ≤ 4.
    powers: [[f64; 5]; 5],
}

impl SampleMoments {
    /// No block seen yet of `population`.
    pub fn new(population: u64) -> Self {
        Self { population, n: 0, unit: 0.0, origin: (0.0, 0.0), powers: [[0.0; 5]; 5] }
    }

    /// Every block of the tensor was looked at: its squared error and squared weights, summed.
    pub fn complete(blocks: u64, sum_e2: f64, sum_w2: f64) -> Self {
        let mut moments = Self { population: blocks, n: blocks, unit: 1.0, ..Self::new(blocks) };
        (moments.powers[0][0], moments.powers[1][0], moments.powers[0][1]) = (blocks as f64, sum_e2, sum_w2);
        moments
    }

    /// Adds a block's squared error and squared weights.
    pub fn add(&mut self, e2: f64, w2: f64) {
        if self.n == 0 {
            self.unit = if w2 > 0.0 { w2 } else { 1.0 };
            self.origin = (e2 / self.unit, w2 / self.unit);
        }
        self.n += 1;
        let (e, w) = (e2 / self.unit - self.origin.0, w2 / self.unit - self.origin.1);
        let mut ea = 1.0;
        for (a, row) in self.powers.iter_mut().enumerate() {
            let mut product = ea;
            for sum in &mut row[..5 - a] {
                *sum += product;
                product *= w;
            }
            ea *= e;
        }
    }

    fn mean_e(&self) -> f64 {
        (self.powers[1][0] / self.n as f64 + self.origin.0) * self.unit
    }

    fn mean_w(&self) -> f64 {
        (self.powers[0][1] / self.n as f64 + self.origin.1) * self.unit
    }

    /// Σe and Σw of the whole tensor, as far as the sample tells; zeros of no block.
    pub fn expanded(&self) -> (f64, f64) {
        if self.n == 0 {
            return (0.0, 0.0);
        }
        (self.population as f64 * self.mean_e(), self.population as f64 * self.mean_w())
    }

    /// Relative error Σe ÷ Σw of the whole tensor, with its interval.
    pub fn estimate(&self) -> Estimate {
        Self::combine(std::iter::once(self))
    }

    /// Second and fourth central moments of e − `ratio`·w (sums divided by n).
    fn residual_moments(&self, ratio: f64) -> (f64, f64) {
        const BINOMIAL: [[f64; 5]; 5] = [
            [1.0, 0.0, 0.0, 0.0, 0.0],
            [1.0, 1.0, 0.0, 0.0, 0.0],
            [1.0, 2.0, 1.0, 0.0, 0.0],
            [1.0, 3.0, 3.0, 1.0, 0.0],
            [1.0, 4.0, 6.0, 4.0, 1.0],
        ];
        let raw = |k: usize| {
            let term = |b: usize| BINOMIAL[k][b] * (-ratio).powi(b as i32) * self.powers[k - b][b];
            (0..=k).map(term).sum::<f64>() / self.n as f64
        };
        let (m1, m2, m3, m4) = (raw(1), raw(2), raw(3), raw(4));
        let second = (m2 - m1 * m1).max(0.0);
        let fourth = m4 - 4.0 * m1 * m3 + 6.0 * m1 * m1 * m2 - 3.0 * m1 * m1 * m1 * m1;
        (second * self.unit.powi(2), fourth.max(0.0) * self.unit.powi(4))
    }

    /// Relative error of all parts together (a model's tensors), each part standing for its whole population.
    ///
    /// The ratio of the expanded sums, R = Σ Nē ÷ Σ Nw̄. Its variance by linearisation is that of Σ N·mean(e − R·w),
    /// parts independent, with the finite population correction (Cochran, Sampling Techniques, ch. 2 and 6).
    ///
    /// Block errors can have heavy tails: a few blocks with huge weights move R and are often not in the sample, so the
    /// plain t interval holds the truth far too seldom. Two things widen it where the sample kurtosis κ says so: the
    /// degrees of freedom are those that κ leaves to the variance estimate, and `TAIL`·s·√(κ − 3)/n is added at both
    /// ends, which is what a handful of unseen blocks as extreme as the worst seen would do. On normal weights both
    /// hardly matter. A sample that caught no sign of its outliers is still too sure of itself; `tests/sampling.rs` has
    /// the rates.
    ///
    /// Parts with no sampled block are left out; a part with one block has its residual for a spread; one part of one
    /// block says nothing of the spread, so it has no upper end.
    pub fn combine<'a>(parts: impl Iterator<Item = &'a Self>) -> Estimate {
        let parts: Vec<&Self> = parts.filter(|p| p.n > 0).collect();
        let total = |mean: fn(&Self) -> f64| parts.iter().map(|p| p.population as f64 * mean(p)).sum::<f64>();
        let (sum_e, sum_w) = (total(Self::mean_e), total(Self::mean_w));
        let value = if sum_e == 0.0 { 0.0 } else { sum_e / sum_w };
        if let [only] = parts.as_slice()
            && only.n == 1
            && only.population > 1
        {
            return Estimate { value, low: 0.0, high: f64::INFINITY };
        }
        let mut spread = Spread::default();
        for part in &parts {
            spread.add(part, value);
        }
        // Without weights (all zero) there is no error either, and nothing to be unsure of.
        let reach = if sum_w > 0.0 { spread.reach() / sum_w } else { 0.0 };
        Estimate { value, low: (value - reach).max(0.0), high: value + reach }
    }
}

/// How much of a heavy tail is taken for unseen: chosen so that intervals of 64 and more blocks hold the truth in nine
/// of ten samples of Student-t(3) weights, whose blocks' squared sums have no variance at all.
const TAIL: f64 = 10.0;

/// How far an expanded sum of residuals may be from 0.
#[derive(Default)]
struct Spread {
    /// Variance of the sum.
    variance: f64,
    /// Σ variance² ÷ degrees of freedom (Satterthwaite).
    doubt: f64,
    /// Σ of the squared allowances for unseen tails.
    tail: f64,
}

impl Spread {
    fn add(&mut self, part: &SampleMoments, ratio: f64) {
        let (n, population) = (part.n as f64, part.population as f64);
        if part.n >= part.population {
            return;
        }
        let unseen = 1.0 - n / population;
        let (variance, freedom, excess) = if part.n == 1 {
            let residual = part.mean_e() - ratio * part.mean_w();
            (residual * residual, 1.0, 0.0)
        } else {
            let (second, fourth) = part.residual_moments(ratio);
            // Var(s²)/s⁴ is about (κ − 1)/n, where a normal sample has κ = 3.
            let kurtosis = if second > 0.0 { (fourth / second / second).max(3.0) } else { 3.0 };
            let freedom = (2.0 * n / (kurtosis - 1.0)).clamp(1.0, n);
            (second * n / (n - 1.0), freedom.min(n - 1.0), kurtosis - 3.0)
        };
        let of_sum = population * population * unseen * variance / n;
        self.variance += of_sum;
        self.doubt += of_sum * of_sum / freedom;
        self.tail += (TAIL * population * unseen / n).powi(2) * variance * excess;
    }

    fn reach(&self) -> f64 {
        let freedom = if self.doubt > 0.0 { self.variance * self.variance / self.doubt } else { f64::INFINITY };
        student_t975(freedom) * self.variance.sqrt() + self.tail.sqrt()
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

    #[test]
    fn a_plan_takes_one_block_of_each_stretch() {
        for (population, wanted) in [(100u64, 10usize), (1000, 7), (47, 16), (u64::MAX, 5)] {
            let plan = SamplePlan::new(population, wanted, 42);
            assert_eq!(plan.indices().len(), wanted);
            assert!(plan.indices().windows(2).all(|w| w[0] < w[1]));
            for (i, index) in plan.iter().enumerate() {
                let edge = |i: usize| (i as u128 * u128::from(population) / wanted as u128) as u64;
                assert!((edge(i)..edge(i + 1)).contains(&index), "{population} {wanted} {i}: {index}");
            }
            assert_eq!(plan, SamplePlan::new(population, wanted, 42));
            assert_ne!(plan, SamplePlan::new(population, wanted, 43));
        }
    }

    #[test]
    fn a_plan_of_all_is_all_and_of_none_none() {
        assert_eq!(SamplePlan::new(5, 9, 1).indices(), [0, 1, 2, 3, 4]);
        assert_eq!(SamplePlan::new(5, 5, 1).indices(), [0, 1, 2, 3, 4]);
        assert!(SamplePlan::new(5, 0, 1).indices().is_empty());
        assert!(SamplePlan::new(0, 5, 1).indices().is_empty());
    }

    #[test]
    fn moments_are_those_of_a_two_pass_computation_even_far_from_zero() {
        let pairs: Vec<(f64, f64)> =
            (0..50u32).map(|i| (1e6 + f64::from(i * i % 37), 5e6 + f64::from(i * 7 % 41))).collect();
        let mut moments = SampleMoments::new(1000);
        for (e, w) in &pairs {
            moments.add(*e, *w);
        }
        let ratio = pairs.iter().map(|p| p.0).sum::<f64>() / pairs.iter().map(|p| p.1).sum::<f64>();
        assert!((moments.estimate().value / ratio - 1.0).abs() < 1e-14);
        let residuals: Vec<f64> = pairs.iter().map(|(e, w)| e - ratio * w).collect();
        let mean = residuals.iter().sum::<f64>() / 50.0;
        let central = |k: i32| residuals.iter().map(|z| (z - mean).powi(k)).sum::<f64>() / 50.0;
        let (second, fourth) = moments.residual_moments(ratio);
        assert!((second / central(2) - 1.0).abs() < 1e-6, "{second} {}", central(2));
        assert!((fourth / central(4) - 1.0).abs() < 1e-6, "{fourth} {}", central(4));
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
