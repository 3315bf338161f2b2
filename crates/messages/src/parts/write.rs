//! Refusals that several generated encoders share.

use ottla_wire::{ApiVersion, EncodeError};

/// Refuses a version that the message does not have.
pub(crate) fn check_version(what: &'static str, version: ApiVersion, min: i16, max: i16) -> Result<(), EncodeError> {
    if version.0 < min || version.0 > max {
        return unsupported(what, version);
    }
    Ok(())
}

/// Refuses a value that the version cannot carry.
pub(crate) fn unsupported(field: &'static str, version: ApiVersion) -> Result<(), EncodeError> {
    Err(EncodeError::Unsupported { field, version: version.0 })
}

/// Refuses a null where this version has none.
pub(crate) fn null_if(
    allowed: bool,
    is_null: bool,
    field: &'static str,
    version: ApiVersion,
) -> Result<(), EncodeError> {
    if is_null && !allowed {
        return Err(EncodeError::Null { field, version: version.0 });
    }
    Ok(())
}
