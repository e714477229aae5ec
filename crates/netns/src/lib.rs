//! Network namespaces, veths and processes inside them, that always clean up.
//!
//! A [`Lab`] makes [`Namespace`]s; each is held open by a helper process that ends when its creator
//! ends, by whatever means, and takes every process inside the namespace with it. Links between
//! namespaces are made inside them, so nothing is ever left on the host.
//!
//! The helper is a program whose `main` begins with [`init`]: usually the calling program itself
//! ([`Lab::new`]), another one for tests ([`Lab::with_helper`]).
//!
//! Must not: need other programs (`ip`, `ping`), use unsafe code, touch the namespace it runs in, or
//! wait for anything without a deadline.

mod daemon;
mod helper;
mod link;
mod namespace;
mod run;
mod shape;
mod userns;

pub use daemon::Daemon;
pub use helper::{Entry, init};
pub use link::{Switch, link};
pub use namespace::{Lab, Namespace};
pub use run::{output, sibling, wait_for, wait_for_exit};
pub use shape::BitRate;
pub use userns::become_root;
