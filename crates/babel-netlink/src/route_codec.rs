//! Routes as octets.

use crate::abi;
use crate::route::{Family, Prefix, Route, RouteKind};
use crate::scope::Scope;
use crate::wire::{Attribute, Attributes, Encoder, Malformed, address, read_u16, read_u32};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

#[cfg(test)]
mod tests;

/// Octets of `struct rtmsg`.
pub(crate) const HEADER_OCTETS: usize = 12;

/// Octets of `struct rtnexthop`.
const NEXT_HOP_OCTETS: usize = 8;

/// Writes `struct rtmsg` and the attributes of a route.
pub(crate) fn encode(encoder: &mut Encoder<'_>, route: &Route) {
    let (destination, plen) = route.destination;
    let source = route.source.filter(|&(_, plen)| plen > 0);
    let flags = if route.onlink { abi::RTNH_F_ONLINK } else { 0 };
    encoder
        .raw(&[
            route.family().to_kernel(),
            plen,
            source.map_or(0, |(_, plen)| plen),
            route.tos,
            u8::try_from(route.table).unwrap_or(abi::RT_TABLE_COMPAT),
            route.protocol,
            route.scope.to_kernel(),
            route.kind.to_kernel(),
        ])
        .raw(&flags.to_ne_bytes());
    if plen > 0 {
        encoder.address(abi::RTA_DST, destination);
    }
    if let Some((address, _)) = source {
        encoder.address(abi::RTA_SRC, address);
    }
    if route.table > u32::from(u8::MAX) {
        encoder.u32(abi::RTA_TABLE, route.table);
    }
    if let Some(priority) = route.priority {
        encoder.u32(abi::RTA_PRIORITY, priority);
    }
    if let Some(oif) = route.oif {
        encoder.u32(abi::RTA_OIF, oif);
    }
    match route.gateway {
        Some(gateway) if Family::of(gateway) == route.family() => {
            encoder.address(abi::RTA_GATEWAY, gateway);
        }
        Some(gateway) => encode_via(encoder, gateway),
        None => (),
    }
    if let Some(pref_src) = route.pref_src {
        encoder.address(abi::RTA_PREFSRC, pref_src);
    }
}

/// Writes `struct rtvia`: a family in host order, then the address.
fn encode_via(encoder: &mut Encoder<'_>, gateway: IpAddr) {
    let mut via = [0; 18];
    let family = u16::from(Family::of(gateway).to_kernel()).to_ne_bytes();
    let octets = match gateway {
        IpAddr::V4(v4) => &v4.octets()[..],
        IpAddr::V6(v6) => &v6.octets()[..],
    };
    let value = via.iter_mut().zip(family.iter().chain(octets));
    let length = value.map(|(slot, octet)| *slot = *octet).count();
    encoder.attribute(abi::RTA_VIA, via.get(..length).unwrap_or_default());
}

/// Reads the payload of `RTM_NEWROUTE` or `RTM_DELROUTE`; `None` if it is of another family.
pub(crate) fn decode(payload: &[u8]) -> Result<Option<Route>, Malformed> {
    let short = Malformed("route header cut short");
    let header = payload.first_chunk::<8>().ok_or(short)?;
    let &[family, plen, source_plen, tos, table, protocol, scope, kind] = header;
    let flags = read_u32(payload, 8).ok_or(short)?;
    let Some(family) = Family::from_kernel(family) else {
        return Ok(None);
    };
    if plen > family.bits() || source_plen > family.bits() {
        return Err(Malformed("route with too long a prefix"));
    }
    let mut route = Route::new((unspecified(family), plen), u32::from(table), protocol);
    route.tos = tos;
    route.scope = Scope::from_kernel(scope);
    route.kind = RouteKind::from_kernel(kind);
    route.cloned = flags & abi::RTM_F_CLONED != 0;
    set_next_hop_flags(&mut route, flags);
    let mut source = unspecified(family);
    for attribute in Attributes::after(payload, HEADER_OCTETS) {
        let attribute = attribute?;
        match attribute.kind {
            abi::RTA_DST => route.destination.0 = same_family(&attribute, family)?,
            abi::RTA_SRC => source = same_family(&attribute, family)?,
            abi::RTA_PREFSRC => route.pref_src = Some(same_family(&attribute, family)?),
            abi::RTA_TABLE => route.table = attribute.u32()?,
            abi::RTA_PRIORITY => route.priority = Some(attribute.u32()?),
            abi::RTA_MULTIPATH => decode_multipath(&mut route, attribute.value, family)?,
            _ => decode_next_hop(&mut route, &attribute, family)?,
        }
    }
    route.source = (source_plen > 0).then_some::<Prefix>((source, source_plen));
    if route.kind.refuses() {
        (route.oif, route.gateway, route.dead) = (None, None, false);
    }
    Ok(Some(route))
}

/// The attributes that a single next hop and each of several have in common.
fn decode_next_hop(
    route: &mut Route,
    attribute: &Attribute<'_>,
    family: Family,
) -> Result<(), Malformed> {
    match attribute.kind {
        abi::RTA_OIF => route.oif = Some(attribute.u32()?),
        abi::RTA_GATEWAY => route.gateway = Some(same_family(attribute, family)?),
        abi::RTA_VIA => route.gateway = decode_via(attribute.value)?,
        _ => (),
    }
    Ok(())
}

/// Reads `struct rtvia`; `None` for a gateway that is not IP.
fn decode_via(value: &[u8]) -> Result<Option<IpAddr>, Malformed> {
    let number = read_u16(value, 0).ok_or(Malformed("gateway cut short"))?;
    let Some(family) = u8::try_from(number).ok().and_then(Family::from_kernel) else {
        return Ok(None);
    };
    let octets = value.get(2..2 + usize::from(family.bits() / 8));
    let gateway = octets
        .and_then(address)
        .ok_or(Malformed("gateway cut short"))?;
    Ok(Some(gateway))
}

/// Reads the first `struct rtnexthop`, and whether there are more.
fn decode_multipath(route: &mut Route, value: &[u8], family: Family) -> Result<(), Malformed> {
    let short = Malformed("next hop cut short");
    let length = usize::from(read_u16(value, 0).ok_or(short)?);
    let first = value
        .get(..length)
        .filter(|first| first.len() >= NEXT_HOP_OCTETS)
        .ok_or(short)?;
    set_next_hop_flags(route, first.get(2).map_or(0, |&flags| u32::from(flags)));
    route.oif = Some(read_u32(first, 4).ok_or(short)?);
    for attribute in Attributes::after(first, NEXT_HOP_OCTETS) {
        decode_next_hop(route, &attribute?, family)?;
    }
    route.multipath = length < value.len();
    Ok(())
}

fn set_next_hop_flags(route: &mut Route, flags: u32) {
    route.onlink = flags & abi::RTNH_F_ONLINK != 0;
    route.dead = flags & (abi::RTNH_F_DEAD | abi::RTNH_F_LINKDOWN) != 0;
}

fn same_family(attribute: &Attribute<'_>, family: Family) -> Result<IpAddr, Malformed> {
    let address = attribute.address()?;
    if Family::of(address) == family {
        Ok(address)
    } else {
        Err(Malformed("address is not of the message's family"))
    }
}

fn unspecified(family: Family) -> IpAddr {
    match family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }
}
