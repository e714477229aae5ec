//! The price sub-TLV: what a route costs per megabyte, and how prices add up.
//!
//! A node charges its neighbours for each megabyte that it carries between them and a prefix. The
//! price rides on Update TLVs in a non-mandatory sub-TLV, which stock peers ignore; the full text
//! is `rfcs/draft-babel-price-00.md`.
//!
//! - [`Price`] and [`Unit`] are the values; sums saturate and never wrap.
//! - [`RoutePrice`] is what one route carries; "unpriced" is a value of its own.
//! - [`PriceExtension`] plugs them into the engine and holds the node's fees.
//!
//! Nothing here chooses a route: that is the selection policy's work. A price never enters metric,
//! feasibility or the source table (RFC 8966 §3.6).

#![warn(missing_docs)]

mod codec;
mod extension;
mod price;
mod route_price;
mod unit;

pub use extension::{InvalidSubTlvType, PriceExtension, SubTlvType};
pub use price::{InvalidPrice, Price};
pub use route_price::RoutePrice;
pub use unit::{InvalidUnit, Unit};
