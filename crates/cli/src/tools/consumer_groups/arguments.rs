//! The options of `ottla consumer-groups`, and which of them go together, as `kafka-consumer-groups` has them.

use super::Ended;
use crate::output;

/// List, describe, delete consumer groups, and move their offsets.
#[derive(clap::Args, Debug)]
pub(crate) struct Arguments {
    /// Brokers to connect to, `host:port,…`.
    #[arg(long, default_value = "localhost:9092")]
    pub(super) bootstrap_server: String,
    /// Properties of the connection.
    #[arg(long)]
    pub(super) command_config: Option<String>,
    /// Milliseconds to wait for a coordinator that is still loading.
    #[arg(long, default_value = "30000")]
    pub(super) timeout: u64,
    /// List all consumer groups.
    #[arg(long)]
    pub(super) list: bool,
    /// Show what groups have read, how far they lag, and who is in them.
    #[arg(long)]
    pub(super) describe: bool,
    /// Delete groups with all their offsets.
    #[arg(long)]
    pub(super) delete: bool,
    /// Move the offsets of groups without members: --to-…, --shift-by, --by-duration or --from-file say where.
    #[arg(long)]
    pub(super) reset_offsets: bool,
    /// Delete the offsets of the topics of --topic.
    #[arg(long)]
    pub(super) delete_offsets: bool,
    /// Say whether a regular expression is valid.
    #[arg(long)]
    pub(super) validate_regex: Option<String>,
    /// The group; may be repeated.
    #[arg(long)]
    pub(super) group: Vec<String>,
    /// All consumer groups.
    #[arg(long)]
    pub(super) all_groups: bool,
    /// A topic, `orders`, or some of its partitions, `orders:0,1`; may be repeated.
    #[arg(long)]
    pub(super) topic: Vec<String>,
    /// All topics of which the group has offsets.
    #[arg(long)]
    pub(super) all_topics: bool,
    /// With --describe: the group's members.
    #[arg(long)]
    pub(super) members: bool,
    /// With --describe: offsets and lag, which is what is shown without it too.
    #[arg(long)]
    pub(super) offsets: bool,
    /// With --describe: the group's state. With --list: the states, or only groups in the states given.
    #[arg(long, num_args = 0..=1, value_name = "STATES")]
    pub(super) state: Option<Option<String>>,
    /// With --list: the types, or only groups of the types given.
    #[arg(long = "type", num_args = 0..=1, value_name = "TYPES")]
    pub(super) kind: Option<Option<String>>,
    /// With --describe: more columns.
    #[arg(long)]
    pub(super) verbose: bool,
    /// Only show where offsets would be moved to; the same as no --execute.
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Move the offsets.
    #[arg(long)]
    pub(super) execute: bool,
    /// Print the new offsets as CSV, as --from-file reads it.
    #[arg(long)]
    pub(super) export: bool,
    /// To this offset.
    #[arg(long, allow_negative_numbers = true)]
    pub(super) to_offset: Option<i64>,
    /// To the offsets in a CSV file: topic,partition,offset or group,topic,partition,offset.
    #[arg(long)]
    pub(super) from_file: Option<String>,
    /// To the first record at or after a time: YYYY-MM-DDThh:mm:ss.sss, UTC unless it says otherwise.
    #[arg(long)]
    pub(super) to_datetime: Option<String>,
    /// To the first record of this long ago: PnDTnHnMnS.
    #[arg(long, allow_hyphen_values = true)]
    pub(super) by_duration: Option<String>,
    /// To the first record.
    #[arg(long)]
    pub(super) to_earliest: bool,
    /// To the next record to come.
    #[arg(long)]
    pub(super) to_latest: bool,
    /// To where the group is.
    #[arg(long)]
    pub(super) to_current: bool,
    /// Forward by so many records, or back by a negative number.
    #[arg(long, allow_negative_numbers = true)]
    pub(super) shift_by: Option<i64>,
}

/// What Kafka's tool says when --reset-offsets stands alone.
const NO_ACTION: &str = "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command \
will require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if you are scripting \
this command and want to keep the current default behavior without prompting.";

impl Arguments {
    /// Checks that the options go together; the texts are those of Kafka's tool.
    pub(super) fn check(&self) -> Result<(), Ended> {
        self.check_scope()?;
        self.check_reset()?;
        let group = !self.group.is_empty();
        let clashes = [
            (group, "group", self.all_groups, "all-groups"),
            (group, "group", self.list, "list"),
            (!self.topic.is_empty(), "topic", self.list, "list"),
            (!self.topic.is_empty(), "topic", self.describe, "describe"),
        ];
        for (has, option, clashes, other) in clashes {
            if has && clashes {
                return Err(clash(option, other));
            }
        }
        let actions = [
            self.list,
            self.describe,
            self.delete,
            self.reset_offsets,
            self.delete_offsets,
            self.validate_regex.is_some(),
        ];
        if actions.iter().filter(|given| **given).count() != 1 {
            return usage(
                "Command must include exactly one action: --list, --describe, --delete, --reset-offsets, --delete-offsets, \
                 --validate-regex",
            );
        }
        self.check_parts()
    }

    fn check_scope(&self) -> Result<(), Ended> {
        let none = self.group.is_empty() && !self.all_groups;
        if self.describe && none {
            return usage("Option [describe] takes one of these options: [group], [all-groups]");
        }
        if self.describe
            && [self.members, self.offsets, self.state.is_some()].iter().filter(|given| **given).count() > 1
        {
            return usage("Option [describe] takes at most one of these options: [members], [offsets], [state]");
        }
        if self.describe && matches!(self.state, Some(Some(_))) {
            return usage("Option [describe] does not take a value for [state]");
        }
        if self.delete && none {
            return usage("Option [delete] takes one of these options: [group], [all-groups]");
        }
        if self.delete && !self.topic.is_empty() {
            return usage("The consumer does not support topic-specific offset deletion from a consumer group.");
        }
        if self.delete_offsets && (self.group.is_empty() || self.topic.is_empty()) {
            return usage("Option [delete-offsets] takes the following options: [group], [topic]");
        }
        Ok(())
    }

    fn check_reset(&self) -> Result<(), Ended> {
        if !self.reset_offsets {
            return Ok(());
        }
        if self.dry_run && self.execute {
            return usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
        }
        if !self.dry_run && !self.execute {
            output::note(NO_ACTION);
        }
        if self.group.is_empty() && !self.all_groups {
            return usage("Option [reset-offsets] takes one of these options: [group], [all-groups]");
        }
        let scenarios = [
            ("to-offset", self.to_offset.is_some()),
            ("to-datetime", self.to_datetime.is_some()),
            ("by-duration", self.by_duration.is_some()),
            ("to-earliest", self.to_earliest),
            ("to-latest", self.to_latest),
            ("to-current", self.to_current),
            ("shift-by", self.shift_by.is_some()),
            ("from-file", self.from_file.is_some()),
        ];
        let mut given = scenarios.iter().filter(|(_, given)| *given);
        match (given.next(), given.next()) {
            (Some((first, _)), Some((second, _))) => Err(clash(first, second)),
            _ => Ok(()),
        }
    }

    /// Options that are only understood with some action.
    fn check_parts(&self) -> Result<(), Ended> {
        let parts = [
            ("members", self.members, self.describe, "describe"),
            ("verbose", self.verbose, self.describe, "describe"),
            ("offsets", self.offsets, self.describe, "describe"),
            ("state", self.state.is_some(), self.describe || self.list, "describe, list"),
            ("type", self.kind.is_some(), self.list, "list"),
        ];
        match parts.iter().find(|(_, given, fits, _)| *given && !fits) {
            Some((option, _, _, actions)) => usage(format!(
                "Option(s) [{option}] are unavailable given other options on the command line ({actions})"
            )),
            None => Ok(()),
        }
    }
}

fn usage<T>(text: impl Into<String>) -> Result<T, Ended> {
    Err(Ended::Usage(text.into()))
}

fn clash(option: &str, other: &str) -> Ended {
    Ended::Usage(format!("Option \"[{option}]\" can't be used with option \"[{other}]\""))
}
