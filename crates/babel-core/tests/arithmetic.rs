//! Metrics and seqnos over their whole range (RFC 8966 §3.2.1 and §3.5.2).

use babel_core::types::{Metric, SeqNo};

const COSTS: [u16; 8] = [1, 2, 96, 256, 32_767, 32_768, 65_534, 65_535];

// 8966-3.5.2-1, 8966-3.5.2-2, 8966-3.5.2-4
#[test]
fn adding_a_link_always_makes_a_metric_larger_and_never_wraps() {
    for cost in COSTS {
        for metric in 0..=u16::MAX {
            let sum = Metric(metric).plus(Metric(cost));
            let exact = u32::from(metric) + u32::from(cost);
            assert_eq!(u32::from(sum.0), exact.min(65_535), "{metric} + {cost}");
            assert!(sum > Metric(metric) || sum.is_infinite());
            assert!(cost != u16::MAX || sum.is_infinite());
        }
    }
}

// 8966-3.5.2-3
#[test]
fn what_is_better_before_a_link_is_not_worse_behind_it() {
    for cost in COSTS.map(Metric) {
        for metric in 0..u16::MAX {
            assert!(Metric(metric).plus(cost) <= Metric(metric + 1).plus(cost));
        }
    }
}

// 8966-3.2.1-1, 8966-3.2.1-2
#[test]
fn a_seqno_is_newer_than_the_32767_before_it_and_than_no_other() {
    for base in [0, 1, 32_767, 32_768, 32_769, 65_535].map(SeqNo) {
        for ahead in 0..=u16::MAX {
            let other = base.plus(ahead);
            assert_eq!(other.0, base.0.wrapping_add(ahead));
            assert_eq!(other.newer_than(base), (1..32_768).contains(&ahead));
            assert_eq!(base.newer_than(other), ahead > 32_768);
            assert_eq!(other.at_least(base), ahead < 32_768);
        }
    }
}
