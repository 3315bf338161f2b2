//! Topics of the cluster itself, made when they are first needed.

use super::Cx;
use crate::coordinators::OFFSETS_TOPIC;
use ottla_metadata::controller::{Answer, Command, NewTopic, Refusal};
use std::time::Duration;

/// Longest time that a request waits for a topic to be made.
const CREATE_MAX: Duration = Duration::from_secs(5);

impl Cx {
    /// The topic of groups and their offsets, as settings want it made.
    pub(crate) fn offsets_topic(&self) -> NewTopic {
        let offsets = &self.config().groups.offsets;
        let configs = [
            ("cleanup.policy", "compact".to_owned()),
            ("compression.type", "producer".to_owned()),
            ("segment.bytes", offsets.topic_segment_bytes.to_string()),
        ];
        NewTopic {
            name: OFFSETS_TOPIC.to_owned(),
            partitions: offsets.topic_partitions,
            replication_factor: offsets.topic_replication_factor,
            configs: configs.into_iter().map(|(name, value)| (name.to_owned(), Some(value))).collect(),
            ..NewTopic::default()
        }
    }

    /// Makes the topic of groups and their offsets, unless it is there.
    pub(crate) async fn make_offsets_topic(&self) {
        if self.image().topic(OFFSETS_TOPIC).is_some() {
            return;
        }
        let command = Command::CreateTopics { topics: vec![self.offsets_topic()], validate_only: false };
        let control = self.control().clone();
        let made = tokio::select! {
            biased;
            made = control.submit(&command) => made,
            () = self.sleep_until(self.monotonic() + CREATE_MAX) => return,
        };
        match made {
            Ok(Answer::CreatedTopics(outcomes)) => outcomes.into_iter().for_each(|(_, made)| told(made.map(|_| ()))),
            Ok(_) => {}
            Err(refusal) => told(Err(refusal)),
        }
    }
}

fn told(made: Result<(), Refusal>) {
    match made {
        Ok(()) => tracing::info!(topic = OFFSETS_TOPIC, "topic created for consumer groups"),
        Err(refusal) => {
            let (code, reason) = (refusal.code.name(), refusal.message.unwrap_or_default());
            tracing::warn!(topic = OFFSETS_TOPIC, code, reason, "the topic of consumer groups cannot be made yet");
        }
    }
}
