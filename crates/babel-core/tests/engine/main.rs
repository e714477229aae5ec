//! The engine as its neighbours see it: octets in, octets out, in virtual time.

mod announcing;
mod extension;
mod guard;
mod hostile;
mod links;
mod refilter;
mod requests;
mod routes;
mod support;
