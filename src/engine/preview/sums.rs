//! Plain sums over the weights that a preview looked at.

use crate::engine::ternary::kernels::Powers;

/// Plain sums over weights, in f64.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WeightSums {
    /// Finite weights.
    pub n: u64,
    /// Σw.
    pub sum: f64,
    /// Σw².
    pub sum_sq: f64,
    /// Σ|w|.
    pub sum_abs: f64,
    /// Largest |w|.
    pub max_abs: f64,
    /// Weights that are zero.
    pub zeros: u64,
    /// Σw³.
    pub sum_cube: f64,
    /// Σw⁴.
    pub sum_fourth: f64,
    /// Weights that are NaN; they are in no other sum.
    pub nan: u64,
    /// Weights that are infinite; they are in no other sum.
    pub infinite: u64,
}

impl WeightSums {
    /// Adds finite weights, which were added up.
    pub(super) fn add(&mut self, powers: &Powers, n: u64) {
        self.merge(&Self {
            n,
            sum: powers.sum,
            sum_sq: powers.square,
            sum_abs: powers.abs,
            max_abs: f64::from(powers.greatest),
            zeros: powers.zeros,
            sum_cube: powers.cube,
            sum_fourth: powers.fourth,
            ..Self::default()
        });
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.sum_sq += other.sum_sq;
        self.sum_abs += other.sum_abs;
        self.max_abs = self.max_abs.max(other.max_abs);
        self.zeros += other.zeros;
        self.sum_cube += other.sum_cube;
        self.sum_fourth += other.sum_fourth;
        self.nan += other.nan;
        self.infinite += other.infinite;
    }

    /// Mean of the weights.
    pub fn mean(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.sum / self.n as f64 }
    }

    /// Standard deviation of the weights.
    pub fn std(&self) -> f64 {
        if self.n == 0 { 0.0 } else { (self.sum_sq / self.n as f64 - self.mean().powi(2)).max(0.0).sqrt() }
    }

    /// Mean of |w|.
    pub fn mean_abs(&self) -> f64 {
        if self.n == 0 { 0.0 } else { self.sum_abs / self.n as f64 }
    }

    /// Skewness, E(w − mean)³ ÷ σ³: 0 of what is symmetric; NaN where nothing differs.
    pub fn skewness(&self) -> f64 {
        let (mean, n) = (self.mean(), self.n.max(1) as f64);
        let third = self.sum_cube / n - 3.0 * mean * self.sum_sq / n + 2.0 * mean.powi(3);
        third / self.std().powi(3)
    }

    /// Kurtosis over that of a normal distribution, E(w − mean)⁴ ÷ σ⁴ − 3: 0 of normal weights, more where tails are
    /// heavy; NaN where nothing differs.
    pub fn excess_kurtosis(&self) -> f64 {
        let (mean, n) = (self.mean(), self.n.max(1) as f64);
        let square = mean * mean;
        let fourth = self.sum_fourth / n - 4.0 * mean * self.sum_cube / n + 6.0 * square * self.sum_sq / n
            - 3.0 * square * square;
        fourth / self.std().powi(4) - 3.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ternary::kernels::{Kernel, Weights};

    #[test]
    fn moments_are_those_of_a_small_example() {
        let mut sums = WeightSums::default();
        sums.add(&Kernel::Scalar.powers(Weights::F32(&[1.0, 1.0, 1.0, 5.0])), 4);
        // Mean 2, deviations −1 −1 −1 3: variance 3, third moment 6, fourth 21.
        assert_eq!((sums.mean(), sums.std()), (2.0, 3f64.sqrt()));
        assert!((sums.skewness() - 6.0 / 27f64.sqrt()).abs() < 1e-12);
        assert!((sums.excess_kurtosis() - (21.0 / 9.0 - 3.0)).abs() < 1e-12);
        let mut whole = sums;
        whole.merge(&sums);
        assert!((whole.skewness() - sums.skewness()).abs() < 1e-12 && whole.n == 8);
        assert!(WeightSums::default().skewness().is_nan());
    }
}
