//! The same command lines and configurations to stock babeld and to ours: what ends the start, how,
//! and what is said. Each row says whether the two must agree or why they do not.
//!
//! All runs end by themselves: where a configuration is good, an old pidfile stops the start.

mod daemon_support;

use Verdict::{Accepts, Refuses};
use anyhow::{Context, Result, ensure};
use daemon_support::{BABELD, Place, SOON, STOCK};
use netns::Namespace;
use std::fs;

/// Runs a babeld to its end; its exit status and what it said on both outputs.
fn run(namespace: &Namespace, program: &str, arguments: &[&str]) -> Result<(i32, String)> {
    let mut argv = vec![program];
    argv.extend(arguments);
    let output = namespace.run(&argv, SOON)?;
    let code = output.status.code().context("ended by a signal");
    let mut said = String::from_utf8_lossy(&output.stdout).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stderr));
    Ok((code.with_context(|| said.clone())?, said))
}

#[test]
fn bad_command_lines_end_alike() -> Result<()> {
    let place = Place::new()?;
    let namespace = place.lab().namespace("host")?;
    let file = |name: &str, text: &str| -> Result<String> {
        fs::write(place.file(name), text)?;
        Ok(place.file(name).display().to_string())
    };
    let old_pid = file("old-pid", "")?;
    let stale = file("stale", "")?;
    let bad = file("bad.conf", "interface lo\nfrobnicate yes\n")?;
    let last = file("last.conf", "interface lo rxcost zero")?;
    let pid = place.file("pid").display().to_string();
    let syntax = "Syntax:";
    let usage = |arguments: &'static [&'static str]| (arguments.to_vec(), 1, syntax.to_owned());
    let line = "Couldn't parse configuration from command line.";
    let statement = |text: &'static str| (vec!["-C", text, "lo"], 1, line.to_owned());
    // Arguments, exit status, words that both must say.
    let rows: Vec<(Vec<&str>, i32, String)> = vec![
        (vec!["-V"], 0, "babeld-".into()),
        usage(&["-p", "0", "lo"]),
        usage(&["-p", "65536", "lo"]),
        usage(&["-p", "x", "lo"]),
        usage(&["-h", "0", "lo"]),
        usage(&["-H", "x", "lo"]),
        usage(&["-k", "-1", "lo"]),
        usage(&["-A", "65536", "lo"]),
        usage(&["-t", "-1", "lo"]),
        usage(&["-M", "3601", "lo"]),
        usage(&["-d", "-1", "lo"]),
        usage(&["-y", "lo"]),
        usage(&["-p"]),
        usage(&["-g", "0", "lo"]),
        (
            vec!["-m", "fe80::1", "lo"],
            1,
            "fe80::1 is not a multicast address".into(),
        ),
        statement("frobnicate"),
        statement(""),
        statement("interface"),
        statement("interface lo rxcost -1"),
        statement("interface lo hello-interval 0"),
        statement("redistribute ip 10.0.0.0/33"),
        statement("in ip 10.0.0.0/8 src-ip ::/0"),
        statement("quit"),
        statement("dump"),
        statement("key id a type none value 00"),
        statement("key type hmac-sha256 value 00"),
        (
            vec!["-c", "/nonexistent", "lo"],
            1,
            "Couldn't parse configuration from file /nonexistent (error at line 0).".into(),
        ),
        (
            vec!["-c", &bad],
            1,
            format!("from file {bad} (error at line 2"),
        ),
        (
            vec!["-c", &last],
            1,
            format!("from file {last} (error at line 1"),
        ),
        (
            vec!["-I", &old_pid, "lo"],
            1,
            format!("creat({old_pid}): File exists")
                .chars()
                .take(46)
                .collect(),
        ),
        (
            vec!["-I", &pid],
            1,
            "Eek... asked to run on no interfaces!".into(),
        ),
        (
            vec!["-I", &pid, "-g", &stale, "lo"],
            1,
            "local_server_socket: Address already in use".into(),
        ),
        (
            vec!["-I", "/nonexistent/pid", "lo"],
            1,
            "creat(/nonexistent/pid): No such".into(),
        ),
    ];
    for (arguments, status, words) in &rows {
        for program in [STOCK, BABELD] {
            let (code, said) = run(&namespace, program, arguments)?;
            ensure!(code == *status, "{program} {arguments:?}: {code}\n{said}");
            ensure!(
                said.contains(words),
                "{program} {arguments:?}: no {words:?} in\n{said}"
            );
        }
    }
    ensure!(place.file("old-pid").exists() && !place.file("pid").exists());
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Verdict {
    Accepts,
    Refuses,
}

/// Equal if the third is empty; else why ours takes what stock 1.12.1 refuses, or the reverse.
const LINES: [(&str, Verdict, &str); 48] = [
    ("", Accepts, ""),
    ("# a comment", Accepts, ""),
    ("interface x#comment", Accepts, ""),
    ("\tinterface  x \t rxcost 0x60\r", Accepts, ""),
    ("interface \"a b\"", Accepts, ""),
    ("interface \"a", Refuses, "1.12.1 aborts"),
    ("interface x type wired rxcost 010", Accepts, ""),
    ("interface x type fibre", Refuses, ""),
    ("interface x rxcost 65535", Accepts, ""),
    ("interface x rxcost 65536", Refuses, ""),
    (
        "interface x hello-interval 0.5 update-interval 1.25",
        Accepts,
        "",
    ),
    ("interface x hello-interval 655.36", Refuses, ""),
    ("interface x hello-interval -1", Refuses, ""),
    (
        "interface x split-horizon auto link-quality yes",
        Accepts,
        "",
    ),
    ("interface x split-horizon maybe", Refuses, ""),
    (
        "interface x unicast true rfc6126-compatible true",
        Accepts,
        "",
    ),
    (
        "interface x enable-timestamps true max-rtt-penalty 96",
        Accepts,
        "",
    ),
    (
        "interface x rtt-min 10 rtt-max 120.5 rtt-decay 256",
        Accepts,
        "",
    ),
    ("interface x rtt-decay 257", Refuses, ""),
    ("interface x key nokey", Refuses, ""),
    ("interface x probe-mtu true", Accepts, "1.13 brought it"),
    ("interface x channel 6", Accepts, ""),
    ("default type wireless", Accepts, ""),
    ("protocol-port 6697", Accepts, ""),
    ("protocol-port 0", Refuses, ""),
    ("protocol-group ff02::7", Accepts, ""),
    ("kernel-priority 100", Accepts, ""),
    ("reflect-kernel-metric yes", Accepts, ""),
    ("allow-duplicates 10", Accepts, "1.12.1 aborts"),
    ("export-table 20", Accepts, ""),
    ("import-table 20", Accepts, ""),
    ("smoothing-half-life 0", Accepts, ""),
    ("shutdown-delay-ms 10", Accepts, "1.13 brought it"),
    (
        "kernel-check-interval 60",
        Accepts,
        "1.12.1 refuses what its manual has",
    ),
    ("router-id 02:00:00:00:00:00:00:01", Accepts, ""),
    ("router-id 02:00:00", Refuses, ""),
    ("key id a type blake2s128 value 0011", Accepts, ""),
    ("in ip 10.0.0.0/8 le 24 metric 96", Accepts, ""),
    ("in ip 10.0.0.0/8 ip6 x", Refuses, ""),
    ("out if x deny", Accepts, ""),
    ("out if wg* deny", Accepts, ""),
    ("redistribute local if x metric 128", Accepts, ""),
    ("redistribute proto 4 allow", Accepts, ""),
    ("redistribute ip ::/0 src-prefix 10.0.0.0/8", Refuses, ""),
    ("install ip ::/0 table 20 pref-src fe80::1", Accepts, ""),
    ("install table 0", Refuses, ""),
    ("price 5", Accepts, "ours alone has prices"),
    (
        "interface wg* unicast-neighbour fe80::1",
        Accepts,
        "ours alone has it",
    ),
];

#[test]
fn configuration_lines_are_taken_or_refused_alike() -> Result<()> {
    let place = Place::new()?;
    let namespace = place.lab().namespace("host")?;
    let pid = place.file("pid").display().to_string();
    fs::write(&pid, "")?;
    let conf = place.file("babeld.conf").display().to_string();
    for (line, verdict, why) in LINES {
        fs::write(&conf, format!("{line}\n"))?;
        for program in [STOCK, BABELD] {
            if program == STOCK && !why.is_empty() {
                continue;
            }
            let (code, said) = run(&namespace, program, &["-I", &pid, "-c", &conf, "lo"])?;
            ensure!(code == 1, "{program} {line:?}: {code}\n{said}");
            // A good configuration comes as far as the pidfile.
            let seen = match (
                said.contains("creat("),
                said.contains("parse configuration"),
            ) {
                (true, false) => Accepts,
                (false, true) => Refuses,
                _ => anyhow::bail!("{program} {line:?}: {said}"),
            };
            ensure!(seen == verdict, "{program} {line:?}: {seen:?}\n{said}");
        }
    }
    Ok(())
}
