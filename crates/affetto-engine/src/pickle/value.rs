//! What a pickle of tensors may hold.

use std::ops::Range;

use safetensors::Dtype;

/// The number of a value in [`Values`].
pub(super) type Id = u32;

/// A global a pickle may name. Naming another one is an error, so nothing foreign is ever called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    RebuildTensor,
    Storage(Dtype),
}

impl Global {
    /// The global of a module and a name, if it is a known one.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        let dtype = match (module, name) {
            ("collections", "OrderedDict") => return Some(Global::OrderedDict),
            ("torch._utils", "_rebuild_tensor_v2") => return Some(Global::RebuildTensor),
            ("torch", "FloatStorage") => Dtype::F32,
            ("torch", "DoubleStorage") => Dtype::F64,
            ("torch", "HalfStorage") => Dtype::F16,
            ("torch", "BFloat16Storage") => Dtype::BF16,
            ("torch", "LongStorage") => Dtype::I64,
            ("torch", "IntStorage") => Dtype::I32,
            ("torch", "ShortStorage") => Dtype::I16,
            ("torch", "CharStorage") => Dtype::I8,
            ("torch", "ByteStorage") => Dtype::U8,
            ("torch", "BoolStorage") => Dtype::BOOL,
            _ => return None,
        };
        Some(Global::Storage(dtype))
    }
}

/// A tensor as the pickle describes it: a view of a storage. Offsets and strides count numbers.
#[derive(Clone, Debug)]
pub(super) struct Tensor {
    /// The storage's key, as a range of the pickle.
    pub(super) key: Range<usize>,
    pub(super) dtype: Dtype,
    /// Numbers in the storage.
    pub(super) numbers: usize,
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    pub(super) strides: Vec<usize>,
}

/// One value. Texts are ranges of the pickle, containers hold the numbers of other values, so that a container
/// which the pickle names twice exists once.
#[derive(Clone, Debug)]
pub(super) enum Value {
    None,
    Bool,
    Int(i64),
    Float(f64),
    Text(Range<usize>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage { key: Range<usize>, dtype: Dtype, numbers: usize },
    Tensor(Box<Tensor>),
}

impl Value {
    /// What it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool => "a truth value",
            Value::Int(_) | Value::Float(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Dict(_) => "a dictionary",
            Value::Global(_) => "a class or function",
            Value::Storage { .. } => "a storage",
            Value::Tensor(_) => "a tensor",
        }
    }
}

/// All values of a pickle.
pub(super) type Values = Vec<Value>;
