//! Ctrl-C and SIGTERM, noticed between two steps so that a member can commit and leave.

use crate::failure::{Failure, While};
use ottla_host::real::{Runtime, stop_signal};
use ottla_raft::format::random_uuid;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Exit code of a process that a second signal ends at once.
const INTERRUPTED: i32 = 130;

/// Whether the user wants it to end.
pub(super) struct Stop {
    asked: Arc<AtomicBool>,
    id: String,
}

impl Stop {
    /// Listens for signals from now on. The second ends the process where it stands.
    pub(super) fn listen() -> Result<Stop, Failure> {
        let runtime = Runtime::start(1).during(|| "start threads".to_owned())?;
        let id = random_uuid(&*runtime.host().chance).to_string();
        let asked = Arc::new(AtomicBool::new(false));
        let shared = Arc::clone(&asked);
        let first = runtime.block_on(async { stop_signal() }).during(|| "listen for signals".to_owned())?;
        let listen = move || {
            runtime.block_on(async {
                first.await;
                shared.store(true, Ordering::Relaxed);
                // Where nobody listens any more, the system itself ends the process.
                if let Ok(second) = stop_signal() {
                    second.await;
                    std::process::exit(INTERRUPTED);
                }
            });
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(listen)
            .during(|| "start the thread that listens for signals".to_owned())?;
        Ok(Stop { asked, id })
    }

    /// Whether a signal has come.
    pub(super) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }

    /// A name that nobody else has.
    pub(super) fn fresh_id(&self) -> String {
        self.id.clone()
    }
}
