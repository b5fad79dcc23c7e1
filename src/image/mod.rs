//! From a file to the network's input: decoding, then resizing and normalising.
