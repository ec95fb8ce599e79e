//! Plain sums over the weights that a preview looked at.

/// Plain sums over weights, in f64.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct WeightSums {
    /// Weights.
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
}

impl WeightSums {
    pub(super) fn add(&mut self, weights: &[f32]) {
        self.n += weights.len() as u64;
        for &w in weights {
            let w = f64::from(w);
            self.sum += w;
            self.sum_sq += w * w;
            self.sum_abs += w.abs();
            self.max_abs = self.max_abs.max(w.abs());
            self.zeros += u64::from(w == 0.0);
        }
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.n += other.n;
        self.sum += other.sum;
        self.sum_sq += other.sum_sq;
        self.sum_abs += other.sum_abs;
        self.max_abs = self.max_abs.max(other.max_abs);
        self.zeros += other.zeros;
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
}
