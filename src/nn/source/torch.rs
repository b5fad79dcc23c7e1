//! The tensors of a PyTorch checkpoint: of `torch.save` and of TorchScript archives alike.
//!
//! A tensor's name is its way through dictionaries, lists and objects' attributes, with dots
//! between: what `state_dict` calls it.

use std::collections::BTreeMap;

use super::pickle::{Call, Node, Pickle, Ref};
use super::strided::{ElementType, Storage, Strided};

/// Where a checkpoint keeps the storages that its pickle refers to.
pub(super) type Storages = BTreeMap<String, Storage>;

/// Deepest nesting, longest name and most values looked at: far beyond any checkpoint, and short of
/// what a pickle that refers to itself would ask for.
const MAX_DEPTH: usize = 64;
const MAX_NAME: usize = 1024;
const MAX_VALUES: usize = 1 << 23;

/// All tensors of a pickle by name.
///
/// # Errors
/// If a tensor's storage is missing or too small for it.
pub(super) fn tensors(
    pickle: &Pickle,
    storages: &Storages,
) -> Result<BTreeMap<String, Strided>, String> {
    let mut found = BTreeMap::new();
    let mut left = MAX_VALUES;
    let mut open = vec![(String::new(), pickle.root, 0)];
    while let Some((name, at, depth)) = open.pop() {
        left = left.checked_sub(1).ok_or("its pickle refers to itself")?;
        if let Node::Call(call) = pickle.node(at) {
            let tensor = tensor_of(pickle, call, storages, 0);
            if let Some(tensor) = tensor.map_err(|reason| format!("tensor `{name}` {reason}"))? {
                found.entry(name).or_insert(tensor);
                continue;
            }
        }
        if depth == MAX_DEPTH {
            continue;
        }
        let mut push = |part: &str, at: Ref| {
            let dot = if name.is_empty() { "" } else { "." };
            if name.len() + part.len() < MAX_NAME && may_hold_tensors(pickle.node(at)) {
                open.push((format!("{name}{dot}{part}"), at, depth + 1));
            }
        };
        each_member(pickle, at, &mut push);
    }
    Ok(found)
}

fn may_hold_tensors(node: &Node) -> bool {
    matches!(node, Node::Call(_) | Node::Dict(_) | Node::List(_) | Node::Tuple(_))
}

/// The members of a dictionary, list or object, with their part of the name.
fn each_member(pickle: &Pickle, at: Ref, push: &mut dyn FnMut(&str, Ref)) {
    for &(key, value) in pickle.items(at) {
        match pickle.node(key) {
            Node::Text(text) => push(text, value),
            Node::Int(number) => push(&number.to_string(), value),
            _ => {}
        }
    }
    match pickle.node(at) {
        Node::Tuple(_) | Node::List(_) => {
            let members = pickle.sequence(at).unwrap_or_default();
            members.iter().enumerate().for_each(|(i, &member)| push(&i.to_string(), member));
        }
        // An object's attributes; some keep a second dictionary beside the first.
        Node::Call(call) => {
            let Some(state) = call.state else { return };
            let states = pickle.sequence(state).unwrap_or(std::slice::from_ref(&state));
            let is_dict = |state: &&Ref| matches!(pickle.node(**state), Node::Dict(_));
            states.iter().filter(is_dict).for_each(|&state| each_member(pickle, state, push));
        }
        _ => {}
    }
}

/// The tensor that a call would make, if it would make one.
fn tensor_of(
    pickle: &Pickle,
    call: &Call,
    storages: &Storages,
    depth: usize,
) -> Result<Option<Strided>, String> {
    let Some(("torch._utils" | "torch._tensor", function)) = pickle.global(call.function) else {
        return Ok(None);
    };
    let arguments = pickle.sequence(call.arguments).unwrap_or_default();
    let inner = match function {
        "_rebuild_tensor_v2" | "_rebuild_tensor" | "_rebuild_tensor_v3" => {
            return rebuilt(pickle, arguments, storages).map(Some);
        }
        "_rebuild_parameter" | "_rebuild_parameter_with_state" => arguments.first().copied(),
        // A subclass of tensor: function, type, arguments.
        "_rebuild_from_type" | "_rebuild_from_type_v2" => {
            let [function, _, arguments, ..] = *arguments else { return Ok(None) };
            let call = Call { function, arguments, state: None, items: Vec::new() };
            return match depth < MAX_DEPTH {
                true => tensor_of(pickle, &call, storages, depth + 1),
                false => Ok(None),
            };
        }
        _ => None,
    };
    match inner.map(|inner| pickle.node(inner)) {
        Some(Node::Call(inner)) if depth < MAX_DEPTH => {
            tensor_of(pickle, inner, storages, depth + 1)
        }
        _ => Ok(None),
    }
}

/// `_rebuild_tensor_v2(storage, offset, shape, strides, …)`; the third version names its type in
/// the seventh place.
fn rebuilt(pickle: &Pickle, arguments: &[Ref], storages: &Storages) -> Result<Strided, String> {
    let [storage, offset, shape, strides, rest @ ..] = arguments else {
        return Err("is described in a way that is not known".into());
    };
    let stored = StorageId::of(pickle, *storage).ok_or("has no storage")?;
    let dtype = rest.get(2).and_then(|&dtype| pickle.global(dtype));
    let dtype = dtype.and_then(|(_, name)| element_type(name)).or(stored.dtype);
    let counts = |at: Ref| -> Option<Vec<usize>> {
        let members = pickle.sequence(at)?;
        members.iter().map(|&m| pickle.int(m)?.try_into().ok()).collect()
    };
    let offset = pickle.int(*offset).and_then(|offset| usize::try_from(offset).ok());
    let (Some(dtype), Some(offset), Some(shape), Some(strides)) =
        (dtype, offset, counts(*shape), counts(*strides))
    else {
        return Err("is described in a way that is not known".into());
    };
    let Some(location) = storages.get(stored.key) else {
        return Err(format!("has lost its storage {}", stored.key));
    };
    let offset = offset.checked_add(stored.offset).ok_or("is too large")?;
    Ok(Strided::new(*location, dtype, offset, shape, strides)?)
}

/// What a pickle says of a storage: `('storage', type, key, device, count[, view])`.
pub(super) struct StorageId<'a> {
    pub(super) key: &'a str,
    /// `None` for untyped bytes.
    pub(super) dtype: Option<ElementType>,
    /// Where it begins inside the storage that the file holds, in elements.
    offset: usize,
}

impl<'a> StorageId<'a> {
    /// Reads the description behind a persistent id.
    pub(super) fn of(pickle: &'a Pickle, at: Ref) -> Option<Self> {
        let Node::Persistent(id) = *pickle.node(at) else { return None };
        Self::described(pickle, id)
    }

    /// Reads a description.
    pub(super) fn described(pickle: &'a Pickle, id: Ref) -> Option<Self> {
        let [kind, class, key, _device, _count, rest @ ..] = pickle.sequence(id)? else {
            return None;
        };
        if pickle.text(*kind)? != "storage" {
            return None;
        }
        let (_, class) = pickle.global(*class)?;
        let dtype = match class {
            "UntypedStorage" => None,
            typed => Some(element_type(typed.strip_suffix("Storage")?)?),
        };
        // Files of before 2020 know storages that are part of another one.
        let view = rest.first().and_then(|&view| pickle.sequence(view)).and_then(|v| v.get(1));
        let offset = view.and_then(|&offset| usize::try_from(pickle.int(offset)?).ok());
        Some(Self { key: pickle.text(*key)?, dtype, offset: offset.unwrap_or(0) })
    }
}

/// An element type by PyTorch's name for it, of a storage's class or of its own.
fn element_type(name: &str) -> Option<ElementType> {
    Some(match name {
        "Double" | "float64" => ElementType::F64,
        "Float" | "float32" => ElementType::F32,
        "Half" | "float16" => ElementType::F16,
        "BFloat16" | "bfloat16" => ElementType::BF16,
        "Long" | "int64" => ElementType::Other("I64", 8),
        "Int" | "int32" => ElementType::Other("I32", 4),
        "Short" | "int16" => ElementType::Other("I16", 2),
        "Char" | "int8" => ElementType::Other("I8", 1),
        "Byte" | "uint8" => ElementType::Other("U8", 1),
        "Bool" | "bool" => ElementType::Other("BOOL", 1),
        "uint16" => ElementType::Other("U16", 2),
        "uint32" => ElementType::Other("U32", 4),
        "uint64" => ElementType::Other("U64", 8),
        "ComplexFloat" | "complex64" => ElementType::Other("C64", 8),
        "ComplexDouble" | "complex128" => ElementType::Other("C128", 16),
        _ => return None,
    })
}
