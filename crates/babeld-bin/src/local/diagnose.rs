//! What is wrong with a neighbour, in a sentence, with the way out. Pure.
//!
//! A link works when both ends hear each other's Hellos. We know of ours only what the neighbour's
//! IHUs say; so each case here is one of the four ways in which that can fail.

use babel_core::view::NeighbourView;
use std::time::Duration;

/// A neighbour that cannot use us says so with each Hello: an IHU that lags its Hellos by more was
/// said in better days.
const IHU_LAG: Duration = Duration::from_secs(20);
/// Of the last eight Hellos, losing more than this many is worth a word.
const TOLERABLE_LOSSES: u32 = 2;

/// What ails the link to a neighbour; `None` if it works well.
pub(super) fn diagnosis(view: &NeighbourView) -> Option<String> {
    let heard = view.reach | view.ureach;
    if heard == 0 {
        return Some(no_hellos());
    }
    if view.rxcost.is_infinite() {
        return Some(format!(
            "Too few of its Hellos arrive to use it (reach {:04x}, newest at the left): packets \
             are lost on the way to us, or it has just come or gone.",
            heard
        ));
    }
    if view.txcost.is_infinite() {
        return Some(one_way(view));
    }
    let lost = (heard >> 8 | 0xFF00).count_zeros();
    let complete = heard.trailing_zeros() < 8;
    (lost > TOLERABLE_LOSSES && complete).then(|| {
        format!(
            "It works, but {lost} of its last 8 Hellos were lost (reach {heard:04x}): a weak or \
             busy link."
        )
    })
}

fn no_hellos() -> String {
    "It sends packets, but none of its Hellos arrives: multicast to ff02::1:6 does not come \
     through. See its and our firewall, the switch or access point, and AllowedIPs of WireGuard \
     (ff02::1:6/128 and fe80::/64); or name each other with 'unicast-neighbour'."
        .into()
}

/// Its Hellos arrive; whether ours do, only its IHUs tell.
fn one_way(view: &NeighbourView) -> String {
    let causes = "See the firewall on both sides (UDP port 6696), AllowedIPs of WireGuard \
                  (ff02::1:6/128 and fe80::/64), its keys if packets are signed, and the link's \
                  MTU if it is probed.";
    let lag = match (view.ihu_age, view.hello_age) {
        (Some(ihu), Some(hello)) => Some(ihu.saturating_sub(hello)),
        (ihu, _) => ihu,
    };
    match (view.ihu_age, lag) {
        (Some(age), Some(lag)) if lag <= IHU_LAG => format!(
            "One-way: we hear it, and {} s ago it said that it does not hear us, or too seldom \
             (txcost infinite). {causes}",
            age.as_secs()
        ),
        (Some(age), _) => format!(
            "One-way: we hear it, but for {} s it has not said that it hears us (txcost \
             infinite): our packets, or its IHUs, are lost. {causes}",
            age.as_secs()
        ),
        (None, _) => format!(
            "One-way: we hear it, but it never said that it hears us (txcost infinite). {causes}"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use babel_core::types::{LinkId, Metric, NeighbourId};

    fn good() -> NeighbourView {
        NeighbourView {
            id: NeighbourId(1),
            link: LinkId(1),
            address: "fe80::1".parse().expect("an address"),
            reach: 0xFFFF,
            ureach: 0,
            rxcost: Metric(96),
            txcost: Metric(96),
            rtt: None,
            rttcost: Metric::ZERO,
            cost: Metric(96),
            routes: 3,
            hello_age: Some(Duration::from_secs(1)),
            ihu_age: Some(Duration::from_secs(9)),
        }
    }

    #[track_caller]
    fn says(view: &NeighbourView, words: &str) {
        let text = diagnosis(view).expect("something is wrong");
        assert!(text.contains(words), "{text}");
    }

    #[test]
    fn a_good_link_is_not_talked_about() {
        assert_eq!(diagnosis(&good()), None);
        let new = NeighbourView {
            reach: 0xE000,
            ..good()
        };
        assert_eq!(diagnosis(&new), None, "it has just come");
        let by_unicast = NeighbourView {
            reach: 0,
            ureach: 0xFFFF,
            ..good()
        };
        assert_eq!(diagnosis(&by_unicast), None);
    }

    #[test]
    fn each_ailment_has_its_sentence() {
        let infinite = Metric::INFINITY;
        says(
            &NeighbourView {
                reach: 0,
                rxcost: infinite,
                hello_age: None,
                ..good()
            },
            "none of its Hellos",
        );
        says(
            &NeighbourView {
                reach: 0x1000,
                rxcost: infinite,
                ..good()
            },
            "reach 1000",
        );
        let deaf = NeighbourView {
            txcost: infinite,
            ..good()
        };
        says(&deaf, "it does not hear us");
        let lapsed = NeighbourView {
            ihu_age: Some(Duration::from_secs(50)),
            ..deaf.clone()
        };
        says(&lapsed, "for 50 s it has not said");
        let never = NeighbourView {
            ihu_age: None,
            ..deaf
        };
        says(&never, "never said");
        says(&never, "AllowedIPs");
        says(
            &NeighbourView {
                reach: 0b1010_1010_1111_1111,
                ..good()
            },
            "4 of its last 8",
        );
    }
}
