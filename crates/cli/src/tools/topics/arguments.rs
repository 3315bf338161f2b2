//! The options of `ottla topics`, as `kafka-topics` has them.

/// Create, delete, describe, or change a topic.
#[derive(clap::Args, Debug)]
#[command(group = clap::ArgGroup::new("action").required(true).args(["create", "delete", "alter", "list", "describe"]))]
pub(crate) struct Arguments {
    /// Brokers to connect to, `host:port,…`.
    #[arg(long, default_value = "localhost:9092")]
    pub(crate) bootstrap_server: String,
    /// Properties of the connection.
    #[arg(long)]
    pub(crate) command_config: Option<String>,
    /// List all topics.
    #[arg(long)]
    pub(crate) list: bool,
    /// Create a topic.
    #[arg(long)]
    pub(crate) create: bool,
    /// Delete topics.
    #[arg(long)]
    pub(crate) delete: bool,
    /// Raise the number of partitions.
    #[arg(long)]
    pub(crate) alter: bool,
    /// Show partitions, replicas and configuration.
    #[arg(long)]
    pub(crate) describe: bool,
    /// The topic; for all but --create a regular expression is understood too.
    #[arg(long)]
    pub(crate) topic: Option<String>,
    /// The id of the topic to describe.
    #[arg(long)]
    pub(crate) topic_id: Option<String>,
    /// A setting of the topic to create, `name=value`; may be repeated.
    #[arg(long)]
    pub(crate) config: Vec<String>,
    /// Partitions of the topic: at creation, or after --alter.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) partitions: Option<i32>,
    /// Replicas of each partition.
    #[arg(long, allow_negative_numbers = true)]
    pub(crate) replication_factor: Option<i16>,
    /// Brokers of each partition's replicas, `1:2,2:3`: partitions by comma, replicas by colon.
    #[arg(long)]
    pub(crate) replica_assignment: Option<String>,
    /// Show only partitions with fewer in-sync replicas than replicas.
    #[arg(long)]
    pub(crate) under_replicated_partitions: bool,
    /// Show only partitions without a leader.
    #[arg(long)]
    pub(crate) unavailable_partitions: bool,
    /// Show only partitions with fewer in-sync replicas than min.insync.replicas.
    #[arg(long)]
    pub(crate) under_min_isr_partitions: bool,
    /// Show only partitions with exactly min.insync.replicas in-sync replicas.
    #[arg(long)]
    pub(crate) at_min_isr_partitions: bool,
    /// Show only topics with settings of their own.
    #[arg(long)]
    pub(crate) topics_with_overrides: bool,
    /// Do nothing when the topic does not exist.
    #[arg(long)]
    pub(crate) if_exists: bool,
    /// Do nothing when the topic exists.
    #[arg(long)]
    pub(crate) if_not_exists: bool,
    /// Leave out internal topics.
    #[arg(long)]
    pub(crate) exclude_internal: bool,
    /// Most partitions in one answer of a describe.
    #[arg(long)]
    pub(crate) partition_size_limit_per_response: Option<i32>,
}
