//! The control socket: babeld's line protocol, for old clients and for `babelctl`.
//!
//! Each client is a task of its own that reads lines and writes answers; what needs the node
//! travels as a [`Request`] over one bounded channel to the main loop, which calls
//! [`Server::handle`]. So the node has one owner, and a client that sends rubbish, or nothing, or
//! never reads, costs a bounded amount of memory and blocks nobody.
//!
//! The main loop's part, in this order whenever it wakes:
//! 1. [`Server::publish`] every notification the engine has, so that a client that begins to
//!    monitor now does not hear again of what its dump already says;
//! 2. [`Server::handle`] what [`Server::next_request`] gave;
//! 3. tell the engine whether [`Server::has_monitors`].
//!
//! It must run where `tokio::task::spawn_local` works.

mod althea;
mod client;
mod command;
mod diagnose;
mod listen;
mod outbox;
mod server;
mod snapshot;

pub mod explain;
pub mod json;
pub mod line;
pub mod quality;
pub(crate) mod standing;
pub mod usage;

pub use listen::{Access, Address, BindError, Endpoint};
pub use server::{LocalCounters, Request, Server};

use babel_core::types::{LinkId, RouterId};
use std::collections::BTreeMap;

/// What the greeting says of this node.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// After `version `: `babeld-1.2.3`.
    pub version: String,
    /// This host's name.
    pub host: String,
    /// This node's router-id.
    pub router_id: RouterId,
    /// Speak as Althea's babeld does, besides.
    pub althea: bool,
}

impl Identity {
    /// This program on this host.
    pub fn new(router_id: RouterId) -> Self {
        let host = nix::unistd::gethostname()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_else(|_| "localhost".into());
        Self {
            version: concat!("babeld-", env!("CARGO_PKG_VERSION")).into(),
            host,
            router_id,
            althea: false,
        }
    }
}

/// Interface names by the engine's handles.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LinkNames(BTreeMap<LinkId, String>);

impl LinkNames {
    /// The names of `interfaces`.
    pub fn of(interfaces: &[crate::node::InterfaceView]) -> Self {
        Self(
            interfaces
                .iter()
                .map(|interface| (interface.link, interface.name.clone()))
                .collect(),
        )
    }

    /// Whether there is a name for `link`.
    pub fn knows(&self, link: LinkId) -> bool {
        self.0.contains_key(&link)
    }

    /// The name of `link`; `?` if it has gone since.
    pub fn get(&self, link: LinkId) -> &str {
        self.0.get(&link).map_or("?", String::as_str)
    }
}
