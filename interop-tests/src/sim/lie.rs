//! A node that advertises better metrics than it has. The lie is put into its packets on their
//! way out: the engine behind it is as honest as any other and really forwards.
//!
//! It lies over one wire only. One that lied to those that it forwards by would make loops, which
//! no choice of theirs could prevent: feasibility presumes that nobody advertises less than it has.

use babel_core::types::Metric;

/// TLV type of an Update, and where its metric stands (RFC 8966 §4.6.9).
const UPDATE: u8 = 8;
const METRIC: core::ops::Range<usize> = 8..10;
const HEADER: usize = 4;
/// The one TLV type without a length.
const PAD1: u8 = 0;

/// What a liar says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lie {
    /// Over which wire.
    pub wire: usize,
    /// The metric of every route that it has.
    pub metric: Metric,
}

impl Lie {
    /// Puts the lie into a packet.
    pub(super) fn tell(&self, packet: &mut [u8]) {
        let mut at = HEADER;
        while let Some([kind, len]) = packet.get(at..at + 2).and_then(|tlv| tlv.first_chunk()) {
            if *kind == PAD1 {
                at += 1;
                continue;
            }
            let (update, next) = (*kind == UPDATE, at + 2 + usize::from(*len));
            let metric = packet.get_mut(at + 2..next).unwrap_or_default();
            let metric = metric.get_mut(METRIC).filter(|_| update);
            if let Some(metric) = metric.filter(|metric| **metric != [0xff, 0xff]) {
                metric.copy_from_slice(&self.metric.0.to_be_bytes());
            }
            at = next;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use babel_core::prefix::RouteKey;
    use babel_core::time::Interval;
    use babel_core::types::{RouterId, SeqNo};
    use babel_core::wire::{NextHopOut, PacketReader, PacketWriter, Tlv, UpdateOut};

    fn update(metric: u16) -> UpdateOut<'static> {
        UpdateOut {
            key: RouteKey::new("2001:db8::/32".parse().expect("a prefix")),
            router_id: RouterId([2, 0, 0, 0, 0, 0, 0, 1]),
            seqno: SeqNo(1),
            metric: Metric(metric),
            interval: Interval::from_centis(400),
            next_hop: NextHopOut::Source,
            sub_tlvs: &[],
        }
    }

    #[test]
    fn a_lie_changes_the_metrics_of_routes_and_nothing_else() {
        let mut packet = PacketWriter::new(Vec::new(), 1400);
        let hello = Interval::from_centis(100);
        packet.hello(false, SeqNo(1), hello, None).expect("fits");
        packet.update(&update(700)).expect("fits");
        packet.update(&update(65535)).expect("fits");
        let mut packet = packet.finish();
        let (wire, metric) = (0, Metric(3));
        Lie { wire, metric }.tell(&mut packet);
        let source = "fe80::1".parse().expect("an address");
        let told: Vec<Metric> = PacketReader::new(&packet, source)
            .expect("a packet still")
            .filter_map(|tlv| match tlv {
                Tlv::Update(update) => Some(update.metric),
                _ => None,
            })
            .collect();
        assert_eq!(told, [Metric(3), Metric::INFINITY]);
    }
}
