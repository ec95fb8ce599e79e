//! Which meaning a type number has in one file: told from the offsets of all tensors with that number.
//!
//! Tools that went their own ways gave the same number to different types. The bytes between a tensor's offset and the
//! next one's say how large it is; a meaning is possible where its computed size fills them but for padding. All tensors
//! of a number share one meaning, so they vote. What offsets leave open is decided by what else the file says of itself,
//! else ggml's meaning is taken; either way the finding says so.

use std::fmt;

use super::dtype::DType;

/// Numbers above are private to forks.
const LAST_OF_GGML: u32 = 100;

/// One tensor with the number in question.
#[derive(Debug, Clone, Copy)]
pub struct Occurrence {
    /// Elements.
    pub elements: u64,
    /// Elements of a row.
    pub row: u64,
    /// Bytes from its offset to the next tensor's, or to the end of the file.
    pub extent: u64,
    /// Alignment of its file.
    pub alignment: u64,
    /// Whether no other tensor follows: writers differ in what they leave behind the last one.
    pub last: bool,
}

/// What a file says of itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hints<'a> {
    /// `general.architecture`.
    pub architecture: Option<&'a str>,
    /// Whether `craftsman.bitnet.version` is there: ruvllm's files.
    pub ruvllm: bool,
    /// Whether a key speaks of a Hadamard rotation: PrismML's files.
    pub rotated: bool,
    /// How I2_S is packed, where the file says so ([`PACKING_KEY`]).
    pub packing: Option<DType>,
}

/// Key under which this program says how the I2_S of a file is packed; its value is a type's name.
pub const PACKING_KEY: &str = "tritscope.i2_s_packing";

/// One meaning and how many tensors it fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// The meaning.
    pub dtype: DType,
    /// Tensors that it fits; `None` where its layout is not known and nothing can be tested.
    pub fits: Option<usize>,
}

/// What decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Basis {
    /// The user said so.
    Override,
    /// The offsets leave no other meaning.
    Offsets,
    /// The offsets leave several; something in the file points at one.
    Hint(&'static str),
    /// The offsets leave several and nothing points at one: ggml's meaning, or the first that is possible.
    Default,
    /// No meaning with a known layout fits; one without is left.
    Elimination,
    /// Nothing fits: ggml's meaning is kept.
    Nothing,
}

/// Which meaning a number has in a file, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The number.
    pub number: u32,
    /// The meaning taken.
    pub chosen: DType,
    /// Tensors with the number.
    pub tensors: usize,
    /// Every meaning with its votes, ggml's first.
    pub candidates: Vec<Candidate>,
    /// What decided.
    pub basis: Basis,
    /// Whether the file says how its I2_S is packed.
    pub packing_told: bool,
}

impl Finding {
    /// Whether another meaning is possible and nothing but a preference decided.
    pub fn is_ambiguous(&self) -> bool {
        matches!(self.basis, Basis::Default | Basis::Elimination)
    }

    /// Whether one of I2_S's packings was taken that nothing in the file tells from the others.
    pub fn assumes_packing(&self) -> bool {
        matches!(self.chosen, DType::I2_S | DType::I2_S_ARM | DType::I2_S_ROWS)
            && !self.packing_told
            && self.basis != Basis::Override
    }

    /// Whether it is worth a line: the meaning is not ggml's, or it is in doubt, or the user overrode it.
    pub fn is_remarkable(&self) -> bool {
        !self.chosen.is_mainline() || self.number > LAST_OF_GGML || !matches!(self.basis, Basis::Offsets)
    }
}

impl Finding {
    /// The evidence in a few words: `42 is Q2_0_G128: 30/30, Q2_0 0`, tensors that fit of all.
    pub fn short(&self) -> String {
        let fits = |dtype: DType| self.candidates.iter().find(|c| c.dtype == dtype).and_then(|c| c.fits);
        let chosen = match fits(self.chosen) {
            Some(fits) => format!("{}: {fits}/{}", self.chosen, self.tensors),
            None => format!("{}, whose layout is not known", self.chosen),
        };
        let others = self.candidates.iter().filter(|c| c.dtype != self.chosen);
        let others: String = others.filter_map(|c| Some(format!(", {} {}", c.dtype, c.fits?))).collect();
        let doubt = if self.is_ambiguous() { " (in doubt)" } else { "" };
        format!("{} is {chosen}{others}{doubt}", self.number)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "type {} read as {} ({})", self.number, self.chosen, meaning(self.chosen))?;
        let of = |c: &Candidate| match c.fits {
            Some(fits) => format!("as {} {fits} of {} tensors fit", c.dtype, self.tensors),
            None => format!("{} has no known layout to test", c.dtype),
        };
        let mut candidates: Vec<&Candidate> = self.candidates.iter().collect();
        candidates.sort_by_key(|c| c.dtype != self.chosen);
        let votes: Vec<String> = candidates.into_iter().map(of).collect();
        write!(f, ": {}", votes.join("; "))?;
        let why = match &self.basis {
            Basis::Override => "; chosen by --dialect".to_owned(),
            Basis::Offsets => String::new(),
            Basis::Hint(what) => format!("; {what} decides"),
            Basis::Default => "; offsets do not decide: say --dialect N=NAME if this is wrong".to_owned(),
            Basis::Elimination => "; the only one left".to_owned(),
            Basis::Nothing => "; none fits".to_owned(),
        };
        f.write_str(&why)?;
        if self.assumes_packing() {
            f.write_str("; the packing is not in the file: I2_S (x86), I2_S_ARM and I2_S_ROWS have one size")?;
        }
        Ok(())
    }
}

/// A few words on what a meaning is.
fn meaning(dtype: DType) -> &'static str {
    match dtype {
        DType::T158 => "ruvllm, groups of 256 over the flattened tensor",
        DType::I2_S => "bitnet.cpp, x86 packing, one scale a tensor",
        DType::I2_S_ARM => "bitnet.cpp, ARM packing, one scale a tensor",
        DType::I2_S_ROWS => "bitnet.cpp, four rows a byte, one scale a tensor",
        DType::I8_S | DType::TL1 | DType::TL2 | DType::TL2_42 => "bitnet.cpp",
        DType::Q2_0 => "ggml, groups of 64",
        DType::Q2_0_G128 => "PrismML, groups of 128",
        DType::Q1_0_G32 => "PrismML, groups of 32",
        DType::PQ2_0 | DType::PTQ1_0 => "PrismML, groups of 128, rotated basis",
        DType::TQ3_0 => "TurboQuant",
        DType::IQ2_TN => "ik_llama.cpp, retired",
        DType::IQ4_NL_4_4 => "ggml, removed",
        _ if dtype.is_mainline() && matches!(dtype.number(), Some(31..=33 | 36..=38)) => "ggml, removed",
        _ => "ggml",
    }
}

/// How well a meaning agrees with a tensor's place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    No,
    /// It leaves more behind the last tensor than padding.
    Loose,
    Yes,
}

fn fit(dtype: DType, tensor: &Occurrence) -> Option<Fit> {
    let layout = dtype.layout()?;
    let bytes = layout.bytes_for(tensor.elements).filter(|_| layout.takes(tensor.row, tensor.elements));
    Some(match bytes {
        Some(bytes) if bytes <= tensor.extent && tensor.extent - bytes < tensor.alignment => Fit::Yes,
        // Writers differ in what stands behind the last tensor.
        Some(bytes) if bytes <= tensor.extent && tensor.last => Fit::Loose,
        _ => Fit::No,
    })
}

/// Meanings that are tried: of I2_S's packings, which have one size, the first that the element counts allow.
fn meanings(number: u32, tensors: &[Occurrence], told: Option<DType>) -> Vec<DType> {
    let takes = |t: DType| tensors.iter().all(|o| t.layout().is_some_and(|l| l.takes(o.row, o.elements)));
    let packings = [DType::I2_S, DType::I2_S_ARM, DType::I2_S_ROWS];
    let told = told.filter(|t| packings.contains(t));
    let packing = told.or_else(|| packings.into_iter().find(|t| takes(*t))).unwrap_or(DType::I2_S);
    DType::of_number(number).meanings().filter(|t| !packings.contains(t) || *t == packing).collect()
}

/// The meaning that something in the file points at.
fn hinted(candidates: &[DType], hints: Hints<'_>) -> Option<(DType, &'static str)> {
    let bitnet = hints.architecture.is_some_and(|a| a.starts_with("bitnet"));
    let craftsman = hints.architecture == Some("craftsman");
    candidates.iter().find_map(|t| match *t {
        DType::T158 if hints.ruvllm => Some((*t, "craftsman.bitnet.version")),
        DType::T158 if craftsman => Some((*t, "general.architecture")),
        DType::I2_S | DType::I2_S_ARM | DType::I2_S_ROWS | DType::I8_S | DType::TL1 | DType::TL2 | DType::TL2_42
            if bitnet =>
        {
            Some((*t, "general.architecture"))
        }
        DType::PQ2_0 if hints.rotated => Some((*t, "a key about a rotation")),
        _ => None,
    })
}

/// Decides what `number` means in a file with these tensors. `None` where it has one meaning only, or none that is known,
/// and where no tensor has elements to tell by.
pub fn resolve(number: u32, tensors: &[Occurrence], hints: Hints<'_>, overruled: Option<DType>) -> Option<Finding> {
    let mut candidates = meanings(number, tensors, hints.packing);
    if let Some(t) = overruled.filter(|t| !candidates.contains(t)) {
        candidates.push(t);
    }
    if candidates.len() < 2 {
        return None;
    }
    let counted: Vec<&Occurrence> = tensors.iter().filter(|t| t.elements > 0).collect();
    if counted.is_empty() && overruled.is_none() {
        return None;
    }
    let votes = |dtype: DType, least: Fit| {
        let fits: Option<Vec<Fit>> = counted.iter().map(|t| fit(dtype, t)).collect();
        fits.filter(|_| dtype.layout().is_some()).map(|f| f.into_iter().filter(|f| *f >= least).count())
    };
    let strict = candidates.iter().any(|t| votes(*t, Fit::Yes) == Some(counted.len()));
    let least = if strict { Fit::Yes } else { Fit::Loose };
    let listed: Vec<Candidate> = candidates.iter().map(|t| Candidate { dtype: *t, fits: votes(*t, least) }).collect();
    let (chosen, basis) = match overruled {
        Some(dtype) => (dtype, Basis::Override),
        None => choose(&listed, counted.len(), hints),
    };
    Some(Finding {
        number,
        chosen,
        tensors: counted.len(),
        candidates: listed,
        basis,
        packing_told: hints.packing.is_some(),
    })
}

fn choose(candidates: &[Candidate], tensors: usize, hints: Hints<'_>) -> (DType, Basis) {
    let most = candidates.iter().filter_map(|c| c.fits).max().unwrap_or(0);
    let best: Vec<DType> = candidates.iter().filter(|c| most > 0 && c.fits == Some(most)).map(|c| c.dtype).collect();
    let untested: Vec<DType> = candidates.iter().filter(|c| c.fits.is_none()).map(|c| c.dtype).collect();
    let mainline = candidates[0].dtype;
    match (best.as_slice(), untested.as_slice()) {
        ([only], _) if most == tensors => (*only, Basis::Offsets),
        // Some fit by accident, or some are damaged: what cannot be tested is as likely.
        ([only], [_, ..]) if hinted(&untested, hints).is_some() => match hinted(&untested, hints) {
            Some((dtype, what)) => (dtype, Basis::Hint(what)),
            None => (*only, Basis::Default),
        },
        ([only], _) => (*only, Basis::Default),
        ([first, ..], _) => match hinted(&best, hints) {
            Some((dtype, what)) => (dtype, Basis::Hint(what)),
            None => (*first, Basis::Default),
        },
        ([], []) => (mainline, Basis::Nothing),
        ([], [first, ..]) => match hinted(&untested, hints) {
            Some((dtype, what)) => (dtype, Basis::Hint(what)),
            None => (*first, Basis::Elimination),
        },
    }
}

/// Parses `N=NAME`: what the user says a number means.
pub fn parse_override(text: &str) -> Result<DType, String> {
    let (number, name) =
        text.split_once('=').ok_or_else(|| format!("'{text}': write a number and a meaning, as in 42=Q2_0_G128"))?;
    let number: u32 = number.trim().parse().map_err(|_| format!("'{number}' is no type number"))?;
    let meanings: Vec<DType> = DType::of_number(number).meanings().collect();
    let name = name.trim();
    meanings.iter().copied().find(|t| t.to_string().eq_ignore_ascii_case(name)).ok_or_else(|| {
        let known: Vec<String> = meanings.iter().map(ToString::to_string).collect();
        let known = if known.is_empty() { "no meaning of it is known".to_owned() } else { known.join(", ") };
        format!("type {number} does not mean '{name}': {known}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(elements: u64, extent: u64) -> Occurrence {
        Occurrence { elements, row: 256, extent, alignment: 32, last: false }
    }

    #[test]
    fn offsets_decide_and_the_evidence_is_told() {
        let tensors = vec![tensor(256 * 64, 256 * 64 / 128 * 34); 210];
        let finding = resolve(42, &tensors, Hints::default(), None).unwrap();
        assert_eq!((finding.chosen, &finding.basis), (DType::Q2_0_G128, &Basis::Offsets));
        let text = finding.to_string();
        assert!(text.contains("as Q2_0_G128 210 of 210 tensors fit; as Q2_0 0 of 210 tensors fit"), "{text}");
        let mainline = resolve(42, &[tensor(256 * 64, 256 * 64 / 64 * 18)], Hints::default(), None).unwrap();
        assert!(mainline.chosen == DType::Q2_0 && !mainline.is_remarkable());
    }

    #[test]
    fn what_offsets_leave_open_is_decided_by_hints_or_reported() {
        // Both meanings of 30 take less than this last tensor's extent.
        let last = Occurrence { last: true, ..tensor(256, 4096) };
        let open = resolve(30, &[last], Hints::default(), None).unwrap();
        assert!(open.chosen == DType::BF16 && open.is_ambiguous());
        let hints = Hints { ruvllm: true, ..Hints::default() };
        let told = resolve(30, &[last], hints, None).unwrap();
        assert_eq!((told.chosen, told.is_ambiguous()), (DType::T158, false));
    }

    #[test]
    fn untestable_meanings_come_last_and_overrides_first() {
        let tl = resolve(39, &[tensor(256, 1000)], Hints::default(), None).unwrap();
        assert_eq!((tl.chosen, tl.basis), (DType::TL2, Basis::Elimination));
        let nothing = resolve(30, &[tensor(256, 1000)], Hints::default(), None).unwrap();
        assert_eq!((nothing.chosen, nothing.basis), (DType::BF16, Basis::Nothing));
        let forced = resolve(36, &[tensor(256, 96)], Hints::default(), Some(DType::I2_S_ARM)).unwrap();
        assert_eq!((forced.chosen, forced.basis), (DType::I2_S_ARM, Basis::Override));
        assert!(resolve(35, &[tensor(256, 66)], Hints::default(), None).is_none());
        assert!(resolve(42, &[tensor(0, 66)], Hints::default(), None).is_none());
    }

    #[test]
    fn overrides_are_parsed_with_the_known_meanings() {
        assert_eq!(parse_override("36=i2_s_arm"), Ok(DType::I2_S_ARM));
        assert!(parse_override("42=IQ1_S").unwrap_err().contains("Q2_0_G128"));
        assert!(parse_override("42").is_err() && parse_override("x=Q2_0").is_err());
    }
}
