//! The program that a pickle is, run on a stack of node numbers; see [`super::pickle`].

use std::collections::HashMap;

use super::pickle::{Call, Node, Ref};

/// Most nodes of one pickle: a hundred times what the largest checkpoints hold.
const MAX_NODES: usize = 1 << 22;

/// The stack machine that a pickle is a program for.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    nodes: Vec<Node>,
    stack: Vec<Ref>,
    marks: Vec<usize>,
    memo: HashMap<u64, Ref>,
}

type Outcome<T> = Result<T, String>;

impl<'a> Machine<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let (nodes, stack, marks) = (Vec::new(), Vec::new(), Vec::new());
        Self { bytes, at: 0, nodes, stack, marks, memo: HashMap::new() }
    }

    /// Number of bytes taken so far.
    pub(super) fn at(&self) -> usize {
        self.at
    }

    pub(super) fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// Runs to the end of the program, and gives what it leaves.
    pub(super) fn run(&mut self) -> Outcome<Ref> {
        loop {
            let code = self.array::<1>()?[0];
            if code == b'.' {
                return self.pop();
            }
            self.step(code)?;
        }
    }

    fn step(&mut self, code: u8) -> Outcome<()> {
        match code {
            // Protocol and frame lengths; the pickle says itself where it ends.
            0x80 => drop(self.array::<1>()?),
            0x95 => drop(self.array::<8>()?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.since_mark()?),
            b'2' => {
                let top = self.top()?;
                self.stack.push(top);
            }
            b'N' => self.push(Node::Other)?,
            0x88 | 0x89 => self.push(Node::Bool(code == 0x88))?,
            b'I' | b'L' => {
                let line = self.line()?;
                let digits = line.trim_end_matches('L');
                let node = digits.parse().map_or(Node::Other, Node::Int);
                self.push(node)?;
            }
            b'F' => {
                self.line()?;
                self.push(Node::Other)?;
            }
            b'G' => {
                self.array::<8>()?;
                self.push(Node::Other)?;
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()))?;
            }
            b'K' => {
                let value = self.array::<1>()?[0];
                self.push(Node::Int(value.into()))?;
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Node::Int(value.into()))?;
            }
            0x8a | 0x8b => self.long(code)?,
            _ => return self.step_text(code),
        }
        Ok(())
    }

    /// Texts and bytes.
    fn step_text(&mut self, code: u8) -> Outcome<()> {
        match code {
            b'S' => {
                let line = self.line()?;
                let text = line.trim_matches(|c| c == '\'' || c == '"').into();
                self.push(Node::Text(text))
            }
            b'V' => {
                let text = self.line()?.into();
                self.push(Node::Text(text))
            }
            b'U' | 0x8c => self.push_text::<1>(),
            b'X' | b'T' => self.push_text::<4>(),
            0x8d => self.push_text::<8>(),
            b'C' => self.push_bytes::<1>(),
            b'B' => self.push_bytes::<4>(),
            0x8e | 0x96 => self.push_bytes::<8>(),
            _ => self.step_memo(code),
        }
    }

    /// What is remembered, and what is kept elsewhere.
    fn step_memo(&mut self, code: u8) -> Outcome<()> {
        match code {
            b'p' => {
                let key = self.line_number()?;
                self.remember(key)
            }
            b'q' => {
                let key = self.array::<1>()?[0];
                self.remember(key.into())
            }
            b'r' => {
                let key = u32::from_le_bytes(self.array()?);
                self.remember(key.into())
            }
            0x94 => self.remember(self.memo.len() as u64),
            b'g' => {
                let key = self.line_number()?;
                self.recall(key)
            }
            b'h' => {
                let key = self.array::<1>()?[0];
                self.recall(key.into())
            }
            b'j' => {
                let key = u32::from_le_bytes(self.array()?);
                self.recall(key.into())
            }
            b'P' => {
                let text = self.line()?.into();
                self.push(Node::Text(text))?;
                let id = self.pop()?;
                self.push(Node::Persistent(id))
            }
            b'Q' => {
                let id = self.pop()?;
                self.push(Node::Persistent(id))
            }
            _ => self.step_collection(code),
        }
    }

    /// Tuples, lists, sets and dictionaries.
    fn step_collection(&mut self, code: u8) -> Outcome<()> {
        match code {
            b')' => self.push(Node::Tuple(Box::default())),
            0x85..=0x87 => {
                let from = self.stack.len().checked_sub(usize::from(code - 0x84));
                let members = self.stack.split_off(from.ok_or_else(underflow)?);
                self.push(Node::Tuple(members.into()))
            }
            b't' | 0x91 => {
                let members = self.since_mark()?;
                self.push(Node::Tuple(members.into()))
            }
            b']' | 0x8f => self.push(Node::List(Vec::new())),
            b'l' => {
                let members = self.since_mark()?;
                self.push(Node::List(members))
            }
            b'}' => self.push(Node::Dict(Vec::new())),
            b'd' => {
                let items = pairs(&self.since_mark()?)?;
                self.push(Node::Dict(items))
            }
            b'a' => {
                let member = self.pop()?;
                self.append(vec![member])
            }
            b'e' | 0x90 => {
                let members = self.since_mark()?;
                self.append(members)
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(&[key, value])
            }
            b'u' => {
                let items = self.since_mark()?;
                self.set_items(&items)
            }
            _ => self.step_call(code),
        }
    }

    /// Classes, functions and what would be made of them.
    fn step_call(&mut self, code: u8) -> Outcome<()> {
        match code {
            b'c' => {
                let global = (self.line()?.to_owned(), self.line()?.to_owned());
                self.push(Node::Global(global.into()))
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let text = |at: Ref| match &self.nodes[at as usize] {
                    Node::Text(text) => Ok(text.to_string()),
                    _ => Err("a class without a name".to_owned()),
                };
                let global = (text(module)?, text(name)?);
                self.push(Node::Global(global.into()))
            }
            b'R' | 0x81 => {
                let (arguments, function) = (self.pop()?, self.pop()?);
                self.call(function, arguments)
            }
            0x92 => {
                let (_, arguments, function) = (self.pop()?, self.pop()?, self.pop()?);
                self.call(function, arguments)
            }
            b'o' => {
                let mut members = self.since_mark()?;
                if members.is_empty() {
                    return Err(underflow());
                }
                let function = members.remove(0);
                self.call_with(function, members)
            }
            b'i' => {
                let global = (self.line()?.to_owned(), self.line()?.to_owned());
                let members = self.since_mark()?;
                self.push(Node::Global(global.into()))?;
                let function = self.pop()?;
                self.call_with(function, members)
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                if let Node::Call(call) = &mut self.nodes[object as usize] {
                    call.state = Some(state);
                }
                Ok(())
            }
            other => Err(format!("its pickle has the unknown opcode {other:#04x}")),
        }
    }

    fn call_with(&mut self, function: Ref, arguments: Vec<Ref>) -> Outcome<()> {
        self.push(Node::Tuple(arguments.into()))?;
        let arguments = self.pop()?;
        self.call(function, arguments)
    }

    fn call(&mut self, function: Ref, arguments: Ref) -> Outcome<()> {
        self.push(Node::Call(Box::new(Call {
            function,
            arguments,
            state: None,
            items: Vec::new(),
        })))
    }

    fn append(&mut self, mut members: Vec<Ref>) -> Outcome<()> {
        let list = self.top()?;
        if let Node::List(list) = &mut self.nodes[list as usize] {
            list.append(&mut members);
        }
        Ok(())
    }

    fn set_items(&mut self, members: &[Ref]) -> Outcome<()> {
        let mut items = pairs(members)?;
        let target = self.top()?;
        match &mut self.nodes[target as usize] {
            Node::Dict(known) => known.append(&mut items),
            Node::Call(call) => call.items.append(&mut items),
            _ => {}
        }
        Ok(())
    }

    fn remember(&mut self, key: u64) -> Outcome<()> {
        let top = self.top()?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Outcome<()> {
        let known = self.memo.get(&key).copied();
        self.stack.push(known.ok_or("its pickle refers to nothing")?);
        Ok(())
    }

    fn long(&mut self, code: u8) -> Outcome<()> {
        let length = match code {
            0x8a => self.array::<1>()?[0].into(),
            _ => u32::from_le_bytes(self.array()?) as usize,
        };
        let bytes = self.take(length)?;
        let mut value = [if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 }; 8];
        let node = match value.get_mut(..length) {
            Some(low) => {
                low.copy_from_slice(bytes);
                Node::Int(i64::from_le_bytes(value))
            }
            None => Node::Other,
        };
        self.push(node)
    }

    fn push_text<const N: usize>(&mut self) -> Outcome<()> {
        let text = String::from_utf8_lossy(self.counted::<N>()?).into();
        self.push(Node::Text(text))
    }

    fn push_bytes<const N: usize>(&mut self) -> Outcome<()> {
        self.counted::<N>()?;
        self.push(Node::Other)
    }

    /// Bytes with their number in front of them, in `N` bytes.
    fn counted<const N: usize>(&mut self) -> Outcome<&'a [u8]> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(self.take(N)?);
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| cut())?;
        self.take(length)
    }

    fn push(&mut self, node: Node) -> Outcome<()> {
        if self.nodes.len() >= MAX_NODES {
            return Err("its pickle holds more than a checkpoint needs".into());
        }
        self.stack.push(self.nodes.len() as Ref);
        self.nodes.push(node);
        Ok(())
    }

    fn pop(&mut self) -> Outcome<Ref> {
        self.stack.pop().ok_or_else(underflow)
    }

    fn top(&self) -> Outcome<Ref> {
        self.stack.last().copied().ok_or_else(underflow)
    }

    fn since_mark(&mut self) -> Outcome<Vec<Ref>> {
        let mark = self.marks.pop().filter(|&mark| mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or_else(underflow)?))
    }

    fn take(&mut self, count: usize) -> Outcome<&'a [u8]> {
        let end = self.at.checked_add(count).ok_or_else(cut)?;
        let taken = self.bytes.get(self.at..end).ok_or_else(cut)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Outcome<[u8; N]> {
        self.take(N)?.try_into().map_err(|_| cut())
    }

    fn line(&mut self) -> Outcome<&'a str> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&b| b == b'\n').ok_or_else(cut)?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|e| e.to_string())
    }

    fn line_number(&mut self) -> Outcome<u64> {
        self.line()?.trim().parse().map_err(|_| "its pickle refers to nothing".to_owned())
    }
}

fn pairs(members: &[Ref]) -> Outcome<Vec<(Ref, Ref)>> {
    let (pairs, rest) = members.as_chunks::<2>();
    match rest {
        [] => Ok(pairs.iter().map(|&[key, value]| (key, value)).collect()),
        _ => Err("its pickle has a key without a value".into()),
    }
}

fn underflow() -> String {
    "its pickle takes more than it holds".into()
}

fn cut() -> String {
    "its pickle is cut short".into()
}
