//! babeld: reads its command line, then runs until told to stop.

use babeld::cli::{self, Action, CliError};
use babeld::{config, log, probe};
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    if let Some(code) = probe::become_worker() {
        return code;
    }
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match cli::parse(arguments.clone()) {
        Ok(invocation) => act(invocation, arguments),
        Err(error) => fail(&error),
    }
}

fn act(invocation: cli::Invocation, arguments: Vec<OsString>) -> ExitCode {
    match invocation.action {
        Action::Run => {}
        Action::ShowVersion => {
            log::complain(cli::VERSION);
            return ExitCode::SUCCESS;
        }
        Action::Help => {
            log::say(cli::HELP);
            return ExitCode::SUCCESS;
        }
        Action::CheckConfig => {
            let settings = invocation.settings;
            log::say(config::Report { settings });
            return ExitCode::SUCCESS;
        }
    }
    match babeld::daemon::run(invocation.settings, arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::complain(format_args!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn fail(error: &CliError) -> ExitCode {
    log::complain(error);
    ExitCode::FAILURE
}
