//! What a lab consists of, as tables: nodes, links, what each node's configuration says.
//!
//! A new lab is one more table here and, if it has a story to tell, a script beside [`super::story`].
//! Nothing here touches the system.

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
    pub(super) nodes: &'static [Node],
    pub(super) links: &'static [Link],
}

/// A node: one namespace, one daemon.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: &'static str,
    /// The last octet of its addresses and of its router-id.
    pub(super) number: u8,
    /// Its fee per megabyte, if it sells.
    pub(super) price: Option<u32>,
    /// Further statements that need prices.
    pub(super) priced: &'static [&'static str],
    /// Started only when the others have converged.
    pub(super) joins_late: bool,
}

/// A point-to-point link, the same in both directions.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) ends: [&'static str; 2],
    /// The `rxcost` on both sides.
    pub(super) cost: u16,
}

const DIAMOND: Scenario = Scenario {
    name: "diamond",
    title: "two ways from alice to dave, one cheap, one with the better metric",
    about: "\
alice reaches dave through bob or through carol. carol's way has the better metric, and a stock
node would take it. bob's way is cheaper, and a node that knows prices takes that one.",
    picture: r"
                        bob
                     price 100
          cost 128  /         \  cost 128
                   /           \
              alice             dave
                   \           /
           cost 96  \         /  cost 96
                       carol
                     price 300
",
    nodes: &[
        Node {
            priced: &["max-price 1000"],
            ..Node::new("alice", 1)
        },
        Node {
            price: Some(100),
            ..Node::new("bob", 2)
        },
        Node {
            price: Some(300),
            joins_late: true,
            ..Node::new("carol", 3)
        },
        Node {
            priced: &["max-price 1000"],
            ..Node::new("dave", 4)
        },
    ],
    links: &[
        Link {
            ends: ["alice", "bob"],
            cost: 128,
        },
        Link {
            ends: ["bob", "dave"],
            cost: 128,
        },
        Link {
            ends: ["alice", "carol"],
            cost: 96,
        },
        Link {
            ends: ["carol", "dave"],
            cost: 96,
        },
    ],
};

/// All labs.
pub(super) const SCENARIOS: &[Scenario] = &[DIAMOND];

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

    /// The neighbours of a node with the cost of the link, in the order of the links.
    pub(super) fn neighbours(&self, name: &str) -> Vec<(&'static str, u16)> {
        let peer = |link: &Link| match link.ends {
            [a, b] if a == name => Some((b, link.cost)),
            [a, b] if b == name => Some((a, link.cost)),
            _ => None,
        };
        self.links.iter().filter_map(peer).collect()
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
            line(format!("price {}", node.price.unwrap_or(0)));
            node.priced
                .iter()
                .for_each(|&statement| line(statement.to_owned()));
        }
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
            price: None,
            priced: &[],
            joins_late: false,
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
                let shown = scenario
                    .picture
                    .matches(&format!("cost {}", link.cost))
                    .count();
                let meant = scenario
                    .links
                    .iter()
                    .filter(|other| other.cost == link.cost)
                    .count();
                assert_eq!(shown, meant, "{}: cost {}", scenario.name, link.cost);
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
        let Some(alice) = DIAMOND.node("alice") else {
            panic!("no alice")
        };
        assert!(
            DIAMOND
                .configuration(alice, place, true)
                .contains("\nmax-price 1000\n")
        );
        assert!(!DIAMOND.configuration(alice, place, false).contains("price"));
    }
}
