//! The pickle machine, as far as protocol 2 needs it for dictionaries of tensors. It builds values and calls nothing:
//! the two functions a tensor file names (`OrderedDict`, `_rebuild_tensor_v2`) are described, not run.

use std::collections::HashMap;
use std::ops::Range;

use super::value::{Global, Id, Tensor, Value, Values};

/// The most values a pickle may make. MusicGen-large's makes near 60,000.
const MAX_VALUES: usize = 1 << 21;
/// The most dimensions of a tensor.
const MAX_DIMENSIONS: usize = 16;

/// Reads one pickle: all values, and the number of the one it stands for.
pub(super) fn read(bytes: &[u8]) -> Result<(Values, Id), String> {
    let mut machine = Machine {
        bytes,
        at: 0,
        values: Vec::new(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        copied: 0,
    };
    loop {
        let at = machine.at;
        match machine.step().map_err(|reason| format!("{reason} (at byte {at} of data.pkl)"))? {
            Some(root) => return Ok((machine.values, root)),
            None => continue,
        }
    }
}

struct Machine<'a> {
    bytes: &'a [u8],
    at: usize,
    values: Values,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Pairs copied out of lists so far: a shared list may be copied by every call, so all calls share one budget.
    copied: usize,
}

type Step<T> = Result<T, String>;

impl Machine<'_> {
    /// One opcode; the root's number after the last.
    fn step(&mut self) -> Step<Option<Id>> {
        let op = self.byte()?;
        match op {
            // PROTO
            0x80 => match self.byte()? {
                2..=5 => {}
                other => return Err(format!("pickle protocol {other}, expected 2")),
            },
            b'.' => return self.pop().map(Some),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'N' => self.push(Value::None)?,
            // NEWTRUE, NEWFALSE
            0x88 | 0x89 => self.push(Value::Bool)?,
            b'K' => {
                let n = self.byte()?;
                self.push(Value::Int(n.into()))?;
            }
            b'M' => {
                let n = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(n.into()))?;
            }
            b'J' => {
                let n = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(n.into()))?;
            }
            // LONG1
            0x8a => {
                let n = self.long()?;
                self.push(Value::Int(n))?;
            }
            b'G' => {
                let x = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(x))?;
            }
            // BINUNICODE, SHORT_BINUNICODE
            b'X' | 0x8c => {
                let length = if op == b'X' { u32::from_le_bytes(self.array()?) as usize } else { self.byte()?.into() };
                let range = self.take(length)?;
                std::str::from_utf8(&self.bytes[range.clone()]).map_err(|_| "a text that is not UTF-8".to_owned())?;
                self.push(Value::Text(range))?;
            }
            b']' => self.push(Value::List(Vec::new()))?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::Tuple(items))?;
            }
            // TUPLE1, TUPLE2, TUPLE3
            0x85..=0x87 => {
                let from = self.stack.len().checked_sub(usize::from(op - 0x84)).filter(|&from| from >= self.floor());
                let items = self.stack.split_off(from.ok_or_else(empty)?);
                self.push(Value::Tuple(items))?;
            }
            b'a' => {
                let item = self.pop()?;
                self.list()?.push(item);
            }
            b'e' => {
                let items = self.since_mark()?;
                self.list()?.extend(items);
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.dict()?.push((key, value));
            }
            b'u' => {
                let items = self.since_mark()?;
                let (pairs, []) = items.as_chunks::<2>() else { return Err("a key without a value".to_owned()) };
                self.dict()?.extend(pairs.iter().map(|&[key, value]| (key, value)));
            }
            b'q' => {
                let slot = self.byte()?;
                self.remember(slot.into())?;
            }
            b'r' => {
                let slot = u32::from_le_bytes(self.array()?);
                self.remember(slot)?;
            }
            b'h' => {
                let slot = self.byte()?;
                self.recall(slot.into())?;
            }
            b'j' => {
                let slot = u32::from_le_bytes(self.array()?);
                self.recall(slot)?;
            }
            b'c' => self.global()?,
            b'Q' => self.storage()?,
            b'R' => self.call()?,
            // BUILD: the attributes of an OrderedDict (`_metadata`) are passed over.
            b'b' => {
                self.pop()?;
                self.dict()?;
            }
            other => return Err(format!("opcode 0x{other:02x} does not belong to a dictionary of tensors")),
        }
        Ok(None)
    }

    fn take(&mut self, length: usize) -> Step<Range<usize>> {
        let range = self.at..self.at.checked_add(length).filter(|&end| end <= self.bytes.len()).ok_or_else(cut)?;
        self.at = range.end;
        Ok(range)
    }

    fn byte(&mut self) -> Step<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let range = self.take(N)?;
        self.bytes[range].first_chunk().copied().ok_or_else(cut)
    }

    /// A little-endian integer of as many bytes as the next one says.
    fn long(&mut self) -> Step<i64> {
        let length = self.byte()?;
        let range = self.take(length.into())?;
        let digits = &self.bytes[range];
        if digits.len() > 8 {
            return Err(format!("an integer of {} bytes, expected at most 8", digits.len()));
        }
        let negative = digits.last().is_some_and(|byte| byte & 0x80 != 0);
        let mut whole = [if negative { 0xff } else { 0 }; 8];
        whole[..digits.len()].copy_from_slice(digits);
        Ok(i64::from_le_bytes(whole))
    }

    /// Text up to the end of the line.
    fn line(&mut self) -> Step<&str> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take(300).position(|&byte| byte == b'\n').ok_or("a name without an end")?;
        self.at += length + 1;
        std::str::from_utf8(&rest[..length]).map_err(|_| "a name that is not UTF-8".to_owned())
    }

    fn push(&mut self, value: Value) -> Step<()> {
        if self.values.len() >= MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
        self.stack.push(self.values.len() as Id);
        self.values.push(value);
        Ok(())
    }

    /// The lowest place of the stack that may be popped.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Step<Id> {
        if self.stack.len() <= self.floor() {
            return Err(empty());
        }
        self.stack.pop().ok_or_else(empty)
    }

    fn since_mark(&mut self) -> Step<Vec<Id>> {
        let mark = self.marks.pop().ok_or("items without a mark")?;
        Ok(self.stack.split_off(mark.min(self.stack.len())))
    }

    fn top(&mut self) -> Step<&mut Value> {
        let id = *self.stack.last().ok_or_else(empty)?;
        Ok(&mut self.values[id as usize])
    }

    fn list(&mut self) -> Step<&mut Vec<Id>> {
        match self.top()? {
            Value::List(items) => Ok(items),
            other => Err(format!("{} where a list is appended to", other.kind())),
        }
    }

    fn dict(&mut self) -> Step<&mut Vec<(Id, Id)>> {
        match self.top()? {
            Value::Dict(pairs) => Ok(pairs),
            other => Err(format!("{} where a dictionary is filled", other.kind())),
        }
    }

    fn remember(&mut self, slot: u32) -> Step<()> {
        let id = *self.stack.last().ok_or_else(empty)?;
        self.memo.insert(slot, id);
        Ok(())
    }

    fn recall(&mut self, slot: u32) -> Step<()> {
        let id = *self.memo.get(&slot).ok_or_else(|| format!("memo {slot} was never set"))?;
        if self.stack.len() >= MAX_VALUES {
            return Err(format!("more than {MAX_VALUES} values"));
        }
        self.stack.push(id);
        Ok(())
    }

    fn global(&mut self) -> Step<()> {
        let module = self.line()?.to_owned();
        let name = self.line()?.to_owned();
        let global = Global::find(&module, &name).ok_or_else(|| {
            let name: String = format!("{module}.{name}").chars().filter(|c| !c.is_control()).take(120).collect();
            format!("it names `{name}`; only tensors, texts, numbers and containers are read, and nothing is executed")
        })?;
        self.push(Value::Global(global))
    }

    /// A persistent id: `("storage", class, key, device, numbers)`.
    fn storage(&mut self) -> Step<()> {
        let id = self.pop()?;
        let wrong = || "a persistent id that is no storage".to_owned();
        let Value::Tuple(items) = &self.values[id as usize] else { return Err(wrong()) };
        let parts: Vec<&Value> = items.iter().map(|&item| &self.values[item as usize]).collect();
        let [Value::Text(kind), Value::Global(Global::Storage(dtype)), Value::Text(key), _, Value::Int(numbers)] =
            parts[..]
        else {
            return Err(wrong());
        };
        if &self.bytes[kind.clone()] != b"storage" {
            return Err(wrong());
        }
        let numbers = usize::try_from(*numbers).map_err(|_| wrong())?;
        let storage = Value::Storage { key: key.clone(), dtype: *dtype, numbers };
        self.push(storage)
    }

    /// What a function of [`Global`] would make of its arguments.
    fn call(&mut self) -> Step<()> {
        let (arguments, function) = (self.pop()?, self.pop()?);
        let Value::Tuple(arguments) = &self.values[arguments as usize] else {
            return Err("arguments that are no tuple".to_owned());
        };
        let made = match (&self.values[function as usize], arguments.as_slice()) {
            (Value::Global(Global::OrderedDict), []) => Value::Dict(Vec::new()),
            (Value::Global(Global::OrderedDict), &[items]) => Value::Dict(self.pairs(items)?),
            (Value::Global(Global::RebuildTensor), &[storage, offset, shape, strides, ..]) => {
                let Value::Storage { key, dtype, numbers } = &self.values[storage as usize] else {
                    return Err("a tensor without a storage".to_owned());
                };
                let (shape, strides) = (self.sizes(shape)?, self.sizes(strides)?);
                if shape.len() != strides.len() {
                    return Err(format!("a tensor of {} dimensions with {} strides", shape.len(), strides.len()));
                }
                let offset = self.size(offset)?;
                Value::Tensor(Box::new(Tensor {
                    key: key.clone(),
                    dtype: *dtype,
                    numbers: *numbers,
                    offset,
                    shape,
                    strides,
                }))
            }
            (other, arguments) => {
                return Err(format!("a call of {} with {} arguments", other.kind(), arguments.len()));
            }
        };
        self.push(made)
    }

    fn pairs(&mut self, items: Id) -> Step<Vec<(Id, Id)>> {
        let wrong = || "a dictionary of something else than pairs".to_owned();
        let Value::List(items) = &self.values[items as usize] else { return Err(wrong()) };
        self.copied = self.copied.saturating_add(items.len());
        if self.copied > MAX_VALUES {
            return Err(format!("its dictionaries copy more than {MAX_VALUES} pairs out of lists"));
        }
        items
            .iter()
            .map(|&item| match &self.values[item as usize] {
                Value::List(pair) | Value::Tuple(pair) => match pair[..] {
                    [key, value] => Ok((key, value)),
                    _ => Err(wrong()),
                },
                _ => Err(wrong()),
            })
            .collect()
    }

    fn size(&self, id: Id) -> Step<usize> {
        match self.values[id as usize] {
            Value::Int(n) => usize::try_from(n).map_err(|_| format!("a tensor's size or stride of {n}")),
            ref other => Err(format!("{} where a tensor's size is expected", other.kind())),
        }
    }

    fn sizes(&self, id: Id) -> Step<Vec<usize>> {
        match &self.values[id as usize] {
            Value::Tuple(items) if items.len() <= MAX_DIMENSIONS => items.iter().map(|&item| self.size(item)).collect(),
            Value::Tuple(items) => Err(format!("a tensor of {} dimensions", items.len())),
            other => Err(format!("{} where a tensor's shape is expected", other.kind())),
        }
    }
}

fn cut() -> String {
    "cut short".to_owned()
}

fn empty() -> String {
    "an operation without its operands".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of 1024 pairs, made once, that each of `calls` calls copies into a dictionary of its own.
    fn copies(calls: usize) -> Vec<u8> {
        let mut pickle = b"\x80\x02ccollections\nOrderedDict\nq\x00](".to_vec();
        pickle.extend(b"K\x01K\x02\x86".repeat(1024));
        pickle.extend(b"e\x85q\x01");
        pickle.extend(b"h\x00h\x01R0".repeat(calls));
        pickle.push(b'.');
        pickle
    }

    #[test]
    fn all_calls_share_one_budget_of_copied_pairs() {
        assert!(read(&copies(4)).is_ok());
        let reason = read(&copies(MAX_VALUES / 1024 + 1)).expect_err("too many copies are refused");
        assert!(reason.contains("pairs out of lists"), "{reason}");
    }
}
