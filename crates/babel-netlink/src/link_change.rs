//! Links: making, changing and removing them.

use crate::abi;
use crate::error::Error;
use crate::link::header;
use crate::socket::RouteSocket;
use crate::wire::Encoder;
use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};

/// A network namespace other than ours.
#[derive(Clone, Copy, Debug)]
pub enum NetnsRef<'fd> {
    /// The one this process is in.
    Pid(u32),
    /// The one this file (`/proc/PID/ns/net`, `/run/netns/NAME`) stands for.
    Fd(BorrowedFd<'fd>),
}

impl NetnsRef<'_> {
    fn encode(self, encoder: &mut Encoder<'_>) {
        match self {
            Self::Pid(pid) => encoder.u32(abi::IFLA_NET_NS_PID, pid),
            Self::Fd(fd) => encoder.attribute(abi::IFLA_NET_NS_FD, &fd.as_raw_fd().to_ne_bytes()),
        };
    }
}

impl fmt::Display for NetnsRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pid(pid) => write!(f, "the namespace of process {pid}"),
            Self::Fd(fd) => write!(f, "the namespace of file descriptor {}", fd.as_raw_fd()),
        }
    }
}

/// Refuses what the kernel could misread or would refuse with less of a reason.
pub(crate) fn checked_name(name: &str) -> Result<&str, Error> {
    let forbidden = |c: char| c == '/' || c == '\0' || c.is_whitespace();
    if name.is_empty() || name.len() > 15 || name.contains(forbidden) || name == "." || name == ".."
    {
        return Err(Error::InterfaceName(name.to_owned()));
    }
    Ok(name)
}

const CREATE: u16 = abi::NLM_F_CREATE | abi::NLM_F_EXCL;

impl RouteSocket {
    /// Makes a pair of connected Ethernet links; the peer goes to another namespace if one is
    /// given. Both are down. `EEXIST` if a name is taken.
    pub fn create_veth(
        &mut self,
        name: &str,
        peer: &str,
        peer_netns: Option<NetnsRef<'_>>,
    ) -> Result<(), Error> {
        checked_name(name)?;
        checked_name(peer)?;
        let action = || format!("creating veth {name:?} with peer {peer:?}");
        self.change(abi::RTM_NEWLINK, CREATE, action, |encoder| {
            header(encoder, 0, 0, 0);
            encoder.string(abi::IFLA_IFNAME, name);
            encoder.nested(abi::IFLA_LINKINFO, |info| {
                info.string(abi::IFLA_INFO_KIND, "veth");
                info.nested(abi::IFLA_INFO_DATA, |data| {
                    data.nested(abi::VETH_INFO_PEER, |end| {
                        header(end, 0, 0, 0);
                        end.string(abi::IFLA_IFNAME, peer);
                        if let Some(netns) = peer_netns {
                            netns.encode(end);
                        }
                    });
                });
            });
        })
    }

    /// Makes a bridge without ports, down.
    pub fn create_bridge(&mut self, name: &str) -> Result<(), Error> {
        checked_name(name)?;
        let action = || format!("creating bridge {name:?}");
        self.change(abi::RTM_NEWLINK, CREATE, action, |encoder| {
            header(encoder, 0, 0, 0);
            encoder.string(abi::IFLA_IFNAME, name);
            encoder.nested(abi::IFLA_LINKINFO, |info| {
                info.string(abi::IFLA_INFO_KIND, "bridge");
            });
        })
    }

    /// Makes a link a port of a bridge, or frees it.
    pub fn set_master(&mut self, index: u32, bridge: Option<u32>) -> Result<(), Error> {
        let action = || match bridge {
            Some(bridge) => format!("making interface {index} a port of bridge {bridge}"),
            None => format!("freeing interface {index} from its bridge"),
        };
        self.change(abi::RTM_NEWLINK, 0, action, |encoder| {
            header(encoder, index, 0, 0);
            encoder.u32(abi::IFLA_MASTER, bridge.unwrap_or(0));
        })
    }

    /// Brings a link up or down.
    pub fn set_up(&mut self, index: u32, up: bool) -> Result<(), Error> {
        let action = || {
            format!(
                "setting interface {index} {}",
                if up { "up" } else { "down" }
            )
        };
        self.change(abi::RTM_NEWLINK, 0, action, |encoder| {
            header(
                encoder,
                index,
                if up { abi::IFF_UP } else { 0 },
                abi::IFF_UP,
            );
        })
    }

    /// Sets the size of the largest packet, in octets.
    pub fn set_mtu(&mut self, index: u32, mtu: u32) -> Result<(), Error> {
        let action = || format!("setting the MTU of interface {index} to {mtu}");
        self.change(abi::RTM_NEWLINK, 0, action, |encoder| {
            header(encoder, index, 0, 0);
            encoder.u32(abi::IFLA_MTU, mtu);
        })
    }

    /// Moves a link to another namespace. Its addresses and routes are lost, its index may change.
    pub fn set_link_netns(&mut self, index: u32, netns: NetnsRef<'_>) -> Result<(), Error> {
        let action = || format!("moving interface {index} to {netns}");
        self.change(abi::RTM_NEWLINK, 0, action, |encoder| {
            header(encoder, index, 0, 0);
            netns.encode(encoder);
        })
    }

    /// Removes a link; of a veth, both ends.
    pub fn delete_link(&mut self, index: u32) -> Result<(), Error> {
        let action = || format!("deleting interface {index}");
        self.change(abi::RTM_DELLINK, 0, action, |encoder| {
            header(encoder, index, 0, 0)
        })
    }
}

#[cfg(test)]
mod tests;
