//! What becomes of one tensor, who decided that and why; and the sums over all of them.

use super::faults::Fault;
use super::protect::Protection;
use super::recipe::{Mask, Recipe};
use crate::engine::codec::DType;
use crate::engine::model::Tensor;
use crate::engine::ternary::{Format, Method};

/// What the export does with a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// Copies its bytes.
    Copy,
    /// Decodes and stores it in another type.
    Convert(DType),
    /// Makes it ternary.
    Ternary(Format, Method),
    /// Moves its trits to another ternary format.
    Recode(Format),
}

/// Who decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Winner {
    /// The mask, taking it or leaving it.
    Mask(Mask),
    /// The rule with this index in the recipe.
    Rule(usize),
    /// The mask would leave it protected, but its protection was lifted.
    Unprotect,
    /// A repack, which asks for every ternary tensor.
    Repack,
}

/// Why a tensor ends as it does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It was asked for and can be done.
    Selected,
    /// Neither mask nor rule asked for it.
    NotSelected,
    /// A rule keeps it.
    Kept,
    /// It is protected, and what matched may not override that.
    Protected(Protection),
    /// Rows do not divide by the block of the requested format; it goes to this other one.
    FellBack {
        /// What was requested.
        from: Format,
        /// Elements of a row.
        row: u64,
    },
    /// Rows do not divide by the block of the requested format, and no fallback helps.
    RowLength {
        /// What was requested.
        format: Format,
        /// Elements of a row.
        row: u64,
    },
    /// It is in the requested format already.
    AlreadyThere,
    /// Its weights cannot be taken out of its type; the words say why.
    Undecodable(String),
    /// Its trits move to another format as they are.
    Recoded,
    /// Repacking passes over it: it is not ternary, or stays for the reason given.
    NotRecoded(String),
    /// It has no elements.
    Empty,
    /// It holds values that are no numbers, which no trit stands for.
    NotFinite(Fault),
}

/// What becomes of one tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the export does.
    pub step: Step,
    /// The type in the output.
    pub new_type: DType,
    /// Bytes in the output, without padding.
    pub new_bytes: u64,
    /// What mask and rules asked for, where they asked for ternary.
    pub requested: Option<(Format, Method)>,
    /// Who decided.
    pub winner: Winner,
    /// Why.
    pub reason: Reason,
    /// The tensor's protection, in force or not.
    pub protection: Option<Protection>,
    /// Whether its protection was overridden.
    pub overridden: bool,
    /// Why it keeps its type although the recipe converts what stays, where it cannot be decoded.
    pub unconverted: Option<String>,
    /// Why it is converted although the recipe does not ask for it.
    pub forced: Option<String>,
}

impl Decision {
    /// Makes it a conversion to `to`.
    pub(super) fn convert(&mut self, tensor: &Tensor, to: DType) {
        self.step = Step::Convert(to);
        self.new_type = to;
        self.new_bytes = to.bytes_for(tensor.elements()).unwrap_or(0);
    }

    /// Blocks with a scale cannot hold what is no number: such a tensor keeps its type.
    pub(super) fn unspoilt(self, tensor: &Tensor, fault: Fault) -> Self {
        match self.step {
            Step::Convert(to) if to.is_quantized() => Self {
                step: Step::Copy,
                new_type: tensor.dtype,
                new_bytes: tensor.bytes,
                unconverted: Some(fault.words()),
                forced: None,
                ..self
            },
            _ => self,
        }
    }

    /// Whether the tensor is made ternary by this plan.
    pub fn is_ternary(&self) -> bool {
        matches!(self.step, Step::Ternary(..))
    }

    /// What chooses the codes, in a word: the method, or the search in a codebook that takes none.
    pub fn method_name(&self) -> Option<&'static str> {
        match self.step {
            Step::Ternary(format, _) if !format.is_plain() => Some("codebook"),
            Step::Ternary(_, method) => Some(method.name()),
            _ => None,
        }
    }

    /// The method, where the tensor is made ternary.
    pub fn method(&self) -> Option<Method> {
        match self.step {
            Step::Ternary(_, method) => Some(method),
            _ => None,
        }
    }

    /// Whether ternary was asked for in a format that cannot be had (`--strict` refuses these).
    pub fn misses_request(&self) -> bool {
        self.requested.is_some() && !matches!(self.reason, Reason::Selected | Reason::AlreadyThere)
    }

    /// Who decided, in words: `mask all`, `rule 3: blk.*`.
    pub fn rule_text(&self, recipe: &Recipe) -> String {
        match self.winner {
            Winner::Mask(mask) => format!("mask {}", mask.name()),
            Winner::Unprotect => "unprotect".to_owned(),
            Winner::Repack => "repack".to_owned(),
            Winner::Rule(i) => {
                let pattern = recipe.rules.get(i).map(|r| r.pattern.to_string()).unwrap_or_default();
                format!("rule {}: {pattern}", i + 1)
            }
        }
    }

    /// Why, in words.
    pub fn reason_text(&self) -> String {
        let overridden = match self.protection {
            Some(p) if self.overridden => format!(", protection ({}) overridden", p.describe()),
            _ => String::new(),
        };
        let words = match &self.reason {
            Reason::Selected => "selected".to_owned(),
            Reason::NotSelected => "not selected".to_owned(),
            Reason::Kept => "kept by rule".to_owned(),
            Reason::Protected(p) if self.requested.is_some() => {
                format!("protected: {}, which llama.cpp cannot take quantized", p.describe())
            }
            Reason::Protected(p) => format!("protected: {}", p.describe()),
            Reason::FellBack { from, row } => format!(
                "rows of {row} are not a multiple of {}: {} instead of {}",
                from.block_len(),
                self.new_type,
                from.dtype()
            ),
            Reason::RowLength { format, .. } if format.has_one_scale() => {
                format!("its elements are not a multiple of the {} of a group: stays", format.block_len())
            }
            Reason::RowLength { format, row } => {
                format!("rows of {row} are not a multiple of {}: stays", format.block_len())
            }
            Reason::Recoded => "same trits, other format".to_owned(),
            Reason::NotRecoded(why) => why.clone(),
            Reason::AlreadyThere => format!("is {} already", self.new_type),
            Reason::Undecodable(why) => format!("stays: {why}"),
            Reason::Empty => "has no elements".to_owned(),
            Reason::NotFinite(fault) => format!("{}, so it cannot go ternary: stays", fault.words()),
        };
        let converted = match (self.step, &self.unconverted) {
            (Step::Convert(to), _) => {
                let why = self.forced.as_ref().map_or_else(String::new, |why| format!(" ({why})"));
                format!(", converted to {to}{why}")
            }
            (_, Some(why)) => format!(", not converted: {why}"),
            _ => String::new(),
        };
        words + &overridden + &converted
    }
}

/// Sums over the plan.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Totals {
    /// Tensors.
    pub tensors: u64,
    /// Tensors that this plan makes ternary.
    pub ternary_tensors: u64,
    /// Tensors that it converts to another float type.
    pub converted_tensors: u64,
    /// Elements.
    pub params: u64,
    /// Elements of the tensors that it makes ternary.
    pub ternary_params: u64,
    /// Tensors that are ternary already and are so in the output, as they are or in another format.
    pub already_ternary_tensors: u64,
    /// Their elements.
    pub already_ternary_params: u64,
    /// Bytes of tensor data now.
    pub bytes: u64,
    /// Bytes of tensor data in the output.
    pub new_bytes: u64,
    /// Tensors that fall back to another ternary format.
    pub fallbacks: u64,
    /// Tensors that were asked for and stay.
    pub misses: u64,
    /// Those among them that are known to hold NaN or infinities.
    pub not_finite: u64,
    /// Tensors whose protection is overridden.
    pub overridden: u64,
    /// Tensors that are quantized now and are made ternary from that.
    pub requantized: u64,
    /// Ternary tensors whose trits move to another format.
    pub recoded_tensors: u64,
}

impl Totals {
    /// Bits per weight now.
    pub fn bpw(&self) -> f64 {
        per_weight(self.bytes, self.params)
    }

    /// Bits per weight of the output.
    pub fn new_bpw(&self) -> f64 {
        per_weight(self.new_bytes, self.params)
    }

    /// Share of the elements that are ternary in the output.
    pub fn ternary_share(&self) -> f64 {
        let ternary = self.ternary_params.saturating_add(self.already_ternary_params);
        if self.params == 0 { 0.0 } else { ternary as f64 / self.params as f64 }
    }
}

fn per_weight(bytes: u64, params: u64) -> f64 {
    if params == 0 { 0.0 } else { bytes as f64 * 8.0 / params as f64 }
}
