//! The header of an NPY file, a dict literal of Python with three keys, and the element types.
//!
//! Only what NumPy writes for arrays of numbers is understood: this is no parser of Python.

use super::SAVE_AGAIN;

/// As many as NumPy allows.
const MAX_DIMENSIONS: usize = 64;
const OTHER_TYPE: &str = "save it with array.astype(np.float32)";

/// What the header declares.
#[derive(Debug)]
pub(super) struct Header {
    pub dtype: Dtype,
    pub fortran_order: bool,
    pub shape: Vec<usize>,
}

/// What is wrong with a header, and where in it.
#[derive(Debug)]
pub(super) struct Mistake {
    pub at: usize,
    pub problem: String,
    pub remedy: &'static str,
}

type Parsed<T> = Result<T, Mistake>;

/// The type of the elements, and how it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dtype {
    /// As in the file: `<f4`.
    pub text: String,
    pub item: Item,
    /// The bytes of one element.
    pub size: usize,
    pub big_endian: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Bool,
    Int,
    Uint,
    Float,
}

impl Dtype {
    /// The type behind `text`, or what is wrong with it and the remedy.
    fn new(text: &str) -> Result<Self, (String, &'static str)> {
        let [order @ (b'<' | b'>' | b'|'), kind, digits @ ..] = text.as_bytes() else {
            return Err((format!("`{}` is no element type", clipped(text)), SAVE_AGAIN));
        };
        let (item, size) = match (kind, digits) {
            (b'b', b"1") => (Item::Bool, 1),
            (b'i', b"1" | b"2" | b"4" | b"8") => (Item::Int, digits[0] - b'0'),
            (b'u', b"1" | b"2" | b"4" | b"8") => (Item::Uint, digits[0] - b'0'),
            (b'f', b"2" | b"4" | b"8") => (Item::Float, digits[0] - b'0'),
            _ => return Err(unsupported(text, *kind)),
        };
        if *order == b'|' && size > 1 {
            return Err((format!("`{text}` does not say its byte order"), SAVE_AGAIN));
        }
        Ok(Self { text: text.into(), item, size: size.into(), big_endian: *order == b'>' })
    }
}

fn unsupported(text: &str, kind: u8) -> (String, &'static str) {
    let (what, remedy) = match kind {
        b'O' => ("Python objects, whose pickle could run any code", OTHER_TYPE),
        b'S' | b'U' | b'a' => {
            ("text", "save numbers instead of it: array.astype(np.float32), or np.unique's inverse")
        }
        b'c' => ("complex numbers", "save array.real and array.imag, each with astype(np.float32)"),
        b'm' | b'M' => ("times", "save it with array.astype(np.int64)"),
        b'V' => ("raw or structured records", "save each field with array[field].astype(np.float32)"),
        b'f' => ("floats that not every computer has", "save it with array.astype(np.float64)"),
        _ => ("an unknown type", OTHER_TYPE),
    };
    (format!("elements of type `{}` ({what}) are not read", clipped(text)), remedy)
}

fn clipped(text: &str) -> &str {
    const LONGEST: usize = 24;
    text.char_indices().nth(LONGEST).map_or(text, |(end, _)| &text[..end])
}

/// Reads `{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }`, keys in any order, spaces after it.
pub(super) fn parse(text: &[u8]) -> Parsed<Header> {
    let mut cursor = Cursor { text, at: 0 };
    let (mut dtype, mut fortran_order, mut shape) = (None, None, None);
    cursor.expect(b'{')?;
    while !cursor.take(b'}') {
        let at = cursor.at;
        let key = cursor.string("a key")?;
        cursor.expect(b':')?;
        let twice = match &key[..] {
            "descr" => dtype.replace(cursor.dtype()?).is_some(),
            "fortran_order" => fortran_order.replace(cursor.boolean()?).is_some(),
            "shape" => shape.replace(cursor.shape()?).is_some(),
            _ => return Err(mistake(at, format!("the header has an unknown key `{}`", clipped(&key)))),
        };
        if twice {
            return Err(mistake(at, format!("the header has `{key}` twice")));
        }
        if !cursor.take(b',') {
            cursor.expect(b'}')?;
            break;
        }
    }
    if cursor.peek().is_some() {
        return Err(mistake(cursor.at, format!("{} follows the header's `}}`", cursor.found())));
    }
    let missing = |key| mistake(cursor.at, format!("the header has no `{key}`"));
    Ok(Header {
        dtype: dtype.ok_or_else(|| missing("descr"))?,
        fortran_order: fortran_order.ok_or_else(|| missing("fortran_order"))?,
        shape: shape.ok_or_else(|| missing("shape"))?,
    })
}

fn mistake(at: usize, problem: String) -> Mistake {
    Mistake { at, problem, remedy: SAVE_AGAIN }
}

/// A place in the header. Whatever is asked for, spaces before it are skipped.
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.text.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.text.get(self.at).copied()
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, byte: u8) -> Parsed<()> {
        if self.take(byte) { Ok(()) } else { Err(self.expected(&format!("`{}`", byte as char))) }
    }

    fn found(&mut self) -> String {
        match self.peek() {
            None => "the end".into(),
            Some(byte) if byte.is_ascii_graphic() => format!("`{}`", byte as char),
            Some(byte) => format!("byte {byte:02x}"),
        }
    }

    fn expected(&mut self, what: &str) -> Mistake {
        let found = self.found();
        mistake(self.at, format!("the header has {found} where {what} is expected"))
    }

    /// What is between quotes. Neither keys nor element types have a backslash, so none is understood.
    fn string(&mut self, what: &str) -> Parsed<String> {
        let quote = match self.peek() {
            Some(quote @ (b'\'' | b'"')) => quote,
            _ => return Err(self.expected(&format!("{what} in quotes"))),
        };
        let rest = &self.text[self.at + 1..];
        let Some(length) = rest.iter().position(|&byte| byte == quote) else {
            return Err(mistake(self.at, format!("the quote before {what} is never closed")));
        };
        self.at += length + 2;
        Ok(String::from_utf8_lossy(&rest[..length]).into_owned())
    }

    fn dtype(&mut self) -> Parsed<Dtype> {
        let next = self.peek();
        let at = self.at;
        if let Some(b'[' | b'(') = next {
            let problem = "structured elements are not read".into();
            return Err(Mistake {
                at,
                problem,
                remedy: "save each field with array[field].astype(np.float32)",
            });
        }
        let text = self.string("an element type")?;
        Dtype::new(&text).map_err(|(problem, remedy)| Mistake { at, problem, remedy })
    }

    fn boolean(&mut self) -> Parsed<bool> {
        self.peek();
        for (word, value) in [("True", true), ("False", false)] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.expected("True or False"))
    }

    /// A tuple of sizes; Python needs the comma after a lone one.
    fn shape(&mut self) -> Parsed<Vec<usize>> {
        let mut sizes = Vec::new();
        self.expect(b'(')?;
        while !self.take(b')') {
            if sizes.len() == MAX_DIMENSIONS {
                return Err(mistake(self.at, format!("the shape has more than {MAX_DIMENSIONS} dimensions")));
            }
            sizes.push(self.size()?);
            if sizes.len() == 1 {
                self.expect(b',')?;
            } else if !self.take(b',') {
                self.expect(b')')?;
                break;
            }
        }
        Ok(sizes)
    }

    fn size(&mut self) -> Parsed<usize> {
        self.peek();
        let start = self.at;
        let digits = self.text[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        // Python has no numbers with zeros in front.
        if digits == 0 || (digits > 1 && self.text[start] == b'0') {
            return Err(self.expected("a size"));
        }
        self.at += digits;
        let size = self.text[start..self.at]
            .iter()
            .try_fold(0usize, |size, digit| size.checked_mul(10)?.checked_add(usize::from(digit - b'0')));
        // Python 2 wrote large sizes as `3L`.
        self.at += usize::from(self.text.get(self.at) == Some(&b'L'));
        size.ok_or_else(|| mistake(start, format!("a size of {digits} digits is too large")))
    }
}
