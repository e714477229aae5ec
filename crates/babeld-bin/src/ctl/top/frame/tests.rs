use super::*;
use serde::de::DeserializeOwned;

fn all<T: DeserializeOwned>(lines: &[&str]) -> Vec<T> {
    lines
        .iter()
        .map(|line| serde_json::from_str(line).expect("a document"))
        .collect()
}

fn neighbour(number: u32, cost: u16) -> String {
    format!(
        "{{\"id\":\"1\",\"address\":\"fe80::{number}\",\"if\":\"eth0\",\"reach\":\"ffff\",\
         \"ureach\":\"0000\",\"rxcost\":96,\"txcost\":96,\"rtt_ms\":null,\"rttcost\":0,\
         \"cost\":{cost},\"routes\":3}}"
    )
}

fn standing(number: u32, rest: &str) -> String {
    format!(
        "{{\"address\":\"fe80::{number}\",\"if\":\"eth0\",\"valid_seconds\":60.0,\
         \"confidence_percent\":90,\"samples\":1,{rest}}}"
    )
}

/// carol is proven, mallory promises wonders and fails, dave is not measured.
fn view() -> View {
    let quality = [
        standing(
            1,
            "\"band\":\"failing\",\"prefix\":\"10.0.0.0/8\",\"rank\":9",
        ),
        standing(
            1,
            "\"band\":\"proven\",\"rank\":0,\"download_bits_per_second\":48000000,\
             \"upload_bits_per_second\":12000000,\"latency_ms\":20.4,\"loss_percent\":0.0,\
             \"age_seconds\":180.0,\"source\":\"target\",\"target\":\"paris\"",
        ),
        standing(
            2,
            "\"band\":\"failing\",\"rank\":12,\"download_bits_per_second\":1000000,\
             \"age_seconds\":3.0",
        ),
        standing(
            2,
            "\"band\":\"proven\",\"source\":\"link\",\"target\":\"near\"",
        ),
    ];
    let quality: Vec<&str> = quality.iter().map(String::as_str).collect();
    let neighbours = [neighbour(2, 96), neighbour(3, 65535), neighbour(1, 256)];
    let neighbours: Vec<&str> = neighbours.iter().map(String::as_str).collect();
    View {
        status: all(&["{\"version\":\"babeld-1\",\"host\":\"bob\",\
                       \"router_id\":\"02:00:00:00:00:00:00:01\",\"seqno\":1,\"interfaces_up\":1,\
                       \"interfaces\":1,\"neighbours\":3,\"xroutes\":2,\"routes\":{\"selected\":7,\
                       \"feasible\":4,\"unfeasible\":1,\"retracted\":0,\"overridden\":5},\
                       \"route_changes\":{\"goal\":2,\"metric\":9},\"prices\":true}"])
        .remove(0),
        neighbours: all(&neighbours),
        usage: all(&[
            "{\"address\":\"fe80::1\",\"if\":\"eth0\",\"routes_in_use\":7,\
             \"prefix\":\"0.0.0.0/0\",\"refmetric\":128,\"metric\":384,\"price\":20}",
            "{\"address\":\"fe80::2\",\"if\":\"eth0\",\"routes_in_use\":0,\
             \"prefix\":\"0.0.0.0/0\",\"refmetric\":0,\"metric\":96,\"price\":5}",
        ]),
        quality: all(&quality),
        tests: all(&[
            "{\"id\":2,\"address\":\"fe80::2\",\"if\":\"eth0\",\"target\":\"paris\",\
             \"state\":\"running\",\"pinned\":\"both\",\"bytes\":500000,\"bytes_limit\":1000000,\
             \"elapsed_seconds\":1.0,\"phase\":\"upload\",\"rate_bits_per_second\":1000000}",
            "{\"id\":1,\"address\":\"fe80::1\",\"if\":\"eth0\",\"target\":\"paris\",\
             \"state\":\"done\",\"pinned\":\"both\",\"bytes\":5,\"bytes_limit\":10,\
             \"elapsed_seconds\":1.0,\"ended_seconds_ago\":9.0}",
        ]),
        decisions: all(&[
            "{\"prefix\":\"0.0.0.0/0\",\"age_seconds\":3.0,\"reason\":\"goal\",\
             \"old\":{\"address\":\"fe80::2\",\"if\":\"eth0\"},\
             \"new\":{\"address\":\"fe80::1\",\"if\":\"eth0\"}}",
            "{\"prefix\":\"0.0.0.0/0\",\"age_seconds\":100.0,\"reason\":\"metric\",\
             \"new\":{\"address\":\"fe80::2\",\"if\":\"eth0\"}}",
        ]),
    }
}

fn surround(sort: Sort) -> Surround {
    Surround::new(Duration::from_secs(1), sort)
}

fn shown(view: &View, sort: Sort, width: Option<usize>, height: Option<usize>) -> String {
    frame(view, &surround(sort), false, width, height).expect("a frame")
}

#[test]
fn promises_stand_beside_what_was_measured() {
    let squeeze = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let text = shown(&view(), Sort::Standing, None, None);
    let lines: Vec<String> = text.lines().map(squeeze).collect();
    assert_eq!(
        lines,
        [
            "babeld-1 on bob, router-id 02:00:00:00:00:00:00:01; every 1 s, by rank",
            "3 neighbours; routes: 7 in use, 5 of them overridden, 4 spare, 1 unfeasible, 2 of our \
             own",
            "changes of routes: goal 2, metric 9",
            "",
            "NEIGHBOUR IF COST ADVERTISES TO PRICE DOWN UP LATENCY LOSS AGE BAND RANK ROUTES",
            "fe80::1 eth0 256 128 0.0.0.0/0 20 48 Mbit/s 12 Mbit/s 20.4 ms 0 % 180 s proven best 7",
            "fe80::3 eth0 inf 0",
            "fe80::2 eth0 96 0 0.0.0.0/0 5 1 Mbit/s 3.0 s failing 12 below 0",
            "",
            "testing fe80::2%eth0 by paris: upload [############ ] 1 Mbit/s 500 kB of 1 MB 1.0 s",
            "",
            "WHEN PREFIX REASON ROUTE",
            "3.0 s ago 0.0.0.0/0 goal fe80::2%eth0 -> fe80::1%eth0",
            "100 s ago 0.0.0.0/0 metric nothing -> fe80::2%eth0",
        ]
    );
}

#[test]
fn neighbours_are_sorted_as_asked() {
    let order = |sort| -> Vec<char> {
        let text = shown(&view(), sort, None, None);
        let rows = text.lines().filter_map(|line| line.strip_prefix("fe80::"));
        rows.filter_map(|row| row.chars().next()).collect()
    };
    assert_eq!(order(Sort::Cost), ['2', '1', '3']);
    assert_eq!(order(Sort::Routes), ['1', '2', '3']);
    assert_eq!(order(Sort::Name), ['1', '2', '3']);
    let mut sort = Sort::Standing;
    for _ in 0..4 {
        sort = sort.next();
    }
    assert_eq!(sort, Sort::Standing);
}

#[test]
fn a_frame_fits_any_terminal() {
    let view = view();
    for (width, height) in [(80, 24), (40, 10), (20, 5), (1, 1), (0, 0), (300, 100)] {
        for colours in [false, true] {
            let surround = surround(Sort::Standing);
            let text =
                frame(&view, &surround, colours, Some(width), Some(height)).expect("a frame");
            assert!(text.lines().count() <= height, "{height}: {text}");
            for line in text.lines() {
                let bare = clip(line, usize::MAX)
                    .split('\x1b')
                    .enumerate()
                    .map(|(index, part)| match (index, part.split_once('m')) {
                        (0, _) | (_, None) => part.to_owned(),
                        (_, Some((_, rest))) => rest.to_owned(),
                    })
                    .collect::<String>();
                assert!(bare.chars().count() <= width, "{width}: {line:?}");
            }
        }
    }
    // What matters most is still there on a small one.
    let small = shown(&view, Sort::Standing, Some(80), Some(12));
    for part in ["fe80::1", "48 Mbit/s", "proven", "testing fe80::2", "goal"] {
        assert!(small.contains(part), "no {part:?} in\n{small}");
    }
}

#[test]
fn a_crowd_of_neighbours_is_cut_and_counted() {
    let mut view = view();
    let crowd: Vec<String> = (1..60).map(|number| neighbour(number, 96)).collect();
    let crowd: Vec<&str> = crowd.iter().map(String::as_str).collect();
    view.neighbours = all(&crowd);
    let text = shown(&view, Sort::Name, Some(120), Some(24));
    assert!(text.contains("… and "), "{text}");
    assert!(text.contains("testing fe80::2"), "{text}");
    assert!(text.contains(" goal "), "{text}");
}

#[test]
fn a_node_that_ranks_nobody_has_a_frame_too() {
    let mut view = view();
    view.quality.clear();
    view.tests.clear();
    view.decisions.clear();
    let text = shown(&view, Sort::Standing, None, None);
    assert!(!text.contains("BAND") && !text.contains("DOWN"), "{text}");
    assert!(text.contains("ADVERTISES"), "{text}");
    view.neighbours.clear();
    let text = shown(&view, Sort::Standing, None, None);
    assert!(text.ends_with("\n\nno neighbours\n"), "{text}");
}

#[test]
fn trouble_and_a_pause_are_said() {
    let surround = Surround {
        paused: true,
        trouble: Some("cannot reach babeld\nat all".into()),
        ..surround(Sort::Cost)
    };
    let text = frame(&view(), &surround, false, Some(200), Some(40)).expect("a frame");
    assert!(text.contains("by cost, paused\n"), "{text}");
    assert!(text.contains("\ncannot reach babeld at all\n"), "{text}");
}
