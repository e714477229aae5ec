use super::*;
use proptest::prelude::*;

const LINK: LinkId = LinkId(1);
const OTHER_LINK: LinkId = LinkId(2);
const NEIGHBOUR: NeighbourId = NeighbourId(1);

fn price(amount: u32) -> Price {
    Price::saturating(amount)
}

fn ours(amount: u32) -> RoutePrice {
    RoutePrice::new(Unit::NAMELESS, price(amount))
}

fn charging(fee: u32) -> PriceExtension {
    let mut extension = PriceExtension::new();
    extension.set_enabled(true);
    extension.set_fee(price(fee));
    extension
}

/// What one hop makes of a route: learn it, then tell it on.
fn relay(node: &PriceExtension, received: RoutePrice) -> RoutePrice {
    let held = node.learned(received, NEIGHBOUR, 0);
    node.advertised(held, Origin::Learned, LINK, 0)
}

#[test]
fn a_route_carries_its_price_in_sixteen_octets() {
    assert!(size_of::<RoutePrice>() <= 16);
}

#[test]
fn off_is_the_default_and_says_nothing_of_any_route() {
    let mut node = PriceExtension::default();
    node.set_fee(price(7));
    assert!(!node.enabled());
    for origin in [Origin::Local, Origin::Redistributed, Origin::Learned] {
        let held = match origin {
            Origin::Learned => node.learned(RoutePrice::Unpriced, NEIGHBOUR, 0),
            _ => node.originated(origin, Some(5)),
        };
        assert_eq!(node.advertised(held, origin, LINK, 3), RoutePrice::Unpriced);
    }
}

#[test]
fn what_is_advertised_is_what_the_route_costs_me_plus_my_fee() {
    assert_eq!(relay(&charging(7), ours(100)), ours(107));
}

#[test]
fn an_unpriced_route_costs_nothing_and_is_relayed_at_my_own_fee() {
    let node = charging(7);
    let held = node.learned(RoutePrice::Unpriced, NEIGHBOUR, 0);
    assert_eq!(held, RoutePrice::Unpriced);
    assert_eq!(held.cost(), Price::ZERO);
    assert_eq!(relay(&node, RoutePrice::Unpriced), ours(7));
}

#[test]
fn price_zero_is_not_unpriced() {
    assert_ne!(ours(0), RoutePrice::Unpriced);
    assert!(ours(0).is_priced());
    assert_eq!(ours(0).price(), Some(Price::ZERO));
    assert_eq!(RoutePrice::Unpriced.price(), None);
}

#[test]
fn a_redistributed_route_costs_its_rules_price_and_my_fee_is_added() {
    let node = charging(7);
    for (rule, want) in [(None, 7), (Some(5), 12), (Some(u32::MAX), u32::MAX - 1)] {
        let held = node.originated(Origin::Redistributed, rule);
        let told = node.advertised(held, Origin::Redistributed, LINK, 0);
        assert_eq!(told, ours(want));
    }
}

#[test]
fn my_own_addresses_cost_nothing_and_bear_no_fee() {
    let node = charging(7);
    for rule in [None, Some(5)] {
        let held = node.originated(Origin::Local, rule);
        assert_eq!(node.advertised(held, Origin::Local, LINK, 0), ours(0));
    }
}

#[test]
fn a_node_with_prices_on_and_no_fee_prices_everything_at_zero() {
    let node = charging(0);
    assert_eq!(relay(&node, RoutePrice::Unpriced), ours(0));
    let held = node.originated(Origin::Redistributed, None);
    assert_eq!(
        node.advertised(held, Origin::Redistributed, LINK, 0),
        ours(0)
    );
}

#[test]
fn an_in_filter_adds_to_what_the_route_costs_me_and_so_to_what_i_ask() {
    let node = charging(7);
    let held = node.learned(ours(100), NEIGHBOUR, 20);
    assert_eq!(held, ours(120));
    assert_eq!(node.advertised(held, Origin::Learned, LINK, 0), ours(127));
    assert_eq!(node.learned(RoutePrice::Unpriced, NEIGHBOUR, 20), ours(20));
}

#[test]
fn an_out_filter_adds_to_what_is_advertised_only() {
    let node = charging(7);
    let held = node.learned(ours(100), NEIGHBOUR, 0);
    assert_eq!(node.advertised(held, Origin::Learned, LINK, 30), ours(137));
    let local = node.originated(Origin::Local, None);
    assert_eq!(node.advertised(local, Origin::Local, LINK, 30), ours(30));
}

#[test]
fn a_links_fee_replaces_the_global_one_until_it_is_taken_back() {
    let mut node = charging(7);
    node.set_link_fee(LINK, Some(price(50)));
    assert_eq!(relay(&node, ours(100)), ours(150));
    assert_eq!(node.fee_on(OTHER_LINK), price(7));
    node.set_link_fee(LINK, Some(Price::ZERO));
    assert_eq!(relay(&node, ours(100)), ours(100));
    node.set_link_fee(LINK, None);
    assert_eq!(relay(&node, ours(100)), ours(107));
}

#[test]
fn a_return_price_is_relayed_with_the_fee_on_both_and_the_larger_counts() {
    let received = RoutePrice::with_return(Unit::NAMELESS, price(100), price(300));
    assert_eq!(received.cost(), price(300));
    let told = relay(&charging(7), received);
    let want = RoutePrice::with_return(Unit::NAMELESS, price(107), price(307));
    assert_eq!(told, want);
    let dear = RoutePrice::with_return(Unit::NAMELESS, price(300), price(100));
    assert_eq!(dear.cost(), price(300));
}

#[test]
fn sums_saturate_along_the_path_and_never_reach_not_for_sale() {
    let nearly = ours(u32::MAX - 3);
    assert_eq!(
        relay(&charging(100), nearly),
        RoutePrice::new(Unit(0), Price::MAX)
    );
    let node = charging(u32::MAX);
    assert_eq!(node.fee(), Price::MAX);
    let held = node.learned(ours(u32::MAX), NEIGHBOUR, u32::MAX);
    let told = node.advertised(held, Origin::Learned, LINK, u32::MAX);
    assert_eq!(told, RoutePrice::new(Unit(0), Price::MAX));
}

#[test]
fn what_is_not_for_sale_stays_so() {
    let shut = RoutePrice::new(Unit::NAMELESS, Price::NOT_FOR_SALE);
    let node = charging(7);
    assert_eq!(node.learned(shut, NEIGHBOUR, 20), shut);
    assert_eq!(relay(&node, shut), shut);
    let half = RoutePrice::with_return(Unit::NAMELESS, price(1), Price::NOT_FOR_SALE);
    assert_eq!(half.cost(), Price::NOT_FOR_SALE);
}

#[test]
fn a_foreign_unit_is_kept_as_it_came_and_never_added_to() {
    let node = charging(7);
    let foreign = RoutePrice::new(Unit(978), price(100));
    let held = node.learned(foreign, NEIGHBOUR, 20);
    assert_eq!(held, foreign);
    let told = node.advertised(held, Origin::Learned, LINK, 0);
    assert_eq!(told, RoutePrice::new(Unit::NAMELESS, Price::NOT_FOR_SALE));
}

#[test]
fn my_own_routes_are_told_in_the_new_unit_when_it_changes() {
    let mut node = charging(7);
    let held = node.originated(Origin::Redistributed, Some(5));
    node.set_unit(Unit(978));
    let told = node.advertised(held, Origin::Redistributed, LINK, 0);
    assert_eq!(told, RoutePrice::new(Unit(978), price(12)));
}

#[test]
fn five_per_cent_of_the_last_price_sent_is_worth_telling() {
    let node = charging(0);
    for (sent, now, told) in [
        (100, 105, true),
        (100, 95, true),
        (100, 104, false),
        (100, 96, false),
        (1000, 1049, false),
        (1000, 1050, true),
        (7, 8, true),
        (7, 7, false),
        (0, 1, true),
        (1, 0, true),
        (0, 0, false),
        (u32::MAX - 1, u32::MAX - 2, false),
    ] {
        assert_eq!(
            node.worth_telling(ours(sent), ours(now)),
            told,
            "{sent} to {now}"
        );
    }
}

#[test]
fn from_or_to_unpriced_not_for_sale_or_another_unit_is_worth_telling() {
    let node = charging(0);
    let shut = RoutePrice::new(Unit::NAMELESS, Price::NOT_FOR_SALE);
    let foreign = RoutePrice::new(Unit(978), price(100));
    for other in [RoutePrice::Unpriced, shut, foreign] {
        assert!(node.worth_telling(ours(100), other));
        assert!(node.worth_telling(other, ours(100)));
        assert!(!node.worth_telling(other, other));
    }
    assert!(node.worth_telling(RoutePrice::Unpriced, ours(0)));
    assert!(node.worth_telling(RoutePrice::new(Unit::NAMELESS, Price::MAX), shut));
}

#[test]
fn a_return_price_counts_like_the_other_and_its_mere_spelling_does_not() {
    let node = charging(0);
    let both = |back| RoutePrice::with_return(Unit::NAMELESS, price(100), price(back));
    assert!(node.worth_telling(both(300), both(315)));
    assert!(!node.worth_telling(both(300), both(314)));
    assert!(node.worth_telling(ours(100), both(300)));
    assert!(!node.worth_telling(ours(100), both(100)));
}

proptest! {
    #[test]
    fn a_path_never_gets_cheaper_by_another_hop(
        received in any::<u32>(), fees in proptest::collection::vec(any::<u32>(), 1..8),
    ) {
        let mut at = RoutePrice::new(Unit::NAMELESS, Price::from_wire(received));
        for fee in fees {
            let next = relay(&charging(fee), at);
            prop_assert!(next.cost() >= at.cost());
            prop_assert_eq!(next.cost().is_for_sale(), at.cost().is_for_sale());
            at = next;
        }
    }

    #[test]
    fn drift_is_never_hidden_for_good(start in 1..1_000_000u32, steps in proptest::collection::vec(-40..40i64, 1..200)) {
        // However small the steps, what neighbours were told stays within 5 % of the truth.
        let node = charging(0);
        let (mut sent, mut now) = (start, start);
        for step in steps {
            let next = i64::from(now) + step * i64::from(now) / 1000;
            now = u32::try_from(next).unwrap_or(0);
            if node.worth_telling(ours(sent), ours(now)) {
                sent = now;
            }
            prop_assert!(u64::from(sent.abs_diff(now)) * 20 <= u64::from(sent));
        }
    }
}
