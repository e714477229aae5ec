//! What a packet says, with compression undone and parser state applied.

use super::subtlv::SubTlvs;
use crate::prefix::RouteKey;
use crate::time::Interval;
use crate::types::{Metric, RouterId, SeqNo};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether a packet was sent to one node or to the group.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Destination {
    /// To the multicast group.
    Multicast,
    /// To one neighbour.
    Unicast(Ipv6Addr),
}

/// One TLV of a packet, resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tlv<'a> {
    /// RFC 8966 §4.6.3. The interval is never zero.
    AckRequest {
        /// To be echoed.
        opaque: u16,
        /// The answer must leave within this.
        interval: Interval,
    },
    /// RFC 8966 §4.6.4.
    Ack {
        /// The request's value.
        opaque: u16,
    },
    /// RFC 8966 §4.6.5.
    Hello {
        /// The Unicast flag.
        unicast: bool,
        /// Of the sender's matching counter.
        seqno: SeqNo,
        /// Until the next one of this kind; zero for an unscheduled Hello.
        interval: Interval,
        /// Transmit timestamp in microseconds (RFC 9616).
        timestamp: Option<u32>,
    },
    /// RFC 8966 §4.6.6.
    Ihu(Ihu),
    /// RFC 8966 §4.6.7: already applied to the parser state; shown for counting.
    RouterId(RouterId),
    /// RFC 8966 §4.6.8: already applied to the parser state; shown for counting.
    NextHop(IpAddr),
    /// RFC 8966 §4.6.9.
    Update(Update<'a>),
    /// RFC 8966 §4.6.10. `None` asks for everything.
    RouteRequest(Option<RouteKey>),
    /// RFC 8966 §4.6.11.
    SeqnoRequest {
        /// The route asked about.
        key: RouteKey,
        /// At least this seqno, or another router-id, is wanted.
        seqno: SeqNo,
        /// As received; may be zero, which must not be forwarded.
        hop_count: u8,
        /// The originator whose seqno is meant.
        router_id: RouterId,
    },
    /// RFC 8967 §6.2.
    Pc {
        /// Packet counter.
        counter: u32,
        /// The sender's index, up to 32 octets.
        index: &'a [u8],
    },
    /// RFC 8967 §6.3.
    ChallengeRequest {
        /// To be echoed, up to 192 octets.
        nonce: &'a [u8],
    },
    /// RFC 8967 §6.4.
    ChallengeReply {
        /// The request's nonce.
        nonce: &'a [u8],
    },
    /// Carried nothing for us; the reason tells counters and logs.
    Ignored(Ignored),
}

/// An IHU: "I hear you", with the cost of our link as its sender sees it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ihu {
    /// Who is heard; `None` (AE 0) means the receiver of a unicast packet.
    pub address: Option<IpAddr>,
    /// The sender's rxcost: our txcost.
    pub rxcost: Metric,
    /// Until the next IHU; never zero.
    pub interval: Interval,
    /// Origin and receive timestamps in microseconds (RFC 9616).
    pub timestamps: Option<(u32, u32)>,
}

/// What an Update is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UpdateTarget {
    /// AE 0: retracts all that the sender announced on this link. The metric is infinite.
    Wildcard,
    /// One route.
    Route(RouteKey),
}

/// An Update. For a retraction router-id, next hop and seqno mean nothing and may be absent;
/// a finite one always has both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Update<'a> {
    /// What it is about.
    pub target: UpdateTarget,
    /// Until the next one; never zero unless this is a retraction.
    pub interval: Interval,
    /// The originator's seqno.
    pub seqno: SeqNo,
    /// The advertised metric (refmetric).
    pub metric: Metric,
    /// The originator.
    pub router_id: Option<RouterId>,
    /// Where to send packets.
    pub next_hop: Option<IpAddr>,
    /// Non-mandatory sub-TLVs that the base protocol does not know, for the extension.
    pub sub_tlvs: SubTlvs<'a>,
}

/// The next hops in effect in a packet, per family (RFC 8966 §4.5).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct NextHopState {
    /// From the last Next Hop TLV of AE 1.
    pub v4: Option<Ipv4Addr>,
    /// From the last Next Hop TLV of AE 2 or 3, else the packet's source.
    pub v6: Option<Ipv6Addr>,
}

/// Kinds of TLVs, for counters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum TlvKind {
    /// Acknowledgment Request.
    AckRequest,
    /// Acknowledgment.
    Ack,
    /// Hello.
    Hello,
    /// I Heard You.
    Ihu,
    /// Router-Id.
    RouterId,
    /// Next Hop.
    NextHop,
    /// Update.
    Update,
    /// Route Request.
    RouteRequest,
    /// Seqno Request.
    SeqnoRequest,
    /// Everything else.
    Other,
}

impl TlvKind {
    /// All kinds, in the order of [`TlvKind::index`].
    pub const ALL: [Self; 10] = [
        Self::AckRequest,
        Self::Ack,
        Self::Hello,
        Self::Ihu,
        Self::RouterId,
        Self::NextHop,
        Self::Update,
        Self::RouteRequest,
        Self::SeqnoRequest,
        Self::Other,
    ];

    /// Position in [`TlvKind::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The metrics label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::AckRequest => "ack_request",
            Self::Ack => "ack",
            Self::Hello => "hello",
            Self::Ihu => "ihu",
            Self::RouterId => "router_id",
            Self::NextHop => "next_hop",
            Self::Update => "update",
            Self::RouteRequest => "route_request",
            Self::SeqnoRequest => "seqno_request",
            Self::Other => "other",
        }
    }
}

/// Why a TLV was ignored.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Ignored {
    /// A type we do not know. Not an error (RFC 8966 §4.3).
    UnknownType(u8),
    /// An unknown mandatory sub-TLV (RFC 8966 §4.4).
    MandatorySubTlv(u8),
    /// An address encoding we do not know, or one that may not stand there.
    AddressEncoding(u8),
    /// Shorter than its fixed part, a prefix longer than its address, a truncated sub-TLV…
    Malformed(TlvKind),
    /// An Update that leans on a default prefix nobody set.
    NoDefaultPrefix,
    /// A finite Update before any (valid) router-id.
    NoRouterId,
    /// A finite Update without a next hop of its family.
    NoNextHop,
    /// An interval of zero where none may be.
    ZeroInterval(TlvKind),
    /// A wildcard with a finite metric, a length, or a source prefix.
    BadWildcard,
}

impl Ignored {
    /// The metrics label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::UnknownType(_) => "unknown_type",
            Self::MandatorySubTlv(_) => "mandatory_sub_tlv",
            Self::AddressEncoding(_) => "address_encoding",
            Self::Malformed(_) => "malformed",
            Self::NoDefaultPrefix => "no_default_prefix",
            Self::NoRouterId => "no_router_id",
            Self::NoNextHop => "no_next_hop",
            Self::ZeroInterval(_) => "zero_interval",
            Self::BadWildcard => "bad_wildcard",
        }
    }

    /// Labels of all reasons, in the order of [`Ignored::index`].
    pub const LABELS: [&'static str; 9] = [
        "unknown_type",
        "mandatory_sub_tlv",
        "address_encoding",
        "malformed",
        "no_default_prefix",
        "no_router_id",
        "no_next_hop",
        "zero_interval",
        "bad_wildcard",
    ];

    /// Position in [`Ignored::LABELS`].
    pub const fn index(self) -> usize {
        match self {
            Self::UnknownType(_) => 0,
            Self::MandatorySubTlv(_) => 1,
            Self::AddressEncoding(_) => 2,
            Self::Malformed(_) => 3,
            Self::NoDefaultPrefix => 4,
            Self::NoRouterId => 5,
            Self::NoNextHop => 6,
            Self::ZeroInterval(_) => 7,
            Self::BadWildcard => 8,
        }
    }
}
