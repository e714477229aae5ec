//! What this kernel's routing tables can hold.

use babel_core::config::Forwarding;

/// Since this release an IPv4 route may have an IPv6 next hop.
const V4_VIA_V6_SINCE: (u32, u32) = (5, 2);

/// Asks the kernel for its release. Linux has no IPv4 routes with a source prefix; those of IPv6
/// are taken for granted, as all distributions build them in, and ordered destination first.
pub fn forwarding() -> Forwarding {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    of_release(&release)
}

/// A release that cannot be read is taken for a recent one.
fn of_release(release: &str) -> Forwarding {
    let mut numbers = release
        .split(|c: char| !c.is_ascii_digit())
        .map(|number| number.parse::<u32>().ok());
    let version = (numbers.next().flatten(), numbers.next().flatten());
    let v4_via_v6 = match version {
        (Some(major), Some(minor)) => (major, minor) >= V4_VIA_V6_SINCE,
        _ => true,
    };
    Forwarding {
        v4_source_specific: false,
        v4_via_v6,
        ..Forwarding::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 9079-4-4, 9229-2.2-5
    #[test]
    fn old_kernels_have_no_ipv6_next_hops_and_none_has_ipv4_sources() {
        for (release, v4_via_v6) in [
            ("4.19.0-27-amd64\n", false),
            ("5.1.21", false),
            ("5.2.0", true),
            ("5.10.0-8-arm64", true),
            ("6.1.0-18-amd64\n", true),
            ("10.0", true),
            ("?", true),
        ] {
            let forwarding = of_release(release);
            assert_eq!(forwarding.v4_via_v6, v4_via_v6, "{release}");
            assert!(!forwarding.v4_source_specific && forwarding.v6_source_specific);
        }
        assert!(!forwarding().v4_source_specific);
    }
}
