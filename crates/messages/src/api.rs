//! What is known of each API: key, versions, listeners, header versions.

pub use crate::generated::keys::ApiKey;
pub use crate::generated::table::API_TABLE;
use ottla_wire::ApiVersion;

/// A range of versions, both ends in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct VersionRange {
    /// First version.
    pub min: i16,
    /// Last version.
    pub max: i16,
}

impl VersionRange {
    /// Whether `version` lies in the range.
    #[must_use]
    pub const fn contains(self, version: ApiVersion) -> bool {
        version.0 >= self.min && version.0 <= self.max
    }
}

/// The kinds of listener that serve an API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Listeners {
    /// Listeners of brokers.
    pub broker: bool,
    /// Listeners of controllers.
    pub controller: bool,
}

/// One API.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ApiInfo {
    /// Its key.
    pub key: ApiKey,
    /// Kafka's name.
    pub name: &'static str,
    /// Versions served, all of them stable.
    pub versions: VersionRange,
    /// Lowest version that ApiVersions announces; below `versions.min` where clients insist on it (Produce).
    pub advertised_min: i16,
    /// A last version that can be read and written but whose layout is not final; never announced.
    pub unstable: Option<i16>,
    /// First version in the flexible encoding.
    pub flexible_since: Option<i16>,
    /// Listeners that serve it.
    pub listeners: Listeners,
}

impl ApiInfo {
    /// The API's row of the table.
    #[must_use]
    pub fn of(key: ApiKey) -> &'static ApiInfo {
        let at = API_TABLE.binary_search_by_key(&key, |info| info.key);
        &API_TABLE[at.expect("the table has a row for every key, sorted; a test compares them")]
    }

    /// Whether `version` is in the flexible encoding.
    #[must_use]
    pub fn is_flexible(&self, version: ApiVersion) -> bool {
        self.flexible_since.is_some_and(|since| version.0 >= since)
    }

    /// Version of the header before a request in `version`.
    #[must_use]
    pub fn request_header_version(&self, version: ApiVersion) -> ApiVersion {
        ApiVersion(if self.is_flexible(version) { 2 } else { 1 })
    }

    /// Version of the header before a response in `version`. ApiVersions is always answered with header 0, because a
    /// client asks it before it knows what the broker speaks (KIP-511).
    #[must_use]
    pub fn response_header_version(&self, version: ApiVersion) -> ApiVersion {
        ApiVersion(i16::from(self.is_flexible(version) && self.key != ApiKey::ApiVersions))
    }
}

impl TryFrom<i16> for ApiKey {
    type Error = i16;

    /// The API with this key, or the key back where there is none.
    fn try_from(key: i16) -> Result<ApiKey, i16> {
        ApiKey::of(key).ok_or(key)
    }
}

impl From<ApiKey> for i16 {
    fn from(key: ApiKey) -> i16 {
        key as i16
    }
}

impl ApiKey {
    /// The API's row of the table.
    #[must_use]
    pub fn info(self) -> &'static ApiInfo {
        ApiInfo::of(self)
    }
}

impl std::fmt::Display for ApiKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::{API_TABLE, ApiInfo, ApiKey};
    use ottla_wire::ApiVersion;

    #[test]
    fn table_is_sorted_and_answers_for_every_key() {
        assert!(API_TABLE.windows(2).all(|pair| pair[0].key < pair[1].key));
        for info in API_TABLE {
            assert_eq!(ApiInfo::of(info.key), info);
            assert_eq!(ApiKey::try_from(i16::from(info.key)), Ok(info.key));
        }
        assert_eq!(ApiKey::try_from(4), Err(4));
        assert_eq!(ApiKey::try_from(95), Err(95));
        assert_eq!(API_TABLE.len(), 91);
    }

    #[test]
    fn produce_is_announced_from_zero_and_served_from_three() {
        let produce = ApiKey::Produce.info();
        assert_eq!((produce.advertised_min, produce.versions.min, produce.versions.max), (0, 3, 13));
    }

    #[test]
    fn unstable_last_version_is_not_served() {
        let init = ApiKey::InitProducerId.info();
        assert_eq!((init.versions.max, init.unstable), (5, Some(6)));
    }

    #[test]
    fn headers_follow_the_flexible_versions() {
        let fetch = ApiKey::Fetch.info();
        assert_eq!(fetch.request_header_version(ApiVersion(11)).0, 1);
        assert_eq!(fetch.request_header_version(ApiVersion(12)).0, 2);
        assert_eq!(fetch.response_header_version(ApiVersion(12)).0, 1);
        assert_eq!(ApiKey::ApiVersions.info().response_header_version(ApiVersion(3)).0, 0);
        assert_eq!(ApiKey::SaslHandshake.info().request_header_version(ApiVersion(1)).0, 1);
    }
}
