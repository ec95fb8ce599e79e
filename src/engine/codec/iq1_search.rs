//! The search behind IQ1_S: scales, codebook entries and signs of delta of one block, for the least weighted error.
//!
//! A group of 32 weights is written as `s·(t + δ)`, with `t` from the codebook, `δ` = ±1/8 and `s` an odd multiple
//! (1 to 15) of the block's `d`. For given entries and δ the weighted squared error is a parabola in `s`,
//! `energy − 2s·p + s²·q`. Each group therefore keeps a pool of such parabolas ([`Fit`]s), found by exact codebook
//! searches at likely scales; from the pools the error of any `d` follows without another codebook search. So `d` is
//! chosen by the pools, the pools are extended by searching at the scales this `d` gives, `d` is settled and rounded, and
//! the entries are chosen anew for what it became. Going on (more scales, more rounds, the other sign of `d` as well, or
//! all levels at 96 values of `d`) lowered the error by less than 0.1 % on real weights.
//!
//! `d` may be negative: that mirrors the codebook, which is not symmetric (a third of its entries lack their negative),
//! and is worth a percent of the error. Pools are kept for both signs; only the better one is pursued.

use half::f16;

use super::codebook::IQ1;
use super::iq1_grid::{OCTET, nearest};

/// Weights of a group, which share a scale and a delta.
pub(super) const GROUP: usize = 32;
/// Groups of a block.
pub(super) const GROUPS: usize = 8;
/// Entries of a group.
const OCTETS: usize = GROUP / OCTET;
/// What is added to each trit, or taken from it.
const DELTA: f32 = 0.125;
/// Largest multiple of `d` that a group's scale can be.
const TOP: u8 = 15;
/// Fits kept of a group for one sign of `d`: as many as the search can make, two at a time.
const POOL: usize = 10;

/// A choice of entries and delta for a group.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Fit {
    /// Codebook index of each octet.
    pub(super) entries: [u16; OCTETS],
    /// Whether delta is taken from the trits instead of added.
    pub(super) below: bool,
    /// Σ v·w·(t + δ).
    p: f64,
    /// Σ v·(t + δ)², never zero.
    q: f64,
    /// The scale with the least error, `p / q`.
    scale: f64,
}

impl Fit {
    /// What a scale `s` adds to the group's energy; the error is the sum, so the fit is of use where this is negative.
    fn change(&self, s: f64) -> f64 {
        s * (s * self.q - 2.0 * self.p)
    }
}

/// The fits found so far for one sign of `d`.
#[derive(Debug, Clone, Copy)]
struct Pool {
    fits: [Fit; POOL],
    len: usize,
}

impl Pool {
    fn fits(&self) -> &[Fit] {
        &self.fits[..self.len]
    }

    /// Adds a fit unless it is there already (or the pool is full, which only costs quality).
    fn add(&mut self, fit: Fit) {
        let known = self.fits().iter().any(|f| f.entries == fit.entries && f.below == fit.below);
        if !known && self.len < POOL {
            self.fits[self.len] = fit;
            self.len += 1;
        }
    }

    /// The fit with the least error at its own scale, of those with that sign of delta (or of all).
    fn best(&self, below: Option<bool>) -> Option<&Fit> {
        let fits = self.fits().iter().filter(|f| below.is_none_or(|b| b == f.below));
        fits.min_by(|x, y| x.change(x.scale).total_cmp(&y.change(y.scale)))
    }

    /// The best fit at a block scale, its level and the change of energy; of equals the first.
    fn pick(&self, d: f64) -> (Fit, u8, f64) {
        let mut best = (Fit::default(), 1, f64::INFINITY);
        for fit in self.fits() {
            let level = level(fit.scale, d);
            let change = fit.change(f64::from(level) * d);
            if change < best.2 {
                best = (*fit, level, change);
            }
        }
        best
    }
}

/// The odd multiple of `d` nearest to a scale.
fn level(scale: f64, d: f64) -> u8 {
    let half = (scale / d).clamp(1.0, f64::from(TOP)) * 0.5;
    2 * (half as u8).min(TOP / 2) + 1
}

/// A group's weights, in the block's unit, and what was found for them.
#[derive(Debug, Clone, Copy)]
struct Group {
    w: [f32; GROUP],
    /// How much each weight's squared error counts.
    v: [f32; GROUP],
    /// v·w.
    u: [f32; GROUP],
    /// Pools for positive and negative `d`.
    pools: [Pool; 2],
}

impl Group {
    fn load(&mut self, w: &[f32; GROUP], v: &[f32; GROUP]) {
        (self.w, self.v) = (*w, *v);
        self.u = std::array::from_fn(|i| v[i] * w[i]);
        self.pools[0].len = 0;
        self.pools[1].len = 0;
    }

    /// The best entries for a scale (which may be negative) and a sign of delta.
    fn fit(&self, s: f32, below: bool) -> Fit {
        let delta = if below { -DELTA } else { DELTA };
        // The error is linear and quadratic in each trit; both parts are divided by |s|.
        let twice = 2.0f32.copysign(s);
        let (mut a, mut b) = ([0.0; GROUP], [0.0; GROUP]);
        for i in 0..GROUP {
            a[i] = twice * (self.u[i] - s * delta * self.v[i]);
            b[i] = s.abs() * self.v[i];
        }
        let mut fit = Fit { below, ..Fit::default() };
        // Sums over the octets in lanes: vector code on every machine, and the same order on all.
        let (mut p, mut q) = ([0.0; OCTET], [0.0; OCTET]);
        for (k, (a, b)) in a.as_chunks::<OCTET>().0.iter().zip(b.as_chunks::<OCTET>().0).enumerate() {
            fit.entries[k] = nearest(a, b);
            let trits = &IQ1[usize::from(fit.entries[k])];
            for j in 0..OCTET {
                let x = f32::from(trits[j] as i8) + delta;
                p[j] += self.u[OCTET * k + j] * x;
                q[j] += self.v[OCTET * k + j] * (x * x);
            }
        }
        fit.p = p.into_iter().map(f64::from).sum();
        fit.q = q.into_iter().map(f64::from).sum();
        fit.scale = fit.p / fit.q;
        fit
    }

    /// The best scale if any trits could be had: a weight turns from 0 to ±1 where `|w|/s` passes 1/2 ± delta, so the
    /// best choice is a beginning of the weights sorted by the scale at which they turn.
    fn free_scale(&self, below: bool) -> f64 {
        let delta = if below { -DELTA } else { DELTA };
        let mut turns: [u64; GROUP] = std::array::from_fn(|i| {
            let w = self.w[i];
            let at = if w < 0.0 { -w / (0.5 - delta) } else { w / (0.5 + delta) };
            u64::from(at.abs().to_bits()) << 32 | i as u64
        });
        turns.sort_unstable();
        let delta = f64::from(delta);
        let (mut p, mut q) = (0.0, 0.0);
        for i in 0..GROUP {
            p += f64::from(self.u[i]) * delta;
            q += f64::from(self.v[i]) * (delta * delta);
        }
        let (mut most, mut scale) = (0.0, 0.0);
        for turn in turns.iter().rev() {
            let i = *turn as usize % GROUP;
            let sign = f64::from(self.w[i].signum());
            p += f64::from(self.u[i]) * sign;
            q += f64::from(self.v[i]) * (1.0 + 2.0 * delta * sign);
            if p > 0.0 && p * p > most * q {
                (most, scale) = (p * p / q, p / q);
            }
        }
        scale
    }

    /// First fits, for both signs of `d` and of delta, at the best free scale.
    fn seed(&mut self) {
        for below in [false, true] {
            // Zeros have no best scale; at any they get zero trits, whose cost the choice of `d` must know.
            let s = Some(self.free_scale(below)).filter(|s| *s > 0.0).unwrap_or(1.0);
            // A negative scale with the other delta is the same set of values, mirrored.
            for (side, s, below) in [(0, s, below), (1, -s, !below)] {
                let fit = self.fit(s as f32, below);
                self.pools[side].add(fit);
            }
        }
    }

    /// Adds the fits at the levels that `d` offers nearest to the best scales known.
    fn extend(&mut self, d: f64, side: usize) {
        for below in [false, true] {
            let level = self.pools[side].best(Some(below)).map_or(1, |f| level(f.scale, d));
            let fit = self.fit((f64::from(level) * d) as f32, below);
            self.pools[side].add(fit);
        }
    }
}

/// What a block is written as. `d` is in the weights' own unit.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choice {
    pub(super) d: f16,
    /// Fit and level (1, 3 … 15) of each group.
    pub(super) groups: [(Fit, u8); GROUPS],
}

/// Room for the search over one block; reused from block to block.
#[derive(Debug, Clone)]
pub(super) struct Search {
    groups: [Group; GROUPS],
    /// What weights were divided by, a power of two.
    unit: f64,
}

impl Default for Search {
    fn default() -> Self {
        let pool = Pool { fits: [Fit::default(); POOL], len: 0 };
        let zero = [0.0; GROUP];
        let group = Group { w: zero, v: zero, u: zero, pools: [pool; 2] };
        Self { groups: [group; GROUPS], unit: 1.0 }
    }
}

impl Search {
    /// Takes a block: weights divided by `unit` so that the largest is about 1, and how much each counts (> 0).
    pub(super) fn load(&mut self, w: &[f32; GROUP * GROUPS], v: &[f32; GROUP * GROUPS], unit: f64) {
        let parts = w.as_chunks::<GROUP>().0.iter().zip(v.as_chunks::<GROUP>().0);
        for (group, (w, v)) in self.groups.iter_mut().zip(parts) {
            group.load(w, v);
        }
        self.unit = unit;
    }

    /// The best choice found, or `None` if its `d` overflows f16.
    pub(super) fn run(&mut self) -> Option<Choice> {
        for group in &mut self.groups {
            group.seed();
        }
        let starts = [self.start(0), self.start(1)];
        let side = usize::from(starts[1].1 < starts[0].1);
        self.pursue(starts[side].0, side)
    }

    /// Change of energy over all groups at `d`, by the pools.
    fn change(&self, d: f64, side: usize) -> f64 {
        self.groups.iter().map(|g| g.pools[side].pick(d).2).sum()
    }

    /// The `d` that some level of some group's best scale suggests, with the least error by the pools.
    ///
    /// No group can do better than its best fit does at that fit's own scale, so a `d` is left as soon as the groups
    /// seen so far lose too much against that.
    fn start(&self, side: usize) -> (f64, f64) {
        let bests = self.groups.each_ref().map(|g| g.pools[side].best(None).copied().unwrap_or_default());
        let floor: f64 = bests.iter().map(|f| f.change(f.scale)).sum();
        let (mut start, mut least) = (0.0, 0.0);
        for suggesting in bests {
            for level in (1..=TOP).step_by(2) {
                let d = suggesting.scale / f64::from(level);
                let mut change = floor;
                for (group, best) in self.groups.iter().zip(&bests) {
                    change += group.pools[side].pick(d).2 - best.change(best.scale);
                    if change >= least {
                        break;
                    }
                }
                if change < least {
                    (start, least) = (d, change);
                }
            }
        }
        (start, least)
    }

    /// Least-squares `d` for the picks at `d`, repeated while the error falls.
    fn settle(&self, mut d: f64, side: usize) -> f64 {
        let mut least = self.change(d, side);
        loop {
            let (mut p, mut q) = (0.0, 0.0);
            for (fit, level, _) in self.groups.iter().map(|g| g.pools[side].pick(d)) {
                p += f64::from(level) * fit.p;
                q += f64::from(level) * f64::from(level) * fit.q;
            }
            let change = self.change(p / q, side);
            if change < least {
                (d, least) = (p / q, change);
            } else {
                return d;
            }
        }
    }

    fn extend(&mut self, d: f64, side: usize) {
        for group in &mut self.groups {
            group.extend(d, side);
        }
    }

    /// From a first `d` to the final choice.
    fn pursue(&mut self, start: f64, side: usize) -> Option<Choice> {
        let d = self.settle(start, side);
        self.extend(d, side);
        let d = self.settle(d, side);
        let nearest = f16::from_f32((d * self.unit) as f32);
        if !nearest.is_finite() {
            return None;
        }
        let mut best = self.choose(nearest, side);
        let (sign, magnitude) = (nearest.to_bits() & 0x8000, nearest.to_bits() & 0x7fff);
        if magnitude < f16::MIN_POSITIVE.to_bits() {
            // Steps between subnormals are wide, and the nearest may be zero: its neighbours may suit the levels better.
            for other in [magnitude.saturating_sub(1), magnitude + 1] {
                let choice = self.choose(f16::from_bits(sign | other), side);
                best = if choice.1 < best.1 { choice } else { best };
            }
        }
        Some(best.0)
    }

    /// The best choice for a final `d`, and its change of energy.
    fn choose(&mut self, d16: f16, side: usize) -> (Choice, f64) {
        let d = f64::from(d16.to_f32()) / self.unit;
        self.extend(d, side);
        let picks = self.groups.each_ref().map(|g| g.pools[side].pick(d));
        let change = picks.iter().map(|(_, _, change)| change).sum();
        (Choice { d: d16, groups: picks.map(|(fit, level, _)| (fit, level)) }, change)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEN: usize = GROUP * GROUPS;

    /// Pseudo-random, nearly normal: twelve even numbers added.
    fn normal(state: &mut u64) -> f32 {
        let mut even = || {
            *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (*state >> 40) as f32 / (1u64 << 24) as f32
        };
        (0..12).map(|_| even()).sum::<f32>() - 6.0
    }

    fn group(state: &mut u64) -> Group {
        let mut group = Search::default().groups[0];
        group.load(&std::array::from_fn(|_| normal(state)), &std::array::from_fn(|_| normal(state).abs() + 0.1));
        group
    }

    fn error(search: &Search, choice: &Choice) -> f64 {
        let d = f64::from(choice.d.to_f32());
        let groups = search.groups.iter().zip(&choice.groups);
        groups.map(|(g, (fit, level))| group_error(g, fit, f64::from(*level) * d)).sum()
    }

    /// Σ v·(w − s·(t + δ))², term by term.
    fn group_error(group: &Group, fit: &Fit, s: f64) -> f64 {
        let delta = if fit.below { -0.125 } else { 0.125 };
        let trits = fit.entries.iter().flat_map(|e| IQ1[usize::from(*e)]);
        let terms = trits.zip(group.w.iter().zip(&group.v));
        terms.map(|(t, (w, v))| f64::from(*v) * (f64::from(*w) - s * (f64::from(t as i8) + delta)).powi(2)).sum()
    }

    /// The least error over both signs of 120 block scales, with all levels and both deltas of every group tried at each.
    fn least_error(search: &Search) -> f64 {
        let at = |d: f64| -> f64 {
            let least = |g: &Group| {
                let tries = (0..16).map(|i| (f64::from(i / 2 * 2 + 1) * d, i % 2 == 0));
                tries.map(|(s, below)| group_error(g, &g.fit(s as f32, below), s)).fold(f64::INFINITY, f64::min)
            };
            search.groups.iter().map(least).sum()
        };
        let largest = search.groups.iter().flat_map(|g| g.w).fold(0.0f32, |m, w| m.max(w.abs()));
        let scales = (0..120).map(|i| f64::from(largest) / 12.0 * 0.97f64.powi(i)).flat_map(|d| [d, -d]);
        scales.map(at).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn the_choice_is_as_good_as_all_levels_at_many_block_scales() {
        // Normal, heavy-tailed, sparse, groups of very different size, and few distinct values.
        let shapes: [fn(f32, usize) -> f32; 5] = [
            |x, _| x,
            |x, _| x * x * x,
            |x, i| if i % 7 == 0 { x } else { 0.0 },
            |x, i| x * 0.5f32.powi(i as i32 / GROUP as i32),
            |x, _| (2.0 * x).round(),
        ];
        let mut state = 11;
        for (kind, shape) in shapes.iter().enumerate() {
            let (mut found, mut best) = (0.0, 0.0);
            for _ in 0..4 {
                let w = std::array::from_fn::<_, LEN, _>(|i| shape(normal(&mut state), i));
                let v = std::array::from_fn(|_| normal(&mut state).abs() + 0.05);
                let mut search = Search::default();
                search.load(&w, &v, 1.0);
                let choice = search.run().unwrap();
                found += error(&search, &choice);
                best += least_error(&search);
            }
            assert!(found < 1.006 * best, "shape {kind}: {found} {best}");
        }
    }

    #[test]
    fn a_fit_is_the_parabola_of_its_error() {
        let mut state = 12;
        for _ in 0..50 {
            let group = group(&mut state);
            let energy = group_error(&group, &Fit::default(), 0.0);
            for (s, below) in [(1.2f32, false), (-0.7, true)] {
                let fit = group.fit(s, below);
                for s in [f64::from(s), 0.3, fit.scale] {
                    let want = group_error(&group, &fit, s);
                    assert!((energy + fit.change(s) - want).abs() < 1e-5 * energy);
                }
                assert!(fit.change(fit.scale) <= fit.change(f64::from(s)));
            }
        }
    }

    #[test]
    fn the_free_scale_is_the_best_over_all_scales_when_any_trits_can_be_had() {
        let mut state = 13;
        for below in [false, true] {
            let group = group(&mut state);
            let delta = if below { -0.125 } else { 0.125 };
            let error = |s: f64| -> f64 {
                let terms = group.w.iter().zip(&group.v).map(|(w, v)| {
                    let best = [-1.0, 0.0, 1.0].map(|t| (f64::from(*w) - s * (t + delta)).powi(2));
                    f64::from(*v) * best[0].min(best[1]).min(best[2])
                });
                terms.sum()
            };
            let found = error(group.free_scale(below));
            let best = (1..4000).map(|i| error(f64::from(i) * 1e-3)).fold(f64::INFINITY, f64::min);
            assert!(found <= best + 1e-6, "{found} {best}");
        }
    }

    #[test]
    fn levels_are_the_nearest_odd_numbers() {
        let levels = [-3.0, 0.0, 1.9, 2.1, 3.9, 4.1, 13.9, 14.1, 99.0].map(|s| level(s * 0.25, 0.25));
        assert_eq!(levels, [1, 1, 1, 3, 3, 5, 13, 15, 15]);
        assert_eq!([level(-2.0, -0.5), level(1.0, 0.0), level(0.0, 0.0)], [5, 15, 1]);
    }
}
