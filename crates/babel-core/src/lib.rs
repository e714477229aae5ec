//! The Babel routing protocol (RFC 8966, 8967, 9079, 9229) as a sans-IO engine.
//!
//! No IO, no clock, no threads, no randomness but a seed: events and time go in, packets and
//! route changes come out, and the same inputs give the same octets. The daemon and the simulator
//! run this same code.
//!
//! **The contract: after every [`Engine::handle_event`] or [`Engine::handle_timeout`], drain
//! [`Engine::poll_fib`], [`Engine::poll_transmit`], [`Engine::poll_notification`] and
//! [`Engine::poll_diagnostic`], then sleep until [`Engine::poll_timeout`].**

#![warn(missing_docs)]

pub mod auth;
pub mod config;
pub mod event;
pub mod ext;
pub mod filter;
pub mod glob;
pub mod policy;
pub mod prefix;
pub mod time;
pub mod types;
pub mod view;
pub mod wire;

mod cost;
mod engine;
mod link;
mod neighbour;
mod route;
mod rtt;
mod source;
mod table;
mod timer;
mod txqueue;

pub use engine::Engine;
