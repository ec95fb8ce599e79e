//! Where tensor types run: which backend of which runtime multiplies with a type itself, and what happens where it does
//! not.
//!
//! A backend of llama.cpp that cannot multiply with a type hands the work to the CPU without a word; a runtime that does
//! not know a type refuses the file. The table is what ggml's sources say (each backend's `supports_op` for `MUL_MAT`);
//! what it does not know stays unknown. Ask it of a plan with [`verdicts`].

use std::collections::BTreeMap;

use super::codec::DType;
use super::model::Model;
use super::plan::Plan;
use super::ternary::Format;
use crate::text;

/// What the table was read from, and when.
pub const SOURCE: &str = "llama.cpp's sources of mid-2026 (ggml 0.25.3)";

/// Whether a backend multiplies with a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Runs {
    /// It does.
    Yes,
    /// On some devices, or for some shapes.
    Partly,
    /// Nothing is known.
    Unknown,
    /// It does not: the CPU does, silently.
    No,
    /// The runtime does not load a file with this type.
    Refused,
}

impl Runs {
    /// In a word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Partly => "partly",
            Self::Unknown => "?",
            Self::No => "no",
            Self::Refused => "refused",
        }
    }
}

/// A runtime with one of its backends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// llama.cpp on the CPU.
    Cpu,
    /// llama.cpp on NVIDIA's and AMD's devices.
    Cuda,
    /// llama.cpp on Apple's devices.
    Metal,
    /// llama.cpp through Vulkan.
    Vulkan,
    /// llama.cpp on Intel's devices.
    Sycl,
    /// llama.cpp through OpenCL.
    OpenCl,
    /// llama.cpp in browsers.
    WebGpu,
    /// PrismML's fork of llama.cpp.
    PrismMl,
    /// bitnet.cpp.
    BitnetCpp,
    /// ruvllm.
    Ruvllm,
}

impl Backend {
    /// Every backend, in the order of listings.
    pub const ALL: [Self; 10] = [
        Self::Cpu,
        Self::Cuda,
        Self::Metal,
        Self::Vulkan,
        Self::Sycl,
        Self::OpenCl,
        Self::WebGpu,
        Self::PrismMl,
        Self::BitnetCpp,
        Self::Ruvllm,
    ];

    /// Name in listings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Cuda => "CUDA, HIP",
            Self::Metal => "Metal",
            Self::Vulkan => "Vulkan",
            Self::Sycl => "SYCL",
            Self::OpenCl => "OpenCL",
            Self::WebGpu => "WebGPU",
            Self::PrismMl => "PrismML's fork",
            Self::BitnetCpp => "bitnet.cpp",
            Self::Ruvllm => "ruvllm",
        }
    }

    /// Whether it is one of stock llama.cpp's.
    pub fn is_stock(self) -> bool {
        !matches!(self, Self::PrismMl | Self::BitnetCpp | Self::Ruvllm)
    }

    /// Whether it multiplies with a type.
    pub fn runs(self, dtype: DType) -> Runs {
        match self {
            Self::PrismMl => fork(dtype, DType::Q2_0_G128),
            Self::BitnetCpp => match dtype {
                DType::I2_S | DType::I2_S_ARM | DType::I2_S_ROWS => Runs::Yes,
                _ => fork(dtype, DType::I2_S),
            },
            Self::Ruvllm => fork(dtype, DType::T158),
            _ => self.stock(dtype),
        }
    }

    fn stock(self, dtype: DType) -> Runs {
        let ternary = matches!(dtype, DType::TQ1_0 | DType::TQ2_0);
        let codebook = is_codebook(dtype);
        // Integers are indices, which no backend multiplies with.
        if dtype.is_integer() {
            return Runs::Unknown;
        }
        if !is_stock_type(dtype) {
            return Runs::Refused;
        }
        match self {
            Self::Cuda | Self::Sycl if ternary => Runs::No,
            Self::Sycl if matches!(dtype, DType::Q2_0 | DType::Q1_0) || codebook => Runs::Partly,
            Self::Metal if matches!(dtype, DType::TQ1_0 | DType::NVFP4) => Runs::No,
            // Apple's older devices have no bfloat.
            Self::Metal if dtype == DType::BF16 => Runs::Partly,
            Self::OpenCl => match dtype {
                DType::F32 | DType::F16 | DType::BF16 | DType::Q4_0 | DType::Q8_0 => Runs::Yes,
                DType::Q4_1
                | DType::Q5_0
                | DType::Q5_1
                | DType::Q4_K
                | DType::Q5_K
                | DType::Q6_K
                | DType::MXFP4
                | DType::IQ4_NL
                | DType::Q1_0 => Runs::Partly,
                _ => Runs::No,
            },
            Self::WebGpu => match dtype {
                DType::BF16 | DType::Q2_0 => Runs::No,
                _ if ternary => Runs::No,
                DType::Q1_0 | DType::IQ1_S | DType::IQ1_M => Runs::Partly,
                _ => Runs::Yes,
            },
            _ => Runs::Yes,
        }
    }

    /// What else there is to say of a type on this backend.
    pub fn remark(self, dtype: DType) -> Option<&'static str> {
        match (self, dtype) {
            (Self::Cpu, DType::TQ1_0) => Some("AVX2, NEON, RVV"),
            (Self::Cpu, DType::Q2_0) => Some("on x86 in plain C, slow"),
            (Self::Metal, DType::BF16) => Some("newer devices only"),
            _ => None,
        }
    }
}

/// A fork: its own type runs, the number's other meaning does not, of the rest nothing is known but floats.
fn fork(dtype: DType, own: DType) -> Runs {
    if dtype == own || matches!(dtype, DType::F32 | DType::F16) {
        Runs::Yes
    } else if !dtype.is_mainline() || dtype.number() == own.number() {
        Runs::Refused
    } else {
        Runs::Unknown
    }
}

/// The types with a codebook.
fn is_codebook(dtype: DType) -> bool {
    matches!(
        dtype,
        DType::IQ1_S
            | DType::IQ1_M
            | DType::IQ2_XXS
            | DType::IQ2_XS
            | DType::IQ2_S
            | DType::IQ3_XXS
            | DType::IQ3_S
            | DType::IQ4_NL
            | DType::IQ4_XS
    )
}

/// Types that stock llama.cpp loads weights in.
fn is_stock_type(dtype: DType) -> bool {
    const BLOCKS: [DType; 16] = [
        DType::Q1_0,
        DType::Q2_0,
        DType::Q4_0,
        DType::Q4_1,
        DType::Q5_0,
        DType::Q5_1,
        DType::Q8_0,
        DType::Q2_K,
        DType::Q3_K,
        DType::Q4_K,
        DType::Q5_K,
        DType::Q6_K,
        DType::MXFP4,
        DType::NVFP4,
        DType::TQ1_0,
        DType::TQ2_0,
    ];
    matches!(dtype, DType::F32 | DType::F16 | DType::BF16) || is_codebook(dtype) || BLOCKS.contains(&dtype)
}

/// What a backend makes of one output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The backend.
    pub backend: Backend,
    /// The worst that happens to any type.
    pub worst: Runs,
    /// What happens, in words.
    pub words: String,
}

/// A type of the output: tensors and bytes in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// The type.
    pub dtype: DType,
    /// Tensors.
    pub tensors: u64,
    /// Bytes.
    pub bytes: u64,
}

/// The types that the output's matrices will have, most bytes first. Vectors are no matter: they are F32 everywhere.
pub fn types_used(model: &Model, plan: &Plan) -> Vec<Used> {
    let mut sums: BTreeMap<DType, (u64, u64)> = BTreeMap::new();
    // Tensors that share a decision are alike.
    for shared in plan.decisions.shared() {
        let decision = &shared.decision;
        if model.tensors[shared.first].rank() >= 2 && !decision.new_type.is_integer() {
            let (tensors, bytes) = sums.entry(decision.new_type).or_default();
            *tensors += shared.tensors;
            *bytes = bytes.saturating_add(decision.new_bytes.saturating_mul(shared.tensors));
        }
    }
    let mut used: Vec<Used> =
        sums.into_iter().map(|(dtype, (tensors, bytes))| Used { dtype, tensors, bytes }).collect();
    used.sort_by_key(|u| std::cmp::Reverse(u.bytes));
    used
}

/// What each backend makes of an output with these types.
pub fn verdicts(used: &[Used]) -> Vec<Verdict> {
    Backend::ALL.into_iter().map(|backend| verdict(backend, used)).collect()
}

fn verdict(backend: Backend, used: &[Used]) -> Verdict {
    let total = used.iter().fold(0u64, |n, u| n.saturating_add(u.bytes)).max(1) as f64;
    let of = |runs: Runs| used.iter().filter(move |u| backend.runs(u.dtype) == runs);
    let names = |runs: Runs| of(runs).map(|u| u.dtype.to_string()).collect::<Vec<_>>().join(", ");
    let share = |runs: Runs| text::percent(of(runs).map(|u| u.bytes as f64).sum::<f64>() / total);
    let worst = used.iter().map(|u| backend.runs(u.dtype)).max().unwrap_or(Runs::Yes);
    let verb = |runs: Runs, one: &'static str, many: &'static str| if of(runs).count() == 1 { one } else { many };
    let mut parts = Vec::new();
    if worst == Runs::Refused {
        let formats = of(Runs::Refused).filter_map(|u| Format::from_dtype(u.dtype)?.only_in());
        let who = formats.into_iter().next().map(|who| format!(" ({who} has it)")).unwrap_or_default();
        parts.push(format!("refuses the file: {} is not known there{who}", names(Runs::Refused)));
    } else {
        if of(Runs::No).next().is_some() {
            let falls = verb(Runs::No, "falls", "fall");
            parts.push(format!("{} {falls} to the CPU silently ({} of the bytes)", names(Runs::No), share(Runs::No)));
        }
        if of(Runs::Partly).next().is_some() {
            parts.push(format!("{} in part", names(Runs::Partly)));
        }
        if of(Runs::Unknown).next().is_some() {
            parts.push(format!("nothing is known of {}", names(Runs::Unknown)));
        }
        if of(Runs::Yes).next().is_some() {
            let runs = verb(Runs::Yes, "runs", "run");
            parts.push(format!("{} {runs}", names(Runs::Yes)));
        }
        let remarks = used.iter().filter_map(|u| Some(format!("{}: {}", u.dtype, backend.remark(u.dtype)?)));
        parts.extend(remarks);
    }
    let words = if used.is_empty() { "there is no matrix to multiply with".to_owned() } else { parts.join("; ") };
    Verdict { backend, worst, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(types: &[(DType, u64)]) -> Vec<Used> {
        types.iter().map(|(dtype, bytes)| Used { dtype: *dtype, tensors: 1, bytes: *bytes }).collect()
    }

    #[test]
    fn the_table_of_ternary_types() {
        use Runs::{No, Partly, Refused, Yes};
        let types = [DType::TQ1_0, DType::TQ2_0, DType::Q2_0, DType::Q1_0, DType::IQ1_S, DType::I2_S];
        for (backend, expected) in [
            (Backend::Cpu, [Yes, Yes, Yes, Yes, Yes, Refused]),
            (Backend::Cuda, [No, No, Yes, Yes, Yes, Refused]),
            (Backend::Metal, [No, Yes, Yes, Yes, Yes, Refused]),
            (Backend::Vulkan, [Yes, Yes, Yes, Yes, Yes, Refused]),
            (Backend::Sycl, [No, No, Partly, Partly, Partly, Refused]),
            (Backend::OpenCl, [No, No, No, Partly, No, Refused]),
            (Backend::WebGpu, [No, No, No, Partly, Partly, Refused]),
        ] {
            assert_eq!(types.map(|t| backend.runs(t)), expected, "{}", backend.name());
        }
    }

    #[test]
    fn every_format_runs_somewhere_and_where_its_notes_say() {
        for format in Format::ALL {
            let dtype = format.dtype();
            let runs = |b: &Backend| b.runs(dtype) == Runs::Yes;
            let stock = Backend::ALL.iter().filter(|b| b.is_stock()).any(runs);
            let fork = Backend::ALL.iter().filter(|b| !b.is_stock()).any(runs);
            assert_eq!((stock, fork), (format.only_in().is_none(), format.only_in().is_some()), "{format:?}");
        }
    }

    #[test]
    fn a_verdict_says_what_falls_to_the_cpu_and_what_runs() {
        let found = verdicts(&used(&[(DType::TQ2_0, 750), (DType::F16, 250)]));
        let of = |backend| found.iter().find(|v| v.backend == backend).unwrap();
        assert_eq!(of(Backend::Cuda).words, "TQ2_0 falls to the CPU silently (75.0 % of the bytes); F16 runs");
        assert_eq!((of(Backend::Cuda).worst, of(Backend::Vulkan).worst), (Runs::No, Runs::Yes));
        assert_eq!(of(Backend::Vulkan).words, "TQ2_0, F16 run");
        assert!(of(Backend::BitnetCpp).words.starts_with("nothing is known of TQ2_0"));
        let found = verdicts(&used(&[(DType::I2_S, 1), (DType::F32, 1)]));
        assert!(found[0].words.contains("refuses the file") && found[0].words.contains("bitnet.cpp has it"));
        assert_eq!(found.iter().find(|v| v.backend == Backend::BitnetCpp).unwrap().words, "I2_S, F32 run");
        assert!(verdicts(&[])[0].words.contains("no matrix"));
    }
}
