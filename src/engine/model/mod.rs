//! A model.

pub mod role;
