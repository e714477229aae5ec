//! Asking the kernel which way a packet would go.

use crate::abi;
use crate::error::Error;
use crate::route::{Family, Route};
use crate::route_codec::decode;
use crate::socket::RouteSocket;
use std::net::IpAddr;

impl RouteSocket {
    /// The route that a packet of ours to `destination` with this firewall mark would take: rules
    /// are followed as for any packet. Its destination may be `destination` alone, whatever the
    /// table says. An error, usually `EHOSTUNREACH` or `ENETUNREACH`, if it would take none.
    pub fn route_for(&mut self, destination: IpAddr, mark: u32) -> Result<Route, Error> {
        let action = || format!("looking up the route to {destination} with mark {mark:#x}");
        let family = Family::of(destination);
        let mut found = None;
        self.get(
            abi::RTM_GETROUTE,
            action,
            |encoder| {
                encoder
                    .raw(&[family.to_kernel(), family.bits(), 0, 0, 0, 0, 0, 0])
                    .raw(&[0; 4])
                    .address(abi::RTA_DST, destination)
                    .u32(abi::RTA_MARK, mark);
            },
            &mut |message| {
                if message.kind == abi::RTM_NEWROUTE {
                    found = decode(message.payload).ok().flatten();
                }
            },
        )?;
        found.ok_or_else(|| Error::NoAnswer { action: action() })
    }
}
