//! Layers, experts and the ends of the model: what the metadata counts against the tensors that are there.

use std::collections::BTreeSet;

use crate::engine::error::{Diagnostic, Severity};
use crate::engine::model::{Model, Role, Tensor};

use super::{ranges, runs_in_words, shown};

/// Runs of missing layers that a finding names.
const RUNS: usize = 8;

pub(super) fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    head(model, found);
    blocks(model, "blk.", &["block_count"], found);
    blocks(model, "enc.blk.", &["block_count"], found);
    blocks(model, "dec.blk.", &["decoder_block_count", "block_count"], found);
    experts(model, found);
}

/// The embedding, and the head or what it is tied to.
fn head(model: &Model, found: &mut Vec<Diagnostic>) {
    let embedding = model.find("token_embd.weight").is_some();
    let head = model.tensors.iter().any(|t| t.role == Role::Output);
    let (severity, code, what) = match (embedding, head) {
        (true, true) => return,
        (true, false) => {
            let what =
                "no output.weight: the output head is token_embd.weight (tied); what is done to one is done to both";
            (Severity::Note, "tied-head", what)
        }
        (false, true) => {
            (Severity::Warning, "no-embedding", "no token_embd.weight: llama.cpp loads no text model without it")
        }
        (false, false) => {
            let what = "neither output.weight nor token_embd.weight to tie it to: the file holds no whole text model";
            (Severity::Error, "no-head", what)
        }
    };
    found.push(Diagnostic::file(severity, code, what));
}

/// Layers of one stack of tensors against the first of these keys that is there.
fn blocks(model: &Model, prefix: &str, keys: &[&str], found: &mut Vec<Diagnostic>) {
    let of_stack = |t: &&Tensor| t.name.starts_with(prefix);
    let there: BTreeSet<u64> = model.tensors.iter().filter(of_stack).filter_map(|t| t.layer.map(u64::from)).collect();
    let declared =
        keys.iter().find_map(|key| model.hyperparameter(key).and_then(|v| v.as_u64()).map(|count| (*key, count)));
    let Some((key, count)) = declared else {
        if !there.is_empty() {
            let what = format!("{} is missing, {} layers of '{prefix}' are there", key_name(model, keys), there.len());
            found.push(Diagnostic::file(Severity::Error, "block-count", what));
        }
        return;
    };
    // Encoders and decoders have prefixes of their own; the plain one may be empty then.
    if there.is_empty() && (prefix != "blk." || model.tensors.iter().any(|t| t.layer.is_some())) {
        return;
    }
    let missing = gaps(&there, count);
    if !missing.is_empty() {
        let n: u64 = missing.iter().map(|(a, b)| b - a + 1).sum();
        let what = format!(
            "{} is {count}, but {n} of these layers have no tensor: {}; a shard or a part of the conversion is missing",
            key_name(model, &[key]),
            runs_in_words(&missing, RUNS)
        );
        found.push(Diagnostic::file(Severity::Error, "missing-layers", what));
    }
    let beyond: Vec<u64> = there.range(count..).copied().collect();
    if !beyond.is_empty() {
        let what = format!(
            "{} is {count} (layers 0 to {}), but there are tensors of layer {}: llama.cpp refuses tensors it does not use",
            key_name(model, &[key]),
            count.saturating_sub(1),
            ranges(&beyond)
        );
        found.push(Diagnostic::file(Severity::Error, "block-count", what));
    }
}

fn key_name(model: &Model, keys: &[&str]) -> String {
    format!("{}.{}", shown(&model.architecture.as_deref().unwrap_or_default()), keys.first().unwrap_or(&""))
}

/// Runs of numbers below `count` that are not in the set. The count comes from a file and may be anything.
fn gaps(there: &BTreeSet<u64>, count: u64) -> Vec<(u64, u64)> {
    let mut runs = Vec::new();
    let mut expected = 0;
    for n in there.range(..count).copied().chain([count]) {
        if n > expected {
            runs.push((expected, n - 1));
        }
        expected = n.saturating_add(1);
    }
    runs
}

/// The number of experts against merged tensors and routers.
fn experts(model: &Model, found: &mut Vec<Diagnostic>) {
    let declared = model.hyperparameter("expert_count").and_then(|v| v.as_u64());
    let merged = |t: &Tensor| t.role.is_routed_expert() && t.name.contains("_exps.") && t.name.ends_with(".weight");
    let router = |t: &Tensor| t.name.ends_with(".ffn_gate_inp.weight");
    let key = key_name(model, &["expert_count"]);
    let mut without = None;
    for tensor in &model.tensors {
        let (n, place) = if merged(tensor) {
            (tensor.dims.get(2).copied().unwrap_or(1), "third dimension")
        } else if router(tensor) {
            (tensor.dims.get(1).copied().unwrap_or(1), "number of rows")
        } else {
            continue;
        };
        match declared {
            None => without = without.or(Some((tensor, n))),
            Some(count) if count != n => {
                let what =
                    format!("its {place} is {n}, {key} is {count}: llama.cpp refuses the shape; one of them is wrong");
                found.push(Diagnostic::tensor(Severity::Error, "expert-count", &tensor.name, what).at(tensor.offset));
            }
            Some(_) => {}
        }
    }
    if let Some((tensor, n)) = without {
        let what = format!("holds {n} experts, but {key} is missing: llama.cpp takes the model for a dense one");
        found.push(Diagnostic::tensor(Severity::Error, "expert-count", &tensor.name, what).at(tensor.offset));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_found_whatever_the_count() {
        let there: BTreeSet<u64> = [0, 1, 4, 9].into();
        assert_eq!(gaps(&there, 6), [(2, 3), (5, 5)]);
        assert_eq!(gaps(&there, 10), [(2, 3), (5, 8)]);
        assert_eq!(gaps(&there, u64::MAX), [(2, 3), (5, 8), (10, u64::MAX - 1)]);
        assert_eq!(gaps(&BTreeSet::new(), 0), []);
        assert_eq!(gaps(&BTreeSet::from([0]), 1), []);
    }
}
