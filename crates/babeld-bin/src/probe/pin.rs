//! Pins: while one is held, packets that carry its mark leave by one neighbour or not at all.
//!
//! Invariants:
//! - the table of a pin holds, for each family, a refusal of the worst priority and at most one
//!   default route, so a way that vanishes (link down) never falls through to another table;
//! - what is refused is there before the rule that leads to it, and goes after it;
//! - a pin is proven before it is given out: the kernel is asked which way a marked packet goes.
//!
//! Which neighbour is tested when, and what a test is, is not known here.

use super::conflict::Conflict;
use super::kernel::Kernel;
use crate::fib::{PROTO_BABEL, UNREACHABLE_PRIORITY};
use babel_netlink::{Errno, Error, Family, FirewallMark, Route, RouteKind, Rule};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Pins that can be held at once.
pub const SLOTS: u32 = 4;

/// Marks, tables and the priority of rules.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PinSettings {
    /// The mark of slot 0; slot i has this plus i times the lowest bit of the mask.
    pub mark: FirewallMark,
    /// The table of slot 0; the others follow.
    pub table: u32,
    /// Of all our rules.
    pub priority: u32,
}

impl PinSettings {
    /// The mark of a slot.
    fn mark(&self, slot: u32) -> FirewallMark {
        let lowest = self.mark.mask & self.mark.mask.wrapping_neg();
        FirewallMark {
            value: self.mark.value.wrapping_add(slot.wrapping_mul(lowest)) & self.mark.mask,
            mask: self.mark.mask,
        }
    }

    /// The marks of all slots.
    pub(super) fn marks(&self) -> impl Iterator<Item = FirewallMark> {
        (0..SLOTS).map(|slot| self.mark(slot))
    }

    /// The tables of all slots.
    pub(super) fn tables(&self) -> std::ops::Range<u32> {
        self.table..self.table.saturating_add(SLOTS)
    }

    fn rule(&self, family: Family, slot: u32) -> Rule {
        Rule {
            priority: Some(self.priority),
            mark: Some(self.mark(slot)),
            protocol: PROTO_BABEL,
            ..Rule::new(family, self.table.saturating_add(slot))
        }
    }

    /// Whether a rule is one of ours, of this life or a former one.
    fn is_ours(&self, rule: &Rule) -> bool {
        rule.protocol == PROTO_BABEL
            && rule.priority == Some(self.priority)
            && !rule.has_more
            && (self.tables().contains(&rule.table)
                || self.marks().any(|mark| rule.mark == Some(mark)))
    }
}

/// A neighbour as a way out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Way {
    /// The interface it is on.
    pub ifindex: u32,
    /// Its link-local address.
    pub neighbour: Ipv6Addr,
    /// The next hop of its IPv4 routes, if it has any; else its link-local address serves.
    pub ipv4: Option<Ipv4Addr>,
}

impl Way {
    fn next_hop(&self, family: Family) -> IpAddr {
        match (family, self.ipv4) {
            (Family::V4, Some(next_hop)) => next_hop.into(),
            _ => self.neighbour.into(),
        }
    }
}

/// Held for one test. It has to be given back to [`Pins::release`].
#[derive(Debug)]
#[must_use]
pub struct Pin {
    slot: u32,
    /// To be set on the sockets of the test, whole.
    pub mark: u32,
    /// Whether IPv4 packets have a way.
    pub ipv4: bool,
    /// Whether IPv6 packets have a way.
    pub ipv6: bool,
}

/// Why there is no pin.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// All slots are taken.
    #[error("{SLOTS} tests run already")]
    Full,
    /// Somebody else's rule or route is in the way.
    #[error("{0}")]
    Conflict(Conflict),
    /// The kernel sends the packets another way all the same: an earlier rule, for example.
    #[error("packets marked {mark:#x} to {destination} do not leave by {}: {why}", way.neighbour)]
    Astray {
        /// The mark.
        mark: u32,
        /// Where to.
        destination: IpAddr,
        /// The neighbour.
        way: Way,
        /// What the kernel answers.
        why: String,
    },
    /// The kernel refused.
    #[error("{0}")]
    Kernel(#[from] Error),
}

/// All pins.
#[derive(Debug)]
pub struct Pins {
    settings: PinSettings,
    taken: [bool; SLOTS as usize],
}

/// Somewhere beyond every link, to ask the kernel about: documentation prefixes.
const FAR: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0xffff, 0xffff, 0, 0, 0, 1)),
];

impl Pins {
    /// None yet.
    pub const fn new(settings: PinSettings) -> Self {
        Self {
            settings,
            taken: [false; SLOTS as usize],
        }
    }

    /// As configured.
    pub const fn settings(&self) -> &PinSettings {
        &self.settings
    }

    /// Makes a pin on `way`. `destinations` are what the test will talk to, as far as known.
    pub fn make(
        &mut self,
        way: Way,
        destinations: &[IpAddr],
        kernel: &mut impl Kernel,
    ) -> Result<Pin, PinError> {
        let slot = (0..SLOTS).zip(&self.taken).find(|(_, taken)| !**taken);
        let (slot, _) = slot.ok_or(PinError::Full)?;
        self.look_for_conflicts(slot, kernel)?;
        let made = self.build(slot, way, kernel).and_then(|pin| {
            self.prove(&pin, way, destinations, kernel)?;
            Ok(pin)
        });
        match made {
            Ok(pin) => {
                self.take(slot, true);
                Ok(pin)
            }
            Err(error) => {
                self.clear_slot(slot, kernel);
                Err(error)
            }
        }
    }

    /// Gives a pin back: its rules and routes go.
    pub fn release(&mut self, pin: Pin, kernel: &mut impl Kernel) {
        let Pin { slot, .. } = pin;
        self.clear_slot(slot, kernel);
        self.take(slot, false);
    }

    /// Removes every rule and route of ours, of a former life too. Returns how many there were.
    pub fn sweep(&mut self, kernel: &mut impl Kernel) -> Result<usize, Error> {
        let mut count = 0;
        for family in Family::BOTH {
            for rule in kernel.rules(family)? {
                if self.settings.is_ours(&rule) {
                    kernel.delete_rule(&rule)?;
                    count += 1;
                }
            }
            for table in self.settings.tables() {
                for route in kernel.table(family, table)? {
                    if route.protocol == PROTO_BABEL && !route.cloned {
                        kernel.delete_route(&route)?;
                        count += 1;
                    }
                }
            }
        }
        Ok(count)
    }

    fn take(&mut self, slot: u32, taken: bool) {
        let index = usize::try_from(slot).unwrap_or(usize::MAX);
        if let Some(place) = self.taken.get_mut(index) {
            *place = taken;
        }
    }

    fn look_for_conflicts(&self, slot: u32, kernel: &mut impl Kernel) -> Result<(), PinError> {
        for family in Family::BOTH {
            for rule in kernel.rules(family)? {
                if !self.settings.is_ours(&rule)
                    && let Some(conflict) = Conflict::of_rule(&rule, &self.settings)
                {
                    return Err(PinError::Conflict(conflict));
                }
            }
            let routes = kernel.table(family, self.settings.table.saturating_add(slot))?;
            if let Some(route) = routes.into_iter().find(|r| r.protocol != PROTO_BABEL) {
                return Err(PinError::Conflict(Conflict::Route(route)));
            }
        }
        Ok(())
    }

    /// Routes first: a marked packet finds the way, or a refusal, from the first on.
    fn build(&self, slot: u32, way: Way, kernel: &mut impl Kernel) -> Result<Pin, PinError> {
        let mut pin = Pin {
            slot,
            mark: self.settings.mark(slot).value,
            ipv4: false,
            ipv6: false,
        };
        for family in Family::BOTH {
            allow_existing(kernel.add_route(&self.refusal(family, slot)))?;
            let route = self.default_route(family, slot, way);
            // What a life before us left in this slot is not what we want now.
            for old in kernel.table(family, route.table)? {
                if old.kind == RouteKind::Unicast && old.protocol == PROTO_BABEL {
                    kernel.delete_route(&old)?;
                }
            }
            let has_way = match kernel.add_route(&route) {
                Ok(()) => true,
                // A kernel without IPv4 by IPv6 next hops, or without the family.
                Err(error) if family == Family::V4 => {
                    tracing::debug!("no way for IPv4 tests: {error}");
                    false
                }
                Err(error) => return Err(error.into()),
            };
            match family {
                Family::V4 => pin.ipv4 = has_way,
                Family::V6 => pin.ipv6 = has_way,
            }
            allow_existing(kernel.add_rule(&self.settings.rule(family, slot)))?;
        }
        Ok(pin)
    }

    /// Asks the kernel, which knows of rules that we do not understand.
    fn prove(
        &self,
        pin: &Pin,
        way: Way,
        destinations: &[IpAddr],
        kernel: &mut impl Kernel,
    ) -> Result<(), PinError> {
        for destination in FAR.iter().chain(destinations) {
            let family = Family::of(*destination);
            let has_way = match family {
                Family::V4 => pin.ipv4,
                Family::V6 => pin.ipv6,
            };
            if !has_way {
                continue;
            }
            let why = match kernel.route_for(*destination, pin.mark) {
                Ok(found)
                    if found.oif == Some(way.ifindex)
                        && found.gateway == Some(way.next_hop(family)) =>
                {
                    continue;
                }
                Ok(found) => format!("the kernel answers \"{found}\""),
                Err(error) => error.to_string(),
            };
            return Err(PinError::Astray {
                mark: pin.mark,
                destination: *destination,
                way,
                why,
            });
        }
        Ok(())
    }

    /// The rule first, then what it led to. Trouble is logged: there is nothing else to be done.
    fn clear_slot(&self, slot: u32, kernel: &mut impl Kernel) {
        for family in Family::BOTH {
            report(kernel.delete_rule(&self.settings.rule(family, slot)));
            let table = self.settings.table.saturating_add(slot);
            match kernel.table(family, table) {
                Ok(routes) => {
                    let ours = routes.iter().filter(|r| r.protocol == PROTO_BABEL);
                    ours.for_each(|route| report(kernel.delete_route(route)));
                }
                Err(error) => tracing::warn!("{error}"),
            }
        }
    }

    fn refusal(&self, family: Family, slot: u32) -> Route {
        let mut route = self.anywhere(family, slot);
        route.kind = RouteKind::Unreachable;
        route.priority = Some(UNREACHABLE_PRIORITY);
        route
    }

    fn default_route(&self, family: Family, slot: u32, way: Way) -> Route {
        let route = self.anywhere(family, slot);
        let mut route = route.via(way.next_hop(family), way.ifindex);
        route.onlink = true;
        route
    }

    fn anywhere(&self, family: Family, slot: u32) -> Route {
        let any: IpAddr = match family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        Route::new(
            (any, 0),
            self.settings.table.saturating_add(slot),
            PROTO_BABEL,
        )
    }
}

fn allow_existing(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.errno() == Some(Errno::EEXIST) => Ok(()),
        other => other,
    }
}

/// Gone already is as good: links take their routes along.
fn report(result: Result<(), Error>) {
    if let Err(error) = result
        && !matches!(
            error.errno(),
            Some(Errno::ENOENT | Errno::ESRCH | Errno::ENODEV)
        )
    {
        tracing::warn!("{error}");
    }
}
