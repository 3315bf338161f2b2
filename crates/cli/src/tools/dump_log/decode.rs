//! How keys and values are read: as text, or as records of a log that the platform keeps for itself.

use ottla_messages::json::{Value, quoted};
use ottla_messages::layout::{Kind, Layout};
use ottla_wire::batch::{ControlKind, Record};
use ottla_wire::{ApiVersion, Cursor};

/// A reader of keys and values.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Decoder {
    /// UTF-8 text.
    Text,
    /// Records of `__cluster_metadata`.
    Metadata,
    /// Records of `__consumer_offsets`.
    Offsets,
    /// Records of `__transaction_state`.
    Transactions,
    /// Records of `__share_group_state`.
    Shares,
}

/// A record's key and payload as they are printed.
pub(super) type Shown = (Option<String>, Option<String>);

impl Decoder {
    /// A record, readable. Err when it cannot be one of this log.
    pub(super) fn show(self, record: &Record<'_>) -> Result<Shown, String> {
        let group = match self {
            Decoder::Text => return Ok((record.key.map(text), record.value.map(text))),
            Decoder::Metadata => return Ok((None, Some(metadata(record)))),
            Decoder::Offsets => "group",
            Decoder::Transactions => "transaction",
            Decoder::Shares => "share",
        };
        let Some(key) = record.key else {
            let offset = record.offset;
            return Err(format!(
                "Failed to decode message at offset {offset} using the specified decoder (message had a missing key)"
            ));
        };
        Ok(coordinator(group, key, record))
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn metadata(record: &Record<'_>) -> String {
    let shown = framed(record.value.unwrap_or_default());
    shown.unwrap_or_else(|why| format!("Error at {}, skipping. {why}", record.offset))
}

/// A metadata record behind its frame version, type and version.
fn framed(value: &[u8]) -> Result<String, String> {
    let said = |error: ottla_wire::DecodeError| error.to_string();
    let mut cursor = Cursor::new(value);
    let frame = cursor.uvarint().map_err(said)?;
    if frame != 1 {
        return Err(format!("Could not deserialize metadata record with unknown frame version {frame}."));
    }
    let key = i16::try_from(cursor.uvarint().map_err(said)?).unwrap_or(-1);
    let version = ApiVersion(i16::try_from(cursor.uvarint().map_err(said)?).unwrap_or(-1));
    let layout = Layout::find("metadata", Kind::Whole, key).filter(|layout| layout.has(version));
    let layout = layout.ok_or_else(|| format!("Unknown metadata id {key} in version {}", version.0))?;
    let data = layout.json(cursor.rest(), version).map_err(said)?;
    Ok(format!("{{\"type\":\"{}\",\"version\":{},\"data\":{data}}}", layout.type_name(), version.0))
}

/// A coordinator record: its key begins with the type, its value with a version.
fn coordinator(group: &str, key: &[u8], record: &Record<'_>) -> Shown {
    let offset = record.offset;
    let error = |why: &str| (Some(format!("Error at offset {offset}, skipping. {why}")), None);
    let Some((kind, key)) = key.split_first_chunk::<2>() else { return error("the key has no type") };
    let kind = i16::from_be_bytes(*kind);
    let layouts = (Layout::find(group, Kind::Key, kind), Layout::find(group, Kind::Value, kind));
    let (Some(key_layout), Some(value_layout)) = layouts else {
        return (Some(format!("Unknown record type {kind} at offset {offset}, skipping.")), None);
    };
    let key = match key_layout.json(key, ApiVersion(0)) {
        Ok(data) => format!("{{\"type\":\"{kind}\",\"data\":{data}}}"),
        Err(why) => return error(&format!("the key cannot be read: {why}")),
    };
    let Some(value) = record.value else { return (Some(key), Some("<DELETE>".to_owned())) };
    let Some((version, value)) = value.split_first_chunk::<2>() else { return error("the value has no version") };
    let version = ApiVersion(i16::from_be_bytes(*version));
    if !value_layout.has(version) {
        return error(&format!("the value has the unknown version {}", version.0));
    }
    match value_layout.json_with(value, version, &mut inner(value_layout)) {
        Ok(data) => (Some(key), Some(format!("{{\"version\":\"{}\",\"data\":{data}}}", version.0))),
        Err(why) => error(&format!("the value cannot be read: {why}")),
    }
}

/// What is shown in place of a field: members of consumer groups instead of their bytes, states by name.
fn inner(layout: &Layout) -> impl FnMut(&str, &Value<'_>) -> Option<String> {
    let (is_group, is_transaction) = (layout.name == "GroupMetadataValue", layout.name == "TransactionLogValue");
    let mut has_consumers = false;
    move |name, value| match (name, value) {
        ("protocolType", Value::Text(kind)) if is_group => {
            has_consumers = *kind == "consumer";
            None
        }
        ("subscription", Value::Bytes(bytes)) if has_consumers => embedded("ConsumerProtocolSubscription", bytes),
        ("assignment", Value::Bytes(bytes)) if has_consumers => embedded("ConsumerProtocolAssignment", bytes),
        ("transactionStatus", Value::Int(status)) if is_transaction => transaction_status(*status),
        _ => None,
    }
}

/// A structure of the consumers' protocol behind its version; None where it cannot be read as one.
fn embedded(name: &str, bytes: &[u8]) -> Option<String> {
    let (version, body) = bytes.split_first_chunk::<2>()?;
    let layout = Layout::named("consumer_protocol", name)?;
    let version = ApiVersion(i16::from_be_bytes(*version));
    layout.has(version).then(|| layout.json(body, version).ok())?
}

const STATUSES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

fn transaction_status(status: i64) -> Option<String> {
    let name = usize::try_from(status).ok().and_then(|status| STATUSES.get(status));
    Some(name.map_or_else(|| quoted(&status.to_string()), |name| quoted(name)))
}

/// A control record of the metadata log, readable.
pub(super) fn control(kind: ControlKind, value: &[u8]) -> String {
    let (title, name) = match kind {
        ControlKind::LeaderChange => ("LeaderChange:", "LeaderChangeMessage"),
        ControlKind::SnapshotHeader => ("SnapshotHeader", "SnapshotHeaderRecord"),
        ControlKind::SnapshotFooter => ("SnapshotFooter", "SnapshotFooterRecord"),
        ControlKind::KraftVersion => ("KRaftVersion", "KRaftVersionRecord"),
        ControlKind::Voters => ("KRaftVoters", "VotersRecord"),
        ControlKind::Abort | ControlKind::Commit => return String::new(),
        ControlKind::Unknown(id) => return format!(" controlType: UNKNOWN({id})"),
    };
    let version = value.first_chunk::<2>().map_or(0, |version| i16::from_be_bytes(*version));
    let read = Layout::named("control", name).map(|layout| layout.json(value, ApiVersion(version)));
    match read {
        Some(Ok(data)) => format!(" {title} {data}"),
        Some(Err(why)) => format!(" {title} unreadable: {why}"),
        None => format!(" {title}"),
    }
}
