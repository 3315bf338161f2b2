//! Groups and their offsets: what one partition of `__consumer_offsets` says.

pub mod any;
pub mod change;
pub mod classic;
pub mod client;
pub mod command;
pub mod consumer;
pub mod fault;
pub mod groups;
pub mod offsets;
pub mod record;
pub mod settings;
pub mod timers;

pub use change::Change;
pub use command::{Answer, Command, Survey, Surveyed};
pub use fault::Fault;
pub use groups::Groups;
pub use record::Record;
pub use settings::GroupSettings;
pub use timers::Timer;
