//! The engine as its neighbours see it: octets in, octets out, in virtual time.

mod announcing;
mod answers;
mod auth;
mod auth_challenges;
mod auth_rolling;
mod auth_support;
mod decisions;
mod delivery;
mod extension;
mod feasibility;
mod guard;
mod hellos;
mod hostile;
mod links;
mod penalty;
mod preferred;
mod private;
mod ranked;
mod refilter;
mod requests;
mod routes;
mod support;
mod telling;
