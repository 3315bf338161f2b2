//! Groups of consumers that join, commit, vanish and sleep, under a coordinator whose broker dies: no partition has two
//! owners that may both commit, no committed offset is lost or moved back, and every group settles.

mod checker;
mod classic;
mod consumer;
mod held_up;
mod hub;
mod member;
mod story;

pub(crate) use story::run;
