//! `babelctl` on a terminal: `top` follows, obeys keys, and gives the terminal back as it was;
//! `speedtest run` draws a bar.

mod ctl_support;

use babeld::node::{TestState, TestView};
use ctl_support::{Background, TestNode};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use qos_ranker::{Peer, Pinned, Rate};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};
use speedtest::{Outcome, Phase};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const DEADLINE: Duration = Duration::from_secs(30);
const LEAVE: &str = "\x1b[?25h\x1b[?1049l";

/// `babelctl top` on a terminal of its own.
struct Top {
    child: Child,
    /// The user's side.
    user: File,
    /// The program's side, kept so that its modes can be seen afterwards.
    terminal: File,
    shown: Arc<Mutex<String>>,
}

impl Top {
    fn start(server: &Background, columns: u16) -> Self {
        Self::run(server, columns, &["top", "-n", "0.1"])
    }

    fn run(server: &Background, columns: u16, arguments: &[&str]) -> Self {
        let user: OwnedFd = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&user).expect("granted");
        unlockpt(&user).expect("unlocked");
        let name = ptsname(&user, Vec::new()).expect("a name");
        let user = File::from(user);
        resize(&user, columns);
        let terminal = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name.to_str().expect("text"))
            .expect("the other side");
        let side = || Stdio::from(terminal.try_clone().expect("a copy"));
        let child = Command::new(env!("CARGO_BIN_EXE_babelctl"))
            .arg("-s")
            .arg(&server.path)
            .args(arguments)
            .env("TERM", "xterm")
            .env_remove("NO_COLOR")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .expect("babelctl runs");
        let shown = Arc::new(Mutex::new(String::new()));
        let (mut reader, sink) = (user.try_clone().expect("a copy"), Arc::clone(&shown));
        std::thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut octets) {
                let text = String::from_utf8_lossy(&octets[..count]).into_owned();
                sink.lock().expect("no panic").push_str(&text);
            }
        });
        Self {
            child,
            user,
            terminal,
            shown,
        }
    }

    /// Waits for `part` among what is new.
    fn wait_for(&self, part: &str) {
        let start = Instant::now();
        loop {
            let mut shown = self.shown.lock().expect("no panic");
            if let Some(at) = shown.find(part) {
                shown.drain(..at + part.len());
                return;
            }
            assert!(start.elapsed() < DEADLINE, "no {part:?} in {shown:?}");
            drop(shown);
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn press(&mut self, keys: &str) {
        self.user.write_all(keys.as_bytes()).expect("pressed");
    }

    /// Waits for the end, and checks that all is as it was.
    fn ends_well(mut self) {
        self.ends();
        self.wait_for(LEAVE);
        let modes = tcgetattr(&self.terminal).expect("modes").local_modes;
        assert!(modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG));
    }

    fn ends(&mut self) {
        let start = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                break status;
            }
            assert!(start.elapsed() < DEADLINE, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        assert!(status.success(), "{status}");
    }
}

fn resize(terminal: &File, columns: u16) {
    let size = Winsize {
        ws_row: 30,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    tcsetwinsize(terminal, size).expect("a size");
}

fn server() -> Background {
    Background::serve(|| TestNode::with_prefixes(3))
}

#[test]
fn it_follows_obeys_keys_and_leaves() {
    let server = server();
    let mut top = Top::start(&server, 150);
    top.wait_for("\x1b[?1049h");
    top.wait_for("by rank");
    top.wait_for("fe80::2");
    top.press("s");
    top.wait_for("by cost");
    top.press("p");
    top.wait_for(", paused");
    top.press("\x1b[A");
    top.wait_for(", paused");
    resize(&top.user, 20);
    let pid = Pid::from_raw(i32::try_from(top.child.id()).expect("a process id"));
    kill(pid, Signal::SIGWINCH).expect("told");
    top.wait_for("\x1b[1mbabeld-9.8.7 on test\x1b[0m\x1b[K");
    top.press("q");
    top.ends_well();
}

#[test]
fn interrupts_and_signals_give_the_terminal_back() {
    let server = server();
    let mut top = Top::start(&server, 100);
    top.wait_for("fe80::2");
    top.press("\x03");
    top.ends_well();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let top = Top::start(&server, 100);
        top.wait_for("fe80::2");
        let pid = Pid::from_raw(i32::try_from(top.child.id()).expect("a process id"));
        kill(pid, signal).expect("told");
        top.ends_well();
    }
}

#[test]
fn a_daemon_that_goes_is_waited_for() {
    let server = server();
    let mut top = Top::start(&server, 200);
    top.wait_for("fe80::2");
    drop(server);
    top.wait_for("cannot reach babeld");
    // The last that was known stays in sight.
    top.wait_for("fe80::2");
    top.press("q");
    top.ends_well();
}

#[test]
fn a_speed_test_has_a_bar_that_makes_way_for_the_result() {
    let running = TestView {
        id: 1,
        peer: Peer {
            interface: "eth0".into(),
            address: "fe80::2".parse().expect("an address"),
        },
        target: "paris".into(),
        pinned: Pinned::Both,
        bytes: 50_000_000,
        bytes_limit: 100_000_000,
        elapsed: Duration::from_secs(4),
        ended_ago: None,
        state: TestState::Running {
            phase: Phase::Download,
            rate: Rate::from_bps(48_000_000),
        },
    };
    let done = TestView {
        ended_ago: Some(Duration::ZERO),
        state: TestState::Done(Outcome {
            download_bps: Some(48_000_000),
            ..Outcome::default()
        }),
        ..running.clone()
    };
    let server = Background::serve(move || {
        let mut node = TestNode::with_prefixes(1);
        node.to_come = [running.clone(), running, done].into();
        node
    });
    let arguments = ["speedtest", "run", "--neighbour", "fe80::2%eth0"];
    let mut run = Top::run(&server, 60, &arguments);
    run.wait_for("\r\x1b[Kdownload  [############            ]    48 Mbit/s  50 MB");
    run.wait_for("\r\x1b[K\x1b[1mthrough  \x1b[0m fe80::2%eth0, target paris\r\n");
    run.wait_for("pinned");
    run.ends();
}
