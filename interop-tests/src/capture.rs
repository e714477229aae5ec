//! Babel packets on a LAN, as a node without a daemon hears them.

use crate::network::{Id, Network};
use anyhow::{Context, Result};
use babel_core::wire::{PORT, PacketReader, Tlv, UpdateTarget};
use socket2::{Domain, Protocol, Socket, Type};
use std::net::{IpAddr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::time::{Duration, Instant};

const GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 6);
const READ_LIMIT: Duration = Duration::from_millis(100);

/// Listens to the Babel group on one interface, and can speak to it.
#[derive(Debug)]
pub struct Listener {
    socket: UdpSocket,
    index: u32,
}

/// A packet of the group.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Who sent it.
    pub source: Ipv6Addr,
    /// What it holds.
    pub octets: Vec<u8>,
}

/// An Update, as far as tests want to know.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Heard {
    /// The destination; `None` for all that the sender announced.
    pub prefix: Option<String>,
    /// 65535 is a retraction.
    pub metric: u16,
    /// Types of its sub-TLVs that the base protocol does not know.
    pub sub_tlvs: Vec<u8>,
}

impl Listener {
    /// Listens at `node`, which must have no daemon.
    pub fn open(network: &Network, node: Id, interface: &str) -> Result<Self> {
        let namespace = network.namespace(node);
        let index = namespace.routes(|socket| Ok(socket.link_by_name(interface)?.index))?;
        let open = || -> Result<UdpSocket> {
            let socket = Socket::new(Domain::IPV6, Type::DGRAM, Some(Protocol::UDP))?;
            socket.bind(&SocketAddr::from((Ipv6Addr::UNSPECIFIED, PORT)).into())?;
            socket.join_multicast_v6(&GROUP, index)?;
            socket.set_multicast_if_v6(index)?;
            Ok(socket.into())
        };
        let socket = namespace.with(open)?.context("listening to Babel")?;
        socket.set_read_timeout(Some(READ_LIMIT))?;
        Ok(Self { socket, index })
    }

    /// Sends a datagram to the group; whether the kernel took it.
    pub fn send(&self, datagram: &[u8]) -> bool {
        let group = SocketAddrV6::new(GROUP, PORT, 0, self.index);
        self.socket.send_to(datagram, group).is_ok()
    }

    /// All packets until `enough` of them say yes, or `limit`.
    pub fn collect(
        &self,
        limit: Duration,
        mut enough: impl FnMut(&[Packet]) -> bool,
    ) -> Vec<Packet> {
        let deadline = Instant::now() + limit;
        let mut packets = Vec::new();
        let mut buffer = vec![0; 65_536];
        while Instant::now() < deadline && !enough(&packets) {
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer)
                && let IpAddr::V6(source) = from.ip()
            {
                let octets = buffer.get(..length).unwrap_or_default().to_vec();
                packets.push(Packet { source, octets });
            }
        }
        packets
    }
}

impl Packet {
    /// The Updates in it.
    pub fn updates(&self) -> Vec<Heard> {
        let Ok(reader) = PacketReader::new(&self.octets, self.source) else {
            return Vec::new();
        };
        let updates = reader.filter_map(|tlv| match tlv {
            Tlv::Update(update) => Some(Heard {
                prefix: match update.target {
                    UpdateTarget::Wildcard => None,
                    UpdateTarget::Route(key) => Some(key.dst().to_string()),
                },
                metric: update.metric.0,
                sub_tlvs: update.sub_tlvs.map(|sub_tlv| sub_tlv.kind).collect(),
            }),
            _ => None,
        });
        updates.collect()
    }
}
