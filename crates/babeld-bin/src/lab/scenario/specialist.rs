//! The specialist: two honest neighbours, and each is the better one for something.

use super::{Host, Link, Node, Scenario};
use crate::lab::specialist;
use std::net::Ipv4Addr;

/// Somewhere in the internet, reached by the way to everything.
pub(in crate::lab) const INTERNET: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
/// A library's server, whose network both neighbours advertise by itself.
pub(in crate::lab) const LIBRARY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);

const fn internet(behind: &'static str) -> Host {
    Host {
        behind,
        prefix: (Ipv4Addr::UNSPECIFIED, 0),
        address: INTERNET,
    }
}

const fn library(behind: &'static str) -> Host {
    Host {
        behind,
        prefix: (Ipv4Addr::new(203, 0, 113, 0), 24),
        address: LIBRARY,
    }
}

/// What both neighbours say of their uplinks: the same, and no lie.
const HONEST: &[&str] = &[
    "redistribute ip 0.0.0.0/0 le 0 metric 128",
    "redistribute ip 203.0.113.0/24 eq 24 metric 128",
    "in if to-bob ip 0.0.0.0/0 le 0 deny",
    "in if to-bob ip 203.0.113.0/24 deny",
];

pub(in crate::lab) const SPECIALIST: Scenario = Scenario {
    name: "specialist",
    title: "the better neighbour for everything is the worse one for one prefix",
    about: "\
bob reaches the internet, and a library at 203.0.113.0/24, through carol or through dave. Both are
honest, ask the same and advertise the same metrics. carol's way to the internet is the faster one
by far; dave happens to sit next to the library.",
    picture: r"
                       price 20     20 Mbit/s
           cost 96  .--- carol ------------------- net-c --- the internet
                   /         `-------------------- lib-c --- the library
                  /                 3 Mbit/s
               bob
                  \                 3 Mbit/s
                   \         .-------------------- net-d --- the internet
           cost 96  `---- dave ------------------- lib-d --- the library
                       price 20     20 Mbit/s
",
    tell: specialist::tell,
    nodes: &[
        Node {
            priced: &["probe-prefix 10.99.255.0/29"],
            ..Node::new("bob", 1)
        },
        Node {
            price: Some(20),
            statements: HONEST,
            ..Node::new("carol", 2)
        },
        Node {
            price: Some(20),
            statements: HONEST,
            ..Node::new("dave", 3)
        },
        Node::host("net-c", 12, internet("carol")),
        Node::host("lib-c", 13, library("carol")),
        Node::host("net-d", 14, internet("dave")),
        Node::host("lib-d", 15, library("dave")),
    ],
    links: &[
        Link::babel(["bob", "carol"], 96),
        Link::babel(["bob", "dave"], 96),
        Link::uplink(["carol", "net-c"], 20_000_000),
        Link::uplink(["carol", "lib-c"], 3_000_000),
        Link::uplink(["dave", "net-d"], 3_000_000),
        Link::uplink(["dave", "lib-d"], 20_000_000),
    ],
};
