//! babelctl: the control program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First: a helper process of the lab never returns from here.
    netns::init();
    babeld::ctl::main(std::env::args_os().skip(1))
}
