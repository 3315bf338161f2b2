//! The hash over a group's topics is Kafka's: numbers below are what its own classes answer.

use super::scene::Scene;
use crate::group::GroupSettings;
use crate::group::consumer::state::metadata_hash;
use std::sync::Arc;

#[test]
fn topics_hash_as_kafka_hashes_them() {
    let mut scene = Scene::new(GroupSettings::default());
    scene.broker(0, "a");
    scene.topic("foo", 3, 0);
    scene.topic("bar", 1, 2);
    let hash = |names: &[&str]| {
        let names: Vec<Arc<str>> = names.iter().map(|name| Arc::from(*name)).collect();
        metadata_hash(names.iter(), scene.image())
    };
    assert_eq!(hash(&[]), 0);
    assert_eq!(hash(&["absent"]), 0);
    assert_eq!(hash(&["bar", "foo"]), 8_342_387_231_805_952_021);
    assert_eq!(hash(&["bar"]), -7_302_741_593_352_157_284);
}

#[test]
fn racks_hash_as_utf_16() {
    let mut scene = Scene::new(GroupSettings::default());
    scene.broker(0, "rack-é");
    scene.broker(1, "rack-é");
    scene.topic("big", 100, 0);
    assert_eq!(metadata_hash([&Arc::from("big")].into_iter(), scene.image()), 3_361_366_962_176_964_906);
}
