//! What the wire tests share: hex in and out, packets around TLVs, short names for values.

#![allow(dead_code, reason = "each test binary uses its own part")]

use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::Interval;
use babel_core::types::{Metric, RouterId, SeqNo};
use babel_core::wire::{NextHopOut, PacketReader, PacketWriter, Tlv, UpdateOut, UpdateTarget};
use core::net::{IpAddr, Ipv6Addr};

/// The source of every packet here.
pub(crate) const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x99);

/// Octets from hexadecimal text; white space is for the reader.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).expect("hexadecimal digit") as u8)
        .collect();
    assert_eq!(digits.len() % 2, 0, "odd number of digits in {text}");
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// A packet around these TLVs.
pub(crate) fn packet(body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(body.len()).expect("a short body");
    let mut octets = vec![42, 2];
    octets.extend_from_slice(&len.to_be_bytes());
    octets.extend_from_slice(body);
    octets
}

/// One TLV.
pub(crate) fn tlv(kind: u8, body: &str) -> Vec<u8> {
    let body = hex(body);
    let mut octets = vec![kind, u8::try_from(body.len()).expect("a short TLV")];
    octets.extend_from_slice(&body);
    octets
}

/// Reads a packet whose body is this hexadecimal text, and hands over what was read.
pub(crate) fn with_read<T>(body: &str, look: impl FnOnce(&[Tlv<'_>]) -> T) -> T {
    let octets = packet(&hex(body));
    let tlvs: Vec<_> = PacketReader::new(&octets, SOURCE)
        .expect("a sound header")
        .collect();
    look(&tlvs)
}

/// The body that `write` makes.
pub(crate) fn written(write: impl FnOnce(&mut PacketWriter)) -> Vec<u8> {
    let mut writer = PacketWriter::new(Vec::new(), 1400);
    write(&mut writer);
    let octets = writer.finish();
    assert_eq!(&octets[..2], &[42, 2]);
    let claimed = usize::from(u16::from_be_bytes([octets[2], octets[3]]));
    assert_eq!(
        claimed,
        octets.len() - 4,
        "the header says the body's length"
    );
    octets[4..].to_vec()
}

pub(crate) fn show(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

pub(crate) fn p(text: &str) -> Prefix {
    text.parse().expect("a prefix")
}

pub(crate) fn key(text: &str) -> RouteKey {
    match text.split_once(" from ") {
        None => RouteKey::new(p(text)),
        Some((dst, src)) => RouteKey::source_specific(p(dst), p(src)).expect("one family"),
    }
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

pub(crate) fn id(number: u64) -> RouterId {
    RouterId(number.to_be_bytes())
}

pub(crate) fn cs(centis: u16) -> Interval {
    Interval::from_centis(centis)
}

/// A finite Update of ours with plain values.
pub(crate) fn update_out(route: &str, router_id: u64) -> UpdateOut<'static> {
    UpdateOut {
        key: key(route),
        router_id: id(router_id),
        seqno: SeqNo(0x1234),
        metric: Metric(0x0100),
        interval: cs(1600),
        next_hop: NextHopOut::Source,
        sub_tlvs: &[],
    }
}

/// What a packet with this body says, one short text a TLV: `10.0.0.0/8 by 7 via 192.0.2.1`,
/// `retract ::/0`, `NoRouterId` for an ignored one, the name for others.
pub(crate) fn says(body: &str) -> Vec<String> {
    with_read(body, |tlvs| tlvs.iter().map(brief).collect())
}

fn brief(tlv: &Tlv<'_>) -> String {
    match tlv {
        Tlv::Update(update) => match update.target {
            UpdateTarget::Wildcard => "retract all".to_owned(),
            UpdateTarget::Route(key) if update.metric.is_infinite() => format!("retract {key}"),
            UpdateTarget::Route(key) => format!(
                "{key} by {} via {}",
                u64::from_be_bytes(update.router_id.expect("a router-id").0),
                update.next_hop.expect("a next hop"),
            ),
        },
        Tlv::Ignored(reason) => format!("{reason:?}"),
        Tlv::RouteRequest(Some(key)) => format!("request {key}"),
        Tlv::RouteRequest(None) => "request all".to_owned(),
        Tlv::SeqnoRequest { key, .. } => format!("seqno request {key}"),
        Tlv::AckRequest { .. } => "ack request".to_owned(),
        Tlv::Ack { .. } => "ack".to_owned(),
        Tlv::Hello { .. } => "hello".to_owned(),
        Tlv::Ihu(_) => "ihu".to_owned(),
        Tlv::RouterId(id) => format!("router-id {}", u64::from_be_bytes(id.0)),
        Tlv::NextHop(address) => format!("next hop {address}"),
        Tlv::Pc { .. } | Tlv::ChallengeRequest { .. } | Tlv::ChallengeReply { .. } => {
            "authentication".to_owned()
        }
    }
}
