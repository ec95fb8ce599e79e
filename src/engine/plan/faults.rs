//! What a look at the weights found that no header tells and that decides about types: values that are no numbers.
//!
//! The resolver is told of them like of names and shapes. Nobody looks at every weight before planning, so what is known
//! grows while a model is previewed, measured or checked; a plan is of what was known when it was made.

use std::collections::BTreeMap;

/// A NaN or an infinity in a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fault {
    /// The first element that was seen to be one, where that is known.
    pub element: Option<u64>,
}

impl Fault {
    /// In words that follow a tensor's name.
    pub fn words(self) -> String {
        match self.element {
            Some(element) => format!("element {element} is NaN or infinite"),
            None => "holds NaN or infinities".to_owned(),
        }
    }
}

/// The tensors that hold such values, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(BTreeMap<usize, Fault>);

impl Faults {
    /// Notes that a tensor holds one; whether that is news.
    pub fn note(&mut self, tensor: usize, element: Option<u64>) -> bool {
        let news = !self.0.contains_key(&tensor);
        let known = self.0.entry(tensor).or_insert(Fault { element });
        if let (Some(old), Some(new)) = (known.element, element) {
            known.element = Some(old.min(new));
        }
        news
    }

    /// That of a tensor.
    pub fn of(&self, tensor: usize) -> Option<Fault> {
        // Mostly there are none, and this is asked of every tensor.
        if self.0.is_empty() { None } else { self.0.get(&tensor).copied() }
    }

    /// The tensors with theirs, in file order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, Fault)> {
        self.0.iter().map(|(tensor, fault)| (*tensor, *fault))
    }

    /// Whether nothing is known of any.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
