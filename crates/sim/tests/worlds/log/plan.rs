//! What a seed stands for: settings, load, and what goes wrong.

use ottla_log::LogConfig;
use ottla_sim::{FaultRates, Random};
use std::sync::Arc;

/// When a record is acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Durability {
    /// In the page cache: survives the death of the process.
    Memory,
    /// On the device: survives the loss of power.
    Device,
    /// In the journal: survives the loss of power too.
    Journal,
}

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) durability: Durability,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) rates: FaultRates,
    pub(crate) files_max: usize,
    pub(crate) producers: usize,
    pub(crate) batches: usize,
    pub(crate) lives: usize,
}

impl Plan {
    /// The plan of a seed.
    pub(crate) fn draw(random: &mut Random) -> Plan {
        let durability = [Durability::Memory, Durability::Device, Durability::Journal][random.index(3)];
        let config = LogConfig {
            segment_bytes: 600 + random.below(4000) as u32,
            index_interval_bytes: 64 + random.below(400) as u32,
            index_bytes_max: 96 + random.below(1000) as u32,
            append_time: random.chance(200_000),
            preallocate: random.chance(200_000),
            journal: durability == Durability::Journal,
            ..LogConfig::default()
        };
        let on_device = u32::from(durability != Durability::Memory);
        let rates = FaultRates {
            short_write: 30_000,
            write_error: 500,
            sync_error: 3_000 * on_device,
            truncate_error: 10_000,
            early_writeback: 100_000,
            cold_read: 100_000,
        };
        Plan {
            durability,
            config: Arc::new(config),
            rates,
            files_max: 1 + random.index(8),
            producers: 2 + random.index(3),
            batches: 15 + random.index(25),
            lives: 3 + random.index(4),
        }
    }

    /// The same plan for a partition, which syncs by its own settings: before each acknowledgement where the device counts.
    pub(crate) fn of_partition(mut self) -> Plan {
        if self.durability == Durability::Device {
            self.config = Arc::new(LogConfig { flush_messages: 1, ..(*self.config).clone() });
        }
        self
    }
}
