//! The babeld daemon and its control program, as a library for both binaries and the tests.

pub mod ctl;
pub mod local;
#[cfg(feature = "metrics")]
pub mod metrics;

pub mod cli;
pub mod config;
pub mod lab;
pub mod node;

pub mod clock;
pub mod daemon;
pub mod fib;
mod figures;
pub mod identity;
pub mod links;
pub mod log;
pub mod net;
pub mod probe;
pub mod runtime;
pub mod signals;
pub mod sysctl;
pub mod watchdog;
pub mod xroutes;
