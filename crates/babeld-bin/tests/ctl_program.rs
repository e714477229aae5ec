//! `babelctl`, the program, against a node with a real engine, and against what is no node.

mod ctl_support;

use ctl_support::{Background, Peer, TestNode};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn babelctl(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_babelctl"));
    command
        .args(arguments)
        .env_remove("BABEL_SOCKET")
        .stdin(Stdio::null());
    command
}

/// Runs `babelctl -s SOCKET ARGUMENTS`.
fn run(socket: &Path, arguments: &[&str]) -> Output {
    let socket = socket.to_str().expect("text");
    let mut all = vec!["-s", socket];
    all.extend(arguments);
    babelctl(&all).output().expect("babelctl runs")
}

/// What it prints when all goes well.
fn shown(socket: &Path, arguments: &[&str]) -> String {
    let output = run(socket, arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success() && said.is_empty(),
        "{arguments:?}: {said}"
    );
    String::from_utf8(output.stdout).expect("text")
}

/// What it complains of, and its exit status.
fn complaint(command: &mut Command) -> (String, Option<i32>) {
    let output = command.output().expect("babelctl runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    (said, output.status.code())
}

fn key(text: &str) -> babel_core::prefix::RouteKey {
    babel_core::prefix::RouteKey::new(text.parse().expect("a prefix"))
}

/// Two ways to 10.0.0.0/8: a short dear one and a long cheap one; and a spare prefix.
fn diamond() -> TestNode {
    let dear = Peer {
        rxcost: 96,
        fee: Some(40),
        prefixes: vec![(key("10.0.0.0/8"), 0), (key("2001:db8::/32"), 10)],
    };
    let cheap = Peer {
        rxcost: 256,
        fee: Some(10),
        prefixes: vec![(key("10.0.0.0/8"), 100)],
    };
    let mut node = TestNode::new(true, &[dear, cheap], Duration::from_secs(300));
    node.announce("192.0.2.1");
    node
}

/// Tables are the same from run to run but for ages.
fn ageless(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        for index in 1..words.len() {
            if words[index] == "s" {
                words[index - 1] = "_";
            }
        }
        out.push_str(&words.join(" "));
        out.push('\n');
    }
    out
}

#[test]
fn the_tables_of_a_node_are_shown() {
    let server = Background::serve(diamond);
    assert_eq!(
        ageless(&shown(&server.path, &["show", "routes"])),
        "PREFIX STATE METRIC REFMETRIC PRICE VIA IF NEXT HOP AGE ROUTER-ID\n\
         10.0.0.0/8 in use 356 100 10 fe80::3 eth1 192.0.2.1 _ s 02:00:00:00:00:00:00:03\n\
         10.0.0.0/8 spare 96 0 40 fe80::2 eth0 192.0.2.1 _ s 02:00:00:00:00:00:00:02\n\
         2001:db8::/32 in use 106 10 40 fe80::2 eth0 _ s 02:00:00:00:00:00:00:02\n\
         2001:db8::/32 unfeasible 618 362 50 fe80::3 eth1 _ s 02:00:00:00:00:00:00:02\n"
    );
    assert_eq!(
        ageless(&shown(&server.path, &["show", "neighbours"])),
        "ADDRESS IF REACH RXCOST TXCOST COST ROUTES HELLO IHU\n\
         fe80::3 eth1 16/16 256 256 256 2 _ s _ s\n\
         fe80::2 eth0 16/16 96 96 96 2 _ s _ s\n"
    );
    assert_eq!(
        shown(&server.path, &["show", "xroutes"]),
        "PREFIX        METRIC  ORIGIN\n192.0.2.1/32       0  local\n"
    );
    assert_eq!(
        shown(&server.path, &["show", "interfaces"]),
        "NAME   STATE  IPV6     IPV4       WHY\n\
         eth0   up     fe80::1  192.0.2.1\n\
         eth1   up     fe80::1  192.0.2.1\n\
         wlan0  down                       no such interface\n"
    );
    let status = shown(&server.path, &["show", "status"]);
    assert!(status.contains("\ninterfaces  2 of 3 up\n"), "{status}");
    assert!(status.contains("\nranking     off\n"), "{status}");
    let port = server.port.to_string();
    let by_port = shown(Path::new(&port), &["show", "xroutes"]);
    assert!(by_port.contains("192.0.2.1/32"), "{by_port}");
}

#[test]
fn json_is_one_document_whatever_is_asked() {
    let server = Background::serve(diamond);
    let json = |arguments: &[&str]| -> serde_json::Value {
        let text = shown(&server.path, &[arguments, &["-j"]].concat());
        serde_json::from_str(&text).expect("JSON")
    };
    let routes = json(&["show", "routes"]);
    assert_eq!(routes.as_array().map(Vec::len), Some(4));
    assert_eq!(routes[0]["price"], 10);
    assert_eq!(json(&["show", "neighbours"])[1]["cost"], 96);
    assert_eq!(json(&["show", "xroutes"])[0]["origin"], "local");
    assert_eq!(json(&["show", "interfaces"])[2]["up"], false);
    assert_eq!(json(&["show", "status"])["neighbours"], 2);
    let explained = json(&["explain", "10.0.0.0/8"]);
    assert_eq!(explained["candidates"][0]["outcome"], "selected");
    assert_eq!(explained["candidates"][1]["outcome"], "worse");
    assert_eq!(explained["candidates"][1]["steps"][0]["name"], "price");
}

#[test]
fn a_choice_is_explained_step_by_step() {
    let server = Background::serve(diamond);
    let text = shown(&server.path, &["explain", "10.0.0.0/8"]);
    for line in [
        "  Its packets go to 192.0.2.1, announced by fe80::3%eth1.",
        "  > fe80::3%eth1",
        "  - fe80::2%eth0",
        "    metric    100 advertised + 256 link = 356",
        "    price     40 per MB",
    ] {
        assert!(
            text.lines().any(|one| one == line),
            "no {line:?} in\n{text}"
        );
    }
    for part in [
        "in use: wins at 'price': 10",
        "loses at 'price': 40",
        " of fe80::3%eth1\n",
        "<- worse",
        "yes: seqno 7, metric 100 against our feasibility distance seqno 7, metric 356",
    ] {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
    let text = shown(&server.path, &["explain", "2001:db8::/32"]);
    assert!(
        text.contains(
            "unfeasible: advertised metric 362 is not below our feasibility distance 106"
        ),
        "{text}"
    );
    let text = shown(&server.path, &["explain", "10.7.7.7"]);
    assert!(
        text.contains("follow 10.0.0.0/8 via fe80::3%eth1"),
        "{text}"
    );
    let text = shown(&server.path, &["explain", "192.0.2.1"]);
    assert!(text.contains("one of our own addresses"), "{text}");
}

#[test]
fn a_raw_line_is_sent_as_it_is_and_its_answer_is_the_exit_status() {
    let server = Background::serve(|| TestNode::with_prefixes(1));
    assert_eq!(shown(&server.path, &["raw", "interface", "eth7"]), "ok\n");
    assert!(shown(&server.path, &["raw", "dump"]).contains("add route "));
    let refused = run(&server.path, &["raw", "flush", "interface", "nosuch"]);
    assert_eq!(refused.stdout, b"no No such interface\n");
    assert_eq!(refused.status.code(), Some(1));
    let port = server.port.to_string();
    let bad = run(Path::new(&port), &["raw", "interface", "eth7"]);
    assert_eq!(
        (bad.stdout.as_slice(), bad.status.code()),
        (&b"bad\n"[..], Some(1))
    );
}

#[test]
fn monitor_streams_and_ends_when_the_daemon_does() {
    let server = Background::serve(|| TestNode::with_prefixes(1));
    let path = server.path.to_str().expect("text").to_owned();
    let mut child = babelctl(&["-s", &path, "-j", "monitor"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("babelctl runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut seen = Vec::new();
    while seen.last().is_none_or(|kind| kind != "route") {
        let line = lines.next().expect("more").expect("text");
        let event: serde_json::Value = serde_json::from_str(&line).expect("JSON");
        assert_eq!(event["event"], "add");
        seen.push(event["kind"].as_str().expect("a kind").to_owned());
    }
    assert_eq!(seen, ["interface", "interface", "neighbour", "route"]);
    drop(server);
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_closed_pipe_is_a_quiet_end() {
    let server = Background::serve(|| TestNode::with_prefixes(50));
    let path = server.path.to_str().expect("text").to_owned();
    for arguments in [
        &["-s", &path, "show", "routes"][..],
        &["-s", &path, "-j", "show", "routes"],
        &["-s", &path, "monitor"],
        &["--help"],
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let (said, code) = complaint(babelctl(arguments).stdout(writer).stderr(Stdio::piped()));
        assert_eq!((said.as_str(), code), ("", Some(0)), "{arguments:?}");
    }
}

#[test]
fn who_does_not_answer_is_named_with_the_way_out() {
    let directory = tempfile::tempdir().expect("a directory");
    let nowhere = directory.path().join("nosuch.sock");
    let nowhere = nowhere.to_str().expect("text");
    let (said, code) = complaint(&mut babelctl(&["-s", nowhere, "show", "routes"]));
    assert_eq!(code, Some(1));
    assert!(
        said.contains(nowhere) && said.contains("local-path"),
        "{said}"
    );
    let mut command = babelctl(&["show", "routes"]);
    let (said, code) = complaint(command.env("BABEL_SOCKET", nowhere));
    assert_eq!(code, Some(1));
    assert!(
        said.contains(nowhere) && said.contains("BABEL_SOCKET"),
        "{said}"
    );
    let (said, code) = complaint(&mut babelctl(&["frob"]));
    assert_eq!(code, Some(2));
    assert!(said.contains("`frob`") && said.contains("--help"), "{said}");
}

/// Answers the first connection with `text` and reads what comes.
fn impostor(text: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("[::1]:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let _ = stream.write_all(text);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest);
    });
    port
}

#[test]
fn what_is_not_our_babeld_is_recognised() {
    let stock = b"BABEL 1.0\nversion babeld-1.12.1\nhost x\nmy-id 1\nok\nbad\n";
    let endless = {
        let mut text = b"BABEL 1.0\n".to_vec();
        text.resize(3 << 20, b'x');
        &*Box::leak(text.into_boxed_slice())
    };
    for (text, complaints) in [
        (&stock[..], "babeld-1.12.1"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\nok\n", "not babeld"),
        (b"", "too many clients"),
        (
            b"BABEL 1.0\nversion x\nok\n{\"id\":\nok\n",
            "not understood",
        ),
        (b"BABEL 1.0\nversion x\nok\n{}", "broke off"),
        (endless, "broke off"),
    ] {
        let port = impostor(text).to_string();
        let (said, code) = complaint(&mut babelctl(&["-s", &port, "show", "routes"]));
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains(complaints), "{complaints}: {said}");
        assert!(!said.contains("panicked"), "{said}");
    }
}

#[test]
fn a_configuration_is_checked_without_a_daemon() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("babeld.conf");
    std::fs::write(&file, "interface eth0 rxcost 96\n").expect("written");
    let output = babelctl(&["check-config", file.to_str().expect("text")])
        .output()
        .expect("babelctl runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("configuration is good"), "{said}");
    assert!(said.contains("ranking: off"), "{said}");
    std::fs::write(&file, "qos-goal download 20M\n").expect("written");
    let output = babelctl(&["check-config", file.to_str().expect("text")])
        .output()
        .expect("babelctl runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    for part in [
        "Warning: there is a 'qos-goal', but nothing measures",
        "ranking: on (goals: 1, speedtest targets: 0)",
        "configuration is good (1 warning)",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    std::fs::write(&file, "interface eth0\nfrobnicate yes\n").expect("written");
    let (said, code) = complaint(&mut babelctl(&[
        "check-config",
        file.to_str().expect("text"),
    ]));
    assert_eq!(code, Some(1));
    assert!(
        said.contains("frobnicate") && said.contains("babeld.conf"),
        "{said}"
    );
}
