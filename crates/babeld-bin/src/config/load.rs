//! Reading configuration from files and from `-C`. The files named are all that is read.

use super::error::{ConfigError, Origin, Place};
use super::parse::parse_statement;
use super::settings::Settings;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// More than this is not a configuration file.
const LARGEST_FILE: u64 = 16 << 20;

impl Settings {
    /// Applies the statements of a file in order. On an error, those before it were applied.
    pub fn read_file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let origin = Origin::file(path.to_string_lossy());
        let mut octets = Vec::new();
        let outcome =
            File::open(path).and_then(|file| file.take(LARGEST_FILE + 1).read_to_end(&mut octets));
        if let Err(error) = outcome {
            let reason = format!("cannot be read: {error}");
            return Err(ConfigError::whole_file(origin, reason));
        }
        if u64::try_from(octets.len()).unwrap_or(u64::MAX) > LARGEST_FILE {
            let reason = "is larger than 16 MiB, which cannot be a configuration file";
            return Err(ConfigError::whole_file(origin, reason));
        }
        self.read_text(&String::from_utf8_lossy(&octets), origin)
    }

    /// Applies the statements of a text in order.
    pub fn read_text(&mut self, text: &str, origin: Origin) -> Result<(), ConfigError> {
        for (index, line) in text.split('\n').enumerate() {
            let number = u32::try_from(index).unwrap_or(u32::MAX - 1) + 1;
            let place = Place::new(origin.clone(), number);
            let parsed = parse_statement(line, &place)?;
            self.check(&parsed.statement, line, &place)?;
            self.absorb(parsed);
        }
        Ok(())
    }

    /// Applies one statement of the command line (`-C`). An empty one is an error, as in stock.
    pub fn read_argument(&mut self, text: &str) -> Result<(), ConfigError> {
        let place = Place::new(Origin::CommandLine, 1);
        if text.is_empty() {
            return Err(ConfigError {
                place,
                column: 1,
                word: Box::default(),
                reason: "the statement is empty".into(),
                hint: None,
                text: Box::default(),
            });
        }
        let line = text.strip_suffix('\n').unwrap_or(text);
        let parsed = parse_statement(line, &place)?;
        self.check(&parsed.statement, line, &place)?;
        self.absorb(parsed);
        Ok(())
    }
}
