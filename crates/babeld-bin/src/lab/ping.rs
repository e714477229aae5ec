//! Echo requests of our own, over raw sockets: no `ping` program is needed.
//!
//! A probe with a small hop limit dies on the way, and the node where it died says so: that shows
//! which way packets really take, whatever the routing tables claim.

use anyhow::{Context, Result};
use netns::Namespace;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use std::io::{self, ErrorKind};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Far enough for any lab.
pub(super) const FAR: u8 = 64;

/// Sends echo requests to one destination and reads what comes back.
#[derive(Debug)]
pub(super) struct Prober {
    /// A raw ICMP socket: std's type serves for its safe `recv_from`.
    socket: UdpSocket,
    destination: IpAddr,
    identifier: u16,
}

/// What came back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Answer {
    pub(super) kind: AnswerKind,
    /// The probe's number.
    pub(super) sequence: u16,
    /// Who answered.
    pub(super) from: IpAddr,
}

/// The two ways a probe is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum AnswerKind {
    /// It arrived.
    Echo,
    /// Its hop limit ended there.
    Expired,
}

/// A node on the way, and the time until its answer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hop {
    pub(super) address: IpAddr,
    pub(super) round_trip: Duration,
}

impl Prober {
    /// A prober inside a namespace. The identifier keeps probers apart.
    pub(super) fn open(inside: &Namespace, destination: IpAddr, identifier: u16) -> Result<Self> {
        let (domain, protocol) = match destination {
            IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
            IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = inside
            .with(|| Socket::new(domain, Type::RAW, Some(protocol)))?
            .with_context(|| format!("raw ICMP socket in namespace {}", inside.name()))?;
        Ok(Self {
            socket: socket.into(),
            destination,
            identifier,
        })
    }

    /// Sends one probe. An unreachable destination is an error, as from `ping`.
    pub(super) fn send(&self, sequence: u16, hop_limit: u8) -> io::Result<()> {
        let options = SockRef::from(&self.socket);
        match self.destination {
            IpAddr::V4(_) => options.set_ttl_v4(u32::from(hop_limit))?,
            IpAddr::V6(_) => options.set_unicast_hops_v6(u32::from(hop_limit))?,
        }
        let packet = request(self.destination, self.identifier, sequence);
        self.socket
            .send_to(&packet, SocketAddr::new(self.destination, 0))
            .map(|_| ())
    }

    /// Waits for an answer to one of our probes until `deadline`.
    pub(super) fn receive(&self, deadline: Instant) -> Option<Answer> {
        let mut buffer = [0; 512];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.set_read_timeout(Some(left)).ok()?;
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    let packet = buffer.get(..length).unwrap_or_default();
                    let read = match self.destination {
                        IpAddr::V4(_) => read_ipv4(packet),
                        IpAddr::V6(_) => read_ipv6(packet),
                    };
                    if let Some((kind, identifier, sequence)) = read
                        && identifier == self.identifier
                    {
                        return Some(Answer {
                            kind,
                            sequence,
                            from: from.ip(),
                        });
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    return None;
                }
                // A pending ICMP error is reported once; the next read goes on.
                Err(_) => (),
            }
        }
    }

    /// One round trip to the destination; `None` if nothing came back within `limit`.
    pub(super) fn ping(&self, sequence: u16, limit: Duration) -> Option<Duration> {
        self.round_trip(sequence, FAR, limit)
            .and_then(|(answer, time)| (answer.kind == AnswerKind::Echo).then_some(time))
    }

    /// The nodes on the way to the destination, as far as they answer, the destination included.
    pub(super) fn path(&self, longest: u8, limit: Duration) -> Vec<Hop> {
        let mut hops = Vec::new();
        for hop_limit in 1..=longest {
            // Numbers of their own, apart from those of pings.
            let sequence = 0x8000 | u16::from(hop_limit);
            let Some((answer, round_trip)) = self.round_trip(sequence, hop_limit, limit) else {
                break;
            };
            hops.push(Hop {
                address: answer.from,
                round_trip,
            });
            if answer.kind == AnswerKind::Echo {
                break;
            }
        }
        hops
    }

    fn round_trip(&self, sequence: u16, hops: u8, limit: Duration) -> Option<(Answer, Duration)> {
        let sent = Instant::now();
        self.send(sequence, hops).ok()?;
        loop {
            let answer = self.receive(sent + limit)?;
            if answer.sequence == sequence {
                return Some((answer, sent.elapsed()));
            }
        }
    }
}

const ECHO_REQUEST_V4: u8 = 8;
const ECHO_REPLY_V4: u8 = 0;
const TIME_EXCEEDED_V4: u8 = 11;
const ECHO_REQUEST_V6: u8 = 128;
const ECHO_REPLY_V6: u8 = 129;
const TIME_EXCEEDED_V6: u8 = 3;

/// An echo request: header (RFC 792, RFC 4443 §4.1) and 48 octets, 56 in all, as `ping` sends.
fn request(destination: IpAddr, identifier: u16, sequence: u16) -> [u8; 56] {
    let mut packet = [0x62; 56];
    let kind = if destination.is_ipv4() {
        ECHO_REQUEST_V4
    } else {
        ECHO_REQUEST_V6
    };
    let [i0, i1] = identifier.to_be_bytes();
    let [s0, s1] = sequence.to_be_bytes();
    packet[..8].copy_from_slice(&[kind, 0, 0, 0, i0, i1, s0, s1]);
    if destination.is_ipv4() {
        let sum = checksum(&packet).to_be_bytes();
        packet[2..4].copy_from_slice(&sum);
    }
    // For IPv6 the kernel fills it in.
    packet
}

/// The Internet checksum (RFC 1071).
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        [high] => u32::from(high) << 8,
        _ => 0,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// Kind, identifier and sequence of a packet as a raw IPv4 socket gives it: with the IP header.
fn read_ipv4(packet: &[u8]) -> Option<(AnswerKind, u16, u16)> {
    let icmp = after_ipv4_header(packet)?;
    match *icmp.first()? {
        ECHO_REPLY_V4 => numbers(icmp).map(|(i, s)| (AnswerKind::Echo, i, s)),
        TIME_EXCEEDED_V4 => {
            let inner = after_ipv4_header(icmp.get(8..)?)?;
            let ours = *inner.first()? == ECHO_REQUEST_V4;
            numbers(inner)
                .filter(|_| ours)
                .map(|(i, s)| (AnswerKind::Expired, i, s))
        }
        _ => None,
    }
}

/// The same as a raw ICMPv6 socket gives it: without the IP header.
fn read_ipv6(icmp: &[u8]) -> Option<(AnswerKind, u16, u16)> {
    match *icmp.first()? {
        ECHO_REPLY_V6 => numbers(icmp).map(|(i, s)| (AnswerKind::Echo, i, s)),
        TIME_EXCEEDED_V6 => {
            let inner = icmp.get(8 + 40..)?;
            let ours = *inner.first()? == ECHO_REQUEST_V6;
            numbers(inner)
                .filter(|_| ours)
                .map(|(i, s)| (AnswerKind::Expired, i, s))
        }
        _ => None,
    }
}

fn after_ipv4_header(packet: &[u8]) -> Option<&[u8]> {
    let words = usize::from(packet.first()? & 0x0f);
    packet.get(words * 4..)
}

fn numbers(icmp: &[u8]) -> Option<(u16, u16)> {
    match *icmp {
        [_, _, _, _, i0, i1, s0, s1, ..] => {
            Some((u16::from_be_bytes([i0, i1]), u16::from_be_bytes([s0, s1])))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    const SOMEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

    fn with_ipv4_header(icmp: &[u8]) -> Vec<u8> {
        let mut packet = vec![0x45];
        packet.resize(20, 0);
        packet.extend_from_slice(icmp);
        packet
    }

    #[test]
    fn a_request_sums_to_zero() {
        assert_eq!(checksum(&request(SOMEWHERE, 7, 9)), 0);
    }

    #[test]
    fn echo_and_expiry_give_the_numbers_of_the_probe() {
        let mut reply = request(SOMEWHERE, 7, 0x0102);
        reply[0] = ECHO_REPLY_V4;
        let read = read_ipv4(&with_ipv4_header(&reply));
        assert_eq!(read, Some((AnswerKind::Echo, 7, 0x0102)));

        let mut expired = vec![TIME_EXCEEDED_V4, 0, 0, 0, 0, 0, 0, 0];
        expired.extend(with_ipv4_header(&request(SOMEWHERE, 7, 3)));
        let read = read_ipv4(&with_ipv4_header(&expired));
        assert_eq!(read, Some((AnswerKind::Expired, 7, 3)));
    }

    #[test]
    fn cut_and_foreign_packets_are_nothing() {
        let mut reply = request(SOMEWHERE, 7, 1);
        reply[0] = ECHO_REPLY_V4;
        let whole = with_ipv4_header(&reply);
        for length in 0..28 {
            assert_eq!(read_ipv4(&whole[..length]), None, "{length} octets");
        }
        assert_eq!(
            read_ipv4(&with_ipv4_header(&request(SOMEWHERE, 7, 1))),
            None
        );
        assert_eq!(read_ipv6(&[TIME_EXCEEDED_V6; 50]), None);
        assert_eq!(read_ipv6(&[]), None);
    }
}
