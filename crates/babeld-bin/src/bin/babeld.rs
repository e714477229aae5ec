//! babeld: reads its command line, then runs until told to stop.

use babeld::cli::{self, Action, CliError};
use babeld::{config, log};
use std::process::ExitCode;

fn main() -> ExitCode {
    match cli::parse(std::env::args_os().skip(1)) {
        Ok(invocation) => act(invocation),
        Err(error) => fail(&error),
    }
}

fn act(invocation: cli::Invocation) -> ExitCode {
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
    match babeld::daemon::run(invocation.settings) {
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
