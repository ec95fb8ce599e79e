//! The `tritscope` binary.

fn main() {}
