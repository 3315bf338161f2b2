//! Classic groups by their rules: stories as text, and random walks.

mod script;
mod walks;
