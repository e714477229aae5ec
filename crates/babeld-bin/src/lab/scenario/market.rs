//! The market: three sellers, three prices, three qualities.

use super::{Host, Link, Node, Scenario};
use crate::lab::market;
use std::net::Ipv4Addr;

/// Somewhere in the internet, reached by the way to everything.
pub(in crate::lab) const INTERNET: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

const fn internet(behind: &'static str) -> Host {
    Host {
        behind,
        prefix: (Ipv4Addr::UNSPECIFIED, 0),
        address: INTERNET,
    }
}

const SELLER: &[&str] = &[
    "redistribute ip 0.0.0.0/0 le 0 metric 128",
    "in if to-bob ip 0.0.0.0/0 le 0 deny",
];

pub(in crate::lab) const MARKET: Scenario = Scenario {
    name: "market",
    title: "three sellers: quality first, price first, and a price that goes too far",
    about: "\
bob buys his way to the internet from anna, ben or cleo. The cheapest is the slowest and the fastest
is the dearest. bob says what he needs (5 Mbit/s down), what he pays at most (200), and whether among
those who deliver it the better or the cheaper one is to be preferred.",
    picture: r"
                       price 20       3 Mbit/s
           cost 96  .---- anna ------------------- net-a ---.
                   /   price 60       10 Mbit/s              \
                bob ----- ben -------------------- net-b ----- the internet
           cost 96 \   price 150      20 Mbit/s              /
           cost 96  `---- cleo ------------------- net-c ---'
",
    tell: market::tell,
    nodes: &[
        Node {
            priced: &[
                "max-price 200",
                "probe-prefix 10.99.255.0/29",
            ],
            ..Node::new("bob", 1)
        },
        Node {
            price: Some(20),
            statements: SELLER,
            joins_late: true,
            ..Node::new("anna", 2)
        },
        Node {
            price: Some(60),
            statements: SELLER,
            joins_late: true,
            ..Node::new("ben", 3)
        },
        Node {
            price: Some(150),
            statements: SELLER,
            ..Node::new("cleo", 4)
        },
        Node::host("net-a", 12, internet("anna")),
        Node::host("net-b", 13, internet("ben")),
        Node::host("net-c", 14, internet("cleo")),
    ],
    links: &[
        Link::babel(["bob", "anna"], 96),
        Link::babel(["bob", "ben"], 96),
        Link::babel(["bob", "cleo"], 96),
        Link::uplink(["anna", "net-a"], 3_000_000),
        Link::uplink(["ben", "net-b"], 10_000_000),
        Link::uplink(["cleo", "net-c"], 20_000_000),
    ],
};
