//! Budget first: given a size, which tensors go ternary.
//!
//! Free is what the mask `all` would take and no rule decides: explicit rules and protections stand as they are. The
//! free tensors are sorted once, by what they cost per byte that they save; every budget is then a prefix of that order,
//! found by binary search. A tensor's cost is its relative error (weighted by importance where that is known) times its
//! elements: raw squares would say little, because a norm before a matrix lets its scale be anything.
//!
//! What holds: a prefix costs least among all choices that save as many bytes as it does. Between two prefixes the
//! choice is that of the longer one, which costs at most one tensor more than the best there is (tests: brute force).

use std::str::FromStr;

use super::decision::Step;
use super::faults::Faults;
use super::recipe::{Mask, Recipe};
use super::resolve::resolve_knowing;
use super::tidy;
use crate::engine::codec::DType;
use crate::engine::model::Model;
use crate::engine::ternary::{Format, Method};

/// What is asked for: bytes of tensor data, or bits per weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Goal {
    /// Bytes of tensor data in the output.
    Bytes(u64),
    /// Bits per weight of the output.
    Bpw(f64),
}

impl Goal {
    /// The most bytes that keep it, in a model of so many elements.
    pub fn bytes(self, params: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Bpw(bpw) => (bpw.max(0.0) * params as f64 / 8.0).floor() as u64,
        }
    }
}

/// Units of sizes with what they stand for; upper or lower case.
const UNITS: [(&[&str], f64); 5] = [
    (&["", "b"], 1.0),
    (&["k", "kb", "kib"], 1024.0),
    (&["m", "mb", "mib"], 1024.0 * 1024.0),
    (&["g", "gb", "gib"], 1024.0 * 1024.0 * 1024.0),
    (&["t", "tb", "tib"], 1024.0 * 1024.0 * 1024.0 * 1024.0),
];
/// The unit of bits per weight.
const BPW: &str = "bpw";

/// A text cut into number and unit, in lower case.
fn number_and_unit(text: &str) -> (&str, String) {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..end], text[end..].trim().to_ascii_lowercase())
}

impl Goal {
    /// Whether a text could become a budget by more of it: a number, and the beginning of a unit.
    pub fn may_begin(text: &str) -> bool {
        let (number, unit) = number_and_unit(text);
        let begins = |known: &str| known.starts_with(unit.as_str());
        number.matches('.').count() <= 1
            && (!number.is_empty() || unit.is_empty())
            && (begins(BPW) || UNITS.iter().any(|(names, _)| names.iter().any(|name| begins(name))))
    }
}

impl FromStr for Goal {
    type Err = String;

    /// `92MiB`, `1.5G`, `96468992` (bytes), `2.5bpw`.
    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("'{text}' is no budget; write a size such as 92MiB, or bits per weight such as 2.5bpw");
        let (number, unit) = number_and_unit(text);
        let number: f64 = number.parse().map_err(|_| refuse())?;
        if unit == BPW {
            return if number > 0.0 { Ok(Self::Bpw(number)) } else { Err(refuse()) };
        }
        let known = UNITS.iter().find(|(names, _)| names.contains(&unit.as_str()));
        let bytes = number * known.ok_or_else(refuse)?.1;
        if bytes >= 1.0 && bytes < u64::MAX as f64 { Ok(Self::Bytes(bytes.round() as u64)) } else { Err(refuse()) }
    }
}

/// What was measured of a tensor in the format and by the method that it would go ternary with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Figure {
    /// The relative error that counts: weighted by importance where that is known, else plain.
    pub rel_mse: f64,
    /// Σ(w − ŵ)² over the tensor, for the model's figure.
    pub sum_e2: f64,
    /// Σw² over the tensor.
    pub sum_w2: f64,
}

/// A tensor that may go ternary or stay, as the budget has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Free {
    /// Index in the model.
    pub tensor: usize,
    /// The format it would have.
    pub format: Format,
    /// The method it would be coded by.
    pub method: Method,
    /// Bytes that it saves by going ternary; more than 0.
    pub saved: u64,
    /// Its type and bytes in the output if it stays.
    pub kept: (DType, u64),
    /// Its elements.
    pub elements: u64,
}

/// A place in the order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// Index of the tensor in the model.
    pub tensor: usize,
    /// Bytes that it saves.
    pub saved: u64,
    /// What it costs.
    pub cost: f64,
}

/// Tensors by what they cost per saved byte, and what every prefix amounts to.
#[derive(Debug, Clone, PartialEq)]
pub struct Order {
    items: Vec<Item>,
    /// Bytes of the output with the first k tensors ternary, k = 0 … n: falling.
    bytes: Vec<u64>,
}

impl Order {
    /// Sorts. `start` is what the output has with none of them ternary. Costs that are no numbers are left out; of
    /// equal ones per byte the first in the file comes first.
    pub fn new(start: u64, mut items: Vec<Item>) -> Self {
        items.retain(|item| item.saved > 0 && item.cost.is_finite() && item.cost >= 0.0);
        let rate = |item: &Item| item.cost / item.saved as f64;
        items.sort_by(|a, b| rate(a).total_cmp(&rate(b)).then_with(|| a.tensor.cmp(&b.tensor)));
        let mut bytes = Vec::with_capacity(items.len() + 1);
        let mut left = start;
        bytes.push(left);
        for item in &items {
            left = left.saturating_sub(item.saved);
            bytes.push(left);
        }
        Self { items, bytes }
    }

    /// The tensors, cheapest first.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Bytes of the output with the first `count` ternary.
    pub fn bytes_at(&self, count: usize) -> u64 {
        self.bytes[count.min(self.items.len())]
    }

    /// The shortest prefix with which the output has at most so many bytes; `None` where not even all of them do.
    pub fn fit(&self, bytes: u64) -> Option<usize> {
        let count = self.bytes.partition_point(|b| *b > bytes);
        (count < self.bytes.len()).then_some(count)
    }

    /// The least that can be reached.
    pub fn least(&self) -> u64 {
        self.bytes_at(self.items.len())
    }
}

/// A model and a recipe with every budget in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Budget {
    free: Vec<Free>,
    order: Order,
    /// Place of each tensor in the order; `u32::MAX` for what is not in it.
    ranks: Vec<u32>,
    /// Σ of squared errors and of squared weights over the first k, with what rules make ternary.
    sums: Vec<(f64, f64)>,
    /// What rules make ternary: tensors, formats, methods.
    pinned: Vec<(usize, Format, Method)>,
    start: u64,
    params: u64,
}

impl Budget {
    /// What is free and what is not; what is known to be unfit for ternary is neither. Nothing is in the order before [`Budget::rank`] is told what was measured.
    pub fn new(model: &Model, recipe: &Recipe, faults: &Faults) -> Self {
        let with = |layers: Mask| resolve_knowing(model, &Recipe { layers, ..recipe.clone() }, faults);
        let (none, all) = (with(Mask::Custom), with(Mask::All));
        let (mut free, mut pinned) = (Vec::new(), Vec::new());
        for (tensor, (without, taken)) in none.decisions.iter().zip(&all.decisions).enumerate() {
            match (without.step, taken.step) {
                (Step::Ternary(format, method), _) => pinned.push((tensor, format, method)),
                (_, Step::Ternary(format, method)) => {
                    let saved = without.new_bytes.saturating_sub(taken.new_bytes);
                    let elements = model.tensors[tensor].elements();
                    if saved > 0 {
                        let kept = (without.new_type, without.new_bytes);
                        free.push(Free { tensor, format, method, saved, kept, elements });
                    }
                }
                _ => {}
            }
        }
        let (start, params) = (none.totals.new_bytes, none.totals.params);
        let order = Order::new(start, Vec::new());
        let ranks = vec![u32::MAX; model.tensors.len()];
        Self { free, order, ranks, sums: vec![(0.0, 0.0)], pinned, start, params }
    }

    /// Sorts what was measured of the free tensors, in one pass.
    pub fn rank(&mut self, figure: impl Fn(usize, Format, Method) -> Option<Figure>) {
        let known = |free: &Free| Some((*free, figure(free.tensor, free.format, free.method)?));
        let measured: Vec<(Free, Figure)> = self.free.iter().filter_map(known).collect();
        let item = |(free, figure): &(Free, Figure)| Item {
            tensor: free.tensor,
            saved: free.saved,
            cost: figure.rel_mse * free.elements as f64,
        };
        self.order = Order::new(self.start, measured.iter().map(item).collect());
        self.ranks.fill(u32::MAX);
        for (place, item) in self.order.items.iter().enumerate() {
            self.ranks[item.tensor] = place as u32;
        }
        // Figures come in file order, so that one of a tensor is found by its index.
        let of = |tensor: usize| {
            let at = measured.binary_search_by_key(&tensor, |(free, _)| free.tensor).ok()?;
            measured.get(at).map(|(_, figure)| *figure)
        };
        let fixed = self.pinned.iter().filter_map(|(tensor, format, method)| figure(*tensor, *format, *method));
        let mut sum = fixed.fold((0.0, 0.0), |(e, w), f| (e + f.sum_e2, w + f.sum_w2));
        self.sums = vec![sum];
        for item in &self.order.items {
            if let Some(figure) = of(item.tensor) {
                sum = (sum.0 + figure.sum_e2, sum.1 + figure.sum_w2);
            }
            self.sums.push(sum);
        }
    }

    /// What is free, in file order.
    pub fn free(&self) -> &[Free] {
        &self.free
    }

    /// What rules make ternary whatever the budget.
    pub fn pinned(&self) -> impl ExactSizeIterator<Item = usize> + '_ {
        self.pinned.iter().map(|(tensor, ..)| *tensor)
    }

    /// All that is or may go ternary, with formats and methods: what is free, and what rules make so.
    pub fn candidates(&self) -> impl Iterator<Item = (usize, Format, Method)> + '_ {
        self.free.iter().map(|f| (f.tensor, f.format, f.method)).chain(self.pinned.iter().copied())
    }

    /// The place of a tensor in the order, if it is in it.
    pub fn rank_of(&self, tensor: usize) -> Option<usize> {
        self.ranks.get(tensor).filter(|rank| **rank != u32::MAX).map(|rank| *rank as usize)
    }

    /// The order.
    pub fn order(&self) -> &Order {
        &self.order
    }

    /// Whether a free tensor goes ternary with the first `count` of the order.
    pub fn takes(&self, tensor: usize, count: usize) -> bool {
        self.ranks.get(tensor).is_some_and(|rank| (*rank as usize) < count)
    }

    /// Relative error over the ternary tensors with the first `count`, as far as it was measured; `None` of none.
    pub fn rel_mse_at(&self, count: usize) -> Option<f64> {
        let (e, w) = self.sums.get(count).or(self.sums.last()).copied()?;
        (w > 0.0).then(|| e / w)
    }

    /// Elements of the model.
    pub fn params(&self) -> u64 {
        self.params
    }

    /// Bits per weight of so many bytes.
    pub fn bpw(&self, bytes: u64) -> f64 {
        if self.params == 0 { 0.0 } else { bytes as f64 * 8.0 / self.params as f64 }
    }

    /// Free tensors that are not in the order, because nothing is known of them.
    pub fn unmeasured(&self) -> usize {
        self.free.len() - self.order.items.len()
    }

    /// The recipe that makes the first `count` ternary: few rules, those that were there still deciding.
    pub fn recipe(&self, model: &Model, recipe: &Recipe, count: usize) -> Recipe {
        tidy::recipe(model, recipe, &self.free, |tensor| self.takes(tensor, count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers that look random and are the same everywhere.
    fn numbers(seed: u64) -> impl FnMut() -> u64 {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        }
    }

    fn items(seed: u64, n: usize) -> Vec<Item> {
        let mut next = numbers(seed);
        let mut item = |tensor| Item { tensor, saved: 1 + next() % 40, cost: (next() % 1000) as f64 };
        (0..n).map(&mut item).collect()
    }

    /// The least cost of any choice that leaves at most `bytes`.
    fn best(start: u64, items: &[Item], bytes: u64) -> Option<f64> {
        (0u32..1 << items.len())
            .filter_map(|set| {
                let chosen = || items.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, item)| item);
                let saved: u64 = chosen().map(|item| item.saved).sum();
                (start - saved <= bytes).then(|| chosen().map(|item| item.cost).sum::<f64>())
            })
            .min_by(f64::total_cmp)
    }

    #[test]
    fn a_prefix_is_the_best_choice_of_its_size_and_between_them_one_tensor_is_the_most_that_is_lost() {
        for seed in 1..=20 {
            let items = items(seed, 10);
            let start = 1000;
            let order = Order::new(start, items.clone());
            let cost = |count: usize| order.items()[..count].iter().map(|item| item.cost).sum::<f64>();
            for count in 0..=items.len() {
                let best = best(start, &items, order.bytes_at(count)).unwrap();
                assert!(
                    (cost(count) - best).abs() < 1e-9,
                    "seed {seed}: prefix {count} costs {} not {best}",
                    cost(count)
                );
            }
            for bytes in order.least()..=start {
                let count = order.fit(bytes).unwrap();
                let best = best(start, &items, bytes).unwrap();
                let last = count.checked_sub(1).map_or(0.0, |i| order.items()[i].cost);
                assert!(
                    order.bytes_at(count) <= bytes && count.checked_sub(1).is_none_or(|c| order.bytes_at(c) > bytes)
                );
                assert!(cost(count) <= best + last + 1e-9, "seed {seed}: {} > {best} + {last}", cost(count));
            }
        }
    }

    #[test]
    fn greedy_is_not_always_the_best_which_the_bound_allows_for() {
        // One byte is wanted: the cheap rate is that of the large tensor.
        let items = vec![Item { tensor: 0, saved: 100, cost: 100.0 }, Item { tensor: 1, saved: 1, cost: 2.0 }];
        let order = Order::new(1000, items.clone());
        assert_eq!(order.fit(999), Some(1));
        assert_eq!(order.items()[0].tensor, 0);
        assert_eq!(best(1000, &items, 999), Some(2.0));
    }

    #[test]
    fn ties_go_by_the_file_and_the_order_does_not_depend_on_how_it_was_given() {
        let tied: Vec<Item> = (0..6).map(|tensor| Item { tensor, saved: 8, cost: 2.0 }).collect();
        let mut reversed = tied.clone();
        reversed.reverse();
        let order = Order::new(100, reversed);
        assert_eq!(order.items().iter().map(|item| item.tensor).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
        assert_eq!(order, Order::new(100, tied));
    }

    #[test]
    fn nothing_free_and_out_of_reach() {
        let order = Order::new(100, Vec::new());
        assert_eq!((order.fit(100), order.fit(99), order.least()), (Some(0), None, 100));
        let order = Order::new(100, vec![Item { tensor: 3, saved: 60, cost: 1.0 }]);
        assert_eq!((order.fit(100), order.fit(99), order.fit(40), order.fit(39)), (Some(0), Some(1), Some(1), None));
    }

    #[test]
    fn what_is_no_number_or_saves_nothing_is_left_out() {
        let item = |tensor, saved, cost| Item { tensor, saved, cost };
        let odd = vec![item(0, 5, f64::NAN), item(1, 5, f64::INFINITY), item(2, 0, 1.0), item(3, 5, 0.0)];
        assert_eq!(Order::new(10, odd).items(), [item(3, 5, 0.0)]);
    }

    #[test]
    fn what_is_typed_of_a_goal_is_told_from_what_leads_nowhere() {
        for begun in ["", "9", "9.", ".5", "92", "92M", "92 mi", "92MiB", "2.5b", "2.5 bp", "2.5bpw"] {
            assert!(Goal::may_begin(begun), "{begun}");
        }
        for lost in ["x", "9x", "9MiBs", "1.2.3", "M", "92MB2", "-1", "9bw"] {
            assert!(!Goal::may_begin(lost), "{lost}");
        }
    }

    #[test]
    fn goals_are_sizes_or_bits_per_weight() {
        assert_eq!("92MiB".parse(), Ok(Goal::Bytes(92 << 20)));
        assert_eq!("1.5 G".parse(), Ok(Goal::Bytes(3 << 29)));
        assert_eq!("4096".parse(), Ok(Goal::Bytes(4096)));
        assert_eq!("2.5bpw".parse(), Ok(Goal::Bpw(2.5)));
        assert_eq!("2.5 bpw".parse::<Goal>().map(|g| g.bytes(16)), Ok(5));
        for bad in ["", "x", "1.2.3M", "-3M", "0bpw", "5 apples", "1e9"] {
            assert!(bad.parse::<Goal>().is_err(), "{bad}");
        }
    }
}
