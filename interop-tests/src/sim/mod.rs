//! Many engines in virtual time: a whole network in one thread, with nothing left to chance.
//!
//! [`World`] runs the same engine as the daemon, a heap of what happens next, and a [`Medium`]
//! on each wire that delays and loses packets. At every change of any node's forwarding table
//! the [`oracle`] walks the next hops from every node: a loop, at any instant, ends the run.
//!
//! Everything random comes from one seed. [`for_each_seed`] prints the seed of a run that fails;
//! `SIM_SEED=N` repeats just that run.

mod forwarding;
mod judge;
mod lie;
mod medium;
mod node;
pub mod oracle;
mod quality;
mod queue;
mod seeds;
mod topology;
mod traffic;
mod trouble;
mod world;

pub use forwarding::{Forwarding, Hop};
pub use lie::Lie;
pub use medium::{Loss, Medium};
pub use node::Settings;
pub use quality::{Ranked, Rankers, rate};
pub use seeds::for_each_seed;
pub use topology::{Link, Topology};
pub use traffic::Traffic;
pub use world::World;
