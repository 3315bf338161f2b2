//! Facts that this release does not act on and yet never loses: rights, credentials, tokens, quotas.

use std::collections::BTreeMap;

use ottla_messages::records::metadata::{
    AccessControlEntryRecord, ClientQuotaRecord, DelegationTokenRecord, EntityData, MetadataRecord,
    RemoveUserScramCredentialRecord, UserScramCredentialRecord,
};
use ottla_wire::Uuid;

/// Type and name of each part of a quota's entity, sorted by type.
type Entity = Vec<(String, Option<String>)>;

/// The kept facts, as the records that state them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Kept {
    acls: BTreeMap<Uuid, AccessControlEntryRecord<'static>>,
    scram: BTreeMap<(String, i8), UserScramCredentialRecord<'static>>,
    tokens: BTreeMap<String, DelegationTokenRecord<'static>>,
    quotas: BTreeMap<(Entity, String), f64>,
}

impl Kept {
    pub(super) fn has_acls(&self) -> bool {
        !self.acls.is_empty()
    }

    pub(super) fn quota_count(&self) -> usize {
        self.quotas.len()
    }

    pub(super) fn add_acl(&mut self, record: AccessControlEntryRecord<'static>) {
        self.acls.insert(record.id, record);
    }

    pub(super) fn remove_acl(&mut self, id: &Uuid) {
        self.acls.remove(id);
    }

    pub(super) fn add_scram(&mut self, record: UserScramCredentialRecord<'static>) {
        self.scram.insert((record.name.to_string(), record.mechanism), record);
    }

    pub(super) fn remove_scram(&mut self, record: &RemoveUserScramCredentialRecord<'_>) {
        self.scram.remove(&(record.name.to_string(), record.mechanism));
    }

    pub(super) fn add_token(&mut self, record: DelegationTokenRecord<'static>) {
        self.tokens.insert(record.token_id.to_string(), record);
    }

    pub(super) fn remove_token(&mut self, id: &str) {
        self.tokens.remove(id);
    }

    pub(super) fn change_quota(&mut self, record: &ClientQuotaRecord<'_>) {
        let name = |part: &EntityData<'_>| part.entity_name.as_deref().map(str::to_owned);
        let mut entity: Entity = record.entity.iter().map(|part| (part.entity_type.to_string(), name(part))).collect();
        entity.sort();
        let key = (entity, record.key.to_string());
        if record.remove {
            self.quotas.remove(&key);
        } else {
            self.quotas.insert(key, record.value);
        }
    }

    pub(super) fn quota_records(&self) -> impl Iterator<Item = MetadataRecord<'static>> {
        self.quotas.iter().map(|((entity, key), value)| {
            let part = |(kind, name): &(String, Option<String>)| EntityData {
                entity_type: kind.clone().into(),
                entity_name: name.clone().map(Into::into),
            };
            MetadataRecord::ClientQuota(ClientQuotaRecord {
                entity: entity.iter().map(part).collect(),
                key: key.clone().into(),
                value: *value,
                remove: false,
            })
        })
    }

    pub(super) fn security_records(&self) -> impl Iterator<Item = MetadataRecord<'static>> {
        let acls = self.acls.values().cloned().map(MetadataRecord::AccessControlEntry);
        let scram = self.scram.values().cloned().map(MetadataRecord::UserScramCredential);
        let tokens = self.tokens.values().cloned().map(MetadataRecord::DelegationToken);
        acls.chain(scram).chain(tokens)
    }
}
