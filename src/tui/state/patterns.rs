//! Patterns for a list of tensors, as few as say it: what a rule a tensor would say at length.
//!
//! Names are taken apart at the number of the layer. What is listed of every layer is one glob, what is listed of several
//! is one regular expression with their numbers, all else is named.

use std::collections::{BTreeMap, HashMap};

use super::selection::matches_between;
use crate::engine::model::Model;
use crate::engine::plan::{Pattern, Protection, around_layer};

/// Patterns that pick just these tensors. What is protected is named: only a name may override that.
pub fn of(model: &Model, tensors: &[usize]) -> Vec<Pattern> {
    let mut patterns = Vec::new();
    let mut groups: BTreeMap<(&str, &str), Vec<(&str, usize)>> = BTreeMap::new();
    for index in tensors {
        let tensor = &model.tensors[*index];
        let (template, number) = around_layer(tensor);
        if number.is_empty() || !tensor.aliases.is_empty() || Protection::of(tensor).is_some() {
            patterns.push(Pattern::name(&tensor.name));
        } else {
            groups.entry(template).or_default().push((number, *index));
        }
    }
    let mut of_template: HashMap<(&str, &str), usize> = HashMap::new();
    if groups.values().any(|group| group.len() > 1) {
        for tensor in &model.tensors {
            let (template, number) = around_layer(tensor);
            if !number.is_empty() {
                *of_template.entry(template).or_default() += 1;
            }
        }
    }
    for ((before, behind), group) in groups {
        let named = || group.iter().map(|(_, index)| Pattern::name(&model.tensors[*index].name));
        let all = of_template.get(&(before, behind)).copied().unwrap_or(0);
        let numbers: Vec<&str> = group.iter().map(|(number, _)| *number).collect();
        let one = match group.len() {
            1 => None,
            n if n == all && all_between(model, before, behind) == all => Pattern::between(before, behind).ok(),
            _ => listed(before, &numbers, behind),
        };
        match one {
            Some(pattern) => patterns.push(pattern),
            None => patterns.extend(named()),
        }
    }
    patterns
}

/// Names that begin and end so, whatever is between.
fn all_between(model: &Model, before: &str, behind: &str) -> usize {
    model.tensors.iter().filter(|t| matches_between(&t.name, before, behind)).count()
}

/// The layers by their numbers; `None` where that is more than a regular expression may hold.
fn listed(before: &str, numbers: &[&str], behind: &str) -> Option<Pattern> {
    let text = format!("re:^{}({}){}$", regex::escape(before), numbers.join("|"), regex::escape(behind));
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::codec::DType;
    use crate::engine::model::Tensor;

    fn model(names: &[&str]) -> Vec<Tensor> {
        names.iter().map(|name| Tensor::named((*name).to_owned(), vec![256, 4], DType::F16)).collect()
    }

    #[test]
    fn a_list_of_layers_is_said_in_one_pattern() {
        let pattern = listed("blk.", &["1", "12"], ".attn_q.weight").unwrap();
        assert_eq!(pattern.to_string(), r"re:^blk\.(1|12)\.attn_q\.weight$");
        let tensors = model(&["blk.1.attn_q.weight", "blk.12.attn_q.weight", "blk.2.attn_q.weight"]);
        assert_eq!(tensors.iter().filter(|t| pattern.matches(t)).count(), 2);
    }
}
