//! Fetch: slices of partitions, waiting for data (KIP-74 sizes, KIP-227 sessions, KIP-320 epochs, KIP-516 topic ids,
//! KIP-595 divergence, KIP-951 new leaders). Record data goes from its file to the socket and is not looked at.

use crate::api::call::Call;
use crate::api::peer::Stage;
use crate::api::records::outcome;
use crate::cx::rights::Resource;
use crate::cx::sessions::{Context, NO_SESSION, Told, Wanted};
use crate::cx::{Bell, Cx, Hosted, Partition, Reading, Region, Slice, Upto, count};
use ottla_messages::fetch::{
    self, AbortedTransaction, EpochEndOffset, FetchRequest, FetchResponse, FetchableTopicResponse, LeaderIdAndEpoch,
    PartitionData,
};
use ottla_wire::ids::{LeaderEpoch, Offset};
use ottla_wire::{ErrorCode, Records};
use std::sync::Arc;
use std::time::Duration;

/// A partition of the request, or why it is not read.
type Place = Result<Arc<Partition>, ErrorCode>;

/// What a look at a partition gave.
struct Look {
    code: ErrorCode,
    told: Told,
    stable: i64,
    slice: Option<Slice>,
    aborted: Option<Vec<AbortedTransaction>>,
    diverging: Option<EpochEndOffset>,
}

impl Look {
    fn failed(code: ErrorCode) -> Look {
        let told = Told { watermark: -1, log_start: -1 };
        Look { code, told, stable: -1, slice: None, aborted: None, diverging: None }
    }

    fn size(&self) -> usize {
        self.slice.as_ref().map_or(0, |slice| slice.length as usize)
    }

    /// Whether the client should hear of it without waiting for more.
    fn is_urgent(&self) -> bool {
        self.code != ErrorCode::NONE || self.diverging.is_some()
    }
}

/// What a request wants of all of its partitions.
struct Plan {
    wanted: Vec<Wanted>,
    places: Vec<Place>,
    upto: Upto,
    max_bytes: usize,
}

/// Reads, or waits until there is enough to read, and answers.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, FetchRequest<'a>>) -> FetchResponse<'a> {
    let by_id = call.version.can(fetch::TOPIC_IDS);
    let (context, wanted) = match cx.sessions().begin(&call.request, by_id, cx.monotonic()) {
        Ok(begun) => begun,
        Err(code) => return FetchResponse { error_code: code.code(), ..FetchResponse::default() },
    };
    call.set_stage(Stage::Settled);
    let plan = Plan {
        places: locate_all(cx, &call, &wanted),
        wanted,
        upto: if call.request.isolation_level == 1 { Upto::Stable } else { Upto::Watermark },
        max_bytes: usize::try_from(call.request.max_bytes.min(cx.fetch_bytes_max())).unwrap_or(0),
    };
    let looks = look_or_wait(cx, &call, &plan).await;
    read_cold_ahead(cx, &plan, &looks).await;
    respond(cx, &call, &context, &plan, looks)
}

fn locate_all(cx: &Cx, call: &Call<'_, FetchRequest<'_>>, wanted: &[Wanted]) -> Vec<Place> {
    let mut last: Option<(&Wanted, Result<Arc<Hosted>, ErrorCode>)> = None;
    let is_follower = call.request.replica_id >= 0 || call.request.replica_state.replica_id >= 0;
    let places = wanted.iter().map(|wanted| {
        let same = |other: &Wanted| other.topic_id == wanted.topic_id && Arc::ptr_eq(&other.topic, &wanted.topic);
        let hosted = match &last {
            Some((other, hosted)) if same(other) => hosted.clone(),
            Some(_) | None => locate(cx, call, wanted),
        };
        last = Some((wanted, hosted.clone()));
        let hosted = hosted?;
        // Nothing here has a replica elsewhere that could follow.
        if is_follower {
            return Err(ErrorCode::NOT_LEADER_OR_FOLLOWER);
        }
        hosted.find(wanted.spec.index).cloned()
    });
    places.collect()
}

/// The topic, if there is one that the caller may read. Whoever may not learns nothing about its existence by name.
fn locate(cx: &Cx, call: &Call<'_, FetchRequest<'_>>, wanted: &Wanted) -> Result<Arc<Hosted>, ErrorCode> {
    if !wanted.topic_id.is_zero() {
        let hosted = cx.topic_by_id(wanted.topic_id).ok_or(ErrorCode::UNKNOWN_TOPIC_ID)?;
        let may = call.may(cx, Resource::Topic(&hosted.name));
        return if may { Ok(hosted) } else { Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED) };
    }
    if call.version.can(fetch::TOPIC_IDS) {
        return Err(ErrorCode::UNKNOWN_TOPIC_ID);
    }
    if !call.may(cx, Resource::Topic(&wanted.topic)) {
        return Err(ErrorCode::TOPIC_AUTHORIZATION_FAILED);
    }
    cx.topic(&wanted.topic).ok_or(ErrorCode::UNKNOWN_TOPIC_OR_PARTITION)
}

async fn look_or_wait(cx: &Cx, call: &Call<'_, FetchRequest<'_>>, plan: &Plan) -> Vec<Look> {
    let min_bytes = usize::try_from(call.request.min_bytes).unwrap_or(0);
    let max_wait = Duration::from_millis(u64::try_from(call.request.max_wait_ms).unwrap_or(0));
    let looks = look_all(plan);
    if max_wait.is_zero() || is_enough(&looks, min_bytes) {
        return looks;
    }
    let bell = Bell::new();
    let _ringing: Vec<_> = plan.places.iter().flatten().map(|partition| partition.ring_on_change(&bell)).collect();
    let mut timer = cx.sleep_until(cx.monotonic() + max_wait);
    loop {
        let looks = look_all(plan);
        if is_enough(&looks, min_bytes) || cx.is_stopping() {
            return looks;
        }
        let is_late = tokio::select! {
            biased;
            () = bell.rung() => false,
            () = &mut timer => true,
        };
        if is_late {
            return look_all(plan);
        }
    }
}

fn is_enough(looks: &[Look], min_bytes: usize) -> bool {
    let size: usize = looks.iter().map(Look::size).sum();
    looks.is_empty() || size >= min_bytes || looks.iter().any(Look::is_urgent)
}

fn look_all(plan: &Plan) -> Vec<Look> {
    let mut left = plan.max_bytes;
    let mut any = false;
    let looks = plan.wanted.iter().zip(&plan.places).map(|(wanted, place)| {
        let partition = match place {
            Ok(partition) => partition,
            Err(code) => return Look::failed(*code),
        };
        let limit = usize::try_from(wanted.spec.max_bytes).unwrap_or(0).min(left);
        let reading = Reading {
            from: Offset(wanted.spec.offset),
            max_bytes: u32::try_from(limit).unwrap_or(u32::MAX),
            // The first batch of the first partition that has one is sent whatever its size (KIP-74).
            at_least_one: !any,
            upto: plan.upto,
        };
        let look = look(partition, wanted, reading).unwrap_or_else(Look::failed);
        any |= look.size() > 0;
        left = left.saturating_sub(look.size());
        look
    });
    looks.collect()
}

fn look(partition: &Partition, wanted: &Wanted, reading: Reading) -> Result<Look, ErrorCode> {
    partition.serves().map_err(outcome::unavailable)?;
    check_epoch(partition, wanted.spec.current_leader_epoch)?;
    let view = partition.view();
    let told = Told { watermark: partition.watermark().0, log_start: view.start().0 };
    let stable = partition.stable().0;
    if let Some(diverging) = divergence(partition, wanted)? {
        return Ok(Look { diverging: Some(diverging), told, stable, ..Look::failed(ErrorCode::NONE) });
    }
    let slice = partition.read(reading).map_err(|error| outcome::fetch(&error))?;
    let aborted = match reading.upto {
        Upto::Stable => Some(aborted(partition, &slice)?),
        Upto::Watermark | Upto::End => None,
    };
    Ok(Look { code: ErrorCode::NONE, told, stable, slice: Some(slice), aborted, diverging: None })
}

/// Compares the term that the client believes in with ours (KIP-320).
pub(crate) fn check_epoch(partition: &Partition, current: i32) -> Result<(), ErrorCode> {
    let known = partition.leader_epoch().0;
    match current {
        -1 => Ok(()),
        current if current < known => Err(ErrorCode::FENCED_LEADER_EPOCH),
        current if current > known => Err(ErrorCode::UNKNOWN_LEADER_EPOCH),
        _ => Ok(()),
    }
}

/// Where the client's log and ours part, if they do (KIP-595).
fn divergence(partition: &Partition, wanted: &Wanted) -> Result<Option<EpochEndOffset>, ErrorCode> {
    let fetched = wanted.spec.last_fetched_epoch;
    if fetched < 0 {
        return Ok(None);
    }
    let Some(end) = partition.view().epoch_end(LeaderEpoch(fetched)) else {
        return Err(ErrorCode::OFFSET_OUT_OF_RANGE);
    };
    let parts = end.epoch.0 < fetched || end.end.0 < wanted.spec.offset;
    Ok(parts.then_some(EpochEndOffset { epoch: end.epoch.0, end_offset: end.end.0 }))
}

/// Transactions in the slice that were aborted. How far to look is asked after the slice was read, which ends before: one
/// that was aborted meanwhile may lie in it.
fn aborted(partition: &Partition, slice: &Slice) -> Result<Vec<AbortedTransaction>, ErrorCode> {
    if slice.is_empty() {
        return Ok(Vec::new());
    }
    let found = partition.view().aborted_transactions(slice.first_offset, partition.stable());
    let found = found.map_err(|error| outcome::read(&error))?;
    let told = |aborted: &ottla_log::AbortedTransaction| AbortedTransaction {
        producer_id: aborted.producer_id.0,
        first_offset: aborted.first_offset.0,
    };
    Ok(found.iter().map(told).collect())
}

/// Lets the directory's own thread read what is not in memory, so that sending never waits for the disk.
async fn read_cold_ahead(cx: &Cx, plan: &Plan, looks: &[Look]) {
    for (place, look) in plan.places.iter().zip(looks) {
        if let (Ok(partition), Some(slice)) = (place, &look.slice) {
            cx.read_ahead(partition, slice).await;
        }
    }
}

fn respond<'a>(
    cx: &Cx,
    call: &Call<'a, FetchRequest<'a>>,
    context: &Context,
    plan: &Plan,
    looks: Vec<Look>,
) -> FetchResponse<'a> {
    let session_id = match context {
        Context::Full => NO_SESSION,
        Context::Incremental { id } => *id,
        Context::Open => {
            let partitions = plan.wanted.iter().cloned().zip(looks.iter().map(|look| look.told));
            let by_id = call.version.can(fetch::TOPIC_IDS);
            cx.sessions().open(|| cx.fresh_session_id(), by_id, partitions, cx.monotonic())
        }
    };
    let mut response = FetchResponse { session_id, ..FetchResponse::default() };
    let mut regions = call.regions.lock();
    for (at, look) in looks.into_iter().enumerate() {
        let wanted = &plan.wanted[at];
        if let Context::Incremental { id } = context {
            let told = (!look.is_urgent()).then_some(look.told);
            if !cx.sessions().tell(*id, wanted, told, look.size() > 0) {
                continue;
            }
        }
        count_fetched(cx, &plan.places[at], &look);
        let data = partition_data(cx, call, wanted, look, &mut regions);
        push(&mut response, call, wanted, data);
    }
    response
}

fn count_fetched(cx: &Cx, place: &Place, look: &Look) {
    let Ok(partition) = place else { return };
    if let Some(hosted) = cx.topic_by_id(partition.topic_id()) {
        count(&hosted.meters.fetch_requests, 1);
        count(&hosted.meters.bytes_out, look.size() as u64);
        count(&hosted.meters.fetch_failures, u64::from(look.code != ErrorCode::NONE));
    }
}

/// Adds a partition to the topic that came last, or begins a topic.
fn push<'a>(
    response: &mut FetchResponse<'a>,
    call: &Call<'a, FetchRequest<'a>>,
    wanted: &Wanted,
    data: PartitionData<'a>,
) {
    let by_id = call.version.can(fetch::TOPIC_IDS);
    match response.responses.last_mut() {
        Some(last) if last.topic_id == wanted.topic_id && (by_id || *last.topic == *wanted.topic) => {
            last.partitions.push(data);
        }
        Some(_) | None => response.responses.push(FetchableTopicResponse {
            topic: if by_id { "".into() } else { wanted.topic.to_string().into() },
            topic_id: wanted.topic_id,
            partitions: vec![data],
        }),
    }
}

fn partition_data<'a>(
    cx: &Cx,
    call: &Call<'a, FetchRequest<'a>>,
    wanted: &Wanted,
    look: Look,
    regions: &mut Vec<Region>,
) -> PartitionData<'a> {
    let mut data = PartitionData {
        partition_index: wanted.spec.index,
        error_code: look.code.code(),
        high_watermark: look.told.watermark,
        last_stable_offset: look.stable,
        log_start_offset: look.told.log_start,
        aborted_transactions: look.aborted,
        records: Some(Records::Bytes(&[])),
        ..PartitionData::default()
    };
    if let Some(diverging) = look.diverging.filter(|_| call.version.can(fetch::DIVERGING_EPOCH)) {
        data.diverging_epoch = diverging;
    }
    let moved = look.code == ErrorCode::NOT_LEADER_OR_FOLLOWER || look.code == ErrorCode::FENCED_LEADER_EPOCH;
    if moved
        && call.version.can(fetch::NEW_LEADER_HINT)
        && let Some((leader, epoch)) = cx.leader_of(&wanted.topic, wanted.topic_id, wanted.spec.index)
    {
        data.current_leader = LeaderIdAndEpoch { leader_id: leader.0, leader_epoch: epoch.0 };
    }
    if let Some(slice) = look.slice
        && let Some(region) = Region::of(&slice)
    {
        let id = u32::try_from(regions.len()).unwrap_or(u32::MAX);
        data.records = Some(Records::Elsewhere { id, length: slice.length });
        regions.push(region);
    }
    data
}
