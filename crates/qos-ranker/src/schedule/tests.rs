use super::*;
use core::net::Ipv6Addr;
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);

fn peer(interface: &str, n: u16) -> Peer {
    Peer {
        interface: interface.into(),
        address: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, n),
    }
}

fn idle(peer: Peer) -> PeerState {
    PeerState {
        peer,
        busy: false,
        testing: false,
    }
}

/// One neighbour on each of so many links.
fn peers(count: u16) -> Vec<PeerState> {
    (0..count)
        .map(|n| idle(peer(&format!("wg{n}"), n)))
        .collect()
}

fn plan(name: &str) -> Plan {
    Plan {
        name: name.into(),
        scope: None,
        interval: HOUR,
        daily_budget: 2_000_000_000,
        link_test: false,
    }
}

fn schedule(plans: Vec<Plan>) -> Schedule {
    let mut schedule = Schedule::new(7);
    schedule.set_targets(plans);
    schedule
}

fn second(second: u64) -> Instant {
    Instant::from_micros(second * 1_000_000)
}

/// Polls at each due time until `end`, with every test ending at once as `outcome` says; all
/// starts with their times, and conclusions.
fn run(
    schedule: &mut Schedule,
    peers: &[PeerState],
    (begin, end): (Instant, Instant),
    mut outcome: impl FnMut(Instant, &Start) -> bool,
) -> Vec<(Instant, Start, Conclusion)> {
    let mut all = Vec::new();
    let mut now = begin;
    while now <= end {
        while let Some(start) = schedule.poll(now, peers) {
            let ok = outcome(now, &start);
            let conclusion =
                schedule.finished(now, &start.peer, &start.target, start.bytes_limit, ok);
            all.push((now, start, conclusion));
        }
        match schedule.next_due() {
            Some(next) => {
                assert!(next > now, "no tight loop");
                now = next;
            }
            None => break,
        }
    }
    all
}

#[test]
fn a_newcomer_is_tested_within_half_a_minute_and_not_at_once() {
    let mut schedule = schedule(vec![plan("fra")]);
    let all = run(
        &mut schedule,
        &peers(3),
        (second(100), second(140)),
        |_, _| true,
    );
    assert_eq!(all.len(), 3);
    assert!(
        all.iter()
            .all(|(at, _, _)| (second(105)..=second(130)).contains(at))
    );
    let (_, first, _) = &all[0];
    assert!(
        all.iter()
            .skip(1)
            .all(|(_, one, _)| one.bytes_limit != first.bytes_limit)
    );
    assert!(all.iter().skip(1).all(|(_, one, _)| one.seed != first.seed));
}

#[test]
fn tests_come_at_random_times_around_the_interval() {
    let mut schedule = schedule(vec![plan("fra")]);
    let all = run(
        &mut schedule,
        &peers(1),
        (second(0), second(100 * 3600)),
        |_, _| true,
    );
    assert!((90..=135).contains(&all.len()), "{}", all.len());
    let gaps: Vec<Duration> = all.windows(2).map(|two| two[1].0.since(two[0].0)).collect();
    assert!(gaps.iter().all(|gap| (HOUR / 4..=HOUR * 2).contains(gap)));
    assert!(gaps.iter().any(|gap| *gap < HOUR / 2) && gaps.iter().any(|gap| *gap > HOUR * 3 / 2));
    assert_eq!(
        schedule.counts().run,
        u64::try_from(all.len()).expect("small")
    );
}

#[test]
fn one_link_carries_one_test_and_the_machine_four() {
    let mut schedule = schedule(vec![plan("ams"), plan("fra")]);
    let mut crowd = peers(6);
    crowd.push(idle(peer("wg0", 77)));
    assert_eq!(schedule.poll(second(0), &crowd), None);
    let mut started = Vec::new();
    while let Some(start) = schedule.poll(second(60), &crowd) {
        started.push(start);
    }
    assert_eq!(started.len(), 4);
    let mut links: Vec<&str> = started
        .iter()
        .map(|one| one.peer.interface.as_str())
        .collect();
    links.sort_unstable();
    links.dedup();
    assert_eq!(links.len(), 4);
    let first = started[0].clone();
    let _ = schedule.finished(second(61), &first.peer, &first.target, 1, true);
    assert!(schedule.poll(second(61), &crowd).is_some());
    assert_eq!(schedule.poll(second(61), &crowd), None);
}

#[test]
fn a_link_that_somebody_else_tests_is_left_alone() {
    let mut schedule = schedule(vec![plan("fra")]);
    let mut one = peers(1);
    assert_eq!(schedule.poll(second(0), &one), None);
    one[0].testing = true;
    assert_eq!(schedule.poll(second(60), &one), None);
    assert_eq!(schedule.counts().skipped, 0);
    one[0].testing = false;
    assert!(schedule.poll(second(61), &one).is_some());
}

#[test]
fn a_busy_link_skips_its_test_and_tries_again_sooner() {
    let mut schedule = schedule(vec![plan("fra")]);
    let mut one = peers(1);
    one[0].busy = true;
    assert!(run(&mut schedule, &one, (second(0), second(3600)), |_, _| true).is_empty());
    let skipped = schedule.counts().skipped;
    assert!((4..=30).contains(&skipped), "{skipped}");
    one[0].busy = false;
    let all = run(
        &mut schedule,
        &one,
        (second(3600), second(2 * 3600)),
        |_, _| true,
    );
    assert!(all[0].0 <= second(3600) + HOUR / 4);
}

#[test]
fn a_neighbour_that_drops_only_tests_is_doubted_and_a_dead_target_doubts_nobody() {
    let both = peers(2);
    let mut alive = schedule(vec![plan("fra")]);
    let day = (second(0), second(24 * 3600));
    let all = run(&mut alive, &both, day, |_, start| {
        start.peer == both[0].peer
    });
    let doubts: Vec<_> = all
        .iter()
        .filter(|(_, _, told)| *told == Conclusion::Doubt)
        .collect();
    assert!(!doubts.is_empty());
    assert!(
        doubts
            .iter()
            .all(|(_, start, _)| start.peer == both[1].peer)
    );
    assert!(doubts[0].0 < second(4 * 3600), "{:?}", doubts[0].0);
    let mut dead = schedule(vec![plan("fra")]);
    let all = run(&mut dead, &both, day, |_, _| false);
    assert!(all.iter().all(|(_, _, told)| *told == Conclusion::Nothing));
    // A link test fails for reasons of its own.
    let mut near = schedule(vec![Plan {
        link_test: true,
        ..plan("near")
    }]);
    let all = run(&mut near, &both, day, |_, start| start.peer == both[0].peer);
    assert!(all.iter().all(|(_, _, told)| *told == Conclusion::Nothing));
}

#[test]
fn a_target_that_keeps_failing_costs_less_and_less() {
    let mut schedule = schedule(vec![plan("fra")]);
    let crowd = peers(50);
    let day = |n: u64| (second(n * 86_400), second((n + 1) * 86_400 - 1));
    let first = run(&mut schedule, &crowd, day(0), |_, _| false).len();
    let second_day = run(&mut schedule, &crowd, day(1), |_, _| false).len();
    // Fifty neighbours an hour would be 1200 tests.
    assert!((8..=24).contains(&first), "{first}");
    assert!((4..=12).contains(&second_day), "{second_day}");
    let all = run(&mut schedule, &crowd, day(2), |_, _| true);
    assert!(all.len() > 500, "one success opens it again: {}", all.len());
}

#[test]
fn a_test_by_hand_is_refused_with_the_way_out() {
    let mut schedule = schedule(vec![
        plan("fra"),
        Plan {
            daily_budget: 0,
            ..plan("poor")
        },
    ]);
    let two = vec![
        idle(peer("wg0", 1)),
        idle(peer("wg0", 2)),
        idle(peer("wg1", 3)),
    ];
    let refused = |schedule: &mut Schedule, n: usize, target: &str| {
        let started = schedule.start(second(0), &two, &two[n].peer, target);
        started.err().map(|error| error.to_string())
    };
    assert_eq!(
        refused(&mut schedule, 0, "ams").as_deref(),
        Some("no speedtest-target is called ams")
    );
    assert_eq!(
        refused(&mut schedule, 0, "poor").as_deref(),
        Some("the daily-budget of speedtest-target poor is spent: raise it, or wait")
    );
    assert_eq!(refused(&mut schedule, 0, "fra"), None);
    assert_eq!(
        refused(&mut schedule, 1, "fra").as_deref(),
        Some("a test is running on wg0 already: wait for it to end")
    );
    assert_eq!(refused(&mut schedule, 2, "fra"), None);
    for n in 4..6 {
        assert!(
            schedule
                .start(second(0), &two, &peer(&format!("wg{n}"), n), "fra")
                .is_ok()
        );
    }
    let last = schedule.start(second(0), &two, &peer("wg9", 9), "fra");
    assert_eq!(last, Err(Refusal::TooMany));
}

#[test]
fn a_test_that_nobody_ends_does_not_shut_its_link_for_ever() {
    let mut schedule = schedule(vec![plan("fra")]);
    let one = peers(1);
    assert_eq!(schedule.poll(second(0), &one), None);
    assert!(schedule.poll(second(60), &one).is_some());
    let due = schedule.next_due().expect("its end");
    assert_eq!(due, second(60) + Schedule::LONGEST);
    assert_eq!(schedule.poll(due, &one), None);
    assert_eq!(schedule.counts().failed, 1);
    let next = schedule.next_due().expect("another");
    assert!(next > due && schedule.poll(next, &one).is_some());
}

#[test]
fn a_test_that_could_not_begin_says_nothing_and_gives_its_share_back() {
    let mut schedule = schedule(vec![plan("fra")]);
    let two = peers(2);
    for minute in 0..300u64 {
        let now = second(minute * 60);
        while let Some(start) = schedule.poll(now, &two) {
            if start.peer == two[0].peer {
                schedule.abandoned(now, &start.peer, &start.target);
            } else {
                assert_eq!(
                    schedule.finished(now, &start.peer, &start.target, 0, true),
                    Conclusion::Nothing
                );
            }
        }
        assert_eq!(schedule.spent(now, "fra"), 0);
    }
    assert!(
        (10..=200).contains(&schedule.counts().failed),
        "{:?}",
        schedule.counts()
    );
    let start = schedule
        .start(second(20_000), &two, &two[0].peer, "fra")
        .expect("a start");
    assert_eq!(
        schedule.finished(second(20_001), &start.peer, "fra", 0, false),
        Conclusion::Nothing
    );
}

#[test]
fn what_was_spent_survives_a_restart_whenever_the_targets_are_told() {
    let wall = Duration::from_secs(1_795_000_000);
    let mut old = schedule(vec![plan("fra"), plan("a b")]);
    let one = peers(1);
    let start = old
        .start(second(90_000), &one, &one[0].peer, "a b")
        .expect("a start");
    let _ = old.finished(second(90_001), &start.peer, "a b", 700, true);
    let text = crate::Ranker::new().to_text(second(90_002), wall) + &old.to_text(second(90_002));
    let restored = crate::Ranker::from_text(&text, second(1), wall).expect("a state");
    assert_eq!((restored.bad, restored.ranker.is_empty()), (0, true));
    let mut new = Schedule::new(1);
    assert_eq!(new.restore(&text, second(1), wall), Ok(()));
    assert_eq!(new.to_text(second(1)), old.to_text(second(90_002)));
    new.set_targets(vec![plan("fra"), plan("a b")]);
    assert_eq!(new.spent(second(1), "a b"), 700);
    assert_eq!(new.spent(second(25 * 3600), "a b"), 0);
    let mut late = schedule(vec![plan("a b")]);
    assert_eq!(late.restore(&text, second(1), wall + 30 * HOUR), Ok(()));
    assert_eq!(late.spent(second(1), "a b"), 0);
    let mut back = schedule(vec![plan("a b")]);
    assert_eq!(back.restore(&text, second(1), wall - 30 * HOUR), Ok(()));
    assert_eq!(back.spent(second(1), "a b"), 700);
    assert!(back.restore("rubbish", second(1), wall).is_err());
}

#[test]
fn what_needs_a_fresh_look_is_tested_soon() {
    let mut schedule = schedule(vec![plan("fra")]);
    let two = peers(2);
    let _ = run(&mut schedule, &two, (second(0), second(60)), |_, _| true);
    schedule.soon(second(100), &two[1].peer);
    let all = run(&mut schedule, &two, (second(100), second(131)), |_, _| true);
    assert!(all.iter().any(|(_, start, _)| start.peer == two[1].peer));
}

#[test]
fn memory_is_bounded_however_many_neighbours_come_and_go() {
    let mut schedule = schedule(vec![plan("ams"), plan("fra")]);
    for minute in 0..500u64 {
        let crowd: Vec<PeerState> = (0..50u16)
            .map(|n| idle(peer("wg0", n + 50 * u16::try_from(minute).expect("small"))))
            .collect();
        let _ = schedule.poll(second(minute * 60), &crowd);
    }
    assert!(schedule.pairs.len() <= Schedule::MAX_PAIRS);
    let _ = schedule.poll(second(500 * 60 + 3601), &[]);
    assert!(schedule.pairs.is_empty());
    schedule.set_targets(Vec::new());
    assert_eq!(schedule.poll(second(40_000), &peers(4)), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn in_a_week_of_random_failures_no_day_exceeds_the_budget(
        seed in any::<u64>(), count in 1..8u16, budget in 0..3_000_000_000u64,
        interval in 0..20_000u64, chance in any::<u8>(),
    ) {
        let mut schedule = Schedule::new(seed);
        let plan = Plan { interval: Duration::from_secs(interval), daily_budget: budget, ..plan("fra") };
        schedule.set_targets(vec![plan]);
        let mut random = fastrand::Rng::with_seed(seed ^ 1);
        let crowd = peers(count);
        let mut now = second(0);
        let mut spent: Vec<(Instant, u64)> = Vec::new();
        let mut running: Vec<(Instant, Start)> = Vec::new();
        while now < second(7 * 86_400) {
            let (ended, left): (Vec<_>, Vec<_>) = running.into_iter().partition(|(end, _)| *end <= now);
            running = left;
            for (_, start) in ended {
                let ok = random.u8(..) >= chance;
                let bytes = if ok { start.bytes_limit } else { random.u64(0..=start.bytes_limit) };
                spent.push((now, bytes));
                let _ = schedule.finished(now, &start.peer, &start.target, bytes, ok);
            }
            let mut crowd = crowd.clone();
            crowd.iter_mut().for_each(|one| one.busy = random.u8(..) < 20);
            while let Some(start) = schedule.poll(now, &crowd) {
                prop_assert!(running.iter().all(|(_, one)| one.peer.interface != start.peer.interface));
                running.push((now + Duration::from_secs(random.u64(1..60)), start));
                prop_assert!(running.len() <= Schedule::MAX_AT_ONCE);
            }
            let ends = running.iter().map(|(end, _)| *end);
            let next = ends.chain(schedule.next_due()).min();
            let Some(next) = next else { break };
            prop_assert!(next > now);
            now = next;
        }
        let mut first = 0;
        let mut sum = 0;
        for (at, bytes) in &spent {
            sum += bytes;
            while at.since(spent[first].0) >= Duration::from_secs(86_400) {
                sum -= spent[first].1;
                first += 1;
            }
            prop_assert!(sum <= budget, "{sum} of {budget}");
        }
        if budget >= 2_000_000 && chance == 0 {
            prop_assert!(!spent.is_empty());
        }
    }
}
