//! DescribeCluster: the cluster's id and nodes: brokers here, controllers on a controller's listener (KIP-700, KIP-919,
//! KIP-1073).

use crate::api::call::Call;
use crate::api::cluster::{nodes, rights};
use crate::api::peer::ListenerKind;
use crate::cx::Cx;
use crate::cx::rights::{Operation, Resource};
use ottla_messages::describe_cluster::{self, DescribeClusterBroker, DescribeClusterRequest, DescribeClusterResponse};
use ottla_wire::ErrorCode;

const BROKERS: i8 = 1;
const CONTROLLERS: i8 = 2;

/// Answers the nodes of the kind that the listener is for.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, DescribeClusterRequest>) -> DescribeClusterResponse<'a> {
    let kind = match call.peer.kind {
        ListenerKind::Broker => BROKERS,
        ListenerKind::Controller => CONTROLLERS,
    };
    if call.request.endpoint_type != kind {
        return mismatch(&call, kind);
    }
    if kind == CONTROLLERS && !cx.allows(call.peer, Operation::Alter, Resource::Cluster) {
        let error_code = ErrorCode::CLUSTER_AUTHORIZATION_FAILED.code();
        return DescribeClusterResponse { error_code, ..DescribeClusterResponse::default() };
    }
    let nodes = if kind == BROKERS { brokers(cx, &call) } else { controllers(cx, &call) };
    let wanted = if kind == BROKERS {
        nodes.iter().find(|node| !node.is_fenced).map_or(-1, |node| node.broker_id)
    } else {
        cx.control().quorum().and_then(|quorum| quorum.status().leader).map_or(-1, |leader| leader.0)
    };
    let is_listed = nodes.iter().any(|node| node.broker_id == wanted);
    let asked = call.request.include_cluster_authorized_operations;
    DescribeClusterResponse {
        endpoint_type: kind,
        cluster_id: cx.control().cluster_id().to_owned().into(),
        controller_id: if is_listed { wanted } else { -1 },
        brokers: nodes,
        cluster_authorized_operations: if asked { rights::on_cluster(cx, call.peer) } else { rights::NOT_ASKED },
        ..DescribeClusterResponse::default()
    }
}

fn mismatch<'a>(call: &Call<'_, DescribeClusterRequest>, kind: i8) -> DescribeClusterResponse<'a> {
    let name = |kind| if kind == BROKERS { "BROKER" } else { "CONTROLLER" };
    let asked = call.request.endpoint_type;
    let is_known = matches!(asked, BROKERS | CONTROLLERS);
    let code = match (call.version.can(describe_cluster::ENDPOINT_TYPE), is_known) {
        (false, _) => ErrorCode::INVALID_REQUEST,
        (true, false) => ErrorCode::UNSUPPORTED_ENDPOINT_TYPE,
        (true, true) => ErrorCode::MISMATCHED_ENDPOINT_TYPE,
    };
    let text = if is_known {
        let (here, there) = (name(kind), name(asked));
        format!("The request was sent to an endpoint of type {here}, but we wanted an endpoint of type {there}")
    } else {
        format!("Unsupported endpoint type {asked}")
    };
    DescribeClusterResponse {
        error_code: code.code(),
        error_message: Some(text.into()),
        ..DescribeClusterResponse::default()
    }
}

fn brokers<'a>(cx: &Cx, call: &Call<'_, DescribeClusterRequest>) -> Vec<DescribeClusterBroker<'a>> {
    let image = cx.image();
    let mut nodes = Vec::new();
    for broker in image.brokers() {
        if broker.fenced && !call.request.include_fenced_brokers {
            continue;
        }
        let Some(address) = nodes::address(cx, call.peer, broker) else { continue };
        nodes.push(DescribeClusterBroker {
            broker_id: broker.id.0,
            host: address.host.into(),
            port: address.port.into(),
            rack: broker.rack.clone().map(Into::into),
            is_fenced: broker.fenced,
        });
    }
    nodes
}

/// The controller listener of this node is told as the caller has reached it.
fn controllers<'a>(cx: &Cx, call: &Call<'_, DescribeClusterRequest>) -> Vec<DescribeClusterBroker<'a>> {
    let own = cx.config().node_id;
    let image = cx.image();
    let mut nodes = Vec::new();
    for controller in image.controllers().filter(|controller| controller.id != own) {
        let endpoint = controller.endpoints.iter().find(|endpoint| *endpoint.listener == *call.peer.listener);
        let Some(endpoint) = endpoint else { continue };
        nodes.push(DescribeClusterBroker {
            broker_id: controller.id.0,
            host: endpoint.host.clone().into(),
            port: endpoint.port.into(),
            rack: None,
            is_fenced: false,
        });
    }
    nodes.push(DescribeClusterBroker {
        broker_id: own.0,
        host: call.peer.local.ip().to_canonical().to_string().into(),
        port: call.peer.local.port().into(),
        rack: None,
        is_fenced: false,
    });
    nodes
}
