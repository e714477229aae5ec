//! What a route is.

use crate::abi;
use crate::scope::Scope;
use std::fmt;
use std::net::IpAddr;

/// An address and how many of its bits count.
pub type Prefix = (IpAddr, u8);

/// The table in which `ip route` shows routes when not told otherwise.
pub const MAIN_TABLE: u32 = 254;

/// An address family.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both, in order.
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    /// The family of an address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::V4,
            IpAddr::V6(_) => Self::V6,
        }
    }

    pub(crate) fn to_kernel(self) -> u8 {
        match self {
            Self::V4 => abi::AF_INET,
            Self::V6 => abi::AF_INET6,
        }
    }

    pub(crate) fn from_kernel(number: u8) -> Option<Self> {
        match number {
            abi::AF_INET => Some(Self::V4),
            abi::AF_INET6 => Some(Self::V6),
            _ => None,
        }
    }

    /// Bits of an address.
    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::V4 => 32,
            Self::V6 => 128,
        }
    }
}

/// What happens to packets that follow a route.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum RouteKind {
    /// They are forwarded.
    Unicast,
    /// They are for us.
    Local,
    /// They are dropped, and the sender is told that the destination is unreachable.
    Unreachable,
    /// They are dropped in silence.
    Blackhole,
    /// They are dropped, and the sender is told that it is not allowed.
    Prohibit,
    /// Something else: `RTN_*`.
    Other(u8),
}

impl RouteKind {
    pub(crate) fn from_kernel(number: u8) -> Self {
        match number {
            abi::RTN_UNICAST => Self::Unicast,
            abi::RTN_LOCAL => Self::Local,
            abi::RTN_UNREACHABLE => Self::Unreachable,
            abi::RTN_BLACKHOLE => Self::Blackhole,
            abi::RTN_PROHIBIT => Self::Prohibit,
            other => Self::Other(other),
        }
    }

    pub(crate) fn to_kernel(self) -> u8 {
        match self {
            Self::Unicast => abi::RTN_UNICAST,
            Self::Local => abi::RTN_LOCAL,
            Self::Unreachable => abi::RTN_UNREACHABLE,
            Self::Blackhole => abi::RTN_BLACKHOLE,
            Self::Prohibit => abi::RTN_PROHIBIT,
            Self::Other(other) => other,
        }
    }

    /// Whether packets end here, so that next hops mean nothing.
    pub(crate) fn refuses(self) -> bool {
        matches!(self, Self::Unreachable | Self::Blackhole | Self::Prohibit)
    }
}

/// A route in a kernel table.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Route {
    /// For packets to these addresses. Bits beyond the length must be 0, or IPv4 refuses.
    pub destination: Prefix,
    /// And from these (IPv6 only). `None` and a length of 0 are the same.
    pub source: Option<Prefix>,
    /// In this table.
    pub table: u32,
    /// Who installed it (`RTPROT_*`): 2 the kernel, 3 boot, 4 static, 42 Babel …
    pub protocol: u8,
    /// How far the destination is.
    pub scope: Scope,
    /// Only for this type of service; 0 for all.
    pub tos: u8,
    /// The kernel prefers the lowest. See [`Route::effective_priority`].
    pub priority: Option<u32>,
    /// What it does.
    pub kind: RouteKind,
    /// Out of this link. IPv6 shows unreachable routes on `lo`; that is left out here.
    pub oif: Option<u32>,
    /// To this router; may be of the other family (`RTA_VIA`) for IPv4 over IPv6 (RFC 9229).
    pub gateway: Option<IpAddr>,
    /// Source address for packets that we send this way.
    pub pref_src: Option<IpAddr>,
    /// The gateway is on the link even if no address of ours says so.
    pub onlink: bool,
    /// Read only: a cached exception, not a configured route.
    pub cloned: bool,
    /// Read only: the next hop is gone or its link has no carrier; the kernel may pass it over.
    pub dead: bool,
    /// Read only: there are several next hops. `oif`, `gateway` and `onlink` are the first one's.
    pub multipath: bool,
}

impl Route {
    /// A unicast route to `destination`, without a next hop yet.
    pub fn new(destination: Prefix, table: u32, protocol: u8) -> Self {
        Self {
            destination,
            source: None,
            table,
            protocol,
            scope: Scope::Universe,
            tos: 0,
            priority: None,
            kind: RouteKind::Unicast,
            oif: None,
            gateway: None,
            pref_src: None,
            onlink: false,
            cloned: false,
            dead: false,
            multipath: false,
        }
    }

    /// The same, through `gateway` on the link `oif`.
    #[must_use]
    pub fn via(mut self, gateway: IpAddr, oif: u32) -> Self {
        self.gateway = Some(gateway);
        self.oif = Some(oif);
        self
    }

    /// The family of the destination.
    pub fn family(&self) -> Family {
        Family::of(self.destination.0)
    }

    /// The priority the kernel works with: absent is 0 for IPv4, and absent and 0 are both 1024
    /// for IPv6. With destination, source, table and type of service it is what tells routes
    /// apart; neither protocol nor next hop is.
    pub fn effective_priority(&self) -> u32 {
        match (self.family(), self.priority) {
            (Family::V6, None | Some(0)) => 1024,
            (_, priority) => priority.unwrap_or(0),
        }
    }

    /// Whether this route, read from the kernel, is what installing `wanted` gives: all that can
    /// be written is equal.
    pub fn fulfils(&self, wanted: &Self) -> bool {
        let settled = |route: &Self| Self {
            source: route.source.filter(|&(_, plen)| plen > 0),
            priority: Some(route.effective_priority()),
            cloned: false,
            dead: false,
            ..route.clone()
        };
        settled(self) == settled(wanted)
    }
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            RouteKind::Unicast => (),
            RouteKind::Local => f.write_str("local ")?,
            RouteKind::Unreachable => f.write_str("unreachable ")?,
            RouteKind::Blackhole => f.write_str("blackhole ")?,
            RouteKind::Prohibit => f.write_str("prohibit ")?,
            RouteKind::Other(kind) => write!(f, "type {kind} ")?,
        }
        write!(f, "{}/{}", self.destination.0, self.destination.1)?;
        if let Some((address, plen)) = self.source {
            write!(f, " from {address}/{plen}")?;
        }
        if let Some(gateway) = self.gateway {
            write!(f, " via {gateway}")?;
        }
        if let Some(oif) = self.oif {
            write!(f, " on interface {oif}")?;
        }
        write!(f, " table {} proto {}", self.table, self.protocol)?;
        if let Some(priority) = self.priority {
            write!(f, " metric {priority}")?;
        }
        Ok(())
    }
}
