//! `babelctl lab`: small networks in namespaces on this machine, to look at and to play with.
//!
//! Nothing but this program and `babeld` is needed: links, addresses, pings and probes are made
//! here. Whatever happens, namespaces and processes go when their owner goes.

mod client;
mod diamond;
mod figures;
mod interrupt;
mod keeper;
mod liar;
mod market;
mod network;
mod ping;
mod place;
mod responder;
mod scenario;
mod show;
mod specialist;
mod stock;
mod story;
mod stream;
mod traffic;
mod trial;
mod uplink;
mod ways;

use anyhow::{Context, Result, bail, ensure};
use interrupt::Interrupt;
use network::{Network, Options};
use place::Place;
use scenario::{SCENARIOS, Scenario};
use show::{Screen, Style, spoken};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;
use story::Stage;

const USAGE: &str = "\
usage: babelctl lab run NAME              build it, tell its story, put it away
       babelctl lab up NAME               build it and keep it
       babelctl lab exec NAME NODE [-- PROGRAM ARGUMENT...]
       babelctl lab down NAME             put it away
       babelctl lab list
options of run and up:
       --daemon PROGRAM                   instead of the babeld beside babelctl
       --no-prices                        plain Babel, as stock babeld speaks it";

/// Carries out `babelctl lab ARGUMENT…`. The process must still have a single thread, and
/// `netns::init` must have been the first thing its `main` did.
pub fn main(arguments: &[String]) -> Result<ExitCode> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["run", name, rest @ ..] => run(find(name)?, options(rest)?),
        ["up", name, rest @ ..] => up(find(name)?, &options(rest)?),
        ["exec", name, node, rest @ ..] => {
            let command = rest.strip_prefix(&["--"]).unwrap_or(rest);
            let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
            keeper::exec(find(name)?, node, &command).map(|()| ExitCode::SUCCESS)
        }
        ["down", name] => down(find(name)?),
        ["list"] => list(),
        [keeper::COMMAND, name, directory, rest @ ..] => {
            keeper::keep(find(name)?, directory.as_ref(), options(rest)?)?;
            Ok(ExitCode::SUCCESS)
        }
        [] | ["help" | "-h" | "--help"] => {
            Screen::new().line(USAGE);
            Ok(ExitCode::SUCCESS)
        }
        _ => bail!("not understood: lab {}\n{USAGE}", words.join(" ")),
    }
}

fn find(name: &str) -> Result<&'static Scenario> {
    let names = || {
        SCENARIOS
            .iter()
            .map(|scenario| scenario.name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    Scenario::find(name).with_context(|| format!("no lab {name}; there is {}", names()))
}

fn options(words: &[&str]) -> Result<Options> {
    let (mut daemon, mut prices) = (None, true);
    let mut words = words.iter();
    while let Some(&word) = words.next() {
        match word {
            "--daemon" => daemon = Some(PathBuf::from(words.next().context("--daemon what?")?)),
            "--no-prices" => prices = false,
            _ => bail!("not understood: {word}\n{USAGE}"),
        }
    }
    let daemon = match daemon {
        Some(daemon) => daemon,
        None => netns::sibling("babeld")?,
    };
    ensure!(daemon.is_file(), "{} is not a program", daemon.display());
    Ok(Options { daemon, prices })
}

/// Builds a lab, tells its story and puts it away, whatever happened in between.
fn run(scenario: &'static Scenario, options: Options) -> Result<ExitCode> {
    let started = Instant::now();
    let base = place::base()?;
    let unprivileged = netns::become_root()?;
    let interrupt = Interrupt::listen()?;
    place::sweep(&base);
    let place = Place::claim(place::of_run(&base, scenario.name))?;
    let screen = Screen::new();
    screen.heading(&format!("Lab {}: {}", scenario.name, scenario.title));
    screen.block(scenario.about);
    screen.line(scenario.picture.trim_end_matches('\n'));
    screen.line("");
    let node = if unprivileged {
        "in a user namespace"
    } else {
        "as root"
    };
    screen.block(&format!(
        "Each node is a network namespace on this machine, made {node}."
    ));

    let outcome = Network::build(scenario, place.directory(), options).and_then(|network| {
        let mut stage = Stage {
            network,
            screen,
            interrupt: interrupt.clone(),
        };
        let told = stage
            .network
            .start_hosts()
            .and_then(|()| (scenario.tell)(&mut stage));
        // After a failure the state no longer matters, only that nothing stays.
        let stopped = stage.network.stop().context("ending the nodes");
        told.and(stopped)
    });
    match outcome {
        Ok(()) => {
            place.remove()?;
            screen.line("");
            let took = spoken(started.elapsed());
            screen.good(&format!(
                "all nodes ended, namespaces and files are gone; {took} in all"
            ));
            Ok(ExitCode::SUCCESS)
        }
        Err(_) if interrupt.came() => {
            place.remove()?;
            screen.line("\n  interrupted; nodes, namespaces and files are gone");
            Ok(ExitCode::from(130))
        }
        Err(error) => {
            let failed = screen.paint(Style::Bad, "failed");
            screen.line(&format!("\n  {failed}: {error:#}"));
            let logs = place.directory().display();
            screen.line(&format!(
                "  nodes and namespaces are gone; logs stay in {logs}"
            ));
            Ok(ExitCode::FAILURE)
        }
    }
}

fn up(scenario: &Scenario, options: &Options) -> Result<ExitCode> {
    let screen = Screen::new();
    keeper::up(scenario, options)?;
    let name = scenario.name;
    screen.line(scenario.picture.trim_end_matches('\n'));
    screen.line("");
    screen.good(&format!("the lab {name} is up. Now, for example:"));
    let example = |node: &str, words: &str| {
        screen.block(&format!("babelctl lab exec {name} {node} -- {words}"));
    };
    for node in scenario.routers().take(1) {
        example(node.name, "babelctl show routes");
        example(node.name, "sh");
    }
    if let Some((node, price)) = scenario.nodes.iter().find_map(|n| Some((n, n.price?))) {
        example(node.name, &format!("babelctl raw price {}", price * 10));
    }
    if let (Some(node), Some((_, host))) = (scenario.routers().next(), scenario.hosts().next()) {
        let target = format!("speedtest-target net babel://{}", host.address);
        example(node.name, &format!("babelctl raw {target}"));
        example(node.name, "babelctl top");
    }
    screen.block(&format!("babelctl lab down {name}"));
    Ok(ExitCode::SUCCESS)
}

fn down(scenario: &Scenario) -> Result<ExitCode> {
    let screen = Screen::new();
    if keeper::down(scenario)? {
        screen.good(&format!(
            "the lab {} is down; nothing remains",
            scenario.name
        ));
    } else {
        screen.line(&format!("  the lab {} was not up", scenario.name));
    }
    Ok(ExitCode::SUCCESS)
}

fn list() -> Result<ExitCode> {
    let base = place::base()?;
    let mut rows = vec![
        ["lab", "state", "nodes", "what it shows"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for scenario in SCENARIOS {
        let up = place::is_live(&base.join(scenario.name));
        let nodes: Vec<_> = scenario.routers().map(|node| node.name).collect();
        rows.push(vec![
            scenario.name.to_owned(),
            if up { "up" } else { "-" }.to_owned(),
            nodes.join(" "),
            scenario.title.to_owned(),
        ]);
    }
    Screen::new().table(&rows);
    Ok(ExitCode::SUCCESS)
}
