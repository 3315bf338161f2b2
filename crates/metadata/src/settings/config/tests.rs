use super::{BrokerConfig, Configs};
use crate::settings::describe::{Layers, Source};
use crate::settings::{TimestampType, broker, topic, topic_config};

const STOCK: &str = "process.roles=broker,controller
node.id=1
controller.quorum.bootstrap.servers=localhost:9093
listeners=PLAINTEXT://:9092,CONTROLLER://:9093
inter.broker.listener.name=PLAINTEXT
advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL
num.network.threads=3
num.io.threads=8
socket.send.buffer.bytes=102400
socket.receive.buffer.bytes=102400
socket.request.max.bytes=104857600
log.dirs=/tmp/kraft-combined-logs
num.partitions=1
num.recovery.threads.per.data.dir=2
offsets.topic.replication.factor=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
log.retention.hours=168
log.segment.bytes=1073741824
log.retention.check.interval.ms=300000";

fn stock(extra: &[(&str, &str)]) -> Configs {
    let pairs = STOCK.lines().filter_map(|line| line.split_once('='));
    pairs.chain(extra.iter().copied()).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn refusal(extra: &[(&str, &str)]) -> String {
    BrokerConfig::parse(&stock(extra)).expect_err("the configuration is wrong").to_string()
}

#[test]
fn stock_server_properties_start_unchanged_and_silently() {
    let config = BrokerConfig::parse(&stock(&[])).unwrap();
    assert_eq!(config.warnings, Vec::<String>::new());
    assert_eq!(config.node_id.0, 1);
    assert_eq!(config.log_dirs, ["/tmp/kraft-combined-logs"]);
    assert_eq!(config.metadata_log_dir, "/tmp/kraft-combined-logs");
    let names: Vec<_> = config.listeners.iter().map(|one| (one.name.as_str(), one.bind.port, one.controller)).collect();
    assert_eq!(names, [("PLAINTEXT", 9092, false), ("CONTROLLER", 9093, true)]);
    assert_eq!(config.listeners[0].advertised.as_ref().map(|one| one.host.as_str()), Some("localhost"));
    assert_eq!(config.log.retention_ms, 604_800_000);
    assert_eq!(config.network.request_bytes_max, 104_857_600);
}

#[test]
fn unknown_settings_warn_by_name() {
    let config = BrokerConfig::parse(&stock(&[("my.own.thing", "1")])).unwrap();
    assert_eq!(config.warnings, ["unknown setting my.own.thing is ignored"]);
    assert!(!config.given.contains_key("my.own.thing"));
}

#[test]
fn settings_not_honoured_stop_the_start_with_key_value_and_remedy() {
    let text = refusal(&[("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer")]);
    assert!(
        text.starts_with(
            "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer is not honoured: "
        ),
        "{text}"
    );
    assert!(refusal(&[("remote.log.storage.system.enable", "true")]).contains("remote.log.storage.system.enable=true"));
    assert!(!refusal(&[("ssl.keystore.password", "geheim")]).contains("geheim"));
    assert!(refusal(&[("listener.name.plaintext.ssl.client.auth", "required")]).contains("listener.name.plaintext"));
    assert!(refusal(&[("process.roles", "broker")]).contains("process.roles=broker"));
}

#[test]
fn defaults_of_settings_not_honoured_are_accepted() {
    BrokerConfig::parse(&stock(&[("ssl.client.auth", "none"), ("authorizer.class.name", "")])).unwrap();
}

#[test]
fn listeners_with_encryption_or_authentication_are_refused() {
    let text =
        refusal(&[("listeners", "SASL_SSL://:9092,CONTROLLER://:9093"), ("inter.broker.listener.name", "SASL_SSL")]);
    assert!(text.contains("SASL_SSL"), "{text}");
    let text = refusal(&[("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:SSL")]);
    assert!(text.contains("security protocol SSL"), "{text}");
}

#[test]
fn wrong_values_are_told_in_kafkas_words() {
    assert_eq!(
        refusal(&[("num.partitions", "0")]),
        "Invalid value 0 for configuration num.partitions: Value must be at least 1"
    );
    assert_eq!(
        refusal(&[("num.partitions", "x")]),
        "Invalid value x for configuration num.partitions: Not a number of type INT"
    );
    assert!(refusal(&[("advertised.listeners", "PLAINTEXT://0.0.0.0:9092")]).contains("nonroutable"));
    assert!(refusal(&[("controller.quorum.voters", "2@localhost:9093")]).contains("must be included"));
}

#[test]
fn shorter_units_win() {
    let config = BrokerConfig::parse(&stock(&[("log.retention.minutes", "5"), ("log.roll.hours", "2")])).unwrap();
    assert_eq!((config.log.retention_ms, config.log.segment_ms), (300_000, 7_200_000));
    let config = BrokerConfig::parse(&stock(&[("log.retention.minutes", "5"), ("log.retention.ms", "-1")])).unwrap();
    assert_eq!(config.log.retention_ms, -1);
}

#[test]
fn every_default_passes_its_own_check_and_every_name_is_given_once() {
    let topics = topic::ROWS.iter().map(|row| &row.setting);
    for setting in broker::all().chain(topics) {
        if let Some(text) = setting.default.text() {
            setting.check(text).unwrap_or_else(|fault| panic!("{fault}"));
        }
        assert!(!setting.help().is_empty(), "{} has no doc", setting.name);
    }
    let mut names: Vec<_> = broker::all().map(|setting| setting.name).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), broker::all().count());
    for row in topic::ROWS {
        assert!(row.synonyms.iter().all(|(name, _)| broker::find(name).is_some()), "{}", row.setting.name);
    }
}

#[test]
fn topic_overrides_are_checked_as_kafka_checks_them() {
    let check = |name: &str, value: &str| {
        let overrides = Configs::from([(name.to_owned(), value.to_owned())]);
        topic_config::check_overrides(&Layers::default(), &overrides).map_err(|fault| fault.to_string())
    };
    assert_eq!(check("retention.ms", "-1"), Ok(()));
    assert_eq!(check("no.such", "1"), Err("Unknown topic config name: no.such".to_owned()));
    let text = "Invalid value -2 for configuration retention.ms: Value must be at least -1";
    assert_eq!(check("retention.ms", "-2"), Err(text.to_owned()));
    assert!(check("remote.storage.enable", "true").unwrap_err().contains("Tiered Storage"));
    assert!(check("cleanup.policy", "shred").unwrap_err().ends_with("String must be one of: compact, delete"));
    assert!(check("min.compaction.lag.ms", "9223372036854775807").is_ok());
}

#[test]
fn layers_are_asked_best_first_and_shown_in_order() {
    let file = Configs::from([
        ("log.retention.hours".to_owned(), "1".to_owned()),
        ("log.segment.bytes".to_owned(), "2097152".to_owned()),
    ]);
    let overrides = Configs::from([("segment.bytes".to_owned(), "1048576".to_owned())]);
    let layers = Layers { topic: Some(&overrides), file: Some(&file), ..Layers::default() };
    let described = |name: &str| layers.describe_topic(topic_config::find(name).unwrap());
    let segment = described("segment.bytes");
    assert_eq!((segment.value.as_deref(), segment.source), (Some("1048576"), Source::Topic));
    let sources: Vec<_> = segment.synonyms.iter().map(|one| (one.name, one.source)).collect();
    let broker = "log.segment.bytes";
    assert_eq!(sources, [("segment.bytes", Source::Topic), (broker, Source::StaticBroker), (broker, Source::Default)]);
    let retention = described("retention.ms");
    assert_eq!((retention.value.as_deref(), retention.source), (Some("3600000"), Source::Default));
    assert_eq!(retention.synonyms, []);
}

#[test]
fn topics_without_overrides_have_kafkas_defaults() {
    let config = super::TopicConfig::default();
    assert_eq!((config.segment_bytes, config.segment_ms), (1_073_741_824, 604_800_000));
    assert_eq!((config.flush_messages, config.flush_ms), (i64::MAX, i64::MAX));
    assert_eq!((config.delete, config.compact), (true, false));
    assert_eq!((config.max_message_bytes, config.min_insync_replicas), (1_048_588, 1));
    assert_eq!((config.timestamp_type, config.timestamp_after_max_ms), (TimestampType::CreateTime, 3_600_000));
}
