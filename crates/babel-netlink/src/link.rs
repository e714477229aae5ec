//! Links (network interfaces): reading them.

use crate::abi;
use crate::error::Error;
use crate::link_change::checked_name;
use crate::socket::RouteSocket;
use crate::wire::{Attributes, Encoder, Malformed, read_u16, read_u32};

/// A link as the kernel describes it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LinkInfo {
    /// The kernel's handle. A link made anew under the same name has another.
    pub index: u32,
    /// Its name now; it can be changed.
    pub name: String,
    /// Its state.
    pub flags: LinkFlags,
    /// Octets of IP packet it carries.
    pub mtu: u32,
    /// `veth`, `bridge`, `wireguard` …; `None` for plain devices.
    pub kind: Option<String>,
    /// `ARPHRD_*`: 1 is Ethernet, 772 loopback, 65534 none.
    pub hardware_type: u16,
    /// The link-layer address; empty where there is none.
    pub hardware_address: Vec<u8>,
    /// The bridge it is a port of.
    pub master: Option<u32>,
}

/// The state of a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkFlags {
    /// An operator wants it up.
    pub up: bool,
    /// Packets can pass: up, and the other end is there.
    pub running: bool,
    /// The carrier is there.
    pub lower_up: bool,
    /// It is `lo`.
    pub loopback: bool,
    /// It has exactly one other end.
    pub point_to_point: bool,
    /// It can carry multicast.
    pub multicast: bool,
}

impl LinkFlags {
    fn from_kernel(bits: u32) -> Self {
        let has = |flag| bits & flag != 0;
        Self {
            up: has(abi::IFF_UP),
            running: has(abi::IFF_RUNNING),
            lower_up: has(abi::IFF_LOWER_UP),
            loopback: has(abi::IFF_LOOPBACK),
            point_to_point: has(abi::IFF_POINTOPOINT),
            multicast: has(abi::IFF_MULTICAST),
        }
    }
}

/// Octets of `struct ifinfomsg`.
pub(crate) const HEADER_OCTETS: usize = 16;

impl LinkInfo {
    /// Reads the payload of `RTM_NEWLINK` or `RTM_DELLINK`. `None` if it is not about the link
    /// itself: the bridge's and IPv6's views of a link, and wireless events, travel in the same
    /// messages, and a port that leaves a bridge looks like a link that vanished.
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let short = Malformed("link header cut short");
        if *payload.first().ok_or(short)? != abi::AF_UNSPEC {
            return Ok(None);
        }
        let mut link = Self {
            hardware_type: read_u16(payload, 2).ok_or(short)?,
            index: read_u32(payload, 4).ok_or(short)?,
            flags: LinkFlags::from_kernel(read_u32(payload, 8).ok_or(short)?),
            ..Self::default()
        };
        if payload.len() < HEADER_OCTETS {
            return Err(short);
        }
        for attribute in Attributes::after(payload, HEADER_OCTETS) {
            let attribute = attribute?;
            match attribute.kind {
                abi::IFLA_IFNAME => link.name = attribute.string(),
                abi::IFLA_MTU => link.mtu = attribute.u32()?,
                abi::IFLA_ADDRESS => link.hardware_address = attribute.value.to_vec(),
                abi::IFLA_MASTER => link.master = Some(attribute.u32()?),
                abi::IFLA_LINKINFO => {
                    for inner in attribute.nested() {
                        let inner = inner?;
                        if inner.kind == abi::IFLA_INFO_KIND {
                            link.kind = Some(inner.string());
                        }
                    }
                }
                _ => (),
            }
        }
        Ok((!link.name.is_empty()).then_some(link))
    }
}

/// Writes `struct ifinfomsg`.
pub(crate) fn header(encoder: &mut Encoder<'_>, index: u32, flags: u32, change: u32) {
    encoder
        .raw(&[abi::AF_UNSPEC, 0, 0, 0])
        .raw(&index.to_ne_bytes())
        .raw(&flags.to_ne_bytes())
        .raw(&change.to_ne_bytes());
}

impl RouteSocket {
    /// All links, in the order of their indices.
    pub fn links(&mut self) -> Result<Vec<LinkInfo>, Error> {
        let mut links = Vec::new();
        let mut malformed = 0;
        let fill = |encoder: &mut Encoder<'_>| {
            header(encoder, 0, 0, 0);
            encoder.u32(abi::IFLA_EXT_MASK, abi::RTEXT_FILTER_SKIP_STATS);
        };
        // A link list that changed while it was read is followed by notifications: it will do.
        let _ = self.dump(
            abi::RTM_GETLINK,
            || "listing links".to_owned(),
            fill,
            &mut |message| match message.map(|message| LinkInfo::decode(message.payload)) {
                None => links.clear(),
                Some(Ok(link)) => links.extend(link),
                Some(Err(_)) => malformed += 1,
            },
        )?;
        (0..malformed).for_each(|_| self.count_malformed());
        links.sort_by_key(|link| link.index);
        links.dedup_by_key(|link| link.index);
        Ok(links)
    }

    /// The link of that name; `ENODEV` when there is none.
    pub fn link_by_name(&mut self, name: &str) -> Result<LinkInfo, Error> {
        checked_name(name)?;
        self.one_link(&|| format!("looking for interface {name:?}"), |encoder| {
            header(encoder, 0, 0, 0);
            encoder
                .string(abi::IFLA_IFNAME, name)
                .u32(abi::IFLA_EXT_MASK, abi::RTEXT_FILTER_SKIP_STATS);
        })
    }

    /// The link of that index; `ENODEV` when there is none.
    pub fn link(&mut self, index: u32) -> Result<LinkInfo, Error> {
        self.one_link(&|| format!("looking for interface {index}"), |encoder| {
            header(encoder, index, 0, 0);
            encoder.u32(abi::IFLA_EXT_MASK, abi::RTEXT_FILTER_SKIP_STATS);
        })
    }

    fn one_link(
        &mut self,
        action: &dyn Fn() -> String,
        fill: impl FnOnce(&mut Encoder<'_>),
    ) -> Result<LinkInfo, Error> {
        let mut found = None;
        self.get(abi::RTM_GETLINK, action, fill, &mut |message| {
            found = LinkInfo::decode(message.payload).ok().flatten();
        })?;
        found.ok_or_else(|| Error::NoAnswer { action: action() })
    }
}
