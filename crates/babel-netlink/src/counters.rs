//! What links have carried and what their queues have dropped.
//!
//! Asked for one link at a time, so that it costs the same however many links there are.

use crate::abi;
use crate::error::Error;
use crate::link::header;
use crate::socket::RouteSocket;
use crate::wire::{Attributes, Encoder, read_u32};
use std::collections::BTreeMap;

/// Counters of a link since it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LinkCounters {
    /// Octets received, link-layer headers included.
    pub received_octets: u64,
    /// Octets sent, link-layer headers included.
    pub sent_octets: u64,
    /// Packets received.
    pub received_packets: u64,
    /// Packets sent.
    pub sent_packets: u64,
    /// Packets to be sent that the device dropped.
    pub send_drops: u64,
}

/// Octets of `struct tcmsg`.
const QDISC_HEADER_OCTETS: usize = 20;
/// Where `drops` lies in `struct tc_stats`.
const DROPS_OFFSET: usize = 12;

impl LinkCounters {
    /// Reads `struct rtnl_link_stats64`: its first eight numbers are received and sent packets,
    /// octets, errors and drops.
    fn decode(value: &[u8]) -> Option<Self> {
        let number = |index: usize| {
            let octets = value.get(index * 8..)?.first_chunk::<8>()?;
            Some(u64::from_ne_bytes(*octets))
        };
        Some(Self {
            received_packets: number(0)?,
            sent_packets: number(1)?,
            received_octets: number(2)?,
            sent_octets: number(3)?,
            send_drops: number(7)?,
        })
    }
}

impl RouteSocket {
    /// The counters of the link of that index; `ENODEV` when there is none.
    pub fn link_counters(&mut self, index: u32) -> Result<LinkCounters, Error> {
        let action = || format!("reading the counters of interface {index}");
        let mut found = None;
        let fill = |encoder: &mut Encoder<'_>| header(encoder, index, 0, 0);
        self.get(abi::RTM_GETLINK, action, fill, &mut |message| {
            let attributes = Attributes::after(message.payload, crate::link::HEADER_OCTETS);
            found = attributes
                .map_while(Result::ok)
                .find(|attribute| attribute.kind == abi::IFLA_STATS64)
                .and_then(|attribute| LinkCounters::decode(attribute.value));
        })?;
        found.ok_or_else(|| Error::NoAnswer { action: action() })
    }

    /// Packets that the queueing disciplines of links have dropped since they were made, modulo
    /// 2^32, by the links' indices. A link without one is absent.
    pub fn queue_drops(&mut self) -> Result<BTreeMap<u32, u32>, Error> {
        let action = || "reading the queues of interfaces".to_owned();
        let mut drops = BTreeMap::new();
        let fill = |encoder: &mut Encoder<'_>| {
            encoder.raw(&[0; QDISC_HEADER_OCTETS]);
        };
        // Of a list that changed meanwhile each entry is still what it is.
        let _ = self.dump(abi::RTM_GETQDISC, action, fill, &mut |message| {
            if let Some((index, dropped)) = message.and_then(|found| root_drops(found.payload)) {
                drops.insert(index, dropped);
            }
        })?;
        Ok(drops)
    }
}

/// The link of a queueing discipline and what it dropped, if it is the one that the link hands its
/// packets to.
fn root_drops(payload: &[u8]) -> Option<(u32, u32)> {
    if read_u32(payload, 12)? != abi::TC_H_ROOT {
        return None;
    }
    let dropped = Attributes::after(payload, QDISC_HEADER_OCTETS)
        .map_while(Result::ok)
        .find(|attribute| attribute.kind == abi::TCA_STATS)
        .and_then(|attribute| read_u32(attribute.value, DROPS_OFFSET))?;
    Some((read_u32(payload, 4)?, dropped))
}
