//! A multiple of one row taken from another, compiled for the vectors that a CPU has.
//!
//! Each product and each difference is rounded by itself (the compiler does not contract floats), so that all come to the same
//! bits.

use super::Kernel;

/// `from[i] -= factor · row[i]`.
pub type SubtractMultiple = fn(from: &mut [f32], factor: f32, row: &[f32]);

/// The function for the instructions of a kernel, or the plain one where this CPU lacks them.
pub fn subtract_multiple(kernel: Kernel) -> SubtractMultiple {
    match kernel {
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx2 if kernel.is_here() => avx2,
        #[cfg(target_arch = "x86_64")]
        Kernel::Avx512 if kernel.is_here() => avx512,
        // NEON is what every build for 64-bit ARM uses.
        _ => plain,
    }
}

#[inline(always)]
fn plain(from: &mut [f32], factor: f32, row: &[f32]) {
    for (from, row) in from.iter_mut().zip(row) {
        *from -= factor * row;
    }
}

#[cfg(target_arch = "x86_64")]
fn avx2(from: &mut [f32], factor: f32, row: &[f32]) {
    #[target_feature(enable = "avx2")]
    fn wide(from: &mut [f32], factor: f32, row: &[f32]) {
        plain(from, factor, row);
    }
    // SAFETY: `subtract_multiple` is the only way here, and has asked the CPU for the instructions.
    unsafe { wide(from, factor, row) }
}

#[cfg(target_arch = "x86_64")]
fn avx512(from: &mut [f32], factor: f32, row: &[f32]) {
    #[target_feature(enable = "avx512f,avx512vl")]
    fn wide(from: &mut [f32], factor: f32, row: &[f32]) {
        plain(from, factor, row);
    }
    // SAFETY: `subtract_multiple` is the only way here, and has asked the CPU for the instructions.
    unsafe { wide(from, factor, row) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kernels_come_to_the_same_bits() {
        let number = |i: usize, k: usize| ((i * k) % 1009) as f32 / 313.7 - 1.3;
        for len in [0, 1, 7, 8, 16, 33, 576] {
            let row: Vec<f32> = (0..len).map(|i| number(i, 7919)).collect();
            let start: Vec<f32> = (0..len).map(|i| number(i, 104_729)).collect();
            let expected: Vec<f32> = start.iter().zip(&row).map(|(s, r)| s - 0.123 * r).collect();
            for kernel in Kernel::available() {
                let mut from = start.clone();
                subtract_multiple(kernel)(&mut from, 0.123, &row);
                assert!(from.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{kernel}, {len}");
            }
        }
    }
}
