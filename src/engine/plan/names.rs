//! What tensors are called, side by side in memory: asked for a name or a pattern, a hundred thousand tensors answer within a
//! millisecond or two, where their own names lie all over it.

use xxhash_rust::xxh3::xxh3_64;

use super::decisions::Classes;
use super::pattern::Pattern;
use crate::engine::model::Model;

/// The names of a model's tensors.
#[derive(Debug)]
pub(super) struct Names {
    /// Their names, one behind the other, in file order.
    text: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// Tensors that have other names too: those of their parts in other files.
    renamed: Vec<usize>,
    /// Hashes of all names, in ascending order, with whose they are.
    hashes: Vec<(u64, usize)>,
}

impl Names {
    /// Takes them down.
    pub(super) fn new(model: &Model) -> Self {
        let tensors = &model.tensors;
        let mut text = String::with_capacity(tensors.iter().map(|tensor| tensor.name.len()).sum());
        let (mut ends, mut hashes) = (Vec::with_capacity(tensors.len()), Vec::with_capacity(tensors.len()));
        let mut renamed = Vec::new();
        for (index, tensor) in tensors.iter().enumerate() {
            text.push_str(&tensor.name);
            ends.push(text.len());
            hashes.push((xxh3_64(tensor.name.as_bytes()), index));
            if !tensor.aliases.is_empty() {
                renamed.push(index);
                hashes.extend(tensor.aliases.iter().map(|name| (xxh3_64(name.as_bytes()), index)));
            }
        }
        hashes.sort_unstable();
        hashes.dedup();
        Self { text, ends, renamed, hashes }
    }

    /// Tensors that may go by this name, in file order.
    pub(super) fn called(&self, name: &str) -> impl Iterator<Item = usize> {
        let hash = xxh3_64(name.as_bytes());
        let from = self.hashes.partition_point(|(h, _)| *h < hash);
        self.hashes[from..].iter().take_while(move |(h, _)| *h == hash).map(|(_, index)| *index)
    }

    /// Tensors that a pattern picks, in file order: those that [`Pattern::matches`].
    pub(super) fn picked(&self, model: &Model, classes: &Classes, pattern: &Pattern) -> Vec<usize> {
        match pattern {
            Pattern::Name(name) => self.called(name).filter(|index| pattern.matches(&model.tensors[*index])).collect(),
            Pattern::Role(roles) => {
                let has: Vec<bool> = classes.examples(model).map(|tensor| roles.contains(tensor.role)).collect();
                let tensors = classes.of().iter().enumerate();
                tensors.filter(|(_, class)| has[**class as usize]).map(|(index, _)| index).collect()
            }
            Pattern::Glob(_) | Pattern::Regex(_) => {
                let mut renamed = self.renamed.iter().copied().peekable();
                let mut from = 0;
                let picks = |(index, end): (usize, &usize)| {
                    let name = &self.text[std::mem::replace(&mut from, *end)..*end];
                    let picked = match renamed.next_if_eq(&index) {
                        Some(_) => pattern.matches(&model.tensors[index]),
                        None => pattern.matches_name(name),
                    };
                    picked.then_some(index)
                };
                self.ends.iter().enumerate().filter_map(picks).collect()
            }
        }
    }
}
