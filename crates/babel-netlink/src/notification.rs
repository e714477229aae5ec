//! What the kernel tells without being asked.

use crate::abi;
use crate::address::AddressInfo;
use crate::link::LinkInfo;
use crate::route::Route;
use crate::route_codec;
use crate::wire::{Malformed, Message};

/// Something changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Notification {
    /// A link is new, or something about it changed: this is how it is now.
    Link(LinkInfo),
    /// A link is gone from this namespace.
    LinkGone(LinkInfo),
    /// An address is new, or its state changed.
    Address(AddressInfo),
    /// An address is gone.
    AddressGone(AddressInfo),
    /// A route is there.
    Route {
        /// This one.
        route: Route,
        /// It took the place of another (same destination, source, table, type of service and
        /// priority), for which no [`Notification::RouteGone`] comes.
        replaced: bool,
    },
    /// A route is gone. IPv4 routes that go with their link go unannounced.
    RouteGone(Route),
}

impl Notification {
    /// Reads a message; `None` if it is nothing that concerns us.
    pub(crate) fn decode(message: &Message<'_>) -> Result<Option<Self>, Malformed> {
        let payload = message.payload;
        Ok(match message.kind {
            abi::RTM_NEWLINK => LinkInfo::decode(payload)?.map(Self::Link),
            abi::RTM_DELLINK => LinkInfo::decode(payload)?.map(Self::LinkGone),
            abi::RTM_NEWADDR => AddressInfo::decode(payload)?.map(Self::Address),
            abi::RTM_DELADDR => AddressInfo::decode(payload)?.map(Self::AddressGone),
            abi::RTM_NEWROUTE => {
                let replaced = message.flags & abi::NLM_F_REPLACE != 0;
                Self::configured(payload)?.map(|route| Self::Route { route, replaced })
            }
            abi::RTM_DELROUTE => Self::configured(payload)?.map(Self::RouteGone),
            _ => None,
        })
    }

    fn configured(payload: &[u8]) -> Result<Option<Route>, Malformed> {
        Ok(route_codec::decode(payload)?.filter(|route| !route.cloned))
    }
}
