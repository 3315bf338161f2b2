//! InitProducerId without a transactional id: an id that no producer has had (KIP-98).

use crate::api::call::Call;
use crate::cx::Cx;
use crate::cx::rights::{Operation, Resource};
use ottla_messages::init_producer_id::{InitProducerIdRequest, InitProducerIdResponse};
use ottla_wire::ErrorCode;

/// Gives a fresh id with epoch 0.
pub(crate) async fn handle<'a>(cx: &Cx, call: Call<'a, InitProducerIdRequest<'a>>) -> InitProducerIdResponse {
    match fresh_id(cx, &call).await {
        Ok(id) => InitProducerIdResponse { producer_id: id, producer_epoch: 0, ..InitProducerIdResponse::default() },
        Err(code) => InitProducerIdResponse { error_code: code.code(), ..InitProducerIdResponse::default() },
    }
}

async fn fresh_id(cx: &Cx, call: &Call<'_, InitProducerIdRequest<'_>>) -> Result<i64, ErrorCode> {
    if let Some(id) = &call.request.transactional_id {
        let may = !id.is_empty() && cx.allows(call.peer, Operation::Write, Resource::TransactionalId(id));
        // Transactions are not served: the error is one that clients do not retry.
        return Err(if may { ErrorCode::INVALID_REQUEST } else { ErrorCode::TRANSACTIONAL_ID_AUTHORIZATION_FAILED });
    }
    let may = call.may(cx, Resource::Cluster) || cx.may_write_some_topic(call.peer);
    if !may {
        return Err(ErrorCode::CLUSTER_AUTHORIZATION_FAILED);
    }
    Ok(cx.control().producer_id().await?.0)
}
