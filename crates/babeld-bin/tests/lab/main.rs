//! `babelctl lab` as its users see it. Makes network namespaces: needs root.

mod stories;
mod user;

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Duration;
use user::{SOON, User, told};

/// `up` waits for full tables.
const UP_LIMIT: Duration = Duration::from_secs(90);

fn lab_stays_until_put_away(user: &User) -> Result<()> {
    user.run(&["up", "diamond"], UP_LIMIT)?;
    let again = netns::output(&mut user.lab(&["up", "diamond"]), SOON)?;
    ensure!(
        !again.status.success() && told(&again).contains("up already"),
        "{}",
        told(&again)
    );
    ensure!(user.run(&["list"], SOON)?.contains("up"));

    let links = user.run(
        &["exec", "diamond", "alice", "--", "cat", "/proc/net/dev"],
        SOON,
    )?;
    ensure!(
        links.contains("to-bob") && links.contains("to-carol"),
        "{links}"
    );
    let routes = [
        "exec", "diamond", "alice", "--", "babelctl", "show", "routes",
    ];
    let routes = user.run(&routes, SOON)?;
    ensure!(
        routes.contains("10.99.0.4/32") && routes.contains("to-bob"),
        "{routes}"
    );
    let mut failing = user.lab(&["exec", "diamond", "dave", "--", "sh", "-c", "exit 7"]);
    ensure!(netns::output(&mut failing, SOON)?.status.code() == Some(7));

    ensure!(
        user.run(&["down", "diamond"], SOON)?
            .contains("nothing remains")
    );
    user.nothing_remains()?;
    ensure!(user.labs().is_empty(), "{:?} stayed", user.labs());
    ensure!(user.run(&["down", "diamond"], SOON)?.contains("was not up"));
    Ok(())
}

#[test]
fn a_lab_stays_up_until_put_away() -> Result<()> {
    lab_stays_until_put_away(&User::root()?)
}

#[test]
fn an_ordinary_user_keeps_a_lab_too() -> Result<()> {
    lab_stays_until_put_away(&User::nobody()?)
}

#[test]
fn a_lab_with_hosts_stays_up_with_their_responders() -> Result<()> {
    let user = User::root()?;
    user.run(&["up", "liar"], UP_LIMIT)?;
    let responders = |user: &User| {
        let lines = user.processes();
        let serve = |line: &&String| line.contains("speedtest serve");
        lines.iter().filter(serve).count()
    };
    ensure!(responders(&user) == 2, "{:?}", user.processes());
    let target = "speedtest-target net babel://198.51.100.1";
    let said = ["exec", "liar", "bob", "--", "babelctl", "raw", target];
    ensure!(user.run(&said, SOON)?.contains("ok"));
    let routes = ["exec", "liar", "fibre", "--", "cat", "/proc/net/route"];
    let routes = user.run(&routes, SOON)?;
    ensure!(routes.contains("to-carol\t00000000"), "{routes}");
    user.run(&["down", "liar"], SOON)?;
    user.nothing_remains()
}

#[test]
fn ctrl_c_puts_everything_away() -> Result<()> {
    let user = User::root()?;
    let mut story = user.begun_story()?;
    kill(Pid::from_raw(i32::try_from(story.id())?), Signal::SIGINT)?;
    let status = netns::wait_for_exit(&mut story, SOON).context("it did not stop")?;
    ensure!(status.code() == Some(130), "{status}");
    ensure!(user.labs().is_empty(), "{:?} stayed", user.labs());
    user.nothing_remains()
}

#[test]
fn kill_nine_leaves_no_process_and_the_next_run_sweeps_the_files() -> Result<()> {
    let user = User::root()?;
    let mut story = user.begun_story()?;
    story.kill()?;
    story.wait()?;
    user.nothing_remains()?;
    let [left] = user
        .labs()
        .try_into()
        .map_err(|labs| anyhow::anyhow!("{labs:?}"))?;
    let mut next = user.begun_story()?;
    ensure!(!left.exists(), "{} was not swept", left.display());
    next.kill()?;
    next.wait()?;
    user.nothing_remains()
}

#[test]
fn a_daemon_that_does_not_start_is_named_with_its_log() -> Result<()> {
    let user = User::root()?;
    let output = netns::output(
        &mut user.lab(&["run", "diamond", "--daemon", "/bin/false"]),
        SOON,
    )?;
    let text = told(&output);
    ensure!(output.status.code() == Some(1), "{text}");
    ensure!(
        text.contains("starting alice") && text.contains("alice-babeld.log"),
        "{text}"
    );
    user.nothing_remains()
}
