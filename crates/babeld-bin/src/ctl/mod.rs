//! `babelctl`: asks a running daemon over its control socket, and shows the answer to people.
//!
//! It decides nothing: what is said of a route is composed by the daemon. Output that nobody
//! reads any more is a normal end.

mod args;
mod connection;
mod diagnose;
mod explain;
mod monitor;
mod output;
mod show;
mod show_quality;
mod speedtest;
mod speedtest_serve;
mod table;
mod top;

pub use args::{Invocation, Socket, Topic, UsageError, parse};
pub use connection::Connection;
pub use output::Output;
pub use speedtest::Wish;
pub use top::Look;

use crate::local::{explain::Document, json, quality};
use anyhow::{Context, Result, bail};
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

/// Shown by `--help`.
pub const USAGE: &str = "\
usage: babelctl [-s PATH|PORT] [-j] COMMAND

  show neighbours|routes|xroutes|interfaces   the tables of a running babeld
  show quality|tests|decisions                neighbours' ranks, speed tests, changes of routes
  show status                                 the node in a few lines
  explain PREFIX [from SOURCE-PREFIX]         every route to PREFIX, and why it won or lost
  explain neighbour ADDRESS|all               whether the link to it works, and if not, why
  monitor                                     the tables, then each change as it happens
  top [-n SECONDS] [--once]                   live view: measured against advertised
  raw LINE...                                 send one line as it is: a statement, for example
  reload [--dry-run]                          read the configuration again and apply what changed
  check-config FILE...                        read configuration files and touch nothing
  speedtest run --neighbour ADDRESS --interface NAME [--target NAME]
                                              have babeld test its way through a neighbour now
  speedtest serve ...                         be a server for the speed tests of other nodes; see
                                              `babelctl speedtest serve --help`
  lab run|up|exec|down|list ...               small networks on this machine; see `babelctl lab`

  -s, --socket PATH|PORT   the daemon's unix socket, or its port on [::1]. Without it:
                           $BABEL_SOCKET, else /var/run/babeld.sock, else port 33123
  -j, --json               JSON instead of tables
  -h, --help               this text
  -V, --version            the version

exit status: 0 done, 1 not done, 2 the command line was not understood
";

/// What `babelctl` does, given its arguments without the program's name.
///
/// For `lab`, `netns::init` must have been the first thing `main` did, and no thread may have
/// been started.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // A server, not a client: it has options of its own and asks no daemon.
    if let [first, second, rest @ ..] = arguments.as_slice()
        && first == "speedtest"
        && second == "serve"
    {
        return speedtest_serve::main(rest);
    }
    let invocation = match parse(arguments) {
        Ok(invocation) => invocation,
        Err(error) => {
            complain(&format!("{error}\nTry `babelctl --help`."));
            return ExitCode::from(2);
        }
    };
    let mut output = Output::stdout();
    let done = run(invocation, &mut output).and_then(|code| {
        output.flush()?;
        Ok(code)
    });
    match done {
        Ok(code) => code,
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            // What was shown before the failure belongs before it.
            let _ = output.flush();
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Carries out `invocation`, writing to `output`.
pub fn run<W: Write>(invocation: Invocation, output: &mut Output<W>) -> Result<ExitCode> {
    match invocation {
        Invocation::Help => output.text(USAGE)?,
        Invocation::Version => {
            output.text(concat!("babelctl ", env!("CARGO_PKG_VERSION"), "\n"))?
        }
        Invocation::Lab(arguments) => return crate::lab::main(&arguments),
        Invocation::CheckConfig(files) => return check_config(&files, output),
        Invocation::Show(socket, topic, json) => show(&socket, topic, json, output)?,
        Invocation::Explain(socket, query, json) => {
            let answer = query_json(&socket, &query)?;
            let line = answer.first().context("the daemon said nothing")?;
            if json {
                output.text(&format!("{line}\n"))?;
            } else {
                explain::show(&parse_json::<Document>(line)?, output)?;
            }
        }
        Invocation::Diagnose(socket, who, json) => diagnose::run(&socket, who, json, output)?,
        Invocation::Monitor(socket, json) => {
            monitor::run(&mut Connection::open(&socket)?, json, output)?;
        }
        Invocation::Top(socket, look) => top::run(&socket, look, output)?,
        Invocation::Speedtest(socket, wish) => return speedtest::run(&socket, &wish, output),
        Invocation::Raw(socket, line) => return raw(&socket, &line, output),
        Invocation::Reload { socket, dry_run } => reload(&socket, dry_run, output)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show<W: Write>(
    socket: &Socket,
    topic: Topic,
    as_json: bool,
    output: &mut Output<W>,
) -> Result<()> {
    let query = format!("json {}", topic.word());
    let lines = query_json(socket, &query)?;
    if as_json && topic == Topic::Status {
        return output.text(&format!("{}\n", lines.join("\n")));
    }
    if as_json {
        return output.array(&lines);
    }
    match topic {
        Topic::Status => {
            let line = lines.first().context("the daemon said nothing")?;
            show::status(&parse_json(line)?, output)
        }
        Topic::Neighbours => show::neighbours(&documents(&lines)?, output),
        Topic::Routes => show::routes(&documents::<json::Route>(&lines)?, output),
        Topic::XRoutes => show::xroutes(&documents(&lines)?, output),
        Topic::Interfaces => show::interfaces(&documents(&lines)?, output),
        Topic::Quality => {
            show_quality::quality(&documents::<quality::StandingDocument>(&lines)?, output)
        }
        Topic::Tests => show_quality::tests(&documents(&lines)?, output),
        Topic::Decisions => show_quality::decisions(&documents(&lines)?, output),
    }
}

/// Asks for JSON; a daemon that does not know it is another babeld.
fn query_json(socket: &Socket, query: &str) -> Result<Vec<String>> {
    let mut connection = Connection::open(socket)?;
    let mut lines = Vec::new();
    let end = connection.ask(query, |line| {
        lines.push(line.to_owned());
        Ok(())
    })?;
    match end.as_str() {
        "ok" => Ok(lines),
        "bad" => bail!(
            "{} at {} does not know `{query}`: it is another babeld, or too old. \
             `babelctl raw dump` shows what it has",
            connection.version(),
            connection.place()
        ),
        other => bail!("{} answers `{other}` to `{query}`", connection.place()),
    }
}

fn documents<T: serde::de::DeserializeOwned>(lines: &[String]) -> Result<Vec<T>> {
    lines.iter().map(|line| parse_json(line)).collect()
}

fn parse_json<T: serde::de::DeserializeOwned>(line: &str) -> Result<T> {
    serde_json::from_str(line)
        .with_context(|| format!("the daemon's answer is not understood: {line}"))
}

fn raw<W: Write>(socket: &Socket, line: &str, output: &mut Output<W>) -> Result<ExitCode> {
    let mut connection = Connection::open(socket)?;
    let end = connection.ask(line, |line| output.text(&format!("{line}\n")))?;
    output.text(&format!("{end}\n"))?;
    Ok(if end == "ok" {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn reload<W: Write>(socket: &Socket, dry_run: bool, output: &mut Output<W>) -> Result<()> {
    let mut connection = Connection::open(socket)?;
    let request = if dry_run { "reload dry-run" } else { "reload" };
    let mut count = 0;
    let end = connection.ask(request, |line| {
        count += 1;
        output.text(&format!("{line}\n"))
    })?;
    match (end.as_str(), count) {
        ("ok", 0) => output.text("nothing differs\n"),
        ("ok", _) => Ok(()),
        ("bad", _) => bail!(
            "{} at {} does not reload: its socket is read-only (`local-path-readwrite`, -G), or it \
             is another babeld",
            connection.version(),
            connection.place()
        ),
        (no, _) => bail!("nothing was changed: {}", no.trim_start_matches("no ")),
    }
}

fn check_config<W: Write>(files: &[OsString], output: &mut Output<W>) -> Result<ExitCode> {
    match crate::config::check(files) {
        Ok(report) => {
            output.text(&format!("{report}\n"))?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            complain(&error.to_string());
            Ok(ExitCode::FAILURE)
        }
    }
}

/// To standard error; if even that is closed there is nobody to tell.
fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "babelctl: {text}");
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    })
}
