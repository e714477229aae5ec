//! Indices and nonces: unpredictable, never twice, and yet the same for the same seed.

use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Random octets from the operating system, from which all indices and nonces of a node's life
/// are derived. No two lives may have the same: a repeated index would let an attacker replay.
#[derive(Clone, PartialEq, Eq)]
pub struct Entropy([u8; 32]);

impl Entropy {
    /// Octets that nobody else knows.
    pub const fn new(octets: [u8; 32]) -> Self {
        Self(octets)
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entropy(..)")
    }
}

/// Draws octets: HMAC-SHA256 of a count, keyed with the entropy.
#[derive(Clone)]
pub(crate) struct Generator {
    keyed: Hmac<Sha256>,
    drawn: u64,
}

impl Generator {
    pub(crate) fn new(entropy: &Entropy) -> Self {
        let mut block = hmac::digest::Key::<Hmac<Sha256>>::default();
        for (octet, secret) in block.iter_mut().zip(entropy.0) {
            *octet = secret;
        }
        Self {
            keyed: Hmac::new(&block),
            drawn: 0,
        }
    }

    /// The next `N` octets; `N` is at most 32.
    pub(crate) fn draw<const N: usize>(&mut self) -> [u8; N] {
        const { assert!(N <= 32, "one block holds 32 octets") };
        self.drawn = self.drawn.wrapping_add(1);
        let count = self.drawn.to_be_bytes();
        let block = self.keyed.clone().chain_update(count).finalize();
        let mut octets = [0; N];
        for (octet, drawn) in octets.iter_mut().zip(block.as_bytes()) {
            *octet = *drawn;
        }
        octets
    }
}

impl fmt::Debug for Generator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generator").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn octets_never_repeat_differ_between_seeds_and_follow_from_the_seed() {
        let draw = |seed: u8| {
            let mut generator = Generator::new(&Entropy::new([seed; 32]));
            core::iter::repeat_with(move || generator.draw::<8>()).take(1000)
        };
        let all: BTreeSet<[u8; 8]> = draw(1).chain(draw(2)).collect();
        assert_eq!(all.len(), 2000);
        assert!(draw(1).eq(draw(1)));
    }

    #[test]
    fn the_seed_is_not_shown() {
        assert_eq!(format!("{:?}", Entropy::new([77; 32])), "Entropy(..)");
    }
}
