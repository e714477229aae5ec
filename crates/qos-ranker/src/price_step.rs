//! Prices in steps of about 10 %, so that noise cannot reorder neighbours.
//!
//! Steps are counted from the cheapest eligible candidate. Fixed steps would split pairs that lie
//! 5 % apart at some edge, and "within 10 %" taken pairwise is not transitive; counted from the
//! best, whoever costs less than a tenth more than the best always ties with it.

use babel_price_tlv::Price;

/// Each step is this much dearer than the one below: eleven tenths.
const RATIO: (u64, u64) = (11, 10);
/// Fractional bits of the edges between steps. Amounts have 32 bits and [`RATIO`] needs four
/// more, so that a product stays within 64.
const FRACTION_BITS: u32 = 24;

/// How dear a route is beside the best: 0 for a free or unpriced one, 1 for the cheapest of the
/// others and those that cost less than a tenth more, and so on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct PriceStep(u8);

impl PriceStep {
    /// Free, or unpriced: below all others.
    pub const FREE: Self = Self(0);
    /// The cheapest that is not free.
    pub const CHEAPEST: Self = Self(1);

    /// The number of the step.
    pub const fn number(self) -> u8 {
        self.0
    }
}

/// The scale that the prices of one prefix's candidates are held against.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PriceScale {
    /// The cheapest amount that is not zero; `None` if there is none.
    best: Option<u32>,
}

impl PriceScale {
    /// The scale for these eligible prices.
    pub fn new(eligible: impl Iterator<Item = Price>) -> Self {
        let amounts = eligible.filter_map(Price::amount);
        Self {
            best: amounts.filter(|&amount| amount != 0).min(),
        }
    }

    /// The step of a price. What is below the best counts as the best; what is not for sale is
    /// on the last step.
    pub fn step(&self, price: Price) -> PriceStep {
        let Some(amount) = price.amount() else {
            return PriceStep(u8::MAX);
        };
        if amount == 0 {
            return PriceStep::FREE;
        }
        // At most 233 turns from 1 to the greatest amount, one or two between like prices.
        let amount = u64::from(amount) << FRACTION_BITS;
        let mut edge = u64::from(self.best.unwrap_or(u32::MAX)) << FRACTION_BITS;
        let mut step = PriceStep::CHEAPEST;
        loop {
            edge = edge * RATIO.0 / RATIO.1;
            if amount < edge || step.0 == u8::MAX {
                return step;
            }
            step = PriceStep(step.0 + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(amount: u32) -> Price {
        Price::saturating(amount)
    }

    fn steps(amounts: &[u32]) -> Vec<u8> {
        let scale = PriceScale::new(amounts.iter().copied().map(price));
        let step = |&amount| scale.step(price(amount)).number();
        amounts.iter().map(step).collect()
    }

    #[test]
    fn steps_are_a_tenth_each_and_counted_from_the_cheapest() {
        assert_eq!(steps(&[1000, 1099, 1100, 1209, 1210]), [1, 1, 2, 2, 3]);
        assert_eq!(steps(&[1099, 1100, 1150]), [1, 1, 1]);
    }

    #[test]
    fn free_is_one_step_below_all_others_and_does_not_set_the_scale() {
        assert_eq!(steps(&[0, 1, 100]), [0, 1, 49]);
        assert_eq!(steps(&[0, 0]), [0, 0]);
    }

    #[test]
    fn the_whole_range_has_fewer_steps_than_the_last() {
        let wide = steps(&[1, u32::MAX - 1]);
        assert_eq!(wide, [1, 233]);
    }

    proptest! {
        #[test]
        fn what_costs_less_than_a_tenth_more_than_the_best_ties_with_it(
            best in 1..=u32::MAX / 2, over in 0.0..0.099f64,
        ) {
            let near = best + (f64::from(best) * over) as u32;
            prop_assert_eq!(steps(&[best, near]), [1, 1]);
        }

        #[test]
        fn what_costs_a_fifth_more_than_another_is_on_a_higher_step(
            best in 1..1000u32, low in 1000..=u32::MAX / 2,
        ) {
            let high = low + low / 5;
            let got = steps(&[best, low, high]);
            prop_assert!(got[1] < got[2], "{:?}", got);
        }

        #[test]
        fn a_dearer_route_is_never_on_a_lower_step(best in any::<u32>(), a in any::<u32>(), b in any::<u32>()) {
            let scale = PriceScale::new([best, a, b].into_iter().map(price));
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(scale.step(price(low)) <= scale.step(price(high)));
        }
    }
}
