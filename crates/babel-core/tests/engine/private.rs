//! Routes of our own that one neighbour alone may hear of: neighbours 1 and 2 are on one link,
//! neighbour 3 is on another, and whatever happens only the chosen one hears of the prefix.

use crate::auth_support::{Rig, SECRET, SHA};
use crate::support::*;
use babel_core::config::LinkConfig;
use babel_core::event::{Event, XRoute};
use babel_core::ext::Origin;
use babel_core::prefix::RouteKey;
use babel_core::time::Instant;
use babel_core::types::{LinkId, Metric, Party, SeqNo};
use babel_core::wire::Destination;

const P: &str = "2001:db8:f::1/128";
const ONE: Destination = Destination::Unicast(fake(1));
const TWO: Destination = Destination::Unicast(fake(2));

fn party(link: LinkId, n: u16) -> Party {
    let address = fake(n);
    Party { link, address }
}

fn xroute(only: Option<Party>) -> XRoute {
    XRoute {
        metric: Metric::ZERO,
        origin: Origin::Local,
        price: None,
        only,
    }
}

fn up(bench: &mut Bench, prefix: &str, only: Option<Party>) {
    let (key, xroute) = (key(prefix), xroute(only));
    bench.event(Event::XRouteUp { key, xroute });
}

fn down(bench: &mut Bench, prefix: &str) {
    bench.event(Event::XRouteDown { key: key(prefix) });
}

/// Three neighbours, with a public route of ours long told.
fn company() -> Bench {
    let mut bench = Bench::new();
    bench.join(ETH0, 1);
    bench.join(ETH0, 2);
    bench.join(ETH1, 3);
    bench.xroute("2001:db8:1::/48");
    bench.run(seconds(3.0));
    bench.forget_sent();
    bench
}

/// What was said of a prefix: where, to whom, and whether it can be reached.
fn mentions(bench: &Bench, prefix: &str, since: Instant) -> Vec<(LinkId, Destination, bool)> {
    let about = |said: &Said| match said {
        Said::Update { key: k, .. } if *k == key(prefix) => Some(true),
        Said::Retraction(k) if *k == key(prefix) => Some(false),
        _ => None,
    };
    let sent = bench.sent.iter().filter(|sent| sent.at >= since);
    sent.filter_map(|sent| Some((sent.link, sent.to, about(&sent.said)?)))
        .collect()
}

fn ask(bench: &mut Bench, link: LinkId, n: u16, prefix: Option<&str>) {
    let mut packet = writer();
    let key: Option<RouteKey> = prefix.map(key);
    packet.route_request(key.as_ref()).expect("fits");
    bench.packet(link, fake(n), false, packet);
    bench.run(seconds(0.1));
}

fn ask_seqno(bench: &mut Bench, link: LinkId, n: u16, seqno: u16) {
    let mut packet = writer();
    packet
        .seqno_request(&key(P), SeqNo(seqno), 64, OUR_ID)
        .expect("fits");
    bench.packet(link, fake(n), false, packet);
    bench.run(seconds(0.1));
}

#[test]
fn in_dumps_and_triggered_updates_only_its_neighbour_hears_of_it() {
    let mut bench = company();
    let begun = bench.now;
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(0.05));
    assert_eq!(mentions(&bench, P, begun), [(ETH0, ONE, true)]);
    bench.run(seconds(2.0));
    assert_eq!(mentions(&bench, P, begun), [(ETH0, ONE, true); 3], "copies");
    let begun = bench.now;
    bench.run(seconds(160.0));
    let said = mentions(&bench, P, begun);
    assert!(
        said.iter().all(|said| *said == (ETH0, ONE, true)),
        "{said:?}"
    );
    let public = mentions(&bench, "2001:db8:1::/48", begun);
    let on_eth0 = public.iter().filter(|(link, ..)| *link == ETH0);
    assert!(
        public
            .iter()
            .all(|(_, to, _)| *to == Destination::Multicast)
    );
    assert_eq!(said.len(), on_eth0.count(), "as often as the full update");
    assert!(said.len() >= 9, "{}", said.len());
}

#[test]
fn its_neighbour_is_answered_and_others_are_told_that_there_is_no_such_route() {
    let mut bench = company();
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    for (link, n, reachable) in [(ETH0, 1, true), (ETH0, 2, false), (ETH1, 3, false)] {
        let begun = bench.now;
        ask(&mut bench, link, n, Some(P));
        let to = Destination::Unicast(fake(n));
        assert_eq!(mentions(&bench, P, begun), [(link, to, reachable)]);
    }
}

#[test]
fn a_request_for_everything_shows_it_to_its_neighbour_alone() {
    let mut bench = company();
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    for (link, n) in [(ETH0, 1), (ETH0, 2), (ETH1, 3)] {
        let begun = bench.now;
        ask(&mut bench, link, n, None);
        bench.run(seconds(1.2));
        let said = mentions(&bench, P, begun);
        assert!(
            said.iter().all(|said| *said == (ETH0, ONE, true)),
            "{said:?}"
        );
        let public = mentions(&bench, "2001:db8:1::/48", begun);
        assert!(public.iter().any(|(on, ..)| *on == link), "a dump there");
        assert_eq!(said.is_empty(), link == ETH1);
    }
}

#[test]
fn a_new_seqno_is_made_for_its_neighbour_alone() {
    let mut bench = company();
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    let begun = bench.now;
    for (link, n) in [(ETH0, 2), (ETH1, 3)] {
        ask_seqno(&mut bench, link, n, 101);
        assert_eq!(mentions(&bench, P, begun), [], "as of an unknown prefix");
        assert_eq!(bench.node.seqno(), SeqNo(100));
    }
    ask_seqno(&mut bench, ETH0, 1, 101);
    assert_eq!(mentions(&bench, P, begun), [(ETH0, ONE, true)]);
    assert_eq!(bench.node.seqno(), SeqNo(101));
}

#[test]
fn a_neighbour_that_comes_later_or_comes_back_hears_of_it_at_once() {
    let mut bench = Bench::new();
    bench.join(ETH0, 2);
    let begun = bench.now;
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(60.0));
    assert_eq!(mentions(&bench, P, begun), []);
    bench.join(ETH0, 1);
    bench.run(seconds(1.0));
    let said = mentions(&bench, P, begun);
    assert!(!said.is_empty() && said.iter().all(|said| *said == (ETH0, ONE, true)));
    bench.silence(1);
    bench.run(seconds(120.0));
    assert_eq!(bench.node.neighbours(bench.now).count(), 1, "forgotten");
    let begun = bench.now;
    bench.run(seconds(60.0));
    assert_eq!(mentions(&bench, P, begun), []);
    let begun = bench.now;
    bench.join(ETH0, 1);
    bench.run(seconds(1.0));
    let said = mentions(&bench, P, begun);
    assert!(!said.is_empty() && said.iter().all(|said| *said == (ETH0, ONE, true)));
}

#[test]
fn when_it_is_gone_its_neighbour_alone_is_told() {
    let mut bench = company();
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    let begun = bench.now;
    down(&mut bench, P);
    bench.run(seconds(60.0));
    assert_eq!(mentions(&bench, P, begun), [(ETH0, ONE, false); 3]);
}

#[test]
fn given_to_another_neighbour_it_is_taken_from_the_first() {
    let mut bench = company();
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    let begun = bench.now;
    up(&mut bench, P, Some(party(ETH0, 2)));
    bench.run(seconds(3.0));
    let mut said = mentions(&bench, P, begun);
    said.sort_by_key(|(_, _, reachable)| *reachable);
    assert_eq!(said[..3], [(ETH0, ONE, false); 3]);
    assert_eq!(said[3..], [(ETH0, TWO, true); 3]);
    let begun = bench.now;
    bench.run(seconds(60.0));
    let said = mentions(&bench, P, begun);
    assert!(
        said.iter().all(|said| *said == (ETH0, TWO, true)),
        "{said:?}"
    );
}

#[test]
fn a_public_route_that_becomes_private_is_taken_from_everybody_else() {
    let mut bench = company();
    up(&mut bench, P, None);
    bench.run(seconds(3.0));
    let begun = bench.now;
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    let said = mentions(&bench, P, begun);
    let three = Destination::Unicast(fake(3));
    for (link, to, reachable) in [(ETH0, ONE, true), (ETH0, TWO, false), (ETH1, three, false)] {
        let of_one = said.iter().filter(|(_, other, _)| *other == to);
        assert_eq!(of_one.filter(|s| **s == (link, to, reachable)).count(), 3);
    }
    assert_eq!(said.len(), 9, "{said:?}");
    let begun = bench.now;
    up(&mut bench, P, None);
    bench.run(seconds(3.0));
    let said = mentions(&bench, P, begun);
    assert!(said.iter().all(|(_, _, reachable)| *reachable), "{said:?}");
    for link in [ETH0, ETH1] {
        assert!(
            said.contains(&(link, Destination::Multicast, true)),
            "{said:?}"
        );
    }
}

#[test]
fn withdrawn_and_given_to_one_in_one_breath_it_is_still_taken_from_the_others() {
    let mut bench = company();
    up(&mut bench, P, None);
    bench.run(seconds(3.0));
    let begun = bench.now;
    down(&mut bench, P);
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    let said = mentions(&bench, P, begun);
    assert!(said.contains(&(ETH0, TWO, false)), "{said:?}");
    assert!(!said.contains(&(ETH0, ONE, false)), "{said:?}");
    assert!(said.iter().all(|(_, to, _)| *to != Destination::Multicast));
}

#[test]
fn one_asked_for_too_early_is_not_denied_aloud() {
    let mut bench = company();
    let begun = bench.now;
    let mut packet = writer();
    packet.route_request(Some(&key(P))).expect("fits");
    bench.packet(ETH0, fake(2), false, packet);
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    let said = mentions(&bench, P, begun);
    assert_eq!(
        said,
        [(ETH0, ONE, true); 3],
        "a retraction to all would undo it"
    );
}

#[test]
fn a_learned_route_that_a_private_one_covers_is_taken_from_the_others() {
    let mut bench = company();
    bench.announce(ETH1, 3, Announce::of(P).lasting(600));
    bench.run(seconds(3.0));
    let begun = bench.now;
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    let said = mentions(&bench, P, begun);
    assert!(said.contains(&(ETH0, ONE, true)) && said.contains(&(ETH0, TWO, false)));
    assert!(said.iter().all(|(_, to, _)| *to != Destination::Multicast));
    let begun = bench.now;
    down(&mut bench, P);
    bench.run(seconds(3.0));
    let learned =
        |said: &Said| matches!(said, Said::Update { router_id, .. } if *router_id == rid(9));
    let told = bench.said_since(begun, learned);
    assert!(
        told.iter()
            .any(|s| (s.link, s.to) == (ETH0, Destination::Multicast))
    );
}

#[test]
fn goodbye_and_a_link_that_comes_back_treat_it_as_any_other() {
    let mut bench = company();
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(3.0));
    bench.event(Event::LinkDown { link: ETH0 });
    bench.run(seconds(1.0));
    let begun = bench.now;
    bench.link_up(ETH0, LinkConfig::new("eth0"));
    bench.run(seconds(15.0));
    let said = mentions(&bench, P, begun);
    assert!(!said.is_empty() && said.iter().all(|said| *said == (ETH0, ONE, true)));
    let begun = bench.now;
    bench.event(Event::Shutdown);
    assert_eq!(mentions(&bench, P, begun), []);
    let goodbye = bench.said_since(begun, |said| *said == Said::WildcardRetraction);
    assert_eq!(goodbye.len(), 2, "which takes it back, too");
}

#[test]
fn many_fill_several_packets_each_readable_by_itself() {
    let mut bench = company();
    let begun = bench.now;
    let prefixes: Vec<String> = (0..300)
        .map(|n| format!("2001:db8:{n:x}:{:x}::/64", n * 7919 % 60_000))
        .collect();
    for prefix in &prefixes {
        up(&mut bench, prefix, Some(party(ETH0, 1)));
    }
    bench.run(seconds(0.1));
    for prefix in &prefixes {
        assert_eq!(mentions(&bench, prefix, begun), [(ETH0, ONE, true)]);
    }
    let ours = |said: &Said| matches!(said, Said::Update { router_id, .. } if *router_id == OUR_ID);
    let told = bench.said_since(begun, ours);
    assert_eq!(told.len(), 300, "the router-id is in each packet");
    let packets: std::collections::BTreeSet<u64> = told.iter().map(|sent| sent.packet).collect();
    assert!(packets.len() >= 3, "{packets:?}");
    assert!(bench.packets.iter().all(|(_, len)| *len <= 1452));
}

#[test]
fn an_ipv4_one_names_its_next_hop() {
    let mut bench = company();
    let begun = bench.now;
    up(&mut bench, "192.0.2.77/32", Some(party(ETH0, 1)));
    bench.run(seconds(0.1));
    let told = bench.said_since(begun, |said| {
        matches!(said, Said::Update { key: k, next_hop, .. }
            if *k == key("192.0.2.77/32") && *next_hop == OUR_V4)
    });
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].link, told[0].to), (ETH0, ONE));
}

#[test]
fn on_a_unicast_link_the_others_get_no_copy() {
    let mut bench = company();
    let config = LinkConfig {
        unicast: true,
        ..LinkConfig::new("eth0")
    };
    bench.link_up(ETH0, config);
    bench.run(seconds(3.0));
    let begun = bench.now;
    up(&mut bench, P, Some(party(ETH0, 1)));
    bench.run(seconds(60.0));
    ask(&mut bench, ETH0, 2, None);
    bench.run(seconds(2.0));
    let said = mentions(&bench, P, begun);
    assert!(said.len() > 5 && said.iter().all(|said| *said == (ETH0, ONE, true)));
    let copies = mentions(&bench, "2001:db8:1::/48", begun);
    assert!(
        copies.contains(&(ETH0, TWO, true)),
        "public routes are copied"
    );
}

#[test]
fn on_a_link_with_keys_it_is_signed_for_its_neighbour() {
    let mut rig = Rig::keyed(&[(SHA, SECRET)]);
    rig.acquaint(1, (SHA, SECRET));
    rig.acquaint(2, (SHA, SECRET));
    rig.run(seconds(2.0));
    rig.take();
    let (key, xroute) = (key(P), xroute(Some(party(ETH0, 1))));
    rig.event(Event::XRouteUp { key, xroute });
    rig.run(seconds(0.1));
    let sent = rig.take();
    let with_update: Vec<_> = sent.iter().filter(|p| p.tlv(8).is_some()).collect();
    assert_eq!(with_update.len(), 1);
    assert_eq!(with_update[0].to, ONE);
    assert!(with_update[0].is_signed_with(&[(SHA, SECRET)]));
}
