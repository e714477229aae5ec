//! The examples in the specification mean what they say, and its tests exist.

use babel_core::ext::{Extension, Origin};
use babel_core::types::{LinkId, Metric, NeighbourId, SeqNo};
use babel_core::wire::{PacketReader, SubTlvWriter, Tlv, Update, UpdateTarget};
use babel_price_tlv::{Price, PriceExtension, RoutePrice, Unit};
use std::collections::BTreeSet;
use std::net::Ipv6Addr;
use std::path::Path;

const SENDER: Ipv6Addr = Ipv6Addr::new(0xFE80, 0, 0, 0, 0, 0, 0, 1);

/// One fenced block: the words after the fence, and its lines without comments.
struct Block {
    info: String,
    lines: Vec<String>,
}

fn blocks(kind: &str) -> Vec<Block> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../rfcs/draft-babel-price-00.md"
    );
    let text = std::fs::read_to_string(path).expect("the draft can be read");
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let Some(info) = line.strip_prefix("```") else {
            continue;
        };
        let body = lines.by_ref().take_while(|line| *line != "```");
        let strip = |line: &str| line.split(';').next().unwrap_or_default().trim().to_owned();
        let lines = body.map(strip).collect();
        if let Some(info) = info.strip_prefix(kind) {
            let info = info.trim().to_owned();
            found.push(Block { info, lines });
        }
    }
    found
}

fn octets(lines: &[String]) -> Vec<u8> {
    lines
        .iter()
        .flat_map(|line| line.split_whitespace())
        .map(|pair| u8::from_str_radix(pair, 16).expect("two hexadecimal digits"))
        .collect()
}

fn node(unit: Unit) -> PriceExtension {
    let mut node = PriceExtension::new();
    node.set_enabled(true);
    node.set_unit(unit);
    node
}

fn example_packet() -> Vec<u8> {
    let blocks = blocks("packet");
    let [block] = &blocks[..] else {
        panic!("the draft has one packet")
    };
    octets(&block.lines)
}

fn the_update(packet: &[u8]) -> Update<'_> {
    let mut reader = PacketReader::new(packet, SENDER).expect("a packet");
    let update = reader.by_ref().find_map(|tlv| match tlv {
        Tlv::Update(update) => Some(update),
        Tlv::Ignored(why) => panic!("ignored: {why:?}"),
        _ => None,
    });
    assert_eq!(reader.next(), None);
    assert!(!reader.overrun() && reader.trailer().is_empty());
    update.expect("an Update")
}

/// The example packet with other sub-TLVs in place of its own.
fn packet_with(sub_tlvs: &[u8]) -> Vec<u8> {
    let mut packet = example_packet();
    let end = packet.len() - 10;
    packet.truncate(end);
    packet.extend(sub_tlvs);
    let body = u8::try_from(packet.len() - 4).expect("short");
    packet[3] = body;
    // The Update follows the header and a Router-Id TLV of twelve octets.
    packet[17] = body - 12 - 2;
    packet
}

/// "unit U price P [return R]" or "unpriced".
fn meaning(info: &str) -> RoutePrice {
    let words: Vec<&str> = info.split_whitespace().collect();
    let number = |word: &str| Price::from_wire(word.parse().expect("a number"));
    match words[..] {
        ["unpriced"] => RoutePrice::Unpriced,
        ["unit", unit, "price", price] => {
            RoutePrice::new(unit.parse().expect("a unit"), number(price))
        }
        ["unit", unit, "price", price, "return", back] => {
            RoutePrice::with_return(unit.parse().expect("a unit"), number(price), number(back))
        }
        _ => panic!("{info:?}"),
    }
}

#[test]
fn the_example_packet_is_the_update_it_says() {
    let packet = example_packet();
    let update = the_update(&packet);
    let prefix = "2001:db8:c::/48".parse().expect("a prefix");
    assert!(matches!(update.target, UpdateTarget::Route(key) if *key.dst() == prefix));
    assert_eq!(update.interval.centis(), 1600);
    assert_eq!(update.seqno, SeqNo(7));
    assert_eq!(update.metric, Metric(96));
    let router_id = update.router_id.map(|id| id.to_string());
    assert_eq!(router_id.as_deref(), Some("02:00:00:ff:fe:00:00:0c"));
    let price = node(Unit::NAMELESS).decode(update.sub_tlvs);
    assert_eq!(
        price,
        RoutePrice::new(Unit::NAMELESS, Price::saturating(35))
    );
}

#[test]
fn each_example_sub_tlv_means_what_it_says() {
    let examples = blocks("sub-tlv");
    assert!(examples.len() >= 10, "{} examples", examples.len());
    for example in examples {
        let packet = packet_with(&octets(&example.lines));
        let got = node(Unit::NAMELESS).decode(the_update(&packet).sub_tlvs);
        assert_eq!(got, meaning(&example.info), "{}", example.info);
    }
}

#[test]
fn what_we_write_are_the_examples_of_defined_length() {
    let mut written = 0;
    for example in blocks("sub-tlv") {
        let value = meaning(&example.info);
        let want = octets(&example.lines);
        let canonical = [8, 12].contains(&want[1]) && value.is_priced();
        if canonical {
            let mut out = Vec::new();
            let unit = value.unit().unwrap_or_default();
            node(unit).encode(value, &mut SubTlvWriter::new(&mut out));
            assert_eq!(out, want, "{}", example.info);
            written += 1;
        }
    }
    assert!(written >= 5, "{written} examples");
}

#[test]
fn the_example_sums_come_out() {
    let blocks = blocks("sums");
    let [block] = &blocks[..] else {
        panic!("the draft has one table of sums")
    };
    assert!(!block.lines.is_empty());
    let price = |word: &str| match word {
        "-" => RoutePrice::Unpriced,
        amount => RoutePrice::new(
            Unit::NAMELESS,
            Price::from_wire(amount.parse().expect("a number")),
        ),
    };
    for line in &block.lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [cost, fee, told] = words[..] else {
            panic!("{line:?}")
        };
        let mut node = node(Unit::NAMELESS);
        node.set_fee(fee.parse().expect("a fee"));
        let held = node.learned(price(cost), NeighbourId(1), 0);
        let got = node.advertised(held, Origin::Learned, LinkId(1), 0);
        assert_eq!(got, price(told), "{line}");
    }
}

/// Names of all functions in the Rust sources under a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source file");
            let name = |line: &str| {
                let (name, _) = line.trim().strip_prefix("fn ")?.split_once('(')?;
                Some(name.to_owned())
            };
            found.extend(text.lines().filter_map(name));
        }
    }
}

#[test]
fn each_test_named_here_exists() {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut known = BTreeSet::new();
    for crates in ["crates", "interop-tests"] {
        functions(&root.join(crates), &mut known);
    }
    let table = root.join("rfcs/price-conformance.md");
    let table = std::fs::read_to_string(table).expect("the table can be read");
    let rows = table.lines().filter(|line| line.starts_with("| "));
    let named: Vec<&str> = rows
        .filter_map(|row| row.rsplit('|').nth(1))
        .flat_map(|tests| tests.split('`').skip(1).step_by(2))
        .collect();
    assert!(named.len() > 30, "{} names", named.len());
    for name in named {
        assert!(known.contains(name), "no test is called {name}");
    }
}
