//! `reload`: configuration files that changed, read again by a running daemon.

mod daemon_support;

use anyhow::{Context, Result, ensure};
use daemon_support::{AT_ONCE, Pair, Place, SOON, expect_no_route, expect_route, route_to};
use netns::{Daemon, Namespace, wait_for};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

const PORT: &str = "33123";

/// Our babeld on what its file says, with a read-write socket.
fn start(pair: &Pair, text: &str) -> Result<(PathBuf, Daemon)> {
    let file = pair.place.file("babeld.conf");
    fs::write(&file, text)?;
    let name = file.to_str().context("a path in UTF-8")?;
    let daemon = pair.ours(&["-G", PORT, "-c", name])?;
    Ok((file, daemon))
}

fn babelctl(namespace: &Namespace, words: &[&str]) -> Result<Output> {
    let run = || {
        let mut command = namespace.command(env!("CARGO_BIN_EXE_babelctl"));
        command.args(["-s", PORT]).args(words).output().ok()
    };
    // The daemon may not listen yet.
    let answered = |output: &Output| !text(&output.stderr).contains("cannot reach");
    wait_for(SOON, || run().filter(answered)).context("babelctl")
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

/// What a good answer says.
fn says(namespace: &Namespace, words: &[&str]) -> Result<String> {
    let output = babelctl(namespace, words)?;
    ensure!(output.status.success(), "{}", text(&output.stderr));
    Ok(text(&output.stdout))
}

const THEIRS: &str = "2001:db8:2::2/128";

#[test]
fn what_changed_in_the_file_is_applied_and_nothing_else_is_touched() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let (file, ours) = start(&pair, "interface nowhere\nin ip 10.0.0.0/8 metric 5\n")?;
    expect_route(&pair.a, THEIRS, &ours)?;
    let nothing = says(&pair.a, &["reload"])?;
    ensure!(nothing == "nothing differs\n", "{nothing}");

    fs::write(
        &file,
        "default rxcost 120\nin ip 2001:db8:2::/48 deny\nprice 4\n\
         router-id 02:11:22:33:44:55:66:77\nkernel-check-interval 60\n",
    )?;
    let would = says(&pair.a, &["reload", "--dry-run"])?;
    ensure!(
        route_to(&pair.a, THEIRS).is_some(),
        "a dry run changes nothing"
    );
    for line in [
        "interface nowhere: remove\n",
        "interface va: rxcost default -> 120\n",
        "in: remove ip 10.0.0.0/8 metric 5\n",
        "in: add ip 2001:db8:2::/48 deny\n",
        "price: default -> 4\n",
        "kernel-check-interval: 300 s -> 60 s\n",
        "router-id: default -> 02:11:22:33:44:55:66:77 (needs a restart)\n",
    ] {
        ensure!(would.contains(line), "{line} is not in {would}");
    }
    ensure!(would.lines().count() == 7, "{would}");
    ensure!(says(&pair.a, &["reload"])? == would);
    expect_no_route(&pair.a, THEIRS, AT_ONCE)?;
    let dump = says(&pair.a, &["raw", "dump"])?;
    ensure!(
        !dump.contains("nowhere") && dump.contains(" rxcost 120 "),
        "{dump}"
    );

    fs::write(
        &file,
        "default rxcost 120\nprice 4\nkernel-check-interval 60\n",
    )?;
    let did = says(&pair.a, &["reload"])?;
    ensure!(did == "in: remove ip 2001:db8:2::/48 deny\n", "{did}");
    expect_route(&pair.a, THEIRS, &ours)?;
    Ok(())
}

#[test]
fn a_file_with_an_error_changes_nothing_and_says_where() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let (file, ours) = start(&pair, "")?;
    expect_route(&pair.a, THEIRS, &ours)?;
    fs::write(&file, "in deny\ninterface va rxcots 5\n")?;
    for words in [&["reload"][..], &["reload", "--dry-run"]] {
        let output = babelctl(&pair.a, words)?;
        let complaint = text(&output.stderr);
        let place = format!("nothing was changed: {}:2:14: ", file.display());
        ensure!(
            !output.status.success() && complaint.contains(&place),
            "{complaint}"
        );
        ensure!(complaint.contains("rxcots"), "{complaint}");
    }
    fs::remove_file(&file)?;
    ensure!(!babelctl(&pair.a, &["reload"])?.status.success());
    ensure!(route_to(&pair.a, THEIRS).is_some(), "{}", ours.log_tail(20));
    Ok(())
}

#[test]
fn interfaces_named_in_the_file_come_and_go_and_those_added_at_run_time_stay() -> Result<()> {
    let pair = Pair::new()?;
    let _stock = pair.stock(&[])?;
    let place = Place::new()?;
    let (file, ours) = on_no_interface(&pair, &place)?;
    ensure!(says(&pair.a, &["raw", "interface hotplugged"])? == "ok\n");
    fs::write(&file, "interface va hello-interval 0.5\n")?;
    ensure!(says(&pair.a, &["reload"])? == "interface nowhere: remove\ninterface va: add\n");
    expect_route(&pair.a, THEIRS, &ours)?;
    let dump = says(&pair.a, &["raw", "dump-interfaces"])?;
    ensure!(
        dump.contains("add interface hotplugged up false\n"),
        "{dump}"
    );
    ensure!(
        !dump.contains("nowhere") && !dump.contains("neighbour"),
        "{dump}"
    );
    fs::write(&file, "")?;
    ensure!(says(&pair.a, &["reload"])? == "interface va: remove\n");
    expect_no_route(&pair.a, THEIRS, AT_ONCE)?;
    fs::write(&file, "interface v* hello-interval 0.5\n")?;
    ensure!(says(&pair.a, &["reload"])? == "interface v*: add\n");
    expect_route(&pair.a, THEIRS, &ours)?;
    fs::write(&file, "")?;
    ensure!(says(&pair.a, &["reload"])? == "interface v*: remove\n");
    expect_no_route(&pair.a, THEIRS, AT_ONCE)
}

#[test]
fn keys_are_given_to_interfaces_and_taken_from_them() -> Result<()> {
    let pair = Pair::new()?;
    // Stock 1.12 of Debian has no keys, so both are ours.
    let key = |value: &str| format!("key id k type blake2s128 value {value}");
    let theirs = ["-C", &key("00112233"), "-C", "interface vb key k"];
    let _theirs =
        daemon_support::start(&pair.b, &pair.place, daemon_support::BABELD, "vb", &theirs)?;
    let (file, ours) = start(&pair, "")?;
    // It has read its file when it answers.
    says(&pair.a, &["show", "status"])?;
    fs::write(&file, key("00112233") + "\ninterface va key k\n")?;
    let did = says(&pair.a, &["reload"])?;
    ensure!(
        did == "interface va: key default -> k\nkey k: add\n",
        "{did}"
    );
    expect_route(&pair.a, THEIRS, &ours)?;
    fs::write(&file, key("44556677") + "\ninterface va key k\n")?;
    ensure!(says(&pair.a, &["reload"])? == "key k: change\n");
    expect_no_route(&pair.a, THEIRS, SOON)?;
    fs::write(&file, key("00112233") + "\ninterface va key k\n")?;
    says(&pair.a, &["reload"])?;
    expect_route(&pair.a, THEIRS, &ours)?;
    Ok(())
}

/// Our babeld on an interface that does not exist.
fn on_no_interface(pair: &Pair, place: &Place) -> Result<(PathBuf, Daemon)> {
    let file = place.file("other.conf");
    fs::write(&file, "interface nowhere\n")?;
    let mut command = pair.a.command(daemon_support::BABELD);
    command
        .args(daemon_support::FAST)
        .args(["-I", "", "-S", ""]);
    command.args(["-G", PORT, "-c"]).arg(Path::new(&file));
    Ok((file, pair.a.spawn("babeld", command)?))
}
