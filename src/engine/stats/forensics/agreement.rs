//! Whether a ternary tensor was made from a given one: do its signs agree, and are its zeros where weights are small?

/// Sums over pairs of a code and the weight that stands in the same place of a base model's tensor.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SignAgreement {
    /// Pairs.
    pub weights: u64,
    /// Codes that are not 0.
    pub nonzero: u64,
    /// Of these, those whose sign is the weight's.
    pub agree: u64,
    /// Of these, those whose sign is the other.
    pub disagree: u64,
    /// Pairs left out because the weight is NaN or infinite.
    pub non_finite: u64,
    /// Σ|w|, Σw², and Σ|w| where the code is not 0.
    sums: [f64; 3],
}

impl SignAgreement {
    /// Adds codes (0 to 3: −1, 0, +1, +2) and as many base weights. What one of the slices has more is passed over.
    pub fn add(&mut self, codes: &[u8], base: &[f32]) {
        debug_assert_eq!(codes.len(), base.len());
        for (code, w) in codes.iter().zip(base) {
            if !w.is_finite() {
                self.non_finite += 1;
                continue;
            }
            let nonzero = *code != 1;
            let magnitude = f64::from(w.abs());
            self.weights += 1;
            self.sums[0] += magnitude;
            self.sums[1] += magnitude * magnitude;
            if nonzero {
                self.nonzero += 1;
                self.sums[2] += magnitude;
                let positive = *code > 1;
                // A weight of 0 has no sign that a trit could agree with.
                self.agree += u64::from(*w != 0.0 && (*w > 0.0) == positive);
                self.disagree += u64::from(*w != 0.0 && (*w > 0.0) != positive);
            }
        }
    }

    /// Adds the pairs that follow.
    pub fn merge(&mut self, next: &Self) {
        self.weights += next.weights;
        self.nonzero += next.nonzero;
        self.agree += next.agree;
        self.disagree += next.disagree;
        self.non_finite += next.non_finite;
        for (a, b) in self.sums.iter_mut().zip(next.sums) {
            *a += b;
        }
    }

    /// Share of nonzero trits with the sign of their weight, among those whose weight has one: 1 for what was quantized
    /// from this base, ½ for what has nothing to do with it. `None` where there is no such trit.
    pub fn share(&self) -> Option<f64> {
        let signed = self.agree + self.disagree;
        (signed > 0).then(|| self.agree as f64 / signed as f64)
    }

    /// Correlation between |w| and "the trit is not 0": about 0 for strangers. A threshold on normal weights makes 0.67
    /// to 0.80 of it, not 1, since |w| still differs on either side. `None` where one of the two is always the same.
    pub fn correlation(&self) -> Option<f64> {
        let (n, k) = (self.weights as f64, self.nonzero as f64);
        let [sum, squares, sum_nonzero] = self.sums;
        let covariance = sum_nonzero / n - (sum / n) * (k / n);
        let variance = squares / n - (sum / n) * (sum / n);
        let spread = variance * (k / n) * (1.0 - k / n);
        (spread > 0.0).then(|| (covariance / spread.sqrt()).clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_by_hand() {
        let mut s = SignAgreement::default();
        //      codes  −1    0    +1   +1   −1   +2   +1      0
        s.add(&[0, 1, 2, 2, 0, 3, 2, 1], &[-2.0, 0.5, 2.0, -2.0, 0.0, 2.0, f32::NAN, -0.5]);
        assert_eq!((s.weights, s.nonzero, s.agree, s.disagree, s.non_finite), (7, 5, 3, 1, 1));
        assert_eq!(s.share(), Some(0.75));
        // |w| = 2 ½ 2 2 0 2 ½: mean 9/7, mean of squares 16.5/7; nonzero 5 of 7 with Σ|w| = 8.
        let want = (8.0 / 7.0 - 45.0 / 49.0) / ((16.5f64 / 7.0 - 81.0 / 49.0) * (10.0 / 49.0)).sqrt();
        assert!((s.correlation().unwrap() - want).abs() < 1e-12);
        let mut two = SignAgreement::default();
        two.add(&[0, 1, 2], &[-2.0, 0.5, 2.0]);
        let mut rest = SignAgreement::default();
        rest.add(&[2, 0, 3, 2, 1], &[-2.0, 0.0, 2.0, f32::NAN, -0.5]);
        two.merge(&rest);
        assert_eq!(two, s);
    }

    #[test]
    fn what_cannot_vary_has_no_correlation() {
        let mut s = SignAgreement::default();
        assert_eq!((s.share(), s.correlation()), (None, None));
        s.add(&[1, 1], &[1.0, 2.0]);
        assert_eq!((s.share(), s.correlation()), (None, None));
        let mut ternary = SignAgreement::default();
        ternary.add(&[0, 1, 2, 1], &[-0.5, 0.0, 0.5, 0.0]);
        assert_eq!((ternary.share(), ternary.correlation()), (Some(1.0), Some(1.0)));
    }
}
