//! DescribeConfigs: settings of topics, groups and this broker, with where each value comes from (KIP-226, KIP-569, KIP-848).

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::rights::{Operation, Resource};
use ottla_host::setting::Kind;
use ottla_messages::describe_configs::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_metadata::ConfigResource;
use ottla_metadata::controller::check_topic_name;
use ottla_metadata::settings::{Described, Layers, Source, broker, group, topic};
use ottla_wire::ErrorCode;
use std::borrow::Cow;

/// What was asked to be told with each setting.
#[derive(Clone, Copy)]
struct Wishes {
    synonyms: bool,
    documentation: bool,
}

/// Why a resource is not described.
type Refused = (ErrorCode, Option<String>);

/// Answers resource by resource.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, DescribeConfigsRequest<'a>>) -> DescribeConfigsResponse<'a> {
    let request = &call.request;
    let wishes = Wishes { synonyms: request.include_synonyms, documentation: request.include_documentation };
    let results = request.resources.iter().map(|resource| {
        let described = describe(cx, &call, resource);
        let (code, message, configs) = match described {
            Ok(configs) => (ErrorCode::NONE, None, configs),
            Err((code, message)) => (code, message, Vec::new()),
        };
        let is_asked = |config: &Described| {
            let keys = resource.configuration_keys.as_deref().unwrap_or_default();
            keys.is_empty() || keys.iter().any(|key| key == config.name)
        };
        DescribeConfigsResult {
            error_code: code.code(),
            error_message: message.map(Into::into),
            resource_type: resource.resource_type,
            resource_name: Cow::Owned(resource.resource_name.clone().into_owned()),
            configs: configs.into_iter().filter(is_asked).map(|config| shown(config, wishes)).collect(),
        }
    });
    DescribeConfigsResponse { results: results.collect(), ..DescribeConfigsResponse::default() }
}

fn describe(
    cx: &Cx,
    call: &Call<'_, DescribeConfigsRequest<'_>>,
    resource: &DescribeConfigsResource<'_>,
) -> Result<Vec<Described>, Refused> {
    let name = resource.resource_name.as_ref();
    match resource.resource_type {
        ConfigResource::TOPIC => {
            if !cx.allows(call.peer, Operation::DescribeConfigs, Resource::Topic(name)) {
                return Err((ErrorCode::TOPIC_AUTHORIZATION_FAILED, None));
            }
            describe_topic(cx, name)
        }
        ConfigResource::GROUP => {
            if !cx.allows(call.peer, Operation::DescribeConfigs, Resource::Group(name)) {
                return Err((ErrorCode::GROUP_AUTHORIZATION_FAILED, None));
            }
            describe_group(cx, name)
        }
        kind @ (ConfigResource::BROKER | ConfigResource::LOGGER | ConfigResource::CLIENT_METRICS) => {
            if !cx.allows(call.peer, Operation::DescribeConfigs, Resource::Cluster) {
                return Err((ErrorCode::CLUSTER_AUTHORIZATION_FAILED, None));
            }
            if kind == ConfigResource::BROKER { describe_broker(cx, name) } else { Err(unsupported(kind)) }
        }
        other => Err(unsupported(other)),
    }
}

fn unsupported(kind: i8) -> Refused {
    (ErrorCode::INVALID_REQUEST, Some(format!("Unsupported resource type: {kind}")))
}

fn describe_topic(cx: &Cx, name: &str) -> Result<Vec<Described>, Refused> {
    check_topic_name(name).map_err(|text| (ErrorCode::INVALID_TOPIC_EXCEPTION, Some(text)))?;
    let image = cx.image();
    if image.topic(name).is_none() {
        return Err((ErrorCode::UNKNOWN_TOPIC_OR_PARTITION, None));
    }
    let own = image.topic_configs(name);
    let layers = Layers { topic: own.map(|configs| &**configs), ..cx.control().rules().layers(&image) };
    let rows = topic::ROWS.iter().filter(|row| !row.setting.internal);
    Ok(rows.map(|row| layers.describe_topic(row)).collect())
}

/// Groups have settings whether they have members or not.
fn describe_group(cx: &Cx, name: &str) -> Result<Vec<Described>, Refused> {
    if name.is_empty() {
        return Err((ErrorCode::INVALID_REQUEST, Some("Group name must not be empty".to_owned())));
    }
    let image = cx.image();
    let layers = cx.control().rules().layers(&image);
    let own = image.configs(&ConfigResource::group(name)).map(|configs| &**configs);
    let described = group::ROWS.iter().map(|row| (row.setting.internal, layers.describe_group(row, own)));
    // Kafka shows its internal settings where somebody has set them.
    let shown = described.filter(|(is_internal, config)| !is_internal || config.source != Source::Default);
    Ok(shown.map(|(_, config)| config).collect())
}

/// This broker by its number, or what was changed for all brokers under the empty name.
fn describe_broker(cx: &Cx, name: &str) -> Result<Vec<Described>, Refused> {
    let image = cx.image();
    let layers = cx.control().rules().layers(&image);
    let own = cx.config().node_id.0;
    if name.is_empty() {
        let changed = layers.cluster.into_iter().flat_map(|configs| configs.keys());
        let known = changed.filter_map(|name| broker::find(name));
        return Ok(known.map(|setting| of_cluster_alone(layers.describe_broker(setting))).collect());
    }
    let wrong = |text: String| (ErrorCode::INVALID_REQUEST, Some(text));
    match name.parse::<i32>() {
        Ok(id) if id == own => {
            let settings = broker::all().filter(|setting| !setting.internal);
            Ok(settings.map(|setting| layers.describe_broker(setting)).collect())
        }
        Ok(_) => Err(wrong(format!("Unexpected broker id, expected {own} or empty string, but received {name}"))),
        Err(_) => Err(wrong(format!("Broker id must be an integer, but it is: {name}"))),
    }
}

/// What is true of all brokers does not speak of this one's file.
fn of_cluster_alone(mut config: Described) -> Described {
    config.synonyms.retain(|synonym| synonym.source == Source::DynamicDefaultBroker);
    if let Some(first) = config.synonyms.first() {
        config.value.clone_from(&first.value);
        config.source = first.source;
    }
    config
}

fn shown(config: Described, wishes: Wishes) -> DescribeConfigsResourceResult<'static> {
    let synonyms = if wishes.synonyms { config.synonyms } else { Vec::new() };
    DescribeConfigsResourceResult {
        name: config.name.into(),
        value: config.value.map(Into::into),
        read_only: config.read_only,
        config_source: source_number(config.source),
        is_sensitive: config.sensitive,
        synonyms: synonyms
            .into_iter()
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.name.into(),
                value: synonym.value.map(Into::into),
                source: source_number(synonym.source),
            })
            .collect(),
        config_type: kind_number(config.kind),
        documentation: wishes.documentation.then(|| config.doc.into()),
    }
}

/// Kafka's number of a source, as in [`DescribeConfigsSynonym`].
pub(crate) fn source_number(source: Source) -> i8 {
    match source {
        Source::Topic => 1,
        Source::DynamicBroker => 2,
        Source::DynamicDefaultBroker => 3,
        Source::StaticBroker => 4,
        Source::Default => 5,
        Source::Group => 8,
    }
}

fn kind_number(kind: Kind) -> i8 {
    match kind {
        Kind::Boolean => 1,
        Kind::String => 2,
        Kind::Int => 3,
        Kind::Short => 4,
        Kind::Long => 5,
        Kind::Double => 6,
        Kind::List => 7,
        Kind::Class => 8,
        Kind::Password => 9,
    }
}
