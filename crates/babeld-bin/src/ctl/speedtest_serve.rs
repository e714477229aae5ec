//! `babelctl speedtest serve`: a speed-test server for other nodes to measure their neighbours
//! with.
//!
//! Says on standard output what to put into their configuration, on standard error a line for
//! each connection, and runs until it is told to stop.

use super::complain;
use lexopt::prelude::{Long, Short, ValueExt};
use nix::sys::signal::{SigSet, Signal};
use qos_ranker::Rate;
use speedtest::server::{Limits, Options, Server};
use speedtest::{BABEL_PORT, Host, Pin, Protocol, Url};
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io::{self, Write};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

const USAGE: &str = "\
usage: babelctl speedtest serve [OPTION...]

  -l, --listen ADDRESS|PORT|ADDRESS:PORT   where; may be repeated. Without it [::]:6698
  -t, --tls             TLS with a key of its own: the URL that is printed pins it
      --key FILE        where that key is kept (made when missing); implies --tls.
                        Without it /var/lib/babel-speedtest.key
      --plain           with --tls: serve in the clear as well
      --ndt7            ndt7 without TLS as well, for clients of M-Lab's kind
      --hourly BYTES    what one client may use in an hour, both directions (20G)
      --tests N         tests at once (8)
  -h, --help            this text
";

const USUAL_KEY: &str = "/var/lib/babel-speedtest.key";
/// Addresses of this machine that are offered as URLs.
const MOST_URLS: usize = 8;

/// Serves until `SIGINT` or `SIGTERM`; `arguments` follow `speedtest serve`.
///
/// No thread may have been started: the signals are blocked in all that follow.
pub(super) fn main(arguments: &[OsString]) -> ExitCode {
    match parse(arguments) {
        Ok(None) => {
            let _ = io::stdout().write_all(USAGE.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Some(options)) => match serve(options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                complain(&format!("speedtest serve: {error}"));
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            complain(&format!(
                "speedtest serve: {error}\nTry `babelctl speedtest serve --help`."
            ));
            ExitCode::from(2)
        }
    }
}

fn serve(options: Options) -> io::Result<()> {
    let mut signals = SigSet::empty();
    signals.add(Signal::SIGTERM);
    signals.add(Signal::SIGINT);
    signals.thread_block()?;
    let (plain, hourly) = (options.plain, options.limits.client_octets_per_hour);
    let log = Arc::new(|line: &str| {
        // Closed: nobody reads it.
        let _ = writeln!(io::stderr().lock(), "{line}");
    });
    let server = Server::start(options, log)?;
    let mut text = String::from("A speed-test server for other nodes. In their configuration:\n");
    for url in urls(server.addresses(), plain, server.pin()) {
        text.push_str(&format!("  speedtest-target NAME {url}\n"));
    }
    text.push_str(&format!(
        "One client may use {hourly} octets in an hour. It ends on Ctrl-C.\n"
    ));
    let mut output = io::stdout();
    let _ = output
        .write_all(text.as_bytes())
        .and_then(|()| output.flush());
    signals.wait()?;
    drop(server);
    Ok(())
}

/// `None`: help is wanted.
fn parse(arguments: &[OsString]) -> Result<Option<Options>, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(arguments);
    let mut listen = Vec::new();
    let mut limits = Limits::default();
    let (mut tls, mut plain, mut ndt7, mut key) = (false, false, false, None);
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(None),
            Short('l') | Long("listen") => {
                listen.push(parser.value()?.parse_with(|text| {
                    place(text).ok_or("neither ADDRESS, PORT nor ADDRESS:PORT")
                })?);
            }
            Short('t') | Long("tls") => tls = true,
            Long("plain") => plain = true,
            Long("ndt7") => ndt7 = true,
            Long("key") => key = Some(PathBuf::from(parser.value()?)),
            Long("hourly") => {
                // Decimal K, M and G, as everywhere.
                limits.client_octets_per_hour = parser.value()?.parse::<Rate>()?.bps();
            }
            Long("tests") => limits.tests = parser.value()?.parse()?,
            other => return Err(other.unexpected()),
        }
    }
    if tls && key.is_none() {
        key = Some(PathBuf::from(USUAL_KEY));
    }
    if listen.is_empty() {
        listen.push((Ipv6Addr::UNSPECIFIED, BABEL_PORT).into());
    }
    Ok(Some(Options {
        listen,
        plain: plain || key.is_none(),
        key,
        ndt7,
        limits,
    }))
}

fn place(text: &str) -> Option<SocketAddr> {
    if let Ok(port) = text.parse() {
        return Some((Ipv6Addr::UNSPECIFIED, port).into());
    }
    let address = text.trim_start_matches('[').trim_end_matches(']').parse();
    text.parse()
        .ok()
        .or_else(|| Some(SocketAddr::new(address.ok()?, BABEL_PORT)))
}

/// What others can write for this server; `neighbour` for those on a link with it.
fn urls(addresses: &[SocketAddr], plain: bool, pin: Option<Pin>) -> Vec<Url> {
    let protocols: Vec<Protocol> = pin
        .map(Protocol::Babels)
        .into_iter()
        .chain(plain.then_some(Protocol::Babel))
        .collect();
    let mut urls = Vec::new();
    for address in addresses {
        let hosts: Vec<IpAddr> = match address.ip() {
            ip if ip.is_unspecified() => of_this_machine(ip.is_ipv4()),
            ip => vec![ip],
        };
        for &protocol in &protocols {
            for &host in &hosts {
                urls.push(Url::new(protocol, Host::Address(host), address.port()));
            }
            if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
                urls.push(Url::new(protocol, Host::Neighbour, address.port()));
            }
        }
    }
    urls
}

/// Addresses that others may reach; none where the kernel does not tell.
fn of_this_machine(v4_only: bool) -> Vec<IpAddr> {
    let Ok(interfaces) = nix::ifaddrs::getifaddrs() else {
        return Vec::new();
    };
    let addresses: BTreeSet<IpAddr> = interfaces
        .filter_map(|interface| {
            let address = interface.address?;
            let v4 = address.as_sockaddr_in().map(|it| IpAddr::V4(it.ip()));
            v4.or_else(|| address.as_sockaddr_in6().map(|it| IpAddr::V6(it.ip())))
        })
        .filter(|address| match address {
            IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
            IpAddr::V6(address) => {
                !v4_only && !address.is_loopback() && !address.is_unicast_link_local()
            }
        })
        .collect();
    addresses.into_iter().take(MOST_URLS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Option<Options>, lexopt::Error> {
        let words: Vec<OsString> = line.split_whitespace().map(OsString::from).collect();
        parse(&words)
    }

    fn options(line: &str) -> Options {
        read(line).expect(line).expect(line)
    }

    #[test]
    fn without_options_it_serves_everybody_in_the_clear() {
        let usual = options("");
        assert_eq!(usual.listen, ["[::]:6698".parse().expect("a place")]);
        assert!(usual.plain && usual.key.is_none());
    }

    #[test]
    fn a_place_is_an_address_a_port_or_both() {
        let places = options("-l 10.0.0.1 -l 700 -l [::1]:800 --listen [::2] -l ::3").listen;
        let places: Vec<String> = places.iter().map(SocketAddr::to_string).collect();
        assert_eq!(
            places,
            [
                "10.0.0.1:6698",
                "[::]:700",
                "[::1]:800",
                "[::2]:6698",
                "[::3]:6698"
            ]
        );
    }

    #[test]
    fn with_tls_nothing_is_in_the_clear_unless_said() {
        assert!(!options("--tls").plain);
        assert_eq!(options("--tls").key, Some(USUAL_KEY.into()));
        assert!(!options("--key /k").plain);
        assert!(options("--key /k --plain").plain);
        let limits = options("--hourly 2G --tests 3").limits;
        assert_eq!(
            (limits.client_octets_per_hour, limits.tests),
            (2_000_000_000, 3)
        );
    }

    #[test]
    fn a_wrong_command_line_names_its_fault() {
        for (line, fault) in [
            ("--listen here", "neither ADDRESS"),
            ("--hourly lots", "lots"),
            ("--frob", "--frob"),
            ("now", "now"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert!(error.contains(fault), "{line}: {error}");
        }
        assert!(matches!(read("--help"), Ok(None)));
    }

    #[test]
    fn the_urls_are_those_to_paste() {
        let pin = Some(Pin([7; 32]));
        let place = ["10.0.0.1:700".parse().expect("a place")];
        let seen: Vec<String> = urls(&place, true, pin).iter().map(Url::to_string).collect();
        assert!(
            seen[0].starts_with("babels://10.0.0.1:700?pin=sha256:0707"),
            "{seen:?}"
        );
        assert_eq!(seen[1..], ["babel://10.0.0.1:700"]);
        let everywhere = ["[::]:700".parse().expect("a place")];
        let seen = urls(&everywhere, true, None);
        assert_eq!(
            seen.last().map(Url::to_string).as_deref(),
            Some("babel://neighbour:700")
        );
    }
}
