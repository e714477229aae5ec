//! What goes into the engine, and what comes out.

use crate::auth::AuthFailure;
use crate::config::{LinkConfig, LinkState};
use crate::ext::Origin;
use crate::prefix::RouteKey;
use crate::types::{LinkId, Metric, Party};
use crate::view::{NeighbourView, RouteView, XRouteView};
use crate::wire::{Destination, Ignored, PacketError};
use core::net::{IpAddr, Ipv6Addr};

/// Something that happened outside.
#[derive(Clone, Debug)]
pub enum Event<'a> {
    /// A datagram to our port arrived. The caller has checked the source port.
    Packet {
        /// On this link.
        link: LinkId,
        /// From this address; not link-local is counted and dropped.
        source: Ipv6Addr,
        /// To us, or to the group.
        multicast: bool,
        /// The UDP payload.
        payload: &'a [u8],
    },
    /// A link came up, or a link that is up changed its settings or addresses.
    LinkUp {
        /// The link.
        link: LinkId,
        /// Settings.
        config: LinkConfig,
        /// Addresses and MTU.
        state: LinkState,
    },
    /// A link went down: its routes go at once, its neighbours when they fall silent.
    LinkDown {
        /// The link.
        link: LinkId,
    },
    /// A link is no longer ours (`flush interface`): its neighbours go too.
    LinkRemoved {
        /// The link.
        link: LinkId,
    },
    /// A kernel route or local address is to be announced, or changed how.
    XRouteUp {
        /// What it is for.
        key: RouteKey,
        /// How to announce it.
        xroute: XRoute,
    },
    /// It is gone.
    XRouteDown {
        /// What it was for.
        key: RouteKey,
    },
    /// Say goodbye on every link: the next packets are retractions. Forget nothing yet.
    Shutdown,
}

/// A route of our own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct XRoute {
    /// Metric we announce it with.
    pub metric: Metric,
    /// Local address or kernel route.
    pub origin: Origin,
    /// The `redistribute` rule's opaque argument for the extension.
    pub price: Option<u32>,
    /// The one neighbour that may hear of it, by unicast; `None` for everybody. It need not be
    /// there yet.
    pub only: Option<Party>,
}

/// A packet to send: from the link's address, port to port, hop limit 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// On this link.
    pub link: LinkId,
    /// To the group or to one neighbour.
    pub destination: Destination,
}

/// What the kernel should hold for one prefix.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum FibTarget {
    /// Forward.
    Via {
        /// Out of this link.
        link: LinkId,
        /// To this router; of the other family for v4-via-v6 (RFC 9229).
        next_hop: IpAddr,
        /// Our metric, for `reflect-kernel-metric`.
        metric: Metric,
        /// `install … table`.
        table: Option<u32>,
        /// `install … pref-src`.
        pref_src: Option<IpAddr>,
    },
    /// Refuse, so that packets do not follow a shorter prefix into a loop (RFC 8966 §3.5.4).
    Unreachable,
}

/// A change of what the kernel should hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FibChange {
    /// For this prefix.
    pub key: RouteKey,
    /// This; `None` for nothing.
    pub target: Option<FibTarget>,
}

/// Kind of a notification, in the control socket's words.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// New.
    Add,
    /// Changed.
    Change,
    /// Gone.
    Flush,
}

/// Something a monitor wants to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notification<A> {
    /// About a neighbour.
    Neighbour(Change, NeighbourView),
    /// About a route.
    Route(Change, RouteView<A>),
    /// About a route of our own.
    XRoute(Change, XRouteView),
    /// More happened than was kept: dump again.
    Overrun,
}

/// Something the operator may want in the log; at most one a minute for a neighbour and kind.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// Where.
    pub link: LinkId,
    /// From whom.
    pub source: Ipv6Addr,
    /// What.
    pub kind: DiagnosticKind,
}

/// What is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DiagnosticKind {
    /// A packet that could not be read.
    Packet(PacketError),
    /// A source that is not link-local.
    NotLinkLocal,
    /// A TLV that was ignored.
    Tlv(Ignored),
    /// A TLV ran past its packet.
    Overrun,
    /// A martian route was refused.
    Martian(RouteKey),
    /// A packet was not authentic.
    Auth(AuthFailure),
    /// A limit was hit: which one, and at how many.
    Limit(&'static str, usize),
}
