//! Values of Parquet columns as the text of cells.

use std::fmt::{Display, LowerExp, Write};

use parquet::basic::{ConvertedType, LogicalType, TimeUnit, Type};
use parquet::column::reader::{ColumnReader, ColumnReaderImpl};
use parquet::data_type::{ByteArray, DataType, FixedLenByteArray};
use parquet::errors::{ParquetError, Result};
use parquet::schema::types::ColumnDescriptor;

/// Seconds in a day.
const DAY: i64 = 86_400;
/// More digits behind the point than this no decimal has.
const MAX_SCALE: i32 = 76;

/// What the values of a column stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Themselves.
    Plain,
    /// Whole numbers without a sign.
    Unsigned,
    /// Whole numbers, with so many digits behind the point.
    Decimal(i32),
    /// Days since 1970.
    Date,
    /// Time since 1970, in units of which a second has so many.
    Timestamp(i64),
    /// Time since midnight, in such units.
    Time(i64),
    /// 16 bytes.
    Uuid,
}

impl Meaning {
    /// What a column's values stand for, or what it is that no cell can hold.
    pub fn of(column: &ColumnDescriptor) -> Result<Self, String> {
        let per_second = |unit: &TimeUnit| match unit {
            TimeUnit::MILLIS => 1000,
            TimeUnit::MICROS => 1_000_000,
            TimeUnit::NANOS => 1_000_000_000,
        };
        let meaning = match (column.logical_type_ref(), column.converted_type()) {
            (Some(LogicalType::Integer(integer)), _) if !integer.is_signed => Self::Unsigned,
            (Some(LogicalType::Decimal(_)), _) | (None, ConvertedType::DECIMAL) => {
                Self::Decimal(column.type_scale())
            }
            (Some(LogicalType::Date), _) | (None, ConvertedType::DATE) => Self::Date,
            (Some(LogicalType::Timestamp(time)), _) => Self::Timestamp(per_second(&time.unit)),
            (None, ConvertedType::TIMESTAMP_MILLIS) => Self::Timestamp(1000),
            (None, ConvertedType::TIMESTAMP_MICROS) => Self::Timestamp(1_000_000),
            (Some(LogicalType::Time(time)), _) => Self::Time(per_second(&time.unit)),
            (None, ConvertedType::TIME_MILLIS) => Self::Time(1000),
            (None, ConvertedType::TIME_MICROS) => Self::Time(1_000_000),
            (Some(LogicalType::Uuid), _) => Self::Uuid,
            (None, ConvertedType::UINT_8 | ConvertedType::UINT_16) => Self::Unsigned,
            (None, ConvertedType::UINT_32 | ConvertedType::UINT_64) => Self::Unsigned,
            (
                Some(LogicalType::Integer(_) | LogicalType::String | LogicalType::Enum | LogicalType::Json),
                _,
            ) => Self::Plain,
            // A column of nothing but missing cells.
            (Some(LogicalType::Unknown), _) => Self::Plain,
            (None, ConvertedType::INTERVAL) => return Err("intervals of time".into()),
            (None, ConvertedType::BSON) => return Err("values of the kind BSON".into()),
            (None, _) => Self::Plain,
            (Some(other), _) => return Err(format!("values of the kind {other:?}")),
        };
        match (meaning, column.physical_type()) {
            (_, Type::INT96) => Err("times in the form INT96".into()),
            (Self::Decimal(scale), _) if !(0..=MAX_SCALE).contains(&scale) => {
                Err(format!("decimals with {scale} digits behind the point"))
            }
            _ => Ok(meaning),
        }
    }
}

/// A column of a row group, whose values are decoded some rows at a time.
pub(super) trait Cells {
    /// Decodes the next rows.
    fn fill(&mut self, rows: usize) -> Result<()>;
    /// Appends the text of the next of these rows, nothing if it is missing, or says what is wrong with it.
    fn write(&mut self, text: &mut String) -> Result<(), String>;
}

type Show<T> = Box<dyn Fn(&T, &mut String) -> Result<(), String>>;

struct Typed<T: DataType> {
    reader: ColumnReaderImpl<T>,
    /// Whether cells can be missing.
    optional: bool,
    /// For each row 1, or 0 if its cell is missing.
    levels: Vec<i16>,
    values: Vec<T::T>,
    row: usize,
    value: usize,
    show: Show<T::T>,
}

impl<T: DataType> Cells for Typed<T> {
    fn fill(&mut self, rows: usize) -> Result<()> {
        self.levels.clear();
        self.values.clear();
        (self.row, self.value) = (0, 0);
        let levels = self.optional.then_some(&mut self.levels);
        let (read, _, _) = self.reader.read_records(rows, levels, None, &mut self.values)?;
        let present =
            if self.optional { self.levels.iter().filter(|&&level| level == 1).count() } else { rows };
        if read != rows || (self.optional && self.levels.len() != rows) || self.values.len() != present {
            return Err(ParquetError::EOF("a column has fewer values than there are rows".into()));
        }
        Ok(())
    }

    fn write(&mut self, text: &mut String) -> Result<(), String> {
        self.row += 1;
        if self.optional && self.levels[self.row - 1] == 0 {
            return Ok(());
        }
        self.value += 1;
        (self.show)(&self.values[self.value - 1], text)
    }
}

/// The cells of a column.
pub(super) fn cells(reader: ColumnReader, optional: bool, meaning: Meaning) -> Box<dyn Cells> {
    fn typed<T: DataType>(
        reader: ColumnReaderImpl<T>,
        optional: bool,
        show: impl Fn(&T::T, &mut String) -> Result<(), String> + 'static,
    ) -> Box<dyn Cells> {
        let (levels, values, show) = (Vec::new(), Vec::new(), Box::new(show));
        Box::new(Typed { reader, optional, levels, values, row: 0, value: 0, show })
    }
    match reader {
        ColumnReader::BoolColumnReader(r) => typed(r, optional, |v, text| write_into(text, v)),
        ColumnReader::Int32ColumnReader(r) => typed(r, optional, move |&v, text| {
            let bits = if meaning == Meaning::Unsigned { i64::from(v as u32) } else { i64::from(v) };
            show_integer(bits, meaning, text)
        }),
        ColumnReader::Int64ColumnReader(r) => {
            typed(r, optional, move |&v, text| show_integer(v, meaning, text))
        }
        // `Meaning::of` refuses these.
        ColumnReader::Int96ColumnReader(r) => typed(r, optional, |_, _| Err("a time".into())),
        ColumnReader::FloatColumnReader(r) => typed(r, optional, |&v, text| {
            show_float(v, v.is_nan(), (1e-5..1e16).contains(&v.abs()) || v == 0.0, text)
        }),
        ColumnReader::DoubleColumnReader(r) => typed(r, optional, |&v, text| {
            show_float(v, v.is_nan(), (1e-5..1e16).contains(&v.abs()) || v == 0.0, text)
        }),
        ColumnReader::ByteArrayColumnReader(r) => {
            typed(r, optional, move |v: &ByteArray, text| show_bytes(v.data(), meaning, text))
        }
        ColumnReader::FixedLenByteArrayColumnReader(r) => {
            typed(r, optional, move |v: &FixedLenByteArray, text| show_bytes(v.data(), meaning, text))
        }
    }
}

fn write_into(text: &mut String, value: impl Display) -> Result<(), String> {
    write!(text, "{value}").map_err(|error| error.to_string())
}

fn show_integer(value: i64, meaning: Meaning, text: &mut String) -> Result<(), String> {
    match meaning {
        Meaning::Unsigned => write_into(text, value as u64),
        Meaning::Decimal(scale) => show_decimal(value.into(), scale, text),
        Meaning::Date => show_date(value, text),
        Meaning::Time(per_second) => {
            show_time(value.div_euclid(per_second), value.rem_euclid(per_second), per_second, text)
        }
        Meaning::Timestamp(per_second) => {
            let (seconds, fraction) = (value.div_euclid(per_second), value.rem_euclid(per_second));
            show_date(seconds.div_euclid(DAY), text)?;
            // Midnight is what writers make of dates.
            if fraction == 0 && seconds.rem_euclid(DAY) == 0 {
                return Ok(());
            }
            text.push(' ');
            show_time(seconds.rem_euclid(DAY), fraction, per_second, text)
        }
        _ => write_into(text, value),
    }
}

/// The shortest decimals that give the number back. Without an exponent if it is of a `handy` size.
fn show_float<T: Display + LowerExp>(
    value: T,
    is_nan: bool,
    handy: bool,
    text: &mut String,
) -> Result<(), String> {
    match () {
        // One of the words for missing cells.
        () if is_nan => write_into(text, "NaN"),
        () if handy => write_into(text, value),
        () => write!(text, "{value:e}").map_err(|error| error.to_string()),
    }
}

/// A whole number with a point before its last `scale` digits.
fn show_decimal(value: i128, scale: i32, text: &mut String) -> Result<(), String> {
    let scale = scale as usize;
    let sign = if value < 0 { "-" } else { "" };
    let digits = format!("{:0>width$}", value.unsigned_abs(), width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    let point = if scale > 0 { "." } else { "" };
    write_into(text, format_args!("{sign}{whole}{point}{fraction}"))
}

/// A day since 1970 as an ISO date, by H. Hinnant's `civil_from_days`: years that begin in March, in eras of 400.
fn show_date(days: i64, text: &mut String) -> Result<(), String> {
    // The years 0 to 9999.
    if !(-719_528..=2_932_896).contains(&days) {
        return Err("a date that is not in the years 0 to 9999".into());
    }
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    write_into(text, format_args!("{year:04}-{month:02}-{day:02}"))
}

/// `12:30:05.25`
fn show_time(seconds: i64, fraction: i64, per_second: i64, text: &mut String) -> Result<(), String> {
    if !(0..DAY).contains(&seconds) {
        return Err("a time that is not in a day".into());
    }
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    write_into(text, format_args!("{hours:02}:{minutes:02}:{seconds:02}"))?;
    if fraction > 0 {
        let digits = per_second.ilog10() as usize;
        let fraction = format!("{fraction:0digits$}");
        write_into(text, format_args!(".{}", fraction.trim_end_matches('0')))?;
    }
    Ok(())
}

fn show_bytes(bytes: &[u8], meaning: Meaning, text: &mut String) -> Result<(), String> {
    match meaning {
        Meaning::Decimal(scale) => {
            let negative = bytes.first().is_some_and(|&first| first >= 128);
            if bytes.len() > 16 {
                return Err("a decimal of more than 16 bytes".into());
            }
            let start = if negative { -1 } else { 0i128 };
            let value = bytes.iter().fold(start, |value, &byte| value << 8 | i128::from(byte));
            show_decimal(value, scale, text)
        }
        Meaning::Uuid => {
            for (i, byte) in bytes.iter().enumerate() {
                let dash = if [4, 6, 8, 10].contains(&i) { "-" } else { "" };
                write_into(text, format_args!("{dash}{byte:02x}"))?;
            }
            Ok(())
        }
        _ => match std::str::from_utf8(bytes) {
            Ok(cell) => {
                text.push_str(cell);
                Ok(())
            }
            Err(_) => Err("bytes that are no text in UTF-8".into()),
        },
    }
}
