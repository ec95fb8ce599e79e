//! The codebook of IQ1_S seen from the weights: the exact search for the entry nearest to eight of them.
//!
//! The entries are 2048 of the 6561 patterns of eight trits ([`super::codebook::IQ1`]). How scales are chosen is
//! [`super::iq1_search`]'s business.

use super::codebook::IQ1;

/// Trits of an entry.
pub(super) const OCTET: usize = 8;
/// Patterns of eight trits.
const PATTERNS: usize = 6561;
/// Stands in [`INDEX_OF`] for a pattern that the codebook lacks.
const ABSENT: u16 = u16::MAX;
/// Weight of each trit in the number of a pattern, Σ 3ⁱ·(tᵢ + 1).
const POW3: [i32; OCTET] = [1, 3, 9, 27, 81, 243, 729, 2187];

/// The pattern of zeros.
const ZEROS: i32 = PATTERNS as i32 / 2;

/// Index of every pattern, or [`ABSENT`].
static INDEX_OF: [u16; PATTERNS] = index_of();

const fn index_of() -> [u16; PATTERNS] {
    let mut table = [ABSENT; PATTERNS];
    let mut index = 0;
    while index < IQ1.len() {
        let (mut pattern, mut i) = (0, 0);
        while i < OCTET {
            pattern += POW3[i] * (IQ1[index][i] as i8 as i32 + 1);
            i += 1;
        }
        table[pattern as usize] = index as u16;
        index += 1;
    }
    table
}

/// The entry `t` with the least Σ bᵢ·tᵢ² − aᵢ·tᵢ, no `b` being negative. Exact, up to rounding.
pub(super) fn nearest(a: &[f32; OCTET], b: &[f32; OCTET]) -> u16 {
    let mut pattern = ZEROS;
    for i in 0..OCTET {
        pattern += if a[i] > b[i] { POW3[i] } else { 0 };
        pattern -= if -a[i] > b[i] { POW3[i] } else { 0 };
    }
    match INDEX_OF[pattern as usize] {
        ABSENT => Detour::new(a, b).cheapest(pattern),
        index => index,
    }
}

/// The way from a pattern that the codebook lacks to the nearest one that it has. In the pattern each element has its
/// best trit; moving one to another trit has a price, and prices add up.
struct Detour {
    /// Price of the nearer of an element's two other trits, and what the pattern's number changes by.
    near: [f32; OCTET],
    near_step: [i32; OCTET],
    /// The same for the farther one.
    far: [f32; OCTET],
    far_step: [i32; OCTET],
    /// The cheapest entry so far and its price.
    index: u16,
    price: f32,
}

impl Detour {
    fn new(a: &[f32; OCTET], b: &[f32; OCTET]) -> Self {
        let mut this = Self {
            near: [0.0; OCTET],
            near_step: [0; OCTET],
            far: [0.0; OCTET],
            far_step: [0; OCTET],
            index: 0,
            price: f32::INFINITY,
        };
        for i in 0..OCTET {
            let reach = a[i].abs();
            let towards = if a[i] < 0.0 { -POW3[i] } else { POW3[i] };
            // From ±1 back to 0 and on to the other side; from 0 to the side of `a`, or to the other.
            let back = reach > b[i];
            this.near[i] = (reach - b[i]).abs();
            this.near_step[i] = if back { -towards } else { towards };
            this.far[i] = reach + reach.max(b[i]);
            this.far_step[i] = if back { -2 * towards } else { -towards };
        }
        this
    }

    /// Single moves first; a cheaper set of several can only be made of elements whose nearer move alone is cheaper.
    fn cheapest(mut self, pattern: i32) -> u16 {
        for i in 0..OCTET {
            self.offer(pattern + self.near_step[i], self.near[i]);
        }
        for i in 0..OCTET {
            self.offer(pattern + self.far_step[i], self.far[i]);
        }
        let (mut open, mut count) = ([0; OCTET], 0);
        for i in 0..OCTET {
            open[count] = i;
            count += usize::from(self.near[i] < self.price);
        }
        self.extend(&open[..count], pattern, 0.0);
        self.index
    }

    /// Takes the pattern if the codebook has it and it is cheaper; says whether more moves could still be of use.
    #[inline]
    fn offer(&mut self, pattern: i32, price: f32) -> bool {
        if price >= self.price {
            return false;
        }
        let index = INDEX_OF[pattern as usize];
        if index == ABSENT {
            return true;
        }
        (self.price, self.index) = (price, index);
        false
    }

    /// Tries all sets that add moves of `open` elements to those that led to `pattern`.
    fn extend(&mut self, open: &[usize], pattern: i32, price: f32) {
        for (k, i) in open.iter().enumerate() {
            let near = (pattern + self.near_step[*i], price + self.near[*i]);
            if self.offer(near.0, near.1) {
                self.extend(&open[k + 1..], near.0, near.1);
            }
            let far = (pattern + self.far_step[*i], price + self.far[*i]);
            if self.offer(far.0, far.1) {
                self.extend(&open[k + 1..], far.0, far.1);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pseudo-random, even in [-1, 1).
    fn noise(state: &mut u64) -> f32 {
        *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((*state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
    }

    fn price(entry: u16, a: &[f32; OCTET], b: &[f32; OCTET]) -> f64 {
        let term = |i: usize| {
            let t = f64::from(IQ1[usize::from(entry)][i] as i8);
            f64::from(b[i]) * t * t - f64::from(a[i]) * t
        };
        (0..OCTET).map(term).sum()
    }

    #[test]
    fn the_search_finds_what_trying_all_entries_finds() {
        let mut state = 7;
        let mut missed = 0;
        for round in 0..3000 {
            // Small `a` favours zeros, large `a` favours ±1; quantized ones make ties.
            let reach = [0.5, 1.0, 2.0, 8.0][round % 4];
            let mut a = std::array::from_fn(|_| reach * noise(&mut state));
            let b = std::array::from_fn(|_| if round % 3 == 0 { 1.0 } else { 1.01 + noise(&mut state) });
            if round % 5 == 0 {
                a = a.map(|a: f32| (4.0 * a).round() / 4.0);
            }
            let found = price(nearest(&a, &b), &a, &b);
            let least = (0..2048).map(|e| price(e, &a, &b)).fold(f64::INFINITY, f64::min);
            assert!(found <= least + 1e-5, "{a:?} {b:?}: {found} {least}");
            let free: f64 = (0..OCTET).map(|i| f64::from((b[i] - a[i].abs()).min(0.0))).sum();
            missed += usize::from(least > free + 1e-5);
        }
        assert!(missed > 800, "the nearest pattern was an entry too often for this to be a test: {missed}");
    }

    #[test]
    fn every_entry_is_nearest_to_itself() {
        for (index, entry) in IQ1.iter().enumerate() {
            assert_eq!(usize::from(nearest(&entry.map(|t| 2.0 * f32::from(t as i8)), &[1.0; OCTET])), index);
        }
    }
}
