//! The one property of the codec that holds for any octets: reading does not panic, and what was
//! read can be written and read again as the same.
//!
//! Shared by the property tests, the replay of the corpus and the fuzz target.

use babel_core::time::Interval;
use babel_core::types::SeqNo;
use babel_core::wire::{
    NextHopOut, PacketReader, PacketWriter, SubTlvWriter, Tlv, Update, UpdateOut, UpdateTarget,
};
use core::net::{IpAddr, Ipv6Addr};

/// Source of all packets.
const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0x99);
/// Longest list of extension sub-TLVs that the writer takes.
const MAX_EXTENSION_LEN: usize = 210;

/// A TLV without borrows, and the sub-TLVs shown to the extension.
pub(crate) type Said = (Tlv<'static>, Vec<u8>);

/// Checks the property; panics where it does not hold. Returns how many TLVs were read.
pub(crate) fn check(datagram: &[u8]) -> usize {
    let Ok(mut reader) = PacketReader::new(datagram, SOURCE) else {
        return 0;
    };
    let tlvs: Vec<_> = reader.by_ref().collect();
    assert!(tlvs.len() * 2 <= datagram.len(), "a TLV has two octets");
    assert!(reader.next().is_none(), "the end is the end");
    let said: Vec<_> = tlvs.iter().filter_map(meaning).collect();
    // The least packet size, and one that holds anything.
    for max_len in [512, 65_539] {
        let mut again = Vec::new();
        for packet in write_all(&said, max_len) {
            assert!(packet.len() <= max_len);
            let mut reader = PacketReader::new(&packet, SOURCE).expect("our own header");
            for tlv in reader.by_ref() {
                assert!(!matches!(tlv, Tlv::Ignored(_)), "we sent {tlv:?}");
                again.extend(meaning(&tlv));
            }
            assert!(!reader.overrun());
            assert!(reader.trailer().is_empty());
        }
        assert_eq!(again, said);
    }
    tlvs.len()
}

/// What survives being written: nothing for TLVs that only serve others or that we never send,
/// and no more than we promise for the rest.
pub(crate) fn meaning(tlv: &Tlv<'_>) -> Option<Said> {
    let plain = match *tlv {
        Tlv::Update(update) => return Some(meaning_of_update(&update)),
        Tlv::SeqnoRequest { hop_count: 0, .. } => return None,
        Tlv::SeqnoRequest {
            key,
            seqno,
            hop_count,
            router_id,
        } => Tlv::SeqnoRequest {
            key,
            seqno,
            hop_count,
            router_id,
        },
        Tlv::AckRequest { opaque, interval } => Tlv::AckRequest { opaque, interval },
        Tlv::Ack { opaque } => Tlv::Ack { opaque },
        Tlv::Hello {
            unicast,
            seqno,
            interval,
            timestamp,
        } => Tlv::Hello {
            unicast,
            seqno,
            interval,
            timestamp,
        },
        Tlv::Ihu(ihu) => Tlv::Ihu(ihu),
        Tlv::RouteRequest(key) => Tlv::RouteRequest(key),
        Tlv::RouterId(_)
        | Tlv::NextHop(_)
        | Tlv::Pc { .. }
        | Tlv::ChallengeRequest { .. }
        | Tlv::ChallengeReply { .. }
        | Tlv::Ignored(_) => return None,
    };
    Some((plain, Vec::new()))
}

fn meaning_of_update(update: &Update<'_>) -> Said {
    let mut sub_tlvs = Vec::new();
    for sub_tlv in update.sub_tlvs {
        assert!(sub_tlv.kind > 1 && sub_tlv.kind < 128, "shown to nobody");
        SubTlvWriter::new(&mut sub_tlvs).push(sub_tlv.kind, sub_tlv.body);
    }
    if sub_tlvs.len() > MAX_EXTENSION_LEN {
        sub_tlvs.clear();
    }
    let mut update = Update {
        target: update.target,
        interval: Interval::from_centis(update.interval.centis().max(1)),
        seqno: update.seqno,
        metric: update.metric,
        router_id: update.router_id,
        // We name IPv4 next hops only; an IPv6 one is our own address.
        next_hop: update.next_hop.map(|next_hop| match next_hop {
            IpAddr::V4(_) => next_hop,
            IpAddr::V6(_) => IpAddr::V6(SOURCE),
        }),
        sub_tlvs: Default::default(),
    };
    if update.metric.is_infinite() {
        // Not used in a retraction (RFC 8966 §4.6.9).
        update.router_id = None;
        update.next_hop = None;
    }
    if update.target == UpdateTarget::Wildcard {
        update.interval = Interval::INFINITE;
        update.seqno = SeqNo(0);
        sub_tlvs.clear();
    }
    (Tlv::Update(update), sub_tlvs)
}

/// Writes all of this into as many packets as it takes.
pub(crate) fn write_all(said: &[Said], max_len: usize) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut writer = PacketWriter::new(Vec::new(), max_len);
    for one in said {
        if write(&mut writer, one).is_err() {
            assert!(!writer.is_empty(), "{one:?} does not fit any packet");
            packets.push(writer.finish());
            writer = PacketWriter::new(Vec::new(), max_len);
            write(&mut writer, one).expect("an empty packet takes any TLV");
        }
    }
    packets.push(writer.finish());
    packets
}

fn write(writer: &mut PacketWriter, (tlv, sub_tlvs): &Said) -> Result<(), babel_core::wire::Full> {
    match tlv {
        Tlv::AckRequest { opaque, interval } => writer.ack_request(*opaque, *interval),
        Tlv::Ack { opaque } => writer.ack(*opaque),
        Tlv::Hello {
            unicast,
            seqno,
            interval,
            timestamp,
        } => writer.hello(*unicast, *seqno, *interval, *timestamp),
        Tlv::Ihu(ihu) => writer.ihu(ihu),
        Tlv::Update(update) => match update.target {
            UpdateTarget::Wildcard => writer.wildcard_retraction(),
            UpdateTarget::Route(key) => writer.update(&UpdateOut {
                key,
                router_id: update.router_id.unwrap_or_default(),
                seqno: update.seqno,
                metric: update.metric,
                interval: update.interval,
                next_hop: match update.next_hop {
                    Some(IpAddr::V4(next_hop)) => NextHopOut::V4(next_hop),
                    Some(IpAddr::V6(_)) | None => NextHopOut::Source,
                },
                sub_tlvs,
            }),
        },
        Tlv::RouteRequest(key) => writer.route_request(key.as_ref()),
        Tlv::SeqnoRequest {
            key,
            seqno,
            hop_count,
            router_id,
        } => writer.seqno_request(key, *seqno, *hop_count, *router_id),
        other => panic!("not ours to send: {other:?}"),
    }
}
