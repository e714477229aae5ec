//! Any sequence of events: the engine does not panic, its tables stay bounded, what it uses is
//! feasible and finite, and what it sends can be read.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/babel-core/tests/engine_support/script.rs"]
mod script;

fuzz_target!(|octets: &[u8]| {
    script::play(octets);
});
