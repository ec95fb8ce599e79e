//! The engine: files and numbers, no screen.
//!
//! Blocking functions over bytes, files and plain structs. They take a [`progress::Cancel`] and a
//! [`progress::Progress`] where they run long, return typed errors ([`error::Error`]), never print, never read the
//! environment and never start a thread of an interface (rayon works inside a pool that the caller owns).

pub mod calibrated;
pub mod codec;
pub mod compare;
pub mod demo;
pub mod error;
pub mod export;
pub mod forensics;
pub mod format;
pub mod hf;
pub mod imatrix;
pub mod lint;
pub mod model;
pub mod moments;
pub mod plan;
pub mod preview;
pub mod progress;
pub mod report;
pub mod runtimes;
pub mod stats;
pub mod ternary;
