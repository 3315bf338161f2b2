//! The cluster as facts: settings, features, the image that records build, and the controller that decides.
#![forbid(unsafe_code)]

pub mod concerns;
pub mod controller;
pub mod features;
pub mod image;
pub mod settings;

pub use controller::{Answer, Command, Controller, Decision, Moment, Refusal};
pub use features::MetadataVersion;
pub use image::{ConfigResource, Delta, Image, ImageFault, Topic};
pub use settings::{BrokerConfig, TopicConfig};
