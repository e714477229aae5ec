//! The lines of the stock control protocol. Pure: views in, text out.
//!
//! Clients pick words by key or by position, with patterns that want `cost` last on neighbour
//! lines and `if` last on route lines. So a new word goes before `cost` or before `via`, comes
//! with a value, and stands there only when it is configured; a new kind of line never appears
//! unasked.

use crate::node::InterfaceView;
use babel_core::event::Change;
use babel_core::view::{NeighbourView, RouteView, XRouteView};
use babel_price_tlv::{Price, RoutePrice};
use std::fmt::Write as _;

/// `KIND interface NAME up true[ ipv6 ADDRESS][ ipv4 ADDRESS]`, or `up false`.
pub fn interface(out: &mut String, change: Change, view: &InterfaceView) {
    put(
        out,
        format_args!("{} interface {}", word(change), view.name),
    );
    put(out, format_args!(" up {}", view.up));
    if view.up {
        if let Some(address) = view.ipv6 {
            put(out, format_args!(" ipv6 {address}"));
        }
        if let Some(address) = view.ipv4 {
            put(out, format_args!(" ipv4 {address}"));
        }
    }
    out.push('\n');
}

/// `KIND neighbour ID address ADDRESS if NAME reach HHHH ureach HHHH rxcost N txcost N
/// [rtt MS rttcost N ]cost N`.
pub fn neighbour(out: &mut String, change: Change, view: &NeighbourView, name: &str) {
    put(
        out,
        format_args!(
            "{} neighbour {:x} address {} if {} reach {:04x} ureach {:04x} rxcost {} txcost {}",
            word(change),
            view.id.0,
            view.address,
            name,
            view.reach,
            view.ureach,
            view.rxcost,
            view.txcost,
        ),
    );
    if let Some(rtt) = view.rtt {
        let (ms, us) = (rtt.as_millis(), rtt.subsec_micros() % 1000);
        put(
            out,
            format_args!(" rtt {ms}.{us:03} rttcost {}", view.rttcost),
        );
    }
    put(out, format_args!(" cost {}\n", view.cost));
}

/// `KIND xroute DST-SRC prefix DST from SRC metric N`.
pub fn xroute(out: &mut String, change: Change, view: &XRouteView) {
    let (dst, src) = (view.key.dst(), view.key.src());
    put(
        out,
        format_args!(
            "{} xroute {dst}-{src} prefix {dst} from {src} metric {}\n",
            word(change),
            view.metric
        ),
    );
}

/// `KIND route ID prefix DST from SRC installed yes|no id ROUTER-ID metric N refmetric N[ price N]
/// via ADDRESS if NAME`.
pub fn route(out: &mut String, change: Change, view: &RouteView<RoutePrice>, name: &str) {
    let price = price(&view.attr).map(|price| format!(" price {price}"));
    route_with(out, change, view, name, price.as_deref().unwrap_or(""));
}

/// As [`route`], with other words in place of the price; each begins with a space.
pub(super) fn route_with(
    out: &mut String,
    change: Change,
    view: &RouteView<RoutePrice>,
    name: &str,
    words: &str,
) {
    put(
        out,
        format_args!(
            "{} route {:x} prefix {} from {} installed {} id {} metric {} refmetric {}",
            word(change),
            view.id,
            view.key.dst(),
            view.key.src(),
            if view.installed { "yes" } else { "no" },
            view.router_id,
            view.metric,
            view.refmetric,
        ),
    );
    put(out, format_args!("{words} via {} if {name}\n", view.via));
}

/// What a route costs us towards its prefix, if it is priced; 4294967295 means "not for sale".
pub fn price(attr: &RoutePrice) -> Option<u32> {
    attr.price().map(Price::to_wire)
}

const fn word(change: Change) -> &'static str {
    match change {
        Change::Add => "add",
        Change::Change => "change",
        Change::Flush => "flush",
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use babel_core::ext::Origin;
    use babel_core::prefix::RouteKey;
    use babel_core::types::{LinkId, Metric, NeighbourId, RouterId, SeqNo};
    use babel_price_tlv::Unit;
    use std::time::Duration;

    fn text(write: impl FnOnce(&mut String)) -> String {
        let mut out = String::new();
        write(&mut out);
        out
    }

    #[test]
    fn an_interface_that_is_down_shows_no_addresses() {
        let mut view = InterfaceView {
            link: LinkId(1),
            name: "eth0".into(),
            up: true,
            ipv6: Some("fe80::1".parse().expect("an address")),
            ipv4: None,
            down_reason: None,
        };
        assert_eq!(
            text(|out| interface(out, Change::Add, &view)),
            "add interface eth0 up true ipv6 fe80::1\n"
        );
        view.up = false;
        assert_eq!(
            text(|out| interface(out, Change::Change, &view)),
            "change interface eth0 up false\n"
        );
    }

    #[test]
    fn a_neighbour_that_does_not_hear_us_has_infinite_costs_in_figures() {
        // As stock babeld 1.12.1 prints it, but for the id.
        let view = NeighbourView {
            id: NeighbourId(0x1F),
            link: LinkId(1),
            address: "fe80::98b7:44ff:fe60:e6af".parse().expect("an address"),
            reach: 0xC000,
            ureach: 0,
            rxcost: Metric(96),
            txcost: Metric::INFINITY,
            rtt: None,
            rttcost: Metric::ZERO,
            cost: Metric::INFINITY,
            routes: 0,
            hello_age: None,
            ihu_age: None,
        };
        assert_eq!(
            text(|out| neighbour(out, Change::Flush, &view, "sa")),
            "flush neighbour 1f address fe80::98b7:44ff:fe60:e6af if sa reach c000 ureach 0000 \
             rxcost 96 txcost 65535 cost 65535\n"
        );
        let view = NeighbourView {
            rtt: Some(Duration::from_micros(65_007)),
            rttcost: Metric(75),
            ..view
        };
        let line = text(|out| neighbour(out, Change::Change, &view, "sa"));
        assert!(
            line.ends_with(" txcost 65535 rtt 65.007 rttcost 75 cost 65535\n"),
            "{line}"
        );
    }

    #[test]
    fn a_source_specific_route_names_its_source_and_a_price_stands_before_via() {
        let key = RouteKey::source_specific(
            "::/0".parse().expect("a prefix"),
            "2001:db8::/32".parse().expect("a prefix"),
        )
        .expect("one family");
        let via = "fe80::1".parse().expect("an address");
        let mut view = RouteView {
            id: 0xABC,
            key,
            installed: false,
            feasible: true,
            eligible: true,
            router_id: RouterId([2, 0, 0, 0, 0, 0, 0, 1]),
            seqno: SeqNo(1),
            metric: Metric::INFINITY,
            smoothed: Metric(1),
            refmetric: Metric(7),
            neighbour: NeighbourId(1),
            via,
            link: LinkId(1),
            next_hop: via.into(),
            age: Duration::ZERO,
            attr: RoutePrice::Unpriced,
        };
        let start = "change route abc prefix ::/0 from 2001:db8::/32 installed no \
                     id 02:00:00:00:00:00:00:01 metric 65535 refmetric 7";
        assert_eq!(
            text(|out| route(out, Change::Change, &view, "sb")),
            format!("{start} via fe80::1 if sb\n")
        );
        view.attr = RoutePrice::new(Unit::NAMELESS, Price::ZERO);
        assert_eq!(
            text(|out| route(out, Change::Change, &view, "sb")),
            format!("{start} price 0 via fe80::1 if sb\n")
        );
        let own = XRouteView {
            key,
            metric: Metric(3),
            origin: Origin::Local,
        };
        assert_eq!(
            text(|out| xroute(out, Change::Add, &own)),
            "add xroute ::/0-2001:db8::/32 prefix ::/0 from 2001:db8::/32 metric 3\n"
        );
    }
}
