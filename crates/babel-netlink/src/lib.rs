//! Route netlink for a routing daemon: links, addresses, routes, rules, in batches.
//!
//! Addresses are those of `std::net`, a prefix is an address and a length in bits. Nothing here
//! knows which protocol the daemon speaks; nothing is done asynchronously (see [`RouteSocket`]).
//! Messages from the kernel are read without trust: what cannot be read is counted and left out.

#![warn(missing_docs)]

mod abi;
mod address;
mod batch;
mod counters;
mod error;
mod link;
mod link_change;
mod lookup;
mod monitor;
mod notification;
mod route;
mod route_codec;
mod route_dump;
mod rule;
mod scope;
mod shaping;
mod socket;
mod wire;

pub use address::{AddressFlags, AddressInfo, DuplicateDetection};
pub use batch::{Batch, OPERATIONS_PER_SEND};
pub use counters::LinkCounters;
pub use error::{Error, Refusal};
pub use link::{LinkFlags, LinkInfo};
pub use link_change::NetnsRef;
pub use monitor::{Groups, Monitor, ReadOutcome};
pub use nix::errno::Errno;
pub use notification::Notification;
pub use route::{Family, MAIN_TABLE, Prefix, Route, RouteKind};
pub use route_dump::{DumpItem, RouteFilter};
pub use rule::{FirewallMark, Rule};
pub use scope::Scope;
pub use shaping::Shaping;
pub use socket::{ANSWER_TIMEOUT, DumpEnd, RouteSocket};
pub use wire::Malformed;

#[cfg(test)]
#[path = "../tests/namespace/mod.rs"]
mod namespace;
