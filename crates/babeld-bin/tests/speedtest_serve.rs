//! `babelctl speedtest serve`: the program, a test against it, and its end.

use anyhow::{Context, Result, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use speedtest::{Message, Request};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Killed when dropped.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn ended(&mut self) -> Result<ExitStatus> {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(5) {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("it did not end")
    }
}

#[test]
fn the_url_that_it_prints_is_measured_and_sigterm_ends_it() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let key = folder.path().join("key");
    let mut server = Server(
        Command::new(env!("CARGO_BIN_EXE_babelctl"))
            .args(["speedtest", "serve", "--listen", "127.0.0.1:0", "--key"])
            .arg(&key)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?,
    );
    let output = BufReader::new(server.0.stdout.take().context("piped")?);
    let url = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| Some(line.split_once("speedtest-target NAME ")?.1.to_owned()))
        .context("it prints a URL")?;
    ensure!(url.starts_with("babels://127.0.0.1:"), "{url}");
    let mut end = None;
    let request = Request {
        url: url.parse()?,
        peer: None,
        mark: None,
        source: None,
        bytes_limit: 100_000_000,
        time_limit: Duration::from_secs(5),
        seed: 7,
    };
    speedtest::run(&request, &mut |message| end = Some(message));
    ensure!(matches!(end, Some(Message::Done(_))), "{end:?}");
    kill(Pid::from_raw(server.0.id().cast_signed()), Signal::SIGTERM)?;
    ensure!(server.ended()?.success());
    let mut log = String::new();
    let errors = server.0.stderr.as_mut().context("piped")?;
    errors.read_to_string(&mut log)?;
    ensure!(
        log.lines().count() == 1 && log.contains("127.0.0.1: test: download "),
        "{log}"
    );
    Ok(())
}

#[test]
fn what_cannot_be_listened_on_is_named() -> Result<()> {
    let output = Command::new(env!("CARGO_BIN_EXE_babelctl"))
        .args(["speedtest", "serve", "--listen", "192.0.2.1:1"])
        .output()?;
    let errors = String::from_utf8(output.stderr)?;
    ensure!(output.status.code() == Some(1), "{errors}");
    ensure!(errors.contains("listening on 192.0.2.1:1: "), "{errors}");
    Ok(())
}
