//! Tensor names: their parts, the layer and expert they mention, and the order people expect.

use std::cmp::Ordering;

/// Words that the number of a layer follows, in GGUF's and Hugging Face's spelling.
const LAYER_WORDS: [&str; 7] = ["blk", "layers", "layer", "h", "block", "blocks", "resblocks"];
/// Words that the number of an expert follows: HF's, and GGUF's of one tensor per expert.
const EXPERT_WORDS: [&str; 5] = ["experts", "ffn_gate", "ffn_up", "ffn_down", "ffn_gate_up"];

/// Numbers that a name mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Numbers {
    /// Layer number.
    pub layer: Option<u32>,
    /// Expert number, where each expert is a tensor of its own.
    pub expert: Option<u32>,
}

/// Finds the layer and expert number in a name.
pub fn parse(name: &str) -> Numbers {
    let mut numbers = Numbers::default();
    let mut previous = "";
    for part in name.split('.') {
        if let Ok(n) = part.parse::<u32>() {
            if numbers.layer.is_none() && LAYER_WORDS.contains(&previous) {
                numbers.layer = Some(n);
            } else if numbers.layer.is_some() && EXPERT_WORDS.contains(&previous) {
                numbers.expert = Some(n);
            }
        }
        previous = part;
    }
    numbers
}

/// Compares names the way people do: runs of digits by their value, so that `blk.2` comes before `blk.10`.
pub fn natural_cmp(a: &str, b: &str) -> Ordering {
    let (mut rest_a, mut rest_b) = (a, b);
    loop {
        match (rest_a.is_empty(), rest_b.is_empty()) {
            (true, true) => return a.cmp(b),
            (true, false) => return Ordering::Less,
            (false, true) => return Ordering::Greater,
            (false, false) => {}
        }
        let (run_a, run_b) = (leading_run(rest_a), leading_run(rest_b));
        let both_numbers = run_a.as_bytes()[0].is_ascii_digit() && run_b.as_bytes()[0].is_ascii_digit();
        let order = if both_numbers { cmp_digits(run_a, run_b) } else { run_a.cmp(run_b) };
        if order != Ordering::Equal {
            return order;
        }
        (rest_a, rest_b) = (&rest_a[run_a.len()..], &rest_b[run_b.len()..]);
    }
}

/// The longest prefix of digits only, or of anything but digits.
fn leading_run(text: &str) -> &str {
    let digits = text.as_bytes()[0].is_ascii_digit();
    let end = text.bytes().position(|b| b.is_ascii_digit() != digits).unwrap_or(text.len());
    &text[..end]
}

/// Compares by value numbers of any length; leading zeros count for nothing.
fn cmp_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    a.len().cmp(&b.len()).then_with(|| a.cmp(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_compare_by_value() {
        let mut names = ["blk.10.a", "blk.2.a", "output", "blk.2.b", "blk.010.a", "a1b22", "a1b3"];
        names.sort_by(|a, b| natural_cmp(a, b));
        assert_eq!(names, ["a1b3", "a1b22", "blk.2.a", "blk.2.b", "blk.010.a", "blk.10.a", "output"]);
        assert_eq!(natural_cmp("x99999999999999999999999", "x100000000000000000000000"), Ordering::Less);
    }

    #[test]
    fn layers_and_experts_are_found_in_both_spellings() {
        let of = |name| (parse(name).layer, parse(name).expert);
        assert_eq!(of("blk.7.ffn_gate_exps.weight"), (Some(7), None));
        assert_eq!(of("blk.7.ffn_gate.3.weight"), (Some(7), Some(3)));
        assert_eq!(of("model.layers.12.mlp.experts.5.w1.weight"), (Some(12), Some(5)));
        assert_eq!(of("encoder.layer.0.attention.self.query.weight"), (Some(0), None));
        assert_eq!(of("token_embd.weight"), (None, None));
    }
}
