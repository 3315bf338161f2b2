//! `ottla` and `ottla server`: a broker in the foreground until a signal stops it.

mod banner;
mod holder;
mod logging;
mod quick;
mod serve;

use crate::configuration;
use crate::failure::Failure;
use logging::LogFormat;
use std::path::PathBuf;
use std::time::Instant;

/// Start a broker for this machine.
#[derive(clap::Args, Debug)]
pub(crate) struct QuickStart {
    /// Address that clients connect to.
    #[arg(long, default_value = "127.0.0.1:9092")]
    pub(crate) listen: String,
    /// Directory of the data; formatted when it is new.
    #[arg(long, default_value = "./ottla-data")]
    pub(crate) data: PathBuf,
    /// Acknowledge a record once it is on the device.
    #[arg(long)]
    pub(crate) durable: bool,
    /// A setting of server.properties, `key=value`; may be repeated.
    #[arg(long = "override")]
    pub(crate) overrides: Vec<String>,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    pub(crate) log_format: LogFormat,
}

impl Default for QuickStart {
    fn default() -> QuickStart {
        QuickStart {
            listen: "127.0.0.1:9092".to_owned(),
            data: PathBuf::from("./ottla-data"),
            durable: false,
            overrides: Vec::new(),
            log_format: LogFormat::Human,
        }
    }
}

/// Start a broker or controller from a Kafka server.properties.
#[derive(clap::Args, Debug)]
pub(crate) struct ServerArguments {
    /// The properties file.
    #[arg(long, short)]
    config: Option<PathBuf>,
    /// The properties file, as `kafka-server-start` takes it.
    #[arg(conflicts_with = "config", required_unless_present = "config")]
    file: Option<PathBuf>,
    /// A setting that replaces the file's, `key=value`; may be repeated.
    #[arg(long = "override")]
    overrides: Vec<String>,
    /// Format the log directories if all of them are empty. Without it an empty directory stops the start, because
    /// an unmounted disk must not become an empty cluster.
    #[arg(long)]
    format_if_empty: bool,
    /// How log lines look.
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

/// Runs the broker that needs no configuration.
pub(crate) fn quick_start(arguments: &QuickStart) -> Result<(), Failure> {
    let since = Instant::now();
    logging::start(arguments.log_format, "warn");
    let config = quick::configuration(arguments)?;
    serve::serve(config, &serve::Start { since, format_if_empty: true, data: Some(arguments.data.clone()) })
}

/// Runs a broker as its file says.
pub(crate) fn from_file(arguments: &ServerArguments) -> Result<(), Failure> {
    let since = Instant::now();
    logging::start(arguments.log_format, "info");
    let file = arguments.config.as_ref().or(arguments.file.as_ref());
    let file = file.ok_or_else(|| Failure::new("--config names the properties file"))?;
    let config = configuration::load(file, &arguments.overrides)?;
    serve::serve(config, &serve::Start { since, format_if_empty: arguments.format_if_empty, data: None })
}
