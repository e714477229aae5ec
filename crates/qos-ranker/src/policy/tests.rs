use super::*;
use babel_core::policy::BabelMetric;
use babel_core::types::{LinkId, Metric, NeighbourId, Party};
use core::net::Ipv6Addr;
use proptest::prelude::*;

type Route = Candidate<RoutePrice>;

fn destination() -> RouteKey {
    RouteKey::new("10.1.2.0/24".parse().expect("a prefix"))
}

fn ours(amount: u32) -> RoutePrice {
    RoutePrice::new(Unit::NAMELESS, Price::saturating(amount))
}

/// The same neighbour by link and address.
fn party(neighbour: u32) -> Party {
    Party {
        link: LinkId(1),
        address: Ipv6Addr::from(0xfe80 << 112 | u128::from(neighbour)),
    }
}

fn route(neighbour: u32, price: RoutePrice, metric: u16) -> Route {
    let metric = Metric(metric);
    Candidate::for_tests(
        NeighbourId(neighbour),
        party(neighbour),
        metric,
        metric,
        false,
        price,
    )
}

fn incumbent(neighbour: u32, price: RoutePrice, metric: u16) -> Route {
    let metric = Metric(metric);
    Candidate::for_tests(
        NeighbourId(neighbour),
        party(neighbour),
        metric,
        metric,
        true,
        price,
    )
}

fn judged(policy: &QosPolicy, candidates: &[Route]) -> Vec<Option<QosKey>> {
    let mut verdicts = Vec::new();
    policy.judge(&destination(), candidates, &mut verdicts);
    let key = |verdict: &Verdict<QosKey>| match verdict {
        Verdict::Eligible(key) => Some(*key),
        Verdict::Ineligible => None,
    };
    verdicts.iter().map(key).collect()
}

/// The neighbour whose route is best.
fn best(policy: &QosPolicy, candidates: &[Route]) -> Option<u32> {
    let keys = judged(policy, candidates);
    let best = keys.iter().flatten().min()?;
    Some(best.metric.neighbour.0)
}

fn refusal(policy: &QosPolicy, price: RoutePrice) -> Option<String> {
    policy.refusal(&destination(), &route(1, price, 96))
}

fn capped(most: u32) -> QosPolicy {
    let mut policy = QosPolicy::new();
    policy.set_max_price(None, Some(Price::saturating(most)));
    policy
}

#[test]
fn a_cheaper_route_wins_over_a_shorter_one() {
    let candidates = [route(1, ours(200), 96), route(2, ours(100), 5000)];
    assert_eq!(best(&QosPolicy::new(), &candidates), Some(2));
}

#[test]
fn within_a_step_of_price_the_metric_decides() {
    let candidates = [route(1, ours(109), 96), route(2, ours(100), 5000)];
    assert_eq!(best(&QosPolicy::new(), &candidates), Some(1));
}

#[test]
fn free_and_unpriced_are_one_step_below_every_price() {
    let policy = QosPolicy::new();
    let free = [route(1, ours(0), 200), route(2, RoutePrice::Unpriced, 96)];
    assert_eq!(best(&policy, &free), Some(2));
    let priced = [route(1, ours(1), 96), route(2, RoutePrice::Unpriced, 5000)];
    assert_eq!(best(&policy, &priced), Some(2));
}

#[test]
fn all_prices_zero_does_not_freeze_routing() {
    // With logarithms of price the earlier fork could not tell such routes apart any more.
    let policy = QosPolicy::new();
    let candidates = [incumbent(1, ours(0), 2096), route(2, ours(0), 192)];
    assert_eq!(best(&policy, &candidates), Some(2));
    let keys = judged(&policy, &candidates);
    let (old, new) = (keys[0].expect("eligible"), keys[1].expect("eligible"));
    assert_eq!(policy.when(&old, &new), Move::WhenSmoothed);
}

#[test]
fn the_larger_of_price_and_return_price_counts_for_limit_and_choice() {
    let price = Price::saturating;
    let lopsided = RoutePrice::with_return(Unit::NAMELESS, price(1), price(300));
    let candidates = [route(1, lopsided, 96), route(2, ours(100), 96)];
    assert_eq!(best(&QosPolicy::new(), &candidates), Some(2));
    assert_eq!(
        refusal(&capped(200), lopsided).as_deref(),
        Some("price 1 (return 300) is above max-price 200")
    );
}

#[test]
fn a_price_equal_to_the_limit_is_fine_and_one_more_is_not() {
    let policy = capped(500);
    assert_eq!(refusal(&policy, ours(500)), None);
    assert_eq!(
        refusal(&policy, ours(501)).as_deref(),
        Some("price 501 is above max-price 500")
    );
    let candidates = [route(1, ours(501), 96), route(2, ours(500), 5000)];
    assert_eq!(best(&policy, &candidates), Some(2));
    assert_eq!(best(&policy, &candidates[..1]), None);
}

#[test]
fn the_limit_of_the_longest_covering_prefix_is_named_in_the_refusal() {
    let mut policy = capped(5);
    let wide = "10.0.0.0/8".parse().expect("a prefix");
    policy.set_max_price(Some(wide), Some(Price::saturating(500)));
    assert_eq!(refusal(&policy, ours(6)), None);
    assert_eq!(
        refusal(&policy, ours(900)).as_deref(),
        Some("price 900 is above max-price 500 for 10.0.0.0/8")
    );
    let exact = "10.1.2.0/24".parse().expect("a prefix");
    policy.set_max_price(Some(exact), None);
    assert_eq!(refusal(&policy, ours(900)), None);
}

#[test]
fn not_for_sale_is_refused_even_without_a_limit() {
    let shut = RoutePrice::new(Unit::NAMELESS, Price::NOT_FOR_SALE);
    assert_eq!(
        refusal(&QosPolicy::new(), shut).as_deref(),
        Some("not for sale")
    );
    assert_eq!(best(&QosPolicy::new(), &[route(1, shut, 96)]), None);
}

#[test]
fn a_price_in_another_unit_is_refused_even_if_zero() {
    let mut policy = QosPolicy::new();
    let euros = RoutePrice::new(Unit(978), Price::ZERO);
    assert_eq!(
        refusal(&policy, euros).as_deref(),
        Some("priced in unit 978, ours is 0")
    );
    policy.set_unit(Unit(978));
    assert_eq!(refusal(&policy, euros), None);
    assert!(refusal(&policy, ours(0)).is_some());
}

#[test]
fn an_unpriced_route_is_fine_until_a_price_is_required() {
    let mut policy = capped(0);
    assert_eq!(refusal(&policy, RoutePrice::Unpriced), None);
    policy.set_require_price(true);
    assert_eq!(
        refusal(&policy, RoutePrice::Unpriced).as_deref(),
        Some("unpriced, and require-price is set")
    );
    assert_eq!(refusal(&policy, ours(0)), None);
}

#[test]
fn an_ineligible_bargain_does_not_set_the_scale() {
    // Counted from the foreign 1, both others would be far up and on different steps.
    let foreign = RoutePrice::new(Unit(978), Price::saturating(1));
    let candidates = [
        route(1, foreign, 96),
        route(2, ours(1000), 500),
        route(3, ours(1090), 400),
    ];
    assert_eq!(best(&QosPolicy::new(), &candidates), Some(3));
}

#[test]
fn another_price_step_waits_for_the_hold_and_the_same_step_for_the_metric() {
    let policy = QosPolicy::new();
    let keys = judged(
        &policy,
        &[
            incumbent(1, ours(200), 96),
            route(2, ours(100), 96),
            route(3, ours(105), 90),
        ],
    );
    let [old, cheap, short] = keys[..] else {
        panic!("three keys")
    };
    let (old, cheap, short) = (
        old.expect("eligible"),
        cheap.expect("eligible"),
        short.expect("eligible"),
    );
    assert_eq!(policy.when(&old, &cheap), Move::AfterHold);
    assert_eq!(policy.reason(&old, &cheap), ChangeReason::Price);
    assert_eq!(policy.when(&cheap, &short), Move::WhenSmoothed);
    assert_eq!(policy.reason(&cheap, &short), ChangeReason::Metric);
}

#[test]
fn the_steps_of_a_key_are_told_in_the_order_they_count() {
    let policy = QosPolicy::new();
    let candidates = [
        route(1, ours(100), 96),
        route(2, ours(121), 96),
        route(3, RoutePrice::Unpriced, 96),
        route(4, ours(110), 96),
    ];
    let told: Vec<String> = judged(&policy, &candidates)
        .iter()
        .flatten()
        .map(|key| policy.steps(key)[0].value.clone())
        .collect();
    assert_eq!(
        told,
        [
            "100, the cheapest step",
            "121, 2 steps of 10% above the cheapest",
            "unpriced",
            "110, 1 step of 10% above the cheapest",
        ]
    );
    let key = judged(&policy, &candidates)[0].expect("eligible");
    let names: Vec<&str> = policy.steps(&key).iter().map(|step| step.name).collect();
    assert_eq!(names, ["price", "metric", "incumbent", "neighbour"]);
}

#[test]
fn the_last_steps_are_incumbent_and_lowest_neighbour() {
    let policy = QosPolicy::new();
    let candidates = [
        route(3, ours(100), 96),
        incumbent(2, ours(100), 96),
        route(1, ours(100), 96),
    ];
    assert_eq!(best(&policy, &candidates), Some(2));
    assert_eq!(best(&policy, &[candidates[0], candidates[2]]), Some(1));
}

fn any_price() -> impl Strategy<Value = RoutePrice> {
    let amount = prop_oneof![Just(0u32), 90..130u32, 1..2000u32, any::<u32>()];
    let back = prop_oneof![3 => Just(None), 1 => any::<u32>().prop_map(Some)];
    let priced = (0..2u16, amount, back).prop_map(|(unit, price, back)| RoutePrice::Priced {
        unit: Unit(unit * 978),
        price: Price::from_wire(price),
        return_price: back.map(Price::from_wire),
    });
    prop_oneof![1 => Just(RoutePrice::Unpriced), 5 => priced]
}

/// Up to eight candidates from different neighbours, one of them the incumbent at most.
fn any_routes(
    price: impl Strategy<Value = RoutePrice> + Clone,
) -> impl Strategy<Value = Vec<Route>> {
    let one = (price, 1..400u16, 1..400u16);
    (proptest::collection::vec(one, 1..8), 0..12usize).prop_map(|(all, in_use)| {
        all.into_iter()
            .zip(0u32..)
            .map(|((price, metric, smoothed), n)| {
                Candidate::for_tests(
                    NeighbourId(n),
                    party(n),
                    Metric(metric),
                    Metric(smoothed),
                    usize::try_from(n).expect("small") == in_use,
                    price,
                )
            })
            .collect()
    })
}

fn any_policy() -> impl Strategy<Value = QosPolicy> {
    (any::<bool>(), any::<Option<u16>>()).prop_map(|(require, most)| {
        let mut policy = QosPolicy::new();
        policy.set_require_price(require);
        policy.set_max_price(None, most.map(|most| Price::saturating(most.into())));
        policy
    })
}

proptest! {
    #[test]
    fn without_prices_the_order_is_stock_babelds(
        candidates in any_routes(Just(RoutePrice::Unpriced)),
    ) {
        let mut stock = Vec::new();
        BabelMetric.judge(&destination(), &candidates, &mut stock);
        let keys = judged(&QosPolicy::new(), &candidates);
        let ours: Vec<MetricKey> = keys.iter().flatten().map(|key| key.metric).collect();
        prop_assert_eq!(ours.len(), candidates.len());
        for (a, stock_a) in keys.iter().zip(&stock) {
            for (b, stock_b) in keys.iter().zip(&stock) {
                let (Verdict::Eligible(stock_a), Verdict::Eligible(stock_b)) = (stock_a, stock_b)
                else {
                    panic!("stock refuses nothing")
                };
                prop_assert_eq!(a.cmp(b), stock_a.cmp(stock_b));
            }
        }
    }

    #[test]
    fn the_order_does_not_depend_on_that_of_the_candidates(
        policy in any_policy(), candidates in any_routes(any_price().boxed()), turn in 0..8usize,
    ) {
        let ranking = |candidates: &[Route]| {
            let mut keys: Vec<QosKey> =
                judged(&policy, candidates).into_iter().flatten().collect();
            keys.sort();
            keys.iter().map(|key| key.metric.neighbour.0).collect::<Vec<_>>()
        };
        let want = ranking(&candidates);
        let mut turned = candidates.clone();
        turned.rotate_left(turn % candidates.len());
        prop_assert_eq!(&want, &ranking(&turned));
        turned.reverse();
        prop_assert_eq!(&want, &ranking(&turned));
        prop_assert_eq!(best(&policy, &candidates), want.first().copied());
    }

    #[test]
    fn the_order_is_total_and_transitive(
        policy in any_policy(), candidates in any_routes(any_price().boxed()),
    ) {
        let keys: Vec<QosKey> = judged(&policy, &candidates).into_iter().flatten().collect();
        for (i, a) in keys.iter().enumerate() {
            for (j, b) in keys.iter().enumerate() {
                prop_assert_eq!(a == b, i == j);
                prop_assert_eq!(a < b, b > a);
                for c in &keys {
                    prop_assert!(!(a < b && b < c) || a < c);
                }
            }
        }
    }

    #[test]
    fn nothing_refused_is_eligible_and_nothing_else_is_refused(
        policy in any_policy(), candidates in any_routes(any_price().boxed()),
    ) {
        let limit = policy.max_prices().for_destination(destination().dst());
        for (candidate, key) in candidates.iter().zip(judged(&policy, &candidates)) {
            let said = policy.refusal(&destination(), candidate);
            prop_assert_eq!(said.is_none(), key.is_some());
            let price = candidate.attr();
            if key.is_some() {
                prop_assert!(price.cost().is_for_sale());
                prop_assert!(limit.is_none_or(|(_, most)| price.cost() <= most));
                prop_assert!(price.unit().is_none_or(|unit| unit == policy.unit()));
                prop_assert!(price.is_priced() || !policy.require_price());
            }
        }
    }

    #[test]
    fn the_best_costs_less_than_a_tenth_more_than_the_cheapest(
        policy in any_policy(), candidates in any_routes(any_price().boxed()),
    ) {
        let keys: Vec<QosKey> = judged(&policy, &candidates).into_iter().flatten().collect();
        let cost = |key: &QosKey| u64::from(key.price.cost().to_wire());
        if let (Some(best), Some(cheapest)) = (keys.iter().min(), keys.iter().map(cost).min()) {
            prop_assert!(cost(best) * 10 <= cheapest * 11);
        }
    }
}
