//! The one resolver: from a model and a recipe to what becomes of each tensor, and why.
//!
//! Order of decision: mask, then the last rule that applies, then protections, then the shape. Only names, roles, types
//! and shapes are asked; no data is read.

use std::collections::HashMap;
use std::sync::Arc;

use super::decisions::{Classes, Decisions};
use super::kept::kept_step;
use super::notes::{Hits, notes};
use super::numbers::one_meaning;
use super::pattern::Pattern;
use super::protect::Protection;
use super::recipe::{Fallback, Mask, Recipe};
use super::rule::Action;
use super::tally::Tally;
use crate::engine::codec::DType;
use crate::engine::error::{Diagnostic, Error, Result, Severity};
use crate::engine::model::{Model, Tensor};
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

/// What becomes of every tensor, in file order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// One decision a tensor.
    pub decisions: Decisions,
    /// Their sums.
    pub totals: Totals,
    /// What the user should know: an empty mask, rules that match nothing, overrides, added losses. One of severity
    /// `error` stops an export.
    pub notes: Vec<Diagnostic>,
    /// What each rule of the recipe did, in their order.
    pub hits: Vec<Hits>,
}

impl Plan {
    /// Whether the output would differ from the source.
    pub fn changes_anything(&self) -> bool {
        self.decisions.iter().any(|d| d.step != Step::Copy)
    }

    /// `general.file_type` of the output: the ternary format that at least half of the elements in 2-D and larger
    /// tensors are in; else the type that they were converted to, if half are; else the source's. `None`: none is written
    /// (the source has none, or the format has no number).
    pub fn file_type(&self, model: &Model) -> Option<u32> {
        let matrices = || model.tensors.iter().zip(&self.decisions).filter(|(t, _)| t.rank() >= 2);
        // A file may claim more elements than 64 bits can add up.
        let params = |dtype: Option<DType>| -> u128 {
            matrices()
                .filter(|(_, d)| dtype.is_none_or(|t| d.new_type == t))
                .map(|(t, _)| u128::from(t.elements()))
                .sum()
        };
        let all = params(None);
        let half = |dtype| all > 0 && params(Some(dtype)) * 2 >= all;
        if let Some(format) = Format::ALL.into_iter().find(|f| half(f.dtype())) {
            return format.file_type();
        }
        let converted = self.decisions.iter().find_map(|d| match d.step {
            Step::Convert(to) if half(to) => Some(to),
            _ => None,
        });
        match converted {
            Some(DType::F32) => Some(0),
            Some(DType::F16) => Some(1),
            Some(DType::BF16) => Some(32),
            Some(DType::Q8_0) => Some(7),
            Some(DType::Q4_0) => Some(2),
            Some(DType::Q6_K) => Some(18),
            _ => model.metadata("general.file_type").and_then(|v| v.as_u64()).and_then(|n| u32::try_from(n).ok()),
        }
    }

    /// Refuses a plan that no file can be written of: the first note of severity `error`.
    pub fn require_possible(&self, model: &Model) -> Result<()> {
        match self.notes.iter().find(|n| n.severity == Severity::Error) {
            None => Ok(()),
            Some(Diagnostic { tensor: Some(tensor), message, .. }) => Err(Error::tensor(&model.path, tensor, message)),
            Some(note) => Err(Error::Usage(note.message.clone())),
        }
    }

    /// The first request that cannot be met as asked, for `--strict`.
    pub fn first_miss<'a>(&'a self, model: &'a Model) -> Option<(&'a Tensor, &'a Decision)> {
        model.tensors.iter().zip(&self.decisions).find(|(_, d)| d.misses_request())
    }
}

/// Decides what becomes of every tensor.
pub fn resolve(model: &Model, recipe: &Recipe) -> Plan {
    resolve_with(model, recipe, &Classes::new(model), |pattern| Arc::new(pattern.picks(model)))
}

/// The same where the tensors' classes are known, and the tensors that a pattern picks may be.
pub(super) fn resolve_with(
    model: &Model,
    recipe: &Recipe,
    classes: &Classes,
    picks: impl FnMut(&Pattern) -> Arc<Vec<usize>>,
) -> Plan {
    let (mut decisions, mut hits) = decide_all(model, recipe, classes, picks);
    let mut tally = Tally::of(model, &decisions);
    let mut conflicts = Vec::new();
    if tally.has_conflict() {
        let mut each: Vec<Decision> = decisions.iter().cloned().collect();
        conflicts = one_meaning(model, &mut each);
        decisions = each.into_iter().collect();
        tally = Tally::of(model, &decisions);
    }
    let mut notes = notes(model, recipe, &decisions, &tally, &hits);
    notes.extend(conflicts);
    for shared in decisions.shared() {
        if let Winner::Rule(i) = shared.decision.winner {
            hits[i].decided += shared.tensors;
        }
    }
    Plan { decisions, totals: tally.totals(), notes, hits }
}

/// What mask and rules make of every tensor. A class is decided about once for each rule that picks any of it.
fn decide_all(
    model: &Model,
    recipe: &Recipe,
    classes: &Classes,
    mut picks: impl FnMut(&Pattern) -> Arc<Vec<usize>>,
) -> (Decisions, Vec<Hits>) {
    let mut asked = vec![Asked::default(); model.tensors.len()];
    for pattern in &recipe.unprotect {
        picks(pattern).iter().for_each(|tensor| asked[*tensor].lifted = true);
    }
    let protected: Vec<bool> = classes.examples(model).map(|t| Protection::of(t).is_some()).collect();
    let mut hits = vec![Hits::default(); recipe.rules.len()];
    for ((number, rule), hits) in recipe.rules.iter().enumerate().zip(&mut hits) {
        let picked = picks(&rule.pattern);
        hits.matched = picked.len() as u64;
        for tensor in picked.iter() {
            let asked = &mut asked[*tensor];
            if rule.may_act(protected[classes.of()[*tensor] as usize] && !asked.lifted) {
                hits.applied += 1;
                asked.rule = Some(number as u32);
            }
        }
    }
    let mut decisions = Decisions::with_capacity(model.tensors.len());
    let mut known: HashMap<(u32, Asked), u32> = HashMap::new();
    // What was asked of the last tensor of a class: mostly the next one is asked the same.
    let mut last: Vec<Option<(Asked, u32)>> = vec![None; classes.len()];
    for ((tensor, class), asked) in model.tensors.iter().zip(classes.of()).zip(asked) {
        let before = match last[*class as usize] {
            Some((before, number)) if before == asked => Some(number),
            _ => known.get(&(*class, asked)).copied(),
        };
        let number = if let Some(number) = before {
            decisions.share(number);
            number
        } else {
            let number = decisions.add(decide(tensor, recipe, asked));
            known.insert((*class, asked), number);
            number
        };
        last[*class as usize] = Some((asked, number));
    }
    (decisions, hits)
}

/// Whether the source's own loss is added to. A block of trits keeps trits and scale when it is coded again as one block or
/// as several; not where blocks are joined, or where absmean sets another scale.
pub(super) fn loses_twice(tensor: &Tensor, decision: &Decision) -> bool {
    let Step::Ternary(format, method) = decision.step else {
        return false;
    };
    // Q2_0 is left out: its codes may be more than ternary.
    let blocks_nest = tensor.dtype.layout().is_some_and(|l| l.block_len.is_multiple_of(format.block_len() as u64));
    let nests = match tensor.dtype {
        DType::TQ1_0 | DType::TQ2_0 => blocks_nest && !format.has_one_scale(),
        DType::T158 => blocks_nest && !format.has_one_scale() && tensor.row_len().is_multiple_of(256),
        DType::I2_S | DType::I2_S_ARM | DType::I2_S_ROWS => true,
        _ => false,
    };
    let keeps = nests && method != Method::Absmean && format.is_plain();
    tensor.dtype.is_quantized() && !keeps
}

/// Mask and rules: what is asked of a tensor, by whom, and whether that overrides its protection.
struct Request {
    wanted: Option<(Format, Method)>,
    winner: Winner,
    kept_by_rule: bool,
    overridden: bool,
}

/// What a recipe's patterns say of a tensor.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// The last rule that picks it and may act on it.
    rule: Option<u32>,
    /// Its protection is lifted.
    lifted: bool,
}

impl Asked {
    /// Of one tensor, by asking every pattern.
    pub(super) fn of(tensor: &Tensor, recipe: &Recipe) -> Self {
        let lifted = recipe.unprotect.iter().any(|p| p.matches(tensor));
        let protected = Protection::of(tensor).is_some() && !lifted;
        let rule = recipe.rules.iter().rposition(|rule| rule.pattern.matches(tensor) && rule.may_act(protected));
        Self { rule: rule.map(|i| i as u32), lifted }
    }
}

fn request(tensor: &Tensor, protection: Option<Protection>, recipe: &Recipe, asked: Asked) -> Request {
    let rule = asked.rule.map(|i| i as usize);
    let winning = rule.and_then(|i| Some((i, recipe.rules.get(i)?.action)));
    let overridden = protection.is_some_and(|p| !p.is_absolute());
    match winning {
        Some((i, Action::Keep { .. })) => {
            Request { wanted: None, winner: Winner::Rule(i), kept_by_rule: true, overridden: false }
        }
        Some((i, Action::Ternary { format, method })) => Request {
            wanted: Some((format.unwrap_or(recipe.format), method.unwrap_or(recipe.method))),
            winner: Winner::Rule(i),
            kept_by_rule: false,
            overridden,
        },
        None => {
            let by_mask = recipe.layers.takes(tensor.role) && protection.is_none();
            let by_lifting = asked.lifted && protection.is_some() && recipe.layers == Mask::All;
            let winner = if by_lifting { Winner::Unprotect } else { Winner::Mask(recipe.layers) };
            Request {
                wanted: (by_mask || by_lifting).then_some((recipe.format, recipe.method)),
                winner,
                kept_by_rule: false,
                overridden: overridden && by_lifting,
            }
        }
    }
}

/// A tensor that stays, as it is or in another precision.
pub(super) fn keep(tensor: &Tensor, recipe: &Recipe, winner: Winner, reason: Reason) -> Decision {
    let protection = Protection::of(tensor);
    let own = match winner {
        Winner::Rule(i) => recipe.rules.get(i).map(|rule| rule.action),
        _ => None,
    };
    let own = if let Some(Action::Keep { precision }) = own { precision } else { None };
    let kept = kept_step(tensor, protection, recipe, own);
    let mut decision = Decision {
        step: Step::Copy,
        new_type: tensor.dtype,
        new_bytes: tensor.bytes,
        requested: None,
        winner,
        reason,
        protection,
        overridden: false,
        unconverted: kept.unconverted,
        forced: kept.forced,
    };
    if let Some(to) = kept.to {
        decision.convert(tensor, to);
    }
    decision
}

/// What becomes of a tensor of which this is asked. Nothing but its class and this may decide.
pub(super) fn decide(tensor: &Tensor, recipe: &Recipe, asked: Asked) -> Decision {
    let protection = Protection::of(tensor);
    let request = request(tensor, protection, recipe, asked);
    let kept = |reason: Reason| Decision { requested: request.wanted, ..keep(tensor, recipe, request.winner, reason) };
    let Some((format, method)) = request.wanted else {
        return kept(match protection {
            _ if request.kept_by_rule => Reason::Kept,
            Some(p) => Reason::Protected(p),
            None => Reason::NotSelected,
        });
    };
    if let Some(p) = protection.filter(|p| p.is_absolute()) {
        return kept(Reason::Protected(p));
    }
    if tensor.elements() == 0 {
        return kept(Reason::Empty);
    }
    let (chosen, reason) = match fitting_format(tensor, format, recipe.fallback) {
        Ok(pair) => pair,
        Err(reason) => return kept(reason),
    };
    if tensor.dtype == chosen.dtype() && tensor.layout_fits {
        let mut decision = kept(if chosen == format { Reason::AlreadyThere } else { reason });
        (decision.step, decision.new_type, decision.new_bytes) = (Step::Copy, tensor.dtype, tensor.bytes);
        return decision;
    }
    if let Some(why) = tensor.bound_reason() {
        return kept(Reason::Undecodable(why));
    }
    Decision {
        step: Step::Ternary(chosen, method),
        new_type: chosen.dtype(),
        new_bytes: chosen.dtype().bytes_for(tensor.elements()).unwrap_or(0),
        requested: request.wanted,
        winner: request.winner,
        reason,
        protection,
        overridden: request.overridden,
        unconverted: None,
        forced: None,
    }
}

/// The requested format, or the one it falls back to; never a type that is not ternary.
fn fitting_format(tensor: &Tensor, format: Format, fallback: Fallback) -> Result<(Format, Reason), Reason> {
    let row = tensor.row_len();
    let fits = |f: Format| f.takes(row, tensor.elements());
    // Groups of 64 and of 128 have one number: in one output it can mean but one of them. One scale for a tensor is for
    // another runtime, which does not know Q2_0.
    let may_fall_back = matches!(format, Format::Tq1_0 | Format::Tq2_0 | Format::Iq1S);
    if fits(format) {
        Ok((format, Reason::Selected))
    } else if fallback == Fallback::Q2_0 && may_fall_back && fits(Format::Q2_0) {
        Ok((Format::Q2_0, Reason::FellBack { from: format, row }))
    } else {
        Err(Reason::RowLength { format, row })
    }
}
