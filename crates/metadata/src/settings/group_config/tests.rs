use super::{Exceeding, check_overrides, exceeding};
use crate::settings::describe::{Configs, Layers, Source};
use crate::settings::duration::is_duration;
use crate::settings::group::{Bounds, ROWS};
use crate::settings::{broker, group_config};

fn configs(pairs: &[(&str, &str)]) -> Configs {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn fault(pairs: &[(&str, &str)]) -> String {
    check_overrides(&Layers::default(), &configs(pairs)).err().map_or_else(|| "fine".to_owned(), |fault| fault.0)
}

#[test]
fn the_table_names_broker_settings_of_the_same_kind_and_default() {
    let text = |setting: &ottla_host::setting::Setting| setting.default.text().map(str::to_owned);
    for row in ROWS {
        if let Some(synonym) = row.synonym.filter(|_| row.setting.name != "streams.assignor.name") {
            let broker = broker::find(synonym).expect("it is a broker setting");
            assert_eq!((row.setting.kind, text(&row.setting)), (broker.kind, text(broker)), "{synonym}");
        }
        let bounds: &[&str] = match &row.bounds {
            Bounds::Free => &[],
            Bounds::Between(min, max) => &[min, max],
            Bounds::AtLeast(one) | Bounds::AtMost(one) => &[one],
        };
        assert!(bounds.iter().all(|name| broker::find(name).is_some()), "{}", row.setting.name);
        assert!(!row.setting.help().is_empty(), "{} says what it does", row.setting.name);
        if let Some(default) = row.setting.default.text() {
            assert!(row.setting.check(default).is_ok(), "{}", row.setting.name);
        }
    }
}

#[test]
fn values_keep_to_the_bounds_of_the_broker() {
    assert_eq!(fault(&[("consumer.session.timeout.ms", "50000")]), "fine");
    let range = "consumer.session.timeout.ms must be in the range 45000 to 60000 inclusive.";
    assert_eq!(fault(&[("consumer.session.timeout.ms", "60001")]), range);
    assert_eq!(
        fault(&[("streams.num.standby.replicas", "3")]),
        "streams.num.standby.replicas must be less than or equal to 2"
    );
    let least = "streams.task.offset.interval.ms must be greater than or equal to 15000";
    assert_eq!(fault(&[("streams.task.offset.interval.ms", "1")]), least);
    assert_eq!(fault(&[("nothing", "1")]), "Unknown group config name: nothing");
    let number = "Invalid value x for configuration consumer.session.timeout.ms: Not a number of type INT";
    assert_eq!(fault(&[("consumer.session.timeout.ms", "x")]), number);
}

#[test]
fn values_fit_each_other() {
    let file = configs(&[
        ("group.consumer.min.session.timeout.ms", "1000"),
        ("group.consumer.heartbeat.interval.ms", "15000"),
    ]);
    let layers = Layers { file: Some(&file), ..Layers::default() };
    let short = check_overrides(&layers, &configs(&[("consumer.session.timeout.ms", "15000")]));
    let text = "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms";
    assert_eq!(short.expect_err("it is too short").0, text);
    assert_eq!(fault(&[("streams.assignor.name", "sticky")]), "fine");
    let unknown = "streams.assignor.name 'x' is not a registered task assignor. Registered assignors are: [sticky].";
    assert_eq!(fault(&[("streams.assignor.name", "x")]), unknown);
    let twice = "streams.rack.aware.assignment.tags must not contain duplicate tag keys.";
    assert_eq!(fault(&[("streams.rack.aware.assignment.tags", "a, a")]), twice);
    let topic = "errors.deadletterqueue.topic.name: DLQ topic name must not start with '__'";
    assert_eq!(fault(&[("errors.deadletterqueue.topic.name", "__x")]), topic);
}

#[test]
fn share_groups_begin_at_a_place_or_a_duration() {
    for good in ["earliest", "latest", "by_duration:PT1H", "by_duration:p2dt3.5s"] {
        assert_eq!(fault(&[("share.auto.offset.reset", good)]), "fine", "{good}");
    }
    assert!(fault(&[("share.auto.offset.reset", "none")]).ends_with("'by_duration:<PnDTnHnMn.nS>'."));
    for bad in ["", "P", "PT", "1H", "P1H", "PT1D", "PT1M1H", "-PT1S", "PT-1S", "PT1.5H", "P1DT", "PT1S1S"] {
        assert!(!is_duration(bad), "{bad}");
    }
}

#[test]
fn a_group_is_described_with_what_the_broker_gives_it() {
    let file = configs(&[("group.consumer.session.timeout.ms", "48000")]);
    let layers = Layers { file: Some(&file), ..Layers::default() };
    let row = group_config::find("consumer.session.timeout.ms").expect("a row");
    let plain = layers.describe_group(row, None);
    assert_eq!((plain.value.as_deref(), plain.source), (Some("48000"), Source::StaticBroker));
    let own = configs(&[("consumer.session.timeout.ms", "50000")]);
    let described = layers.describe_group(row, Some(&own));
    let shown: Vec<_> = described.synonyms.iter().map(|one| (one.name, one.value.as_deref(), one.source)).collect();
    assert_eq!(
        shown,
        [
            ("consumer.session.timeout.ms", Some("50000"), Source::Group),
            ("group.consumer.session.timeout.ms", Some("48000"), Source::StaticBroker),
            ("group.consumer.session.timeout.ms", Some("45000"), Source::Default),
        ]
    );
    let assignor = layers.describe_group(group_config::find("streams.assignor.name").expect("a row"), None);
    assert_eq!((assignor.value.as_deref(), assignor.synonyms[0].name), (Some("sticky"), "group.streams.assignors"));
}

#[test]
fn what_the_broker_no_longer_allows_is_told() {
    let file = configs(&[("group.consumer.max.session.timeout.ms", "46000")]);
    let layers = Layers { file: Some(&file), ..Layers::default() };
    let own = configs(&[("consumer.session.timeout.ms", "50000"), ("consumer.heartbeat.interval.ms", "6000")]);
    let wanted = Exceeding { name: "consumer.session.timeout.ms", value: 50_000, holds: 46_000 };
    assert_eq!(exceeding(&layers, &own), [wanted]);
}
