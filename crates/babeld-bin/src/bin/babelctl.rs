//! babelctl.

fn main() {}
