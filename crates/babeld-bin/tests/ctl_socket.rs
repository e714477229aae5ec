//! The control socket, spoken to over real sockets: what old clients see, and what bad ones do.

mod ctl_support;

use babel_core::event::{Change, Notification};
use babeld::local::{Address, Server};
use babeld::node::Node as _;
use ctl_support::{Peer, TestNode, bind};
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::task::LocalSet;

/// Longer than anything here takes, so that a hang becomes a failure.
const DEADLINE: Duration = Duration::from_secs(30);

struct Fixture {
    server: Rc<RefCell<Server>>,
    node: Rc<RefCell<TestNode>>,
    path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Fixture {
    /// The numbers of the server, once `condition` holds of them.
    async fn settled(&self, condition: impl Fn(&Server) -> bool) {
        let poll = async {
            while !condition(&self.server.borrow()) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(DEADLINE, poll).await.expect("in time");
    }
}

/// Runs `test` beside a main loop that serves `node`.
fn serve<F: AsyncFnOnce(&Fixture)>(node: TestNode, test: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("babel.sock");
        let fixture = Fixture {
            server: Rc::new(RefCell::new(bind(path.clone()))),
            node: Rc::new(RefCell::new(node)),
            path,
            _directory: directory,
        };
        let (server, node) = (fixture.server.clone(), fixture.node.clone());
        let main_loop = tokio::task::spawn_local(async move {
            loop {
                {
                    let (mut server, mut node) = (server.borrow_mut(), node.borrow_mut());
                    node.publish(&mut server);
                    while let Some(request) = server.try_next_request() {
                        server.handle(request, &mut *node);
                    }
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        });
        tokio::time::timeout(DEADLINE, test(&fixture))
            .await
            .expect("the test ends in time");
        main_loop.abort();
    });
}

async fn connect(path: &Path) -> UnixStream {
    UnixStream::connect(path).await.expect("a connection")
}

/// Sends everything, and reads to the end of the conversation.
async fn converse(path: &Path, lines: &[u8]) -> String {
    let mut stream = connect(path).await;
    stream.write_all(lines).await.expect("written");
    stream.shutdown().await.expect("shut down");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("read");
    String::from_utf8(answer).expect("text")
}

/// The answer without the greeting.
async fn ask(path: &Path, lines: &[u8]) -> String {
    let answer = converse(path, lines).await;
    answer
        .strip_prefix(GREETING)
        .expect("a greeting")
        .to_owned()
}

/// Reads until what was read ends in `end`.
async fn read_until(stream: &mut UnixStream, end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        let octet = stream.read_u8().await.expect("more");
        text.push(octet);
    }
    String::from_utf8(text).expect("text")
}

const GREETING: &str =
    "BABEL 1.0\nversion babeld-9.8.7\nhost testhost\nmy-id 02:00:00:00:00:00:00:01\nok\n";

fn key(text: &str) -> babel_core::prefix::RouteKey {
    babel_core::prefix::RouteKey::new(text.parse().expect("a prefix"))
}

#[test]
fn a_dump_has_the_stock_lines_in_the_stock_order() {
    let peer = Peer {
        rxcost: 96,
        fee: Some(40),
        prefixes: vec![(key("2001:db8::/32"), 10), (key("10.0.0.0/8"), 0)],
    };
    let mut node = TestNode::new(true, &[peer], Duration::from_secs(60));
    node.announce("192.0.2.1");
    serve(node, async |fixture| {
        let answer = ask(&fixture.path, b"dump\n").await;
        let hexadecimal = |word: &str| {
            assert!(u64::from_str_radix(word, 16).is_ok(), "{word}");
            "ID".to_owned()
        };
        let lines: Vec<String> = answer
            .lines()
            .map(|line| {
                let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
                if matches!(
                    words.get(1).map(String::as_str),
                    Some("neighbour" | "route")
                ) {
                    words[2] = hexadecimal(&words[2]);
                }
                words.join(" ")
            })
            .collect();
        assert_eq!(
            lines,
            [
                "add interface eth0 up true ipv6 fe80::1 ipv4 192.0.2.1",
                "add interface wlan0 up false",
                "add neighbour ID address fe80::2 if eth0 reach ffff ureach 0000 rxcost 96 \
                 txcost 96 cost 96",
                "add xroute 192.0.2.1/32-0.0.0.0/0 prefix 192.0.2.1/32 from 0.0.0.0/0 metric 0",
                "add route ID prefix 10.0.0.0/8 from 0.0.0.0/0 installed yes \
                 id 02:00:00:00:00:00:00:02 metric 96 refmetric 0 price 40 via fe80::2 if eth0",
                "add route ID prefix 2001:db8::/32 from ::/0 installed yes \
                 id 02:00:00:00:00:00:00:02 metric 106 refmetric 10 price 40 via fe80::2 if eth0",
                "ok",
            ]
        );
    });
}

#[test]
fn without_prices_no_line_speaks_of_them() {
    serve(TestNode::with_prefixes(2), async |fixture| {
        let answer = ask(&fixture.path, b"dump\n").await;
        assert_eq!(answer.matches("add route ").count(), 2, "{answer}");
        assert!(!answer.contains("price"), "{answer}");
        let answer = ask(&fixture.path, b"json routes\n").await;
        assert!(!answer.contains("price"), "{answer}");
    });
}

#[test]
fn every_line_is_answered_as_stock_babeld_answers_it() {
    serve(TestNode::with_prefixes(0), async |fixture| {
        for (line, answer) in [
            (&b"\n"[..], "ok\n"),
            (b"# comment\n", "ok\n"),
            (b"dump x\n", "bad\n"),
            (b"unmonitor\n", "ok\n"),
            (b"interface nosuch\n", "ok\n"),
            (b"flush interface nosuch\n", "no No such interface\n"),
            (b"no\n", "no\n"),
            (b"redistribute local\n", "bad\n"),
            (b"\xff\xfe\x00\n", "bad\n"),
            (b"frob\nunmonitor\nfrob\n", "bad\nok\nbad\n"),
            (b"quit\nunmonitor\n", ""),
            (b"unfinished", ""),
            (b"", ""),
        ] {
            assert_eq!(ask(&fixture.path, line).await, answer, "{line:?}");
        }
        let executed = fixture.node.borrow().statements.clone();
        assert!(executed.contains(&"interface nosuch".to_owned()));
    });
}

#[test]
fn a_read_only_socket_shows_and_does_nothing_else() {
    serve(TestNode::with_prefixes(1), async |fixture| {
        let Some(Address::Port(port)) = fixture.server.borrow().addresses().first().cloned() else {
            panic!("no port");
        };
        let mut stream = tokio::net::TcpStream::connect(("::1", port))
            .await
            .expect("a connection");
        let lines = b"interface eth0 rxcost 1\njson status\nquit\n";
        stream.write_all(lines).await.expect("written");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("read");
        let answer = answer.strip_prefix(GREETING).expect("a greeting");
        let lines: Vec<&str> = answer.lines().collect();
        let [bad, status, ok] = lines.as_slice() else {
            panic!("three lines, not {answer}");
        };
        assert_eq!((*bad, *ok), ("bad", "ok"));
        let status: serde_json::Value = serde_json::from_str(status).expect("JSON");
        assert_eq!(status["routes"]["selected"], 1);
        assert_eq!(status["neighbours"], 1);
        assert_eq!(status["router_id"], "02:00:00:00:00:00:00:01");
        assert!(fixture.node.borrow().statements.is_empty());
    });
}

#[test]
fn a_monitor_hears_of_changes_until_it_no_longer_wants_to() {
    serve(TestNode::with_prefixes(1), async |fixture| {
        let mut stream = connect(&fixture.path).await;
        read_until(&mut stream, "ok\n").await;
        stream.write_all(b"monitor\n").await.expect("written");
        let dump = read_until(&mut stream, "\nok\n").await;
        assert!(dump.contains("add neighbour "), "{dump}");
        fixture.settled(Server::has_monitors).await;
        {
            // The engine is told that somebody listens.
            let (mut node, mut server) = (fixture.node.borrow_mut(), fixture.server.borrow_mut());
            node.publish(&mut server);
        }
        fixture.node.borrow_mut().run(Duration::from_secs(8));
        let heard = read_until(&mut stream, " cost 96\n").await;
        assert!(heard.contains("change neighbour "), "{heard}");
        fixture.node.borrow_mut().announce("10.1.0.0/16");
        read_until(
            &mut stream,
            "add xroute 10.1.0.0/16-0.0.0.0/0 prefix 10.1.0.0/16 from 0.0.0.0/0 metric 0\n",
        )
        .await;
        {
            let (mut node, mut server) = (fixture.node.borrow_mut(), fixture.server.borrow_mut());
            node.interface_down(0, &mut server);
        }
        read_until(&mut stream, "change interface eth0 up false\n").await;
        stream.write_all(b"unmonitor\n").await.expect("written");
        read_until(&mut stream, "ok\n").await;
        assert!(!fixture.server.borrow().has_monitors());
    });
}

#[test]
fn overlong_lines_and_garbage_cost_their_sender_the_connection() {
    serve(TestNode::with_prefixes(0), async |fixture| {
        let mut stream = connect(&fixture.path).await;
        let megabyte = vec![b'x'; 1 << 20];
        // The server stops reading long before the end.
        let _ = stream.write_all(&megabyte).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer, GREETING.as_bytes());
        fixture
            .settled(|server| server.counters().cut_long_line == 1 && server.clients() == 0)
            .await;
        // A long line of a length that a statement may have is fine.
        let line = format!("# {}\n", "x".repeat(4000));
        assert_eq!(ask(&fixture.path, line.as_bytes()).await, "ok\n");
        let garbage: Vec<u8> = (0..2000_u32).flat_map(|n| n.to_le_bytes()).collect();
        let answer = ask(&fixture.path, &garbage).await;
        assert!(
            answer.lines().all(|line| line == "bad" || line == "ok"),
            "{answer}"
        );
    });
}

#[test]
fn a_monitor_that_never_reads_is_cut_and_others_do_not_notice() {
    serve(TestNode::with_prefixes(1), async |fixture| {
        let mut deaf = connect(&fixture.path).await;
        deaf.write_all(b"monitor\n").await.expect("written");
        fixture.settled(Server::has_monitors).await;
        let view = {
            let node = fixture.node.borrow();
            let view = node.engine().neighbours(node.now()).next();
            view.expect("a neighbour")
        };
        let heartbeat = Notification::Neighbour(Change::Change, view);
        let mut told = 0_u32;
        let flood = async {
            while fixture.server.borrow().counters().cut_slow == 0 {
                for _ in 0..1000 {
                    let node = fixture.node.borrow();
                    fixture.server.borrow_mut().publish(&heartbeat, &*node);
                }
                told += 1000;
                // Somebody else is answered all the while.
                assert_eq!(ask(&fixture.path, b"\n").await, "ok\n");
            }
        };
        tokio::time::timeout(DEADLINE, flood)
            .await
            .expect("in time");
        fixture.settled(|server| server.clients() == 0).await;
        assert!(!fixture.server.borrow().has_monitors());
        // 32 MiB of lines of more than 150 octets, and what the socket holds.
        assert!(told < 250_000, "cut only after {told} lines");
    });
}

#[test]
fn a_large_dump_comes_whole_to_a_slow_reader() {
    serve(TestNode::with_prefixes(20_000), async |fixture| {
        let mut slow = connect(&fixture.path).await;
        slow.write_all(b"dump\nquit\n").await.expect("written");
        // While it dawdles, others are served.
        assert_eq!(ask(&fixture.path, b"\n").await, "ok\n");
        let mut text = Vec::new();
        let mut chunk = vec![0; 10_000];
        loop {
            let read = slow.read(&mut chunk).await.expect("read");
            if read == 0 {
                break;
            }
            text.extend_from_slice(&chunk[..read]);
            tokio::task::yield_now().await;
        }
        let text = String::from_utf8(text).expect("text");
        assert_eq!(text.matches("add route ").count(), 20_000);
        assert!(text.ends_with("\nok\n"));
    });
}

#[test]
fn half_open_and_idle_clients_leave_room_and_the_sixty_fifth_is_turned_away() {
    serve(TestNode::with_prefixes(0), async |fixture| {
        let mut idle = Vec::new();
        for _ in 0..63 {
            let mut stream = connect(&fixture.path).await;
            read_until(&mut stream, "ok\n").await;
            stream.write_all(b"dum").await.expect("written");
            idle.push(stream);
        }
        assert_eq!(ask(&fixture.path, b"\n").await, "ok\n");
        fixture.settled(|server| server.clients() == 63).await;
        let mut last = connect(&fixture.path).await;
        read_until(&mut last, "ok\n").await;
        assert_eq!(converse(&fixture.path, b"").await, "");
        assert_eq!(fixture.server.borrow().counters().turned_away, 1);
        drop(last);
        drop(idle);
        fixture.settled(|server| server.clients() == 0).await;
    });
}

#[test]
fn a_socket_file_in_the_way_is_named_and_ours_is_removed_at_the_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("babel.sock");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    LocalSet::new().block_on(&runtime, async {
        let server = bind(path.clone());
        let endpoint = babeld::local::Endpoint {
            address: Address::Path(path.clone()),
            access: babeld::local::Access::ReadOnly,
        };
        let error = Server::bind(&[endpoint], ctl_support::identity()).expect_err("in the way");
        let text = error.to_string();
        assert!(
            text.starts_with("local_server_socket: Address already in use"),
            "{text}"
        );
        assert!(text.contains(&path.display().to_string()), "{text}");
        drop(server);
        let gone = async {
            while path.exists() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(DEADLINE, gone).await.expect("removed");
    });
}

#[test]
fn tables_are_dumped_and_monitored_one_at_a_time() {
    let peer = Peer {
        rxcost: 96,
        fee: None,
        prefixes: vec![(key("2001:db8::/32"), 10)],
    };
    serve(
        TestNode::new(false, &[peer], Duration::from_secs(60)),
        async |fixture| {
            let kinds = |answer: &str| -> Vec<String> {
                let word = |line: &str| line.split(' ').nth(1).unwrap_or(line).to_owned();
                answer.lines().map(word).collect()
            };
            for (request, kind, count) in [
                ("dump-interfaces", "interface", 2),
                ("dump-neighbors", "neighbour", 1),
                ("dump-routable-neighbors", "neighbour", 1),
                ("dump-route", "route", 1),
                ("dump-installed-routes", "route", 1),
                ("dump-xroutes", "xroute", 0),
            ] {
                let answer = ask(&fixture.path, format!("{request}\n").as_bytes()).await;
                let mut wanted = vec![kind.to_owned(); count];
                wanted.push("ok".into());
                assert_eq!(kinds(&answer), wanted, "{request}");
            }
            let mut stream = connect(&fixture.path).await;
            read_until(&mut stream, "ok\n").await;
            stream
                .write_all(b"monitor-interface\n")
                .await
                .expect("written");
            let told = read_until(&mut stream, "ok\n").await;
            assert_eq!(kinds(&told), ["interface", "interface", "ok"]);
            // Of the neighbour's Hellos nothing is told, of the interface all.
            fixture.node.borrow_mut().run(Duration::from_secs(10));
            {
                let mut node = fixture.node.borrow_mut();
                let mut server = fixture.server.borrow_mut();
                node.publish(&mut server);
                node.interface_down(0, &mut server);
            }
            let told = read_until(&mut stream, "\n").await;
            assert_eq!(told, "change interface eth0 up false\n");
        },
    );
}
