use super::*;
use crate::{SubTlvType, Unit};
use proptest::prelude::*;

fn any_price() -> impl Strategy<Value = Price> {
    prop_oneof![
        any::<u32>().prop_map(Price::from_wire),
        (u32::MAX - 3..=u32::MAX).prop_map(Price::from_wire),
        (0..4u32).prop_map(Price::from_wire),
    ]
}

#[test]
fn a_sum_that_would_wrap_saturates_below_not_for_sale() {
    // The exploit on the earlier fork: fee 5 plus 2^32 - 5 was 0, and the dearest route won.
    let lure = Price::from_wire(u32::MAX - 4);
    assert_eq!(Price::saturating(5).plus(lure), Price::MAX);
    assert_eq!(Price::MAX.plus(Price::MAX), Price::MAX);
    assert_eq!(Price::MAX.to_wire(), 0xFFFF_FFFE);
}

#[test]
fn not_for_sale_is_above_every_amount_and_absorbs_it() {
    assert!(Price::NOT_FOR_SALE > Price::MAX);
    assert_eq!(Price::NOT_FOR_SALE.amount(), None);
    assert_eq!(Price::NOT_FOR_SALE.plus(Price::ZERO), Price::NOT_FOR_SALE);
    assert_eq!(Price::ZERO.plus(Price::NOT_FOR_SALE), Price::NOT_FOR_SALE);
    assert_eq!(Price::new(u32::MAX), None);
    assert_eq!(Price::saturating(u32::MAX), Price::MAX);
}

#[test]
fn operators_write_amounts_in_decimal_and_nothing_else() {
    assert_eq!("0".parse(), Ok(Price::ZERO));
    assert_eq!("4294967294".parse(), Ok(Price::MAX));
    for bad in [
        "",
        "-1",
        "+1",
        "4294967295",
        "4294967296",
        "1.5",
        "0x1",
        " 1",
        "none",
    ] {
        assert_eq!(bad.parse::<Price>(), Err(InvalidPrice), "{bad}");
    }
    assert_eq!("978".parse(), Ok(Unit(978)));
    assert!("65536".parse::<Unit>().is_err());
    assert!("+1".parse::<Unit>().is_err());
    assert!(Unit(999).is_currency() && !Unit(0).is_currency() && !Unit(1000).is_currency());
}

#[test]
fn a_sub_tlv_type_is_neither_taken_nor_mandatory() {
    assert_eq!(SubTlvType::default().get(), 112);
    for good in ["4", "112", "126"] {
        assert!(good.parse::<SubTlvType>().is_ok(), "{good}");
    }
    for bad in ["0", "1", "2", "3", "127", "128", "255", "256", "", "+5"] {
        assert!(bad.parse::<SubTlvType>().is_err(), "{bad}");
    }
}

proptest! {
    #[test]
    fn a_sum_saturates_and_is_never_below_its_parts(a in any_price(), b in any_price()) {
        let sum = a.plus(b);
        prop_assert!(sum >= a && sum >= b);
        prop_assert_eq!(sum, b.plus(a));
        let wide = u64::from(a.to_wire()) + u64::from(b.to_wire());
        match (a.amount(), b.amount()) {
            (Some(_), Some(_)) => prop_assert_eq!(u64::from(sum.to_wire()), wide.min(0xFFFF_FFFE)),
            _ => prop_assert_eq!(sum, Price::NOT_FOR_SALE),
        }
    }

    #[test]
    fn a_sum_grows_with_each_part_and_the_order_of_hops_does_not_matter(
        a in any_price(), b in any_price(), c in any_price(),
    ) {
        if a <= b {
            prop_assert!(a.plus(c) <= b.plus(c));
        }
        prop_assert_eq!(a.plus(b).plus(c), a.plus(b.plus(c)));
    }

    #[test]
    fn printed_amounts_read_back(a in any_price()) {
        match a.amount() {
            Some(_) => prop_assert_eq!(a.to_string().parse::<Price>(), Ok(a)),
            None => prop_assert_eq!(a.to_string(), "not for sale"),
        }
    }
}
