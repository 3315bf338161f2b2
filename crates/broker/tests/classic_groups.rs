//! A member of a classic group through a broker, in every version: joins, syncs, is alive, is shown, leaves; the group goes.

#[allow(dead_code, unreachable_pub, reason = "each user takes a part of it")]
mod raw;

use ottla_messages::api::ApiKey;
use ottla_messages::{
    delete_groups as dg, describe_groups as deg, find_coordinator as fc, heartbeat as hb, join_group as jg,
    leave_group as lg, list_groups as lig, sync_group as sg,
};
use ottla_wire::ErrorCode;
use raw::{Client, Fixture};

const SETTINGS: [(&str, &str); 3] = [
    ("offsets.topic.num.partitions", "4"),
    ("offsets.topic.replication.factor", "1"),
    ("group.initial.rebalance.delay.ms", "0"),
];

/// Round trips after which a coordinator that is loaded within milliseconds will not come any more.
const TRIES: usize = 100_000;

macro_rules! call {
    ($client:expr, $api:ident $version:expr, $request:expr, $response:path) => {{
        let request = $request;
        $client.call(
            ApiKey::$api,
            $version,
            |out, version| request.encode(out, version),
            |body, version| <$response>::decode(body, version).expect("the answer is whole").into_owned(),
        )
    }};
}

/// A member, speaking a version of JoinGroup and as new a one of the others as goes with it.
struct Member {
    client: Client,
    version: i16,
    group: String,
    id: String,
    generation: i32,
}

impl Member {
    fn join(&mut self, instance: Option<&'static str>) -> jg::JoinGroupResponse<'static> {
        let protocol = jg::JoinGroupRequestProtocol { name: "own".into(), metadata: b"words"[..].into() };
        let request = jg::JoinGroupRequest {
            group_id: self.group.clone().into(),
            session_timeout_ms: 30_000,
            rebalance_timeout_ms: 30_000,
            member_id: self.id.clone().into(),
            group_instance_id: instance.map(Into::into),
            protocol_type: "test".into(),
            protocols: vec![protocol],
            reason: None,
        };
        let answer = call!(self.client, JoinGroup self.version, request, jg::JoinGroupResponse<'_>);
        self.id = answer.member_id.to_string();
        self.generation = answer.generation_id;
        answer
    }

    /// Joins, with the coordinator on its way and with an id given first where the version says so.
    fn joined(&mut self, instance: Option<&'static str>) -> jg::JoinGroupResponse<'static> {
        for _ in 0..TRIES {
            let answer = self.join(instance);
            match ErrorCode::from_code(answer.error_code) {
                ErrorCode::NONE => return answer,
                ErrorCode::MEMBER_ID_REQUIRED => assert!(self.version >= 4 && instance.is_none()),
                ErrorCode::NOT_COORDINATOR | ErrorCode::COORDINATOR_LOAD_IN_PROGRESS => {}
                other => panic!("{other:?} in version {}", self.version),
            }
        }
        panic!("the coordinator does not come");
    }

    fn sync(&mut self, assignment: &'static [u8]) -> (i16, Vec<u8>) {
        let version = self.version.min(5);
        let given = sg::SyncGroupRequestAssignment { member_id: self.id.clone().into(), assignment: assignment.into() };
        let request = sg::SyncGroupRequest {
            group_id: self.group.clone().into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            protocol_type: Some("test".into()),
            protocol_name: Some("own".into()),
            assignments: vec![given],
            ..Default::default()
        };
        let answer = call!(self.client, SyncGroup version, request, sg::SyncGroupResponse<'_>);
        (answer.error_code, answer.assignment.to_vec())
    }

    fn heartbeat(&mut self) -> i16 {
        let request = hb::HeartbeatRequest {
            group_id: self.group.clone().into(),
            generation_id: self.generation,
            member_id: self.id.clone().into(),
            ..Default::default()
        };
        self.client.call(
            ApiKey::Heartbeat,
            self.version.min(4),
            |out, version| request.encode(out, version),
            |body, version| hb::HeartbeatResponse::decode(body, version).expect("the answer is whole").error_code,
        )
    }

    fn leave(&mut self) -> i16 {
        let version = self.version.min(5);
        let mut request = lg::LeaveGroupRequest { group_id: self.group.clone().into(), ..Default::default() };
        if version >= 3 {
            request.members = vec![lg::MemberIdentity { member_id: self.id.clone().into(), ..Default::default() }];
        } else {
            request.member_id = self.id.clone().into();
        }
        let answer = call!(self.client, LeaveGroup version, request, lg::LeaveGroupResponse<'_>);
        answer.members.first().map_or(answer.error_code, |member| member.error_code)
    }

    fn describe(&mut self) -> deg::DescribedGroup<'static> {
        let version = self.version.min(6);
        let request = deg::DescribeGroupsRequest {
            groups: vec![self.group.clone().into()],
            include_authorized_operations: version >= 3,
        };
        call!(self.client, DescribeGroups version, request, deg::DescribeGroupsResponse<'_>).groups.remove(0)
    }

    fn list(&mut self) -> Vec<lig::ListedGroup<'static>> {
        let version = self.version.min(5);
        let mut request = lig::ListGroupsRequest::default();
        if version >= 4 {
            request.states_filter = vec!["STABLE".into()];
        }
        if version >= 5 {
            request.types_filter = vec!["classic".into()];
        }
        call!(self.client, ListGroups version, request, lig::ListGroupsResponse<'_>).groups
    }

    fn delete(&mut self) -> i16 {
        let version = self.version.min(3);
        let request = dg::DeleteGroupsRequest { groups_names: vec![self.group.clone().into()] };
        call!(self.client, DeleteGroups version, request, dg::DeleteGroupsResponse<'_>).results[0].error_code
    }
}

fn member(fixture: &Fixture, version: i16, group: &str) -> Member {
    let mut client = Client::connect(fixture.address);
    // Has the topic of groups made.
    let request = fc::FindCoordinatorRequest { key: group.to_owned().into(), ..Default::default() };
    call!(client, FindCoordinator 3, request, fc::FindCoordinatorResponse<'_>);
    Member { client, version, group: group.to_owned(), id: String::new(), generation: -1 }
}

#[test]
fn a_member_lives_its_life_in_every_version() {
    let fixture = Fixture::start(&SETTINGS);
    for version in 0..=9 {
        let mut member = member(&fixture, version, &format!("group-{version}"));
        let joined = member.joined(None);
        assert_eq!((joined.generation_id, &*joined.leader), (1, &*joined.member_id), "version {version}");
        assert_eq!(joined.protocol_name.as_deref(), Some("own"));
        assert_eq!(joined.members.len(), 1);
        assert_eq!(&*joined.members[0].metadata, b"words");
        assert_eq!(member.sync(b"yours"), (0, b"yours".to_vec()), "version {version}");
        assert_eq!(member.heartbeat(), 0, "version {version}");
        let described = member.describe();
        assert_eq!((described.error_code, &*described.group_state, &*described.protocol_data), (0, "Stable", "own"));
        assert_eq!(&*described.members[0].member_assignment, b"yours");
        assert!(described.members[0].client_host.starts_with("/127.0.0.1"), "{}", described.members[0].client_host);
        assert_eq!(described.authorized_operations == i32::MIN, version < 3, "version {version}");
        assert!(member.list().iter().any(|group| group.group_id == member.group && group.protocol_type == "test"));
        assert_eq!(ErrorCode::from_code(member.delete()), ErrorCode::NON_EMPTY_GROUP);
        assert_eq!(member.leave(), 0, "version {version}");
        assert_eq!(ErrorCode::from_code(member.heartbeat()), ErrorCode::UNKNOWN_MEMBER_ID);
        assert_eq!(member.delete(), 0, "version {version}");
        assert_eq!(&*member.describe().group_state, "Dead");
        assert_eq!(ErrorCode::from_code(member.delete()), ErrorCode::GROUP_ID_NOT_FOUND);
    }
}

#[test]
fn a_static_member_comes_back_after_a_restart_and_keeps_what_it_had() {
    let fixture = Fixture::start(&SETTINGS);
    let mut first = member(&fixture, 9, "static");
    first.joined(Some("one"));
    assert_eq!(first.sync(b"yours"), (0, b"yours".to_vec()));
    let fixture = Fixture::start_in(fixture.stop(), &SETTINGS);
    let mut back = member(&fixture, 9, "static");
    let joined = back.joined(Some("one"));
    assert!(joined.skip_assignment, "the leader keeps what is assigned");
    assert_eq!(joined.generation_id, 1);
    assert_ne!(joined.member_id, first.id);
    assert_eq!(back.sync(b""), (0, b"yours".to_vec()));
}
