//! The share of zeros row by row, gathered from stretches that may begin and end anywhere in a row.

use super::occurrences;

/// How the share of zeros is spread over a tensor's rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowSpread {
    /// Weights of a row; 0 where rows are not asked for.
    row_len: u64,
    /// Weights between the beginning of the row and what comes next.
    place: u64,
    /// What was seen before the first end of a row, while that is not a whole row.
    head: Part,
    /// What was seen since the last end of a row.
    open: Part,
    /// Whether an end of a row was seen.
    closed: bool,
    rows: u64,
    sum: f64,
    sum_squares: f64,
    min: f64,
    max: f64,
}

/// A stretch of one row.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Part {
    weights: u64,
    zeros: u64,
}

impl Part {
    fn add(&mut self, other: Self) {
        self.weights += other.weights;
        self.zeros += other.zeros;
    }
}

impl RowSpread {
    /// Nothing seen yet; the first weight to come is number `start` of the tensor.
    pub(super) fn new(row_len: u64, start: u64) -> Self {
        Self {
            row_len,
            place: start.checked_rem(row_len).unwrap_or(0),
            head: Part::default(),
            open: Part::default(),
            closed: false,
            rows: 0,
            sum: 0.0,
            sum_squares: 0.0,
            min: f64::INFINITY,
            max: f64::NEG_INFINITY,
        }
    }

    /// Adds the codes that follow.
    pub(super) fn add(&mut self, mut codes: &[u8]) {
        if self.row_len == 0 {
            return;
        }
        while !codes.is_empty() {
            let left = usize::try_from(self.row_len - self.place).unwrap_or(usize::MAX);
            let (here, rest) = codes.split_at(left.min(codes.len()));
            self.current().add(Part { weights: here.len() as u64, zeros: occurrences(here, 1) });
            self.place += here.len() as u64;
            if self.place == self.row_len {
                self.place = 0;
                self.end_row();
            }
            codes = rest;
        }
    }

    fn current(&mut self) -> &mut Part {
        if self.closed { &mut self.open } else { &mut self.head }
    }

    /// Counts the row that ends here, if all of it was seen.
    fn end_row(&mut self) {
        let row_len = self.row_len;
        let part = *self.current();
        if part.weights == row_len {
            let share = part.zeros as f64 / row_len as f64;
            self.rows += 1;
            self.sum += share;
            self.sum_squares += share * share;
            self.min = self.min.min(share);
            self.max = self.max.max(share);
            *self.current() = Part::default();
        }
        self.closed = true;
    }

    /// Adds the stretch that follows.
    pub(super) fn merge(&mut self, next: &Self) {
        self.current().add(next.head);
        self.place = next.place;
        if !next.closed {
            return;
        }
        self.end_row();
        self.rows += next.rows;
        self.sum += next.sum;
        self.sum_squares += next.sum_squares;
        self.min = self.min.min(next.min);
        self.max = self.max.max(next.max);
        self.open = next.open;
    }

    /// Rows seen from end to end.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Mean share of zeros of these rows; 0 where there are none.
    pub fn mean(&self) -> f64 {
        self.sum / self.rows.max(1) as f64
    }

    /// Standard deviation of the share (÷ n).
    pub fn std(&self) -> f64 {
        let mean = self.mean();
        (self.sum_squares / self.rows.max(1) as f64 - mean * mean).max(0.0).sqrt()
    }

    /// Least and greatest share; `None` where no row was seen whole.
    pub fn range(&self) -> Option<(f64, f64)> {
        (self.rows > 0).then_some((self.min, self.max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of four with 0, 1, 2, 3 and 4 zeros.
    const CODES: [u8; 20] = [0, 0, 2, 2, 1, 0, 0, 0, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1];

    fn part(from: usize, to: usize) -> RowSpread {
        let mut rows = RowSpread::new(4, from as u64);
        rows.add(&CODES[from..to]);
        rows
    }

    #[test]
    fn shares_are_those_of_whole_rows() {
        let rows = part(0, 20);
        assert_eq!((rows.rows(), rows.mean(), rows.range()), (5, 0.5, Some((0.0, 1.0))));
        assert!((rows.std() - 0.125f64.sqrt()).abs() < 1e-15);
        // Half a row at either end does not count.
        let middle = part(2, 14);
        assert_eq!((middle.rows(), middle.mean(), middle.range()), (2, 0.375, Some((0.25, 0.5))));
        assert_eq!(part(1, 3).range(), None);
    }

    #[test]
    fn rows_cut_between_parts_are_put_together_again() {
        let whole = part(0, 20);
        for a in 0..=20 {
            for b in a..=20 {
                let mut merged = part(0, a);
                merged.merge(&part(a, b));
                merged.merge(&part(b, 20));
                assert_eq!((merged.rows, merged.sum, merged.range()), (5, whole.sum, whole.range()), "{a} {b}");
            }
        }
    }

    #[test]
    fn without_a_row_length_nothing_is_counted() {
        let mut rows = RowSpread::new(0, 7);
        rows.add(&CODES);
        rows.merge(&RowSpread::new(0, 3));
        assert_eq!((rows.rows(), rows.mean(), rows.std()), (0, 0.0, 0.0));
    }
}
