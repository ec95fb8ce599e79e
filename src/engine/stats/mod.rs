//! What is measured: error sums and what follows from them, histograms, samples with intervals.
//!
//! Everything here is a value that merges: bands, experts, tensors and the model are sums of the same struct, added in
//! file order so that the last digit does not depend on the number of threads.

pub mod forensics;
mod histogram;
mod lanes;
mod metrics;
mod pooled;
mod sample;

pub(crate) use histogram::SignedCounts;
pub use histogram::{F16Histogram, Outliers, SignedF16Histogram};
pub(crate) use lanes::{Lanes, fits_f32, in_halves, weighted_fit_f32, wide_sum};
pub(crate) use metrics::NarrowSums;
pub use metrics::{BlockStats, ErrorSums, ScaleSums};
pub use pooled::{Pooled, PooledPart};
pub use sample::{Estimate, SampleMoments, SamplePlan};
