//! Measurements move routes in a live daemon, and survive it.

mod daemon_support;
mod quality_support;

use anyhow::{Context, Result, ensure};
use daemon_support::{AT_ONCE, SOON};
use netns::wait_for;
use quality_support::{Client, Diamond, FAR};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Instant;

#[test]
fn a_measurement_moves_the_selection_at_once_and_flushing_moves_it_back() -> Result<()> {
    let net = Diamond::new()?;
    let me = net.start_all(&[])?;
    let [liar, honest] = net.neighbours()?;
    net.expect_via(FAR, liar, SOON, &me)?;
    let mut client = Client::connect(&net.me)?;
    let measure = |who, what: &str| format!("measure neighbour {who} if lan {what}");
    ensure!(client.last(&measure(liar, "download 1M"))? == "ok");
    net.expect_via(FAR, liar, AT_ONCE, &me)?;
    let begin = Instant::now();
    ensure!(client.last(&measure(honest, "download 20M upload 5M"))? == "ok");
    // A better rank alone has to stand for the hold time; the liar's failing is a better band.
    ensure!(client.last("qos-goal download 10M")? == "ok");
    net.expect_via(FAR, honest, AT_ONCE, &me)?;
    println!("moved after {:?}", begin.elapsed());
    let quality = client.ask("json quality")?;
    ensure!(
        quality
            .iter()
            .any(|line| line.contains("\"band\":\"failing\"")),
        "{quality:?}"
    );
    ensure!(client.last("flush measurements")? == "ok");
    ensure!(client.last("qos-goal")? == "ok");
    let quality = client.ask("json quality")?;
    ensure!(quality.len() <= 1, "{quality:?}");
    net.expect_via(FAR, liar, SOON, &me)?;
    Ok(())
}

#[test]
fn what_cannot_be_measured_is_refused_with_the_way_out() -> Result<()> {
    let net = Diamond::new()?;
    let _me = net.start_all(&[])?;
    let mut client = Client::connect(&net.me)?;
    let answer = client.last("measure neighbour fe80::1 if nosuch download 1M")?;
    ensure!(
        answer.starts_with("no ") && answer.contains("nosuch"),
        "{answer}"
    );
    ensure!(client.last("measure neighbour fe80::1 if lan")? == "bad");
    let answer = client.last("speedtest neighbour fe80::1 if lan")?;
    ensure!(answer.starts_with("no "), "{answer}");
    Ok(())
}

#[test]
fn measurements_survive_a_restart_and_a_crash() -> Result<()> {
    let net = Diamond::new()?;
    let file = net.place.file("quality");
    let option = format!("quality-file \"{}\"", file.display());
    let options = ["-C", &option, "-C", "qos-goal download 10M"];
    let mut me = net.start_all(&options)?;
    let [liar, honest] = net.neighbours()?;
    let mut client = Client::connect(&net.me)?;
    for (who, rate) in [(liar, "1M"), (honest, "20M")] {
        let line = format!("measure neighbour {who} if lan download {rate}");
        ensure!(client.last(&line)? == "ok");
    }
    net.expect_via(FAR, honest, SOON, &me)?;
    // Written a second after the first change, for a crash may come.
    wait_for(SOON, || file.exists().then_some(())).context("no file")?;
    me.kill();
    drop(me);
    // After the crash, and after a clean end: from the file alone.
    for _ in 0..2 {
        let mut me = net.start_me(&options)?;
        let mut client = Client::connect(&net.me)?;
        // Shown as soon as the neighbours are there.
        let bands = ["\"band\":\"proven\"", "\"band\":\"failing\""];
        let mut quality = Vec::new();
        let known = wait_for(SOON, || {
            quality = client.ask("json quality").ok()?;
            let shown = |band: &&str| quality.iter().any(|line| line.contains(*band));
            bands.iter().all(shown).then_some(())
        });
        known.with_context(|| format!("{quality:?}"))?;
        net.expect_via(FAR, honest, SOON, &me)?;
        ensure!(me.stop(SOON)?.context("it does not end")?.success());
        ensure!(!fs::read_to_string(&file)?.is_empty());
    }
    Ok(())
}

#[test]
fn a_state_directory_that_refuses_costs_a_warning_and_nothing_else() -> Result<()> {
    let net = Diamond::new()?;
    let option = "quality-file \"/proc/nowhere/quality\"";
    let mut me = net.start_all(&["-C", option, "-C", "qos-goal download 10M"])?;
    let [_, honest] = net.neighbours()?;
    let mut client = Client::connect(&net.me)?;
    for _ in 0..5 {
        let line = format!("measure neighbour {honest} if lan download 20M");
        ensure!(client.last(&line)? == "ok");
    }
    net.expect_via(FAR, honest, SOON, &me)?;
    ensure!(me.stop(SOON)?.context("it does not end")?.success());
    let log = me.log_tail(1000);
    let warnings = log
        .lines()
        .filter(|line| line.contains("quality-file"))
        .count();
    ensure!(warnings == 1, "{log}");
    Ok(())
}

#[test]
fn what_is_not_ours_is_not_overwritten() -> Result<()> {
    let net = Diamond::new()?;
    let file = net.place.file("precious");
    fs::write(&file, "the operator's own\n")?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
    let option = format!("quality-file \"{}\"", file.display());
    let mut me = net.start_all(&["-C", &option, "-C", "qos-goal download 10M"])?;
    let [_, honest] = net.neighbours()?;
    let mut client = Client::connect(&net.me)?;
    let line = format!("measure neighbour {honest} if lan download 20M");
    ensure!(client.last(&line)? == "ok");
    ensure!(me.stop(SOON)?.context("it does not end")?.success());
    ensure!(fs::read_to_string(&file)? == "the operator's own\n");
    Ok(())
}
