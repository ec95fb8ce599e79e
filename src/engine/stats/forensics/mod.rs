//! What is in a tensor that is ternary already: its codes, scales and repetitions, and what they tell of its origin.
//!
//! [`TritForensics`] takes blocks of codes (from [`crate::engine::codec::codes`]) in the tensor's order and merges with
//! what was gathered of the blocks that follow; [`verdict()`] reads it. [`SignAgreement`] compares trits with the
//! weights they may have been made from. Nothing here reads a file.

mod agreement;
mod duplicates;
mod rows;
mod scales;
mod verdict;

pub use agreement::SignAgreement;
pub use duplicates::Duplicates;
pub use rows::RowSpread;
pub use scales::ScaleForensics;
pub use verdict::{Context, Verdict, VerdictKind, verdict};

/// What the fourth two-bit code means in a format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CodeThree {
    /// +2, as in Q2_0: legal, though no ternary writer uses it.
    PlusTwo,
    /// Nothing: a byte that has it is damaged, or the type is another.
    Illegal,
}

/// Bits that a trit can carry at most, log₂ 3.
pub const MAX_ENTROPY: f64 = 1.584_962_500_721_156;

/// How often `code` stands in `codes`.
fn occurrences(codes: &[u8], code: u8) -> u64 {
    codes.iter().map(|c| u64::from(*c == code)).sum()
}

/// Everything counted over a tensor's blocks.
#[derive(Debug, Clone, PartialEq)]
pub struct TritForensics {
    /// What code 3 means here.
    pub code_three: CodeThree,
    /// How often each code stands there: −1, 0, +1, and code 3.
    pub codes: [u64; 4],
    /// Bytes that no writer of the format produces.
    pub illegal_bytes: u64,
    /// Blocks.
    pub blocks: u64,
    /// Blocks with no code but 0's.
    pub zero_blocks: u64,
    /// Blocks with other codes whose scale is 0: they decode to zeros all the same.
    pub silenced: u64,
    /// What the scales are like.
    pub scales: ScaleForensics,
    /// Blocks that are there more than once.
    pub duplicates: Duplicates,
    /// Share of zeros, row by row.
    pub rows: RowSpread,
    /// Zeros, legal codes, and Σ zeros²/codes over blocks that are not all zeros.
    mixed: (u64, u64, f64),
}

impl TritForensics {
    /// Nothing seen yet. The first block to come begins `start` weights into the tensor, whose rows have `row_len`
    /// weights; 0 where blocks come from here and there, and no row is seen whole.
    pub fn new(code_three: CodeThree, row_len: u64, start: u64) -> Self {
        Self {
            code_three,
            codes: [0; 4],
            illegal_bytes: 0,
            blocks: 0,
            zero_blocks: 0,
            silenced: 0,
            scales: ScaleForensics::default(),
            duplicates: Duplicates::default(),
            rows: RowSpread::new(row_len, start),
            mixed: (0, 0, 0.0),
        }
    }

    /// Adds the block that follows: codes 0 to 3, its scale (the tensor's, where there is but one) and how many of its
    /// bytes no writer produces. In formats with one scale for the tensor any stretch of codes may stand for a block.
    pub fn add_block(&mut self, codes: &[u8], scale: f32, illegal_bytes: u32) {
        let [minus, zeros, plus] = [0, 1, 2].map(|code| occurrences(codes, code));
        let threes = codes.len() as u64 - minus - zeros - plus;
        for (sum, n) in self.codes.iter_mut().zip([minus, zeros, plus, threes]) {
            *sum += n;
        }
        self.blocks += 1;
        self.illegal_bytes += u64::from(illegal_bytes);
        self.rows.add(codes);
        let legal =
            if self.code_three == CodeThree::PlusTwo { codes.len() as u64 } else { codes.len() as u64 - threes };
        let all_zero = zeros == codes.len() as u64;
        self.scales.add(scale, !all_zero);
        if all_zero {
            self.zero_blocks += 1;
            return;
        }
        self.silenced += u64::from(scale == 0.0);
        self.duplicates.add(codes, scale);
        if legal > 0 {
            let (z, n) = (zeros as f64, legal as f64);
            self.mixed = (self.mixed.0 + zeros, self.mixed.1 + legal, self.mixed.2 + z * z / n);
        }
    }

    /// Adds what was gathered of the blocks that follow those seen here.
    pub fn merge(&mut self, next: &Self) {
        for (sum, n) in self.codes.iter_mut().zip(next.codes) {
            *sum += n;
        }
        self.blocks += next.blocks;
        self.zero_blocks += next.zero_blocks;
        self.silenced += next.silenced;
        self.illegal_bytes += next.illegal_bytes;
        self.scales.merge(&next.scales);
        self.duplicates.merge(&next.duplicates);
        self.rows.merge(&next.rows);
        let (a, b) = (self.mixed, next.mixed);
        self.mixed = (a.0 + b.0, a.1 + b.1, a.2 + b.2);
    }

    /// Codes −1.
    pub fn negative(&self) -> u64 {
        self.codes[0]
    }

    /// Codes 0.
    pub fn zeros(&self) -> u64 {
        self.codes[1]
    }

    /// Codes +1.
    pub fn positive(&self) -> u64 {
        self.codes[2]
    }

    /// Codes +2, where the format has them.
    pub fn plus_two(&self) -> u64 {
        if self.code_three == CodeThree::PlusTwo { self.codes[3] } else { 0 }
    }

    /// Codes that mean nothing in the format.
    pub fn illegal_codes(&self) -> u64 {
        if self.code_three == CodeThree::Illegal { self.codes[3] } else { 0 }
    }

    /// Codes that mean something.
    pub fn legal_codes(&self) -> u64 {
        self.codes.iter().sum::<u64>() - self.illegal_codes()
    }

    /// Share of the code `level` (−1, 0, +1, +2) among the legal codes; 0 where there are none.
    fn share(&self, n: u64) -> f64 {
        n as f64 / self.legal_codes().max(1) as f64
    }

    /// Share of zeros among the legal codes.
    pub fn zero_share(&self) -> f64 {
        self.share(self.zeros())
    }

    /// Bits of information in a code, if each stood for itself: at most [`MAX_ENTROPY`] for trits, 2 with +2.
    pub fn entropy(&self) -> f64 {
        let shares = [self.negative(), self.zeros(), self.positive(), self.plus_two()].map(|n| self.share(n));
        let bits: f64 = shares.iter().filter(|p| **p > 0.0).map(|p| -p * p.log2()).sum();
        // What is always the same has -1·log2(1), a negative zero.
        bits.max(0.0)
    }

    /// (positive − negative) ÷ (positive + negative), from −1 to 1; 0 where there are only zeros.
    pub fn sign_balance(&self) -> f64 {
        let (plus, minus) = ((self.positive() + self.plus_two()) as f64, self.negative() as f64);
        if plus + minus == 0.0 { 0.0 } else { (plus - minus) / (plus + minus) }
    }

    /// How much the number of zeros differs from block to block, in units of what chance would do: the variance of
    /// zeros strewn at random with the overall share is 1 (it is Pearson's χ² ÷ degrees of freedom).
    ///
    /// With one scale for a tensor of alike weights it is about 1, and more where some rows are larger than others. A
    /// threshold that is a multiple of the block's own mean|w| moves with the block and leaves less (0.60 for absmean,
    /// 0.45 for TWN on normal weights); thresholds that hang on the largest weights leave more (1.5 for the
    /// least-squares optimum, 2 to 5 for max). Real weights, whose blocks are not all of one distribution, add to all
    /// of these. Blocks of zeros alone are left out. 1 where nothing can differ.
    pub fn zero_dispersion(&self) -> f64 {
        let (zeros, codes, sum) = (self.mixed.0 as f64, self.mixed.1 as f64, self.mixed.2);
        let blocks = (self.blocks - self.zero_blocks) as f64;
        let p = zeros / codes;
        let chance = (1.0 - p) * p * (blocks - 1.0);
        if chance > 0.0 { ((sum - p * zeros) / chance).max(0.0) } else { 1.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(blocks: &[(&[u8], f32)]) -> TritForensics {
        let mut f = TritForensics::new(CodeThree::Illegal, 8, 0);
        blocks.iter().for_each(|(codes, scale)| f.add_block(codes, *scale, 0));
        f
    }

    #[test]
    fn codes_are_counted_by_what_they_mean() {
        let mut f = TritForensics::new(CodeThree::Illegal, 0, 0);
        f.add_block(&[0, 1, 1, 2, 2, 2, 3, 1], 0.5, 1);
        assert_eq!((f.negative(), f.zeros(), f.positive()), (1, 3, 3));
        assert_eq!((f.illegal_codes(), f.plus_two(), f.legal_codes(), f.illegal_bytes), (1, 0, 7, 1));
        assert_eq!((f.zero_share(), f.sign_balance()), (3.0 / 7.0, 0.5));
        let mut wide = TritForensics::new(CodeThree::PlusTwo, 0, 0);
        wide.add_block(&[0, 1, 2, 3], 0.5, 0);
        assert_eq!((wide.illegal_codes(), wide.plus_two(), wide.legal_codes()), (0, 1, 4));
        assert_eq!((wide.entropy(), wide.sign_balance()), (2.0, 1.0 / 3.0));
    }

    #[test]
    fn entropy_is_that_of_the_shares() {
        assert!((gathered(&[(&[0, 1, 2], 1.0)]).entropy() - MAX_ENTROPY).abs() < 1e-15);
        // Half zeros, a quarter of each sign: 0.5·1 + 2·0.25·2 = 1.5 bits.
        assert_eq!(gathered(&[(&[0, 1, 1, 2], 1.0)]).entropy(), 1.5);
        assert_eq!(gathered(&[(&[1; 4], 1.0)]).entropy(), 0.0);
        let none = gathered(&[]);
        assert_eq!(
            (none.entropy(), none.zero_share(), none.sign_balance(), none.zero_dispersion()),
            (0.0, 0.0, 0.0, 1.0)
        );
    }

    #[test]
    fn dispersion_is_chi_squared_over_its_freedom() {
        // Zeros 1, 2 and 3 of 4, p = 1/2: ((1−2)² + 0 + (3−2)²) ÷ (4·½·½) ÷ 2 = 1. The block of zeros does not count.
        let f = gathered(&[(&[1, 0, 0, 2], 1.0), (&[1; 4], 0.0), (&[1, 1, 0, 2], 1.0), (&[1, 1, 1, 2], 1.0)]);
        assert!((f.zero_dispersion() - 1.0).abs() < 1e-12, "{}", f.zero_dispersion());
        assert_eq!((f.blocks, f.zero_blocks), (4, 1));
        let even = gathered(&[(&[1, 1, 0, 2], 1.0), (&[1, 1, 2, 0], 1.0)]);
        assert_eq!(even.zero_dispersion(), 0.0);
    }

    #[test]
    fn parts_merge_to_the_whole_wherever_they_are_cut() {
        let blocks: Vec<(Vec<u8>, f32)> = (0..23u32)
            .map(|i| {
                let codes = (0..4).map(|j| ((i * i + j * (i % 5)) % 3) as u8).collect();
                (codes, [0.5, 0.25, -1.0, 0.0, f32::NAN][(i % 5) as usize])
            })
            .collect();
        let of = |from: usize, to: usize| {
            let mut f = TritForensics::new(CodeThree::Illegal, 12, 4 * from as u64);
            blocks[from..to].iter().for_each(|(codes, scale)| f.add_block(codes, *scale, 2));
            f
        };
        let whole = of(0, 23);
        assert_eq!((whole.rows.rows(), whole.blocks, whole.illegal_bytes), (7, 23, 46));
        for (a, b) in [(0, 0), (1, 2), (3, 3), (4, 17), (11, 12), (22, 23)] {
            let mut merged = of(0, a);
            merged.merge(&of(a, b));
            merged.merge(&of(b, 23));
            // Shares of four and twelve sum exactly in f64 only up to rounding, so figures are compared, not sums.
            assert!((merged.zero_dispersion() - whole.zero_dispersion()).abs() < 1e-12);
            assert!((merged.rows.std() - whole.rows.std()).abs() < 1e-12);
            let counted = |f: &TritForensics| (f.codes, f.zero_blocks, f.silenced, f.illegal_bytes);
            assert_eq!(counted(&merged), counted(&whole));
            assert_eq!(merged.scales, whole.scales);
            assert_eq!(merged.duplicates, whole.duplicates);
            assert_eq!((merged.rows.rows(), merged.rows.range()), (whole.rows.rows(), whole.rows.range()));
        }
    }
}
