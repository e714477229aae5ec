use super::*;
use proptest::prelude::*;

fn octets(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits
        .chunks(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits"))
        .collect()
}

fn price(amount: u32) -> Price {
    Price::from_wire(amount)
}

/// Bodies and what they mean, checked both ways.
fn pairs() -> Vec<(&'static str, RoutePrice)> {
    vec![
        ("4250 0000 00000000", RoutePrice::new(Unit(0), Price::ZERO)),
        ("4250 0000 00000064", RoutePrice::new(Unit(0), price(100))),
        (
            "4250 03d2 000f4240",
            RoutePrice::new(Unit(978), price(1_000_000)),
        ),
        (
            "4250 1000 fffffffe",
            RoutePrice::new(Unit::WEI_PER_BYTE, Price::MAX),
        ),
        (
            "4250 ffff ffffffff",
            RoutePrice::new(Unit(65535), Price::NOT_FOR_SALE),
        ),
        (
            "4250 0000 00000064 0000012c",
            RoutePrice::with_return(Unit(0), price(100), price(300)),
        ),
        (
            "4250 0000 00000064 ffffffff",
            RoutePrice::with_return(Unit(0), price(100), Price::NOT_FOR_SALE),
        ),
    ]
}

fn any_route_price() -> impl Strategy<Value = RoutePrice> {
    (any::<u16>(), any::<u32>(), any::<Option<u32>>()).prop_map(|(unit, towards, back)| {
        RoutePrice::Priced {
            unit: Unit(unit),
            price: price(towards),
            return_price: back.map(price),
        }
    })
}

fn sub(kind: u8, body: &[u8]) -> SubTlv<'_> {
    SubTlv { kind, body }
}

#[test]
fn bodies_and_values_agree_both_ways() {
    for (hex, value) in pairs() {
        assert_eq!(decode(&octets(hex)), Some(value), "{hex}");
        let body = encode(value).expect("priced");
        assert_eq!(body.as_octets(), octets(hex), "{value:?}");
    }
}

#[test]
fn unpriced_is_said_by_saying_nothing() {
    assert!(encode(RoutePrice::Unpriced).is_none());
}

#[test]
fn a_body_shorter_than_eight_octets_is_ignored() {
    let whole = octets("4250 0000 00000064");
    for len in 0..8 {
        assert_eq!(decode(&whole[..len]), None, "{len} octets");
    }
}

#[test]
fn another_magic_is_ignored() {
    for hex in [
        "4251 0000 00000064",
        "5042 0000 00000064",
        "0000 4250 00000064",
    ] {
        assert_eq!(decode(&octets(hex)), None, "{hex}");
    }
}

#[test]
fn of_nine_to_eleven_octets_the_first_eight_count() {
    let whole = octets("4250 0000 00000064 0000012c");
    for len in 9..12 {
        let want = RoutePrice::new(Unit(0), price(100));
        assert_eq!(decode(&whole[..len]), Some(want), "{len} octets");
    }
}

#[test]
fn beyond_twelve_octets_the_known_part_is_used() {
    let mut body = octets("4250 0000 00000064 0000012c");
    let want = RoutePrice::with_return(Unit(0), price(100), price(300));
    while body.len() < 255 {
        body.push(0xFF);
        assert_eq!(decode(&body), Some(want), "{} octets", body.len());
    }
}

#[test]
fn twice_in_one_update_is_no_price_even_if_both_say_the_same() {
    let one = octets("4250 0000 00000064");
    let two = octets("4250 0000 00000065");
    for pair in [[&one, &two], [&one, &one]] {
        let both = pair.map(|body| sub(112, body));
        assert_eq!(read(112, both.into_iter()), RoutePrice::Unpriced);
    }
}

#[test]
fn what_is_ignored_does_not_count_as_a_second_price() {
    let good = octets("4250 0000 00000064");
    let foreign = octets("4251 0000 00000065");
    let short = octets("4250 0000 000000");
    let all = [
        sub(112, &foreign),
        sub(112, &short),
        sub(113, &good),
        sub(112, &good),
    ];
    let want = RoutePrice::new(Unit(0), price(100));
    assert_eq!(read(112, all.into_iter()), want);
}

#[test]
fn a_price_under_another_type_is_not_ours() {
    let body = octets("4250 0000 00000064");
    let all = [sub(113, &body), sub(45, &body), sub(0, &body)];
    assert_eq!(read(112, all.into_iter()), RoutePrice::Unpriced);
    assert_eq!(read(112, [].into_iter()), RoutePrice::Unpriced);
}

proptest! {
    #[test]
    fn decode_undoes_encode(value in any_route_price()) {
        let body = encode(value).expect("priced");
        prop_assert_eq!(decode(body.as_octets()), Some(value));
    }

    #[test]
    fn any_octets_decode_to_something_or_nothing(body in proptest::collection::vec(any::<u8>(), 0..256)) {
        if let Some(value) = decode(&body) {
            prop_assert!(body.len() >= 8 && body[..2] == MAGIC);
            let again = encode(value).expect("priced");
            prop_assert!(body.starts_with(again.as_octets()));
        }
    }

    #[test]
    fn a_body_with_our_magic_is_read_however_it_goes_on(
        rest in proptest::collection::vec(any::<u8>(), 0..30),
    ) {
        let mut body = MAGIC.to_vec();
        body.extend(&rest);
        let value = decode(&body);
        prop_assert_eq!(value.is_some(), rest.len() >= 6);
        let has_return = value.is_some_and(|value| value.return_price().is_some());
        prop_assert_eq!(has_return, rest.len() >= 10);
    }
}
