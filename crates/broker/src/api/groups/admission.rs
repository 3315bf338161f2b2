//! What every request of a group's member begins with: may they, and who are they.

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::groups::classic::Identity;
use crate::cx::groups::command::Client;
use crate::cx::rights::Resource;
use ottla_wire::ErrorCode;
use std::fmt::Write;
use std::net::IpAddr;
use std::sync::Arc;

/// Whether the caller may do with the group `id` what the table says, and the id is one.
pub(crate) fn admit<R>(cx: &Cx, call: &Call<'_, R>, id: &str) -> Result<(), ErrorCode> {
    if !call.may(cx, Resource::Group(id)) {
        return Err(ErrorCode::GROUP_AUTHORIZATION_FAILED);
    }
    if id.is_empty() { Err(ErrorCode::INVALID_GROUP_ID) } else { Ok(()) }
}

/// Who calls, as groups remember it.
pub(crate) fn client<R>(call: &Call<'_, R>) -> Client {
    Client { id: Arc::from(call.client_id), host: host(call.peer.address.ip().to_canonical()).into() }
}

/// How a member names itself.
pub(crate) fn identity(member_id: &str, instance_id: Option<&str>) -> Identity {
    Identity { member_id: Arc::from(member_id), instance_id: instance_id.map(Arc::from) }
}

/// An address as Java prints it: a slash first, IPv6 in full.
fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => {
            let mut text = String::new();
            for segment in address.segments() {
                let sign = if text.is_empty() { '/' } else { ':' };
                write!(text, "{sign}{segment:x}").expect("a string takes what is written to it");
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::host;

    #[test]
    fn addresses_look_like_java_prints_them() {
        assert_eq!(host("127.0.0.1".parse().unwrap()), "/127.0.0.1");
        assert_eq!(host("::1".parse().unwrap()), "/0:0:0:0:0:0:0:1");
    }
}
