//! Whether a tensor was trained ternary or made so afterwards, and what says so.
//!
//! A model trained ternary (BitNet b1.58) has one scale for a whole matrix; quantizing afterwards gives every block its
//! own. That decides. The share of zeros and how it differs between blocks then tell which rule chose the trits: both
//! are known for normal weights and were measured on real ones, and `tests/forensics.rs` holds these figures against
//! this program's own quantizers.

use std::fmt;

use super::TritForensics;
use crate::text::{number, percent};

/// What the figures cannot say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Context {
    /// Matrices merged in the tensor: experts, or 1.
    pub matrices: u64,
    /// The format has one scale for the tensor (I2_S), so that its being alone says nothing.
    pub scale_per_tensor: bool,
    /// The file says it is a BitNet: its architecture's name begins with `bitnet`.
    pub bitnet: bool,
}

impl Default for Context {
    fn default() -> Self {
        Self { matrices: 1, scale_per_tensor: false, bitnet: false }
    }
}

/// Where a ternary tensor comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerdictKind {
    /// Trained with ternary weights.
    NativelyTernary,
    /// Made ternary after training.
    PostTraining,
    /// The figures fit neither, or both.
    Unclear,
}

impl VerdictKind {
    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Self::NativelyTernary => "natively ternary",
            Self::PostTraining => "made ternary after training",
            Self::Unclear => "unclear",
        }
    }
}

impl fmt::Display for VerdictKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A verdict and its reasons.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Verdict {
    /// The verdict.
    pub kind: VerdictKind,
    /// What was found, a sentence each, the deciding one first.
    pub evidence: Vec<String>,
}

/// Fewest blocks with nonzero trits that anything is read from.
const FEWEST_BLOCKS: u64 = 16;
/// Matrices with a scale each that may be stacked in one: query, key and value, or gate and up.
const STACKED: u64 = 3;
/// Fewest blocks in a row with one scale, on average, that count as a matrix with one scale.
const SHORTEST_RUN: u64 = 16;
/// Share of neighbours with different scales from which on every block has its own.
const OWN_SCALES: f64 = 0.75;
/// Share of codes that mean nothing above which the tensor is not what it is taken for.
const DAMAGED: f64 = 1e-3;
/// Spread of scales, against their mean, that rounding one scale to f16 cannot explain.
const DRIFT: f64 = 0.01;
/// Below this many steps of 2⁻²⁴, f16 is too coarse to tell scales that differ by some per cent.
const COARSE: f64 = 256.0 / (1 << 24) as f64;

/// Reads the figures of one tensor.
pub fn verdict(f: &TritForensics, context: Context) -> Verdict {
    let mut evidence = Vec::new();
    let kind = judge(f, context, &mut evidence);
    evidence.push(format!(
        "{} zeros, {} of −1, {} of +1: {:.3} bits a trit of {:.3} possible",
        percent(f.zero_share()),
        percent(f.negative() as f64 / f.legal_codes().max(1) as f64),
        percent(f.positive() as f64 / f.legal_codes().max(1) as f64),
        f.entropy(),
        super::MAX_ENTROPY,
    ));
    oddities(f, &mut evidence);
    Verdict { kind, evidence }
}

fn judge(f: &TritForensics, context: Context, evidence: &mut Vec<String>) -> VerdictKind {
    let scales = &f.scales;
    let live = scales.live_blocks();
    let all_codes = f.codes.iter().sum::<u64>().max(1);
    if (f.illegal_codes() + f.illegal_bytes) as f64 > DAMAGED * all_codes as f64 {
        evidence.push(format!(
            "{} codes and {} bytes mean nothing in this format: it is damaged, or of another type",
            f.illegal_codes(),
            f.illegal_bytes
        ));
        return VerdictKind::Unclear;
    }
    if f.plus_two() > 0 {
        let share = f.plus_two() as f64 / all_codes as f64;
        evidence.push(format!("{} of the codes are +2: two bits a weight, not trits", percent(share)));
        return VerdictKind::Unclear;
    }
    if context.scale_per_tensor {
        return judge_one_scale_format(f, context, evidence);
    }
    if live < FEWEST_BLOCKS {
        evidence.push(format!("only {live} blocks have a scale and nonzero trits; {FEWEST_BLOCKS} are needed"));
        return VerdictKind::Unclear;
    }
    if scales.max.abs().max(scales.min.abs()) < COARSE {
        evidence.push(format!(
            "the scales (up to {}) are so small that f16 has only {} values for them: whether they are one cannot be \
             told",
            number(scales.max),
            scales.distinct()
        ));
        return VerdictKind::Unclear;
    }
    let matrices = context.matrices.max(1);
    // Each equals the one before within a step of f16, and yet they wander.
    let spread = (scales.max - scales.min).abs() / scales.mean().abs().max(f64::MIN_POSITIVE);
    if scales.changes() == 0 && spread > DRIFT {
        evidence.push(format!(
            "the scale wanders from {} to {} in steps of f16's last bit: neither one for a matrix nor one for a block",
            number(scales.min),
            number(scales.max)
        ));
        return VerdictKind::Unclear;
    }
    if scales.changes() < matrices.saturating_mul(STACKED) && live / (scales.changes() + 1) >= SHORTEST_RUN {
        return one_scale(f, matrices, evidence);
    }
    let changing = scales.changes() as f64 / (live - 1) as f64;
    if changing < OWN_SCALES {
        evidence.push(format!(
            "the scale changes {} times among {live} blocks: groups longer than a block share one, such as rows",
            scales.changes()
        ));
        return VerdictKind::Unclear;
    }
    own_scales(f, evidence)
}

/// One scale for every matrix.
fn one_scale(f: &TritForensics, matrices: u64, evidence: &mut Vec<String>) -> VerdictKind {
    let (scales, live) = (&f.scales, f.scales.live_blocks());
    evidence.push(match scales.changes() {
        0 => format!(
            "all {live} blocks have the scale {}: a model trained ternary has one for a matrix, quantizing afterwards \
             gives every block its own",
            number(scales.mean())
        ),
        n if matrices > 1 => format!(
            "{} scales for {live} blocks of {matrices} matrices, each the same in a run of blocks: one for a matrix, \
             as training has it",
            n + 1
        ),
        n => format!(
            "the scale changes {n} times in {live} blocks, as where matrices with one scale each are stacked; \
             quantizing afterwards gives every block its own"
        ),
    });
    evidence.push(
        "weights that were quantized afterwards with one scale for the whole matrix would look the same".to_owned(),
    );
    VerdictKind::NativelyTernary
}

/// Every block has its own scale.
fn own_scales(f: &TritForensics, evidence: &mut Vec<String>) -> VerdictKind {
    let scales = &f.scales;
    evidence.push(format!(
        "the scale changes {} times from one of {} blocks to the next ({} different ones, spread {} of their mean): \
         every block has its own, as quantizing after training gives it; a model trained ternary has one for a matrix",
        scales.changes(),
        scales.live_blocks(),
        scales.distinct(),
        percent(scales.std() / scales.mean().abs())
    ));
    let (share, dispersion) = (f.zero_share(), f.zero_dispersion());
    let spread = format!("the number of zeros differs between blocks by {dispersion:.2} times what chance would do");
    let Some(rule) = rule(share, dispersion) else {
        evidence.push(format!("{} zeros, and {spread}: no known rule leaves that", percent(share)));
        return VerdictKind::Unclear;
    };
    evidence.push(format!("{} zeros, and {spread}: {rule}", percent(share)));
    evidence.push("a model trained with a scale for every group would look the same".to_owned());
    VerdictKind::PostTraining
}

/// The rule that leaves such a share of zeros and such a spread of it between blocks.
///
/// | rule | normal weights | 132 matrices of SmolLM2-135M and Gemma 3 270M |
/// | --- | --- | --- |
/// | absmean | 0.31, spread 0.60 | 0.31 to 0.40, spread 0.55 to 2.1 |
/// | TWN | 0.45, spread 0.45 | 0.45 to 0.53, spread 0.42 to 1.8 |
/// | least squares | 0.46, spread 1.5 | 0.46 to 0.62, spread 1.5 to 13 |
/// | max | 0.80 (blocks of 64) to 0.87 (256), spread 2 to 5 | 0.80 to 0.94, spread 2.0 to 8.4 |
///
/// The share alone tells the first and the last from the other two; these only the spread tells apart, and between 1
/// and 1.8 not for certain.
fn rule(zero_share: f64, dispersion: f64) -> Option<&'static str> {
    match (zero_share, dispersion) {
        (0.2..0.425, _) => {
            Some("as rounding w ÷ mean|w| of the block leaves it (absmean, refit; 31 % on normal weights)")
        }
        (0.425..0.72, ..1.0) => {
            Some("as a threshold of ¾ mean|w| of the block leaves it (TWN; 45 % on normal weights)")
        }
        (0.425..0.72, 1.5..) => {
            Some("as the least squared error leaves it (threshold half the scale; 46 % on normal weights)")
        }
        (0.425..0.72, _) => {
            Some("as the least squared error or a threshold of ¾ mean|w| leaves it (45 to 46 % on normal weights)")
        }
        (0.72..1.0, _) => Some("as a scale of max|w| leaves it (llama.cpp's own rule; 80 to 87 % on normal weights)"),
        _ => None,
    }
}

/// A format with one scale for the tensor: only zeros are left to go by.
fn judge_one_scale_format(f: &TritForensics, context: Context, evidence: &mut Vec<String>) -> VerdictKind {
    if f.legal_codes() > 0 && f.zero_share() < 0.01 {
        evidence.push(format!(
            "{} zeros: as bitnet.cpp's own quantizer leaves it, which makes ±1 of every weight that is not 0",
            percent(f.zero_share())
        ));
        return VerdictKind::PostTraining;
    }
    evidence.push("the format has one scale for the tensor, so a single scale says nothing".to_owned());
    if context.bitnet && f.legal_codes() > f.zeros() {
        evidence.insert(0, "the file's architecture is a BitNet, which is trained ternary".to_owned());
        return VerdictKind::NativelyTernary;
    }
    VerdictKind::Unclear
}

/// What is odd, whatever the verdict.
fn oddities(f: &TritForensics, evidence: &mut Vec<String>) {
    let s = &f.scales;
    let repeated = if f.duplicates.is_estimate() {
        "repetitions of an earlier block, about"
    } else {
        "repetitions of an earlier block"
    };
    let found = [
        (s.nan + s.infinite, "a scale that is infinite or no number"),
        (s.negative, "a negative scale, which no known quantizer writes"),
        (s.subnormal, "a scale that is subnormal in f16, which some runtimes take for 0"),
        (f.zero_blocks, "zeros throughout"),
        (f.silenced, "nonzero trits with a scale of 0"),
        (f.duplicates.repeated(), repeated),
    ];
    for (n, what) in found.into_iter().filter(|(n, _)| *n > 0) {
        evidence.push(format!("{what}: {n} of {} blocks", f.blocks));
    }
}

#[cfg(test)]
mod tests {
    use super::super::CodeThree;
    use super::*;

    /// `n` blocks of 12 codes with a third of each, scales by index.
    fn blocks(n: u32, scale: impl Fn(u32) -> f32) -> TritForensics {
        let mut f = TritForensics::new(CodeThree::Illegal, 0, 0);
        (0..n).for_each(|i| f.add_block(&[0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], scale(i), 0));
        f
    }

    fn kind(f: &TritForensics) -> VerdictKind {
        verdict(f, Context::default()).kind
    }

    #[test]
    fn one_scale_for_a_matrix_is_native() {
        assert_eq!(kind(&blocks(64, |_| 0.02)), VerdictKind::NativelyTernary);
        // Two neighbouring f16, as where a scale lies between them.
        assert_eq!(kind(&blocks(64, |i| if i % 3 == 0 { 1.0 } else { 1.000_977 })), VerdictKind::NativelyTernary);
        // Query, key and value in one tensor.
        assert_eq!(kind(&blocks(64, |i| [0.02, 0.03, 0.025][(i / 22) as usize])), VerdictKind::NativelyTernary);
        let merged = Context { matrices: 8, ..Context::default() };
        let f = blocks(256, |i| 0.02 + 0.001 * (i / 32) as f32);
        assert_eq!(verdict(&f, merged).kind, VerdictKind::NativelyTernary);
        assert_eq!(verdict(&f, Context::default()).kind, VerdictKind::Unclear);
    }

    #[test]
    fn too_few_blocks_coarse_scales_and_rows_say_nothing() {
        assert_eq!(kind(&blocks(15, |_| 0.02)), VerdictKind::Unclear);
        assert_eq!(kind(&blocks(64, |i| 1e-6 + 1e-7 * (i * i % 17) as f32)), VerdictKind::Unclear);
        // 5 to 10 % apart, but all of them the third multiple of 2⁻²⁴.
        assert_eq!(kind(&blocks(64, |i| 1.8e-7 + 1e-9 * (i * i % 17) as f32)), VerdictKind::Unclear);
        let rows = verdict(&blocks(64, |i| 0.02 + 0.001 * (i / 4) as f32), Context::default());
        assert_eq!(rows.kind, VerdictKind::Unclear);
        assert!(rows.evidence[0].starts_with("the scale changes 15 times among 64 blocks"), "{rows:?}");
        assert_eq!(kind(&blocks(0, |_| 0.0)), VerdictKind::Unclear);
        assert_eq!(kind(&blocks(64, |_| f32::NAN)), VerdictKind::Unclear);
    }

    #[test]
    fn what_is_not_ternary_or_damaged_is_said_so() {
        let mut f = TritForensics::new(CodeThree::PlusTwo, 0, 0);
        (0..64).for_each(|_| f.add_block(&[0, 1, 2, 3], 0.5, 0));
        let said = verdict(&f, Context::default());
        assert_eq!(
            (said.kind, said.evidence[0].as_str()),
            (VerdictKind::Unclear, "25.0 % of the codes are +2: two bits a weight, not trits")
        );
        let mut f = TritForensics::new(CodeThree::Illegal, 0, 0);
        (0..64).for_each(|_| f.add_block(&[0, 1, 2, 3], 0.5, 1));
        let said = verdict(&f, Context::default());
        assert_eq!(said.kind, VerdictKind::Unclear);
        assert!(said.evidence[0].starts_with("64 codes and 64 bytes mean nothing"), "{said:?}");
    }

    #[test]
    fn a_format_with_one_scale_needs_other_witnesses() {
        let context = Context { scale_per_tensor: true, ..Context::default() };
        let f = blocks(64, |_| 0.02);
        assert_eq!(verdict(&f, context).kind, VerdictKind::Unclear);
        assert_eq!(verdict(&f, Context { bitnet: true, ..context }).kind, VerdictKind::NativelyTernary);
        let mut signs = TritForensics::new(CodeThree::Illegal, 0, 0);
        (0..64).for_each(|_| signs.add_block(&[0, 2, 2, 0], 0.5, 0));
        assert_eq!(verdict(&signs, context).kind, VerdictKind::PostTraining);
        let mut zeros = TritForensics::new(CodeThree::Illegal, 0, 0);
        (0..64).for_each(|_| zeros.add_block(&[1; 4], 0.5, 0));
        assert_eq!(verdict(&zeros, Context { bitnet: true, ..context }).kind, VerdictKind::Unclear);
    }

    #[test]
    fn oddities_are_counted_in_the_evidence() {
        let mut f = blocks(64, |i| if i < 2 { -0.02 } else { 0.02 });
        f.add_block(&[1; 12], 0.0, 0);
        f.add_block(&[0; 12], f32::INFINITY, 0);
        f.add_block(&[2; 12], 0.0, 0);
        let said = verdict(&f, Context::default());
        let has = |text: &str| assert!(said.evidence.iter().any(|e| e == text), "{text}: {said:?}");
        has("a negative scale, which no known quantizer writes: 2 of 67 blocks");
        has("zeros throughout: 1 of 67 blocks");
        has("nonzero trits with a scale of 0: 1 of 67 blocks");
        has("a scale that is infinite or no number: 1 of 67 blocks");
        has("repetitions of an earlier block: 62 of 67 blocks");
    }
}
