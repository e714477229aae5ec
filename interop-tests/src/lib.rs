//! Namespaced tests against other Babel daemons, and the simulator.
//!
//! [`network`] builds a network of namespaces, [`peers`] runs a daemon in each: ours, stock babeld,
//! BIRD or FRR. Tests look at the kernel's routes ([`observe`]), at control sockets ([`control`]), at
//! packets on the wire ([`capture`]) and send datagrams of their own ([`traffic`]).
//!
//! Must not: wait without a deadline, skip what cannot run, leave anything behind.

pub mod capture;
pub mod control;
pub mod network;
pub mod observe;
pub mod peers;
pub mod report;
pub mod sim;
pub mod traffic;
