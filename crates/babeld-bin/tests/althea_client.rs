//! A client that reads as Althea's does (its rules are in `Client` and `field`), on a daemon with
//! `althea-compat true`, and the same daemon without.

mod daemon_support;

use anyhow::{Context, Result, bail, ensure};
use daemon_support::{BABELD, Pair, SOON, start};
use netns::{Namespace, wait_for};
use std::io::{Read, Write};
use std::net::{IpAddr, TcpStream};
use std::time::Duration;

const PORT: &str = "6872";

/// Reads until a line that is exactly `ok`, `bad` or `no`; throws away what comes after it.
struct Client(TcpStream);

impl Client {
    /// Connects, and demands that the greeting names Althea.
    fn connect(namespace: &Namespace) -> Result<Self> {
        let (client, greeting) = Self::connect_to_any(namespace)?;
        ensure!(greeting.contains("ALTHEA 0.1"), "{greeting}");
        Ok(client)
    }

    fn connect_to_any(namespace: &Namespace) -> Result<(Self, String)> {
        let connect = || namespace.with(|| TcpStream::connect(format!("[::1]:{PORT}")).ok());
        let stream = wait_for(SOON, || connect().ok().flatten()).context("no control socket")?;
        stream.set_read_timeout(Some(Duration::from_secs(4)))?;
        let mut client = Self(stream);
        let greeting = client.read()?;
        Ok((client, greeting))
    }

    fn run(&mut self, request: &str) -> Result<String> {
        self.0.write_all(format!("{request}\n").as_bytes())?;
        self.read()
    }

    /// The line that ended the answer.
    fn end(&mut self, request: &str) -> Result<String> {
        let answer = self.run(request)?;
        let last = answer.lines().last();
        Ok(last.unwrap_or_default().to_owned())
    }

    fn read(&mut self) -> Result<String> {
        let mut text = String::new();
        loop {
            let mut chunk = vec![0; 500_000];
            let read = self.0.read(&mut chunk).context("no terminator came")?;
            ensure!(read > 0, "closed after {text:?}");
            text.push_str(std::str::from_utf8(chunk.get(..read).unwrap_or_default())?);
            let mut lines = text.lines().map(str::trim);
            if lines.any(|line| matches!(line, "ok" | "bad" | "no")) {
                return Ok(text);
            }
        }
    }
}

/// The word after the first `key` on a line whose words are one space apart.
fn field<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    let mut words = line.split(' ');
    words.find(|word| *word == key)?;
    words.next()
}

fn number<T: std::str::FromStr>(line: &str, key: &str) -> Result<T> {
    let word = field(line, key).with_context(|| format!("no {key} in {line}"))?;
    match word.parse() {
        Ok(number) => Ok(number),
        Err(_) => bail!("{key} {word} in {line}"),
    }
}

#[derive(Debug)]
struct Route {
    installed: bool,
    price: u32,
    fee: u32,
    rtt: f32,
}

/// A route line, with all that must be there.
fn route(line: &str) -> Result<Route> {
    let text = |key| field(line, key).with_context(|| format!("no {key} in {line}"));
    text("route")?;
    text("if")?;
    text("via")?.parse::<IpAddr>()?;
    let (address, plen) = text("prefix")?.split_once('/').context("a prefix")?;
    address.parse::<IpAddr>()?;
    plen.parse::<u8>()?;
    number::<u16>(line, "metric")?;
    number::<u16>(line, "refmetric")?;
    Ok(Route {
        installed: text("installed")?.contains("yes"),
        price: number(line, "price")?,
        fee: number(line, "fee")?,
        rtt: number(line, "full-path-rtt")?,
    })
}

fn neighbour(line: &str) -> Result<()> {
    let text = |key| field(line, key).with_context(|| format!("no {key} in {line}"));
    text("neighbour")?;
    text("if")?;
    text("address")?.parse::<IpAddr>()?;
    ensure!(text("reach")?.len() == 4, "{line}");
    u16::from_str_radix(text("reach")?, 16)?;
    for key in ["txcost", "rxcost", "cost"] {
        number::<u16>(line, key)?;
    }
    if field(line, "rtt").is_some() {
        number::<f32>(line, "rtt")?;
        number::<u16>(line, "rttcost")?;
    }
    Ok(())
}

const PRICED: &str = "2001:db8:70::/48";

/// A neighbour that charges 40 for what costs it 3.
fn seller(pair: &Pair) -> Result<netns::Daemon> {
    let mut route = babel_netlink::Route::new(("2001:db8:70::".parse()?, 48), 254, 4);
    route.kind = babel_netlink::RouteKind::Unreachable;
    pair.b.routes(|socket| Ok(socket.add_route(&route)?))?;
    let more = [
        "-C",
        "price 40",
        "-C",
        "redistribute proto 4 price 3",
        "-C",
        "default enable-timestamps true",
    ];
    start(&pair.b, &pair.place, BABELD, "vb", &more)
}

#[test]
fn a_node_tells_what_althea_asks_in_words_that_it_reads() -> Result<()> {
    let pair = Pair::new()?;
    let _seller = seller(&pair)?;
    let ours = pair.ours(&["-G", PORT, "-F", "5", "-C", "althea-compat true"])?;
    let mut client = Client::connect(&pair.a)?;
    let dump = client.run("dump")?;
    ensure!(
        dump.starts_with("local fee 5\nmetric factor 1900\n"),
        "{dump}"
    );
    ensure!(client.end("fee 7")? == "ok" && client.end("metric-factor 1800")? == "ok");
    // As it does for each tunnel, more than once.
    for _ in 0..3 {
        let tunnel = "interface va link-quality yes split-horizon yes max-rtt-penalty 200 rtt-min 50 \
                      rtt-max 500 hello-interval 0.5 update-interval 2 enable-timestamps true";
        ensure!(client.end(tunnel)? == "ok");
    }
    let found = wait_for(SOON, || {
        let dump = client.run("dump").ok()?;
        let line = dump.lines().find(|line| line.contains(PRICED))?;
        let known = route(line).ok()?;
        (known.installed && known.rtt > 0.0).then_some((dump.clone(), known))
    });
    let (dump, known) = found.with_context(|| ours.log_tail(30))?;
    ensure!((known.price, known.fee) == (43, 7), "{known:?}");
    ensure!(known.rtt < 1000.0, "{known:?}");
    ensure!(field(&dump, "local").is_some(), "{dump}");
    ensure!(
        dump.starts_with("local fee 7\nmetric factor 1800\n"),
        "{dump}"
    );
    let of = |kind: &str| -> Vec<&str> {
        let lines = dump.lines();
        lines
            .filter(|line| line.contains(&format!("add {kind}")))
            .collect()
    };
    for line in of("route") {
        route(line)?;
        // Patterns of other clients want the interface last.
        ensure!(line.ends_with(" if va"), "{line}");
    }
    ensure!(
        of("neighbour").len() == 1 && of("route").len() >= 3,
        "{dump}"
    );
    of("neighbour").into_iter().try_for_each(neighbour)?;
    for line in of("interface") {
        ensure!(field(line, "interface") == Some("va"), "{line}");
        ensure!(
            matches!(field(line, "up"), Some("true" | "false")),
            "{line}"
        );
    }
    Ok(())
}

#[test]
fn every_answer_ends_in_a_word_that_althea_waits_for() -> Result<()> {
    let pair = Pair::new()?;
    let _ours = pair.ours(&["-G", PORT, "-C", "althea-compat true"])?;
    let mut client = Client::connect(&pair.a)?;
    for (request, end) in [
        ("fee 0", "ok"),
        ("fee 4294967295", "ok"),
        ("fee 4294967296", "bad"),
        ("fee -1", "bad"),
        ("metric-factor 4294967295", "ok"),
        ("metric-factor -1", "bad"),
        ("kernel-check-interval 0", "ok"),
        ("kernel-check-interval 300", "ok"),
        ("interface nowhere0 link-quality no split-horizon no", "ok"),
        ("flush interface nowhere0", "ok"),
        // It is gone already, and that is what was wanted.
        ("flush interface nowhere0", "ok"),
        ("redistribute ip 2001:db8::1/128 allow", "ok"),
        ("nonsense", "bad"),
        ("router-id 02:11:22:33:44:55:66:77", "no"),
    ] {
        ensure!(client.end(request)? == end, "{request}");
    }
    let why = client.run("export-table 7")?;
    ensure!(why.starts_with("'export-table' cannot be changed"), "{why}");
    ensure!(why.ends_with("\nno\n"), "{why}");
    Ok(())
}

#[test]
fn a_monitor_hears_the_same_words() -> Result<()> {
    let pair = Pair::new()?;
    let ours = pair.ours(&["-G", PORT, "-C", "althea-compat true"])?;
    let mut client = Client::connect(&pair.a)?;
    client.run("monitor")?;
    let _seller = seller(&pair)?;
    let mut heard = String::new();
    let line = wait_for(SOON, || {
        let mut chunk = [0; 4096];
        let read = client.0.read(&mut chunk).unwrap_or(0);
        heard.push_str(&String::from_utf8_lossy(
            chunk.get(..read).unwrap_or_default(),
        ));
        let whole = |line: &&str| line.contains(" route ") && line.ends_with(" if va");
        heard.lines().find(whole).map(str::to_owned)
    });
    let line = line.with_context(|| format!("{heard}\n{}", ours.log_tail(20)))?;
    // No fee of ours: prices are off, and the words are there all the same.
    let known = route(&line)?;
    ensure!((known.price, known.fee) == (0, 0), "{line}");
    Ok(())
}

#[test]
fn without_althea_compat_no_word_of_it_is_said() -> Result<()> {
    let pair = Pair::new()?;
    let _seller = seller(&pair)?;
    let ours = pair.ours(&["-G", PORT])?;
    daemon_support::expect_route(&pair.a, PRICED, &ours)?;
    let (mut client, greeting) = Client::connect_to_any(&pair.a)?;
    ensure!(greeting.starts_with("BABEL 1.0\nversion "), "{greeting}");
    ensure!(greeting.lines().count() == 5, "{greeting}");
    let dump = client.run("dump")?;
    for word in ["local", "fee", "full-path-rtt", "price", "factor"] {
        ensure!(
            field(&dump, word).is_none() && !dump.contains(&format!(" {word} ")),
            "{dump}"
        );
    }
    ensure!(!greeting.contains("ALTHEA"), "{greeting}");
    Ok(())
}
