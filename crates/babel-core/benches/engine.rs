//! Cost of one Update in the engine: `cargo bench -p babel-core --bench engine`.
//!
//! Octets go in as they come from a socket, changes for the kernel and octets come out; nothing
//! touches an operating system. The counter is Updates, so divan's items per second are Updates
//! per second, which must not depend on the size of the table. Memory is measured first, from the
//! resident set, because a heap that was used before hides what a table takes.

use babel_core::Engine;
use babel_core::auth::Entropy;
use babel_core::config::{Config, Limits, LinkConfig, LinkState};
use babel_core::event::{Event, FibChange};
use babel_core::filter::Filters;
use babel_core::policy::BabelMetric;
use babel_core::prefix::{Prefix, RouteKey};
use babel_core::time::{Instant, Interval};
use babel_core::types::{LinkId, Metric, RouterId, SeqNo};
use babel_core::wire::{Ihu, NextHopOut, PacketWriter, TlvKind, UpdateOut};
use core::net::{IpAddr, Ipv6Addr};
use core::ops::Range;
use core::time::Duration;
use divan::counter::ItemsCount;
use divan::{Bencher, black_box};

/// Here the neighbours under load are.
const WEST: LinkId = LinkId(1);
/// Here somebody listens.
const EAST: LinkId = LinkId(2);
const OURS: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
/// Long enough that nothing expires while virtual time passes.
const LONG: Interval = Interval::from_centis(60_000);
/// Changes asked for at once, as the daemon does.
const BATCH: usize = 256;

const SIZES: [u64; 3] = [1_000, 10_000, 100_000];

fn main() {
    // Not when divan is asked to list or to test.
    if std::env::args().any(|argument| argument == "--bench") {
        print_memory();
    }
    divan::main();
}

/// A node, and time as it passes for it.
struct Bench {
    node: Engine<(), BabelMetric>,
    now: Instant,
    changes: Vec<FibChange>,
    /// Changes for the kernel so far.
    writes: u64,
    buffer: Vec<u8>,
}

impl Bench {
    /// A node with a listener in the east and `neighbours` in the west.
    fn new(neighbours: u16) -> Self {
        let config = Config {
            router_id: RouterId([2, 0, 0, 0, 0, 0, 0, 1]),
            seqno: SeqNo(1),
            smoothing_half_life: Duration::ZERO,
            filters: Filters::default(),
            limits: Limits::default(),
            seed: 7,
            entropy: Entropy::new([7; 32]),
        };
        let mut bench = Self {
            node: Engine::new(config, (), BabelMetric),
            now: Instant::from_micros(1_000_000_000),
            changes: Vec::new(),
            writes: 0,
            buffer: Vec::new(),
        };
        for (link, name) in [(WEST, "west"), (EAST, "east")] {
            let mut config = LinkConfig::new(name);
            config.split_horizon = true;
            config.update_interval = Duration::from_secs(300);
            let state = LinkState {
                address: OURS,
                ipv4: None,
                mtu: 1500,
            };
            bench.event(Event::LinkUp {
                link,
                config,
                state,
            });
        }
        bench.join(EAST, 1);
        (1..=neighbours).for_each(|n| bench.join(WEST, n));
        bench.run(Duration::from_secs(5));
        bench
    }

    fn event(&mut self, event: Event<'_>) {
        self.node.handle_event(self.now, event);
        self.drain_fib();
    }

    fn packet(&mut self, link: LinkId, n: u16, payload: &[u8]) {
        self.event(Event::Packet {
            link,
            source: neighbour(n),
            multicast: true,
            payload,
        });
    }

    fn packets(&mut self, n: u16, packets: &[Vec<u8>]) {
        for packet in packets {
            self.packet(WEST, n, packet);
        }
    }

    /// As [`Self::packets`], but what follows from each packet is sent as time passes.
    fn relay(&mut self, n: u16, packets: &[Vec<u8>]) {
        for packet in packets {
            self.packet(WEST, n, packet);
            self.run(Duration::from_micros(100));
        }
    }

    fn drain_fib(&mut self) {
        while self.node.has_fib_changes() {
            self.changes.clear();
            self.node.poll_fib(BATCH, &mut self.changes);
            self.writes += self.changes.len() as u64;
            black_box(&self.changes);
        }
    }

    fn drain_transmit(&mut self) {
        while let Some(transmit) = self.node.poll_transmit(self.now, &mut self.buffer) {
            black_box((transmit, &self.buffer));
        }
    }

    /// Lets time pass, with everything that is due in it.
    fn run(&mut self, duration: Duration) {
        let end = self.now + duration;
        self.drain_transmit();
        while let Some(next) = self.node.poll_timeout().filter(|next| *next <= end) {
            self.now = next.max(self.now);
            self.node.handle_timeout(self.now);
            self.drain_fib();
            self.drain_transmit();
        }
        self.now = end;
    }

    /// Sends until all that waits has left.
    fn flush(&mut self) {
        self.run(Duration::from_secs(3));
    }

    /// Two Hellos and an IHU make a neighbour usable.
    fn join(&mut self, link: LinkId, n: u16) {
        let ihu = Ihu {
            address: Some(IpAddr::V6(OURS)),
            rxcost: Metric(96),
            interval: LONG,
            timestamps: None,
        };
        let mut packet = writer();
        for seqno in [1, 2] {
            packet.hello(false, SeqNo(seqno), LONG, None).expect("fits");
        }
        packet.ihu(&ihu).expect("fits");
        self.packet(link, n, &packet.finish());
    }

    /// A Hello out of any order: the neighbour has forgotten its former life (RFC 8966 A.1).
    fn restart(&mut self, n: u16) {
        let mut packet = writer();
        packet
            .hello(false, SeqNo(30_000), LONG, None)
            .expect("fits");
        self.packet(WEST, n, &packet.finish());
    }

    fn updates_sent(&self) -> u64 {
        let sent = &self.node.counters().tlvs_sent;
        sent.get(TlvKind::Update.index()).copied().unwrap_or(0)
    }

    fn selected(&self) -> u64 {
        self.node.route_counts().selected as u64
    }
}

/// A node with one neighbour that announced the prefixes, told onward.
fn loaded(prefixes: Range<u64>, metric: Metric) -> Bench {
    let mut bench = Bench::new(1);
    let count = prefixes.end - prefixes.start;
    bench.packets(1, &packets(prefixes, metric));
    bench.flush();
    assert_eq!(bench.selected(), count, "all are in use");
    bench
}

fn neighbour(n: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 1, n)
}

fn writer() -> PacketWriter {
    PacketWriter::new(Vec::new(), 1452)
}

/// /64s all over fd00::/8, eight to an originator.
fn update(n: u64, metric: Metric) -> UpdateOut<'static> {
    // An odd multiplier scatters n over the upper bits and never repeats.
    let high = n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 8 | 0xfd << 56;
    let address = IpAddr::V6(Ipv6Addr::from_bits(u128::from(high) << 64));
    UpdateOut {
        key: RouteKey::new(Prefix::new(address, 64).expect("a length of its family")),
        router_id: RouterId((0x0200_0000_0001_0000 + n / 8).to_be_bytes()),
        seqno: SeqNo(1),
        metric,
        interval: LONG,
        next_hop: NextHopOut::Source,
        sub_tlvs: &[],
    }
}

/// Full packets that announce the prefixes.
fn packets(prefixes: Range<u64>, metric: Metric) -> Vec<Vec<u8>> {
    let mut packets = Vec::new();
    let mut packet = writer();
    for n in prefixes {
        let update = update(n, metric);
        if packet.update(&update).is_err() {
            packets.push(core::mem::replace(&mut packet, writer()).finish());
            packet.update(&update).expect("fits into an empty packet");
        }
    }
    packets.push(packet.finish());
    packets
}

/// Octets in use by this process.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("this is Linux");
    let pages = statm
        .split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}

fn print_memory() {
    const COUNT: u64 = 100_000;
    let mut bench = Bench::new(1);
    let empty = resident();
    // A few at a time, so that the packets themselves take nothing to speak of.
    for start in (0..COUNT).step_by(1000) {
        bench.packets(1, &packets(start..start + 1000, Metric(100)));
    }
    let learned = resident();
    bench.flush();
    let told = resident();
    assert_eq!(bench.selected(), COUNT, "all are in use");
    println!(
        "memory at {COUNT} routes: {} octets a route learned, {} announced as well",
        (learned - empty) / COUNT,
        (told - empty) / COUNT,
    );
}

/// New routes from one neighbour.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn new_routes(bencher: Bencher<'_, '_>, size: u64) {
    let packets = packets(0..size, Metric(100));
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| Bench::new(1))
        .bench_local_values(|mut bench| {
            bench.packets(1, &packets);
            bench
        });
}

/// New routes from one neighbour, told onward while they come.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn new_routes_relayed(bencher: Bencher<'_, '_>, size: u64) {
    let packets = packets(0..size, Metric(100));
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| Bench::new(1))
        .bench_local_values(|mut bench| {
            bench.relay(1, &packets);
            bench.flush();
            bench
        });
}

/// The same again: what a stable network consists of.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn refresh(bencher: Bencher<'_, '_>, size: u64) {
    let packets = packets(0..size, Metric(100));
    let mut bench = loaded(0..size, Metric(100));
    bencher
        .counter(ItemsCount::new(size))
        .bench_local(|| bench.packets(1, &packets));
}

/// The neighbour in use gets worse than the other for every prefix.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn metric_change(bencher: Bencher<'_, '_>, size: u64) {
    let worse = packets(0..size, Metric(190));
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| {
            let mut bench = Bench::new(2);
            bench.packets(1, &packets(0..size, Metric(100)));
            bench.packets(2, &packets(0..size, Metric(150)));
            bench.flush();
            bench
        })
        .bench_local_values(|mut bench| {
            bench.packets(1, &worse);
            assert_eq!(bench.writes, 2 * size, "chosen, then left");
            bench
        });
}

/// Every prefix is retracted by the only neighbour that had it.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn retraction(bencher: Bencher<'_, '_>, size: u64) {
    let packets = packets(0..size, Metric::INFINITY);
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| loaded(0..size, Metric(100)))
        .bench_local_values(|mut bench| {
            bench.packets(1, &packets);
            assert_eq!(bench.writes, 2 * size, "chosen, then unreachable");
            bench
        });
}

/// The neighbour in use retracts every prefix, and the other one's routes are unfeasible: for each
/// a new seqno is asked for.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn starvation(bencher: Bencher<'_, '_>, size: u64) {
    let retractions = packets(0..size, Metric::INFINITY);
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| {
            let mut bench = Bench::new(2);
            bench.packets(1, &packets(0..size, Metric(100)));
            bench.flush();
            bench.packets(2, &packets(0..size, Metric(1000)));
            bench
        })
        .bench_local_values(|mut bench| {
            bench.packets(1, &retractions);
            let asked = bench.node.counters().seqno_requests_originated;
            assert!(asked >= size, "{asked} requests");
            bench
        });
}

/// A neighbour with a thousand routes is lost; ten others hold the number given between them.
#[divan::bench(args = [0, 10_000, 100_000], sample_count = 10, sample_size = 1)]
fn neighbour_lost(bencher: Bencher<'_, '_>, others: u64) {
    const ITS_OWN: u64 = 1000;
    bencher
        .counter(ItemsCount::new(ITS_OWN))
        .with_inputs(|| {
            let mut bench = Bench::new(11);
            for n in 0..10 {
                let start = ITS_OWN + u64::from(n) * others / 10;
                if others > 0 {
                    bench.packets(n + 1, &packets(start..start + others / 10, Metric(100)));
                }
            }
            bench.packets(11, &packets(0..ITS_OWN, Metric(100)));
            bench.flush();
            bench
        })
        .bench_local_values(|mut bench| {
            bench.restart(11);
            assert_eq!(bench.writes, others + 2 * ITS_OWN, "the others' stay");
            bench
        });
}

/// A full update is asked for and sent.
#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn full_dump(bencher: Bencher<'_, '_>, size: u64) {
    let mut request = writer();
    request.route_request(None).expect("fits");
    let request = request.finish();
    bencher
        .counter(ItemsCount::new(size))
        .with_inputs(|| loaded(0..size, Metric(100)))
        .bench_local_values(|mut bench| {
            let before = bench.updates_sent();
            bench.packet(EAST, 1, &request);
            bench.flush();
            assert_eq!(bench.updates_sent() - before, size, "all are told");
            bench
        });
}
