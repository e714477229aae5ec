//! The command line: every flag, the order of things, and what is printed when it is wrong.

use babeld::cli::{Action, CliError, HELP, Invocation, USAGE, VERSION, parse_with};
use babeld::config::{ConfigError, LocalAddress, LocalSocket, Origin, Settings};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tempfile::NamedTempFile;

/// A path where no default configuration is.
const NOWHERE: &str = "/nonexistent/babeld.conf";

fn run(args: &[&str]) -> Result<Invocation, CliError> {
    parse_with(args.iter().map(OsString::from), Path::new(NOWHERE))
}

fn settings(args: &[&str]) -> Settings {
    match run(args) {
        Ok(invocation) => {
            assert_eq!(invocation.action, Action::Run, "{args:?}");
            invocation.settings
        }
        Err(error) => panic!("{args:?} was refused:\n{error}"),
    }
}

/// The first line printed for a bad command line; asserts version and syntax behind it.
fn usage(args: &[&str]) -> String {
    match run(args) {
        Err(error @ CliError::Usage(_)) => {
            let text = error.to_string();
            let (first, rest) = text.split_once('\n').expect("several lines");
            assert_eq!(rest, format!("{VERSION}\n{USAGE}"), "{args:?}");
            first.to_owned()
        }
        other => panic!("{args:?}: {other:?}"),
    }
}

fn config_error(args: &[&str]) -> (ConfigError, String) {
    match run(args) {
        Err(CliError::Config(error)) => {
            let printed = CliError::Config(error.clone()).to_string();
            (*error, printed)
        }
        other => panic!("{args:?}: {other:?}"),
    }
}

fn file(text: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().expect("a temporary file");
    file.write_all(text).expect("written");
    file
}

fn name(file: &NamedTempFile) -> &str {
    file.path().to_str().expect("a plain name")
}

fn interfaces(settings: &Settings) -> Vec<&str> {
    settings
        .interfaces
        .iter()
        .map(|i| i.name.as_str())
        .collect()
}

#[test]
fn without_flags_all_is_as_in_stock() {
    let s = settings(&["eth0"]);
    let expected = Settings {
        interfaces: s.interfaces.clone(),
        ..Settings::default()
    };
    assert_eq!(s, expected);
    assert_eq!(interfaces(&s), ["eth0"]);
    assert_eq!(s.protocol_port, 6696);
    assert_eq!(s.import_tables(), [254]);
    assert_eq!(s.log_file_in_use(), None);
    assert!(!s.prices_on());
}

#[test]
fn flags_with_numbers() {
    let s = settings(&[
        "-p", "0x1a29", "-k", "0", "-A", "7", "-d2", "-M", "0", "-t", "010", "-T11", "-T", "12 ",
        "-T", "11", "-h", "1.5", "-H", " .25 ", "-F", "12",
    ]);
    assert_eq!(s.protocol_port, 6697);
    assert_eq!(s.kernel_priority, 0);
    assert_eq!(s.allow_duplicates, Some(7));
    assert_eq!(s.debug, 2);
    assert_eq!(s.smoothing_half_life, Duration::ZERO);
    assert_eq!(s.export_table, 8);
    assert_eq!(s.import_tables(), [11, 12]);
    assert_eq!(s.wireless_hello_interval, Duration::from_millis(1500));
    assert_eq!(s.wired_hello_interval, Duration::from_millis(250));
    assert_eq!(s.price, Some(12));
}

#[test]
fn flags_without_values_and_files() {
    let s = settings(&[
        "-rlwD", "-S", "/s", "-L=x", "-I", "", "-m", "ff02::7", "eth0", "-d", "1", "--", "-p",
    ]);
    assert!(s.random_id && s.link_detect && s.all_wireless && s.daemonise);
    assert_eq!(s.state_file, Some(PathBuf::from("/s")));
    assert_eq!(s.log_file, Some(PathBuf::from("=x")));
    assert_eq!(s.pid_file, None);
    assert_eq!(s.protocol_group.to_string(), "ff02::7");
    assert_eq!(interfaces(&s), ["eth0", "-p"]);
    assert!(s.warnings.is_empty());
    let daemon = settings(&["-D"]);
    assert_eq!(
        daemon.log_file_in_use(),
        Some(Path::new("/var/log/babeld.log"))
    );
}

#[test]
fn the_last_control_socket_wins_with_its_mode() {
    let path = |read_write| LocalSocket {
        address: LocalAddress::Path("/run/babeld".into()),
        read_write,
    };
    let port = LocalSocket {
        address: LocalAddress::Port(33123),
        read_write: false,
    };
    assert_eq!(
        settings(&["-G", "/run/babeld"]).local_socket,
        Some(path(true))
    );
    assert_eq!(
        settings(&["-G", "5", "-g", "/run/babeld"]).local_socket,
        Some(path(false))
    );
    assert_eq!(
        settings(&["-G/run/babeld", "-g33123"]).local_socket,
        Some(port)
    );
}

#[test]
fn flags_without_effect_warn_once() {
    let s = settings(&[
        "-s",
        "-s",
        "-z",
        "3,128",
        "-q",
        "5",
        "-a",
        "6",
        "-m",
        "ff05::1",
        "-C",
        "metric-factor 9",
    ]);
    let words: Vec<_> = s.warnings.iter().map(|w| w.word.as_str()).collect();
    assert_eq!(words, ["-s", "-z", "-q", "-a", "-m", "metric-factor"]);
    let group = s
        .warnings
        .iter()
        .find(|w| w.word == "-m")
        .map(ToString::to_string);
    assert_eq!(
        group.as_deref(),
        Some("Warning: ff05::1 is not a link-local multicast address (command line)")
    );
}

#[test]
fn a_name_that_no_interface_can_have_is_accepted_with_a_warning() {
    let s = settings(&[
        "-C",
        "redistribute if abcdefghijklmnop",
        "abcdefghijklmno",
        "0123456789abcdef",
    ]);
    assert_eq!(interfaces(&s), ["abcdefghijklmno", "0123456789abcdef"]);
    let words: Vec<_> = s.warnings.iter().map(|w| w.word.as_str()).collect();
    assert_eq!(words, ["abcdefghijklmnop", "0123456789abcdef"]);
    assert!(s.warnings[0].text.contains("longer than the 15 octets"));
}

#[test]
fn a_bad_flag_gives_a_reason_the_version_and_the_syntax() {
    for (args, reason) in [
        (&["-X"][..], "babeld: invalid option -- 'X'"),
        (&["-rX"], "babeld: invalid option -- 'X'"),
        (&["-i", "x"], "babeld: invalid option -- 'i'"),
        (&["--frob"], "babeld: unrecognized option '--frob'"),
        (
            &["eth0", "-p"],
            "babeld: option requires an argument -- 'p'",
        ),
        (
            &["-p", "0"],
            "babeld: -p: '0' is not a number from 1 to 65535",
        ),
        (
            &["-p", "65536"],
            "babeld: -p: '65536' is not a number from 1 to 65535",
        ),
        (
            &["-p", "babel"],
            "babeld: -p: 'babel' is not a number from 1 to 65535",
        ),
        (
            &["-p", "6696x"],
            "babeld: -p: '6696x' is not a number from 1 to 65535",
        ),
        (
            &["-p", ""],
            "babeld: -p: '' is not a number from 1 to 65535",
        ),
        (
            &["-k", "-1"],
            "babeld: -k: '-1' is not a number from 0 to 65535",
        ),
        (
            &["-A", "65536"],
            "babeld: -A: '65536' is not a number from 0 to 65535",
        ),
        (
            &["-d", "-1"],
            "babeld: -d: '-1' is not a number from 0 to 2147483647",
        ),
        (
            &["-M", "3601"],
            "babeld: -M: '3601' is not a number from 0 to 3600",
        ),
        (
            &["-t", "65536"],
            "babeld: -t: '65536' is not a number from 0 to 65535",
        ),
        (
            &["-T", "x"],
            "babeld: -T: 'x' is not a number from 0 to 65535",
        ),
        (
            &["-g", "port"],
            "babeld: -g: 'port' is not a number from 1 to 65535",
        ),
        (
            &["-G", "0"],
            "babeld: -G: '0' is not a number from 1 to 65535",
        ),
        (
            &["-h", "0"],
            "babeld: -h: '0' is not a number of seconds from 0.001 to 655.35",
        ),
        (
            &["-H", "-4"],
            "babeld: -H: '-4' is not a number of seconds from 0.001 to 655.35",
        ),
        (
            &["-H", "655.36"],
            "babeld: -H: '655.36' is not a number of seconds from 0.001 to 655.35",
        ),
        (
            &["-h", ""],
            "babeld: -h: '' is not a number of seconds from 0.001 to 655.35",
        ),
        (
            &["-F", "4294967295"],
            "babeld: -F: '4294967295' is not a number from 0 to 4294967294",
        ),
        (
            &["-q", "x"],
            "babeld: -q: 'x' is not a number from 0 to 4294967295",
        ),
        (&["-m", "fe80::1"], "fe80::1 is not a multicast address"),
        (&["-m", "224.0.0.1"], "224.0.0.1 is not a multicast address"),
        (&["-m", "group"], "babeld: -m: 'group' is not an address"),
        (&[""], "babeld: the name of an interface is empty"),
    ] {
        assert_eq!(usage(args), reason, "{args:?}");
    }
    let tables: Vec<String> = (1..=11).map(|n| format!("-T{n}")).collect();
    let tables: Vec<&str> = tables.iter().map(String::as_str).collect();
    assert_eq!(
        usage(&tables),
        "babeld: -T: at most 10 tables can be imported"
    );
    assert_eq!(settings(&tables[..10]).import_tables().len(), 10);
}

#[test]
fn version_and_help_stop_at_once() {
    for flag in ["-V", "--version"] {
        let invocation = run(&["eth0", flag, "-p", "bad"]).expect("a version");
        assert_eq!(invocation.action, Action::ShowVersion);
    }
    assert_eq!(run(&["--help", "-X"]).expect("help").action, Action::Help);
    assert!(matches!(
        run(&["-C", "bad", "-V"]),
        Err(CliError::Config(_))
    ));
    assert!(VERSION.starts_with("babeld-"));
    let checked = run(&["--check-config", "eth0"]).expect("a check");
    assert_eq!(checked.action, Action::CheckConfig);
}

#[test]
fn help_and_syntax_name_every_flag() {
    for flag in "mphHkASdgGMtTcCLIFVsrlwD".chars() {
        assert!(
            USAGE.contains(&format!("[-{flag}")),
            "-{flag} in the syntax"
        );
        let described = HELP.contains(&format!("\n  -{flag}"));
        assert!(described || flag == 's', "-{flag} in the help");
    }
    for flag in [
        "-s",
        "-z",
        "-q",
        "-a",
        "--help",
        "--version",
        "--check-config",
    ] {
        assert!(HELP.contains(flag), "{flag}");
    }
    assert!(USAGE.starts_with("Syntax: babeld [-V] "));
}

#[test]
fn a_bad_statement_names_itself_and_ends_in_stocks_words() {
    for statement in [
        "foo",
        "",
        "quit",
        "dump",
        "flush interface x",
        "debug 1\ndebug 2",
    ] {
        let (error, printed) = config_error(&["-C", statement]);
        assert_eq!(error.place.origin, Origin::CommandLine, "{statement:?}");
        let last = printed.lines().last();
        assert_eq!(
            last,
            Some("Couldn't parse configuration from command line.")
        );
    }
    let (_, printed) = config_error(&["-C", "interface eth0 rxcots 5"]);
    assert_eq!(
        printed,
        "-C:1:16: 'rxcots' is not an interface option; did you mean 'rxcost'?\n\
         interface eth0 rxcots 5\n               ^~~~~~\n\
         Couldn't parse configuration from command line."
    );
    for statement in ["# x", " ", "debug 3\n"] {
        settings(&["-C", statement]);
    }
}

#[test]
fn a_bad_file_is_named_with_line_and_column() {
    let config = file(b"debug 1\r\n\r\n  redistribute metric 0 # no\r\n");
    let (error, printed) = config_error(&["-c", name(&config)]);
    assert_eq!((error.place.line, error.column, &*error.word), (3, 23, "0"));
    assert_eq!(
        printed,
        format!(
            "{0}:3:23: '0' is out of range: 'metric' takes a number from 1 to 65535\n  \
             redistribute metric 0 # no\n                      ^\n\
             Couldn't parse configuration from file {0} (error at line 3).",
            name(&config)
        )
    );
    let (error, printed) = config_error(&["-c", NOWHERE]);
    assert_eq!(error.place.line, 0);
    assert_eq!(
        printed,
        format!(
            "{NOWHERE}: cannot be read: No such file or directory (os error 2)\n\
             Couldn't parse configuration from file {NOWHERE} (error at line 0)."
        )
    );
    let (error, _) = config_error(&["-c", "/"]);
    assert!(error.reason.contains("cannot be read"), "{error}");
}

#[test]
fn files_need_no_final_newline_nor_valid_utf8_in_comments() {
    assert_eq!(settings(&["-c", name(&file(b""))]), Settings::default());
    assert_eq!(
        settings(&["-c", name(&file(b"# gr\xfc\xdfe\ndebug 2"))]).debug,
        2
    );
    let config = file(b"interface gr\xfcn");
    let (error, _) = config_error(&["-c", name(&config)]);
    assert_eq!(
        (error.column, error.reason.as_str()),
        (11, "this is not valid UTF-8")
    );
}

#[test]
fn files_follow_all_flags_and_override_them() {
    let first = file(b"debug 1\nkernel-priority 1\nredistribute metric 2\ninterface a rxcost 1\n");
    let second = file(b"debug 2\ninterface b\ninterface a rxcost 2\nimport-table 9");
    let s = settings(&[
        "-d",
        "5",
        "-c",
        name(&first),
        "-k",
        "5",
        "-A",
        "5",
        "c",
        "a",
        "-c",
        name(&second),
        "-C",
        "redistribute metric 1",
        "-C",
        "interface a rxcost 9 hello-interval 1",
        "-T",
        "8",
    ]);
    assert_eq!(s.debug, 2);
    assert_eq!(s.kernel_priority, 1);
    assert_eq!(s.allow_duplicates, Some(5));
    let metrics: Vec<_> = s
        .filters
        .redistribute
        .iter()
        .map(|r| r.action.metric)
        .collect();
    assert_eq!(metrics, [1, 2], "rules of -C come first");
    assert_eq!(interfaces(&s), ["a", "b", "c"]);
    let a = s.interface_options("a");
    assert_eq!(a.rxcost, Some(2));
    assert_eq!(a.hello_interval, Some(Duration::from_secs(1)));
    assert_eq!(s.import_tables(), [8, 9]);
}

#[test]
fn the_default_file_is_read_unless_another_is_named() {
    let default = file(b"debug 7");
    let other = file(b"");
    let parse = |args: &[&str]| {
        parse_with(args.iter().map(OsString::from), default.path()).map(|i| i.settings.debug)
    };
    assert_eq!(parse(&[]).expect("good"), 7);
    assert_eq!(parse(&["-C", "debug 3"]).expect("good"), 7);
    assert_eq!(parse(&["-c", name(&other)]).expect("good"), 0);
    let bad = file(b"debug seven");
    let outcome = parse_with(std::iter::empty(), bad.path());
    assert!(matches!(outcome, Err(CliError::Config(_))));
}

#[test]
fn a_check_of_files_reports_what_they_come_to() {
    let config =
        file(b"interface a\ninterface b\nredistribute local deny\nprice 5\ndiversity true");
    let report = babeld::config::check([config.path()]).expect("a good file");
    assert_eq!(report.interfaces().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(
        report.to_string(),
        format!(
            "Warning: 'diversity' has no effect: diversity routing is gone since 1.13 ({}:5)\n\
             interfaces: 2 (a, b)\n\
             filter rules: 0 in, 0 out, 1 redistribute, 0 install\n\
             prices: on\nranking: off\n\
             configuration is good (1 warning)",
            name(&config)
        )
    );
    let bad = file(b"interface");
    let error = babeld::config::check([config.path(), bad.path()]).expect_err("a bad file");
    assert_eq!((error.place.line, error.column), (1, 10));
}

/// Runs the daemon's binary with flags that end it before it touches anything.
fn binary(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_babeld"))
        .args(args)
        .output()
        .expect("the binary runs");
    let text = |octets: Vec<u8>| String::from_utf8(octets).expect("text");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn the_binary_exits_as_stock_does() {
    let bad = file(b"debug 1\nfoo bar\n");
    let pid = tempfile::tempdir().expect("a directory");
    let pid = pid.path().join("pid");
    let pid = pid.to_str().expect("a plain name");
    let (status, out, err) = binary(&["-I", pid, "-c", name(&bad), "eth0"]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    let last = format!(
        "Couldn't parse configuration from file {} (error at line 2).\n",
        name(&bad)
    );
    assert!(
        err.starts_with(&format!("{}:2:1: 'foo' is not a statement", name(&bad))),
        "{err}"
    );
    assert!(err.ends_with(&last), "{err}");
    assert!(!Path::new(pid).exists(), "nothing is touched");

    let (status, out, err) = binary(&["-p", "0"]);
    assert_eq!((status, out.as_str()), (Some(1), ""));
    assert!(
        err.contains(&format!("\n{VERSION}\nSyntax: babeld [-V]")),
        "{err}"
    );

    assert_eq!(
        binary(&["-V"]),
        (Some(0), String::new(), format!("{VERSION}\n"))
    );
    assert_eq!(
        binary(&["--help"]),
        (Some(0), format!("{HELP}\n"), String::new())
    );
    let good = file(b"interface a\n");
    let (status, out, err) = binary(&["--check-config", "-c", name(&good), "b"]);
    assert_eq!((status, err.as_str()), (Some(0), ""));
    assert!(out.starts_with("interfaces: 2 (a, b)\n"), "{out}");
}
