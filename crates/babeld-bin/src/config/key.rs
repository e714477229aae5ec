//! Keys of MAC authentication (RFC 8967), as configured.

use std::fmt;

/// A hash function for keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyType {
    /// `hmac-sha256`: up to 64 octets, zero-padded to 64.
    HmacSha256,
    /// `blake2s128`: 1 to 32 octets.
    Blake2s128,
}

/// A key. Its value is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Key {
    /// Its name on `interface … key NAME`.
    pub id: String,
    /// What it is for.
    pub key_type: KeyType,
    /// The secret.
    pub value: Vec<u8>,
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("id", &self.id)
            .field("key_type", &self.key_type)
            .finish_non_exhaustive()
    }
}
