//! Stories as text: commands in, effects out. `OTTLA_REWRITE_SCRIPTS=1` writes what comes out into the scripts, to be
//! reviewed as a diff.

use super::toy::{Alarm, Ask, Toy};
use crate::machine::{Now, Ticket};
use crate::runtime::load::replay;
use crate::runtime::state::{AtOnce, Effect, Effects, Event, RuntimeSettings, State};
use ottla_host::{Monotonic, WallClock};
use ottla_wire::batch::{Batches, ValidBatch};
use ottla_wire::ids::Offset;
use std::fmt::Write;
use std::path::Path;
use std::time::Duration;

/// A state under a script, and the log that the script writes.
struct Scene {
    state: State<Toy>,
    now: Now,
    tickets: u64,
    /// Batches in the log.
    log: Vec<Vec<u8>>,
    /// A batch that the state wants appended.
    handed_out: Option<Vec<u8>>,
    begun: Effects<Toy>,
}

fn ms(text: &str) -> Duration {
    Duration::from_millis(text.parse().unwrap_or_else(|_| panic!("{text} is no number")))
}

impl Scene {
    /// `start linger=0 batch=200`: milliseconds, bytes.
    fn new(words: &[&str]) -> Scene {
        let mut settings = RuntimeSettings { commit_timeout: Duration::from_secs(5), ..RuntimeSettings::default() };
        for word in words {
            match word.split_once('=') {
                Some(("linger", text)) => settings.linger = Some(ms(text)),
                Some(("batch", text)) => settings.batch_bytes_max = text.parse().expect("bytes"),
                _ => panic!("{word} is no setting"),
            }
        }
        let mut begun = Vec::new();
        let state = State::new(settings, Box::new(Toy::default), &mut begun);
        Scene { state, now: Now::default(), tickets: 0, log: Vec::new(), handed_out: None, begun }
    }

    fn end(&self) -> Offset {
        let counts = self.log.iter().map(|batch| ValidBatch::trusted(batch).expect("a batch").record_count());
        Offset(counts.map(i64::from).sum())
    }

    fn run(&mut self, verb: &str, words: &[&str]) -> String {
        let mut out = std::mem::take(&mut self.begun);
        let owned = |word: &&str| (*word).to_owned();
        match verb {
            "start" => {}
            "put" => {
                let pairs = words.iter().filter_map(|pair| pair.split_once('='));
                let ask = Ask::Put(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect());
                self.ask(ask, &mut out);
            }
            "put-long" => self.ask(Ask::Put(vec![(words[0].to_owned(), "x".repeat(1000))]), &mut out),
            "drop" => self.ask(Ask::Drop(words.iter().map(owned).collect()), &mut out),
            "get" => self.ask(Ask::Get(words[0].to_owned()), &mut out),
            "wait" => self.ask(Ask::Wait(words[0].to_owned()), &mut out),
            "alarm" => self.ask(self.alarm(words), &mut out),
            "at-once" => {
                let ask = match words[0] {
                    "get" => Ask::Get(words[1].to_owned()),
                    "wait" => Ask::Wait(words[1].to_owned()),
                    "alarm" => self.alarm(&words[1..]),
                    "drop" => Ask::Drop(vec![words[1].to_owned()]),
                    other => panic!("unknown command {other}"),
                };
                return match self.state.answer_at_once(&ask, self.now) {
                    Some(AtOnce { answer, is_sooner }) => {
                        let answer = answer.unwrap_or_else(|refused| refused.to_string());
                        format!("at once: {answer}{}\n", if is_sooner { ", and a deadline is sooner" } else { "" })
                    }
                    None => "not at once\n".to_owned(),
                };
            }
            "idle" => self.step(Event::Idle, &mut out),
            "tick" => {
                self.now.monotonic = self.now.monotonic + ms(words[0]);
                self.now.wall = WallClock(self.now.wall.0 + ms(words[0]).as_millis() as i64);
                self.step(Event::Tick, &mut out);
            }
            "written" => {
                self.log.extend(self.handed_out.take());
                let end = self.end();
                self.step(Event::Appended(end), &mut out);
            }
            "write-fails" => {
                self.handed_out = None;
                self.step(Event::NotAppended, &mut out);
            }
            // In the log, but nobody knows.
            "write-unsure" => {
                self.log.extend(self.handed_out.take());
                self.step(Event::NotAppended, &mut out);
            }
            "committed" => self.step(Event::Committed(Offset(words[0].parse().expect("an offset"))), &mut out),
            "load" => self.load(&mut out),
            "load-fails" => self.step(Event::NotLoaded, &mut out),
            "unload" => self.step(Event::Unloaded, &mut out),
            other => panic!("unknown command {other}"),
        }
        self.shown(out)
    }

    fn alarm(&self, words: &[&str]) -> Ask {
        let alarm = match words.get(1) {
            None => Alarm::Plain,
            Some(&"stuck") => Alarm::Stuck,
            Some(&"large") => Alarm::Large,
            Some(other) => panic!("{other} is no alarm"),
        };
        Ask::Alarm(self.now.monotonic + ms(words[0]), alarm)
    }

    fn ask(&mut self, ask: Ask, out: &mut Effects<Toy>) {
        self.tickets += 1;
        self.step(Event::Asked(Ticket(self.tickets), ask), out);
    }

    fn load(&mut self, out: &mut Effects<Toy>) {
        let machine = self.state.loading().expect("it is loading");
        for batch in &self.log {
            replay(machine, batch, &mut Vec::new()).expect("the log can be read");
        }
        let end = self.end();
        self.step(Event::Loaded(end), out);
    }

    fn step(&mut self, event: Event<Ask>, out: &mut Effects<Toy>) {
        self.state.step(self.now, event, out);
    }

    fn shown(&mut self, out: Effects<Toy>) -> String {
        let mut text = String::new();
        for effect in out {
            let line = match effect {
                Effect::Load => "load the log".to_owned(),
                Effect::Append(batch) => {
                    let line = format!("append{}", records(&batch));
                    assert!(self.handed_out.replace(batch).is_none(), "one batch at a time");
                    line
                }
                Effect::Answer(ticket, Ok(answer)) => format!("{}: {answer}", ticket.0),
                Effect::Answer(ticket, Err(refused)) => format!("{}: refused, {refused}", ticket.0),
                Effect::RefuseAll(refused) => format!("all who wait: refused, {refused}"),
            };
            writeln!(text, "{line}").expect("a string takes it");
        }
        match self.state.deadline() {
            Some(Monotonic(at)) => writeln!(text, "(until {} ms)", at / 1_000_000).expect("a string takes it"),
            None if text.is_empty() => text.push_str("(nothing)\n"),
            None => {}
        }
        text
    }
}

fn records(batch: &[u8]) -> String {
    let mut text = String::new();
    for (_, bytes) in Batches::new(batch).map(|found| found.expect("a batch")) {
        let valid = ValidBatch::trusted(bytes).expect("a batch");
        for record in valid.records(&mut Vec::new(), 1 << 20).expect("records") {
            let record = record.expect("a record");
            let shown = |bytes: Option<&[u8]>| bytes.map_or("-".into(), |it| String::from_utf8_lossy(it).into_owned());
            write!(text, " {}={:.10}", shown(record.key), shown(record.value)).expect("a string takes it");
        }
    }
    text
}

/// A command without its outcome is followed by an empty line; the outcome ends at the next one.
fn play(script: &str) -> String {
    let mut scene = None;
    let mut played = String::new();
    let mut skipping = false;
    for line in script.lines() {
        if skipping {
            skipping = !line.is_empty();
        }
        if skipping {
            continue;
        }
        played.push_str(line);
        played.push('\n');
        if !line.is_empty() && !line.starts_with('#') {
            let words: Vec<&str> = line.split_whitespace().collect();
            let scene = scene.get_or_insert_with(|| Scene::new(&words[1..]));
            played.push_str("----\n");
            played.push_str(&scene.run(words[0], &words[1..]));
            skipping = true;
        }
    }
    played
}

#[expect(clippy::disallowed_methods, reason = "scripts are part of the source, not of a node's disk")]
fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/runtime/state/scripts").join(name);
    let script = std::fs::read_to_string(&path).expect("the script is there");
    let played = play(&script);
    if std::env::var_os("OTTLA_REWRITE_SCRIPTS").is_some() {
        std::fs::write(&path, played).expect("the script can be written");
        return;
    }
    for (at, (expected, found)) in script.lines().zip(played.lines()).enumerate() {
        assert_eq!(expected, found, "{name}:{}", at + 1);
    }
    assert_eq!(script, played, "{name}");
}

macro_rules! scripts {
    ($($name:ident)*) => {$(
        #[test]
        fn $name() {
            check(concat!(stringify!($name), ".txt"));
        }
    )*};
}

scripts! {
    answers_wait_for_the_commit
    answers_at_once
    a_failed_append
    batches
    commit_timeout
    deadlines
    deadlines_that_cannot_be_written
    leader_lost
    loading
}
