//! Sessions as a client sees them.

use super::{Context, NO_SESSION, Sessions, Told, Wanted};
use ottla_host::Monotonic;
use ottla_messages::fetch::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic};
use ottla_wire::ErrorCode;

const NOW: Monotonic = Monotonic(1);
const TOLD: Told = Told { watermark: 5, log_start: 0 };

fn request(session_id: i32, session_epoch: i32, partitions: &[i32]) -> FetchRequest<'static> {
    let partitions = partitions.iter().map(|index| FetchPartition { partition: *index, ..FetchPartition::default() });
    let topic = FetchTopic { topic: "t".into(), partitions: partitions.collect(), ..FetchTopic::default() };
    let topics = if topic.partitions.is_empty() { vec![] } else { vec![topic] };
    FetchRequest { session_id, session_epoch, topics, ..FetchRequest::default() }
}

fn opened(sessions: &Sessions, partitions: &[i32]) -> i32 {
    let Ok((Context::Open, wanted)) = sessions.begin(&request(0, 0, partitions), false, NOW) else {
        panic!("a session can be opened");
    };
    sessions.open(|| 9, false, wanted.into_iter().map(|wanted| (wanted, TOLD)), NOW)
}

fn indexes(wanted: &[Wanted]) -> Vec<i32> {
    wanted.iter().map(|wanted| wanted.spec.index).collect()
}

#[test]
fn a_session_remembers_partitions_and_tells_only_what_changed() {
    let sessions = Sessions::new(10);
    let id = opened(&sessions, &[0, 1, 2]);
    let (_, wanted) = sessions.begin(&request(id, 1, &[]), false, NOW).expect("epoch 1 is next");
    assert_eq!(indexes(&wanted), [0, 1, 2]);
    assert!(!sessions.tell(id, &wanted[0], Some(TOLD), false), "no news");
    assert!(sessions.tell(id, &wanted[0], Some(Told { watermark: 6, log_start: 0 }), false), "the watermark moved");
    assert!(sessions.tell(id, &wanted[1], None, false), "an error is told");
    assert!(sessions.tell(id, &wanted[1], Some(TOLD), false), "and its end too");
}

#[test]
fn a_partition_with_data_goes_to_the_end_of_the_turn_order() {
    let sessions = Sessions::new(10);
    let id = opened(&sessions, &[0, 1, 2]);
    let (_, wanted) = sessions.begin(&request(id, 1, &[]), false, NOW).expect("next");
    assert!(sessions.tell(id, &wanted[0], Some(TOLD), true));
    let (_, wanted) = sessions.begin(&request(id, 2, &[]), false, NOW).expect("next");
    assert_eq!(indexes(&wanted), [1, 2, 0]);
}

#[test]
fn partitions_are_added_and_forgotten() {
    let sessions = Sessions::new(10);
    let id = opened(&sessions, &[0, 1]);
    let mut changed = request(id, 1, &[7]);
    let forgotten = ForgottenTopic { topic: "t".into(), partitions: vec![0], ..ForgottenTopic::default() };
    changed.forgotten_topics_data = vec![forgotten];
    let (_, wanted) = sessions.begin(&changed, false, NOW).expect("next");
    assert_eq!(indexes(&wanted), [1, 7]);
    assert!(sessions.tell(id, &wanted[1], Some(Told { watermark: 0, log_start: 0 }), false), "new to the client");
}

#[test]
fn wrong_ids_epochs_and_naming_are_refused() {
    let sessions = Sessions::new(10);
    let id = opened(&sessions, &[0]);
    let refused = |request, by_id| sessions.begin(&request, by_id, NOW).err();
    assert_eq!(refused(request(id + 1, 1, &[]), false), Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND));
    assert_eq!(refused(request(id, 2, &[]), false), Some(ErrorCode::INVALID_FETCH_SESSION_EPOCH));
    assert_eq!(refused(request(id, 1, &[]), true), Some(ErrorCode::FETCH_SESSION_TOPIC_ID_ERROR));
    assert!(sessions.begin(&request(id, -1, &[0]), false, NOW).is_ok());
    assert_eq!(refused(request(id, 1, &[]), false), Some(ErrorCode::FETCH_SESSION_ID_NOT_FOUND), "it was ended");
}

#[test]
fn slots_are_bounded_and_an_old_session_gives_way() {
    let sessions = Sessions::new(1);
    opened(&sessions, &[0]);
    let wanted = |now| {
        let (_, wanted) = sessions.begin(&request(0, 0, &[1]), false, now).expect("a full fetch");
        sessions.open(|| 11, false, wanted.into_iter().map(|wanted| (wanted, TOLD)), now)
    };
    assert_eq!(wanted(NOW), NO_SESSION);
    assert_eq!(wanted(Monotonic(121_000_000_001)), 11);
    assert_eq!(sessions.count(), (1, 1));
}
