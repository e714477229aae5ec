//! Our own packet counter on one link (RFC 8967 §3.1).

use super::entropy::Generator;

/// Octets of our indices: 64 random bits, as many as other implementations use.
pub(crate) const INDEX_LEN: usize = 8;

/// Index and PC: one pair for unicast and multicast packets of a link alike.
#[derive(Debug)]
pub(crate) struct Counter {
    index: [u8; INDEX_LEN],
    pc: u32,
}

impl Counter {
    /// A fresh index, nothing counted yet.
    pub(crate) fn new(generator: &mut Generator) -> Self {
        Self {
            index: generator.draw(),
            pc: 0,
        }
    }

    /// The pair for the next packet. A PC is used once with an index: when it would overflow, it
    /// begins again with a fresh index (RFC 8967 §4.2).
    pub(crate) fn next(&mut self, generator: &mut Generator) -> (u32, [u8; INDEX_LEN]) {
        match self.pc.checked_add(1) {
            Some(pc) => self.pc = pc,
            None => {
                *self = Self::new(generator);
                self.pc = 1;
            }
        }
        (self.pc, self.index)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Entropy;
    use super::*;

    // 8967-4.2-3, 8967-4.2-4
    #[test]
    fn the_counter_rises_and_an_overflow_brings_a_fresh_index() {
        let mut generator = Generator::new(&Entropy::new([3; 32]));
        let mut counter = Counter::new(&mut generator);
        let (first, index) = counter.next(&mut generator);
        assert_eq!((first, counter.next(&mut generator)), (1, (2, index)));
        counter.pc = u32::MAX - 1;
        assert_eq!(counter.next(&mut generator), (u32::MAX, index));
        let (pc, fresh) = counter.next(&mut generator);
        assert_eq!(pc, 1);
        assert_ne!(fresh, index);
        assert_eq!(counter.next(&mut generator), (2, fresh));
    }
}
