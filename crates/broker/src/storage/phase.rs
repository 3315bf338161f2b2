//! How far a start has come with the logs, and who waits for it.

use tokio::sync::watch;

/// ```text
/// Running ──────────────► Open
///    └────► Leaving ────► Abandoned
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    /// Logs are being opened.
    Running,
    /// The broker stops: those that are being opened are the last.
    Leaving,
    /// The broker stops, and no thread is at it any more.
    Abandoned,
    /// Every log is open, but for those that cannot be.
    Open,
}

/// The broker stops before all partitions are open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Abandoned;

/// The opening of the logs that a start has found.
pub(super) struct Opening(watch::Sender<Phase>);

impl Default for Opening {
    fn default() -> Opening {
        Opening(watch::Sender::new(Phase::Running))
    }
}

impl Opening {
    /// Whether every log is open, but for those that cannot be.
    pub(super) fn is_done(&self) -> bool {
        *self.0.borrow() == Phase::Open
    }

    /// Whether no further log shall be opened.
    pub(super) fn is_abandoned(&self) -> bool {
        matches!(*self.0.borrow(), Phase::Leaving | Phase::Abandoned)
    }

    /// The broker stops: no further log is opened, unless all are.
    pub(super) fn abandon(&self) {
        self.0.send_if_modified(|phase| {
            let is_running = *phase == Phase::Running;
            if is_running {
                *phase = Phase::Leaving;
            }
            is_running
        });
    }

    /// Says that no thread opens logs any more.
    pub(super) fn end(&self) {
        self.0.send_modify(|phase| {
            *phase = match *phase {
                Phase::Running | Phase::Open => Phase::Open,
                Phase::Leaving | Phase::Abandoned => Phase::Abandoned,
            };
        });
    }

    /// Waits until every log is open.
    pub(super) async fn done(&self) -> Result<(), Abandoned> {
        let mut phase = self.0.subscribe();
        let settled = phase.wait_for(|phase| *phase != Phase::Running).await;
        let is_open = settled.is_ok_and(|phase| *phase == Phase::Open);
        is_open.then_some(()).ok_or(Abandoned)
    }

    /// Waits until no thread opens logs any more.
    pub(super) async fn ended(&self) {
        let mut phase = self.0.subscribe();
        // The sender lives as long as what is borrowed here.
        let _ = phase.wait_for(|phase| matches!(phase, Phase::Open | Phase::Abandoned)).await;
    }
}
