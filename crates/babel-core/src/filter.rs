//! The rules of `in`, `out`, `redistribute` and `install` (babeld(8), "Filtering rules").
//!
//! A list of rules is tried in order and the first match decides. Parsing them is the daemon's
//! work; this file says what they mean.

use crate::glob;
use crate::prefix::{Family, Prefix, RouteKey};
use crate::types::RouterId;
use core::net::{IpAddr, Ipv6Addr};

/// What a rule is matched against. Fields that do not apply are `None` and match no selector.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Subject<'a> {
    /// Destination and source prefix.
    pub key: RouteKey,
    /// Originator (`in`, `out`, `install`).
    pub router_id: Option<RouterId>,
    /// The neighbour that announced it (`in`, `install`).
    pub neighbour: Option<Ipv6Addr>,
    /// Name of the interface: learned on, announced on, or of the kernel route.
    pub interface: Option<&'a str>,
    /// What kind of route it is (`redistribute` only).
    pub kernel: Option<KernelOrigin>,
}

/// Origin of a route that may be redistributed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KernelOrigin {
    /// An address of this host (`local`).
    Local,
    /// A kernel route of this routing protocol (`proto`).
    Protocol(u8),
}

/// Linux's protocol number of routes that an administrator added without naming a protocol.
const PROTO_BOOT: u8 = 3;

/// Bounds on a prefix length.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PlenRange {
    /// At least.
    pub min: u8,
    /// At most.
    pub max: u8,
}

/// One rule: all selectors present must match.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Rule {
    /// `ip PREFIX`: the destination lies within.
    pub ip: Option<Prefix>,
    /// `eq`, `le`, `ge` on the destination's length.
    pub plen: Option<PlenRange>,
    /// `src-ip PREFIX`: the source prefix lies within.
    pub src_ip: Option<Prefix>,
    /// `src-eq`, `src-le`, `src-ge`.
    pub src_plen: Option<PlenRange>,
    /// The only family that can match, where prefixes or lengths imply one.
    pub family: Option<Family>,
    /// `neigh ADDRESS`.
    pub neigh: Option<IpAddr>,
    /// `id ROUTER-ID`.
    pub id: Option<RouterId>,
    /// `proto N`.
    pub proto: Option<u8>,
    /// `local`.
    pub local: bool,
    /// `if NAME`, which may have wildcards.
    pub interface: Option<String>,
    /// What to do.
    pub action: Action,
}

/// What a matching rule does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Action {
    /// `deny`.
    pub deny: bool,
    /// `metric N`; 0 if absent.
    pub metric: u16,
    /// `price N`: handed to the extension, opaque here.
    pub price: Option<u32>,
    /// `src-prefix PREFIX` (`redistribute`): becomes the source prefix.
    pub src_prefix: Option<Prefix>,
    /// `table N` (`install`).
    pub table: Option<u32>,
    /// `pref-src ADDRESS` (`install`).
    pub pref_src: Option<IpAddr>,
}

/// All rules of a node.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Filters {
    /// On routes learned; no match: allow.
    pub input: Vec<Rule>,
    /// On routes announced; no match: allow.
    pub output: Vec<Rule>,
    /// On kernel routes and addresses; no match: deny. Used by the daemon, not the engine.
    pub redistribute: Vec<Rule>,
    /// On routes put into the kernel; no match: allow.
    pub install: Vec<Rule>,
}

impl PlenRange {
    /// Whether a length lies within.
    const fn holds(self, plen: u8) -> bool {
        self.min <= plen && plen <= self.max
    }
}

impl Rule {
    /// Whether all selectors match.
    pub fn matches(&self, subject: &Subject<'_>) -> bool {
        let key = &subject.key;
        self.family.is_none_or(|family| family == key.family())
            && self.ip.is_none_or(|ip| ip.covers(key.dst()))
            && self.plen.is_none_or(|range| range.holds(key.dst().plen()))
            && self.src_ip.is_none_or(|ip| ip.covers(key.src()))
            && self
                .src_plen
                .is_none_or(|range| range.holds(key.src().plen()))
            && self
                .neigh
                .is_none_or(|address| subject.neighbour.map(IpAddr::V6) == Some(address))
            && self.id.is_none_or(|id| subject.router_id == Some(id))
            && self.interface.as_deref().is_none_or(|pattern| {
                subject
                    .interface
                    .is_some_and(|name| glob::matches(pattern, name))
            })
            && self.matches_origin(subject.kernel)
    }

    /// `proto` and `local`. A rule with neither takes what it is given, but of kernel routes
    /// neither local addresses nor those added by hand: they have to be asked for.
    fn matches_origin(&self, kernel: Option<KernelOrigin>) -> bool {
        match (kernel, self.local, self.proto) {
            (None, local, proto) => !local && proto.is_none(),
            (Some(KernelOrigin::Local), local, proto) => local && proto.is_none(),
            (Some(KernelOrigin::Protocol(_)), true, _) => false,
            (Some(KernelOrigin::Protocol(is)), false, Some(wanted)) => is == wanted,
            (Some(KernelOrigin::Protocol(is)), false, None) => is != PROTO_BOOT,
        }
    }
}

/// The action of the first rule that matches.
pub fn first_match<'r>(rules: &'r [Rule], subject: &Subject<'_>) -> Option<&'r Action> {
    rules
        .iter()
        .find(|rule| rule.matches(subject))
        .map(|rule| &rule.action)
}

#[cfg(test)]
mod tests;
