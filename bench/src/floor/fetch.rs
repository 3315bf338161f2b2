//! The floor of Fetch: a bare sendfile loop that answers every request with the next part of one file.

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;

use ottla_messages::fetch::{FetchResponse, FetchableTopicResponse, PartitionData};
use ottla_wire::{Encoder, Records};
use rustix::net::SendFlags;

use super::{Requests, serve};
use crate::failure::{Doing, Failure, Result};
use crate::protocol::frame::FETCH;

/// Serves `bytes` of a file of `file_bytes` at a time until killed. The file is written first, batch behind batch as a log
/// is, so that it lies in the page cache as a log does: the kernel keeps what is written in larger pieces in larger pages.
pub(crate) fn run(path: PathBuf, file_bytes: u64, (bytes, batch_bytes): (u32, usize)) -> Result<()> {
    let mut file =
        File::options().create(true).truncate(true).write(true).read(true).open(&path).doing("create the file")?;
    let batch = vec![0x5a; batch_bytes.max(1)];
    let batches = file_bytes.div_ceil(batch.len() as u64);
    (0..batches).try_for_each(|_| file.write_all(&batch)).doing("write the file")?;
    drop(file);
    let parts = (file_bytes / u64::from(bytes)).max(1);
    serve(move |stream, number| connection(stream, &path, (number as u64, parts, bytes)))
}

fn connection(mut stream: TcpStream, path: &PathBuf, (first, parts, bytes): (u64, u64, u32)) -> Result<()> {
    let file = File::open(path).doing("open the file")?;
    let mut requests = Requests::new();
    let mut part = first;
    while let Some(request) = requests.next(&mut stream)? {
        let correlation = request.get(4..8).and_then(|bytes| bytes.try_into().ok()).map(i32::from_be_bytes);
        let correlation = correlation.ok_or_else(|| Failure::Said("a request without header".to_owned()))?;
        let (bytes_around, cut) = answer(correlation, bytes)?;
        rustix::net::send(&stream, &bytes_around[..cut], SendFlags::MORE).doing("send the header")?;
        send(&stream, &file, (part % parts) * u64::from(bytes), bytes as usize)?;
        stream.write_all(&bytes_around[cut..]).doing("send the end")?;
        part += 1;
    }
    Ok(())
}

/// Bytes of an answer and where the records go in between.
fn answer(correlation: i32, length: u32) -> Result<(Vec<u8>, usize)> {
    let partition = PartitionData { records: Some(Records::Elsewhere { id: 0, length }), ..Default::default() };
    let topic = FetchableTopicResponse { topic: "floor".into(), partitions: vec![partition], ..Default::default() };
    let mut out = Encoder::new();
    out.i32(0);
    out.i32(correlation);
    out.uvarint(0);
    FetchResponse { responses: vec![topic], ..Default::default() }.encode(&mut out, FETCH)?;
    out.patch_i32(0, out.total() as i32 - 4);
    let (bytes, cuts) = out.into_parts();
    let cut = cuts.first().map_or(bytes.len(), |cut| cut.at);
    Ok((bytes, cut))
}

fn send(stream: &TcpStream, file: &File, from: u64, length: usize) -> Result<()> {
    let mut at = from;
    let end = from + length as u64;
    while at < end {
        let left = (end - at) as usize;
        let count = rustix::fs::sendfile(stream, file, Some(&mut at), left).doing("sendfile")?;
        if count == 0 {
            return Err(Failure::Said("the file is shorter than expected".to_owned()));
        }
    }
    Ok(())
}
