//! Routes as the kernel names them, and the narrow door through which they are written.
//!
//! Nothing here decides anything. [`Kernel`] is small so that the reconciliation in
//! [`super::Fib`] can be tested against a kernel made of a map.

use babel_core::prefix::{Family, RouteKey};
use std::fmt;
use std::io;
use std::net::IpAddr;

/// The protocol number that marks our routes in the kernel (`proto babel`).
pub const PROTO_BABEL: u8 = 42;

/// Priority of the routes that refuse packets: the worst there is, as in stock babeld.
pub const UNREACHABLE_PRIORITY: u32 = u32::MAX;

/// What IPv6 makes of priority 0.
const V6_DEFAULT_PRIORITY: u32 = 1024;

/// What a route does with packets.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Action {
    /// Forward.
    Via {
        /// Out of this interface.
        ifindex: u32,
        /// To this router, taken to be on the link (`onlink`).
        next_hop: IpAddr,
        /// Preferred source address of packets that begin here.
        pref_src: Option<IpAddr>,
    },
    /// Refuse, and say so to the sender.
    Unreachable,
    /// Something that we never write, seen in the kernel under our mark.
    Other,
}

/// One route of ours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct KernelRoute {
    /// What it is for.
    pub key: RouteKey,
    /// In which table.
    pub table: u32,
    /// Its priority; see [`KernelRoute::normal_priority`].
    pub priority: u32,
    /// What it does.
    pub action: Action,
}

impl KernelRoute {
    /// The priority the kernel will show: IPv6 turns 0 into 1024.
    pub const fn normal_priority(family: Family, priority: u32) -> u32 {
        match (family, priority) {
            (Family::V6, 0) => V6_DEFAULT_PRIORITY,
            _ => priority,
        }
    }

    /// Whether the kernel can hold only one of the two: `NLM_F_REPLACE` on one hits the other.
    pub fn same_slot(&self, other: &Self) -> bool {
        self.key == other.key && self.table == other.table && self.priority == other.priority
    }
}

impl fmt::Display for KernelRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.action {
            Action::Via {
                ifindex, next_hop, ..
            } => write!(f, "{} via {next_hop} if {ifindex}", self.key)?,
            Action::Unreachable => write!(f, "unreachable {}", self.key)?,
            Action::Other => write!(f, "{}", self.key)?,
        }
        write!(f, " table {} metric {}", self.table, self.priority)
    }
}

/// How to write a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verb {
    /// Only if nothing holds its slot: `EEXIST` otherwise.
    Add,
    /// In place of what holds its slot, atomically.
    Replace,
    /// Take it away.
    Delete,
}

/// One operation of a batch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Write {
    /// How.
    pub verb: Verb,
    /// What.
    pub route: KernelRoute,
}

/// The kernel refused one operation of a batch; the others stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// Its place in the batch.
    pub index: usize,
    /// Why.
    pub errno: i32,
}

/// The kernel's routing tables, as far as the FIB needs them.
pub trait Kernel {
    /// Carries out all of `writes`, in order; returns those that were refused. An error means
    /// that it is not known what was done.
    fn write(&mut self, writes: &[Write]) -> io::Result<Vec<Refusal>>;

    /// All routes of [`PROTO_BABEL`] in `table`.
    fn own_routes(&mut self, table: u32) -> io::Result<Vec<KernelRoute>>;
}
