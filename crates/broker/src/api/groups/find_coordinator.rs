//! FindCoordinator: which broker leads the partition that a group belongs to; several at once since KIP-699.

use crate::api::call::Call;
use crate::api::cluster::nodes;
use crate::cx::Cx;
use crate::cx::groups::{OFFSETS_TOPIC, partition_of};
use crate::cx::rights::Resource;
use ottla_messages::find_coordinator::{self, Coordinator, FindCoordinatorRequest, FindCoordinatorResponse};
use ottla_wire::ErrorCode;
use ottla_wire::ids::PartitionIndex;
use std::borrow::Cow;

/// Kafka's numbers of what a coordinator is for.
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;
const SHARE: i8 = 2;
/// Stands for a broker that is not known.
const NOBODY: (i32, &str, i32) = (-1, "", -1);

type Asking<'a> = Call<'a, FindCoordinatorRequest<'a>>;

/// A broker and where it is reached.
type Place = (i32, String, i32);

/// Answers each key; the topic of groups is made when it is first asked for.
pub(crate) async fn handle<'a>(cx: &Cx, mut call: Asking<'a>) -> FindCoordinatorResponse<'a> {
    if call.version.can(find_coordinator::BATCHED) {
        let keys = std::mem::take(&mut call.request.coordinator_keys);
        let mut coordinators = Vec::with_capacity(keys.len());
        for key in keys {
            let found = find(cx, &call, &key).await;
            coordinators.push(shown(key, found));
        }
        return FindCoordinatorResponse { coordinators, ..FindCoordinatorResponse::default() };
    }
    let key = std::mem::take(&mut call.request.key);
    let found = find(cx, &call, &key).await;
    let code = found.as_ref().err().copied().unwrap_or(ErrorCode::NONE);
    let Coordinator { node_id, host, port, .. } = shown(key, found);
    FindCoordinatorResponse {
        error_code: code.code(),
        error_message: Some(if code == ErrorCode::NONE { "NONE".into() } else { code.text().into() }),
        node_id,
        host,
        port,
        ..FindCoordinatorResponse::default()
    }
}

async fn find(cx: &Cx, call: &Asking<'_>, key: &str) -> Result<Place, ErrorCode> {
    match call.request.key_type {
        GROUP if !call.may(cx, Resource::Group(key)) => Err(ErrorCode::GROUP_AUTHORIZATION_FAILED),
        GROUP => {
            cx.make_offsets_topic().await;
            leader(cx, call, key).ok_or(ErrorCode::COORDINATOR_NOT_AVAILABLE)
        }
        TRANSACTION if !call.may(cx, Resource::TransactionalId(key)) => {
            Err(ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED)
        }
        SHARE if !call.version.can(find_coordinator::SHARE_GROUPS) => Err(ErrorCode::INVALID_REQUEST),
        SHARE if !call.may(cx, Resource::Cluster) => Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED),
        // Nobody coordinates transactions and share groups here.
        TRANSACTION | SHARE => Err(ErrorCode::COORDINATOR_NOT_AVAILABLE),
        _ => Err(ErrorCode::INVALID_REQUEST),
    }
}

fn leader(cx: &Cx, call: &Asking<'_>, group: &str) -> Option<Place> {
    let image = cx.image();
    let index = partition_of(&image, group)?;
    let partition = image.partition(OFFSETS_TOPIC, PartitionIndex(index))?;
    let broker = image.broker(partition.leader).filter(|broker| !broker.fenced)?;
    let address = nodes::address(cx, call.peer, broker)?;
    Some((broker.id.0, address.host, i32::from(address.port)))
}

fn shown(key: Cow<'_, str>, found: Result<Place, ErrorCode>) -> Coordinator<'_> {
    let code = found.as_ref().err().copied().unwrap_or(ErrorCode::NONE);
    let (node_id, host, port) = found.unwrap_or_else(|_| (NOBODY.0, NOBODY.1.to_owned(), NOBODY.2));
    Coordinator {
        key,
        node_id,
        host: host.into(),
        port,
        error_code: code.code(),
        error_message: (code != ErrorCode::NONE).then(|| code.text().into()).or(Some("".into())),
    }
}
