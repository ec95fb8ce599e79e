//! Codes chosen for the output, held to a second, plain implementation in f64 that is written here.

#![allow(
    clippy::unwrap_used,
    clippy::needless_range_loop,
    reason = "a test fails by panicking; sums are written as in the formulas"
)]

use tritscope::engine::calibrated::{Coded, Factor, FactorError, Settings, TileWork};

const ROWS: usize = 3;
const COLUMNS: usize = 192;
const BLOCK: usize = 64;

type Matrix = Vec<Vec<f64>>;

/// Numbers in −1..1, the same every time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }

    /// Roughly normal.
    fn normal(&mut self) -> f64 {
        (0..6).map(|_| self.next()).sum::<f64>() / 2f64.sqrt()
    }
}

/// Weights that f16 holds, and mean products of inputs that have to do with each other.
fn example(seed: u64, columns: usize, tokens: usize) -> (Vec<f32>, Vec<f32>) {
    let mut numbers = Numbers(seed);
    let weights = (0..ROWS * columns).map(|_| half::f16::from_f64(numbers.normal() * 0.05).to_f32()).collect();
    let inputs: Matrix = (0..tokens)
        .map(|_| {
            let common: Vec<f64> = (0..4).map(|_| numbers.normal()).collect();
            (0..columns)
                .map(|j| numbers.normal() * (1.0 + (j % 7) as f64 / 3.0) + common[j % 4] + common[j % 3] * 0.5)
                .collect()
        })
        .collect();
    let mut triangle = Vec::new();
    for i in 0..columns {
        for j in i..columns {
            triangle.push((inputs.iter().map(|x| x[i] * x[j]).sum::<f64>() / tokens as f64) as f32);
        }
    }
    (weights, triangle)
}

fn full(columns: usize, triangle: &[f32]) -> Matrix {
    let mut out = vec![vec![0.0; columns]; columns];
    let mut values = triangle.iter();
    for i in 0..columns {
        for j in i..columns {
            out[i][j] = f64::from(*values.next().unwrap());
            out[j][i] = out[i][j];
        }
    }
    out
}

fn damped(columns: usize, triangle: &[f32], settings: &Settings) -> Matrix {
    let mut h = full(columns, triangle);
    let mean = (0..columns).map(|i| h[i][i]).sum::<f64>() / columns as f64;
    for i in 0..columns {
        for j in 0..columns {
            if i != j {
                h[i][j] *= 1.0 - settings.shrinkage;
            }
        }
        h[i][i] += settings.damping * mean;
    }
    h
}

/// By Gauss and Jordan.
fn inverse(matrix: &Matrix) -> Matrix {
    let n = matrix.len();
    let mut left = matrix.clone();
    let mut right: Matrix = (0..n).map(|i| (0..n).map(|j| f64::from(u8::from(i == j))).collect()).collect();
    for i in 0..n {
        let pivot = left[i][i];
        for j in 0..n {
            left[i][j] /= pivot;
            right[i][j] /= pivot;
        }
        for k in (0..n).filter(|k| *k != i) {
            let factor = left[k][i];
            for j in 0..n {
                left[k][j] -= factor * left[i][j];
                right[k][j] -= factor * right[i][j];
            }
        }
    }
    right
}

/// U, upper, with UᵀU = the matrix: row by row as the definition says.
fn upper(matrix: &Matrix) -> Matrix {
    let n = matrix.len();
    let mut u = vec![vec![0.0; n]; n];
    for i in 0..n {
        let before: f64 = (0..i).map(|k| u[k][i] * u[k][i]).sum();
        u[i][i] = (matrix[i][i] - before).sqrt();
        for j in i + 1..n {
            let before: f64 = (0..i).map(|k| u[k][i] * u[k][j]).sum();
            u[i][j] = (matrix[i][j] - before) / u[i][i];
        }
    }
    u
}

/// The best scale of a block by trying every prefix of the weights in descending order.
fn best_scale(weights: &[f64], counts: &[f64]) -> f64 {
    let mean = counts.iter().sum::<f64>() / counts.len() as f64;
    let mut order: Vec<usize> = (0..weights.len()).collect();
    order.sort_by(|a, b| weights[*b].abs().total_cmp(&weights[*a].abs()));
    let (mut sum, mut count, mut best) = (0.0, 0.0, (0.0, 0.0));
    for i in order {
        let q = counts[i] / mean + 1e-6;
        sum += q * weights[i].abs();
        count += q;
        if sum * sum / count > best.0 {
            best = (sum * sum / count, sum / count);
        }
    }
    rounded(best.1)
}

fn rounded(x: f64) -> f64 {
    f64::from(half::f16::from_f32(x as f32).to_f32())
}

fn nearest(w: f64, scale: f64) -> f64 {
    if w.abs() > scale / 2.0 { scale.copysign(w) } else { 0.0 }
}

/// A row as the steps are written down, in f64. Values and scales behind `rounds` rounds.
fn reference(row: &[f32], h: &Matrix, block: usize, rounds: usize) -> (Vec<f64>, Vec<f64>) {
    let n = h.len();
    let u = upper(&inverse(h));
    let weights: Vec<f64> = row.iter().map(|w| f64::from(*w)).collect();
    let (mut current, mut values, mut scales) = (weights.clone(), vec![0.0; n], Vec::new());
    for start in (0..n).step_by(block) {
        let counts: Vec<f64> = (start..start + block).map(|j| h[j][j]).collect();
        let scale = best_scale(&current[start..start + block], &counts);
        scales.push(scale);
        for j in start..start + block {
            values[j] = nearest(current[j], scale);
            let e = (current[j] - values[j]) / u[j][j];
            for k in j + 1..n {
                current[k] -= e * u[j][k];
            }
        }
    }
    for round in 0..=rounds {
        if rounds == 0 {
            break;
        }
        refit(&weights, &mut values, &mut scales, h, block);
        if round == rounds {
            break;
        }
        for _ in 0..2 {
            for j in 0..n {
                let residual: f64 = (0..n).map(|k| (weights[k] - values[k]) * h[k][j]).sum();
                values[j] = nearest(values[j] + residual / h[j][j], scales[j / block]);
            }
        }
    }
    (values, scales)
}

fn error(weights: &[f64], values: &[f64], h: &Matrix) -> f64 {
    let e: Vec<f64> = weights.iter().zip(values).map(|(w, v)| w - v).collect();
    (0..e.len()).map(|i| e[i] * (0..e.len()).map(|j| h[i][j] * e[j]).sum::<f64>()).sum()
}

fn refit(weights: &[f64], values: &mut Vec<f64>, scales: &mut Vec<f64>, h: &Matrix, block: usize) {
    let n = h.len();
    let trits: Vec<f64> = values.iter().map(|v| if *v == 0.0 { 0.0 } else { v.signum() }).collect();
    let blocks = n / block;
    let mut a = vec![vec![0.0; blocks]; blocks];
    let mut b = vec![0.0; blocks];
    for i in 0..n {
        for j in 0..n {
            a[i / block][j / block] += trits[i] * h[i][j] * trits[j];
            b[i / block] += trits[i] * h[i][j] * weights[j];
        }
    }
    let inverse = inverse(&a);
    let d: Vec<f64> = (0..blocks).map(|g| rounded((0..blocks).map(|k| inverse[g][k] * b[k]).sum())).collect();
    let new: Vec<f64> = (0..n).map(|i| trits[i] * d[i / block]).collect();
    if error(weights, &new, h) < error(weights, values, h) {
        *values = new;
        *scales = d.iter().map(|d| d.abs()).collect();
    }
}

#[test]
fn every_step_agrees_with_the_plain_f64_code() {
    for (seed, settings) in [
        (1, Settings { rounds: 0, ..Settings::default() }),
        (2, Settings { rounds: 1, ..Settings::default() }),
        (3, Settings::default()),
        (4, Settings { damping: 0.1, shrinkage: 0.3, rounds: 2 }),
        // Fewer tokens than columns: only the damping makes it positive definite.
        (5, Settings { damping: 0.05, ..Settings::default() }),
    ] {
        let (weights, triangle) = example(seed, COLUMNS, if seed == 5 { 40 } else { 600 });
        let factor = Factor::new(COLUMNS, &triangle, &settings).unwrap();
        let coded = Coded::of(&factor, &weights, BLOCK, &settings, &mut TileWork::default()).unwrap();
        let h = damped(COLUMNS, &triangle, &settings);
        let (mut output, mut lost) = (0.0, 0.0);
        for (r, row) in weights.chunks_exact(COLUMNS).enumerate() {
            let (values, scales) = reference(row, &h, BLOCK, settings.rounds);
            let found = &coded.scales[r * 3..][..3];
            assert_eq!(found.iter().map(|d| f64::from(*d)).collect::<Vec<_>>(), scales, "seed {seed}, row {r}");
            let trits: Vec<i8> = values.iter().map(|v| if *v == 0.0 { 0 } else { v.signum() as i8 }).collect();
            assert_eq!(coded.trits[r * COLUMNS..][..COLUMNS], trits, "seed {seed}, row {r}");
            let row: Vec<f64> = row.iter().map(|w| f64::from(*w)).collect();
            let m = full(COLUMNS, &triangle);
            lost += error(&row, &values, &m);
            output += error(&row, &vec![0.0; COLUMNS], &m);
        }
        assert!((coded.output - output).abs() < 1e-4 * output);
        assert!((coded.output_error - lost).abs() < 1e-3 * lost, "{} {lost}", coded.output_error);
    }
}

#[test]
fn the_error_never_rises_and_falls_below_the_diagonal_optimum() {
    let (weights, triangle) = example(7, 512, 900);
    for block in [64, 128, 256] {
        let settings = Settings { rounds: 4, ..Settings::default() };
        let factor = Factor::new(512, &triangle, &settings).unwrap();
        let coded = Coded::of(&factor, &weights, block, &settings, &mut TileWork::default()).unwrap();
        assert_eq!(coded.course.len(), 6);
        for pair in coded.course.windows(2) {
            assert!(pair[1] <= pair[0] * (1.0 + 1e-5), "{:?}", coded.course);
        }
        assert!(coded.course[5] < coded.course[0] * 0.95, "{:?}", coded.course);
        // All shrunk to the diagonal, feedback mends nothing: it is the weighted exact optimum.
        let plain = Settings { rounds: 0, shrinkage: 1.0, ..settings };
        let diagonal = Factor::new(512, &triangle, &plain).unwrap();
        let apart = Coded::of(&diagonal, &weights, block, &plain, &mut TileWork::default()).unwrap();
        let exact = decoded_error(&weights, &apart, &triangle, block);
        assert!(decoded_error(&weights, &coded, &triangle, block) < exact * 0.8, "block {block}");
    }
}

/// Output error from trits and scales alone.
fn decoded_error(weights: &[f32], coded: &Coded, triangle: &[f32], block: usize) -> f64 {
    let columns = weights.len() / ROWS;
    let h = full(columns, triangle);
    let rows = weights.chunks_exact(columns).zip(coded.trits.chunks_exact(columns)).enumerate();
    rows.map(|(r, (row, trits))| {
        let row: Vec<f64> = row.iter().map(|w| f64::from(*w)).collect();
        let scale = |j: usize| f64::from(coded.scales[r * (columns / block) + j / block]);
        let values: Vec<f64> = trits.iter().enumerate().map(|(j, t)| f64::from(*t) * scale(j)).collect();
        error(&row, &values, &h)
    })
    .sum()
}

#[test]
fn blocks_that_are_ternary_already_keep_their_codes() {
    let (mut weights, triangle) = example(11, COLUMNS, 600);
    let native: Vec<f32> = (0..BLOCK).map(|i| [0.0, 0.125, -0.125][i % 3]).collect();
    weights[COLUMNS + BLOCK..][..BLOCK].copy_from_slice(&native);
    // A whole row of them loses nothing.
    for block in weights[2 * COLUMNS..].chunks_exact_mut(BLOCK) {
        block.copy_from_slice(&native);
    }
    let settings = Settings::default();
    let factor = Factor::new(COLUMNS, &triangle, &settings).unwrap();
    let coded = Coded::of(&factor, &weights, BLOCK, &settings, &mut TileWork::default()).unwrap();
    let expected: Vec<i8> = (0..BLOCK).map(|i| [0, 1, -1][i % 3]).collect();
    for (row, block) in [(1, 1), (2, 0), (2, 1), (2, 2)] {
        assert_eq!(coded.trits[row * COLUMNS + block * BLOCK..][..BLOCK], expected);
        assert_eq!(coded.scales[row * 3 + block], 0.125);
    }
    let alone = Coded::of(&factor, &weights[2 * COLUMNS..], BLOCK, &settings, &mut TileWork::default()).unwrap();
    assert_eq!(alone.output_error, 0.0);
}

#[test]
fn odd_moments_are_coded_or_refused() {
    let settings = Settings::default();
    // Inputs that are always zero, and one token: positive by damping alone.
    let (weights, mut triangle) = example(13, COLUMNS, 1);
    let mut at = 0;
    for i in 0..COLUMNS {
        for j in i..COLUMNS {
            if i % 5 == 0 || j % 5 == 0 {
                triangle[at] = 0.0;
            }
            at += 1;
        }
    }
    let factor = Factor::new(COLUMNS, &triangle, &settings).unwrap();
    let coded = Coded::of(&factor, &weights, BLOCK, &settings, &mut TileWork::default()).unwrap();
    assert!(coded.output_error.is_finite() && coded.output_error < coded.output);

    let refused = |triangle: &[f32]| Factor::new(COLUMNS, triangle, &settings).unwrap_err();
    assert_eq!(refused(&vec![0.0; triangle.len()]), FactorError::Zero);
    assert_eq!(refused(&triangle[1..]), FactorError::Size { columns: 192, expected: 18528, found: 18527 });
    let mut bad = triangle.clone();
    bad[194] = f32::NAN;
    assert!(matches!(refused(&bad), FactorError::NonFinite { row: 1, column: 3, .. }));
    let mut bad = triangle.clone();
    bad[1] = 1e6;
    assert_eq!(refused(&bad), FactorError::NotPositive { damping: 0.01 });

    let mut weights = weights;
    weights[COLUMNS + 70] = f32::INFINITY;
    let problem = Coded::of(&factor, &weights, BLOCK, &settings, &mut TileWork::default()).unwrap_err();
    assert_eq!(problem.to_string(), "row 1, block 1: weight 6 of the block is inf");
}
