//! The price sub-TLV: what a route costs per megabyte, and how prices add up.

use babel_core::ext::{Extension, Origin};
use babel_core::types::{LinkId, NeighbourId};
use babel_core::wire::{SubTlvWriter, SubTlvs};

/// Reads, adds up and writes prices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PriceExtension {}

/// What a route costs; the default is "unpriced".
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct RoutePrice {}

impl Extension for PriceExtension {
    type Attr = RoutePrice;
    fn decode(&self, _: SubTlvs<'_>) -> RoutePrice {
        RoutePrice {}
    }
    fn learned(&self, received: RoutePrice, _: NeighbourId, _: u32) -> RoutePrice {
        received
    }
    fn originated(&self, _: Origin, _: Option<u32>) -> RoutePrice {
        RoutePrice {}
    }
    fn advertised(&self, held: RoutePrice, _: Origin, _: LinkId, _: u32) -> RoutePrice {
        held
    }
    fn encode(&self, _: RoutePrice, _: &mut SubTlvWriter<'_>) {}
    fn worth_telling(&self, _: RoutePrice, _: RoutePrice) -> bool {
        false
    }
}
