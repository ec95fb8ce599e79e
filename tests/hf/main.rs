//! Hugging Face models as GGUFs: metadata and tensors of published models, what is missing from broken ones, and that
//! no configuration brings the code down.

#![allow(clippy::unwrap_used, missing_docs, reason = "a test stops where something unexpected happens")]

mod broken;
mod metadata;
mod models;
mod tensors;
