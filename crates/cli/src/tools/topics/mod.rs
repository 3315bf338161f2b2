//! `ottla topics`: create, list, describe, grow and delete topics, as `kafka-topics` does.

mod arguments;
mod change;
mod describe;
mod select;

pub(crate) use arguments::Arguments;

use crate::client::cluster::Cluster;
use crate::failure::Failure;
use crate::output;

/// How long the controller may take, in milliseconds.
const TIMEOUT_MS: i32 = 60_000;

/// Does what the one action option says. Kafka's tool begins every failure with the same words, which scripts look for.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    act(arguments).map_err(|failure| Failure::new(format!("Error while executing topic command : {failure}")))
}

fn act(arguments: &Arguments) -> Result<(), Failure> {
    let mut cluster = Cluster::connect(&arguments.bootstrap_server)?;
    if arguments.create {
        return change::create(&mut cluster, arguments);
    }
    let topics = select::topics(&mut cluster, arguments)?;
    if arguments.list {
        for topic in topics {
            output::line(topic.name);
        }
        Ok(())
    } else if arguments.describe {
        describe::describe(&mut cluster, arguments, &topics)
    } else if arguments.alter {
        change::grow(&mut cluster, arguments, &topics)
    } else {
        change::delete(&mut cluster, &topics)
    }
}
