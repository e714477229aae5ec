//! Options of the node: one word and, mostly, one value.

use super::error::ConfigError;
use super::lexer::{Line, Word};
use super::parse_quality;
use super::statement::{Global, LocalAddress, LocalSocket, MaxPrice, Statement};
use qos_ranker::Prefer;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

/// The dearest price; one more means "not for sale".
pub(crate) const DEAREST: u32 = u32::MAX - 1;

/// Every word that begins an option of the node.
pub(super) const WORDS: [&str; 48] = [
    "protocol-port",
    "protocol-group",
    "kernel-priority",
    "reflect-kernel-metric",
    "allow-duplicates",
    "local-port",
    "local-port-readwrite",
    "local-path",
    "local-path-readwrite",
    "export-table",
    "import-table",
    "kernel-check-interval",
    "shutdown-delay-ms",
    "link-detect",
    "random-id",
    "daemonise",
    "skip-kernel-setup",
    "ipv6-subtrees",
    "state-file",
    "log-file",
    "pid-file",
    "debug",
    "smoothing-half-life",
    "router-id",
    "metrics-port",
    "price",
    "fee",
    "price-unit",
    "price-sub-tlv",
    "max-price",
    "require-price",
    "prefer",
    "qos-goal",
    "speedtest-target",
    "unproven-penalty",
    "probe-prefix",
    "probe-mark",
    "probe-table",
    "probe-priority",
    "quality-file",
    "althea-compat",
    "metric-factor",
    "quality-multiplier",
    "diversity",
    "diversity-factor",
    "first-rule-priority",
    "first-table-number",
    "ubus-bindings",
];

/// Reads the value of the option `word`; `None` if there is no such option.
pub(super) fn option(line: &mut Line<'_>, word: &Word) -> Result<Option<Statement>, ConfigError> {
    let name = word.text.as_str();
    let global = match number(line, name)? {
        None => match truth(line, name)? {
            None => match other(line, name)? {
                None => match priced(line, name)? {
                    None => parse_quality::option(line, name)?.map(Global::Quality),
                    some => some,
                },
                some => some,
            },
            some => some,
        },
        some => some,
    };
    match global {
        Some(global) => Ok(Some(Statement::Global(global))),
        None if obsolete(line, name)? => Ok(Some(Statement::Nothing)),
        None => Ok(None),
    }
}

/// A price per megabyte, which is not "not for sale".
pub(super) fn price(line: &mut Line<'_>, name: &str) -> Result<u32, ConfigError> {
    line.integer32(name, 0..=DEAREST)
}

/// Options that take a number. Zero is allowed wherever the manual or the flag allows it.
fn number(line: &mut Line<'_>, name: &str) -> Result<Option<Global>, ConfigError> {
    const ALL: std::ops::RangeInclusive<u16> = 0..=u16::MAX;
    const PORT: std::ops::RangeInclusive<u16> = 1..=u16::MAX;
    let global = match name {
        "protocol-port" => Global::ProtocolPort(line.integer16(name, PORT)?),
        "kernel-priority" => Global::KernelPriority(line.integer16(name, ALL)?),
        "allow-duplicates" => Global::AllowDuplicates(line.integer16(name, ALL)?),
        "local-port" | "local-port-readwrite" => Global::LocalSocket(LocalSocket {
            address: LocalAddress::Port(line.integer16(name, PORT)?),
            read_write: name == "local-port-readwrite",
        }),
        "export-table" => Global::ExportTable(u32::from(line.integer16(name, ALL)?)),
        "import-table" => Global::ImportTable(u32::from(line.integer16(name, ALL)?)),
        "kernel-check-interval" => {
            let seconds = line.integer16(name, ALL)?;
            let interval = Duration::from_secs(u64::from(seconds));
            Global::KernelCheckInterval((seconds != 0).then_some(interval))
        }
        "shutdown-delay-ms" => {
            let millis = line.integer16(name, ALL)?;
            Global::ShutdownDelay(Duration::from_millis(u64::from(millis)))
        }
        "debug" => Global::Debug(line.integer32(name, 0..=i32::MAX as u32)?),
        "smoothing-half-life" => {
            let seconds = line.integer32(name, 0..=i32::MAX as u32)?;
            Global::SmoothingHalfLife(Duration::from_secs(u64::from(seconds)))
        }
        _ => return Ok(None),
    };
    Ok(Some(global))
}

/// Options that are on or off.
fn truth(line: &mut Line<'_>, name: &str) -> Result<Option<Global>, ConfigError> {
    let make: fn(bool) -> Global = match name {
        "link-detect" => Global::LinkDetect,
        "random-id" => Global::RandomId,
        "daemonise" => Global::Daemonise,
        "skip-kernel-setup" => Global::SkipKernelSetup,
        "ipv6-subtrees" => Global::Ipv6Subtrees,
        "reflect-kernel-metric" => Global::ReflectKernelMetric,
        "require-price" => Global::RequirePrice,
        "althea-compat" => Global::AltheaCompat,
        _ => return Ok(None),
    };
    line.boolean(name).map(make).map(Some)
}

/// Options that take a file, an address or an id.
fn other(line: &mut Line<'_>, name: &str) -> Result<Option<Global>, ConfigError> {
    let global = match name {
        "protocol-group" => {
            let group = line.group(name)?;
            if !is_link_local_group(group) {
                line.warn(
                    name,
                    format!("{group} is not a link-local multicast address"),
                );
            }
            Global::ProtocolGroup(group)
        }
        "state-file" => Global::StateFile(line.path(name)?),
        "log-file" => Global::LogFile(line.path(name)?),
        "pid-file" => Global::PidFile(line.path(name)?),
        "local-path" | "local-path-readwrite" => {
            let word = line.string(&format!("the file name for '{name}'"))?;
            if word.text.is_empty() {
                return Err(line.error(&word, format!("the file name for '{name}' is empty")));
            }
            Global::LocalSocket(LocalSocket {
                address: LocalAddress::Path(PathBuf::from(word.text)),
                read_write: name == "local-path-readwrite",
            })
        }
        "router-id" => Global::RouterId(line.router_id(name)?),
        "metrics-port" => {
            let word = line.word("the port for 'metrics-port'")?;
            let address = if let Ok(ip) = word.text.parse::<IpAddr>() {
                SocketAddr::new(ip, line.integer16(name, 1..=u16::MAX)?)
            } else if let Some(address) = parse_listen(&word.text) {
                address
            } else {
                let takes = "'metrics-port' takes a port from 1 to 65535, or ADDRESS:PORT with \
                             an IPv6 address in brackets";
                return Err(line.bad(&word, "is not a port", takes));
            };
            Global::MetricsListen(address)
        }
        _ => return Ok(None),
    };
    Ok(Some(global))
}

/// Options about prices (design §3 and §5).
fn priced(line: &mut Line<'_>, name: &str) -> Result<Option<Global>, ConfigError> {
    let global = match name {
        "price" => Global::Price(price(line, name)?),
        // Althea's word has its range; the greatest is taken as the greatest there is.
        "fee" => Global::Price(line.integer32(name, 0..=u32::MAX)?.min(DEAREST)),
        "price-unit" => Global::PriceUnit(line.integer16(name, 0..=u16::MAX)?),
        "price-sub-tlv" => {
            // 0 to 3 are padding, diversity and timestamps, 127 is reserved, and from 128 on stock
            // peers would drop the whole Update (RFC 8966 §4.4).
            let value = line.integer16(name, 4..=126)?;
            Global::PriceSubTlv(u8::try_from(value).unwrap_or(112))
        }
        "max-price" => {
            let word = line.word("the limit for 'max-price'")?;
            let limit = match (word.text.as_str(), super::value::parse_integer(&word.text)) {
                ("none", _) => None,
                (_, Ok(value)) if (0..=i64::from(DEAREST)).contains(&value) => {
                    Some(u32::try_from(value).unwrap_or(DEAREST))
                }
                _ => {
                    let takes = format!("'max-price' takes 0 to {DEAREST}, or 'none'");
                    return Err(line.bad(&word, "is not a price", &takes));
                }
            };
            let prefix = if line.at_end() {
                None
            } else {
                line.choice(name, &[("ip", ())])?;
                Some(line.prefix("ip")?.0)
            };
            Global::MaxPrice(MaxPrice { prefix, limit })
        }
        "metric-factor" | "quality-multiplier" => {
            let unit = if name == "metric-factor" { 1 } else { 1000 };
            let factor = line.integer32(name, 0..=u32::MAX / unit)? * unit;
            line.warn(
                name,
                format!(
                    "'{name}' has no effect on routes: price and metric are never mixed here; see \
                     'prefer' and 'max-price'"
                ),
            );
            Global::MetricFactor(factor)
        }
        "prefer" => {
            let choices = [("quality", Prefer::Quality), ("price", Prefer::Price)];
            Global::Prefer(line.choice(name, &choices)?)
        }
        _ => return Ok(None),
    };
    Ok(Some(global))
}

/// Options of other versions that are accepted without effect.
fn obsolete(line: &mut Line<'_>, name: &str) -> Result<bool, ConfigError> {
    let why = match name {
        "diversity" => {
            let word = line.word("the kind for 'diversity'")?;
            let number = super::value::parse_integer(&word.text);
            let named = matches!(
                word.text.as_str(),
                "true" | "yes" | "false" | "no" | "auto" | "default"
            );
            if !named && !number.is_ok_and(|n| (0..=3).contains(&n)) {
                let takes = "'diversity' takes true, false or 0 to 3";
                return Err(line.bad(&word, "is not a kind of diversity", takes));
            }
            "diversity routing is gone since 1.13"
        }
        "diversity-factor" => {
            line.integer(name, 0..=256)?;
            "diversity routing is gone since 1.13"
        }
        "first-rule-priority" | "first-table-number" => {
            line.integer(name, 0..=i64::from(i32::MAX))?;
            "source-specific routes need no rules and tables of their own any more"
        }
        "ubus-bindings" => {
            line.boolean(name)?;
            "there is no ubus here; use the control socket"
        }
        _ => return Ok(false),
    };
    line.warn(name, format!("'{name}' has no effect: {why}"));
    Ok(true)
}

/// `PORT` on `::1`, or `ADDRESS:PORT`.
fn parse_listen(text: &str) -> Option<SocketAddr> {
    let address = match super::value::parse_integer(text) {
        Ok(port) => SocketAddr::new(Ipv6Addr::LOCALHOST.into(), u16::try_from(port).ok()?),
        Err(_) => text.parse().ok()?,
    };
    (address.port() != 0).then_some(address)
}

/// Whether a multicast group stays on the link: ffX2::/16.
pub(crate) const fn is_link_local_group(group: Ipv6Addr) -> bool {
    group.segments()[0] & 0x000f == 2
}
