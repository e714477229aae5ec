//! Options of an interface, as on `interface` and `default` lines.

use super::auth::KeyUse;
use super::error::ConfigError;
use super::interface::{InterfaceOptions, LinkType};
use super::lexer::{Line, Word, shown};
use super::parse_global::price;
use babel_core::auth::{MAX_KEYS, Purpose};
use std::net::{IpAddr, Ipv6Addr};

/// Every option, ours and stock's of all ages.
pub(super) const OPTIONS: [&str; 24] = [
    "type",
    "rxcost",
    "hello-interval",
    "update-interval",
    "link-quality",
    "split-horizon",
    "v4-via-v6",
    "price",
    "fee",
    "enable-timestamps",
    "rtt-decay",
    "rtt-min",
    "rtt-max",
    "max-rtt-penalty",
    "unicast",
    "unicast-neighbour",
    "rfc6126-compatible",
    "probe-mtu",
    "key",
    "accept-key",
    "accept-bad-signatures",
    "wired",
    "faraway",
    "channel",
];

/// Whether `word` is an option of interfaces.
pub(super) fn is_option(word: &str) -> bool {
    OPTIONS.contains(&word)
}

/// Reads options up to the end of the line; the last of several wins.
pub(super) fn options(
    line: &mut Line<'_>,
    options: &mut InterfaceOptions,
) -> Result<(), ConfigError> {
    while !line.at_end() {
        let word = line.word("an interface option")?;
        let known = common(line, &word, options)? || obsolete(line, &word, options)?;
        if !known {
            let reason = format!("'{}' is not an interface option", shown(&word.text));
            return Err(line.unknown(&word, reason, &OPTIONS));
        }
    }
    Ok(())
}

/// The options that do what they say.
fn common(
    line: &mut Line<'_>,
    word: &Word,
    options: &mut InterfaceOptions,
) -> Result<bool, ConfigError> {
    let name = word.text.as_str();
    match name {
        "type" => {
            options.link_type = line.choice(
                name,
                &[
                    ("auto", None),
                    ("default", None),
                    ("wired", Some(LinkType::Wired)),
                    ("wireless", Some(LinkType::Wireless)),
                    ("tunnel", Some(LinkType::Tunnel)),
                ],
            )?;
        }
        "rxcost" => options.rxcost = Some(line.integer16(name, 1..=u16::MAX)?),
        "hello-interval" => options.hello_interval = Some(line.seconds(name)?),
        "update-interval" => options.update_interval = Some(line.seconds(name)?),
        "link-quality" => options.link_quality = line.tristate(name)?,
        "split-horizon" => options.split_horizon = line.tristate(name)?,
        "v4-via-v6" => options.v4_via_v6 = line.tristate(name)?,
        "enable-timestamps" => options.enable_timestamps = line.tristate(name)?,
        "rtt-decay" => options.rtt_decay = Some(line.integer16(name, 1..=256)?),
        "rtt-min" => options.rtt_min = Some(line.milliseconds(name)?),
        "rtt-max" => options.rtt_max = Some(line.milliseconds(name)?),
        "max-rtt-penalty" => {
            options.max_rtt_penalty = Some(line.integer16(name, 1..=u16::MAX)?);
        }
        "unicast" => options.unicast = line.tristate(name)?,
        "unicast-neighbour" => {
            let address = neighbour(line, name)?;
            if !options.unicast_neighbours.contains(&address) {
                options.unicast_neighbours.push(address);
            }
        }
        "rfc6126-compatible" => options.rfc6126_compatible = line.tristate(name)?,
        "probe-mtu" => options.probe_mtu = line.tristate(name)?,
        "accept-bad-signatures" => options.accept_bad_signatures = line.tristate(name)?,
        "key" => add_key(line, name, Purpose::SignAndAccept, options)?,
        "accept-key" => add_key(line, name, Purpose::AcceptOnly, options)?,
        "price" | "fee" => options.price = Some(price(line, name)?),
        _ => return Ok(false),
    }
    Ok(true)
}

/// One more key; the last of several uses of one counts.
fn add_key(
    line: &mut Line<'_>,
    name: &str,
    purpose: Purpose,
    options: &mut InterfaceOptions,
) -> Result<(), ConfigError> {
    let id = line.word(&format!("the key's id for '{name}'"))?;
    options.keys.retain(|used| used.id != id.text);
    if options.keys.len() >= MAX_KEYS {
        let reason = format!("an interface can have {MAX_KEYS} keys at most");
        return Err(line.error(&id, reason));
    }
    let id = id.text;
    options.keys.push(KeyUse { id, purpose });
    Ok(())
}

/// A neighbour on the link itself: only there may Babel speak with it.
pub(super) fn neighbour(line: &mut Line<'_>, name: &str) -> Result<Ipv6Addr, ConfigError> {
    match line.address_word(name)? {
        (IpAddr::V6(v6), _) if v6.segments()[..4] == [0xfe80, 0, 0, 0] => Ok(v6),
        (_, word) => {
            let takes = format!("'{name}' takes a link-local address, fe80::/64");
            Err(line.bad(&word, "is not link-local", &takes))
        }
    }
}

/// Options of older versions.
fn obsolete(
    line: &mut Line<'_>,
    word: &Word,
    options: &mut InterfaceOptions,
) -> Result<bool, ConfigError> {
    let name = word.text.as_str();
    match name {
        "wired" => {
            let wired = line.boolean(name)?;
            options.link_type = Some(if wired {
                LinkType::Wired
            } else {
                LinkType::Wireless
            });
            line.warn(
                name,
                "keyword \"wired\" is deprecated -- please use \"type\" instead.",
            );
            return Ok(true);
        }
        "faraway" => {
            line.tristate(name)?;
        }
        "channel" => {
            let value = line.word("the number of the channel for 'channel'")?;
            let number = super::value::parse_integer(&value.text);
            let named = matches!(value.text.as_str(), "interfering" | "noninterfering");
            if !named && !number.is_ok_and(|n| (1..=255).contains(&n)) {
                let takes = "'channel' takes 1 to 255, 'interfering' or 'noninterfering'";
                return Err(line.bad(&value, "is not a channel", takes));
            }
        }
        _ => return Ok(false),
    }
    line.warn(
        name,
        format!("'{name}' belonged to diversity routing, which is gone since 1.13: no effect"),
    );
    Ok(true)
}
