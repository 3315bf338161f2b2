//! ListConfigResources: what has settings, or may have them (KIP-1142); groups are those with settings of their own.

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::rights::Resource;
use ottla_messages::list_config_resources::{
    self, ConfigResource as Shown, ListConfigResourcesRequest, ListConfigResourcesResponse,
};
use ottla_metadata::{ConfigResource, Image};
use ottla_wire::ErrorCode;

/// What may be asked for; version 0 knows the metrics of clients alone.
const KINDS: [i8; 5] = [
    ConfigResource::GROUP,
    ConfigResource::CLIENT_METRICS,
    ConfigResource::LOGGER,
    ConfigResource::BROKER,
    ConfigResource::TOPIC,
];

/// Answers names, kind by kind.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, ListConfigResourcesRequest>) -> ListConfigResourcesResponse<'a> {
    let refused = |code: ErrorCode| ListConfigResourcesResponse {
        error_code: code.code(),
        ..ListConfigResourcesResponse::default()
    };
    if !call.may(cx, Resource::Cluster) {
        return refused(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    }
    let known: &[i8] = if call.version.can(list_config_resources::RESOURCE_TYPES) {
        &KINDS
    } else {
        &[ConfigResource::CLIENT_METRICS]
    };
    let asked = &call.request.resource_types;
    if !asked.iter().all(|kind| known.contains(kind)) {
        return refused(ErrorCode::UNSUPPORTED_VERSION);
    }
    let image = cx.image();
    let kinds = known.iter().filter(|kind| asked.is_empty() || asked.contains(kind));
    let config_resources = kinds.flat_map(|kind| {
        let shown = |name: String| Shown { resource_name: name.into(), resource_type: *kind };
        names(&image, *kind).into_iter().map(shown)
    });
    ListConfigResourcesResponse {
        config_resources: config_resources.collect(),
        ..ListConfigResourcesResponse::default()
    }
}

fn names(image: &Image, kind: i8) -> Vec<String> {
    match kind {
        ConfigResource::TOPIC => image.topics().map(|topic| topic.name.to_string()).collect(),
        ConfigResource::BROKER | ConfigResource::LOGGER => {
            image.brokers().map(|broker| broker.id.to_string()).collect()
        }
        _ => {
            let given = image.all_configs().filter(|(resource, _)| resource.kind == kind);
            given.map(|(resource, _)| resource.name.to_string()).collect()
        }
    }
}
