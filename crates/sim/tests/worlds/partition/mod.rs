//! One partition: connections that submit and drive, terms of leaders, readers at the watermark, and a node that dies.

mod server;
mod story;

pub(crate) use story::run;
