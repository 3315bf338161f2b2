use super::{FormatError, Plan, Quorum, Report, format, info, random_uuid};
use crate::format::FeatureError;
use crate::snapshot;
use crate::state::ids::{Endpoint, OffsetAndEpoch};
use ottla_host::{Chance, Disk, WallClock};
use ottla_messages::records::metadata::MetadataRecord;
use ottla_sim::SimDisk;
use ottla_wire::ids::BrokerId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

struct Counting(AtomicU8);

impl Chance for Counting {
    fn fill(&self, _: &'static str, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

fn plan(quorum: Quorum) -> Plan {
    Plan {
        cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".to_owned(),
        node_id: BrokerId(1),
        log_dirs: vec![PathBuf::from("/data/a"), PathBuf::from("/data/b")],
        metadata_dir: PathBuf::from("/data/a"),
        controller: true,
        release: None,
        features: BTreeMap::new(),
        quorum,
        ignore_formatted: false,
    }
}

fn run(disk: &SimDisk, plan: &Plan) -> Result<Report, FormatError> {
    format(disk, &Counting(AtomicU8::new(1)), WallClock(5), plan)
}

fn checkpoint() -> PathBuf {
    Path::new("/data/a/__cluster_metadata-0").join(snapshot::file_name(OffsetAndEpoch::BOOTSTRAP))
}

fn standalone() -> Quorum {
    Quorum::Standalone(vec![Endpoint { listener: "CONTROLLER".into(), host: "localhost".into(), port: 9093 }])
}

#[test]
fn every_directory_gets_its_id_and_one_the_first_metadata() {
    let disk = SimDisk::new(1);
    let report = run(&disk, &plan(Quorum::Static)).unwrap();
    assert_eq!(report.formatted.len(), 2);
    assert_ne!(report.formatted[0].1, report.formatted[1].1);
    let found = info(&disk, &plan(Quorum::Static).log_dirs);
    let meta = found[1].meta.clone().unwrap().unwrap();
    assert_eq!((meta.node_id, meta.directory_id), (1, Some(report.formatted[1].1)));
    let first = snapshot::read(&disk, &checkpoint()).unwrap();
    assert_eq!(first.kraft, None);
    let MetadataRecord::FeatureLevel(level) = &first.records[0].record else { panic!("{first:?}") };
    assert_eq!((&*level.name, level.feature_level), ("metadata.version", 33));
    assert_eq!(disk.stat(Path::new("/data/b/__cluster_metadata-0")).unwrap(), None);
}

#[test]
fn standalone_names_this_node_and_directory_as_the_voter() {
    let disk = SimDisk::new(1);
    let report = run(&disk, &plan(standalone())).unwrap();
    assert_eq!(report.features["kraft.version"], 1);
    let kraft = snapshot::read(&disk, &checkpoint()).unwrap().kraft.unwrap();
    let voters = kraft.voters.unwrap();
    let me = voters.get(BrokerId(1)).unwrap();
    assert_eq!(me.key.directory, Some(report.formatted[0].1));
    assert_eq!(me.endpoints[0].port, 9093);
}

#[test]
fn formatted_directory_is_refused_or_left_alone() {
    let disk = SimDisk::new(1);
    let mut plan = plan(Quorum::Static);
    plan.log_dirs.truncate(1);
    let before = run(&disk, &plan).unwrap();
    plan.log_dirs.push(PathBuf::from("/data/b"));
    assert!(matches!(run(&disk, &plan), Err(FormatError::AlreadyFormatted(path)) if path == Path::new("/data/a")));
    plan.ignore_formatted = true;
    let after = run(&disk, &plan).unwrap();
    assert_eq!((after.skipped, after.formatted.len()), (vec![before.formatted[0].0.clone()], 1));
    plan.cluster_id = "another".to_owned();
    assert!(matches!(run(&disk, &plan), Err(FormatError::Foreign { .. })));
}

#[test]
fn release_version_picks_levels_and_impossible_ones_are_refused() {
    let disk = SimDisk::new(1);
    let with = |release: &str, features: &[(&str, i16)], quorum: Quorum| {
        let mut plan = plan(quorum);
        plan.release = (!release.is_empty()).then(|| release.to_owned());
        plan.features = features.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect();
        plan.ignore_formatted = true;
        match run(&disk, &plan) {
            Ok(report) => Ok(report.release.0),
            Err(FormatError::Feature(error)) => Err(error),
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(with("3.9", &[], Quorum::Static), Ok(21));
    assert_eq!(with("", &[("metadata.version", 20)], Quorum::Static), Ok(20));
    assert!(matches!(with("5.0", &[], Quorum::Static), Err(FeatureError::Release(_))));
    assert!(matches!(with("3.9", &[("metadata.version", 21)], Quorum::Static), Err(FeatureError::Ambiguous)));
    assert!(matches!(with("", &[("no.feature", 1)], Quorum::Static), Err(FeatureError::Unknown { .. })));
    assert!(matches!(with("", &[("share.version", 9)], Quorum::Static), Err(FeatureError::Level { .. })));
    assert!(matches!(with("3.8", &[], standalone()), Err(FeatureError::Needs { .. })));
    assert!(matches!(with("", &[("kraft.version", 0)], standalone()), Err(FeatureError::KraftZero)));
    assert!(matches!(with("", &[("kraft.version", 1)], Quorum::Static), Err(FeatureError::KraftOne(1))));
}

#[test]
fn random_ids_never_look_like_an_option() {
    struct Dashes(AtomicU8);
    impl Chance for Dashes {
        fn fill(&self, _: &'static str, bytes: &mut [u8]) {
            bytes.fill(if self.0.fetch_add(1, Ordering::Relaxed) == 0 { 0xfb } else { 1 });
        }
    }
    assert!(!random_uuid(&Dashes(AtomicU8::new(0))).to_string().starts_with('-'));
}
