//! Holds the namespaces of the interop tests; of no use by hand.

use std::process::ExitCode;

fn main() -> ExitCode {
    netns::init();
    eprintln!("interop-helper: the interop tests start this; there is nothing for people here");
    ExitCode::FAILURE
}
