//! What a lab consists of, as tables: nodes, links, what each node's configuration says.
//!
//! A new lab is one more table below and, if it has a story to tell, a script beside
//! [`super::story`]. Nothing here touches the system.

mod diamond;
pub(super) mod liar;
pub(super) mod market;
pub(super) mod specialist;

use super::story::Stage;
use anyhow::Result;
use netns::BitRate;
use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

/// A network to build.
#[derive(Debug)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    /// One line for `lab list`.
    pub(super) title: &'static str,
    /// What there is to see, for people.
    pub(super) about: &'static str,
    /// The topology, drawn; a test holds it against the tables.
    pub(super) picture: &'static str,
    /// Its story, told over the built network whose nodes do not run yet.
    pub(super) tell: fn(&mut Stage) -> Result<()>,
    pub(super) nodes: &'static [Node],
    pub(super) links: &'static [Link],
}

/// A node: one namespace, one program.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    /// The last octet of its addresses and of its router-id.
    pub(super) number: u8,
    pub(super) role: Role,
    /// Its fee per megabyte, if it sells.
    pub(super) price: Option<u32>,
    /// Further statements that need prices.
    pub(super) priced: &'static [&'static str],
    /// Further statements that stock babeld understands.
    pub(super) statements: &'static [&'static str],
    /// Started only when the others have converged.
    pub(super) joins_late: bool,
}

/// What a node is for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Role {
    /// It routes, by Babel.
    Router,
    /// It is somewhere out in the internet, knows nothing of Babel, and answers speed tests.
    Host(Host),
}

/// Where in the internet a host is. There may be several with one address, each behind a neighbour
/// of its own, as a large site has one in each provider's network: so what is sent through a
/// neighbour comes back through it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Host {
    /// The router whose uplink leads to it; the only way back.
    pub(super) behind: &'static str,
    /// The prefix that the router reaches over this uplink, by a route of its kernel.
    pub(super) prefix: (Ipv4Addr, u8),
    /// Its address inside that prefix.
    pub(super) address: Ipv4Addr,
}

/// A point-to-point link, the same in both directions.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) ends: [&'static str; 2],
    pub(super) kind: LinkKind,
}

/// What runs over a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LinkKind {
    /// Babel, with this `rxcost` on both sides.
    Babel { cost: u16 },
    /// Nothing but traffic, from a router to a host, at this rate in each direction.
    Uplink { rate: BitRate },
}

/// All labs.
pub(super) const SCENARIOS: &[Scenario] = &[
    diamond::DIAMOND,
    liar::LIAR,
    specialist::SPECIALIST,
    market::MARKET,
];

/// Each node's interface to a neighbour is called after the neighbour.
const INTERFACE_PREFIX: &str = "to-";

impl Scenario {
    pub(super) fn find(name: &str) -> Option<&'static Self> {
        SCENARIOS.iter().find(|scenario| scenario.name == name)
    }

    pub(super) fn node(&self, name: &str) -> Option<&'static Node> {
        self.nodes.iter().find(|node| node.name == name)
    }

    /// Whose address this is.
    pub(super) fn owner(&self, address: IpAddr) -> Option<&'static Node> {
        self.nodes
            .iter()
            .find(|node| node.addresses().contains(&address))
    }

    /// The Babel neighbours of a node with the cost of the link, in the order of the links.
    pub(super) fn neighbours(&self, name: &str) -> Vec<(&'static str, u16)> {
        let peer = |link: &Link| match (link.kind, link.ends) {
            (LinkKind::Babel { cost }, [a, b]) if a == name => Some((b, cost)),
            (LinkKind::Babel { cost }, [a, b]) if b == name => Some((a, cost)),
            _ => None,
        };
        self.links.iter().filter_map(peer).collect()
    }

    /// The nodes that route.
    pub(super) fn routers(&self) -> impl Iterator<Item = &'static Node> {
        let routes = |node: &&Node| matches!(node.role, Role::Router);
        self.nodes.iter().filter(routes)
    }

    /// The nodes that are hosts, and where they are.
    pub(super) fn hosts(&self) -> impl Iterator<Item = (&'static Node, Host)> {
        let host = |node: &'static Node| match node.role {
            Role::Host(host) => Some((node, host)),
            Role::Router => None,
        };
        self.nodes.iter().filter_map(host)
    }

    /// Whether a link joins the two nodes.
    pub(super) fn are_linked(&self, a: &str, b: &str) -> bool {
        self.neighbours(a).iter().any(|(peer, _)| *peer == b)
    }

    /// A node's configuration file. Without prices, it is one that stock babeld reads.
    pub(super) fn configuration(&self, node: &Node, directory: &Path, prices: bool) -> String {
        let file = |kind: &str| directory.join(format!("{}.{kind}", node.name));
        let mut text = format!(
            "# {} of the lab {}, written by babelctl.\n",
            node.name, self.name
        );
        let mut line = |statement: String| {
            let _ = writeln!(text, "{statement}");
        };
        line(format!(
            "router-id 02:00:00:00:00:00:00:{:02x}",
            node.number
        ));
        line("pid-file \"\"".to_owned());
        line(format!("state-file \"{}\"", file("state").display()));
        line(format!(
            "local-path-readwrite \"{}\"",
            file("sock").display()
        ));
        if prices {
            // What is measured in a lab is nobody's business outside.
            line("quality-file \"\"".to_owned());
            line(format!("price {}", node.price.unwrap_or(0)));
            node.priced
                .iter()
                .for_each(|&statement| line(statement.to_owned()));
        }
        node.statements
            .iter()
            .for_each(|&statement| line(statement.to_owned()));
        line("default type wired hello-interval 0.5 update-interval 2".to_owned());
        for (peer, cost) in self.neighbours(node.name) {
            line(format!("interface {} rxcost {cost}", interface_to(peer)));
        }
        text
    }
}

impl Node {
    const fn new(name: &'static str, number: u8) -> Self {
        Self {
            name,
            number,
            role: Role::Router,
            price: None,
            priced: &[],
            statements: &[],
            joins_late: false,
        }
    }

    /// A host; see [`Host`].
    const fn host(name: &'static str, number: u8, host: Host) -> Self {
        Self {
            role: Role::Host(host),
            ..Self::new(name, number)
        }
    }

    pub(super) fn ipv4(&self) -> Ipv4Addr {
        Ipv4Addr::new(10, 99, 0, self.number)
    }

    pub(super) fn ipv6(&self) -> Ipv6Addr {
        Ipv6Addr::new(0xfd00, 0x99, 0, 0, 0, 0, 0, u16::from(self.number))
    }

    pub(super) fn addresses(&self) -> [IpAddr; 2] {
        [self.ipv4().into(), self.ipv6().into()]
    }
}

impl Link {
    const fn babel(ends: [&'static str; 2], cost: u16) -> Self {
        let kind = LinkKind::Babel { cost };
        Self { ends, kind }
    }

    const fn uplink(ends: [&'static str; 2], bits_per_second: u64) -> Self {
        let rate = BitRate::from_bps(bits_per_second);
        let kind = LinkKind::Uplink { rate };
        Self { ends, kind }
    }
}

/// The name of the interface that leads to a node.
pub(super) fn interface_to(peer: &str) -> String {
    format!("{INTERFACE_PREFIX}{peer}")
}

/// The node that an interface leads to.
pub(super) fn peer_on(interface: &str) -> &str {
    interface
        .strip_prefix(INTERFACE_PREFIX)
        .unwrap_or(interface)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_show_every_node_price_and_cost() {
        for scenario in SCENARIOS {
            for node in scenario.nodes {
                assert!(
                    scenario.picture.contains(node.name),
                    "{} has no {}",
                    scenario.name,
                    node.name
                );
                let price = node
                    .price
                    .map(|price| format!("price {price}"))
                    .unwrap_or_default();
                assert!(
                    scenario.picture.contains(&price),
                    "{}: no {price}",
                    scenario.name
                );
            }
            for link in scenario.links {
                let alike = scenario
                    .links
                    .iter()
                    .filter(|other| other.kind == link.kind);
                let words = match link.kind {
                    LinkKind::Babel { cost } => format!("cost {cost}"),
                    LinkKind::Uplink { rate } => rate.to_string(),
                };
                let shown = scenario.picture.matches(&words).count();
                assert_eq!(shown, alike.count(), "{}: {words}", scenario.name);
            }
        }
    }

    #[test]
    fn links_join_nodes_that_exist_by_names_the_kernel_takes() {
        for scenario in SCENARIOS {
            for end in scenario.links.iter().flat_map(|link| link.ends) {
                assert!(scenario.node(end).is_some(), "{}: {end}", scenario.name);
                assert!(interface_to(end).len() <= 15, "{end} is too long a name");
                assert_eq!(peer_on(&interface_to(end)), end);
            }
        }
    }

    #[test]
    fn every_host_is_on_an_uplink_of_its_router_and_inside_the_prefix() {
        for scenario in SCENARIOS {
            for (node, host) in scenario.hosts() {
                let uplinks = scenario.links.iter().filter(|link| {
                    matches!(link.kind, LinkKind::Uplink { .. })
                        && link.ends == [host.behind, node.name]
                });
                assert_eq!(uplinks.count(), 1, "{}: {}", scenario.name, node.name);
                assert!(scenario.neighbours(node.name).is_empty(), "{}", node.name);
                let (network, plen) = host.prefix;
                let bits = |address: Ipv4Addr| address.to_bits() >> (32 - u32::from(plen)).min(31);
                let inside = plen == 0 || bits(network) == bits(host.address);
                assert!(inside, "{}: {}", scenario.name, node.name);
            }
        }
    }

    #[test]
    fn numbers_are_unique_so_that_addresses_are() {
        for scenario in SCENARIOS {
            for node in scenario.nodes {
                for address in node.addresses() {
                    assert_eq!(
                        scenario.owner(address).map(|owner| owner.name),
                        Some(node.name)
                    );
                }
            }
        }
    }

    #[test]
    fn a_configuration_without_prices_says_nothing_of_them() {
        let place = Path::new("/lab");
        let Some(alice) = diamond::DIAMOND.node("alice") else {
            panic!("no alice")
        };
        assert!(
            diamond::DIAMOND
                .configuration(alice, place, true)
                .contains("\nmax-price 1000\n")
        );
        assert!(
            !diamond::DIAMOND
                .configuration(alice, place, false)
                .contains("price")
        );
    }
}
