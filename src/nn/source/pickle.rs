//! Pickles, read as data: nothing that a pickle names is looked up, and nothing is called.
//!
//! A call becomes a [`Node::Call`] that holds what would be called and with what. Nodes live in one
//! arena and refer to each other by number, so that neither cycles nor depth can hurt, and a file
//! cannot ask for more memory than a multiple of its own size.

use super::machine::Machine;

/// A node's place in its [`Pickle`].
pub(super) type Ref = u32;

/// A value of a pickle.
#[derive(Clone, Debug)]
pub(super) enum Node {
    /// `None`, and values of no use here: floats, long integers, bytes.
    Other,
    Bool(bool),
    Int(i64),
    Text(Box<str>),
    Tuple(Box<[Ref]>),
    /// A list or a set.
    List(Vec<Ref>),
    Dict(Vec<(Ref, Ref)>),
    /// A class or function: module and name.
    Global(Box<(String, String)>),
    /// What a function or class would be called with, and what the result would then be given.
    Call(Box<Call>),
    /// Something kept outside the pickle, such as a tensor's storage.
    Persistent(Ref),
}

/// A call that was not made.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) function: Ref,
    pub(super) arguments: Ref,
    /// The state that the object would be set to.
    pub(super) state: Option<Ref>,
    /// The items that it would be given.
    pub(super) items: Vec<(Ref, Ref)>,
}

/// What a pickle holds.
#[derive(Debug)]
pub(super) struct Pickle {
    nodes: Vec<Node>,
    /// The whole.
    pub(super) root: Ref,
    /// Number of bytes it takes.
    pub(super) length: usize,
}

impl Pickle {
    /// Reads the pickle at the beginning of `bytes`.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut machine = Machine::new(bytes);
        let root = machine.run()?;
        Ok(Self { root, length: machine.at(), nodes: machine.into_nodes() })
    }

    pub(super) fn node(&self, at: Ref) -> &Node {
        &self.nodes[at as usize]
    }

    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub(super) fn text(&self, at: Ref) -> Option<&str> {
        match self.node(at) {
            Node::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn int(&self, at: Ref) -> Option<i64> {
        match self.node(at) {
            Node::Int(value) => Some(*value),
            _ => None,
        }
    }

    pub(super) fn is_true(&self, at: Ref) -> bool {
        matches!(self.node(at), Node::Bool(true))
    }

    /// The members of a tuple or list.
    pub(super) fn sequence(&self, at: Ref) -> Option<&[Ref]> {
        match self.node(at) {
            Node::Tuple(members) => Some(members),
            Node::List(members) => Some(members),
            _ => None,
        }
    }

    /// Module and name of a class or function.
    pub(super) fn global(&self, at: Ref) -> Option<(&str, &str)> {
        match self.node(at) {
            Node::Global(global) => Some((&global.0, &global.1)),
            _ => None,
        }
    }

    /// The items of a dictionary, or of a call that would make one.
    pub(super) fn items(&self, at: Ref) -> &[(Ref, Ref)] {
        match self.node(at) {
            Node::Dict(items) => items,
            Node::Call(call) => &call.items,
            _ => &[],
        }
    }
}
