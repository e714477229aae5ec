//! The command line of `babeld`: stock's flags, in stock's order, with stock's messages.
//!
//! Flags and `-C` take effect in order; files follow when all flags are read, so that they
//! override them. Named files are all that is read; nothing is touched.

mod usage;

use crate::config::{ConfigError, Global, Origin, Place};
use crate::config::{
    DEAREST, InterfaceOptions, InterfaceSettings, LocalAddress, LocalSocket, MAX_IMPORT_TABLES,
    Settings, Warning, impossible_name, is_link_local_group, parse_integer, parse_thousands,
};
use lexopt::Arg;
use std::ffi::OsString;
use std::fmt;
use std::io::ErrorKind;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Our version, as `-V` prints it and the control socket greets with.
pub const VERSION: &str = concat!("babeld-", env!("CARGO_PKG_VERSION"));

/// Read if no `-c` names another; may be absent.
pub const DEFAULT_CONFIG: &str = "/etc/babeld.conf";

pub use usage::{HELP, USAGE};

/// What to do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Action {
    /// Run the daemon.
    Run,
    /// Print [`VERSION`] on standard error and exit 0.
    ShowVersion,
    /// Print [`HELP`] on standard output and exit 0.
    Help,
    /// Say that the configuration is good and exit 0.
    CheckConfig,
}

/// A command line, understood, with its configuration files read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Invocation {
    /// What to do.
    pub action: Action,
    /// The configuration; interfaces from the command line come last. Its warnings are to be
    /// printed.
    pub settings: Settings,
}

/// Why the daemon does not start: everything to print on standard error. The exit status is 1.
#[derive(Debug)]
pub enum CliError {
    /// The command line is wrong: this, then the version, then [`USAGE`].
    Usage(String),
    /// A statement is wrong.
    Config(Box<ConfigError>),
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(reason) => write!(f, "{reason}\n{VERSION}\n{USAGE}"),
            Self::Config(error) => write!(f, "{error}\n{}", error.stock_line()),
        }
    }
}

impl std::error::Error for CliError {}

impl From<ConfigError> for CliError {
    fn from(error: ConfigError) -> Self {
        Self::Config(Box::new(error))
    }
}

/// Reads the command line, `args` without the program's name, and the files it names.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Invocation, CliError> {
    parse_with(args, Path::new(DEFAULT_CONFIG))
}

/// As [`parse`], with another file to read if none is named.
pub fn parse_with(
    args: impl IntoIterator<Item = OsString>,
    default_config: &Path,
) -> Result<Invocation, CliError> {
    let mut parser = lexopt::Parser::from_args(args);
    // As in getopt, `-L=x` names a file `=x`.
    parser.set_short_equals(false);
    let mut reader = Reader::default();
    while let Some(arg) = parser.next().map_err(|error| usage(error.to_string()))? {
        match arg {
            Arg::Value(name) => reader.interface(text("interface", name)?)?,
            Arg::Long("check-config") => reader.action = Action::CheckConfig,
            Arg::Long("help") => return Ok(reader.stop(Action::Help)),
            Arg::Long("version") | Arg::Short('V') => {
                return Ok(reader.stop(Action::ShowVersion));
            }
            Arg::Long(other) => return Err(usage(format!("unrecognized option '--{other}'"))),
            Arg::Short(flag) => reader.short(flag, &mut parser)?,
        }
    }
    reader.finish(default_config)
}

/// The command line, as read so far.
struct Reader {
    action: Action,
    settings: Settings,
    files: Vec<PathBuf>,
    interfaces: Vec<String>,
}

impl Default for Reader {
    fn default() -> Self {
        Self {
            action: Action::Run,
            settings: Settings::default(),
            files: Vec::new(),
            interfaces: Vec::new(),
        }
    }
}

impl Reader {
    /// Carries out one flag.
    fn short(&mut self, flag: char, parser: &mut lexopt::Parser) -> Result<(), CliError> {
        match flag {
            's' => self.warn("-s", "-s has no effect, as in stock babeld since 1.13"),
            'r' => self.settings.random_id = true,
            'l' => self.settings.link_detect = true,
            'w' => self.settings.all_wireless = true,
            'D' => self.settings.daemonise = true,
            'm' | 'p' | 'h' | 'H' | 'k' | 'A' | 'S' | 'd' | 'g' | 'G' | 'z' | 'M' | 't' | 'T'
            | 'c' | 'C' | 'L' | 'I' | 'F' | 'q' | 'a' => {
                let value = parser
                    .value()
                    .map_err(|_| usage(format!("option requires an argument -- '{flag}'")))?;
                self.valued(flag, value)?;
            }
            _ => return Err(usage(format!("invalid option -- '{flag}'"))),
        }
        Ok(())
    }

    /// Carries out a flag that has a value.
    fn valued(&mut self, flag: char, value: OsString) -> Result<(), CliError> {
        // Files may have any name; all else is text.
        match flag {
            'c' => {
                self.files.push(PathBuf::from(value));
                return Ok(());
            }
            'S' | 'L' | 'I' => {
                let path = (!value.is_empty()).then(|| PathBuf::from(value));
                self.settings.apply_global(match flag {
                    'S' => Global::StateFile(path),
                    'L' => Global::LogFile(path),
                    _ => Global::PidFile(path),
                });
                return Ok(());
            }
            'g' | 'G' if value.as_encoded_bytes().starts_with(b"/") => {
                self.listen(LocalAddress::Path(PathBuf::from(value)), flag);
                return Ok(());
            }
            _ => {}
        }
        let value = text(&format!("-{flag}"), value)?;
        match flag {
            'C' => self.settings.read_argument(&value)?,
            'm' => self.group(&value)?,
            'h' => self.settings.wireless_hello_interval = seconds(flag, &value)?,
            'H' => self.settings.wired_hello_interval = seconds(flag, &value)?,
            'g' | 'G' => {
                let port = number(flag, &value, 1, u16::MAX)?;
                self.listen(LocalAddress::Port(port), flag);
            }
            'z' => self.warn(
                "-z",
                "-z has no effect: diversity routing is gone since 1.13",
            ),
            'F' => self.settings.price = Some(price(&value)?),
            'q' | 'a' => {
                let unit = if flag == 'q' { 1 } else { 1000 };
                self.settings.metric_factor = number(flag, &value, 0u32, u32::MAX / unit)? * unit;
                let text = format!(
                    "-{flag} has no effect on routes: price and metric are never mixed here; see \
                     'prefer' and 'max-price'"
                );
                self.warn(&format!("-{flag}"), &text);
            }
            _ => self.numbered(flag, &value)?,
        }
        Ok(())
    }

    /// Carries out a flag whose value is a number.
    fn numbered(&mut self, flag: char, value: &str) -> Result<(), CliError> {
        let settings = &mut self.settings;
        match flag {
            'p' => settings.protocol_port = number(flag, value, 1, u16::MAX)?,
            'k' => settings.kernel_priority = number(flag, value, 0, u16::MAX)?,
            'A' => settings.allow_duplicates = Some(number(flag, value, 0, u16::MAX)?),
            'd' => settings.debug = number(flag, value, 0, i32::MAX as u32)?,
            't' => settings.export_table = number(flag, value, 0, 65535)?,
            'T' => {
                let table = number(flag, value, 0, 65535)?;
                let tables = &settings.import_tables;
                if tables.len() >= MAX_IMPORT_TABLES && !tables.contains(&table) {
                    let reason = format!("-T: at most {MAX_IMPORT_TABLES} tables can be imported");
                    return Err(usage(reason));
                }
                settings.apply_global(Global::ImportTable(table));
            }
            _ => {
                let seconds = number(flag, value, 0u32, 3600)?;
                settings.smoothing_half_life = Duration::from_secs(u64::from(seconds));
            }
        }
        Ok(())
    }

    fn interface(&mut self, name: String) -> Result<(), CliError> {
        if name.is_empty() {
            return Err(usage("the name of an interface is empty"));
        }
        if let Some(text) = impossible_name(&name) {
            self.warn(&name, &text);
        }
        self.interfaces.push(name);
        Ok(())
    }

    fn group(&mut self, value: &str) -> Result<(), CliError> {
        match value.parse::<Ipv6Addr>() {
            Ok(group) if group.is_multicast() => {
                if !is_link_local_group(group) {
                    let text = format!("{value} is not a link-local multicast address");
                    self.warn("-m", &text);
                }
                self.settings.protocol_group = group;
                Ok(())
            }
            // Stock says the second of these of IPv4 addresses too.
            Err(_) if value.parse::<std::net::IpAddr>().is_err() => {
                Err(usage(format!("-m: '{}' is not an address", shown(value))))
            }
            Ok(_) | Err(_) => Err(usage_line(format!("{value} is not a multicast address"))),
        }
    }

    fn listen(&mut self, address: LocalAddress, flag: char) {
        self.settings.local_socket = Some(LocalSocket {
            address,
            read_write: flag == 'G',
        });
    }

    fn warn(&mut self, word: &str, text: &str) {
        self.settings.warn(Warning {
            place: Place::new(Origin::CommandLine, 0),
            word: word.to_owned(),
            text: text.to_owned(),
        });
    }

    /// Stops where a flag says so; what comes after is not looked at.
    fn stop(self, action: Action) -> Invocation {
        Invocation {
            action,
            settings: self.settings,
        }
    }

    /// Reads the files and adds the interfaces.
    fn finish(mut self, default_config: &Path) -> Result<Invocation, CliError> {
        if self.files.is_empty() && exists(default_config) {
            self.files.push(default_config.to_owned());
        }
        for file in std::mem::take(&mut self.files) {
            self.settings.read_file(&file)?;
        }
        for name in std::mem::take(&mut self.interfaces) {
            self.settings.apply_interface(InterfaceSettings {
                name,
                options: InterfaceOptions::default(),
            });
        }
        let action = self.action;
        Ok(self.stop(action))
    }
}

/// Whether there is such a file, readable or not.
fn exists(path: &Path) -> bool {
    match std::fs::metadata(path) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::NotFound,
    }
}

/// A number from `least` to `most`.
fn number<T>(flag: char, value: &str, least: T, most: T) -> Result<T, CliError>
where
    T: Copy + Into<i64> + TryFrom<i64> + fmt::Display,
{
    let range = least.into()..=most.into();
    parse_integer(value.trim_end_matches([' ', '\t', '\n', '\r']))
        .ok()
        .filter(|number| range.contains(number))
        .and_then(|number| T::try_from(number).ok())
        .ok_or_else(|| {
            usage(format!(
                "-{flag}: '{}' is not a number from {least} to {most}",
                shown(value)
            ))
        })
}

fn seconds(flag: char, value: &str) -> Result<Duration, CliError> {
    parse_thousands(value)
        .filter(|millis| (1..=655_350).contains(millis))
        .map(|millis| Duration::from_millis(u64::from(millis)))
        .ok_or_else(|| {
            usage(format!(
                "-{flag}: '{}' is not a number of seconds from 0.001 to 655.35",
                shown(value)
            ))
        })
}

fn price(value: &str) -> Result<u32, CliError> {
    number('F', value, 0, DEAREST)
}

fn text(what: &str, value: OsString) -> Result<String, CliError> {
    value
        .into_string()
        .map_err(|_| usage(format!("{what}: the value is not valid UTF-8")))
}

/// A value as messages show it.
fn shown(value: &str) -> String {
    value
        .chars()
        .take(64)
        .flat_map(char::escape_debug)
        .collect()
}

/// An error of the command line, after the program's name as getopt has it.
fn usage(reason: impl fmt::Display) -> CliError {
    CliError::Usage(format!("babeld: {reason}"))
}

/// An error of the command line in stock's own words.
fn usage_line(reason: String) -> CliError {
    CliError::Usage(reason)
}
