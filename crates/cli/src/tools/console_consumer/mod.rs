//! `ottla console-consumer`: prints the records of topics as they come, alone or as a member of a group.

mod arguments;
mod fetch;
mod follow;
mod format;
mod options;
mod position;
mod records;
mod stop;

pub(crate) use arguments::Arguments;

use crate::client::cluster::Cluster;
use crate::client::groups::{Committed, Trouble};
use crate::client::offsets::TopicPartition;
use crate::failure::{Failure, While};
use crate::output;
use fetch::Reader;
use follow::{Follow, Subscription};
use format::RecordFormat;
use std::collections::BTreeMap;
use std::io::Write;
use std::time::{Duration, Instant};
use stop::Stop;

/// How long the broker may hold an empty answer.
const POLL: Duration = Duration::from_millis(500);
/// How long to wait before a broken connection is made again.
const AGAIN: Duration = Duration::from_millis(500);

/// Prints records until the count, the timeout, Ctrl-C or SIGTERM ends it; a member leaves its group then.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.check()?;
    let format = RecordFormat::new(&arguments.formatter()?).map_err(Failure::new)?;
    let options = options::read(arguments)?;
    let stop = Stop::listen()?;
    let mut cluster = Cluster::connect_as(&arguments.bootstrap_server, &options.client_id)?;
    let mut reader = Reader::new(options.reading);
    let printer = Printer { format, left: arguments.max_messages(), printed: 0, out: Vec::new() };
    let mut session = Session { stop, patience: arguments.patience(), last: Instant::now(), printer };
    let ended = match arguments.only()? {
        Some((partition, from)) => {
            let topic = cluster.topic(arguments.topic.as_deref().unwrap_or_default(), true)?;
            let place = TopicPartition::new(topic.name, partition);
            reader.start(&mut cluster, BTreeMap::from([(place, None)]), from)?;
            session.read(&mut cluster, &mut reader, None)
        }
        None => {
            let subscription = match (&arguments.topic, &arguments.include) {
                (Some(topic), _) => Subscription::Topic(topic.clone()),
                (None, include) => Subscription::matching(include.as_deref().unwrap_or_default())?,
            };
            let id = session.stop.fresh_id();
            let mut follow = Follow::start(&mut cluster, &mut reader, subscription, options, id)?;
            let ended = session.read(&mut cluster, &mut reader, Some(&mut follow));
            follow.end(&mut cluster, &reader);
            ended
        }
    };
    output::note(format_args!("Processed a total of {} messages", session.printer.printed));
    ended
}

/// What prints and when it ends.
struct Session {
    stop: Stop,
    patience: Option<Duration>,
    /// When the last record came.
    last: Instant,
    printer: Printer,
}

struct Printer {
    format: RecordFormat,
    left: Option<u64>,
    printed: u64,
    out: Vec<u8>,
}

impl Printer {
    fn take(&mut self, record: &format::Printed<'_>) -> bool {
        if self.left == Some(0) {
            return false;
        }
        self.format.write(record, &mut self.out);
        self.printed += 1;
        self.left = self.left.map(|left| left - 1);
        true
    }

    /// Whether somebody still reads what is printed.
    fn show(&mut self) -> Result<bool, Failure> {
        let mut screen = std::io::stdout().lock();
        let shown = screen.write_all(&self.out).and_then(|()| screen.flush());
        self.out.clear();
        match shown {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {
                output::note("Unable to write to standard out, closing consumer.");
                Ok(false)
            }
            shown => shown.during(|| "write to standard output".to_owned()).map(|()| true),
        }
    }
}

impl Session {
    fn read(
        &mut self,
        cluster: &mut Cluster,
        reader: &mut Reader,
        mut follow: Option<&mut Follow>,
    ) -> Result<(), Failure> {
        while self.printer.left != Some(0) && self.goes_on() {
            let before = self.printer.printed;
            let mut shown = BTreeMap::new();
            match self.round(cluster, reader, follow.as_deref_mut(), &mut shown) {
                Ok(()) => {}
                Err(Trouble::Broken(failure)) if failure.is_passing() => {
                    output::note(format_args!("WARN trying again: {failure}"));
                    cluster.forget_all();
                    std::thread::sleep(AGAIN);
                }
                Err(trouble) => return Err(Failure::new(trouble.to_string())),
            }
            match self.printer.show() {
                Ok(true) => {}
                ended => {
                    reader.go_back(shown);
                    return ended.map(|_| ());
                }
            }
            if self.printer.printed > before {
                self.last = Instant::now();
            }
        }
        Ok(())
    }

    fn goes_on(&self) -> bool {
        !self.stop.is_asked() && self.patience.is_none_or(|patience| self.last.elapsed() <= patience)
    }

    fn round(
        &mut self,
        cluster: &mut Cluster,
        reader: &mut Reader,
        follow: Option<&mut Follow>,
        shown: &mut BTreeMap<TopicPartition, Committed>,
    ) -> Result<(), Trouble> {
        let wait = self.patience.map_or(POLL, |patience| POLL.min(patience));
        if let Some(follow) = follow {
            follow.poll(cluster, reader)?;
            if reader.is_idle() {
                follow.wait(wait);
                return Ok(());
            }
        }
        *shown = reader.places();
        let (stop, printer) = (&self.stop, &mut self.printer);
        Ok(reader.poll(cluster, wait, &mut || !stop.is_asked(), &mut |record| printer.take(record))?)
    }
}
