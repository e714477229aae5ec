//! Keeps `rfcs/conformance.md` true: every row is there once, every test it names exists, every
//! MUST and MUST NOT has something to show, and every deviation is marked in the code.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Rows of each of the areas 1 to 17, then of what the RFCs leave open, of prices, of the choice.
const ROWS: [usize; 20] = [
    31, 8, 32, 14, 11, 19, 20, 33, 7, 12, 12, 12, 53, 20, 22, 20, 8, 14, 25, 18,
];

/// One row of the table.
struct Row {
    id: String,
    level: String,
    state: String,
    shown_by: String,
}

impl Row {
    fn read(line: &str) -> Option<Self> {
        let cells: Vec<&str> = line.split(" | ").map(str::trim).collect();
        let [id, level, _, state, shown_by] = cells[..] else {
            return None;
        };
        let id = id.strip_prefix("| `")?.strip_suffix('`')?;
        Some(Self {
            id: id.to_owned(),
            level: level.to_owned(),
            state: state.to_owned(),
            shown_by: shown_by.trim_end_matches('|').trim().to_owned(),
        })
    }

    /// What is named: tests, and files to review.
    fn names(&self) -> (Vec<&str>, Vec<&str>) {
        let (mut tests, mut files) = (Vec::new(), Vec::new());
        for item in self.shown_by.split("<br>") {
            match item.strip_prefix("review: ") {
                Some(file) => files.push(file.trim_matches('`')),
                None => tests.push(item.trim_matches('`')),
            }
        }
        (tests, files)
    }
}

fn root() -> PathBuf {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).to_path_buf()
}

/// The rows, by section.
fn sections() -> Vec<Vec<Row>> {
    let text = std::fs::read_to_string(root().join("rfcs/conformance.md")).expect("the table");
    let mut sections: Vec<Vec<Row>> = Vec::new();
    for line in text.lines() {
        if line.starts_with("##") {
            sections.push(Vec::new());
        } else if line.starts_with("| `") {
            let row = Row::read(line).unwrap_or_else(|| panic!("not a row: {line}"));
            sections.last_mut().expect("a heading first").push(row);
        }
    }
    sections
}

fn rows() -> impl Iterator<Item = Row> {
    sections().into_iter().flatten()
}

/// All Rust sources under a directory, and what they hold.
fn sources(under: &Path, found: &mut BTreeMap<PathBuf, String>) {
    for entry in std::fs::read_dir(under).expect("a directory") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).expect("a source");
            found.insert(path, text);
        }
    }
}

fn all_sources() -> BTreeMap<PathBuf, String> {
    let mut found = BTreeMap::new();
    let crates = std::fs::read_dir(root().join("crates")).expect("crates");
    let crates = crates.map(|entry| entry.expect("an entry").path());
    for package in crates.chain([root().join("interop-tests")]) {
        for part in ["src", "tests"] {
            let part = package.join(part);
            if part.is_dir() {
                sources(&part, &mut found);
            }
        }
    }
    found
}

/// The module that a file holds, as `crate::module`.
fn module_of(file: &Path) -> String {
    let inside = file.strip_prefix(root()).expect("in the tree");
    let mut parts: Vec<&str> = inside
        .iter()
        .map(|part| part.to_str().expect("text"))
        .collect();
    if parts[0] == "crates" {
        parts.remove(0);
    }
    parts.remove(1);
    let last = parts.pop().expect("a file").trim_end_matches(".rs");
    if !["lib", "mod", "main"].contains(&last) {
        parts.push(last);
    }
    parts.join("::")
}

/// All tests of the workspace, by the names that the table uses.
fn known_tests() -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for (file, text) in all_sources() {
        let module = module_of(&file);
        let (mut inner, mut marked) = ("", false);
        for line in text.lines() {
            let code = line.trim_start();
            if let Some(name) = line.strip_prefix("mod ").and_then(|l| l.strip_suffix(" {")) {
                inner = name;
            }
            marked |= code.starts_with("#[test]") || code.starts_with("#[tokio::test");
            let function = code.trim_start_matches("async ").strip_prefix("fn ");
            if let Some(function) = function.filter(|_| marked) {
                let name = function.split('(').next().unwrap_or_default();
                let inside = line.starts_with(' ') && !inner.is_empty();
                let inner = if inside { inner } else { "" };
                let path = [module.as_str(), inner, name].map(str::to_owned);
                let path: Vec<String> = path.into_iter().filter(|p| !p.is_empty()).collect();
                known.insert(path.join("::"));
                marked = false;
            }
        }
    }
    known
}

#[test]
fn every_row_is_there_once() {
    let counts: Vec<usize> = sections().iter().map(Vec::len).filter(|n| *n > 0).collect();
    assert_eq!(counts, ROWS);
    let mut seen = BTreeSet::new();
    for row in rows() {
        assert!(seen.insert(row.id.clone()), "{} is there twice", row.id);
    }
    // Rows are numbered without a gap within their section, so that none can be swapped for
    // another.
    for id in seen.iter().filter(|id| !id.ends_with("-1")) {
        let (section, number) = id.rsplit_once('-').expect("a numbered row");
        let number: u32 = number.parse().expect("a number");
        let before = format!("{section}-{}", number - 1);
        assert!(seen.contains(&before), "{id} without {before}");
    }
}

#[test]
fn every_test_and_file_that_is_named_exists() {
    let known = known_tests();
    assert!(known.len() > 700, "{} tests found", known.len());
    for row in rows() {
        let (tests, files) = row.names();
        for test in tests {
            assert!(known.contains(test), "{}: there is no test {test}", row.id);
        }
        for file in files {
            assert!(root().join(file).is_file(), "{}: no file {file}", row.id);
        }
    }
}

#[test]
fn every_must_is_shown_by_a_test_and_every_other_state_has_a_reason() {
    for row in rows() {
        let (word, reason) = row.state.split_once(": ").unwrap_or((&row.state, ""));
        let known = ["yes", "deviation", "no", "does not apply"].contains(&word);
        let open = row.id.starts_with("G-");
        assert!(known || open, "{}: {}", row.id, row.state);
        assert!(
            word == "yes" || open || !reason.is_empty(),
            "{}: why?",
            row.id
        );
        let (tests, _) = row.names();
        if row.level.starts_with("MUST") && word != "does not apply" {
            assert!(word != "no" && !tests.is_empty(), "{} needs a test", row.id);
        }
    }
}

#[test]
fn deviations_are_marked_where_they_are_made() {
    let sources = all_sources();
    let marked = |id: &str| {
        let section = id.split('-').nth(1).expect("a section");
        sources.values().any(|text| {
            text.lines()
                .filter_map(|line| line.split_once("DEVIATION("))
                .any(|(_, rest)| rest.contains(&format!("§{section}")))
        })
    };
    for row in rows().filter(|row| row.state.starts_with("deviation") && !row.id.starts_with("P-"))
    {
        assert!(marked(&row.id), "{}: no DEVIATION(…) in the code", row.id);
    }
}
