//! Headers of `.npy` arrays: a Python dictionary of a type, an order and a shape.
//!
//! The grammar is NumPy's own, no more: three keys, literals without arithmetic. A general
//! parser of Python literals would bring a parser generator, big integers and a C compiler
//! into every build for these few tokens.

use std::io::{self, Write};

/// NumPy pads a header so that the numbers begin at a multiple of this.
const ALIGNMENT: usize = 64;

/// Bytes before the text of a header: magic, version 1 and its length.
const BEFORE: usize = 10;

/// Order of the numbers of an array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    C,
    Fortran,
}

/// The type of an array's entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scalar {
    /// NumPy's letter: `f`, `i`, `u`, `b`, `c`, `S`, `U`, `V`, `O` and others.
    pub(super) letter: char,
    /// What follows it: bytes, for `U` characters.
    pub(super) size: usize,
    pub(super) big_endian: bool,
}

impl Scalar {
    /// `<f8` and the like; `None` for what is no such word.
    fn parse(word: &str) -> Option<Self> {
        let order = word.chars().next().filter(|c| "<>|=".contains(*c));
        let rest = &word[order.map_or(0, char::len_utf8)..];
        let letter = rest.chars().next().filter(char::is_ascii_alphabetic)?;
        let digits = &rest[1..];
        // Units of time follow their size in brackets.
        let digits = digits.split_once('[').map_or(digits, |(digits, _)| digits);
        let size = if digits.is_empty() { 0 } else { digits.parse().ok()? };
        Some(Self { letter, size, big_endian: order == Some('>') })
    }

    /// Bytes of an entry, where these are known: not of Python's objects.
    pub(super) fn bytes(self) -> Option<u64> {
        let unit = if self.letter == 'U' { 4 } else { 1 };
        if self.letter == 'O' { None } else { (self.size as u64).checked_mul(unit) }
    }
}

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// `None` for a structured array.
    pub(super) scalar: Option<Scalar>,
    /// The type as the file writes it.
    pub(super) descr: String,
    pub(super) order: Order,
    pub(super) shape: Vec<u64>,
}

impl Header {
    /// Reads the bytes before the data. Their product of sizes is known to fit 64 bits.
    pub(super) fn parse(bytes: &[u8]) -> io::Result<Self> {
        let invalid = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let size = match bytes.get(6) {
            Some(1) => 2,
            Some(2 | 3) => 4,
            _ => return Err(invalid("its version is none of 1, 2 and 3")),
        };
        let text = bytes.get(8 + size..).and_then(|text| std::str::from_utf8(text).ok());
        let mut parser = Parser { left: text.ok_or_else(|| invalid("its header is no text"))? };
        parser
            .header()
            .ok_or_else(|| invalid("its header is not a dictionary of descr, fortran_order and shape"))
    }

    /// Number of entries.
    pub(super) fn len(&self) -> Option<u64> {
        self.shape.iter().try_fold(1_u64, |product, &size| product.checked_mul(size))
    }
}

/// Writes the header of an array in C order.
pub(super) fn write_header(writer: &mut impl Write, descr: &str, shape: &[u64]) -> io::Result<()> {
    let sizes: String = shape.iter().map(|size| format!("{size}, ")).collect();
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({sizes}), }}");
    let used = BEFORE + text.len() + 1;
    text.push_str(&" ".repeat(used.next_multiple_of(ALIGNMENT) - used));
    text.push('\n');
    let length = u16::try_from(text.len()).expect("a shape of a few numbers");
    writer.write_all(b"\x93NUMPY\x01\x00")?;
    writer.write_all(&length.to_le_bytes())?;
    writer.write_all(text.as_bytes())
}

/// What is left of the text of a header.
struct Parser<'a> {
    left: &'a str,
}

impl<'a> Parser<'a> {
    /// `{'descr': …, 'fortran_order': …, 'shape': …, }` in any order, each once.
    fn header(&mut self) -> Option<Header> {
        let (mut descr, mut order, mut shape) = (None, None, None);
        self.token("{")?;
        while self.token("}").is_none() {
            let key = self.string()?;
            self.token(":")?;
            match key {
                "descr" if descr.is_none() => descr = Some(self.descr()?),
                "fortran_order" if order.is_none() => order = Some(self.order()?),
                "shape" if shape.is_none() => shape = Some(self.shape()?),
                _ => return None,
            }
            if self.token(",").is_none() {
                self.token("}")?;
                break;
            }
        }
        let (scalar, descr) = descr?;
        self.left.trim().is_empty().then_some(Header { scalar, descr, order: order?, shape: shape? })
    }

    /// Takes a token and the space before it.
    fn token(&mut self, token: &str) -> Option<()> {
        self.left = self.left.trim_start().strip_prefix(token)?;
        Some(())
    }

    /// Takes a string without escapes: no name of a type has one.
    fn string(&mut self) -> Option<&'a str> {
        let quote = if self.token("'").is_some() { '\'' } else { self.token("\"").map(|()| '"')? };
        let (text, left) = self.left.split_once(quote)?;
        self.left = left;
        (!text.contains('\\')).then_some(text)
    }

    /// The type, and how it is written. A structured one is a list, which ends with its bracket.
    fn descr(&mut self) -> Option<(Option<Scalar>, String)> {
        let text = self.left.trim_start();
        if !text.starts_with('[') {
            let word = self.string()?;
            return Some((Some(Scalar::parse(word)?), format!("'{word}'")));
        }
        let mut depth = 0_usize;
        for (at, c) in text.char_indices() {
            match c {
                '[' => depth += 1,
                ']' if depth == 1 => {
                    self.left = &text[at + 1..];
                    return Some((None, text[..=at].to_owned()));
                }
                ']' => depth -= 1,
                _ => {}
            }
        }
        None
    }

    fn order(&mut self) -> Option<Order> {
        if self.token("False").is_some() {
            Some(Order::C)
        } else {
            self.token("True").map(|()| Order::Fortran)
        }
    }

    /// `()`, `(3,)`, `(3, 2)`, `(3, 2, )`.
    fn shape(&mut self) -> Option<Vec<u64>> {
        let mut shape = Vec::new();
        self.token("(")?;
        loop {
            if self.token(")").is_some() {
                return Some(shape);
            }
            shape.push(self.whole()?);
            if self.token(",").is_none() {
                // Without a comma brackets around one number make no tuple.
                self.token(")")?;
                return (shape.len() > 1).then_some(shape);
            }
        }
    }

    fn whole(&mut self) -> Option<u64> {
        let text = self.left.trim_start();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number = text[..end].parse().ok()?;
        // Python 2 wrote an L after some.
        self.left = text[end..].strip_prefix('L').unwrap_or(&text[end..]);
        Some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Header> {
        let mut bytes = b"\x93NUMPY\x01\x00\x00\x00".to_vec();
        bytes.extend(text.as_bytes());
        Header::parse(&bytes).ok()
    }

    #[test]
    fn what_is_written_is_read() {
        for shape in [&[][..], &[3], &[0, 7], &[10_000_000_000, 2, 1]] {
            let mut bytes = Vec::new();
            write_header(&mut bytes, ">U3", shape).unwrap();
            assert_eq!(bytes.len() % ALIGNMENT, 0);
            assert_eq!(bytes.last(), Some(&b'\n'));
            assert_eq!(usize::from(u16::from_le_bytes([bytes[8], bytes[9]])), bytes.len() - BEFORE);
            let header = Header::parse(&bytes).unwrap();
            assert_eq!((&header.shape[..], header.order, header.descr.as_str()), (shape, Order::C, "'>U3'"));
            let scalar = header.scalar.unwrap();
            assert_eq!((scalar.letter, scalar.big_endian, scalar.bytes()), ('U', true, Some(12)));
        }
    }

    /// NumPy's own spellings, of all its versions.
    #[test]
    fn headers_of_numpy_are_read() {
        let plain = parse("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }   \n").unwrap();
        for text in [
            "{'shape':(2,3),'fortran_order':False,'descr':'<f8'}",
            "{\"descr\": \"<f8\", 'fortran_order': False, 'shape': (2L, 3L)}\n",
            " { 'descr' : '<f8' , 'fortran_order' : False , 'shape' : ( 2 , 3 , ) , } ",
        ] {
            assert_eq!(parse(text).as_ref(), Some(&plain), "{text}");
        }
        let record =
            parse("{'descr': [('a', '<f8'), ('b', [('c', '|u1')])], 'fortran_order': True, 'shape': ()}");
        let record = record.unwrap();
        assert_eq!((record.scalar, record.order, record.len()), (None, Order::Fortran, Some(1)));
        assert_eq!(record.descr, "[('a', '<f8'), ('b', [('c', '|u1')])]");
        let time = parse("{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (2,)}").unwrap();
        assert_eq!(time.scalar.unwrap().bytes(), Some(8));
    }

    #[test]
    fn anything_else_is_refused() {
        let good = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
        assert!(parse(good).is_some());
        // No place may be cut out or end the text.
        for at in 0..good.len() {
            assert!(parse(&good[..at]).is_none(), "{}", &good[..at]);
        }
        for (from, to) in [
            ("(2, 3)", "(2)"),
            ("(2, 3)", "(-2, 3)"),
            ("(2, 3)", "(2, 3"),
            ("(2, 3)", "(2,, 3)"),
            ("(2, 3)", "(2.0, 3)"),
            ("(2, 3)", "(99999999999999999999, 3)"),
            ("False", "0"),
            ("'<f8'", "'<f8"),
            ("'<f8'", "'<8'"),
            ("'<f8'", "''"),
            ("'<f8'", "'<f8x'"),
            ("'<f8'", "'<\\x668'"),
            ("'<f8'", "'é8'"),
            ("'<f8'", "[('a', '<f8')"),
            ("'shape'", "'descr'"),
            ("'shape'", "'size'"),
            (", }", ", 'more': 1}"),
            ("}", "} 1"),
        ] {
            let text = good.replacen(from, to, 1);
            assert!(parse(&text).is_none(), "{text}");
        }
        assert!(Header::parse(b"\x93NUMPY\x09\x00\x00\x00{}").is_err());
        assert!(Header::parse(b"\x93NUMPY").is_err());
    }
}
