//! Units of account. Prices in different units are never added or compared.

use core::fmt;
use core::str::FromStr;

/// The unit a price is counted in, agreed in the network.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Unit(pub u16);

impl Unit {
    /// The network's own nameless unit; the default.
    pub const NAMELESS: Self = Self(0);
    /// 10^-12 token per megabyte, which is "wei per byte": Althea's numbers, one to one.
    pub const WEI_PER_BYTE: Self = Self(4096);

    /// Whether this is 10^-9 of the currency with this ISO 4217 numeric code.
    pub const fn is_currency(self) -> bool {
        1 <= self.0 && self.0 <= 999
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The text was not a unit's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "a price unit is a number: 0 for the network's own, an ISO 4217 numeric code (1 to 999), \
     or a private one (1000 to 65535)"
)]
pub struct InvalidUnit;

impl FromStr for Unit {
    type Err = InvalidUnit;
    /// Decimal digits only.
    fn from_str(text: &str) -> Result<Self, InvalidUnit> {
        if !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(InvalidUnit);
        }
        text.parse().map(Self).map_err(|_| InvalidUnit)
    }
}
