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

/// `KIND neighbour ID address ADDRESS if NAME reach HHHH ureach HHHH rxcost N txcost N cost N`.
pub fn neighbour(out: &mut String, change: Change, view: &NeighbourView, name: &str) {
    put(
        out,
        format_args!(
            "{} neighbour {:x} address {} if {} reach {:04x} ureach {:04x} rxcost {} txcost {} \
             cost {}\n",
            word(change),
            view.id.0,
            view.address,
            name,
            view.reach,
            view.ureach,
            view.rxcost,
            view.txcost,
            view.cost,
        ),
    );
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
    if let Some(price) = price(&view.attr) {
        put(out, format_args!(" price {price}"));
    }
    put(out, format_args!(" via {} if {name}\n", view.via));
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
