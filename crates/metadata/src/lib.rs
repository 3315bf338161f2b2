//! The cluster as facts: settings, features, the image that records build, and the controller that decides.
#![forbid(unsafe_code)]

pub mod settings;
