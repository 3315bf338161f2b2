//! A classic group as its coordinator knows it: what the record says, and what this leader alone knows.

use super::command::Identity;
use super::member::{Member, Protocol, Protocols};
use crate::group::client::Client;
use crate::group::fault::Fault;
use ottla_host::WallClock;
use ottla_messages::records::consumer_protocol::ConsumerProtocolSubscription;
use ottla_messages::records::group::{GroupMetadataValue, MemberMetadata};
use ottla_wire::{ApiVersion, Cursor};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Where a group stands. A group that is gone has no state; Kafka calls that Dead.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// No members.
    Empty,
    /// Members are joining.
    Preparing(Option<Initial>),
    /// The members are known, their leader assigns.
    Completing,
    /// Each member has its assignment.
    Stable,
}

/// The first rebalance of an empty group, which waits for more members to come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Initial {
    /// `group.initial.rebalance.delay.ms`, or what was left for the last step.
    pub(super) delay: Duration,
    /// How much longer new members may put off the end.
    pub(super) remaining: Duration,
    /// Whether a member has come since the delay began.
    pub(super) has_grown: bool,
}

impl State {
    /// As Kafka names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::Preparing(_) => "PreparingRebalance",
            State::Completing => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// All of a group but its members.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Head {
    pub(super) state: State,
    /// When the state began.
    pub(super) since: Option<WallClock>,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<Arc<str>>,
    pub(super) protocol: Option<Arc<str>>,
    /// One of the members, None only without members.
    pub(super) leader: Option<Arc<str>>,
    /// Topics that consumers subscribe to; None if that is not known.
    pub(super) subscribed: Option<Arc<BTreeSet<Arc<str>>>>,
    pub(super) tally: Tally,
}

/// Counts over the members.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Tally {
    pub(super) members: usize,
    /// Members that wait for the answer to a JoinGroup.
    pub(super) joining: usize,
    /// Members that have not asked for their assignment, once there is one to ask for.
    pub(super) unsynced: usize,
    /// Members that only have an id yet.
    pub(super) pending: usize,
    /// How many members offer each protocol.
    pub(super) supported: Arc<BTreeMap<Arc<str>, usize>>,
}

impl Tally {
    /// Counts a member whose debt of a SyncGroup is `owes`.
    pub(super) fn add(&mut self, member: &Member, owes: bool) {
        self.members += 1;
        self.joining += usize::from(member.joining.is_some());
        self.unsynced += usize::from(owes);
        let supported = Arc::make_mut(&mut self.supported);
        for protocol in member.protocols.iter() {
            *supported.entry(protocol.name.clone()).or_default() += 1;
        }
    }

    /// Takes back what `add` has counted.
    pub(super) fn subtract(&mut self, member: &Member, owes: bool) {
        self.members -= 1;
        self.joining -= usize::from(member.joining.is_some());
        self.unsynced -= usize::from(owes);
        let supported = Arc::make_mut(&mut self.supported);
        for protocol in member.protocols.iter() {
            let count = supported.get_mut(&protocol.name).expect("the protocols of each member are counted");
            *count -= 1;
            if *count == 0 {
                supported.remove(&protocol.name);
            }
        }
    }

    /// Exchanges a member for one with its protocols.
    pub(super) fn exchange(&mut self, (old, owed): (&Member, bool), (new, owes): (&Member, bool)) {
        if old.protocols != new.protocols {
            self.subtract(old, owed);
            self.add(new, owes);
            return;
        }
        self.joining = self.joining + usize::from(new.joining.is_some()) - usize::from(old.joining.is_some());
        self.unsynced = self.unsynced + usize::from(owes) - usize::from(owed);
    }
}

impl Head {
    /// Whether a member still has to ask for its assignment.
    pub(super) fn owes(&self, member: &Member) -> bool {
        match self.state {
            State::Empty | State::Preparing(_) => false,
            State::Completing | State::Stable => member.synced != self.generation,
        }
    }

    /// Whether everybody who is known waits for the end of the rebalance.
    pub(super) fn has_all_joined(&self) -> bool {
        self.tally.members == self.tally.joining && self.tally.pending == 0
    }

    /// Whether one with these protocols can be a member.
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[Protocol]) -> bool {
        if self.state == State::Empty {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let shared = |name: &str| self.tally.supported.get(name).copied().unwrap_or(0) == self.tally.members;
        self.protocol_type.as_deref() == Some(protocol_type) && protocols.iter().any(|protocol| shared(&protocol.name))
    }

    fn is_consumers(&self) -> bool {
        self.protocol_type.as_deref() == Some(super::CONSUMER)
    }
}

/// From when on offsets of a group count as old (KIP-211).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expiry {
    /// They do not: the group is in use, or its subscription is not known.
    Never,
    /// From their commit on, unless the group subscribes to the topic.
    SinceCommit,
    /// Since the group has lost its last member.
    Since(WallClock),
}

/// A classic group.
#[derive(Clone, PartialEq, Debug)]
pub struct ClassicGroup {
    pub(super) head: Head,
    pub(super) members: BTreeMap<Arc<str>, Arc<Member>>,
    /// Static members by their instance id.
    pub(super) instances: BTreeMap<Arc<str>, Arc<str>>,
    /// Ids given to members that have to come again with them (KIP-394).
    pub(super) pending: BTreeSet<Arc<str>>,
}

/// A change of a group that this leader alone knows: what is different, and how it is now.
#[derive(Clone, PartialEq, Debug)]
pub struct Soft(pub(super) Box<Delta>);

#[derive(Clone, PartialEq, Debug)]
pub(super) struct Delta {
    pub(super) head: Head,
    pub(super) members: BTreeMap<Arc<str>, Option<Arc<Member>>>,
    pub(super) pending: BTreeMap<Arc<str>, bool>,
}

impl ClassicGroup {
    /// A group without members, as a commit of offsets or the first JoinGroup makes it.
    #[must_use]
    pub fn new(since: Option<WallClock>) -> ClassicGroup {
        ClassicGroup {
            head: Head {
                state: State::Empty,
                since,
                generation: 0,
                protocol_type: None,
                protocol: None,
                leader: None,
                subscribed: None,
                tally: Tally::default(),
            },
            members: BTreeMap::new(),
            instances: BTreeMap::new(),
            pending: BTreeSet::new(),
        }
    }

    /// The group as its record tells it.
    #[must_use]
    pub fn load(value: &GroupMetadataValue<'_>) -> ClassicGroup {
        let since = (value.current_state_timestamp != -1).then_some(WallClock(value.current_state_timestamp));
        let mut group = ClassicGroup::new(since);
        group.head.generation = value.generation;
        group.head.protocol_type = Some(&*value.protocol_type).filter(|name| !name.is_empty()).map(Arc::from);
        group.head.protocol = value.protocol.as_deref().map(Arc::from);
        let protocol: Arc<str> = group.head.protocol.clone().unwrap_or_default();
        let mut members = BTreeMap::new();
        for member in &value.members {
            let member = Arc::new(loaded(member, &protocol, value.generation));
            members.insert(member.id.clone(), Some(member));
        }
        if !members.is_empty() {
            group.head.state = State::Stable;
            group.head.protocol = Some(protocol);
        }
        group.put_all(members);
        let leader = value.leader.as_deref().filter(|id| group.members.contains_key(*id));
        group.head.leader = leader.map(Arc::from).or_else(|| group.members.keys().next().cloned());
        let mut tally = Tally::default();
        group.members.values().for_each(|member| tally.add(member, false));
        group.head.tally = tally;
        group.head.subscribed = subscribed(&group.head, group.members.values());
        group.check();
        group
    }

    /// Applies a change that was decided.
    pub fn apply(&mut self, soft: Soft) {
        let Delta { head, members, pending } = *soft.0;
        self.head = head;
        self.put_all(members);
        for (id, is_pending) in pending {
            if is_pending {
                self.pending.insert(id);
            } else {
                self.pending.remove(&id);
            }
        }
        self.check();
    }

    fn put_all(&mut self, members: BTreeMap<Arc<str>, Option<Arc<Member>>>) {
        let of = |member: Option<&Arc<Member>>| member.and_then(|member| member.instance_id.clone());
        for id in members.keys() {
            if let Some(instance) = of(self.members.get(id)) {
                self.instances.remove(&instance);
            }
        }
        for (id, member) in members {
            let before = match member {
                Some(member) => {
                    if let Some(instance) = of(Some(&member)) {
                        let other = self.instances.insert(instance, id.clone()).filter(|other| *other != id);
                        other.map(|other| self.members.remove(&other));
                    }
                    self.members.insert(id, member)
                }
                None => self.members.remove(&id),
            };
            drop(before);
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn state(&self) -> State {
        self.head.state
    }

    /// Whether it has no members and none is joining.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.state == State::Empty
    }

    /// Rises with each rebalance.
    #[must_use]
    pub fn generation(&self) -> i32 {
        self.head.generation
    }

    /// `consumer`, `connect`; None as long as nobody has joined.
    #[must_use]
    pub fn protocol_type(&self) -> Option<&Arc<str>> {
        self.head.protocol_type.as_ref()
    }

    /// Protocol of the generation.
    #[must_use]
    pub fn protocol(&self) -> Option<&Arc<str>> {
        self.head.protocol.as_ref()
    }

    /// Member that assigns.
    #[must_use]
    pub fn leader(&self) -> Option<&Arc<str>> {
        self.head.leader.as_ref()
    }

    /// Its members, by id.
    pub fn members(&self) -> impl ExactSizeIterator<Item = &Arc<Member>> {
        self.members.values()
    }

    /// A member by its id.
    #[must_use]
    pub fn member(&self, id: &str) -> Option<&Arc<Member>> {
        self.members.get(id)
    }

    /// Member that holds an instance id.
    #[must_use]
    pub fn static_member(&self, instance_id: &str) -> Option<&Arc<str>> {
        self.instances.get(instance_id)
    }

    /// Whether it only has offsets: nobody ever joined.
    #[must_use]
    pub fn is_simple(&self) -> bool {
        self.head.protocol_type.is_none() && self.is_empty() && self.pending.is_empty()
    }

    /// Whether members are consumers.
    #[must_use]
    pub fn is_consumers(&self) -> bool {
        self.head.is_consumers()
    }

    /// Whether a member subscribes to `topic`; when consumers cannot be understood they count as subscribing to all.
    #[must_use]
    pub fn is_subscribed(&self, topic: &str) -> bool {
        match &self.head.subscribed {
            Some(topics) => topics.contains(topic),
            None => self.is_consumers(),
        }
    }

    /// From when on its offsets count as old.
    #[must_use]
    pub fn expiry(&self) -> Expiry {
        match (self.head.protocol_type.is_some(), self.head.state) {
            (false, _) => Expiry::SinceCommit,
            (true, State::Empty) => self.head.since.map_or(Expiry::SinceCommit, Expiry::Since),
            (true, State::Stable) if self.is_consumers() && self.head.subscribed.is_some() => Expiry::SinceCommit,
            (true, State::Stable | State::Preparing(_) | State::Completing) => Expiry::Never,
        }
    }

    /// Whether `who` is a member, and its instance id its own.
    pub fn validate_member(&self, who: &Identity) -> Result<&Arc<Member>, Fault> {
        let holder = who.instance_id.as_ref().map(|instance| self.instances.get(instance));
        validate(who, holder, self.members.get(&who.member_id))
    }

    /// Whether `who` may commit offsets as of `generation`; a negative one for who is no member.
    pub fn validate_commit(&self, who: &Identity, generation: i32, is_transactional: bool) -> Result<(), Fault> {
        if generation < 0 && self.is_empty() {
            return Ok(());
        }
        if generation >= 0 || !who.member_id.is_empty() || who.instance_id.is_some() {
            self.validate_member(who)?;
            self.validate_generation(generation)?;
        } else if !is_transactional && !self.is_empty() {
            return Err(Fault::UnknownMember(who.member_id.clone()));
        }
        if !is_transactional && self.head.state == State::Completing {
            return Err(Fault::RebalanceInProgress);
        }
        Ok(())
    }

    /// Whether offsets may be deleted one by one; of consumers, only those of topics that they do not subscribe to.
    pub fn validate_offset_delete(&self, group: &Arc<str>) -> Result<(), Fault> {
        if self.is_empty() || self.is_consumers() { Ok(()) } else { Err(Fault::NonEmptyGroup(group.clone())) }
    }

    pub(super) fn validate_generation(&self, generation: i32) -> Result<(), Fault> {
        let group = self.head.generation;
        if group == generation { Ok(()) } else { Err(Fault::IllegalGeneration { group, request: generation }) }
    }

    /// Asserts what always holds.
    pub fn check(&self) {
        if !cfg!(debug_assertions) {
            return;
        }
        let Head { state, leader, protocol, .. } = &self.head;
        assert_eq!(self.members.is_empty(), leader.is_none(), "a leader if and only if there are members");
        assert!(leader.as_ref().is_none_or(|id| self.members.contains_key(id)), "the leader is a member");
        let mut tally = Tally { pending: self.pending.len(), ..Tally::default() };
        self.members.values().for_each(|member| tally.add(member, self.head.owes(member)));
        assert_eq!(tally, self.head.tally, "the counts are those of the members");
        let statics = self.members.values().filter(|member| member.is_static()).count();
        assert_eq!(statics, self.instances.len(), "an instance id has one member");
        assert!(self.pending.iter().all(|id| !self.members.contains_key(id)), "who is a member is not pending");
        for (id, member) in &self.members {
            assert_eq!(*id, member.id);
            let holder = member.instance_id.as_ref().map(|instance| &self.instances[instance]);
            assert!(holder.is_none_or(|holder| holder == id), "the instance id names its member");
            match state {
                State::Empty => panic!("an empty group has a member"),
                State::Preparing(_) => assert!(member.syncing.is_none(), "nothing to sync while members join"),
                State::Completing => assert!(member.joining.is_none(), "who joined has been answered"),
                State::Stable => assert!(member.joining.is_none() && member.syncing.is_none(), "nobody waits"),
            }
            if matches!(state, State::Completing | State::Stable) {
                let protocol = protocol.as_ref().expect("the members have chosen a protocol");
                assert!(member.metadata(protocol).is_some(), "each member has the chosen protocol");
            }
        }
    }
}

/// Whether `who` is `member`, and `holder` if it has an instance id.
pub(super) fn validate<'a>(
    who: &Identity,
    holder: Option<Option<&Arc<str>>>,
    member: Option<&'a Arc<Member>>,
) -> Result<&'a Arc<Member>, Fault> {
    let unknown = || Fault::UnknownMember(who.member_id.clone());
    if let (Some(instance), Some(holder)) = (&who.instance_id, holder)
        && *holder.ok_or_else(unknown)? != who.member_id
    {
        return Err(Fault::FencedInstance(instance.clone()));
    }
    member.ok_or_else(unknown)
}

fn loaded(member: &MemberMetadata<'_>, protocol: &Arc<str>, generation: i32) -> Member {
    let rebalance = member.rebalance_timeout;
    Member {
        id: Arc::from(&*member.member_id),
        instance_id: member.group_instance_id.as_deref().map(Arc::from),
        client: Client { id: Arc::from(&*member.client_id), host: Arc::from(&*member.client_host) },
        rebalance_timeout_ms: if rebalance == -1 { member.session_timeout } else { rebalance },
        session_timeout_ms: member.session_timeout,
        protocols: Protocols::from_iter([Protocol {
            name: protocol.clone(),
            metadata: Arc::from(&*member.subscription),
        }]),
        assignment: Arc::from(&*member.assignment),
        joining: None,
        syncing: None,
        is_new: false,
        synced: generation,
    }
}

/// The topics that members subscribe to; None if they are no consumers, or one cannot be understood.
pub(super) fn subscribed<'a>(
    head: &Head,
    members: impl Iterator<Item = &'a Arc<Member>>,
) -> Option<Arc<BTreeSet<Arc<str>>>> {
    if !head.is_consumers() {
        return None;
    }
    let mut topics: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut last: Option<&Arc<[u8]>> = None;
    for member in members {
        let metadata = member.metadata(head.protocol.as_deref()?)?;
        if last.is_some_and(|last| last == metadata) {
            continue;
        }
        let mut cursor = Cursor::new(metadata);
        cursor.i16().ok()?;
        let subscription = ConsumerProtocolSubscription::decode(&mut cursor, ApiVersion(0)).ok()?;
        for topic in &subscription.topics {
            if !topics.contains(&**topic) {
                topics.insert(Arc::from(&**topic));
            }
        }
        last = Some(metadata);
    }
    Some(Arc::new(topics))
}
