//! `max-price`: the most a route may cost, by prefix. The longest covering prefix wins.

use crate::by_prefix::{ByPrefix, Scoped};
use babel_core::prefix::Prefix;
use babel_price_tlv::Price;
use core::fmt;

/// One `max-price` statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct MaxPrice {
    /// For destinations inside this; `None` for all, of both families.
    pub prefix: Option<Prefix>,
    /// At most this, equal is fine; `None` for no limit.
    pub price: Option<Price>,
}

impl Scoped for MaxPrice {
    fn prefix(&self) -> Option<Prefix> {
        self.prefix
    }
}

impl fmt::Display for MaxPrice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.price {
            Some(price) => write!(f, "max-price {price}")?,
            None => f.write_str("max-price none")?,
        }
        match self.prefix {
            Some(prefix) => write!(f, " for {prefix}"),
            None => Ok(()),
        }
    }
}

/// All `max-price` statements, at most one for each prefix.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct MaxPrices {
    statements: ByPrefix<MaxPrice>,
}

impl MaxPrices {
    /// Sets one; it replaces an earlier one for the same prefix.
    pub fn set(&mut self, statement: MaxPrice) {
        self.statements.set(statement);
    }

    /// The statement that decides for a destination; `None` if there is no limit.
    pub fn for_destination(&self, destination: &Prefix) -> Option<(MaxPrice, Price)> {
        let decides = self.statements.at(self.statements.place(destination)?)?;
        decides.price.map(|price| (*decides, price))
    }

    /// All statements, longest prefix first.
    pub fn iter(&self) -> impl Iterator<Item = &MaxPrice> {
        self.statements.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prefix(text: &str) -> Prefix {
        text.parse().expect("a prefix")
    }

    fn statement(ip: Option<&str>, amount: Option<u32>) -> MaxPrice {
        MaxPrice {
            prefix: ip.map(prefix),
            price: amount.map(Price::saturating),
        }
    }

    fn limit(limits: &MaxPrices, destination: &str) -> Option<u32> {
        let (_, price) = limits.for_destination(&prefix(destination))?;
        price.amount()
    }

    #[test]
    fn the_longest_covering_prefix_wins_in_whatever_order_they_were_set() {
        let mut all = [
            statement(None, Some(500)),
            statement(Some("10.0.0.0/8"), Some(100)),
            statement(Some("10.1.0.0/16"), None),
            statement(Some("::/0"), Some(7)),
        ];
        for _ in 0..all.len() {
            all.rotate_left(1);
            let mut limits = MaxPrices::default();
            all.iter().for_each(|&statement| limits.set(statement));
            assert_eq!(limit(&limits, "192.0.2.0/24"), Some(500));
            assert_eq!(limit(&limits, "10.2.0.0/16"), Some(100));
            assert_eq!(limit(&limits, "10.1.2.0/24"), None);
            assert_eq!(limit(&limits, "0.0.0.0/0"), Some(500));
            assert_eq!(limit(&limits, "2001:db8::/32"), Some(7));
        }
    }

    #[test]
    fn a_limit_for_a_longer_prefix_does_not_bind_the_shorter_route() {
        let mut limits = MaxPrices::default();
        limits.set(statement(Some("10.0.0.0/8"), Some(1)));
        assert_eq!(limit(&limits, "0.0.0.0/0"), None);
    }

    #[test]
    fn the_last_statement_for_a_prefix_replaces_the_earlier() {
        let mut limits = MaxPrices::default();
        limits.set(statement(Some("10.0.0.0/8"), Some(1)));
        limits.set(statement(Some("10.0.0.0/8"), Some(2)));
        limits.set(statement(None, Some(3)));
        limits.set(statement(None, None));
        assert_eq!(limits.iter().count(), 2);
        assert_eq!(limit(&limits, "10.0.0.0/24"), Some(2));
        assert_eq!(limit(&limits, "192.0.2.0/24"), None);
    }
}
