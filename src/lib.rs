//! tritscope: browse a model's tensors, choose what goes ternary with the error in sight, export a GGUF.

pub mod cli;
pub mod config;
pub mod engine;
pub mod jobs;
pub mod text;
pub mod tui;
