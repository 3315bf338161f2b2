//! Tests of the submit queue: its bounds, and its hand-over under every interleaving that shuttle finds.

use crate::submit::{GROUP_BYTES_MAX, GROUP_ENTRIES_MAX, QUEUE_ENTRIES_MAX, Submit, Weigh};

struct Entry(usize);

impl Weigh for Entry {
    fn size(&self) -> usize {
        self.0
    }
}

#[test]
fn a_group_takes_at_most_64_entries_or_a_mebibyte() {
    let submit = Submit::new(());
    for _ in 0..QUEUE_ENTRIES_MAX {
        assert!(submit.submit(Entry(1)).is_ok());
    }
    assert!(submit.submit(Entry(1)).is_err(), "the queue is bounded");
    let mut groups = Vec::new();
    submit.drive(|()| true, |(), group| groups.push(group.len()));
    assert_eq!(groups, [GROUP_ENTRIES_MAX; QUEUE_ENTRIES_MAX / GROUP_ENTRIES_MAX]);

    for size in [GROUP_BYTES_MAX, 10, 2 * GROUP_BYTES_MAX, 10, 10] {
        assert!(submit.submit(Entry(size)).is_ok());
    }
    groups.clear();
    submit.drive(|()| true, |(), group| groups.push(group.iter().map(Entry::size).sum()));
    assert_eq!(groups, [GROUP_BYTES_MAX, 10, 2 * GROUP_BYTES_MAX, 20]);
}

#[test]
fn an_entry_larger_than_the_queue_is_taken_when_alone() {
    let submit = Submit::new(());
    assert!(submit.submit(Entry(100 << 20)).is_ok());
    assert!(submit.submit(Entry(1)).is_err());
}

/// Shuttle's primitives under the names that the queue imports.
mod sync {
    pub(crate) use shuttle::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

    pub(crate) struct Mutex<T>(shuttle::sync::Mutex<T>);

    impl<T> Mutex<T> {
        pub(crate) fn new(value: T) -> Mutex<T> {
            Mutex(shuttle::sync::Mutex::new(value))
        }

        pub(crate) fn lock(&self) -> impl std::ops::DerefMut<Target = T> {
            self.0.lock().expect("no holder panics")
        }

        pub(crate) fn try_lock(&self) -> Option<impl std::ops::DerefMut<Target = T>> {
            self.0.try_lock().ok()
        }
    }
}

#[expect(clippy::duplicate_mod, reason = "the same source over primitives that explore interleavings")]
#[allow(dead_code, reason = "the explored copy uses a part of it")]
#[path = "submit.rs"]
mod copy;

struct Number(u32);

impl copy::Weigh for Number {
    fn size(&self) -> usize {
        1
    }
}

fn submit_and_drive(submit: &copy::Submit<Number, Vec<u32>>, base: u32) {
    for number in base..base + 2 {
        assert!(submit.submit(Number(number)).is_ok());
        submit.drive(|_| true, |log, group| log.extend(group.drain(..).map(|number| number.0)));
    }
}

#[test]
fn no_entry_is_left_behind_and_each_submitter_keeps_its_order() {
    shuttle::check_random(
        || {
            let submit = shuttle::sync::Arc::new(copy::Submit::new(Vec::new()));
            let threads: Vec<_> = [0, 10, 20]
                .into_iter()
                .map(|base| {
                    let submit = submit.clone();
                    shuttle::thread::spawn(move || submit_and_drive(&submit, base))
                })
                .collect();
            for thread in threads {
                thread.join().expect("submitters do not panic");
            }
            let written = submit.with_writer(|log| log.clone()).expect("nobody writes any more");
            assert_eq!(written.len(), 6, "{written:?}");
            for base in [0, 10, 20] {
                let at = |number| written.iter().position(|other| *other == number);
                assert!(at(base) < at(base + 1), "{written:?}");
            }
        },
        2_000,
    );
}

/// A device that has room for a few, and calls when there is more.
struct Device {
    state: shuttle::sync::Mutex<(usize, bool)>,
}

impl Device {
    /// Takes room for one, or notes that somebody waits for it.
    fn has_room(&self) -> bool {
        let mut state = self.state.lock().expect("no holder panics");
        let has_room = state.0 > 0;
        if has_room {
            state.0 -= 1;
        } else {
            state.1 = true;
        }
        has_room
    }

    /// Makes room; whether somebody waits for it.
    fn make_room(&self, room: usize) -> bool {
        let mut state = self.state.lock().expect("no holder panics");
        state.0 += room;
        std::mem::take(&mut state.1)
    }
}

#[test]
fn a_parked_queue_goes_on_when_there_is_room_whoever_is_first() {
    shuttle::check_random(
        || {
            let submit = shuttle::sync::Arc::new(copy::Submit::new(Vec::new()));
            let device = shuttle::sync::Arc::new(Device { state: shuttle::sync::Mutex::new((0, false)) });
            let drive = |submit: &copy::Submit<Number, Vec<u32>>, device: &Device| {
                submit.drive(
                    |_| device.has_room(),
                    |log, group| log.extend(group.drain(..).map(|number: Number| number.0)),
                );
            };
            let submitters = [0, 10].map(|base| {
                let (submit, device) = (submit.clone(), device.clone());
                shuttle::thread::spawn(move || {
                    for number in base..base + 2 {
                        assert!(submit.submit(Number(number)).is_ok());
                        drive(&submit, &device);
                    }
                })
            });
            let (other, slow) = (submit.clone(), device);
            let waker = shuttle::thread::spawn(move || {
                for _ in 0..8 {
                    if slow.make_room(2) {
                        other.unpark();
                        drive(&other, &slow);
                    }
                }
            });
            for thread in submitters.into_iter().chain([waker]) {
                thread.join().expect("nobody panics");
            }
            let written = submit.with_writer(|log| log.len()).expect("nobody writes any more");
            assert_eq!(written, 4);
        },
        2_000,
    );
}
