//! The liar: two ways to the internet, and the worse one is advertised as the best there is.

use super::{Host, Link, Node, Scenario};
use crate::lab::liar;
use std::net::Ipv4Addr;

/// Somewhere in the internet: no router of the lab advertises it, only the way to everything.
pub(in crate::lab) const INTERNET: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

const fn internet(behind: &'static str) -> Host {
    Host {
        behind,
        prefix: (Ipv4Addr::UNSPECIFIED, 0),
        address: INTERNET,
    }
}

pub(in crate::lab) const LIAR: Scenario = Scenario {
    name: "liar",
    title: "a neighbour promises the best of routes over the worst of uplinks",
    about: "\
bob buys his way to the internet. carol has a good uplink, and says honestly what it costs to use
it. mallory's uplink is poor, but mallory advertises it at metric 0 and asks little: that is all
that it takes to attract a node which believes what it is told.",
    picture: r"
                           price 50       20 Mbit/s
              cost 96  .--- carol ---------------------- fibre ---.
                      /   metric 256                               \
                   bob                                       the internet
                      \   metric 0                                 /
              cost 96  `--- mallory -------------------- dsl -----'
                           price 10       1 Mbit/s
",
    tell: liar::tell,
    nodes: &[
        Node {
            // The neighbours' quality is this run's business only.
            priced: &["probe-prefix 10.99.255.0/29"],
            ..Node::new("bob", 1)
        },
        Node {
            price: Some(50),
            statements: &[
                "redistribute ip 0.0.0.0/0 le 0 metric 256",
                "in if to-bob ip 0.0.0.0/0 le 0 deny",
            ],
            joins_late: true,
            ..Node::new("carol", 2)
        },
        Node {
            price: Some(10),
            statements: &[
                "redistribute ip 0.0.0.0/0 le 0 allow",
                "in if to-bob ip 0.0.0.0/0 le 0 deny",
            ],
            ..Node::new("mallory", 3)
        },
        Node::host("fibre", 12, internet("carol")),
        Node::host("dsl", 13, internet("mallory")),
    ],
    links: &[
        Link::babel(["bob", "carol"], 96),
        Link::babel(["bob", "mallory"], 96),
        Link::uplink(["carol", "fibre"], 20_000_000),
        Link::uplink(["mallory", "dsl"], 1_000_000),
    ],
};
