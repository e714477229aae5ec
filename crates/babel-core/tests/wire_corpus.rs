//! Replays the fuzzer's seeds: every file holds one datagram. Those called `captured-…` were sent
//! by babeld 1.12.1 and BIRD 2.0.12 in network namespaces.

#[path = "wire_support/round_trip.rs"]
mod round_trip;

use babel_core::wire::{PacketReader, Tlv};
use core::net::Ipv6Addr;
use std::path::Path;

/// All seeds with their names, in the order of the names.
fn seeds() -> Vec<(String, Vec<u8>)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds/packet");
    let mut seeds: Vec<_> = std::fs::read_dir(&path)
        .expect("fuzz/seeds/packet is in the repository")
        .map(|entry| {
            let entry = entry.expect("a directory entry");
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).expect("a readable seed"))
        })
        .collect();
    seeds.sort();
    seeds
}

#[test]
fn every_seed_of_the_fuzzer_holds() {
    let seeds = seeds();
    assert!(seeds.len() >= 30, "only {} seeds", seeds.len());
    let mut tlvs = 0;
    for (name, datagram) in seeds {
        println!("{name}");
        tlvs += round_trip::check(&datagram);
    }
    assert!(tlvs >= 300, "the seeds hold only {tlvs} TLVs");
}

#[test]
fn nothing_that_peers_send_is_ignored() {
    let mut packets = 0;
    let mut updates = 0;
    for (name, datagram) in seeds() {
        if !name.starts_with("captured-") {
            continue;
        }
        packets += 1;
        let mut reader = PacketReader::new(&datagram, Ipv6Addr::LOCALHOST).expect("a packet");
        for tlv in reader.by_ref() {
            assert!(!matches!(tlv, Tlv::Ignored(_)), "{name}: {tlv:?}");
            updates += u32::from(matches!(tlv, Tlv::Update(_)));
        }
        assert!(!reader.overrun(), "{name}");
    }
    assert!(
        packets >= 15 && updates >= 200,
        "{packets} packets, {updates} Updates"
    );
}
