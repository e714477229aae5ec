//! Properties of the codec over random values and hostile octets.

#[path = "wire_support/round_trip.rs"]
mod round_trip;
mod wire_support;

use babel_core::prefix::{Family, Prefix, RouteKey};
use babel_core::time::Interval;
use babel_core::types::{Metric, RouterId, SeqNo};
use babel_core::wire::{Ihu, PacketReader, SubTlvWriter, Tlv, Update, UpdateTarget};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use proptest::collection::vec;
use proptest::prelude::*;
use round_trip::{Said, check, write_all};
use wire_support::SOURCE;

/// Addresses that share long beginnings, and some that share nothing.
fn octets() -> impl Strategy<Value = [u8; 16]> {
    let clustered = (0_u8..3, 0_u8..3, 0_u8..17, any::<[u8; 16]>()).prop_map(
        |(network, subnet, keep, random)| {
            let mut octets = [
                0x20, 1, 0xd, 0xb8, 0, network, 0, subnet, 0, 0, 0, 0, 0, 0, 0, 0,
            ];
            let keep = usize::from(keep);
            octets[keep..].copy_from_slice(&random[keep..]);
            octets
        },
    );
    prop_oneof![3 => clustered, 1 => any::<[u8; 16]>()]
}

fn prefix(family: Family) -> impl Strategy<Value = Prefix> {
    let plen = match family {
        Family::V4 => prop_oneof![0_u8..33].boxed(),
        Family::V6 => prop_oneof![2 => 0_u8..129, 1 => Just(64), 1 => Just(128)].boxed(),
    };
    (octets(), plen).prop_map(move |(octets, plen)| {
        Prefix::from_octets(family, octets, plen).expect("a length of its family")
    })
}

fn route_key() -> impl Strategy<Value = RouteKey> {
    let of = |family| {
        (
            prefix(family),
            proptest::option::weighted(0.3, prefix(family)),
        )
            .prop_map(|(dst, src)| match src {
                Some(src) => RouteKey::source_specific(dst, src).expect("one family"),
                None => RouteKey::new(dst),
            })
    };
    prop_oneof![of(Family::V4), of(Family::V6)]
}

fn router_id() -> impl Strategy<Value = RouterId> {
    // Few, so that they repeat; some equal to the low half of an address above.
    prop_oneof![
        (1_u64..4).prop_map(|id| RouterId(id.to_be_bytes())),
        (1_u64..u64::MAX).prop_map(|id| RouterId(id.to_be_bytes())),
    ]
}

fn interval() -> impl Strategy<Value = Interval> {
    (1..=u16::MAX).prop_map(Interval::from_centis)
}

fn sub_tlvs() -> impl Strategy<Value = Vec<u8>> {
    vec((2_u8..128, vec(any::<u8>(), 0..12)), 0..4).prop_map(|list| {
        let mut octets = Vec::new();
        for (kind, body) in list {
            SubTlvWriter::new(&mut octets).push(kind, &body);
        }
        octets
    })
}

/// An Update as it will be read.
fn update() -> impl Strategy<Value = Said> {
    let fields = (route_key(), router_id(), any::<u16>(), interval());
    let host_id = prop::bool::weighted(0.2);
    let metric = prop_oneof![1 => Just(u16::MAX), 5 => any::<u16>()];
    let next_hop = proptest::option::of(any::<[u8; 4]>());
    (fields, metric, next_hop, host_id, sub_tlvs()).prop_map(
        |((key, router_id, seqno, interval), metric, v4, host_id, sub_tlvs)| {
            let next_hop = match (key.family(), v4) {
                (Family::V4, Some(octets)) => IpAddr::V4(Ipv4Addr::from(octets)),
                _ => IpAddr::V6(SOURCE),
            };
            let low = RouterId(key.dst().octets()[8..].try_into().expect("eight octets"));
            let router_id = if host_id && low.is_valid() {
                low
            } else {
                router_id
            };
            let metric = Metric(metric);
            let finite = !metric.is_infinite();
            let update = Update {
                target: UpdateTarget::Route(key),
                interval,
                seqno: SeqNo(seqno),
                metric,
                router_id: finite.then_some(router_id),
                next_hop: finite.then_some(next_hop),
                sub_tlvs: Default::default(),
            };
            (Tlv::Update(update), sub_tlvs)
        },
    )
}

fn wildcard() -> Said {
    let update = Update {
        target: UpdateTarget::Wildcard,
        interval: Interval::INFINITE,
        seqno: SeqNo(0),
        metric: Metric::INFINITY,
        router_id: None,
        next_hop: None,
        sub_tlvs: Default::default(),
    };
    (Tlv::Update(update), Vec::new())
}

fn ihu() -> impl Strategy<Value = Tlv<'static>> {
    let link_local =
        any::<u64>().prop_map(|id| Ipv6Addr::from_bits(0xfe80 << 112 | u128::from(id)).into());
    let address = prop_oneof![
        Just(None),
        any::<[u8; 4]>().prop_map(|v4| Some(IpAddr::from(v4))),
        any::<[u8; 16]>().prop_map(|v6| Some(IpAddr::from(v6))),
        link_local.prop_map(Some),
    ];
    let timestamps = proptest::option::of(any::<(u32, u32)>());
    (address, any::<u16>(), interval(), timestamps).prop_map(
        |(address, rxcost, interval, timestamps)| {
            Tlv::Ihu(Ihu {
                address,
                rxcost: Metric(rxcost),
                interval,
                timestamps,
            })
        },
    )
}

/// Anything the writer writes.
fn said() -> impl Strategy<Value = Said> {
    let hello = (
        any::<bool>(),
        any::<u16>(),
        any::<u16>(),
        any::<Option<u32>>(),
    )
        .prop_map(|(unicast, seqno, interval, timestamp)| Tlv::Hello {
            unicast,
            seqno: SeqNo(seqno),
            interval: Interval::from_centis(interval),
            timestamp,
        });
    let seqno_request = (route_key(), any::<u16>(), 1..=u8::MAX, router_id()).prop_map(
        |(key, seqno, hop_count, router_id)| Tlv::SeqnoRequest {
            key,
            seqno: SeqNo(seqno),
            hop_count,
            router_id,
        },
    );
    let others = prop_oneof![
        (any::<u16>(), interval())
            .prop_map(|(opaque, interval)| Tlv::AckRequest { opaque, interval }),
        any::<u16>().prop_map(|opaque| Tlv::Ack { opaque }),
        hello,
        ihu(),
        proptest::option::of(route_key()).prop_map(Tlv::RouteRequest),
        seqno_request,
    ];
    prop_oneof![
        6 => update(),
        1 => Just(wildcard()),
        3 => others.prop_map(|tlv| (tlv, Vec::new())),
    ]
}

/// What packets say, Router-Id and Next Hop TLVs left out, in the terms of [`said`].
fn read_all(packets: &[Vec<u8>]) -> Vec<Said> {
    packets
        .iter()
        .flat_map(|packet| {
            let reader = PacketReader::new(packet, SOURCE).expect("our own header");
            reader.filter_map(|tlv| match tlv {
                Tlv::RouterId(_) | Tlv::NextHop(_) => None,
                other => Some(round_trip::meaning(&other).expect("one of ours")),
            })
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_written_is_read(list in vec(said(), 0..120), max_len in 320_usize..1500) {
        let packets = write_all(&list, max_len);
        for packet in &packets {
            prop_assert!(packet.len() <= max_len);
        }
        prop_assert_eq!(read_all(&packets), list);
    }

    #[test]
    fn packets_are_full_before_the_next_begins(list in vec(said(), 50..120)) {
        // No TLV with what goes before it takes 300 octets, so no packet but the last has room
        // for that many more.
        let packets = write_all(&list, 1200);
        let (_, full) = packets.split_last().expect("one at least");
        for packet in full {
            prop_assert!(packet.len() > 900);
        }
    }

    #[test]
    fn random_octets_are_read_without_panic(body in vec(any::<u8>(), 0..600)) {
        check(&body);
        check(&wire_support::packet(&body));
    }

    #[test]
    fn random_tlvs_are_read_without_panic(
        tlvs in vec((0_u8..22, vec(any::<u8>(), 0..40)), 0..30),
    ) {
        check(&wire_support::packet(&framed(&tlvs)));
    }

    #[test]
    fn likely_but_wrong_updates_are_read_without_panic(
        tlvs in vec(
            (0_u8..6, any::<u8>(), 0_u8..140, 0_u8..20, any::<u16>(), vec(any::<u8>(), 0..24)),
            0..30,
        ),
    ) {
        let tlvs: Vec<_> = tlvs
            .into_iter()
            .map(|(ae, flags, plen, omitted, metric, rest)| {
                let [high, low] = metric.to_be_bytes();
                let mut body = vec![ae, flags, plen, omitted, 0, 1, 0, 1, high, low];
                body.extend(rest);
                (8, body)
            })
            .collect();
        check(&wire_support::packet(&framed(&tlvs)));
    }

    #[test]
    fn damaged_packets_are_read_without_panic(
        list in vec(said(), 1..40),
        flips in vec((any::<prop::sample::Index>(), 0_u8..8), 0..12),
        cut in any::<prop::sample::Index>(),
        lie in any::<u16>(),
    ) {
        for packet in write_all(&list, 1200) {
            let mut flipped = packet.clone();
            for (at, bit) in &flips {
                flipped[at.index(packet.len())] ^= 1 << bit;
            }
            check(&flipped);
            let kept = cut.index(packet.len());
            check(&packet[..kept]);
            if kept >= 4 {
                // Cut, with a header that says so: the last TLV lies about its length.
                check(&wire_support::packet(&packet[4..kept]));
            }
            let mut lying = packet.clone();
            lying[2..4].copy_from_slice(&lie.to_be_bytes());
            check(&lying);
        }
    }

    #[test]
    fn prefixes_are_put_together_as_the_rfc_says(
        updates in vec(raw_update(), 1..40),
    ) {
        // Conformance rows 8966-4.6.9-1 to 4, 8966-4.5-3, 9229-4.1-2, G-6.
        let tlvs: Vec<_> = updates.iter().map(|update| (8, update.body())).collect();
        let packet = wire_support::packet(&framed(&tlvs));
        let read: Vec<_> = PacketReader::new(&packet, SOURCE)
            .expect("a sound header")
            .map(|tlv| match tlv {
                Tlv::Update(Update { target: UpdateTarget::Route(key), .. }) => Some(*key.dst()),
                _ => None,
            })
            .collect();
        let mut reference = Reference::default();
        let expected: Vec<_> = updates.iter().map(|update| reference.read(update)).collect();
        prop_assert_eq!(read, expected);
    }
}

fn framed(tlvs: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut octets = Vec::new();
    for (kind, body) in tlvs {
        octets.push(*kind);
        octets.push(u8::try_from(body.len()).expect("a short body"));
        octets.extend_from_slice(body);
    }
    octets
}

/// A retraction, octet by octet.
#[derive(Clone, Debug)]
struct RawUpdate {
    ae: u8,
    prefix_flag: bool,
    plen: u8,
    omitted: u8,
    octets: Vec<u8>,
}

impl RawUpdate {
    fn body(&self) -> Vec<u8> {
        let flags = if self.prefix_flag { 0x80 } else { 0 };
        let mut body = vec![self.ae, flags, self.plen, self.omitted];
        body.extend([0, 1, 0, 1, 0xff, 0xff]);
        body.extend(&self.octets);
        body
    }
}

/// Mostly sound ones: as many octets as length and Omitted ask for.
fn raw_update() -> impl Strategy<Value = RawUpdate> {
    let ae = prop::sample::select(vec![1_u8, 2, 4]);
    (
        ae,
        any::<bool>(),
        0_u8..133,
        0_u8..18,
        octets(),
        0_usize..20,
    )
        .prop_map(|(ae, prefix_flag, plen, omitted, octets, slip)| {
            let plen = if ae == 2 { plen } else { plen % 35 };
            let omitted = if ae == 2 { omitted } else { omitted % 6 };
            let wanted = usize::from(plen).div_ceil(8).saturating_sub(omitted.into());
            let wanted = if slip == 0 {
                wanted.saturating_sub(1)
            } else {
                wanted
            };
            RawUpdate {
                ae,
                prefix_flag,
                plen,
                omitted,
                octets: octets.iter().copied().cycle().take(wanted).collect(),
            }
        })
}

/// RFC 8966 §4.6.9 by the letter, one bit at a time.
#[derive(Default)]
struct Reference {
    defaults: [Option<[u8; 16]>; 5],
}

impl Reference {
    fn read(&mut self, update: &RawUpdate) -> Option<Prefix> {
        let default = self.defaults[usize::from(update.ae)];
        let prefix = Self::decode(update, default);
        match prefix {
            None => self.defaults[usize::from(update.ae)] = None,
            Some(prefix) if update.prefix_flag => {
                self.defaults[usize::from(update.ae)] = Some(*prefix.octets());
            }
            Some(_) => {}
        }
        prefix
    }

    fn decode(update: &RawUpdate, default: Option<[u8; 16]>) -> Option<Prefix> {
        let family = if update.ae == 2 {
            Family::V6
        } else {
            Family::V4
        };
        let size = usize::from(update.plen).div_ceil(8);
        let omitted = usize::from(update.omitted);
        if update.plen > family.bits() || omitted > size {
            return None;
        }
        let mut octets = [0_u8; 16];
        for (at, octet) in octets.iter_mut().enumerate().take(size) {
            *octet = if at < omitted {
                default?[at]
            } else {
                *update.octets.get(at - omitted)?
            };
        }
        for bit in usize::from(update.plen)..128 {
            octets[bit / 8] &= !(0x80 >> (bit % 8));
        }
        Prefix::from_octets(family, octets, update.plen)
    }
}

#[test]
fn every_length_of_both_families_is_written_in_as_few_octets_as_hold_it_8966_4_1_5_1() {
    for (family, octets) in [
        (Family::V4, [0xff; 16]),
        (Family::V6, [0xff; 16]),
        (Family::V4, [0xa5; 16]),
        (Family::V6, [0xa5; 16]),
    ] {
        for plen in 0..=family.bits() {
            let key = RouteKey::new(Prefix::from_octets(family, octets, plen).expect("a length"));
            let request = (Tlv::RouteRequest(Some(key)), Vec::new());
            let packets = write_all(std::slice::from_ref(&request), 512);
            assert_eq!(packets[0].len(), 4 + 2 + 2 + usize::from(plen).div_ceil(8));
            assert_eq!(read_all(&packets), [request]);
        }
    }
}

#[test]
fn every_length_is_compressed_against_every_other_and_comes_back() {
    // Both share what they have; the second may be shorter than the default prefix.
    let family = Family::V6;
    let retract = |plen, octets| {
        let dst = Prefix::from_octets(family, octets, plen).expect("a length");
        let update = Update {
            target: UpdateTarget::Route(RouteKey::new(dst)),
            interval: Interval::from_centis(1),
            seqno: SeqNo(0),
            metric: Metric::INFINITY,
            router_id: None,
            next_hop: None,
            sub_tlvs: Default::default(),
        };
        (Tlv::Update(update), Vec::new())
    };
    for first in 0..=128 {
        for second in 0..=128 {
            let list = [retract(first, [0xa5; 16]), retract(second, [0xa5; 16])];
            let packets = write_all(&list, 512);
            assert_eq!(read_all(&packets), list, "/{first} then /{second}");
        }
    }
}
