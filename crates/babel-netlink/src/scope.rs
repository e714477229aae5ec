//! How far an address or a route reaches.

/// How far an address or a route reaches.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub enum Scope {
    /// Everywhere.
    #[default]
    Universe,
    /// This site.
    Site,
    /// This link: link-local addresses, and routes without a gateway.
    Link,
    /// This host.
    Host,
    /// Nowhere.
    Nowhere,
    /// A number of the operator's own.
    Other(u8),
}

impl Scope {
    pub(crate) fn from_kernel(number: u8) -> Self {
        match number {
            0 => Self::Universe,
            200 => Self::Site,
            253 => Self::Link,
            254 => Self::Host,
            255 => Self::Nowhere,
            other => Self::Other(other),
        }
    }

    pub(crate) fn to_kernel(self) -> u8 {
        match self {
            Self::Universe => 0,
            Self::Site => 200,
            Self::Link => 253,
            Self::Host => 254,
            Self::Nowhere => 255,
            Self::Other(other) => other,
        }
    }
}
