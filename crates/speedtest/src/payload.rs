//! Random octets that nobody on the way can compress, foresee or replace unnoticed.
//!
//! ChaCha with eight rounds, keyed from randomness of both ends, so that neither chooses the
//! stream alone; SHA-256 over what was sent or received.

use chacha20::ChaCha8Rng;
use chacha20::rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};

/// A count and a hash of what flowed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Sum {
    pub(crate) octets: u64,
    pub(crate) digest: [u8; 32],
}

/// Counts and hashes.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    octets: u64,
    hash: Sha256,
}

impl Tally {
    pub(crate) fn add(&mut self, octets: &[u8]) {
        self.octets += octets.len() as u64;
        self.hash.update(octets);
    }

    pub(crate) const fn octets(&self) -> u64 {
        self.octets
    }

    pub(crate) fn sum(&self) -> Sum {
        Sum {
            octets: self.octets,
            digest: self.hash.clone().finalize().into(),
        }
    }
}

impl std::fmt::Debug for Tally {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tally")
            .field("octets", &self.octets)
            .finish_non_exhaustive()
    }
}

/// The stream of one direction.
pub(crate) struct Payload(ChaCha8Rng);

impl Payload {
    /// `purpose` keeps the two directions of a session apart.
    pub(crate) fn new(ours: &[u8], theirs: &[u8], purpose: &[u8]) -> Self {
        let key = Sha256::new()
            .chain_update(purpose)
            .chain_update(ours)
            .chain_update(theirs)
            .finalize();
        Self(ChaCha8Rng::from_seed(key.into()))
    }

    pub(crate) fn fill(&mut self, octets: &mut [u8]) {
        self.0.fill_bytes(octets);
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Payload")
    }
}

/// Octets from the system's generator; an error only on a system without one.
pub(crate) fn random<const N: usize>() -> std::io::Result<[u8; N]> {
    let mut octets = [0; N];
    getrandom::fill(&mut octets).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_depends_on_both_ends_and_on_the_direction() {
        let stream = |a: &[u8], b: &[u8], purpose: &[u8]| {
            let mut octets = [0; 64];
            Payload::new(a, b, purpose).fill(&mut octets);
            octets
        };
        let one = stream(b"a", b"b", b"down");
        assert_eq!(one, stream(b"a", b"b", b"down"));
        assert_ne!(one, stream(b"x", b"b", b"down"));
        assert_ne!(one, stream(b"a", b"x", b"down"));
        assert_ne!(one, stream(b"a", b"b", b"up"));
    }

    #[test]
    fn a_tally_does_not_depend_on_how_the_octets_were_cut() {
        let (mut whole, mut parts) = (Tally::default(), Tally::default());
        whole.add(b"babel");
        parts.add(b"ba");
        parts.add(b"");
        parts.add(b"bel");
        assert_eq!(whole.sum(), parts.sum());
        parts.add(b"l");
        assert_ne!(whole.sum(), parts.sum());
    }
}
