//! Numbers as text: a datapoint a line, separated by commas, semicolons, tabs or spaces.
//!
//! Whatever is not plainly a table of numbers is an error with its line and column: a
//! header that looks like numbers and an index that looks like a coordinate would
//! otherwise be data.

use std::io::{BufRead, BufReader, Read};

use csv::{ByteRecord, ReaderBuilder};

use super::super::FileProblem;

/// Bytes of the first line that is looked at for what separates its numbers; a line of a
/// million numbers has some twenty million.
const FIRST_LINE: u64 = 1 << 26;

/// What separates numbers, in the order in which it is looked for: a comma may be a
/// decimal one where there is a semicolon or a tab.
const SEPARATORS: [u8; 4] = *b"\t;, ";

/// What a table holds.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) rows: usize,
    pub(super) dim: usize,
    /// The line of a header that was left out.
    pub(super) header: Option<u64>,
}

/// Reads a table: appends the rows that are wanted to `out`.
pub(super) fn read(
    reader: impl Read,
    wanted: &mut dyn FnMut(usize) -> bool,
    out: &mut Vec<f64>,
) -> Result<Found, FileProblem> {
    let mut reader = BufReader::new(reader);
    let (separator, skipped) = separator(&mut reader)?;
    let mut lines = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .comment(Some(b'#'))
        .trim(csv::Trim::All)
        .from_reader(std::io::Read::chain(&skipped[..], reader));
    let mut table = Table::default();
    let mut record = ByteRecord::new();
    while lines.read_byte_record(&mut record).map_err(|e| FileProblem::Text(e.to_string()))? {
        let line = record.position().map_or(0, csv::Position::line);
        table.line(line, &record, wanted, out)?;
    }
    table.end(wanted, out)
}

/// The separator, by the first line that is no comment, and what was read to find it.
fn separator(reader: &mut impl BufRead) -> Result<(u8, Vec<u8>), FileProblem> {
    let mut read = Vec::new();
    loop {
        let from = read.len();
        let left = FIRST_LINE.saturating_sub(from as u64);
        let count = reader.take(left).read_until(b'\n', &mut read)?;
        if from == 0 && read.starts_with(b"\xef\xbb\xbf") {
            read.drain(..3);
        }
        let line = read[from.min(read.len())..].trim_ascii();
        if count > 0 && (line.is_empty() || line.starts_with(b"#")) {
            continue;
        }
        let found = SEPARATORS.into_iter().find(|separator| line.contains(separator));
        return Ok((found.unwrap_or(b','), read));
    }
}

/// A field as it was read.
enum Field {
    Number(f64),
    Other,
}

/// The first line where it is numbers.
struct First {
    line: u64,
    numbers: Vec<f64>,
    /// Whether they are 0, 1, 2, … in digits alone.
    counts: bool,
    /// Whether they are 1, 2, 3, … in digits alone.
    counts_from_one: bool,
}

/// From so many columns on 0, 1, 2, … over numbers that are not whole are no datapoint.
const COUNTED: usize = 4;

#[derive(Default)]
struct Table {
    found: Found,
    /// The first line, until the second tells whether it is a header of column numbers.
    first: Option<First>,
    begun: bool,
    numbers: Vec<f64>,
}

impl Table {
    fn line(
        &mut self,
        line: u64,
        record: &ByteRecord,
        wanted: &mut dyn FnMut(usize) -> bool,
        out: &mut Vec<f64>,
    ) -> Result<(), FileProblem> {
        if !self.begun {
            self.begun = true;
            self.found.dim = record.len();
            return self.begin(line, record);
        }
        if record.len() != self.found.dim {
            let (expected, found) = (self.found.dim, record.len());
            return Err(FileProblem::LineLength { line, expected, found });
        }
        let mut numbers = std::mem::take(&mut self.numbers);
        numbers.clear();
        let mut whole = true;
        for (column, text) in record.iter().enumerate() {
            match field(text) {
                Field::Number(value) => numbers.push(value),
                Field::Other => return Err(not_a_number(line, column, text)),
            }
            whole &= is_whole(text);
        }
        if let Some(first) = self.first.take() {
            self.decide(&first, whole, wanted, out)?;
        }
        self.keep(&numbers, wanted, out);
        self.numbers = numbers;
        Ok(())
    }

    /// The first line, by the second one: pandas names columns 0, 1, 2, … where they have
    /// no names.
    fn decide(
        &mut self,
        first: &First,
        whole: bool,
        wanted: &mut dyn FnMut(usize) -> bool,
        out: &mut Vec<f64>,
    ) -> Result<(), FileProblem> {
        let names = (first.counts || first.counts_from_one) && !whole && self.found.dim >= COUNTED;
        if names {
            self.found.header = Some(first.line);
        } else if !first.counts {
            self.keep(&first.numbers, wanted, out);
        } else {
            return Err(FileProblem::HeaderOrRow { line: first.line });
        }
        Ok(())
    }

    /// The first line: names, or numbers.
    fn begin(&mut self, line: u64, record: &ByteRecord) -> Result<(), FileProblem> {
        let mut numbers = Vec::with_capacity(record.len());
        for text in record {
            if let Field::Number(value) = field(text) {
                numbers.push(value);
            }
        }
        let index = record.get(0).is_some_and(|first| first.is_empty() || first.starts_with(b"Unnamed"));
        if index && record.len() > 1 {
            return Err(FileProblem::IndexColumn { line });
        }
        if numbers.len() == record.len() {
            let digits = record.iter().all(is_whole);
            let [counts, counts_from_one] = [0.0, 1.0].map(|from| digits && counts_up(&numbers, from));
            self.first = Some(First { line, numbers, counts, counts_from_one });
            return Ok(());
        }
        // "layer" among numbers may be a name, or a slip in a line of data.
        let names = record.iter().filter(|text| matches!(field(text), Field::Other)).count();
        if names == record.len() {
            self.found.header = Some(line);
            return Ok(());
        }
        let slip = record.iter().enumerate().find(|(_, text)| matches!(field(text), Field::Other));
        let (column, text) = slip.expect("not all are numbers");
        Err(not_a_number(line, column, text))
    }

    fn keep(&mut self, row: &[f64], wanted: &mut dyn FnMut(usize) -> bool, out: &mut Vec<f64>) {
        if wanted(self.found.rows) {
            out.extend_from_slice(row);
        }
        self.found.rows += 1;
    }

    fn end(
        mut self,
        wanted: &mut dyn FnMut(usize) -> bool,
        out: &mut Vec<f64>,
    ) -> Result<Found, FileProblem> {
        if let Some(first) = self.first.take() {
            self.decide(&first, true, wanted, out)?;
        }
        Ok(self.found)
    }
}

/// A number as text. What is written as a finite one and is beyond the doubles is none:
/// infinity is written inf.
fn field(text: &[u8]) -> Field {
    let parsed = std::str::from_utf8(text).ok().and_then(|text| text.parse::<f64>().ok());
    match parsed {
        Some(value) if value.is_infinite() && text.iter().any(u8::is_ascii_digit) => Field::Other,
        Some(value) => Field::Number(value),
        None => Field::Other,
    }
}

fn not_a_number(line: u64, column: usize, text: &[u8]) -> FileProblem {
    /// Characters of a field that a message repeats.
    const SHOWN: usize = 40;
    let found: String = String::from_utf8_lossy(text).chars().take(SHOWN).collect();
    FileProblem::Field { line, column: column + 1, found }
}

fn is_whole(text: &[u8]) -> bool {
    text.iter().all(|b| b.is_ascii_digit() || *b == b'-')
}

#[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "small whole numbers are exact")]
fn counts_up(numbers: &[f64], from: f64) -> bool {
    numbers.len() > 1 && numbers.iter().enumerate().all(|(at, value)| *value == from + at as f64)
}
