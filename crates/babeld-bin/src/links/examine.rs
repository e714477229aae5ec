//! Whether Babel can run on a device.

use super::Device;
use babel_core::config::LinkState;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an interface is down, for people.
pub(super) const NO_LINK_LOCAL: &str = "no link-local address";
/// The smallest MTU of an IPv6 link is 1280; stock babeld copes with less, down to this.
const SMALLEST_MTU: u32 = 512;

/// Whether Babel can run on a device, and how; else why not.
pub(super) fn examine(
    device: Option<&Device>,
    link_detect: bool,
    preferred: Option<Ipv6Addr>,
) -> Result<(u32, LinkState), &'static str> {
    let device = device.ok_or("does not exist")?;
    let flags = device.info.flags;
    if !flags.up {
        return Err("is down");
    }
    if link_detect && !flags.running {
        return Err("has no carrier");
    }
    let usable = || {
        device
            .addresses
            .iter()
            .filter(|a| !a.flags.tentative && !a.flags.duplicate)
    };
    let link_local = || {
        usable().filter_map(|a| match a.address {
            IpAddr::V6(v6) if is_link_local(v6) => Some(v6),
            _ => None,
        })
    };
    // Keep the one in use: neighbours know us by it.
    let kept = preferred.filter(|preferred| link_local().any(|a| a == *preferred));
    let address = kept.or_else(|| link_local().next()).ok_or(NO_LINK_LOCAL)?;
    let ipv4: Option<Ipv4Addr> = usable().find_map(|a| match a.address {
        IpAddr::V4(v4) if !v4.is_loopback() => Some(v4),
        _ => None,
    });
    let mtu = device.info.mtu.max(SMALLEST_MTU);
    Ok((device.info.index, LinkState { address, ipv4, mtu }))
}

/// fe80::/64 exactly: peers refuse other addresses.
fn is_link_local(address: Ipv6Addr) -> bool {
    address.segments()[..4] == [0xfe80, 0, 0, 0]
}
