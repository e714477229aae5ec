//! Speed tests through one neighbour: a small protocol of our own (client and responder), and
//! clients for ndt7 and iperf3 servers.
//!
//! Everything here blocks and starts threads; it is meant for a process of its own ([`worker`]
//! speaks JSON lines with the daemon that started it), so that neither a stalled server nor the
//! cost of TLS can touch routing. A test is bounded in time and in bytes whatever the other side does, and
//! believes nothing that this side did not count itself.

mod budget;
mod contract;
mod iperf3;
mod ndt7;
mod ours;
mod payload;
mod pipe;
mod plan;
mod progress;
mod rate;
mod run;
pub mod server;
mod socket;
mod tcpinfo;
#[cfg(feature = "tls")]
mod tls;
mod url;
mod why;
mod worker;

pub use contract::{Confidence, Loss, LossSource, Message, Outcome, Phase, Request};
pub use run::run;
pub use url::{BABEL_PORT, Host, Pin, Protocol, Url, UrlError};
pub use worker::worker;
