//! Shapes of networks.

use super::medium::Medium;

/// A wire between two nodes, or a segment between more.
#[derive(Clone, PartialEq, Debug)]
pub struct Link {
    /// Its ends.
    pub ends: Vec<usize>,
    /// Nominal cost (`rxcost`) at all ends.
    pub cost: u16,
    /// What it does to packets, in each direction.
    pub medium: Medium,
}

impl Link {
    /// The ends other than `n`.
    pub fn others(&self, n: usize) -> impl Iterator<Item = usize> {
        self.ends.iter().copied().filter(move |&end| end != n)
    }
}

/// Nodes and the wires between them.
#[derive(Clone, PartialEq, Debug)]
pub struct Topology {
    /// Number of nodes.
    pub nodes: usize,
    /// Wires.
    pub links: Vec<Link>,
}

impl Topology {
    /// Nodes without wires.
    pub const fn new(nodes: usize) -> Self {
        Self {
            nodes,
            links: Vec::new(),
        }
    }

    /// Two nodes and a wire.
    pub fn pair() -> Self {
        Self::line(2)
    }

    /// 0 - 1 - 2 - …
    pub fn line(nodes: usize) -> Self {
        (1..nodes).fold(Self::new(nodes), |line, n| line.wire(n - 1, n, 96))
    }

    /// A line whose ends meet.
    pub fn ring(nodes: usize) -> Self {
        Self::line(nodes).wire(nodes - 1, 0, 96)
    }

    /// 0 above, 3 below, 1 and 2 between; the way by 2 is a little longer.
    pub fn diamond() -> Self {
        Self::new(4)
            .wire(0, 1, 96)
            .wire(0, 2, 128)
            .wire(1, 3, 96)
            .wire(2, 3, 128)
    }

    /// A connected random mesh: a random tree, and half as many wires again, with random costs.
    pub fn mesh(nodes: usize, rng: &mut fastrand::Rng) -> Self {
        let mut mesh = Self::new(nodes);
        for n in 1..nodes {
            mesh = mesh.wire(rng.usize(..n), n, rng.u16(32..512));
        }
        for _ in 0..nodes {
            let (a, b) = (rng.usize(..nodes), rng.usize(..nodes));
            let known = mesh
                .links
                .iter()
                .any(|link| link.ends.contains(&a) && link.ends.contains(&b));
            if a != b && !known {
                mesh = mesh.wire(a, b, rng.u16(32..512));
            }
        }
        mesh
    }

    /// Two segments of four nodes each that share two of them, and a node behind each.
    pub fn segments() -> Self {
        Self::new(8)
            .segment(&[0, 1, 2, 3], 96)
            .segment(&[2, 3, 4, 5], 96)
            .wire(0, 6, 200)
            .wire(5, 7, 300)
    }

    /// Adds a wire that loses nothing.
    #[must_use]
    pub fn wire(self, a: usize, b: usize, cost: u16) -> Self {
        self.segment(&[a, b], cost)
    }

    /// Adds a segment that loses nothing.
    #[must_use]
    pub fn segment(mut self, ends: &[usize], cost: u16) -> Self {
        self.links.push(Link {
            ends: ends.to_vec(),
            cost,
            medium: Medium::WIRE,
        });
        self
    }

    /// Makes all wires of this medium.
    #[must_use]
    pub fn over(mut self, medium: Medium) -> Self {
        self.links.iter_mut().for_each(|link| link.medium = medium);
        self
    }
}
