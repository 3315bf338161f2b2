//! `ottla`: the broker and its tools in one program.

mod arguments;
mod client;
mod configuration;
mod failure;
mod output;
mod properties;
mod server;
mod tools;
mod when;

use arguments::Command;
use failure::Failure;
use ottla_host::real::refuse_huge_pages;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    refuse_huge_pages();
    let arguments = match arguments::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(error) => return arguments::report(&error),
    };
    match run(arguments.command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.is_silent() {
                output::note(&failure);
            }
            ExitCode::from(failure.code())
        }
    }
}

fn run(command: Option<Command>) -> Result<(), Failure> {
    match command {
        None => server::quick_start(&server::QuickStart::default()),
        Some(Command::Start(start)) => server::quick_start(&start),
        Some(Command::Server(server)) => server::from_file(&server),
        Some(Command::Storage(storage)) => tools::storage::run(&storage),
        Some(Command::Topics(topics)) => tools::topics::run(&topics),
        Some(Command::ConsoleProducer(producer)) => tools::console_producer::run(&producer),
        Some(Command::ConsoleConsumer(consumer)) => tools::console_consumer::run(&consumer),
        Some(Command::ConsumerGroups(groups)) => tools::consumer_groups::run(&groups),
        Some(Command::Groups(groups)) => tools::groups::run(&groups),
        Some(Command::GetOffsets(offsets)) => tools::get_offsets::run(&offsets),
        Some(Command::DumpLog(dump)) => tools::dump_log::run(&dump),
    }
}
