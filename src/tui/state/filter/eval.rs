//! Which tensors a filter lets through.
//!
//! A term is asked of all tensors at once, so that what it takes to ask is made once: no allocation a tensor, also with
//! a hundred thousand of them. Names are held in lower case, one behind the other.

use nucleo_matcher::pattern::{AtomKind, CaseMatching, Normalization, Pattern as Fuzzy};
use nucleo_matcher::{Config, Matcher, Utf32Str};

use super::expr::{Expr, NameTest, Term, Test, TypeOf};
use super::keys::{Figure, Flag};
use super::parse::starts_with;
use crate::engine::codec::DType;
use crate::engine::model::{Model, Role, RoleSet, Tensor};
use crate::engine::plan::{Pattern, Reason};
use crate::tui::state::fate::Fate;
use crate::tui::state::plan::PlanState;
use crate::tui::state::previews::{MethodFigures, Previews};
use crate::tui::state::summary::figures;

/// What a filter is asked of.
#[derive(Debug, Clone, Copy)]
pub struct World<'a> {
    /// The tensors.
    pub model: &'a Model,
    /// What becomes of them.
    pub plan: &'a PlanState,
    /// What was measured.
    pub previews: &'a Previews,
    /// Their names in lower case.
    pub names: &'a Names,
}

/// The names of a model's tensors in lower case.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// One a line.
    text: String,
    /// Where each ends; its line break is behind it.
    ends: Vec<usize>,
}

impl Names {
    /// Writes all names down.
    pub fn new(model: &Model) -> Self {
        let mut names = Self::default();
        for tensor in &model.tensors {
            let start = names.text.len();
            if tensor.name.is_ascii() {
                names.text.push_str(&tensor.name);
                names.text[start..].make_ascii_lowercase();
            } else {
                names.text.extend(tensor.name.chars().flat_map(char::to_lowercase));
            }
            // A line break of the name's own would end its line.
            if names.text[start..].contains('\n') {
                let line = names.text.split_off(start).replace('\n', " ");
                names.text.push_str(&line);
            }
            names.ends.push(names.text.len());
            names.text.push('\n');
        }
        names
    }

    fn start(&self, index: usize) -> usize {
        if index == 0 { 0 } else { self.ends[index - 1] + 1 }
    }

    /// Which names contain the text.
    fn containing(&self, text: &str) -> Vec<bool> {
        let mut found = vec![false; self.ends.len()];
        let Ok(finder) = regex::Regex::new(&regex::escape(&text.to_lowercase())) else { return found };
        let (mut at, mut index) = (0, 0);
        while let Some(hit) = finder.find_at(&self.text, at) {
            // Hits come in order: the line is not far from that of the one before, or far behind it.
            let step = self.ends[index..].iter().take(8).position(|end| *end >= hit.start());
            index += step.unwrap_or_else(|| self.ends[index..].partition_point(|end| *end < hit.start()));
            let Some(passes) = found.get_mut(index) else { break };
            *passes = true;
            at = self.ends[index] + 1;
            if at > self.text.len() {
                break;
            }
        }
        found
    }

    /// Which names have the text's letters in its order.
    fn resembling(&self, text: &str) -> Vec<bool> {
        let mut matcher = Matcher::new(Config::DEFAULT);
        let pattern = Fuzzy::new(text, CaseMatching::Ignore, Normalization::Smart, AtomKind::Fuzzy);
        let mut buffer = Vec::new();
        let name = |i: usize| &self.text[self.start(i)..self.ends[i]];
        let ascii = (text.is_ascii() && !text.contains('\\')).then(|| text.to_ascii_lowercase());
        let mut passes = |i: usize| {
            // In plain letters that is all there is to it: no score is needed.
            if let Some(text) = ascii.as_ref().filter(|_| name(i).is_ascii()) {
                let mut letters = text.bytes().filter(|b| *b != b' ').peekable();
                for byte in name(i).bytes() {
                    letters.next_if_eq(&byte);
                }
                return letters.peek().is_none();
            }
            pattern.score(Utf32Str::new(name(i), &mut buffer), &mut matcher).is_some()
        };
        (0..self.ends.len()).map(&mut passes).collect()
    }
}

/// Which tensors pass, by index.
pub fn evaluate(expr: &Expr, world: World<'_>) -> Vec<bool> {
    let joined = |parts: &[Expr], join: fn(bool, bool) -> bool| {
        let mut parts = parts.iter().map(|part| evaluate(part, world));
        let mut all = parts.next().unwrap_or_default();
        for part in parts {
            all.iter_mut().zip(part).for_each(|(a, b)| *a = join(*a, b));
        }
        all
    };
    match expr {
        Expr::And(parts) => joined(parts, |a, b| a && b),
        Expr::Or(parts) => joined(parts, |a, b| a || b),
        Expr::Not(inner) => {
            let mut all = evaluate(inner, world);
            all.iter_mut().for_each(|passes| *passes = !*passes);
            all
        }
        Expr::Term(term) => ask(term, world),
    }
}

fn ask(term: &Term, world: World<'_>) -> Vec<bool> {
    let each = |passes: &dyn Fn(usize, &Tensor) -> bool| {
        world.model.tensors.iter().enumerate().map(|(i, tensor)| passes(i, tensor)).collect()
    };
    match term {
        Term::Word(word) => {
            let found = world.names.containing(word);
            // Letters in order match nearly every long name: only where nothing contains the word itself.
            if found.contains(&true) { found } else { world.names.resembling(word) }
        }
        Term::Name(NameTest::Part(part)) => world.names.containing(part),
        Term::Name(NameTest::Glob(glob)) => matching(glob, &each),
        Term::Name(NameTest::Regex(regex)) => matching(&format!("re:{regex}"), &each),
        Term::Type(of, names) => types(*of, names, world),
        Term::Role(names) => {
            let named = |name: &str| names.iter().any(|n| name.contains(n.as_str()));
            let family = |role: Role| {
                let of = |n: &String| n.parse::<RoleSet>().is_ok_and(|set| set.contains(role));
                names.iter().any(of)
            };
            let roles: Vec<Role> =
                Role::ALL.iter().filter(|(role, name)| family(*role) || named(name)).map(|(role, _)| *role).collect();
            each(&|_, tensor| roles.contains(&tensor.role))
        }
        Term::Method(names) => each(&|i, _| {
            let method = world.plan.decision(i).method_name();
            method.is_some_and(|method| names.iter().any(|name| starts_with(method, name)))
        }),
        Term::Is(flags) => each(&|i, tensor| flags.iter().any(|flag| is(*flag, i, tensor, world))),
        Term::Number(figure, modulo, test) => each(&|i, tensor| {
            let value = figure_of(*figure, i, tensor, world);
            value.is_some_and(|value| stands(value, *modulo, test))
        }),
    }
}

type Each<'a> = dyn Fn(&dyn Fn(usize, &Tensor) -> bool) -> Vec<bool> + 'a;

fn matching(pattern: &str, each: &Each<'_>) -> Vec<bool> {
    match pattern.parse::<Pattern>() {
        Ok(pattern) => each(&|_, tensor| pattern.matches(tensor)),
        Err(_) => each(&|_, _| false),
    }
}

/// A model has few types: each is compared with the names once.
fn types(of: TypeOf, names: &[String], world: World<'_>) -> Vec<bool> {
    let mut known: Vec<(DType, bool)> = Vec::new();
    let mut passes = |dtype: DType| {
        if let Some((_, passes)) = known.iter().find(|(t, _)| *t == dtype) {
            return *passes;
        }
        let text = dtype.to_string();
        let text = text.strip_prefix("type ").unwrap_or(&text);
        let passes = names.iter().any(|name| starts_with(text, name));
        known.push((dtype, passes));
        passes
    };
    let tensors = world.model.tensors.iter().enumerate();
    tensors
        .map(|(i, tensor)| match of {
            TypeOf::Source => passes(tensor.dtype),
            TypeOf::Output => passes(world.plan.decision(i).new_type),
            TypeOf::Any => passes(tensor.dtype) || passes(world.plan.decision(i).new_type),
        })
        .collect()
}

fn is(flag: Flag, index: usize, tensor: &Tensor, world: World<'_>) -> bool {
    let decision = world.plan.decision(index);
    let measured = || figures(world.plan, world.previews, index);
    match flag {
        Flag::Ternary => decision.is_ternary(),
        Flag::Kept => !decision.is_ternary(),
        Flag::Protected => decision.protection.is_some(),
        Flag::Overridden => decision.overridden,
        Flag::Fallback => decision.is_ternary() && matches!(decision.reason, Reason::FellBack { .. }),
        Flag::Already => tensor.dtype.is_ternary(),
        Flag::Failed => {
            matches!(Fate::of(world.model, world.plan, world.previews, index), Fate::Failed | Fate::Missed)
        }
        Flag::Measured => measured().is_some(),
        Flag::Exact => measured().is_some_and(|(figures, _)| figures.exact),
        Flag::Changed => decision.new_type != tensor.dtype,
        Flag::Edited => world.plan.is_edited(index),
    }
}

fn figure_of(figure: Figure, index: usize, tensor: &Tensor, world: World<'_>) -> Option<f64> {
    let measured = || {
        let (figures, method) = figures(world.plan, world.previews, index)?;
        figures.method(method)
    };
    let new_bytes = || world.plan.decision(index).new_bytes as f64;
    let per_weight = |bytes: f64| (tensor.elements() > 0).then(|| bytes * 8.0 / tensor.elements() as f64);
    match figure {
        Figure::Sqnr => measured().map(MethodFigures::sqnr_db),
        Figure::RelMse => measured().map(|m| m.rel_mse.value),
        Figure::Size => Some(tensor.bytes as f64),
        Figure::NewSize => Some(new_bytes()),
        Figure::Params => Some(tensor.elements() as f64),
        Figure::Rows => Some(tensor.rows() as f64),
        Figure::Cols => Some(tensor.row_len() as f64),
        Figure::Dims => Some(tensor.rank() as f64),
        Figure::Layer => tensor.layer.map(f64::from),
        Figure::Expert => tensor.expert.map(f64::from),
        Figure::Experts => {
            (tensor.role.is_routed_expert() && tensor.expert.is_none()).then(|| tensor.matrices() as f64)
        }
        Figure::Bpw => per_weight(tensor.bytes as f64),
        Figure::NewBpw => per_weight(new_bytes()),
    }
}

fn stands(value: f64, modulo: Option<u64>, test: &Test) -> bool {
    test.holds(modulo.map_or(value, |modulo| value.rem_euclid(modulo as f64)))
}
