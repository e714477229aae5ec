//! What is told in words: the engine's complaints, and the tables for `USR1`.

use super::Running;
use crate::links::Links;
use crate::node::Node;
use babel_core::auth::AuthFailure;
use babel_core::event::{Diagnostic, DiagnosticKind};
use babel_core::wire::PacketError;
use std::fmt::Write as _;
use std::net::Ipv6Addr;

/// Logs a complaint of the engine, with interface, neighbour and prefix.
pub(super) fn log(diagnostic: &Diagnostic, links: &Links) {
    let name = links.name(diagnostic.link).unwrap_or("?");
    let from = diagnostic.source;
    match diagnostic.kind {
        DiagnosticKind::Packet(PacketError::Version(version)) => {
            tracing::warn!("Received packet with unknown version {version} on {name} from {from}.");
        }
        DiagnosticKind::Packet(error) => {
            tracing::warn!("Received malformed packet on {name} from {from}. ({error})");
        }
        DiagnosticKind::NotLinkLocal => {
            tracing::warn!("Received packet from non-local address {from}. (on {name})");
        }
        DiagnosticKind::Overrun => {
            tracing::warn!("Received truncated message from {from} on {name}.");
        }
        DiagnosticKind::Martian(key) => {
            tracing::warn!("Rejecting martian route to {key} from {from} through {name}.");
        }
        DiagnosticKind::Auth(failure) => log_auth(failure, name, from),
        DiagnosticKind::Limit(what, at) => {
            tracing::warn!("Too many {what} from {from} on {name}: no more than {at} are kept.")
        }
        DiagnosticKind::Tlv(reason) => {
            tracing::debug!("Ignoring a TLV from {from} on {name}: {}", reason.label());
        }
    }
}

/// What a packet lacked; a wrong key is what the operator can do something about.
fn log_auth(failure: AuthFailure, name: &str, from: Ipv6Addr) {
    match failure {
        AuthFailure::WrongMac => {
            tracing::warn!("Received wrong hmac from {from} on {name}: its keys are not ours.")
        }
        AuthFailure::MissingMac => tracing::warn!(
            "Received packet without hmac from {from} on {name}: it has no key there."
        ),
        AuthFailure::MissingPc => {
            tracing::warn!("Received signed packet without a counter from {from} on {name}.");
        }
        AuthFailure::TooManyPeers => {
            tracing::warn!("Too many signing nodes on {name}: {from} is one too many.");
        }
        AuthFailure::UnknownIndex | AuthFailure::Replayed => {
            tracing::debug!(
                "Dropped a signed packet of {from} on {name}: {}",
                failure.label()
            );
        }
    }
}

/// What to say of an interface on which Babel cannot run, and what to do about it.
pub(super) fn no_link_local(name: &str) -> String {
    let setting = format!("/proc/sys/net/ipv6/conf/{name}/disable_ipv6");
    let disabled = std::fs::read_to_string(&setting).is_ok_and(|value| value.trim() == "1");
    let way_out = if disabled {
        format!("IPv6 is switched off there: sysctl net.ipv6.conf.{name}.disable_ipv6=0")
    } else {
        format!(
            "Tunnels such as WireGuard get none by themselves; give it one, different on each \
             node: ip address add fe80::N/64 dev {name}"
        )
    };
    format!("Interface {name} has no link-local address. {way_out}")
}

impl Running {
    /// The tables as stock babeld writes them for `USR1`.
    pub(super) fn tables_text(&self) -> String {
        let now = self.now();
        let engine = self.engine();
        let name = |link| self.links.name(link).unwrap_or("?");
        let mut out = String::from("\n");
        let config = engine.config();
        put(
            &mut out,
            format_args!("My id {} seqno {}", config.router_id, engine.seqno().0),
        );
        for n in engine.neighbours(now) {
            put(
                &mut out,
                format_args!(
                    "Neighbour {} dev {} reach {:04x} ureach {:04x} rxcost {} txcost {} rtt {}.{:03} \
                 rttcost {}{}.",
                    n.address,
                    name(n.link),
                    n.reach,
                    n.ureach,
                    n.rxcost,
                    n.txcost,
                    n.rtt.unwrap_or_default().as_millis(),
                    n.rtt.unwrap_or_default().subsec_micros() % 1000,
                    n.rttcost,
                    if self.links.up(n.link).is_some() {
                        ""
                    } else {
                        " (down)"
                    },
                ),
            );
        }
        for x in engine.xroutes() {
            put(
                &mut out,
                format_args!(
                    "{} from {} metric {} (exported)",
                    x.key.dst(),
                    x.key.src(),
                    x.metric
                ),
            );
        }
        for r in engine.routes(now) {
            let next_hop = if r.next_hop == r.via {
                String::new()
            } else {
                format!(" nexthop {}", r.next_hop)
            };
            let state = match (r.installed, r.feasible) {
                (true, _) => " (installed)",
                (false, true) => " (feasible)",
                (false, false) => "",
            };
            put(
                &mut out,
                format_args!(
                    "{} from {} metric {} ({}) refmetric {} id {} seqno {} age {} via {} neigh {}{next_hop}{state}",
                    r.key.dst(),
                    r.key.src(),
                    r.metric,
                    r.smoothed,
                    r.refmetric,
                    r.router_id,
                    r.seqno.0,
                    r.age.as_secs(),
                    name(r.link),
                    r.via,
                ),
            );
        }
        out
    }
}

fn put(out: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = out.write_fmt(line);
    out.push('\n');
}
