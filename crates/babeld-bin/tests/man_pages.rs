//! The manual pages say all that the programs understand, and nothing that they do not.

use anyhow::{Context, Result, bail, ensure};
use babeld::config::vocabulary::{INTERFACE_OPTIONS, NODE_OPTIONS, RULE_WORDS, STATEMENTS};
use babeld::config::{Origin, Place, parse_statement};
use babeld::{cli, ctl};
use std::collections::BTreeSet;
use std::process::Command;

const BABELD: &str = include_str!("../../../doc/man/babeld.8");
const BABELCTL: &str = include_str!("../../../doc/man/babelctl.8");
const FAMILIES: [&str; 2] = [
    include_str!("../src/metrics/exposition.rs"),
    include_str!("../src/metrics/quality.rs"),
];

type Words = BTreeSet<String>;

/// What is under a heading: `Sh` for sections, `Ss` for subsections.
fn under<'p>(page: &'p str, heading: &str) -> Result<&'p str> {
    let start = format!("\n.{heading}\n");
    let (_, rest) = page
        .split_once(&start)
        .with_context(|| format!("no heading {heading:?}"))?;
    let end = rest.find("\n.Sh ").unwrap_or(rest.len());
    let end = match heading.strip_prefix("Ss ") {
        Some(_) => end.min(rest.find("\n.Ss ").unwrap_or(end)),
        None => end,
    };
    rest.get(..end).context("a section")
}

/// The words after macro `with` on the lines that head an entry.
fn entries(text: &str, with: &str) -> Words {
    let heads = text.lines().filter_map(|line| line.strip_prefix(".It "));
    let head = |line: &str| -> Option<String> {
        let mut words = line.split(' ');
        (words.next()? == with)
            .then(|| words.next().map(str::to_owned))
            .flatten()
    };
    heads.filter_map(head).collect()
}

/// Every word after `Fl` on the lines that head an entry, with its dashes.
fn flags(text: &str) -> Words {
    let heads = text.lines().filter(|line| line.starts_with(".It Fl "));
    let words: Vec<&str> = heads.flat_map(|line| line.split(' ')).collect();
    let pairs = words.windows(2).filter_map(|pair| match *pair {
        ["Fl", flag] => Some(format!("-{flag}")),
        _ => None,
    });
    pairs.collect()
}

/// Every flag at the beginning of a line of a help text.
fn flags_of_help(help: &str) -> Words {
    let lines = help.lines().filter(|line| line.starts_with("  "));
    let lines = lines.filter(|line| line.trim_start().starts_with('-'));
    lines
        .flat_map(|line| line.split("  ").find(|part| !part.is_empty()))
        .flat_map(|part| part.split([' ', ',']))
        .filter(|word| word.starts_with('-'))
        .map(str::to_owned)
        .collect()
}

/// Every name that begins as our metrics do.
fn families(text: &str) -> Words {
    let name = |word: &str| word.starts_with("babel_") || word.starts_with("process_");
    text.split(|c: char| !c.is_ascii_lowercase() && c != '_')
        .filter(|word| name(word) && !word.ends_with('_'))
        .map(str::to_owned)
        .collect()
}

fn same(what: &str, page: &Words, program: &Words) -> Result<()> {
    let missing: Vec<_> = program.difference(page).collect();
    let invented: Vec<_> = page.difference(program).collect();
    ensure!(
        missing.is_empty() && invented.is_empty(),
        "{what}: the page lacks {missing:?} and invents {invented:?}"
    );
    Ok(())
}

fn words(lists: &[&[&str]]) -> Words {
    let all = lists.iter().flat_map(|list| list.iter());
    all.map(|word| (*word).to_owned()).collect()
}

#[test]
fn every_statement_is_there_and_no_other() -> Result<()> {
    let mut page = entries(under(BABELD, "Ss Interfaces and rules")?, "Ic");
    page.extend(entries(under(BABELD, "Ss Options of the node")?, "Ic"));
    let socket = entries(under(BABELD, "Sh CONTROL SOCKET")?, "Ic");
    page.extend(socket.into_iter().filter(|word| word != "json"));
    same("statements", &page, &words(&[STATEMENTS, NODE_OPTIONS]))
}

#[test]
fn every_option_of_interfaces_is_there_and_no_other() -> Result<()> {
    let page = entries(under(BABELD, "Ss Options of interfaces")?, "Cm");
    same("interface options", &page, &words(&[INTERFACE_OPTIONS]))
}

#[test]
fn every_selector_and_action_is_there_and_no_other() -> Result<()> {
    let page = entries(under(BABELD, "Ss Filter rules")?, "Cm");
    same("rules", &page, &words(&[RULE_WORDS]))
}

/// The lists that the tests above trust are the parser's own, for hints; it must know each word.
#[test]
fn the_parser_knows_every_word_of_its_lists() -> Result<()> {
    let place = Place::new(Origin::Socket, 1);
    let lines = words(&[STATEMENTS, NODE_OPTIONS]).into_iter();
    let options = words(&[INTERFACE_OPTIONS]).into_iter();
    let rules = words(&[RULE_WORDS]).into_iter();
    let lines = lines
        .chain(options.map(|word| format!("interface x {word}")))
        .chain(rules.map(|word| format!("install {word}")));
    for line in lines {
        if let Err(error) = parse_statement(&line, &place) {
            let unknown = [
                " is not a statement",
                " is not an interface option",
                " is neither ",
            ];
            let reason = &error.reason;
            ensure!(
                !unknown.iter().any(|text| reason.contains(text)),
                "{reason}"
            );
        }
    }
    Ok(())
}

#[test]
fn every_flag_of_babeld_is_there_and_no_other() -> Result<()> {
    let page = flags(under(BABELD, "Sh OPTIONS")?);
    same("babeld", &page, &flags_of_help(cli::HELP))
}

#[test]
fn every_metric_is_there_and_no_other() -> Result<()> {
    let page = families(under(BABELD, "Sh METRICS")?);
    let quoted = |source: &'static str| source.split('"').skip(1).step_by(2);
    let quoted: Vec<&str> = FAMILIES.into_iter().flat_map(quoted).collect();
    same("metrics", &page, &families(&quoted.join(" ")))
}

#[test]
fn every_flag_and_command_of_babelctl_is_there_and_no_other() -> Result<()> {
    let page = flags(under(BABELCTL, "Sh DESCRIPTION")?);
    same("babelctl", &page, &flags_of_help(ctl::USAGE))?;

    let said = ctl::USAGE
        .lines()
        .filter_map(|line| line.strip_prefix("  "));
    let said = said.filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()));
    let mut commands: Words = said
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    // Understood too, as in other programs.
    commands.extend(["help".to_owned(), "version".to_owned()]);
    let page = entries(under(BABELCTL, "Sh COMMANDS")?, "Ic");
    same("commands", &page, &commands)
}

#[test]
fn every_lab_command_is_there_and_no_other() -> Result<()> {
    let help = Command::new(env!("CARGO_BIN_EXE_babelctl"))
        .arg("lab")
        .output()?;
    let help = String::from_utf8(help.stdout)?;
    let said: Words = help
        .lines()
        .filter_map(|line| line.split_once("babelctl lab "))
        .filter_map(|(_, rest)| rest.split(' ').next())
        .map(str::to_owned)
        .collect();
    let section = under(BABELCTL, "Sh LABS")?;
    let heads = section
        .lines()
        .filter_map(|line| line.strip_prefix(".It Ic lab "));
    let page: Words = heads
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    same("lab", &page, &said)?;
    same("lab's options", &flags(section), &flags_of_help(&help))
}

/// What the examples show is understood.
#[test]
fn the_examples_of_configuration_are_good() -> Result<()> {
    let examples = under(BABELD, "Sh EXAMPLES")?;
    let place = Place::new(Origin::file("babeld.8"), 1);
    let mut lines = 0;
    for block in examples.split(".Bd ").skip(1) {
        let (block, _) = block.split_once("\n.Ed").context("a block that ends")?;
        for line in block.lines().skip(1) {
            let parsed = parse_statement(line, &place)?;
            ensure!(parsed.warnings.is_empty(), "{line}: {:?}", parsed.warnings);
            lines += 1;
        }
    }
    ensure!(lines > 8, "only {lines} lines of examples were found");
    Ok(())
}

#[test]
fn mandoc_has_nothing_to_complain_of() -> Result<()> {
    for page in ["babeld.8", "babelctl.8"] {
        let path = format!("{}/../../doc/man/{page}", env!("CARGO_MANIFEST_DIR"));
        let lint = Command::new("mandoc")
            .args(["-T", "lint", "-W", "warning", &path])
            .output()
            .context("mandoc is needed: apt-get install mandoc")?;
        let said = String::from_utf8_lossy(&lint.stdout);
        if !lint.status.success() || !said.is_empty() {
            bail!("{said}{}", String::from_utf8_lossy(&lint.stderr));
        }
    }
    Ok(())
}
