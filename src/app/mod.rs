//! app
pub mod command;
mod events;
pub mod state;
