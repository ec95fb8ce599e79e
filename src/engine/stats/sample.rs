//! Figures from a sample of blocks: which blocks to take, and how far the truth may lie from what they say.
//!
//! [`SamplePlan`] spreads the sample over the tensor; [`SampleMoments`] gathers each taken block's squared error and
//! squared weights and turns them into an [`Estimate`] of the relative error. Nothing here reads a block.

use super::pooled::{Pooled, PooledPart};

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
        PooledPart::of(self).estimate()
    }

    /// Means of a block's squared error and squared weights.
    pub(super) fn means(&self) -> (f64, f64) {
        (self.mean_e(), self.mean_w())
    }

    /// Second and fourth central moments of e − `ratio`·w (sums divided by n).
    pub(super) fn residual_moments(&self, ratio: f64) -> (f64, f64) {
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

    /// Variance of e − R·w (sums divided by n) as a polynomial in R, lowest power first.
    pub(super) fn variance_by_ratio(&self) -> [f64; 3] {
        let n = self.n as f64;
        let mean = |a: usize, b: usize| self.powers[a][b] / n;
        let (e, w) = (mean(1, 0), mean(0, 1));
        let of = [mean(2, 0) - e * e, -2.0 * (mean(1, 1) - e * w), mean(0, 2) - w * w];
        of.map(|c| c * self.unit.powi(2))
    }

    /// Relative error of all parts together (a model's tensors), each part standing for its whole population; how sure
    /// that is is told in [`Pooled`].
    pub fn combine<'a>(parts: impl Iterator<Item = &'a Self>) -> Estimate {
        let mut pooled = Pooled::default();
        parts.for_each(|part| pooled.add_part(&PooledPart::of(part)));
        pooled.estimate()
    }
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
}
