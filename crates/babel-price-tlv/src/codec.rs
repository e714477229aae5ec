//! The body of the sub-TLV: octets to values and back. Keeps no state between Updates.

use crate::price::Price;
use crate::route_price::RoutePrice;
use crate::unit::Unit;
use babel_core::wire::SubTlv;

/// "BP": experimental types can clash, so the body says whose it is.
pub(crate) const MAGIC: [u8; 2] = [0x42, 0x50];
/// Octets of a body without a return price.
const SHORT_LEN: usize = 8;
/// Octets of a body with one.
const LONG_LEN: usize = 12;

/// Octets of one body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Body {
    octets: [u8; LONG_LEN],
    len: usize,
}

impl Body {
    pub(crate) fn as_octets(&self) -> &[u8] {
        self.octets.get(..self.len).unwrap_or(&self.octets)
    }
}

/// The price in the sub-TLVs of one Update. A body that is not ours, or too short, counts as
/// absent; two of ours are no price.
pub(crate) fn read<'a>(kind: u8, sub_tlvs: impl Iterator<Item = SubTlv<'a>>) -> RoutePrice {
    let mut ours = sub_tlvs
        .filter(|sub_tlv| sub_tlv.kind == kind)
        .filter_map(|sub_tlv| decode(sub_tlv.body));
    match (ours.next(), ours.next()) {
        (Some(price), None) => price,
        _ => RoutePrice::Unpriced,
    }
}

/// One body; `None` if it is shorter than 8 octets or begins with another magic. Of 9 to 11
/// octets the first 8 count, of more than 12 the first 12.
pub(crate) fn decode(body: &[u8]) -> Option<RoutePrice> {
    let (magic, rest) = body.split_first_chunk::<2>()?;
    if *magic != MAGIC {
        return None;
    }
    let (unit, rest) = rest.split_first_chunk()?;
    let unit = Unit(u16::from_be_bytes(*unit));
    let (price, rest) = rest.split_first_chunk()?;
    let price = Price::from_wire(u32::from_be_bytes(*price));
    Some(match rest.first_chunk() {
        Some(back) => {
            let return_price = Price::from_wire(u32::from_be_bytes(*back));
            RoutePrice::with_return(unit, price, return_price)
        }
        None => RoutePrice::new(unit, price),
    })
}

/// The body for a price; `None` for unpriced, which is said by saying nothing.
pub(crate) fn encode(route_price: RoutePrice) -> Option<Body> {
    let RoutePrice::Priced {
        unit,
        price,
        return_price,
    } = route_price
    else {
        return None;
    };
    let [m0, m1] = MAGIC;
    let [u0, u1] = unit.0.to_be_bytes();
    let [p0, p1, p2, p3] = price.to_wire().to_be_bytes();
    let [r0, r1, r2, r3] = return_price.map_or(0, Price::to_wire).to_be_bytes();
    Some(Body {
        octets: [m0, m1, u0, u1, p0, p1, p2, p3, r0, r1, r2, r3],
        len: if return_price.is_some() {
            LONG_LEN
        } else {
            SHORT_LEN
        },
    })
}

#[cfg(test)]
mod tests;
