//! Cost of one Update on the wire, decoded and encoded: `cargo bench -p babel-core --bench wire`.
//!
//! Each iteration handles one full packet of 1448 octets or less; the counter is Updates, so
//! divan's items per second are Updates per second.

use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::Interval;
use babel_core::types::{Metric, RouterId, SeqNo};
use babel_core::wire::{NextHopOut, PacketReader, PacketWriter, Tlv, UpdateOut};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// Ethernet's MTU less the headers of IPv6 and UDP, and four octets as stock babeld does.
const MAX_LEN: usize = 1448;
/// Type 112, eight octets: the shape of a price.
const PRICE: [u8; 10] = [112, 8, 0x42, 0x50, 0, 0, 0, 0, 0, 7];

fn main() {
    divan::main();
}

/// The mixes of Updates that are measured.
#[derive(Clone, Copy, Debug)]
enum Mix {
    /// /64s all over fd00::/8, eight in a row from one originator.
    ScatteredIpv6,
    /// Adjacent /64s from one originator.
    DenseIpv6,
    /// /24s behind one IPv4 next hop.
    Ipv4,
    /// As scattered, each with a sub-TLV of eight octets.
    Priced,
}

const MIXES: [Mix; 4] = [Mix::ScatteredIpv6, Mix::DenseIpv6, Mix::Ipv4, Mix::Priced];

/// More Updates than a packet holds.
fn updates(mix: Mix) -> Vec<UpdateOut<'static>> {
    (0..256_u64).map(|n| update(mix, n)).collect()
}

fn update(mix: Mix, n: u64) -> UpdateOut<'static> {
    // An odd multiplier scatters n over the upper bits and never repeats.
    let scattered = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8 | 0xfd << 56;
    let (address, plen) = match mix {
        Mix::ScatteredIpv6 | Mix::Priced => (v6(scattered), 64),
        Mix::DenseIpv6 => (v6(0x2001_0db8_0000_0000 + n), 64),
        Mix::Ipv4 => (
            IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 | (n as u32) << 8)),
            24,
        ),
    };
    let router = match mix {
        Mix::ScatteredIpv6 | Mix::Priced => n / 8,
        Mix::DenseIpv6 | Mix::Ipv4 => 0,
    };
    UpdateOut {
        key: RouteKey::new(Prefix::new(address, plen).expect("a length of its family")),
        router_id: RouterId((0x0200_0000_0000_0001 + router).to_be_bytes()),
        seqno: SeqNo(n as u16),
        metric: Metric(256),
        interval: Interval::from_centis(1600),
        next_hop: match mix {
            Mix::Ipv4 => NextHopOut::V4(Ipv4Addr::new(192, 0, 2, 1)),
            Mix::ScatteredIpv6 | Mix::DenseIpv6 | Mix::Priced => NextHopOut::Source,
        },
        sub_tlvs: match mix {
            Mix::Priced => &PRICE,
            Mix::ScatteredIpv6 | Mix::DenseIpv6 | Mix::Ipv4 => &[],
        },
    }
}

fn v6(high: u64) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64))
}

/// Writes Updates until the packet is full; how many went in.
fn fill(writer: &mut PacketWriter, updates: &[UpdateOut<'_>]) -> usize {
    updates
        .iter()
        .position(|update| writer.update(update).is_err())
        .unwrap_or(updates.len())
}

#[divan::bench(args = MIXES)]
fn encode(bencher: Bencher<'_, '_>, mix: Mix) {
    let updates = updates(mix);
    let mut buffer = Vec::new();
    let mut writer = PacketWriter::new(core::mem::take(&mut buffer), MAX_LEN);
    let count = fill(&mut writer, &updates);
    buffer = writer.finish();
    bencher.counter(ItemsCount::new(count)).bench_local(|| {
        let mut writer = PacketWriter::new(core::mem::take(&mut buffer), MAX_LEN);
        fill(&mut writer, black_box(&updates));
        buffer = writer.finish();
        black_box(buffer.len())
    });
}

#[divan::bench(args = MIXES)]
fn decode(bencher: Bencher<'_, '_>, mix: Mix) {
    let mut writer = PacketWriter::new(Vec::new(), MAX_LEN);
    let count = fill(&mut writer, &updates(mix));
    let packet = writer.finish();
    let read = |packet: &[u8]| {
        PacketReader::new(packet, SOURCE)
            .expect("our own packet")
            .filter(|tlv| match tlv {
                Tlv::Update(update) => {
                    black_box(update);
                    true
                }
                _ => false,
            })
            .count()
    };
    assert_eq!(read(&packet), count, "all Updates arrive");
    bencher
        .counter(ItemsCount::new(count))
        .bench_local(|| read(black_box(&packet)));
}
