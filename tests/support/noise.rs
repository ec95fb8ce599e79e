//! Random weights for tests: fixed seeds, the same on every machine.

#![allow(dead_code, reason = "no test binary draws from all of it")]

/// A xorshift generator with the distributions that the tests draw from.
pub struct Noise(u64);

impl Noise {
    /// A generator; any seed will do.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// Even in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal (Box–Muller).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Student's t with three degrees of freedom: heavy tails, finite variance.
    pub fn student3(&mut self) -> f64 {
        let chi2: f64 = (0..3).map(|_| self.normal().powi(2)).sum();
        self.normal() / (chi2 / 3.0).sqrt()
    }
}

/// Blocks of many shapes: normal, heavy-tailed, few distinct values (ties), sparse, one outlier, tiny.
pub fn assorted(n: usize, count: usize, seed: u64) -> Vec<Vec<f32>> {
    let mut noise = Noise::new(seed);
    (0..count)
        .map(|i| {
            let mut block: Vec<f32> = (0..n)
                .map(|_| match i % 5 {
                    0 => 0.02 * noise.normal() as f32,
                    1 => 0.5 * noise.student3() as f32,
                    2 => ((noise.bits() % 7) as f32 - 3.0) * 0.125,
                    3 => f32::from(u8::from(noise.bits().is_multiple_of(4))) * noise.normal() as f32,
                    _ => 1e-6 * noise.normal() as f32,
                })
                .collect();
            if i % 3 == 0 {
                block[n / 2] = 3.0;
            }
            block
        })
        .collect()
}

/// Importance of `n` weights: uneven, some of it 0.
pub fn importances(n: usize, seed: u64) -> Vec<f32> {
    let mut noise = Noise::new(seed);
    (0..n).map(|i| if i % 11 == 3 { 0.0 } else { noise.student3().powi(2) as f32 }).collect()
}
