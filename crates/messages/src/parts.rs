//! What generated decoders and encoders share.

pub(crate) mod owned;
pub(crate) mod read;
pub(crate) mod write;
