//! What one route costs: the attribute that rides on it.

use crate::price::Price;
use crate::unit::Unit;
use core::fmt;

/// What a route costs. "Unpriced" is a value of its own, never zero and never the last price.
///
/// A price in a foreign unit is kept as it came, so that the policy can refuse the route and say
/// why.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum RoutePrice {
    /// Nothing was said.
    #[default]
    Unpriced,
    /// A price.
    Priced {
        /// What the prices are counted in.
        unit: Unit,
        /// For traffic towards the prefix; for both directions if there is no return price.
        price: Price,
        /// For traffic from the prefix.
        return_price: Option<Price>,
    },
}

impl RoutePrice {
    /// One price for both directions.
    pub const fn new(unit: Unit, price: Price) -> Self {
        Self::Priced {
            unit,
            price,
            return_price: None,
        }
    }

    /// A price for each direction.
    pub const fn with_return(unit: Unit, price: Price, return_price: Price) -> Self {
        Self::Priced {
            unit,
            price,
            return_price: Some(return_price),
        }
    }

    /// The price towards the prefix; `None` if unpriced. This is the `price P` of a route line.
    pub const fn price(&self) -> Option<Price> {
        match self {
            Self::Unpriced => None,
            Self::Priced { price, .. } => Some(*price),
        }
    }

    /// The price for traffic from the prefix, if it is another one.
    pub const fn return_price(&self) -> Option<Price> {
        match self {
            Self::Unpriced => None,
            Self::Priced { return_price, .. } => *return_price,
        }
    }

    /// The unit; `None` if unpriced.
    pub const fn unit(&self) -> Option<Unit> {
        match self {
            Self::Unpriced => None,
            Self::Priced { unit, .. } => Some(*unit),
        }
    }

    /// Whether a price was given, be it zero.
    pub const fn is_priced(&self) -> bool {
        matches!(self, Self::Priced { .. })
    }

    /// The figure for limit and choice: the larger of the two directions; zero if unpriced.
    pub fn cost(&self) -> Price {
        match *self {
            Self::Unpriced => Price::ZERO,
            Self::Priced {
                price,
                return_price,
                ..
            } => price.max(return_price.unwrap_or(price)),
        }
    }

    /// This, in `unit`, with `added` on both directions; what is unpriced costs 0 before that.
    pub(crate) const fn plus(&self, unit: Unit, added: Price) -> Self {
        match self {
            Self::Unpriced => Self::new(unit, added),
            Self::Priced {
                price,
                return_price,
                ..
            } => Self::Priced {
                unit,
                price: price.plus(added),
                return_price: match return_price {
                    Some(return_price) => Some(return_price.plus(added)),
                    None => None,
                },
            },
        }
    }
}

impl fmt::Display for RoutePrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unpriced => f.write_str("unpriced"),
            Self::Priced {
                price,
                return_price: None,
                ..
            } => fmt::Display::fmt(price, f),
            Self::Priced {
                price,
                return_price: Some(return_price),
                ..
            } => write!(f, "{price} (return {return_price})"),
        }
    }
}
