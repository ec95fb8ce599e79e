//! How many magnitudes lie in each of many buckets, and their sums: what a pass over a tensor gathers for the exact
//! optimum.
//!
//! A bucket is a run of 2^shift bit patterns that share sign, exponent and the upper bits of the mantissa, so its
//! magnitudes are `base + low·ulp` with whole numbers `low` < 2¹⁶. Where every weight counts 1 a bucket is one u64, the
//! count above bit 40 and Σ low below it: an addition of integers for each weight, exact in whatever order.

/// (Σq, Σq|w|) of the weights in a bucket.
pub(super) type Mass = (f64, f64);

/// Bits of a pattern that the first pass sorts by: exponent and seven bits of mantissa.
pub(super) const COARSE_SHIFT: u32 = 16;
/// Bits that each further pass adds.
pub(super) const STEP: u32 = 8;
/// All bits of an f32 but its sign.
pub(super) const MAGNITUDE: u32 = 0x7fff_ffff;

/// Where the count begins in a packed bucket, and how many weights may be added before the buckets are emptied: as many
/// as the count has room for.
const COUNT: u32 = 40;
const ROOM: usize = 1 << 24;

/// Which patterns the buckets hold.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Buckets {
    /// Every pattern, in runs of 2^[`COARSE_SHIFT`].
    Coarse,
    /// 2^[`STEP`] runs of 2^`shift` patterns from each of these on, which are first patterns divided by 2^shift, ascending.
    Fine {
        /// Where the runs begin.
        starts: Vec<u32>,
        /// How wide a bucket is.
        shift: u32,
    },
}

impl Buckets {
    /// How many there are.
    fn len(&self) -> usize {
        match self {
            Self::Coarse => 1 << (31 - COARSE_SHIFT),
            Self::Fine { starts, .. } => starts.len() << STEP,
        }
    }

    fn shift(&self) -> u32 {
        match self {
            Self::Coarse => COARSE_SHIFT,
            Self::Fine { shift, .. } => *shift,
        }
    }

    /// The first pattern of a bucket.
    fn first(&self, slot: usize) -> u32 {
        match self {
            Self::Coarse => (slot as u32) << COARSE_SHIFT,
            Self::Fine { starts, shift } => (starts[slot >> STEP] + (slot as u32 & ((1 << STEP) - 1))) << shift,
        }
    }

    /// Σ|w| of so many magnitudes of a bucket whose low bits sum up to `low`.
    fn sum(&self, slot: usize, count: u64, low: u64) -> f64 {
        let first = self.first(slot);
        let base = f64::from(f32::from_bits(first));
        let ulp = f64::from(f32::from_bits(first | 1)) - f64::from(f32::from_bits(first & !1));
        // The last bucket of all has only infinity and NaN, which end the search.
        if low == 0 { count as f64 * base } else { count as f64 * base + low as f64 * ulp }
    }
}

/// Buckets and what is in them.
#[derive(Debug, Clone)]
pub(super) struct Masses {
    buckets: Buckets,
    /// What was weighted, and what was taken out of `packed`.
    mass: Vec<Mass>,
    /// Counts and sums of low bits; none before the first weight that counts 1.
    packed: Vec<u64>,
    /// How many were packed since the buckets were emptied last.
    pending: usize,
    /// Of fine buckets, whether any lies in each coarse one: most weights need no more than that to be passed over.
    near: Vec<bool>,
}

impl Masses {
    pub(super) fn new(buckets: Buckets) -> Self {
        let mut near = Vec::new();
        if let Buckets::Fine { starts, shift } = &buckets {
            near.resize(1 << (31 - COARSE_SHIFT), false);
            for start in starts {
                near[((start << shift) >> COARSE_SHIFT) as usize] = true;
            }
        }
        let mass = vec![(0.0, 0.0); buckets.len()];
        Self { buckets, mass, packed: Vec::new(), pending: 0, near }
    }

    /// Adds weights that count `importance` (as long), or 1 each.
    pub(super) fn add(&mut self, weights: &[f32], importance: Option<&[f32]>) {
        if let Some(importance) = importance {
            for (w, q) in weights.iter().zip(importance) {
                if let Some(slot) = slot(&self.buckets, &self.near, w.to_bits() & MAGNITUDE) {
                    let q = f64::from(q.max(0.0));
                    let mass = &mut self.mass[slot];
                    *mass = (mass.0 + q, mass.1 + q * f64::from(w.abs()));
                }
            }
            return;
        }
        for weights in weights.chunks(ROOM - 1) {
            if self.pending + weights.len() >= ROOM {
                self.empty();
            }
            self.pending += weights.len();
            self.packed.resize(self.buckets.len(), 0);
            let low = (1u32 << self.buckets.shift()) - 1;
            for w in weights {
                let pattern = w.to_bits() & MAGNITUDE;
                if let Some(slot) = slot(&self.buckets, &self.near, pattern) {
                    self.packed[slot] += (1 << COUNT) + u64::from(pattern & low);
                }
            }
        }
    }

    /// Takes what is packed into the sums.
    fn empty(&mut self) {
        for (slot, (mass, packed)) in self.mass.iter_mut().zip(&mut self.packed).enumerate() {
            if *packed != 0 {
                let (count, low) = (*packed >> COUNT, *packed & ((1 << COUNT) - 1));
                *mass = (mass.0 + count as f64, mass.1 + self.buckets.sum(slot, count, low));
                *packed = 0;
            }
        }
        self.pending = 0;
    }

    /// Adds what others gathered in the same buckets.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.pending + other.pending >= ROOM {
            self.empty();
        }
        if other.pending > 0 {
            self.pending += other.pending;
            self.packed.resize(self.buckets.len(), 0);
            self.packed.iter_mut().zip(&other.packed).for_each(|(mine, theirs)| *mine += theirs);
        }
        for (mine, theirs) in self.mass.iter_mut().zip(&other.mass) {
            *mine = (mine.0 + theirs.0, mine.1 + theirs.1);
        }
    }

    /// The mass of each bucket.
    pub(super) fn sums(&self) -> Vec<Mass> {
        let mut all = self.clone();
        all.empty();
        all.mass
    }
}

/// The bucket of a magnitude, if it has one.
#[inline]
fn slot(buckets: &Buckets, near: &[bool], pattern: u32) -> Option<usize> {
    match buckets {
        Buckets::Coarse => Some((pattern >> COARSE_SHIFT) as usize),
        Buckets::Fine { starts, shift } => {
            if !near[(pattern >> COARSE_SHIFT) as usize] {
                return None;
            }
            let fine = pattern >> shift;
            let open = starts.binary_search(&(fine >> STEP << STEP)).ok()?;
            Some((open << STEP) + (fine & ((1 << STEP) - 1)) as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_sums_are_those_of_adding_up() {
        let weights: Vec<f32> = (0..5000)
            .map(|i| {
                let sign = if i % 3 == 0 { -1.0 } else { 1.0 };
                sign * (i as f32 * 0.37).sin().abs() * [1.0, 1e-3, 3e4, 1e-42, 0.0][i % 5]
            })
            .collect();
        let starts: Vec<u32> = (0x3f00..0x3f80).map(|coarse: u32| coarse << STEP).collect();
        for buckets in [Buckets::Coarse, Buckets::Fine { starts, shift: STEP }] {
            let (mut packed, mut part) = (Masses::new(buckets.clone()), Masses::new(buckets.clone()));
            packed.add(&weights[..1234], None);
            part.add(&weights[1234..], None);
            packed.merge(&part);
            let mut weighted = Masses::new(buckets);
            weighted.add(&weights, Some(&vec![1.0; weights.len()]));
            let (packed, weighted) = (packed.sums(), weighted.sums());
            assert!(packed.iter().any(|m| m.0 > 1.0));
            for (a, b) in packed.iter().zip(&weighted) {
                assert_eq!(a.0, b.0);
                assert!((a.1 - b.1).abs() <= 1e-12 * b.1, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn a_full_count_is_emptied() {
        let ones = vec![1.5f32; 1 << 20];
        let mut all = Masses::new(Buckets::Coarse);
        for _ in 0..33 {
            all.add(&ones, None);
        }
        let sums = all.sums();
        let n = f64::from(33u32 << 20);
        assert_eq!(sums[(1.5f32.to_bits() >> COARSE_SHIFT) as usize], (n, 1.5 * n));
    }
}
