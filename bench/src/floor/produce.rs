//! The floor of Produce: receive, check the CRC, append to a file, answer; one thread and one file a connection.

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use ottla_messages::produce::{PartitionProduceResponse, ProduceRequest, ProduceResponse, TopicProduceResponse};
use ottla_wire::{Cursor, Encoder};

use super::{Requests, serve};
use crate::failure::{Doing, Failure, Result};
use crate::protocol::frame::PRODUCE;

/// Where the CRC lies in a batch, and where the bytes begin that it covers.
const CRC_AT: usize = 17;
const COVERED_AT: usize = 21;

/// Serves until killed, one file a connection in `folder`.
pub(crate) fn run(folder: PathBuf) -> Result<()> {
    std::fs::create_dir_all(&folder).doing("create the folder")?;
    serve(move |stream, number| connection(stream, &folder, number))
}

fn connection(mut stream: TcpStream, folder: &Path, number: usize) -> Result<()> {
    let mut file = File::create(folder.join(number.to_string())).doing("create a file")?;
    let mut requests = Requests::new();
    let mut answer = Encoder::new();
    let mut offset = 0;
    while let Some(request) = requests.next(&mut stream)? {
        let (correlation, message) = decode(request)?;
        for partition in message.topic_data.iter().flat_map(|topic| &topic.partition_data) {
            let records = partition.records.map_or(&[][..], |records| records.bytes());
            check(records)?;
            file.write_all(records).doing("write to the file")?;
        }
        encode(&mut answer, correlation, &message, offset)?;
        offset += 1;
        stream.write_all(answer.bytes()).doing("send the answer")?;
    }
    Ok(())
}

fn decode(request: &[u8]) -> Result<(i32, ProduceRequest<'_>)> {
    let mut cursor = Cursor::new(request);
    let (_key, _version, correlation) = (cursor.i16()?, cursor.i16()?, cursor.i32()?);
    cursor.nullable_string(false, "client id")?;
    cursor.skip_tags()?;
    Ok((correlation, ProduceRequest::decode(&mut cursor, PRODUCE)?))
}

fn check(batch: &[u8]) -> Result<()> {
    let stored = batch.get(CRC_AT..COVERED_AT).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    match stored {
        Some(crc) if crc == crc_fast::crc32_iscsi(&batch[COVERED_AT..]) => Ok(()),
        _ => Err(Failure::Said("a batch with a wrong CRC".to_owned())),
    }
}

fn encode(out: &mut Encoder, correlation: i32, request: &ProduceRequest<'_>, base_offset: i64) -> Result<()> {
    out.clear();
    out.i32(0);
    out.i32(correlation);
    out.uvarint(0);
    let responses = request.topic_data.iter().map(|topic| TopicProduceResponse {
        name: topic.name.as_ref().into(),
        partition_responses: (topic.partition_data.iter())
            .map(|partition| PartitionProduceResponse { index: partition.index, base_offset, ..Default::default() })
            .collect(),
        ..Default::default()
    });
    ProduceResponse { responses: responses.collect(), ..Default::default() }.encode(out, PRODUCE)?;
    out.patch_i32(0, out.position() as i32 - 4);
    Ok(())
}
