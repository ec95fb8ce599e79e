//! `general.file_type` against the types that the weights really have, counted by elements.
//!
//! The number is a label: llama.cpp shows it and reads the types of the tensors. But people and tools go by it, and it is
//! where a quantization that fell back to other types does not show.

use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Severity};
use crate::engine::model::{Model, Tensor};
use crate::text::percent;

use super::shown;

const KEY: &str = "general.file_type";
/// Set by llama.cpp where a file has no number and it guessed one (`LLAMA_FTYPE_GUESSED`).
const GUESSED: u64 = 1024;

/// llama.cpp's numbers (`enum llama_ftype`), their names, and the type that most weights then have.
const KNOWN: [(u64, &str, DType); 36] = [
    (0, "F32", DType::F32),
    (1, "F16", DType::F16),
    (2, "Q4_0", DType::Q4_0),
    (3, "Q4_1", DType::Q4_1),
    (7, "Q8_0", DType::Q8_0),
    (8, "Q5_0", DType::Q5_0),
    (9, "Q5_1", DType::Q5_1),
    (10, "Q2_K", DType::Q2_K),
    (11, "Q3_K_S", DType::Q3_K),
    (12, "Q3_K_M", DType::Q3_K),
    (13, "Q3_K_L", DType::Q3_K),
    (14, "Q4_K_S", DType::Q4_K),
    (15, "Q4_K_M", DType::Q4_K),
    (16, "Q5_K_S", DType::Q5_K),
    (17, "Q5_K_M", DType::Q5_K),
    (18, "Q6_K", DType::Q6_K),
    (19, "IQ2_XXS", DType::IQ2_XXS),
    (20, "IQ2_XS", DType::IQ2_XS),
    (21, "Q2_K_S", DType::Q2_K),
    (22, "IQ3_XS", DType::IQ3_S),
    (23, "IQ3_XXS", DType::IQ3_XXS),
    (24, "IQ1_S", DType::IQ1_S),
    (25, "IQ4_NL", DType::IQ4_NL),
    (26, "IQ3_S", DType::IQ3_S),
    (27, "IQ3_M", DType::IQ3_S),
    (28, "IQ2_S", DType::IQ2_XS),
    (29, "IQ2_M", DType::IQ2_S),
    (30, "IQ4_XS", DType::IQ4_XS),
    (31, "IQ1_M", DType::IQ1_M),
    (32, "BF16", DType::BF16),
    (36, "TQ1_0", DType::TQ1_0),
    (37, "TQ2_0", DType::TQ2_0),
    (38, "MXFP4", DType::MXFP4),
    (39, "NVFP4", DType::NVFP4),
    (40, "Q1_0", DType::Q1_0),
    (41, "Q2_0", DType::Q2_0),
];

/// What bitnet.cpp's forks mean by three of the numbers.
const FORKS: [(u64, &str, &[DType]); 3] = [
    (38, "TL1", &[DType::TL1]),
    (39, "TL2", &[DType::TL2, DType::TL2_42]),
    (40, "I2_S", &[DType::I2_S, DType::I2_S_ARM, DType::I2_S_ROWS]),
];

/// Elements of the matrices by type.
struct Weights {
    all: u128,
    linear: u128,
    /// Type, elements, elements in linear layers; most elements first.
    by_type: Vec<(DType, u128, u128)>,
}

impl Weights {
    fn of(tensors: &[Tensor]) -> Self {
        let mut by_type: std::collections::BTreeMap<DType, (u128, u128)> = std::collections::BTreeMap::new();
        for tensor in tensors.iter().filter(|t| t.rank() >= 2) {
            let elements = u128::from(tensor.elements());
            let entry = by_type.entry(tensor.dtype).or_default();
            entry.0 += elements;
            entry.1 += if tensor.role.is_linear() { elements } else { 0 };
        }
        let mut by_type: Vec<(DType, u128, u128)> = by_type.into_iter().map(|(t, (a, l))| (t, a, l)).collect();
        by_type.sort_by_key(|(dtype, all, _)| (std::cmp::Reverse(*all), *dtype));
        let all = by_type.iter().map(|(_, all, _)| all).sum();
        let linear = by_type.iter().map(|(_, _, linear)| linear).sum();
        Self { all, linear, by_type }
    }

    /// Elements in these types: of all matrices, and of linear layers.
    fn count(&self, types: &[DType]) -> (u128, u128) {
        let of = self.by_type.iter().filter(|(t, _, _)| types.contains(t));
        of.fold((0, 0), |(a, l), (_, all, linear)| (a + all, l + linear))
    }

    /// Whether these types make up half of all matrices, or of the linear layers alone: small models are mostly
    /// embeddings, which llama-quantize gives another type.
    fn mostly(&self, types: &[DType]) -> bool {
        let (all, linear) = self.count(types);
        self.all > 0 && 2 * all >= self.all || self.linear > 0 && 2 * linear >= self.linear
    }

    /// The largest types in words.
    fn words(&self) -> String {
        let share = |n: u128| percent(n as f64 / self.all.max(1) as f64);
        let words: Vec<String> = self.by_type.iter().take(3).map(|(t, n, _)| format!("{} {t}", share(*n))).collect();
        words.join(", ") + if self.by_type.len() > 3 { ", …" } else { "" }
    }

    /// The number that llama.cpp has for what most weights are.
    fn number(&self) -> Option<(u64, &'static str)> {
        let (most, _, _) = self.by_type.first()?;
        let same = |declared: &DType| types_of(*declared).contains(most);
        KNOWN.iter().find(|(_, _, t)| same(t)).map(|(n, name, _)| (*n, *name))
    }
}

/// Types that count as the one that a file type names: other packings under the same number.
fn types_of(base: DType) -> Vec<DType> {
    match base {
        DType::Q2_0 => vec![DType::Q2_0, DType::Q2_0_G128, DType::PQ2_0],
        DType::Q1_0 => vec![DType::Q1_0, DType::Q1_0_G32],
        other => vec![other],
    }
}

pub(super) fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    let Some(value) = model.metadata(KEY) else { return };
    let mut report = |severity, what: String| found.push(Diagnostic::file(severity, "file-type", what));
    let Some(number) = value.as_u64() else {
        let what = format!("{KEY} is {}, a {}; llama.cpp expects a u32", shown(&value), value.value_type().name());
        return report(Severity::Warning, what);
    };
    let weights = Weights::of(&model.tensors);
    if weights.all == 0 {
        return;
    }
    let plain = number & !GUESSED;
    if number & GUESSED != 0 {
        let what =
            format!("{KEY} is {number}: {plain}, guessed by llama.cpp from the tensors, not declared by a writer");
        report(Severity::Note, what);
    }
    if let Some((_, fork, _)) = FORKS.iter().find(|(n, _, types)| *n == plain && weights.mostly(types)) {
        let mainline = known(plain).map_or("nothing", |(name, _)| name);
        let what = format!(
            "{KEY} is {plain}: {fork} to bitnet.cpp, which the tensors are ({}); llama.cpp calls it {mainline}",
            weights.words()
        );
        return report(Severity::Note, what);
    }
    match known(plain) {
        None => report(
            Severity::Note,
            format!("{KEY} is {plain}, which llama.cpp does not know; the weights are {}", weights.words()),
        ),
        Some((name, base)) => report_disagreement(&weights, (plain, name, base), &mut report),
    }
}

fn known(number: u64) -> Option<(&'static str, DType)> {
    KNOWN.iter().find(|(n, _, _)| *n == number).map(|(_, name, base)| (*name, *base))
}

fn report_disagreement(
    weights: &Weights,
    (number, name, base): (u64, &str, DType),
    report: &mut impl FnMut(Severity, String),
) {
    let types = types_of(base);
    if weights.mostly(&types) {
        return;
    }
    let (there, _) = weights.count(&types);
    let most = weights.by_type.first().map_or(base, |(t, _, _)| *t);
    // A label that says floats while one quantized type has half of the weights would have been put right.
    let lie = base.is_float() && most.is_quantized() && weights.mostly(&[most]);
    let fork = FORKS.iter().find(|(n, _, _)| *n == number).map_or_else(String::new, |(_, fork, _)| {
        format!(" (bitnet.cpp's forks mean {fork} by it, which they are not either)")
    });
    if there > 0 && !lie {
        let what = format!(
            "{KEY} is {number} ({name}), but most weights are not {base}: {}. Mixtures and rows that do not divide by \
             its block end so{fork}",
            weights.words()
        );
        return report(Severity::Note, what);
    }
    let expected = weights.number().map_or_else(String::new, |(n, name)| format!("; {n} ({name}) would fit"));
    let what = format!("{KEY} is {number} ({name}){fork}, but the weights are {}{expected}", weights.words());
    report(Severity::Warning, what);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_ascending_and_of_types_with_a_layout() {
        assert!(KNOWN.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(KNOWN.iter().all(|(_, _, t)| t.layout().is_some()));
        assert_eq!((known(15), known(4)), (Some(("Q4_K_M", DType::Q4_K)), None));
    }
}
