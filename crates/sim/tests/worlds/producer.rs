//! Producers: some idempotent with five batches in flight and retries, some plain that never repeat a batch.

use crate::checker::{Checker, Value};
use ottla_log::Refusal;
use ottla_sim::{Random, Sim};
use ottla_wire::batch::{BatchBuilder, NewRecord, Producer as ProducerOfBatch};
use ottla_wire::ids::{Offset, ProducerEpoch, ProducerId};
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};

/// Says that the log went past a batch without a promise that it stays.
const IN_DOUBT: usize = usize::MAX;
const IN_FLIGHT_MAX: usize = 5;
const RETRY_PAUSE: Duration = Duration::from_millis(2);

/// Why a batch was not acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Failure {
    Refused(Refusal),
    /// The leader has lost the batch, or has ceased to lead, before it was acknowledged.
    Deposed,
    /// Nobody knows: the process died.
    Unknown,
}

/// A batch and the one who waits for its base offset.
pub(crate) struct Request {
    pub(crate) bytes: Vec<u8>,
    pub(crate) answer: oneshot::Sender<Result<Offset, Failure>>,
}

/// What takes the batches of producers.
pub(crate) trait Server: Send + Sync + 'static {
    /// Where the batches of a producer go, in order.
    fn requests(&self, producer: u32) -> &mpsc::Sender<Request>;
}

/// The server of the moment; none while the node is down.
pub(crate) type Current<S> = Arc<Mutex<Option<Arc<S>>>>;

/// A batch on its way.
#[derive(Clone)]
pub(crate) struct Batch {
    pub(crate) values: Vec<Value>,
    bytes: Vec<u8>,
}

pub(crate) struct Producer<S> {
    pub(crate) sim: Sim,
    pub(crate) current: Current<S>,
    pub(crate) checker: Arc<Mutex<Checker>>,
    pub(crate) number: u32,
    pub(crate) is_idempotent: bool,
}

type Answers = Vec<oneshot::Receiver<Result<Offset, Failure>>>;

impl<S: Server> Producer<S> {
    /// Sends `count` batches until each is acknowledged, or given up by a plain producer.
    pub(crate) async fn run(self, count: usize, mut random: Random) {
        let mut sequence = 0;
        let batches = (0..count).map(|_| self.make(&mut sequence, &mut random));
        let mut unsent: VecDeque<Batch> = batches.collect();
        while !unsent.is_empty() {
            let in_flight = unsent.len().min(1 + random.index(IN_FLIGHT_MAX));
            let batches: Vec<Batch> = unsent.iter().take(in_flight).cloned().collect();
            let answers = self.send(&batches).await;
            let done = self.settle(&batches, answers).await;
            if done == IN_DOUBT {
                return;
            }
            unsent.drain(..if self.is_idempotent { done } else { in_flight });
            if done < in_flight {
                self.sim.sleep(RETRY_PAUSE).await;
            } else {
                self.sim.sleep(Duration::from_micros(random.below(2000))).await;
            }
        }
    }

    fn make(&self, sequence: &mut i32, random: &mut Random) -> Batch {
        let mut builder = BatchBuilder::new(Offset(0));
        if self.is_idempotent {
            let id = ProducerId(i64::from(self.number));
            builder = builder.producer(ProducerOfBatch { id, epoch: ProducerEpoch(0), base_sequence: *sequence });
        }
        let count = [1, 1, 1 + random.index(4), 1 + random.index(16)][random.index(4)];
        let mut values = Vec::new();
        for _ in 0..count {
            let value = Value { producer: self.number, number: *sequence as u32 };
            let record =
                NewRecord { timestamp: self.sim.wall().0, value: Some(&value.bytes()), ..NewRecord::default() };
            builder.append(&record).unwrap();
            values.push(value);
            *sequence += 1;
        }
        Batch { values, bytes: builder.finish() }
    }

    async fn send(&self, batches: &[Batch]) -> Answers {
        let mut answers = Vec::new();
        let server = self.current.lock().clone();
        for batch in batches {
            let (answer, answered) = oneshot::channel();
            answers.push(answered);
            let request = Request { bytes: batch.bytes.clone(), answer };
            if let Some(server) = &server {
                // A server that is dead drops the request, and its answer with it.
                let _ = server.requests(self.number).send(request).await;
            }
        }
        answers
    }

    /// Notes what was acknowledged; answers how many from the first one on were.
    async fn settle(&self, batches: &[Batch], answers: Answers) -> usize {
        let mut done = 0;
        let mut has_failed = false;
        for (batch, answer) in batches.iter().zip(answers) {
            match answer.await.unwrap_or(Err(Failure::Unknown)) {
                Ok(base) => {
                    self.checker.lock().acknowledged(base, &batch.values);
                    done += usize::from(!has_failed);
                }
                // A snapshot keeps a producer's last batch alone, so a log that was opened again may not know an earlier
                // one by its offset. It promises nothing about it either: a client begins a new epoch, these end.
                Err(Failure::Refused(Refusal::OutOfOrderSequence { last, found })) if found <= last && !has_failed => {
                    self.sim.meet("forgotten repetition");
                    return IN_DOUBT;
                }
                Err(Failure::Refused(Refusal::OutOfOrderSequence { last, found })) if !has_failed => {
                    panic!("producer {} is at {found}, but the log remembers {last}", self.number);
                }
                Err(failure) => {
                    has_failed = true;
                    self.checker.lock().failed(failure);
                }
            }
        }
        done
    }
}
