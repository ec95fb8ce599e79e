//! The one resolver: from a model and a recipe to what becomes of each tensor, and why.
//!
//! Order of decision: mask, then the last rule that applies, then protections, then the shape, then what is known of the
//! weights. Only names, roles, types and shapes are asked, and [`Faults`] if there are any; no data is read.

use std::collections::HashMap;
use std::sync::Arc;

use super::decision::{Decision, Reason, Step, Totals, Winner};
use super::decisions::{Classes, Decisions};
use super::faults::{Fault, Faults};
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
    resolve_knowing(model, recipe, &Faults::default())
}

/// The same with what is known of the weights.
pub fn resolve_knowing(model: &Model, recipe: &Recipe, faults: &Faults) -> Plan {
    let known = Known { classes: &Classes::new(model), faults };
    resolve_with(model, recipe, known, |pattern| Arc::new(pattern.picks(model)))
}

/// What is known of a model's tensors besides their descriptions.
#[derive(Clone, Copy)]
pub(super) struct Known<'a> {
    /// Which of them are alike.
    pub(super) classes: &'a Classes,
    /// Which hold values that are no numbers.
    pub(super) faults: &'a Faults,
}

/// The same where the tensors' classes are known, and the tensors that a pattern picks may be.
pub(super) fn resolve_with(
    model: &Model,
    recipe: &Recipe,
    known: Known<'_>,
    picks: impl FnMut(&Pattern) -> Arc<Vec<usize>>,
) -> Plan {
    let (mut decisions, mut hits) = decide_all(model, recipe, known, picks);
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
    Known { classes, faults }: Known<'_>,
    mut picks: impl FnMut(&Pattern) -> Arc<Vec<usize>>,
) -> (Decisions, Vec<Hits>) {
    let mut asked = vec![Asked::default(); model.tensors.len()];
    let faults: Vec<(usize, Fault)> = faults.iter().collect();
    for (number, (tensor, _)) in (1..).zip(&faults) {
        if let Some(asked) = asked.get_mut(*tensor) {
            asked.fault = number;
        }
    }
    let fault = |asked: Asked| faults.get((asked.fault as usize).checked_sub(1)?).map(|(_, fault)| *fault);
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
            let number = decisions.add(decide(tensor, recipe, asked, fault(asked)));
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

/// What a recipe's patterns say of a tensor, and whether a look at its weights said anything. There is one for every tensor:
/// it is small.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    /// The last rule that picks it and may act on it.
    rule: Option<u32>,
    /// Its protection is lifted.
    lifted: bool,
    /// Number of what is wrong with its weights, from 1 on; 0 where nothing is.
    fault: u32,
}

impl Asked {
    /// Of one tensor, by asking every pattern.
    pub(super) fn of(tensor: &Tensor, recipe: &Recipe) -> Self {
        let lifted = recipe.unprotect.iter().any(|p| p.matches(tensor));
        let protected = Protection::of(tensor).is_some() && !lifted;
        let rule = recipe.rules.iter().rposition(|rule| rule.pattern.matches(tensor) && rule.may_act(protected));
        Self { rule: rule.map(|i| i as u32), lifted, fault: 0 }
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

/// What becomes of a tensor of which this is asked, and with whose weights this is wrong. Nothing but its class and these may
/// decide.
pub(super) fn decide(tensor: &Tensor, recipe: &Recipe, asked: Asked, fault: Option<Fault>) -> Decision {
    let protection = Protection::of(tensor);
    let request = request(tensor, protection, recipe, asked);
    let kept = |reason: Reason| {
        let kept = Decision { requested: request.wanted, ..keep(tensor, recipe, request.winner, reason) };
        match fault {
            Some(fault) => kept.unspoilt(tensor, fault),
            None => kept,
        }
    };
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
    if let Some(fault) = fault {
        return kept(Reason::NotFinite(fault));
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
