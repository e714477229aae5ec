//! The diamond: two ways between two nodes.

use super::{Link, Node, Scenario};
use crate::lab::diamond;

pub(in crate::lab) const DIAMOND: Scenario = Scenario {
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
    tell: diamond::tell,
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
        Link::babel(["alice", "bob"], 128),
        Link::babel(["bob", "dave"], 128),
        Link::babel(["alice", "carol"], 96),
        Link::babel(["carol", "dave"], 96),
    ],
};
