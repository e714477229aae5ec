//! The metrics endpoint over real HTTP, with the numbers of a real engine.
#![cfg(feature = "metrics")]

mod ctl_support;

use babeld::local::LocalCounters;
use babeld::metrics::{Server, Sources};
use ctl_support::{Peer, TestNode, identity};
use qos_ranker::{Band, Quality, RankStep, Rate, Source, Standing};
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::{Duration, SystemTime};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

const DEADLINE: Duration = Duration::from_secs(30);

/// Runs `test` beside a main loop that answers scrapes of a node with one neighbour.
fn serve<F: AsyncFnOnce(SocketAddr)>(test: F) {
    let peer = Peer {
        rxcost: 96,
        fee: Some(3),
        prefixes: vec![(
            babel_core::prefix::RouteKey::new("10.0.0.0/8".parse().expect("a prefix")),
            0,
        )],
    };
    let mut node = TestNode::new(true, &[peer], Duration::from_secs(60));
    node.standings = standings();
    node.test_counters.run = 1;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let address = "[::1]:0".parse().expect("an address");
        let mut server = Server::bind(address).expect("the port opens");
        let address = server.address();
        let main_loop = async {
            loop {
                let scrape = server.next_scrape().await;
                let sources = Sources {
                    node: &node,
                    identity: &identity(),
                    local: (LocalCounters::default(), 0),
                    started: SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000),
                };
                server.answer(scrape, &sources);
            }
        };
        tokio::select! {
            () = main_loop => {}
            done = tokio::time::timeout(DEADLINE, test(address)) => done.expect("in time"),
        }
    });
}

/// A neighbour that is known for all destinations, for a prefix, and by its link: one series.
fn standings() -> Vec<Standing> {
    let known = Standing {
        peer: qos_ranker::Peer {
            interface: "eth0".into(),
            address: "fe80::2".parse().expect("an address"),
        },
        scope: None,
        band: Band::Proven,
        rank: Some(RankStep::BEST),
        score: None,
        quality: Quality {
            upload: Some(Rate::from_bps(8_000_000)),
            ..Quality::NONE
        },
        age: Some(Duration::from_secs(5)),
        valid_for: Duration::from_secs(60),
        confidence: 50,
        samples: 1,
        source: Some(Source::Outside),
        pinned: None,
        note: None,
    };
    let within = Standing {
        scope: "10.0.0.0/8".parse().ok(),
        band: Band::Failing,
        ..known.clone()
    };
    let link = Standing {
        source: Some(Source::Link("near".into())),
        band: Band::Unproven,
        ..known.clone()
    };
    vec![within, known, link]
}

async fn get(address: SocketAddr) -> String {
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    stream.write_all(request).await.expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("read");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
    assert!(
        head.contains(&format!("\r\nContent-Length: {}\r\n", body.len())),
        "{head}"
    );
    body.to_owned()
}

#[test]
fn a_scrape_of_a_node_shows_its_tables_and_promtool_is_content() {
    serve(async |address| {
        let text = get(address).await;
        for line in [
            "babel_neighbours 1",
            "babel_neighbour_cost{interface=\"eth0\",address=\"fe80::2\"} 96",
            "babel_neighbour_hello_reach_ratio{interface=\"eth0\",address=\"fe80::2\"} 1",
            "babel_neighbour_band{interface=\"eth0\",address=\"fe80::2\"} 0",
            "babel_neighbour_upload_bytes_per_second{interface=\"eth0\",address=\"fe80::2\"} \
             1000000",
            "babel_speedtests_total{result=\"run\"} 1",
            "babel_routes{state=\"selected\"} 1",
            "babel_routes_overridden 0",
            "process_start_time_seconds 1000000",
        ] {
            assert!(text.lines().any(|one| one == line), "no {line} in\n{text}");
        }
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(name));
            let value = line.and_then(|line| line.rsplit(' ').next());
            value.and_then(|value| value.parse().ok()).expect(name)
        };
        assert!(value("babel_packets_received_total ") > 10.0);
        assert!(value("babel_tlvs_received_total{kind=\"hello\"}") > 10.0);
        assert!(value("babel_route_changes_total{reason=\"metric\"}") >= 1.0);
        let mut promtool = tokio::task::spawn_blocking(move || {
            let mut promtool = std::process::Command::new("promtool")
                .args(["check", "metrics"])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("promtool runs; it is in Debian's package `prometheus`");
            let mut input = promtool.stdin.take().expect("a pipe");
            std::io::Write::write_all(&mut input, text.as_bytes()).expect("written");
            drop(input);
            promtool.wait_with_output().expect("promtool ends")
        });
        let output = (&mut promtool).await.expect("promtool ran");
        let said =
            String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.trim().is_empty(), "{said}");
    });
}

#[test]
fn clients_that_say_nothing_do_not_keep_others_out_for_long() {
    serve(async |address| {
        let mut mute = Vec::new();
        for _ in 0..9 {
            mute.push(TcpStream::connect(address).await.expect("a connection"));
        }
        // Eight places, five seconds each: two rounds at the most.
        assert!(get(address).await.contains("babel_info"));
    });
}
