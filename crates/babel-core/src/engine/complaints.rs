//! What may go to the log about nodes that are no neighbours, or not yet.
//!
//! Senders of any number of addresses fill neither memory nor log: what exceeds the bound is only
//! counted.

use crate::event::DiagnosticKind;
use crate::time::Instant;
use crate::types::LinkId;
use core::net::Ipv6Addr;
use core::time::Duration;

/// Between two log lines of one kind about one address.
const COMPLAINT_GAP: Duration = Duration::from_secs(60);
/// Log lines in that time, for all addresses and kinds together.
const MAX_COMPLAINTS: usize = 64;

/// Whom the log has heard about within the last minute.
#[derive(Debug, Default)]
pub(super) struct Complaints(Vec<Complaint>);

#[derive(Debug)]
struct Complaint {
    link: LinkId,
    source: Ipv6Addr,
    kind: DiagnosticKind,
    at: Instant,
}

impl Complaints {
    /// Whether something of this kind may be logged now.
    pub(super) fn may_complain(
        &mut self,
        now: Instant,
        link: LinkId,
        source: Ipv6Addr,
        kind: DiagnosticKind,
    ) -> bool {
        let fresh = |one: &Complaint| now.since(one.at) < COMPLAINT_GAP;
        let alike = |one: &Complaint| {
            one.link == link && one.source == source && of_one_kind(&one.kind, &kind)
        };
        if self.0.iter().any(|one| alike(one) && fresh(one)) {
            return false;
        }
        if self.0.len() >= MAX_COMPLAINTS {
            self.0.retain(fresh);
        }
        if self.0.len() >= MAX_COMPLAINTS {
            return false;
        }
        self.0.push(Complaint {
            link,
            source,
            kind,
            at: now,
        });
        true
    }
}

/// Whether two lines would say the same but for details that a sender chooses.
fn of_one_kind(one: &DiagnosticKind, other: &DiagnosticKind) -> bool {
    use core::mem::discriminant;
    match (one, other) {
        (DiagnosticKind::Auth(one), DiagnosticKind::Auth(other)) => one == other,
        _ => discriminant(one) == discriminant(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::AuthFailure;

    const WRONG: DiagnosticKind = DiagnosticKind::Auth(AuthFailure::WrongMac);
    const MISSING: DiagnosticKind = DiagnosticKind::Auth(AuthFailure::MissingMac);

    fn at(seconds: u64) -> Instant {
        Instant::from_micros(seconds * 1_000_000)
    }

    #[test]
    fn one_line_a_minute_for_each_address_and_kind() {
        let mut complaints = Complaints::default();
        let mut may = |seconds, host: u16, kind| {
            let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, host);
            complaints.may_complain(at(seconds), LinkId(1), source, kind)
        };
        assert!(may(0, 1, WRONG));
        assert!(!may(59, 1, WRONG));
        assert!(may(59, 1, MISSING));
        assert!(may(59, 2, WRONG));
        assert!(may(60, 1, WRONG));
        assert!(!may(61, 1, WRONG));
    }

    #[test]
    fn any_number_of_addresses_makes_sixty_four_lines_a_minute() {
        let mut complaints = Complaints::default();
        let mut lines = 0;
        for packet in 0..120_000_u32 {
            let source = Ipv6Addr::from(u128::from(packet));
            let now = at(u64::from(packet / 1000));
            lines += u32::from(complaints.may_complain(now, LinkId(1), source, WRONG));
        }
        assert_eq!(lines, 2 * 64);
        assert_eq!(complaints.0.len(), 64);
    }
}
