//! Sending a test through one neighbour and no other: pins for what we send, probe addresses for
//! what comes back.
//!
//! A *pin* is for the time of one test: a policy rule sends packets that carry a mark of ours to a
//! table of ours, whose only way out is that neighbour. Only the worker's sockets carry the mark,
//! so other traffic never notices. A *probe address* is announced to one neighbour only, so that
//! answers to it come back through that neighbour.
//!
//! What is here decides nothing about when or whom to test, and never touches a rule, table or
//! address that is not marked as ours.

mod address;
mod conflict;
#[cfg(test)]
mod fake;
mod kernel;
mod meter;
mod pin;
#[cfg(test)]
mod pin_tests;
mod watch;
mod worker;

pub use address::{
    AddressChange, Addresses, MAX_ADDRESSES, ProbeAddress, Whose, sweep as sweep_addresses,
};
pub use conflict::Conflict;
pub use kernel::Kernel;
pub use meter::{Meter, Reading};
pub use pin::{Pin, PinError, PinSettings, Pins, SLOTS, Way};
pub use watch::{Finding, WATCH_INTERVAL, Watch};
pub use worker::{Corpse, Heard, Worker, become_worker};
