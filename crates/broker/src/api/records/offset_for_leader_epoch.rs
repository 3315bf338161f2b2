//! OffsetForLeaderEpoch: where a leader's term ends in this log (KIP-101, KIP-320).

use crate::api::call::Call;
use crate::api::records::led;
use crate::cx::Cx;
use crate::cx::rights::Resource;
use ottla_messages::offset_for_leader_epoch::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderTopicResult,
};
use ottla_wire::ErrorCode;
use ottla_wire::ids::LeaderEpoch;

/// Answers each partition by itself.
pub(crate) async fn handle<'a>(
    cx: &Cx,
    mut call: Call<'a, OffsetForLeaderEpochRequest<'a>>,
) -> OffsetForLeaderEpochResponse<'a> {
    let topics = std::mem::take(&mut call.request.topics);
    let answered = topics.into_iter().map(|topic| {
        let may = call.may(cx, Resource::Topic(&topic.topic));
        let hosted = cx.topic(&topic.topic);
        let partitions = topic.partitions.iter().map(|asked| {
            let mut answer = EpochEndOffset { partition: asked.partition, ..EpochEndOffset::default() };
            let partition = match may {
                true => led(cx, hosted.as_deref(), &topic.topic, asked.partition, asked.current_leader_epoch),
                false => Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED),
            };
            match partition.map(|partition| partition.view().epoch_end(LeaderEpoch(asked.leader_epoch))) {
                Ok(Some(end)) => (answer.leader_epoch, answer.end_offset) = (end.epoch.0, end.end.0),
                Ok(None) => {}
                Err(code) => answer.error_code = code.code(),
            }
            answer
        });
        OffsetForLeaderTopicResult { partitions: partitions.collect(), topic: topic.topic.clone() }
    });
    OffsetForLeaderEpochResponse { topics: answered.collect(), ..OffsetForLeaderEpochResponse::default() }
}
