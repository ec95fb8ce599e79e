//! Logarithm and exponential from additions, multiplications and divisions alone.
//!
//! The functions of the C library differ in the last bit between systems and processors; tensors that are computed
//! here must not.

use std::f64::consts::{LN_2, SQRT_2};

/// ln 2 in two parts; the upper has zeros at its end, so that small multiples of it are exact.
const LN_2_HIGH: f64 = 0.693_147_180_369_123_8;
const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;

/// Natural logarithm of a positive normal number; NaN for everything else.
pub(super) fn ln(x: f64) -> f64 {
    if !x.is_normal() || x < 0.0 {
        return f64::NAN;
    }
    let bits = x.to_bits();
    let mut exponent = (bits >> 52) as i64 - 1023;
    let mut mantissa = f64::from_bits(bits & ((1 << 52) - 1) | 1023 << 52);
    if mantissa > SQRT_2 {
        mantissa /= 2.0;
        exponent += 1;
    }
    // ln m = 2·artanh s with |s| < 0.1716: eleven terms leave less than 2⁻⁵⁶ of it.
    let s = (mantissa - 1.0) / (mantissa + 1.0);
    let square = s * s;
    let series = (0..11).rev().fold(0.0, |sum, k| sum * square + 1.0 / f64::from(2 * k + 1));
    let exponent = exponent as f64;
    exponent * LN_2_HIGH + (2.0 * s * series + exponent * LN_2_LOW)
}

/// e to the power `x`; 0 and infinity where the result is not a normal number, NaN for NaN.
pub(super) fn exp(x: f64) -> f64 {
    if x.is_nan() {
        return x;
    }
    if x.abs() > 708.0 {
        return if x < 0.0 { 0.0 } else { f64::INFINITY };
    }
    let doublings = (x / LN_2).round();
    let rest = (x - doublings * LN_2_HIGH) - doublings * LN_2_LOW;
    // Taylor's series with |rest| < 0.347: fourteen terms leave less than 2⁻⁵⁴.
    let series = (1..15).rev().fold(1.0, |sum, k| 1.0 + sum * rest / f64::from(k));
    series * f64::from_bits(((1023 + doublings as i64) as u64) << 52)
}

/// `base` to the power `exponent`, for a positive normal base.
pub(super) fn pow(base: f64, exponent: f64) -> f64 {
    exp(exponent * ln(base))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Distance in units of the last place of `b`.
    fn ulps(a: f64, b: f64) -> f64 {
        (a - b).abs() / (b.abs() * f64::EPSILON)
    }

    #[test]
    fn logarithms_are_good_to_the_last_places() {
        for x in [1.5, 2.0, 0.5, 10_000.0, 500_000.0, 1e6, 1.000_001, 0.999, 32.0, 131_072.0, 1e-300, 1e300] {
            assert!(ulps(ln(x), f64::ln(x)) <= 3.0, "ln {x}: {} {}", ln(x), f64::ln(x));
        }
        assert_eq!(ln(1.0), 0.0);
        for x in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-310] {
            assert!(ln(x).is_nan(), "{x}");
        }
    }

    #[test]
    fn exponentials_are_good_to_the_last_places() {
        for x in [0.0, 1.0, -1.0, 0.346, 13.122_363_377, -13.8, 300.0, -700.0, 707.9] {
            assert!(ulps(exp(x), f64::exp(x)) <= 3.0, "exp {x}: {} {}", exp(x), f64::exp(x));
        }
        assert_eq!(exp(-1e9), 0.0);
        assert_eq!(exp(1e9), f64::INFINITY);
        assert!(exp(f64::NAN).is_nan());
    }

    #[test]
    fn powers_round_to_the_same_f32_as_the_library() {
        for base in [10_000.0, 100_000.0, 500_000.0, 1_000_000.0] {
            for k in 0..64 {
                let (exponent, ours) = (f64::from(k) / 64.0, pow(base, f64::from(k) / 64.0));
                assert_eq!(ours as f32, f64::powf(base, exponent) as f32, "{base} to the power {exponent}");
            }
        }
    }
}
