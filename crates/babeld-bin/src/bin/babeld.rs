//! babeld.

fn main() {}
