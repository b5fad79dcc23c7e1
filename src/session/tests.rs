//! What a session does with what it is told, without a thread.
