//! A price for one megabyte, and the only ways to compute with it.

use core::fmt;
use core::str::FromStr;

/// What 10^6 octets of IP packets cost, in a [`crate::Unit`] kept beside it.
///
/// Ordered: [`Price::NOT_FOR_SALE`] is above every amount.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Price(u32);

impl Price {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The greatest amount; sums saturate here.
    pub const MAX: Self = Self(u32::MAX - 1);
    /// The route is known but must not be used.
    pub const NOT_FOR_SALE: Self = Self(u32::MAX);

    /// An amount; `None` for 0xFFFFFFFF, which is no amount.
    pub const fn new(amount: u32) -> Option<Self> {
        if amount == u32::MAX {
            None
        } else {
            Some(Self(amount))
        }
    }

    /// An amount, with what is too large taken as [`Price::MAX`]: for sums made elsewhere.
    pub const fn saturating(amount: u32) -> Self {
        match Self::new(amount) {
            Some(price) => price,
            None => Self::MAX,
        }
    }

    /// From the wire, where 0xFFFFFFFF means "not for sale".
    pub const fn from_wire(value: u32) -> Self {
        Self(value)
    }

    /// As on the wire.
    pub const fn to_wire(self) -> u32 {
        self.0
    }

    /// The amount; `None` if not for sale.
    pub const fn amount(self) -> Option<u32> {
        if self.is_for_sale() {
            Some(self.0)
        } else {
            None
        }
    }

    /// Whether this is an amount.
    pub const fn is_for_sale(self) -> bool {
        self.0 != u32::MAX
    }

    /// The sum, saturating at [`Price::MAX`]; what is not for sale stays so.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        if !self.is_for_sale() || !other.is_for_sale() {
            return Self::NOT_FOR_SALE;
        }
        Self::saturating(self.0.saturating_add(other.0))
    }
}

impl fmt::Display for Price {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.amount() {
            Some(amount) => fmt::Display::fmt(&amount, f),
            None => f.write_str("not for sale"),
        }
    }
}

/// The text was not an amount.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a price is a whole number from 0 to 4294967294")]
pub struct InvalidPrice;

impl FromStr for Price {
    type Err = InvalidPrice;
    /// Decimal digits only; no sign, no exponent.
    fn from_str(text: &str) -> Result<Self, InvalidPrice> {
        if !text.bytes().all(|octet| octet.is_ascii_digit()) {
            return Err(InvalidPrice);
        }
        let amount = text.parse().map_err(|_| InvalidPrice)?;
        Self::new(amount).ok_or(InvalidPrice)
    }
}

#[cfg(test)]
mod tests;
