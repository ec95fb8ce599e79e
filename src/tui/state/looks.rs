//! Grids, blocks and trits that were looked at: the few newest.
//!
//! A grid is at most half a megabyte and a block a few kilobytes; with [`KEPT`] of them the cache stays below 12 MB.

use std::collections::VecDeque;

use crate::jobs::{LookKey, Seen, Subject};

/// Looks that are kept.
const KEPT: usize = 24;

/// The cache.
#[derive(Debug, Clone, Default)]
pub struct Looks {
    /// What was asked for last: only that is taken in.
    pub wanted: Vec<LookKey>,
    /// Newest last.
    seen: VecDeque<(LookKey, Result<Seen, String>)>,
}

impl Looks {
    /// Takes a look in, if it is still wanted; whether it was.
    pub fn insert(&mut self, key: LookKey, seen: Result<Seen, String>) -> bool {
        if !self.wanted.contains(&key) {
            return false;
        }
        self.seen.retain(|(k, _)| *k != key);
        if self.seen.len() == KEPT {
            self.seen.pop_front();
        }
        self.seen.push_back((key, seen));
        true
    }

    fn get(&self, key: LookKey) -> Option<&Result<Seen, String>> {
        self.seen.iter().find(|(k, _)| *k == key).map(|(_, seen)| seen)
    }

    /// The exact look if it is there, else the sample; or why there is none.
    pub fn best(&self, tensor: usize, subject: Subject) -> Option<Result<&Seen, &str>> {
        let [exact, sample] = [true, false].map(|exact| self.get(LookKey { tensor, subject, exact }));
        exact.or(sample).map(|seen| seen.as_ref().map_err(String::as_str))
    }

    /// The newest look of the same kind: what stays on the screen until the wanted one is there.
    pub fn before(&self, subject: Subject) -> Option<&Seen> {
        let same = |other: Subject| std::mem::discriminant(&other) == std::mem::discriminant(&subject);
        self.seen.iter().rev().filter(|(k, _)| same(k.subject)).find_map(|(_, seen)| seen.as_ref().ok())
    }

    /// What is missing of a subject: the sample, then everything. Nothing once that is known, or has failed.
    pub fn missing(&self, tensor: usize, subject: Subject) -> Vec<LookKey> {
        let [sample, exact] = [false, true].map(|exact| LookKey { tensor, subject, exact });
        match (self.get(sample), self.get(exact)) {
            (_, Some(_)) | (Some(Err(_)), _) => Vec::new(),
            (Some(Ok(seen)), None) if is_exact(seen) => Vec::new(),
            (Some(Ok(_)), None) => vec![exact],
            (None, None) => vec![sample, exact],
        }
    }
}

/// Whether a look saw everything that there is, so that an exact one would tell nothing new.
pub fn is_exact(seen: &Seen) -> bool {
    match seen {
        Seen::Grid(grid) => grid.exact,
        Seen::Experts(experts) => experts.exact,
        Seen::Block(block) => block.coded.as_ref().is_ok_and(|c| !c.scale_estimated),
        Seen::Trits(trits) => trits.exact,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_wanted_is_taken_in_and_few_are_kept() {
        let mut looks = Looks::default();
        let key = |tensor| LookKey { tensor, subject: Subject::Trits, exact: true };
        let none = || Err("not read".to_owned());
        assert!(!looks.insert(key(1), none()), "nobody asked");
        for tensor in 0..100 {
            looks.wanted = looks.missing(tensor, Subject::Trits);
            assert_eq!(looks.wanted.len(), 2);
            assert!(looks.insert(key(tensor), none()));
            assert!(looks.missing(tensor, Subject::Trits).is_empty(), "what failed is not tried again");
        }
        assert_eq!(looks.seen.len(), KEPT);
        assert!(looks.best(99, Subject::Trits).is_some_and(|r| r.is_err_and(|e| e == "not read")));
        assert!(looks.best(0, Subject::Trits).is_none());
    }
}
