//! Addresses on links: reading, adding, deleting.

use crate::abi;
use crate::error::Error;
use crate::scope::Scope;
use crate::socket::RouteSocket;
use crate::wire::{Attributes, Encoder, Malformed, family, read_u32};
use std::net::IpAddr;

/// An address of ours.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AddressInfo {
    /// The link it is on.
    pub index: u32,
    /// Our address.
    pub address: IpAddr,
    /// Length of the on-link prefix, in bits.
    pub plen: u8,
    /// The other end's address, on point-to-point links that have one.
    pub peer: Option<IpAddr>,
    /// How far it is valid.
    pub scope: Scope,
    /// Its state.
    pub flags: AddressFlags,
    /// Who added it, as for routes; 0 for nobody in particular, and before Linux 5.18.
    pub protocol: u8,
}

/// The state of an address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Default)]
pub struct AddressFlags {
    /// Duplicate detection is going on: it cannot be used as a source yet. IPv6 only.
    pub tentative: bool,
    /// Duplicate detection found another owner. IPv6 only.
    pub duplicate: bool,
    /// A privacy address (RFC 8981), soon to be replaced. IPv6 only.
    pub temporary: bool,
    /// Still works, but not to be chosen for new connections.
    pub deprecated: bool,
    /// It has no lifetime.
    pub permanent: bool,
}

impl AddressFlags {
    fn from_kernel(bits: u32, is_ipv6: bool) -> Self {
        let has = |flag| bits & flag != 0;
        Self {
            tentative: is_ipv6 && has(abi::IFA_F_TENTATIVE),
            duplicate: is_ipv6 && has(abi::IFA_F_DADFAILED),
            temporary: is_ipv6 && has(abi::IFA_F_TEMPORARY),
            deprecated: has(abi::IFA_F_DEPRECATED),
            permanent: has(abi::IFA_F_PERMANENT),
        }
    }
}

/// Whether a new IPv6 address is first checked for another owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DuplicateDetection {
    /// As the link is configured: the address is tentative for a second or more.
    Default,
    /// Usable at once.
    Skip,
}

/// `struct ifa_cacheinfo`: preferred for no time, valid for ever; the rest is for reading.
const NEVER_PREFERRED: [u8; 16] = [0, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0];

/// Octets of `struct ifaddrmsg`.
const HEADER_OCTETS: usize = 8;

impl AddressInfo {
    /// Reads the payload of `RTM_NEWADDR` or `RTM_DELADDR`; `None` if it is of another family.
    pub(crate) fn decode(payload: &[u8]) -> Result<Option<Self>, Malformed> {
        let Some(&[family_code, plen, flags, scope, ..]) = payload.first_chunk::<HEADER_OCTETS>()
        else {
            return Err(Malformed("address header cut short"));
        };
        if family_code != abi::AF_INET && family_code != abi::AF_INET6 {
            return Ok(None);
        }
        let index = read_u32(payload, 4).ok_or(Malformed("address header cut short"))?;
        let (mut flags, mut local, mut other) = (u32::from(flags), None, None);
        let mut protocol = 0;
        for attribute in Attributes::after(payload, HEADER_OCTETS) {
            let attribute = attribute?;
            match attribute.kind {
                abi::IFA_LOCAL => local = Some(attribute.address()?),
                abi::IFA_ADDRESS => other = Some(attribute.address()?),
                abi::IFA_FLAGS => flags = attribute.u32()?,
                abi::IFA_PROTO => {
                    protocol = *attribute.value.first().ok_or(Malformed("no protocol"))?;
                }
                _ => (),
            }
        }
        // IFA_ADDRESS is the other end's where there is one; IFA_LOCAL is always ours.
        let address = local
            .or(other)
            .ok_or(Malformed("address message without an address"))?;
        let peer = other.filter(|&other| other != address);
        let right = |address: IpAddr| family(address) == family_code;
        if !right(address) || peer.is_some_and(|peer| !right(peer)) {
            return Err(Malformed("address is not of the message's family"));
        }
        if plen > if address.is_ipv4() { 32 } else { 128 } {
            return Err(Malformed("address with too long a prefix"));
        }
        let flags = AddressFlags::from_kernel(flags, address.is_ipv6());
        Ok(Some(Self {
            index,
            address,
            plen,
            peer,
            scope: Scope::from_kernel(scope),
            flags,
            protocol,
        }))
    }
}

fn header(encoder: &mut Encoder<'_>, family: u8, plen: u8, index: u32) {
    encoder.raw(&[family, plen, 0, 0]).raw(&index.to_ne_bytes());
}

impl RouteSocket {
    /// All IPv4 and IPv6 addresses, in the order of their links' indices.
    pub fn addresses(&mut self) -> Result<Vec<AddressInfo>, Error> {
        let mut addresses: Vec<AddressInfo> = Vec::new();
        let mut malformed = 0;
        let action = || "listing addresses".to_owned();
        let fill = |encoder: &mut Encoder<'_>| header(encoder, abi::AF_UNSPEC, 0, 0);
        // As for links: notifications tell what changed while we read.
        let _ = self.dump(abi::RTM_GETADDR, action, fill, &mut |message| match message
            .map(|message| AddressInfo::decode(message.payload))
        {
            None => addresses.clear(),
            Some(Ok(address)) => addresses.extend(address),
            Some(Err(_)) => malformed += 1,
        })?;
        (0..malformed).for_each(|_| self.count_malformed());
        // Stable: the kernel's order within a link says which address is the primary one.
        addresses.sort_by_key(|address| address.index);
        Ok(addresses)
    }

    /// Adds an address to a link; `EEXIST` if it is there.
    pub fn add_address(
        &mut self,
        index: u32,
        address: IpAddr,
        plen: u8,
        duplicates: DuplicateDetection,
    ) -> Result<(), Error> {
        let action = || format!("adding {address}/{plen} to interface {index}");
        let flags = abi::NLM_F_CREATE | abi::NLM_F_EXCL;
        self.change(abi::RTM_NEWADDR, flags, action, |encoder| {
            header(encoder, family(address), plen, index);
            encoder
                .address(abi::IFA_LOCAL, address)
                .address(abi::IFA_ADDRESS, address);
            if address.is_ipv6() && duplicates == DuplicateDetection::Skip {
                encoder.u32(abi::IFA_FLAGS, abi::IFA_F_NODAD);
            }
        })
    }

    /// Adds an address, usable at once, for sockets that are bound to it: the kernel chooses it as
    /// a source for nobody else (IPv6: it is deprecated; IPv4: its scope is the link). It is marked
    /// as `protocol`'s, a number as for routes; Linux before 5.18 forgets the mark.
    pub fn add_bound_address(
        &mut self,
        index: u32,
        address: IpAddr,
        plen: u8,
        protocol: u8,
    ) -> Result<(), Error> {
        let action = || format!("adding {address}/{plen} to interface {index}");
        let flags = abi::NLM_F_CREATE | abi::NLM_F_EXCL;
        self.change(abi::RTM_NEWADDR, flags, action, |encoder| {
            let scope = match address {
                IpAddr::V4(_) => Scope::Link,
                IpAddr::V6(_) => Scope::Universe,
            };
            encoder
                .raw(&[family(address), plen, 0, scope.to_kernel()])
                .raw(&index.to_ne_bytes())
                .address(abi::IFA_LOCAL, address)
                .address(abi::IFA_ADDRESS, address)
                .attribute(abi::IFA_PROTO, &[protocol]);
            if address.is_ipv6() {
                encoder
                    .u32(abi::IFA_FLAGS, abi::IFA_F_NODAD)
                    .attribute(abi::IFA_CACHEINFO, &NEVER_PREFERRED);
            }
        })
    }

    /// Deletes an address from a link; `EADDRNOTAVAIL` if it is not there.
    pub fn delete_address(&mut self, index: u32, address: IpAddr, plen: u8) -> Result<(), Error> {
        let action = || format!("deleting {address}/{plen} from interface {index}");
        self.change(abi::RTM_DELADDR, 0, action, |encoder| {
            header(encoder, family(address), plen, index);
            encoder
                .address(abi::IFA_LOCAL, address)
                .address(abi::IFA_ADDRESS, address);
        })
    }
}

#[cfg(test)]
mod tests;
