//! A list of which few entries are there: a number each, and behind it what there is.
//!
//! Passes over a hundred thousand tensors touch the numbers only; what they do not touch need not be in memory.

/// Values by index, most of them missing.
#[derive(Debug, Clone)]
pub struct Sparse<T> {
    /// Where in `values` each is, counted from 1; 0 where there is none.
    at: Vec<u32>,
    values: Vec<T>,
    /// Places of `values`, counted from 1, that hold nothing any more.
    free: Vec<u32>,
}

impl<T> Default for Sparse<T> {
    fn default() -> Self {
        Self { at: Vec::new(), values: Vec::new(), free: Vec::new() }
    }
}

impl<T: Copy> Sparse<T> {
    /// Entries, those that are missing among them.
    pub fn entries(&self) -> usize {
        self.at.len()
    }

    /// So many entries; new ones are missing.
    pub fn resize(&mut self, len: usize) {
        for index in len..self.entries() {
            self.set(index, None);
        }
        self.at.resize(len, 0);
    }

    /// An entry, if it is there.
    pub fn get(&self, index: usize) -> Option<&T> {
        let at = *self.at.get(index)? as usize;
        self.values.get(at.checked_sub(1)?)
    }

    /// Puts another entry down, or none; what was there. Panics where there is no such index.
    pub fn set(&mut self, index: usize, value: Option<T>) -> Option<T> {
        let old = self.get(index).copied();
        let at = &mut self.at[index];
        match (value, *at) {
            (Some(value), 0) => {
                if let Some(free) = self.free.pop() {
                    *at = free;
                    self.values[free as usize - 1] = value;
                } else {
                    self.values.push(value);
                    *at = self.values.len() as u32;
                }
            }
            (Some(value), place) => self.values[place as usize - 1] = value,
            (None, 0) => {}
            (None, _) => self.free.push(std::mem::take(at)),
        }
        old
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_those_of_a_list_of_options() {
        let mut sparse = Sparse::default();
        let mut plain: Vec<Option<usize>> = vec![None; 40];
        sparse.resize(40);
        let mut seed = 1_usize;
        for step in 0..2000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (index, value) = (seed >> 33, (seed >> 20 & 3 != 0).then_some(step));
            let index = index % 40;
            assert_eq!(sparse.set(index, value), std::mem::replace(&mut plain[index], value));
        }
        assert!((0..40).all(|index| sparse.get(index) == plain[index].as_ref()));
        assert!(sparse.values.len() <= 40);
        sparse.resize(10);
        sparse.resize(20);
        assert!((10..20).all(|index| sparse.get(index).is_none()));
        assert_eq!((sparse.entries(), sparse.get(20)), (20, None));
    }
}
