//! Keys, and the MAC of some octets. A key is never shown.

use blake2::Blake2sMac;
use blake2::digest::consts::U16;
use core::fmt;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How MACs are computed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// HMAC-SHA256 (RFC 6234, RFC 2104): every implementation has it.
    HmacSha256,
    /// Keyed BLAKE2s with digests of 16 octets (RFC 7693): cheaper on small machines.
    Blake2s128,
}

impl Algorithm {
    /// Octets of the longest key. HMAC would hash a longer one; that is refused, as stock does,
    /// since it is most likely a mistake.
    pub const fn max_key_len(self) -> usize {
        match self {
            Self::HmacSha256 => 64,
            Self::Blake2s128 => 32,
        }
    }
}

/// A secret that some nodes share.
#[derive(Clone)]
pub struct Key {
    octets: Box<[u8]>,
    primed: Primed,
}

/// The state of the hash function once it has taken in the key: copied for each packet.
#[derive(Clone)]
enum Primed {
    HmacSha256(Hmac<Sha256>),
    Blake2s128(Blake2sMac<U16>),
}

impl Key {
    /// A key of 1 to [`Algorithm::max_key_len`] octets; `None` for any other length. A short
    /// HMAC key is the same as one padded with zeroes to 64 octets.
    pub fn new(algorithm: Algorithm, octets: &[u8]) -> Option<Self> {
        if octets.is_empty() || octets.len() > algorithm.max_key_len() {
            return None;
        }
        let primed = match algorithm {
            Algorithm::HmacSha256 => Primed::HmacSha256(Hmac::new_from_slice(octets).ok()?),
            Algorithm::Blake2s128 => Primed::Blake2s128(Blake2sMac::new_from_slice(octets).ok()?),
        };
        Some(Self {
            octets: octets.into(),
            primed,
        })
    }

    /// What MACs it makes.
    pub const fn algorithm(&self) -> Algorithm {
        match self.primed {
            Primed::HmacSha256(_) => Algorithm::HmacSha256,
            Primed::Blake2s128(_) => Algorithm::Blake2s128,
        }
    }

    /// Octets of its MACs.
    pub(crate) const fn mac_len(&self) -> usize {
        match self.primed {
            Primed::HmacSha256(_) => 32,
            Primed::Blake2s128(_) => 16,
        }
    }

    /// Appends the MAC of the concatenated `parts` to `out`.
    pub(crate) fn append_mac(&self, parts: [&[u8]; 2], out: &mut Vec<u8>) {
        match &self.primed {
            Primed::HmacSha256(primed) => out.extend_from_slice(digest(primed, parts).as_bytes()),
            Primed::Blake2s128(primed) => out.extend_from_slice(digest(primed, parts).as_bytes()),
        }
    }

    /// Whether one of `macs` is the MAC of the concatenated `parts`. It is computed once, however
    /// many there are (RFC 8967 §4.3), and compared in constant time.
    pub(crate) fn made_any<'a>(
        &self,
        parts: [&[u8]; 2],
        macs: impl Iterator<Item = &'a [u8]>,
    ) -> bool {
        match &self.primed {
            Primed::HmacSha256(primed) => made_any(primed, parts, macs),
            Primed::Blake2s128(primed) => made_any(primed, parts, macs),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.algorithm() == other.algorithm() && self.octets == other.octets
    }
}

impl Eq for Key {}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("algorithm", &self.algorithm())
            .finish_non_exhaustive()
    }
}

fn made_any<'a, M: Mac + Clone>(
    primed: &M,
    parts: [&[u8]; 2],
    macs: impl Iterator<Item = &'a [u8]>,
) -> bool {
    let mut fitting = macs.filter_map(|mac| mac.try_into().ok()).peekable();
    if fitting.peek().is_none() {
        return false;
    }
    let expected = digest(primed, parts);
    fitting.any(|mac: &hmac::digest::Output<M>| expected == mac.into())
}

fn digest<M: Mac + Clone>(primed: &M, [first, second]: [&[u8]; 2]) -> hmac::digest::CtOutput<M> {
    #[cfg(test)]
    COMPUTED.with(|count| count.set(count.get() + 1));
    primed
        .clone()
        .chain_update(first)
        .chain_update(second)
        .finalize()
}

#[cfg(test)]
thread_local! {
    /// MACs computed by this thread.
    pub(super) static COMPUTED: core::cell::Cell<u32> = const { core::cell::Cell::new(0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text
            .chars()
            .filter_map(|c| c.to_digit(16))
            .map(|digit| u8::try_from(digit).expect("a digit"))
            .collect();
        digits
            .chunks(2)
            .map(|pair| pair[0] << 4 | pair[1])
            .collect()
    }

    fn mac(algorithm: Algorithm, key: &[u8], data: &[u8]) -> Vec<u8> {
        let key = Key::new(algorithm, key).expect("a key");
        let mut out = Vec::new();
        // Cut anywhere: only the concatenation counts.
        let (first, second) = data.split_at(data.len() / 3);
        key.append_mac([first, second], &mut out);
        assert_eq!(out.len(), key.mac_len());
        assert!(key.made_any([data, &[]], [&out[1..], &out].into_iter()));
        out[0] ^= 1;
        assert!(!key.made_any([data, &[]], [&out[..]].into_iter()));
        out[0] ^= 1;
        out
    }

    // 8967-4.1-2: RFC 4231, test cases 1 to 4 (6 and 7 have keys that are too long here).
    #[test]
    fn hmac_sha256_is_that_of_rfc_4231() {
        let counted: Vec<u8> = (1..=25).collect();
        for (key, data, expected) in [
            (
                &[0x0b; 20][..],
                &b"Hi There"[..],
                "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
            ),
            (
                b"Jefe",
                b"what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 20],
                &[0xdd; 50],
                "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
            ),
            (
                &counted,
                &[0xcd; 50],
                "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
            ),
        ] {
            assert_eq!(mac(Algorithm::HmacSha256, key, data), hex(expected));
        }
    }

    #[test]
    fn a_short_hmac_key_is_the_same_as_one_padded_with_zeroes() {
        let mut padded = b"Jefe".to_vec();
        padded.resize(64, 0);
        let short = mac(Algorithm::HmacSha256, b"Jefe", b"x");
        assert_eq!(mac(Algorithm::HmacSha256, &padded, b"x"), short);
    }

    // 8967-4.1-3: keyed BLAKE2s with 16 octets, as Python's hashlib computes it.
    #[test]
    fn blake2s128_is_keyed_blake2s_with_16_octets() {
        let key: Vec<u8> = (0..32).collect();
        let data: Vec<u8> = (0..=254).collect();
        for (key, data, expected) in [
            (&key[..], &b""[..], BLAKE_EMPTY),
            (&key, &data, BLAKE_LONG),
            (b"k", b"Hi There", BLAKE_SHORT),
        ] {
            assert_eq!(mac(Algorithm::Blake2s128, key, data), hex(expected));
        }
    }

    #[test]
    fn keys_of_no_or_too_many_octets_are_refused_and_none_is_shown() {
        for (algorithm, most) in [(Algorithm::HmacSha256, 64), (Algorithm::Blake2s128, 32)] {
            assert_eq!(Key::new(algorithm, &[]), None);
            assert_eq!(Key::new(algorithm, &vec![1; most + 1]), None);
            let key = Key::new(algorithm, &vec![201; most]).expect("a key");
            assert!(!format!("{key:?}").contains("201"));
        }
    }

    const BLAKE_EMPTY: &str = "9536f9b267655743dee97b8a670f9f53";
    const BLAKE_LONG: &str = "cd075928ab7e6883e697fe7fd3ac43ee";
    const BLAKE_SHORT: &str = "714abeb38989fe98931c51c264180776";
}
