//! Where an announcement comes from: an address or a kernel route.

use crate::fib::PROTO_BABEL;
use babel_core::prefix::{Prefix, RouteKey};
use babel_netlink::Route;
use std::net::IpAddr;

/// An IPv6 default route of this priority or worse is the kernel's own placeholder.
const PLACEHOLDER_PRIORITY: u32 = 65_535;

/// One address or route. Ordered by preference: addresses first, then as the kernel prefers.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Source {
    /// An address of ours.
    Address {
        /// On this device.
        ifindex: u32,
    },
    /// A route. What is here tells routes of one prefix apart, as far as the kernel does.
    Route {
        /// The kernel prefers the lowest.
        priority: u32,
        /// In this table.
        table: u32,
        /// Of this type of service.
        tos: u8,
        /// Who installed it.
        protocol: u8,
        /// Out of this device.
        ifindex: Option<u32>,
        /// To this router.
        gateway: Option<IpAddr>,
    },
}

impl Source {
    /// What a kernel route is apart from its prefix.
    pub fn of(route: &Route) -> Self {
        Self::Route {
            priority: route.effective_priority(),
            table: route.table,
            tos: route.tos,
            protocol: route.protocol,
            ifindex: route.oif,
            gateway: route.gateway,
        }
    }

    /// The device it is on.
    pub const fn ifindex(&self) -> Option<u32> {
        match self {
            Self::Address { ifindex } => Some(*ifindex),
            Self::Route { ifindex, .. } => *ifindex,
        }
    }

    /// Whether `NLM_F_REPLACE` on one hits the other, given one prefix.
    pub(super) fn same_slot(&self, other: &Self) -> bool {
        let slot = |source: &Self| match source {
            Self::Address { .. } => None,
            Self::Route {
                priority,
                table,
                tos,
                ..
            } => Some((*priority, *table, *tos)),
        };
        slot(self).is_some() && slot(self) == slot(other)
    }
}

/// The prefix and source of a kernel route that may be announced; `None` for our own, for cached
/// exceptions, and for what has no place in Babel. Its type is not looked at: a blackhole is a
/// fine thing to announce.
pub fn importable(route: &Route) -> Option<(RouteKey, Source)> {
    let placeholder = route.destination.1 == 0
        && route.destination.0.is_ipv6()
        && route.effective_priority() >= PLACEHOLDER_PRIORITY;
    if route.protocol == PROTO_BABEL || route.cloned || placeholder {
        return None;
    }
    let key = key_of(route)?;
    (!key.dst().is_martian()).then(|| (key, Source::of(route)))
}

/// What a kernel route is for.
pub fn key_of(route: &Route) -> Option<RouteKey> {
    let dst = Prefix::new(route.destination.0, route.destination.1)?;
    match route.source {
        Some((address, plen)) if plen > 0 => {
            RouteKey::source_specific(dst, Prefix::new(address, plen)?)
        }
        _ => Some(RouteKey::new(dst)),
    }
}
