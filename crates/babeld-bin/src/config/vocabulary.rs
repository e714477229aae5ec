//! Every word of the language, by place: for the manual's test, and for tools that complete.

use super::{parse, parse_filter, parse_global, parse_interface};

/// Words that begin a statement: interfaces, rules, keys, and requests of the control socket.
pub const STATEMENTS: &[&str] = &parse::STATEMENTS;
/// Options of the node, which begin a statement too.
pub const NODE_OPTIONS: &[&str] = &parse_global::WORDS;
/// Options on `interface` and `default` lines.
pub const INTERFACE_OPTIONS: &[&str] = &parse_interface::OPTIONS;
/// Selectors and actions of rules.
pub const RULE_WORDS: &[&str] = &parse_filter::WORDS;
