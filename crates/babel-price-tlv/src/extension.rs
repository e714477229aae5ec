//! Prices plugged into the engine: the node's fees, and how the price of a route adds up.
//!
//! Off, which is the default, this is as if absent: nothing is read and nothing is written, so
//! that packets are octet for octet stock babeld's.

use crate::codec;
use crate::price::Price;
use crate::route_price::RoutePrice;
use crate::unit::Unit;
use babel_core::ext::{Extension, Origin};
use babel_core::types::{LinkId, NeighbourId};
use babel_core::wire::{SubTlvWriter, SubTlvs};
use core::fmt;
use core::str::FromStr;
use std::collections::BTreeMap;

/// A change is told at once from one part in this many of the last price sent: 5 %.
const TELL_PART: u64 = 20;

/// A sub-TLV type that a price may have: non-mandatory and not taken by an RFC.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SubTlvType(u8);

impl SubTlvType {
    /// 112, the first of the experimental range (RFC 8966 §5).
    pub const DEFAULT: Self = Self(112);

    /// A type from 4 to 126. Below are padding, diversity and timestamps, 127 is reserved, and
    /// from 128 on a peer that does not know the sub-TLV has to ignore the whole Update.
    pub const fn new(kind: u8) -> Option<Self> {
        if 4 <= kind && kind <= 126 {
            Some(Self(kind))
        } else {
            None
        }
    }

    /// The number.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for SubTlvType {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl fmt::Display for SubTlvType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The text was not a sub-TLV type that a price may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a price sub-TLV type is a number from 4 to 126 (112 to 126 are for experiments)")]
pub struct InvalidSubTlvType;

impl FromStr for SubTlvType {
    type Err = InvalidSubTlvType;
    /// Decimal digits only.
    fn from_str(text: &str) -> Result<Self, InvalidSubTlvType> {
        if !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(InvalidSubTlvType);
        }
        let kind = text.parse().map_err(|_| InvalidSubTlvType)?;
        Self::new(kind).ok_or(InvalidSubTlvType)
    }
}

/// Reads, adds up and writes prices.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct PriceExtension {
    enabled: bool,
    unit: Unit,
    sub_tlv: SubTlvType,
    fee: Price,
    link_fees: BTreeMap<LinkId, Price>,
}

impl PriceExtension {
    /// Prices off: stock Babel.
    pub fn new() -> Self {
        Self::default()
    }

    /// Turns prices on or off.
    pub fn set_enabled(&mut self, enabled: bool) {
        self.enabled = enabled;
    }

    /// Our unit of account.
    pub fn set_unit(&mut self, unit: Unit) {
        self.unit = unit;
    }

    /// The sub-TLV type that we read and write.
    pub fn set_sub_tlv(&mut self, sub_tlv: SubTlvType) {
        self.sub_tlv = sub_tlv;
    }

    /// Our fee on links that have none of their own. "Not for sale" is no fee: taken as the
    /// greatest amount.
    pub fn set_fee(&mut self, fee: Price) {
        self.fee = fee.min(Price::MAX);
    }

    /// The fee on one link, in place of the global one; `None` goes back to that.
    pub fn set_link_fee(&mut self, link: LinkId, fee: Option<Price>) {
        match fee {
            Some(fee) => self.link_fees.insert(link, fee.min(Price::MAX)),
            None => self.link_fees.remove(&link),
        };
    }

    /// Whether prices are on.
    pub const fn enabled(&self) -> bool {
        self.enabled
    }

    /// Our unit of account.
    pub const fn unit(&self) -> Unit {
        self.unit
    }

    /// The sub-TLV type that we read and write.
    pub const fn sub_tlv(&self) -> SubTlvType {
        self.sub_tlv
    }

    /// The global fee.
    pub const fn fee(&self) -> Price {
        self.fee
    }

    /// What we charge for what we carry over `link`.
    pub fn fee_on(&self, link: LinkId) -> Price {
        self.link_fees.get(&link).copied().unwrap_or(self.fee)
    }
}

impl Extension for PriceExtension {
    type Attr = RoutePrice;

    fn decode(&self, sub_tlvs: SubTlvs<'_>) -> RoutePrice {
        if self.enabled {
            codec::read(self.sub_tlv.get(), sub_tlvs)
        } else {
            RoutePrice::Unpriced
        }
    }

    /// The price received plus the `in` filters'. A price in a foreign unit is left alone: there
    /// is nothing that our amounts could be added to. An unpriced route that a filter gives a
    /// price is a priced one.
    fn learned(&self, received: RoutePrice, _: NeighbourId, filter: u32) -> RoutePrice {
        let ours = received.unit().is_none_or(|unit| unit == self.unit);
        if self.enabled && ours && filter != 0 {
            received.plus(self.unit, Price::saturating(filter))
        } else {
            received
        }
    }

    /// The `redistribute` rule's price, 0 without one; 0 for our own addresses, for which we are
    /// the destination and carry nothing.
    fn originated(&self, origin: Origin, filter: Option<u32>) -> RoutePrice {
        let amount = match origin {
            Origin::Local => 0,
            Origin::Redistributed | Origin::Learned => filter.unwrap_or(0),
        };
        RoutePrice::new(self.unit, Price::saturating(amount))
    }

    /// What the route costs us, plus our fee for the link unless we are the destination, plus
    /// the `out` filters' price. A learned route in a foreign unit is refused by the policy, so
    /// it does not come here; should one, it is not for sale rather than mispriced.
    fn advertised(
        &self,
        held: RoutePrice,
        origin: Origin,
        link: LinkId,
        filter: u32,
    ) -> RoutePrice {
        if !self.enabled {
            return RoutePrice::Unpriced;
        }
        let foreign = held.unit().is_some_and(|unit| unit != self.unit);
        if origin == Origin::Learned && foreign {
            return RoutePrice::new(self.unit, Price::NOT_FOR_SALE);
        }
        let fee = match origin {
            Origin::Local => Price::ZERO,
            Origin::Redistributed | Origin::Learned => self.fee_on(link),
        };
        held.plus(self.unit, fee.plus(Price::saturating(filter)))
    }

    fn encode(&self, advertised: RoutePrice, out: &mut SubTlvWriter<'_>) {
        if !self.enabled {
            return;
        }
        if let Some(body) = codec::encode(advertised) {
            out.push(self.sub_tlv.get(), body.as_octets());
        }
    }

    /// From 5 % of the last price sent, in either direction of traffic; any change from or to
    /// zero, "unpriced", "not for sale" or another unit.
    fn worth_telling(&self, sent: RoutePrice, now: RoutePrice) -> bool {
        let back = |route: RoutePrice| route.return_price().or_else(|| route.price());
        sent.unit() != now.unit()
            || differ(sent.price(), now.price())
            || differ(back(sent), back(now))
    }
}

/// Whether two prices for one direction differ by as much as matters.
fn differ(sent: Option<Price>, now: Option<Price>) -> bool {
    let (Some(sent), Some(now)) = (sent, now) else {
        return sent != now;
    };
    match (sent.amount(), now.amount()) {
        (Some(sent), Some(now)) if sent != 0 && now != 0 => {
            u64::from(sent.abs_diff(now)) * TELL_PART >= u64::from(sent)
        }
        _ => sent != now,
    }
}

#[cfg(test)]
mod tests;
