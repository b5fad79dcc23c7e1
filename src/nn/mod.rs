//! The networks: Swin, the tag decoder, RAM, RAM++ and the TagOOD projector.
