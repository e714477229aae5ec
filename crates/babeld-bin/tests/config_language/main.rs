//! The configuration language: what each line sets, and what is said of a bad one.

mod filters;
mod interfaces;
mod keys;
mod legacy;
mod measuring;
mod properties;
mod quality;
mod statements;

use babeld::config::{ConfigError, Origin, Place, Settings, Statement, parse_statement};

/// Line 7 of a file.
fn place() -> Place {
    Place::new(Origin::file("/etc/babeld.conf"), 7)
}

/// What a good line means.
fn good(line: &str) -> Statement {
    match parse_statement(line, &place()) {
        Ok(parsed) => parsed.statement,
        Err(error) => panic!("{line:?} was refused:\n{error}"),
    }
}

/// What is said of a bad line.
fn bad(line: &str) -> ConfigError {
    match parse_statement(line, &place()) {
        Ok(parsed) => panic!("{line:?} was accepted: {:?}", parsed.statement),
        Err(error) => error,
    }
}

/// What a good file comes to.
fn settings(text: &str) -> Settings {
    let mut settings = Settings::default();
    match settings.read_text(text, Origin::file("test")) {
        Ok(()) => settings,
        Err(error) => panic!("{text:?} was refused:\n{error}"),
    }
}

/// Checks lines that are refused at a column, with words in the reason.
fn refuses(cases: &[(&str, u32, &str)]) {
    for (line, column, words) in cases {
        let error = bad(line);
        assert_eq!(error.column, *column, "{line}: {error}");
        assert!(error.headline().contains(words), "{line}: {error}");
        let start = format!("/etc/babeld.conf:7:{column}: ");
        assert!(error.to_string().starts_with(&start), "{error}");
    }
}
