//! Probe addresses in a running node: put on `lo`, announced to their neighbour alone, taken away.
//!
//! They live while their neighbour is there and a target of their family wants them. To the rest
//! of the daemon they are no addresses of this host: `redistribute` never sees them.

use super::super::Running;
use super::Quality;
use crate::config::{QualitySettings, Target};
use crate::fib::PROTO_BABEL;
use crate::probe::{Addresses, Whose};
use crate::xroutes::host;
use babel_core::event::{Event, XRoute};
use babel_core::ext::Origin;
use babel_core::prefix::{Family, Prefix};
use babel_core::time::Instant;
use babel_core::types::{Metric, Party};
use babel_netlink::{AddressFlags, AddressInfo, Scope};
use qos_ranker::Peer;
use speedtest::Host;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// The addresses of both families, and what the engine was told of them.
#[derive(Debug, Default)]
pub(super) struct ProbeAddresses {
    prefixes: Vec<Addresses>,
    /// With the time when it was first announced to them.
    announced: BTreeMap<IpAddr, (Party, Instant)>,
}

/// It takes a new route so long to be known everywhere.
const TRAVEL: Duration = Duration::from_secs(5);

impl ProbeAddresses {
    /// The address to bind a test to, so that what comes back is pinned as well; `None` if there
    /// is none.
    pub(super) fn source(&self, peer: &Peer, target: &Target) -> Option<IpAddr> {
        let whose = (peer.interface.clone(), peer.address);
        let of = |family| {
            let mut all = self.prefixes.iter();
            all.find(|addresses| addresses.prefix().family() == family)?
                .of(&whose)
        };
        match target.url.host() {
            Host::Neighbour => None,
            Host::Address(IpAddr::V4(_)) => of(Family::V4),
            Host::Address(IpAddr::V6(_)) => of(Family::V6),
            Host::Name(_) => of(Family::V6).or_else(|| of(Family::V4)),
        }
    }

    /// Whether an address for this neighbour is not known everywhere yet.
    pub(super) fn is_settling(&self, now: Instant, peer: &Peer) -> bool {
        let whose = (peer.interface.clone(), peer.address);
        let mut own = self.prefixes.iter().filter_map(|known| known.of(&whose));
        own.any(|address| {
            let announced = self.announced.get(&address);
            announced.is_some_and(|(_, since)| now.since(*since) < TRAVEL)
        })
    }
}

impl Running {
    /// Brings the addresses to what neighbours and targets want.
    pub(super) fn follow_addresses(&mut self, now: Instant) {
        let none_wanted = self.settings.quality.probe_prefixes.is_empty();
        let idle = |quality: &Quality| none_wanted && quality.addresses.prefixes.is_empty();
        if self.quality.as_deref().is_none_or(idle) {
            return;
        }
        let Some(mut quality) = self.quality.take() else {
            return;
        };
        let parties: BTreeMap<Whose, Party> = self
            .engine
            .neighbours(now)
            .filter_map(|known| {
                let (link, address) = (known.link, known.address);
                let name = self.links.name(link)?.to_owned();
                Some(((name, address), Party { link, address }))
            })
            .collect();
        self.become_addresses_of(now, &mut quality, &parties);
        self.quality = Some(quality);
    }

    /// Takes all of them away.
    pub(super) fn drop_addresses(&mut self, now: Instant, quality: &mut Quality) {
        self.become_addresses_of(now, quality, &BTreeMap::new());
    }

    fn become_addresses_of(
        &mut self,
        now: Instant,
        quality: &mut Quality,
        parties: &BTreeMap<Whose, Party>,
    ) {
        let addresses = &mut quality.addresses;
        let settings = &self.settings.quality;
        let devices = self.links.devices();
        let lo = devices.iter().find(|device| device.info.flags.loopback);
        let Some(lo) = lo.map(|device| device.info.index) else {
            return;
        };
        for prefix in &settings.probe_prefixes {
            if !addresses
                .prefixes
                .iter()
                .any(|known| known.prefix() == prefix)
            {
                addresses.prefixes.push(Addresses::new(*prefix));
            }
        }
        let everybody: BTreeSet<Whose> = parties.keys().cloned().collect();
        let kernel = self.kernel.socket();
        for known in &mut addresses.prefixes {
            let wanted = is_wanted(known.prefix(), settings);
            let nobody = BTreeSet::new();
            let wanted = if wanted { &everybody } else { &nobody };
            known.become_those_of(wanted, lo, kernel);
        }
        let wanted: BTreeMap<IpAddr, Party> = parties
            .iter()
            .flat_map(|(whose, party)| {
                let all = addresses.prefixes.iter();
                all.filter_map(|known| Some((known.of(whose)?, *party)))
            })
            .collect();
        addresses
            .prefixes
            .retain(|known| settings.probe_prefixes.contains(known.prefix()));
        let gone = addresses.announced.keys();
        let gone = gone.filter(|address| !wanted.contains_key(*address));
        let gone: Vec<IpAddr> = gone.copied().collect();
        for address in &gone {
            self.links.address_gone(&on_lo(lo, *address));
            addresses.announced.remove(address);
            let key = host(*address);
            self.engine.handle_event(now, Event::XRouteDown { key });
        }
        let known = |address: &IpAddr| addresses.announced.get(address).map(|(party, _)| *party);
        let fresh = wanted
            .iter()
            .filter(|(address, party)| known(address) != Some(**party));
        let fresh: Vec<_> = fresh.map(|(address, party)| (*address, *party)).collect();
        if gone.is_empty() && fresh.is_empty() {
            return;
        }
        self.xroutes
            .set_private(wanted.keys().map(|address| host(*address)));
        for (address, party) in fresh {
            addresses.announced.insert(address, (party, now));
            let xroute = XRoute {
                metric: Metric::ZERO,
                origin: Origin::Local,
                price: None,
                only: Some(party),
            };
            let key = host(address);
            self.engine
                .handle_event(now, Event::XRouteUp { key, xroute });
        }
    }
}

/// Whether a target may be reached from an address in `prefix`, and the prefix is still ours.
fn is_wanted(prefix: &Prefix, settings: &QualitySettings) -> bool {
    let reaches = |target: &Target| match target.url.host() {
        Host::Neighbour => false,
        Host::Address(address) => Prefix::host(*address).family() == prefix.family(),
        Host::Name(_) => true,
    };
    settings.probe_prefixes.contains(prefix) && settings.targets.iter().any(reaches)
}

/// As the kernel would have told of it.
fn on_lo(lo: u32, address: IpAddr) -> AddressInfo {
    AddressInfo {
        index: lo,
        address,
        plen: Prefix::host(address).plen(),
        peer: None,
        scope: Scope::Universe,
        flags: AddressFlags::default(),
        protocol: PROTO_BABEL,
    }
}
