//! Who asks something of a group.

use std::sync::Arc;

/// Who asks.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Client {
    /// As the client names itself.
    pub id: Arc<str>,
    /// Its address as `/1.2.3.4`.
    pub host: Arc<str>,
}
