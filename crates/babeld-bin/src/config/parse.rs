//! Which statement a line is.

use super::error::{ConfigError, Origin, Place, Warning};
use super::interface::{InterfaceOptions, InterfaceSettings};
use super::lexer::{Line, shown};
use super::statement::{Command, FilterKind, Statement};
use super::{parse_filter, parse_global, parse_interface, parse_key, parse_quality};

/// A line, understood, and what there is to say about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// What it means.
    pub statement: Statement,
    /// What the operator should know.
    pub warnings: Vec<Warning>,
}

/// Understands one line without its newline. Touches nothing.
///
/// Requests of the control socket are errors anywhere else. Whether the socket may write, and
/// what can be changed at run time, is for the caller to decide.
pub fn parse_statement(text: &str, place: &Place) -> Result<Parsed, ConfigError> {
    let mut line = Line::new(text, place);
    let statement = statement(&mut line, &place.origin)?;
    Ok(Parsed {
        statement,
        warnings: line.into_warnings(),
    })
}

/// Words that begin a statement, apart from the options of the node.
pub(super) const STATEMENTS: [&str; 16] = [
    "interface",
    "default",
    "in",
    "out",
    "redistribute",
    "install",
    "key",
    "flush",
    "measure",
    "speedtest",
    "reopen-logfile",
    "reload",
    "dump",
    "monitor",
    "unmonitor",
    "quit",
];

fn statement(line: &mut Line<'_>, origin: &Origin) -> Result<Statement, ConfigError> {
    if line.at_end() {
        return Ok(Statement::Nothing);
    }
    let word = line.word("a statement")?;
    let mut filter =
        |kind| parse_filter::rule(line, kind).map(|rule| Statement::Filter(kind, rule));
    match word.text.as_str() {
        "in" => return filter(FilterKind::In),
        "out" => return filter(FilterKind::Out),
        "redistribute" => return filter(FilterKind::Redistribute),
        "install" => return filter(FilterKind::Install),
        "key" => return parse_key::key(line).map(Statement::Key),
        "interface" => {
            let name = line.interface_name("interface")?.text;
            let mut options = InterfaceOptions::default();
            parse_interface::options(line, &mut options)?;
            return Ok(Statement::Interface(InterfaceSettings { name, options }));
        }
        "default" => {
            let mut options = InterfaceOptions::default();
            parse_interface::options(line, &mut options)?;
            return Ok(Statement::Default(options));
        }
        _ => {}
    }
    if let Some(command) = command(line, &word.text)? {
        return match (origin, &command) {
            (Origin::Socket, _) => Ok(Statement::Command(command)),
            (
                Origin::File(_),
                Command::FlushInterface(_)
                | Command::FlushFilters(_)
                | Command::FlushMeasurements(_),
            ) => {
                line.warn("flush", "'flush' in a file has no effect: nothing runs yet");
                Ok(Statement::Nothing)
            }
            (Origin::File(_) | Origin::CommandLine, _) => {
                let reason = format!("'{}' is for the control socket only", word.text);
                Err(line.error(&word, reason))
            }
        };
    }
    if let Some(statement) = parse_global::option(line, &word)? {
        line.end(&word.text)?;
        return Ok(statement);
    }
    let reason = if parse_interface::is_option(&word.text) {
        format!(
            "'{0}' is an option of interfaces: write 'interface NAME {0} …' or 'default {0} …'",
            word.text
        )
    } else {
        format!("'{}' is not a statement", shown(&word.text))
    };
    let mut known = STATEMENTS.to_vec();
    known.extend(parse_global::WORDS);
    Err(line.unknown(&word, reason, &known))
}

/// A request of the control socket; `None` if `word` begins none.
fn command(line: &mut Line<'_>, word: &str) -> Result<Option<Command>, ConfigError> {
    let command = match word {
        "dump" => Command::Dump,
        "monitor" => Command::Monitor,
        "unmonitor" => Command::Unmonitor,
        "quit" => Command::Quit,
        "reopen-logfile" => Command::ReopenLogfile,
        "reload" => Command::Reload {
            dry_run: !line.at_end() && line.choice(word, &[("dry-run", true)])?,
        },
        "measure" => Command::Measure(parse_quality::measure(line)?),
        "speedtest" => parse_quality::speedtest(line)?,
        "flush" => flush(line)?,
        _ => return Ok(None),
    };
    line.end(word)?;
    Ok(Some(command))
}

/// What follows `flush`.
fn flush(line: &mut Line<'_>) -> Result<Command, ConfigError> {
    let what = line.word("'interface', 'filters' or 'measurements' after 'flush'")?;
    Ok(match what.text.as_str() {
        "interface" => Command::FlushInterface(line.interface_name("flush interface")?.text),
        "filters" if line.at_end() => Command::FlushFilters(None),
        "filters" => {
            let kinds = FilterKind::ALL.map(|kind| (kind.word(), kind));
            Command::FlushFilters(Some(line.choice("flush filters", &kinds)?))
        }
        "measurements" => parse_quality::flush(line)?,
        _ => {
            let reason = format!("'{}' cannot be flushed", shown(&what.text));
            let known = ["interface", "filters", "measurements"];
            return Err(line.unknown(&what, reason, &known));
        }
    })
}
