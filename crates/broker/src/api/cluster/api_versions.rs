//! ApiVersions: what this broker serves, from the table; features (KIP-35, KIP-511, KIP-584, KIP-1242).

use crate::api::call::{Call, Opened, Outcome, Work, answer};
use crate::api::peer::ListenerKind;
use crate::api::table::TABLE;
use crate::cx::Cx;
use ottla_messages::api::ApiKey;
use ottla_messages::api_versions::{
    self, ApiVersion as Served, ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};
use ottla_messages::header::RequestHeader;
use ottla_metadata::features;
use ottla_wire::{ApiVersion, Cursor, ErrorCode};

/// Answers what is served on the listener.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, ApiVersionsRequest<'a>>) -> ApiVersionsResponse<'a> {
    let request = &call.request;
    let named = call.version.0 < FIRST_WITH_NAMES
        || (is_client_name(&request.client_software_name) && is_client_name(&request.client_software_version));
    if !named {
        return ApiVersionsResponse { error_code: ErrorCode::INVALID_REQUEST.code(), ..ApiVersionsResponse::default() };
    }
    if is_meant_for_another(cx, request) {
        return ApiVersionsResponse { error_code: ErrorCode::REBOOTSTRAP_REQUIRED.code(), ..served(call.peer.kind) };
    }
    let mut response = served(call.peer.kind);
    describe_features(cx, call.version, &mut response);
    response
}

/// A client that says whom it means has to have reached that one (KIP-1242).
fn is_meant_for_another(cx: &Cx, request: &ApiVersionsRequest<'_>) -> bool {
    let own = cx.control().cluster_id();
    request.cluster_id.as_deref().is_some_and(|id| id != own || request.node_id != cx.config().node_id.0)
}

/// Adds the features that this program implements and those that the cluster has finalized (KIP-584).
fn describe_features(cx: &Cx, version: ApiVersion, response: &mut ApiVersionsResponse<'_>) {
    // Clients of older versions refuse a range that begins at 0 (KAFKA-17011).
    let from_zero = version.can(api_versions::FEATURES_FROM_ZERO);
    let supported = features::advertised().filter(|feature| feature.min > 0 || from_zero);
    response.supported_features = supported
        .map(|feature| SupportedFeatureKey {
            name: feature.name.into(),
            min_version: feature.min,
            max_version: feature.max,
        })
        .collect();
    let image = cx.image();
    response.finalized_features = image
        .features()
        .iter()
        .map(|(name, level)| FinalizedFeatureKey {
            name: name.clone().into(),
            max_version_level: *level,
            min_version_level: *level,
        })
        .collect();
    if !response.finalized_features.is_empty() {
        response.finalized_features_epoch = cx.control().followed().0;
    }
}

/// First version in which a client names its software.
const FIRST_WITH_NAMES: i16 = 3;

/// Letters, digits, dots and dashes, with a letter or digit at both ends (KIP-511).
fn is_client_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let ends = [bytes.first(), bytes.last()];
    ends.iter().all(|end| end.is_some_and(u8::is_ascii_alphanumeric))
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn served(kind: ListenerKind) -> ApiVersionsResponse<'static> {
    let rows = TABLE.iter().filter(|row| row.is_on(kind));
    let api_keys = rows.map(|row| {
        let info = row.key.info();
        Served { api_key: row.key.into(), min_version: info.advertised_min, max_version: info.versions.max }
    });
    ApiVersionsResponse { api_keys: api_keys.collect(), ..ApiVersionsResponse::default() }
}

/// Answers a version that is not served in the layout of version 0, naming the versions that are (KIP-511).
pub(crate) fn refuse_version(work: &Work) -> Outcome {
    let info = ApiKey::ApiVersions.info();
    let mut fixed = Cursor::new(&work.frame);
    let (Ok(request_api_key), Ok(request_api_version), Ok(correlation_id)) = (fixed.i16(), fixed.i16(), fixed.i32())
    else {
        return Outcome::Close("a request is too short for its header".to_owned());
    };
    let header = RequestHeader { request_api_key, request_api_version, correlation_id, client_id: None };
    let opened = Opened { header, version: ApiVersion(0), body: fixed };
    let own = Served {
        api_key: ApiKey::ApiVersions.into(),
        min_version: info.advertised_min,
        max_version: info.versions.max,
    };
    let response = ApiVersionsResponse {
        error_code: ErrorCode::UNSUPPORTED_VERSION.code(),
        api_keys: vec![own],
        ..ApiVersionsResponse::default()
    };
    answer(&opened, info, (Vec::new(), Vec::new()), |out, version| response.encode(out, version))
}

#[cfg(test)]
mod tests {
    use super::is_client_name;

    #[test]
    fn client_names_are_letters_digits_dots_and_dashes() {
        assert!(is_client_name("apache-kafka-java"));
        assert!(is_client_name("4.4.0"));
        for bad in ["", "-a", "a-", "a b", "a_b", "ü"] {
            assert!(!is_client_name(bad), "{bad}");
        }
    }
}
