//! What kind of link a device is, as far as the kernel tells.

use crate::config::Medium;
use babel_netlink::LinkInfo;
use std::path::Path;

/// Kinds of device that carry packets over other links.
const TUNNELS: [&str; 14] = [
    "gre",
    "gretap",
    "ip6gre",
    "ip6gretap",
    "ipip",
    "ip6tnl",
    "sit",
    "tun",
    "vti",
    "vti6",
    "vxlan",
    "geneve",
    "wireguard",
    "fou",
];
/// `ARPHRD_ETHER`
const ETHERNET: u16 = 1;

/// What kind of link `device` is.
pub fn of(device: &LinkInfo) -> Medium {
    at(Path::new("/sys/class/net"), device)
}

fn at(root: &Path, device: &LinkInfo) -> Medium {
    let directory = root.join(&device.name);
    if directory.join("wireless").exists() || directory.join("phy80211").exists() {
        return Medium::Wireless;
    }
    match device.kind.as_deref() {
        Some(kind) if TUNNELS.contains(&kind) => Medium::Tunnel,
        None if device.hardware_type == ETHERNET => Medium::Wired,
        _ => Medium::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(name: &str, kind: Option<&str>, hardware_type: u16) -> LinkInfo {
        LinkInfo {
            name: name.into(),
            kind: kind.map(Into::into),
            hardware_type,
            ..LinkInfo::default()
        }
    }

    #[test]
    fn wireless_tunnel_wired_and_unknown_are_told_apart() {
        let root = tempfile::tempdir().expect("a directory");
        let phy = root.path().join("wlan0/phy80211");
        std::fs::create_dir_all(phy).expect("a directory");
        let of = |name, kind, hardware| at(root.path(), &device(name, kind, hardware));
        assert_eq!(of("wlan0", None, ETHERNET), Medium::Wireless);
        assert_eq!(of("wg0", Some("wireguard"), 65534), Medium::Tunnel);
        assert_eq!(of("eth0", None, ETHERNET), Medium::Wired);
        assert_eq!(of("br0", Some("bridge"), ETHERNET), Medium::Unknown);
    }
}
