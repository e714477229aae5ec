//! What a line from a client asks for.
//!
//! The words of the stock protocol are matched as stock babeld does: leading blanks and a comment
//! at the end are fine, any other word after them is not, and case counts. Everything that is no
//! query is a configuration statement, whose grammar is not this file's business.

use super::listen::Access;
use super::snapshot::Tables;
use babel_core::prefix::{Prefix, RouteKey};

/// A line that was understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Line {
    /// Empty, or a comment: `ok`.
    Nothing,
    /// `bad`.
    Bad,
    /// `quit`.
    Quit,
    /// `unmonitor`.
    Unmonitor,
    /// Something for the node.
    Command(Command),
}

/// What only the node can answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Command {
    /// `dump`, `dump-…`.
    Dump(Tables),
    /// `monitor`, `monitor-…`.
    Monitor(Tables),
    /// `reload [dry-run]`, on a read-write socket.
    Reload { dry_run: bool },
    /// `json neighbours|routes|xroutes|interfaces`.
    Json(Tables),
    /// `json status`.
    Status,
    /// `json quality`.
    Quality,
    /// `json tests`.
    Tests,
    /// `json decisions`.
    Decisions,
    /// `json usage`.
    Usage,
    /// `json explain PREFIX [from SRC]`.
    Explain(RouteKey),
    /// A configuration statement, on a read-write socket.
    Statement(String),
}

impl Line {
    /// Reads one line, without its end.
    pub(super) fn parse(octets: &[u8], access: Access) -> Self {
        // Stock babeld takes a NUL for the end of the line.
        let octets = octets.split(|octet| *octet == 0).next().unwrap_or_default();
        let Ok(text) = std::str::from_utf8(octets) else {
            return Self::Bad;
        };
        let text = text.trim_matches([' ', '\t', '\r']);
        let words: Vec<&str> = text
            .split([' ', '\t'])
            .filter(|word| !word.is_empty())
            .take_while(|word| !word.starts_with('#'))
            .take(8)
            .collect();
        match words.as_slice() {
            [] => Self::Nothing,
            ["quit"] => Self::Quit,
            ["unmonitor"] => Self::Unmonitor,
            ["dump"] => Self::Command(Command::Dump(Tables::ALL)),
            ["monitor"] => Self::Command(Command::Monitor(Tables::ALL)),
            ["quit" | "unmonitor" | "dump" | "monitor", ..] => Self::Bad,
            ["json", query @ ..] => json(query).map_or(Self::Bad, Self::Command),
            [word, rest @ ..] if is_partial(word) => match partial(word) {
                Some(command) if rest.is_empty() => Self::Command(command),
                _ => Self::Bad,
            },
            ["reload"] if access == Access::ReadWrite => {
                Self::Command(Command::Reload { dry_run: false })
            }
            ["reload", "dry-run"] if access == Access::ReadWrite => {
                Self::Command(Command::Reload { dry_run: true })
            }
            ["reload", ..] => Self::Bad,
            _ if access == Access::ReadWrite => Self::Command(Command::Statement(text.into())),
            _ => Self::Bad,
        }
    }
}

fn is_partial(word: &str) -> bool {
    word.starts_with("dump-") || word.starts_with("monitor-")
}

/// `dump-KIND` and `monitor-KIND`, as AREDN's babeld has the first.
fn partial(word: &str) -> Option<Command> {
    match word.strip_prefix("dump-") {
        Some(kind) => Tables::to_dump(kind).map(Command::Dump),
        None => Tables::named(word.strip_prefix("monitor-")?).map(Command::Monitor),
    }
}

fn json(query: &[&str]) -> Option<Command> {
    match query {
        ["interfaces"] => Some(Command::Json(Tables::INTERFACES)),
        ["neighbours"] => Some(Command::Json(Tables::NEIGHBOURS)),
        ["xroutes"] => Some(Command::Json(Tables::XROUTES)),
        ["routes"] => Some(Command::Json(Tables::ROUTES)),
        ["status"] => Some(Command::Status),
        ["quality"] => Some(Command::Quality),
        ["tests"] => Some(Command::Tests),
        ["decisions"] => Some(Command::Decisions),
        ["usage"] => Some(Command::Usage),
        ["explain", dst] => Some(Command::Explain(RouteKey::new(prefix(dst)?))),
        ["explain", dst, "from", src] => {
            RouteKey::source_specific(prefix(dst)?, prefix(src)?).map(Command::Explain)
        }
        _ => None,
    }
}

fn prefix(word: &str) -> Option<Prefix> {
    match word {
        "default" => Some(Prefix::V4_DEFAULT),
        word => word.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ro(line: &str) -> Line {
        Line::parse(line.as_bytes(), Access::ReadOnly)
    }

    #[test]
    fn the_stock_words_are_taken_as_stock_babeld_takes_them() {
        for dump in ["dump", "  dump", "dump # c", "dump\r", "dump\0", "dump\t"] {
            assert_eq!(
                ro(dump),
                Line::Command(Command::Dump(Tables::ALL)),
                "{dump:?}"
            );
        }
        for bad in ["dump x", "DUMP", "quit x", "\"dump\"", "frobnicate"] {
            assert_eq!(ro(bad), Line::Bad, "{bad:?}");
        }
        for nothing in ["", "  ", "# quit", "\t# x"] {
            assert_eq!(ro(nothing), Line::Nothing, "{nothing:?}");
        }
        assert_eq!(ro("quit"), Line::Quit);
        assert_eq!(ro("unmonitor"), Line::Unmonitor);
    }

    #[test]
    fn tables_are_dumped_and_monitored_one_by_one_in_either_spelling() {
        for word in ["neighbour", "neighbours", "neighbor", "neighbors"] {
            let dump = Line::Command(Command::Dump(Tables::NEIGHBOURS));
            assert_eq!(ro(&format!("dump-{word}")), dump, "{word}");
            let monitor = Line::Command(Command::Monitor(Tables::NEIGHBOURS));
            assert_eq!(ro(&format!("monitor-{word}")), monitor, "{word}");
        }
        for word in ["dump-interfaces", "dump-xroute", "dump-installed-routes"] {
            assert!(
                matches!(ro(word), Line::Command(Command::Dump(_))),
                "{word}"
            );
        }
        assert_ne!(ro("dump-installed-routes"), ro("dump-routes"));
        for bad in [
            "dump-",
            "dump-key",
            "dump-routes x",
            "monitor-installed-route",
        ] {
            assert_eq!(ro(bad), Line::Bad, "{bad}");
        }
    }

    #[test]
    fn only_who_may_write_may_reload() {
        let rw = |line: &str| Line::parse(line.as_bytes(), Access::ReadWrite);
        for (line, dry_run) in [("reload", false), (" reload dry-run # x", true)] {
            assert_eq!(rw(line), Line::Command(Command::Reload { dry_run }));
            assert_eq!(ro(line), Line::Bad);
        }
        assert_eq!(rw("reload now"), Line::Bad);
    }

    #[test]
    fn a_statement_is_passed_on_whole_and_only_on_a_readwrite_socket() {
        let line = b" interface eth0 rxcost 10 # slow ";
        assert_eq!(Line::parse(line, Access::ReadOnly), Line::Bad);
        assert_eq!(
            Line::parse(line, Access::ReadWrite),
            Line::Command(Command::Statement("interface eth0 rxcost 10 # slow".into()))
        );
        assert_eq!(Line::parse(b"\xff\xfe", Access::ReadWrite), Line::Bad);
    }

    #[test]
    fn an_explanation_is_asked_for_by_prefix_and_source() {
        let key = RouteKey::source_specific(
            "2001:db8::/32".parse().expect("prefix"),
            "fd00::/8".parse().expect("prefix"),
        )
        .expect("one family");
        assert_eq!(
            ro("json explain 2001:db8::/32 from fd00::/8"),
            Line::Command(Command::Explain(key))
        );
        for bad in [
            "json",
            "json explain",
            "json explain x",
            "json explain 10.0.0.0/8 from ::/0",
            "json routes now",
            "json tests 5",
        ] {
            assert_eq!(ro(bad), Line::Bad, "{bad}");
        }
    }
}
