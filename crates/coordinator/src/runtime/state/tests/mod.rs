//! The runtime's state over a toy machine.

mod script;
mod toy;
