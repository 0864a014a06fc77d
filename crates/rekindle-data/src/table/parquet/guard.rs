//! What stands between a damaged or hostile file and the parquet crate.
//!
//! The crate believes sizes that a file states before it has seen the bytes, and panics where they contradict each other. Here is what
//! makes an error of both: [`guarded`] catches its panics, [`Pages`] lets it read nothing that is not there, and every page is
//! looked at before memory is taken for it. Descriptions have to be what the format says: [`super::described`].

use std::fs::File;
use std::io::BufReader;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use bytes::Bytes;
use parquet::basic::{Compression, Encoding, Type};
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use super::described::{PAGE, check_field};
use super::thrift::{I32, Thrift};
use crate::quiet::quiet;

/// The most bytes of all pages that are held at once.
const MAX_PAGES: u64 = 1 << 30;
/// The memory of one value of a dictionary.
const DICTIONARY_VALUE: u64 = 48;

/// Runs `f`; a panic in it is a damaged file and prints nothing. An error ends the reading.
pub(super) fn guarded<R>(f: impl FnOnce() -> Result<R>) -> Result<R> {
    quiet(f).unwrap_or_else(|| Err(ParquetError::General("its bytes contradict each other".into())))
}

/// What all columns hold together.
#[derive(Clone, Default)]
pub(super) struct Budget(Arc<AtomicU64>);

impl Budget {
    /// Exchanges an old charge for a new one.
    fn charge(&self, account: &AtomicU64, bytes: u64) -> Result<()> {
        let before = account.swap(bytes, Relaxed);
        let all = self.0.fetch_add(bytes, Relaxed) + bytes - before;
        self.0.fetch_sub(before, Relaxed);
        if all > MAX_PAGES {
            let text = format!("its pages need more than {} MiB of memory at once", MAX_PAGES >> 20);
            return Err(ParquetError::NYI(text));
        }
        Ok(())
    }
}

/// How many times larger the bytes of a page can become when they are unpacked.
pub(super) fn most_growth(compression: Compression) -> u64 {
    match compression {
        Compression::UNCOMPRESSED => 1,
        // A copy of 64 bytes takes 3.
        Compression::SNAPPY => 22,
        // 258 bytes take 2 bits.
        Compression::GZIP(_) => 1032,
        // A block of 128 KiB takes 4 bytes (Zstandard); the others are not read.
        _ => 1 << 15,
    }
}

/// The bytes of a file, for one column.
pub(super) struct Pages {
    file: Arc<File>,
    /// See [`most_growth`].
    growth: u64,
    budget: Budget,
    /// The current page.
    page: AtomicU64,
    /// The dictionary, which stays.
    dictionary: AtomicU64,
}

impl Pages {
    pub fn new(file: Arc<File>, growth: u64, budget: Budget) -> Self {
        Self { file, growth, budget, page: AtomicU64::new(0), dictionary: AtomicU64::new(0) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // Only less can be held afterwards.
        let _ = self.budget.charge(&self.page, 0);
        let _ = self.budget.charge(&self.dictionary, 0);
    }
}

impl Length for Pages {
    fn len(&self) -> u64 {
        Length::len(&*self.file)
    }
}

impl ChunkReader for Pages {
    type T = BufReader<File>;

    /// The crate asks for this where a page begins: its size is looked at here.
    fn get_read(&self, start: u64) -> Result<BufReader<File>> {
        let (mut size, mut compressed) = (0u64, 0u64);
        let there = Length::len(self).saturating_sub(start);
        let mut thrift = Thrift::new(self.file.get_read(start)?, start, there);
        thrift.fields(0, |thrift, number, kind| {
            let place = match (number, kind) {
                (2, I32) => &mut size,
                (3, I32) => &mut compressed,
                _ => return check_field(thrift, PAGE, number, kind, 0),
            };
            let value = u64::try_from(thrift.integer()?).map_err(|_| thrift.wrong("a size below zero"))?;
            // The larger one, should a field come twice.
            *place = value.max(*place);
            Ok(true)
        })?;
        if compressed > there || size > compressed.saturating_mul(self.growth).max(compressed) {
            let text = format!("a page of {size} bytes, packed into {compressed}, where {there} are");
            return Err(ParquetError::General(text));
        }
        self.budget.charge(&self.page, size.max(compressed))?;
        self.file.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        if start.checked_add(length as u64).is_none_or(|end| end > Length::len(self)) {
            return Err(ParquetError::EOF("a page reaches beyond the end of the file".into()));
        }
        self.file.get_bytes(start, length)
    }
}

/// The pages of a column, each looked at before it is decoded.
pub(super) struct Checked<P> {
    pub pages: P,
    pub source: Arc<Pages>,
    /// The bytes of a value in a dictionary, at least.
    pub smallest: u64,
}

/// The bytes of a value of a type, at least, as a dictionary has it.
pub(super) fn smallest(physical: Type, length: i32) -> u64 {
    match physical {
        Type::BOOLEAN | Type::INT32 | Type::FLOAT | Type::BYTE_ARRAY => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 => 12,
        Type::FIXED_LEN_BYTE_ARRAY => length.max(1) as u64,
    }
}

impl<P: PageReader> Checked<P> {
    fn check(&self, page: &Page) -> Result<()> {
        let encoding = page.encoding();
        // Decoding the others takes memory for counts that stand in the middle of their bytes.
        #[allow(deprecated)]
        if !matches!(
            encoding,
            Encoding::PLAIN
                | Encoding::PLAIN_DICTIONARY
                | Encoding::RLE_DICTIONARY
                | Encoding::RLE
                | Encoding::DELTA_BINARY_PACKED
                | Encoding::BYTE_STREAM_SPLIT
        ) {
            return Err(ParquetError::NYI(format!("its encoding {encoding} is not read")));
        }
        if let Page::DictionaryPage { num_values, buf, .. } = page {
            let values = u64::from(*num_values);
            if values * self.smallest > buf.len() as u64 {
                return Err(ParquetError::EOF("a dictionary has fewer values than it says".into()));
            }
            let bytes = buf.len() as u64 + values * DICTIONARY_VALUE;
            self.source.budget.charge(&self.source.dictionary, bytes)?;
        }
        Ok(())
    }
}

impl<P: PageReader> Iterator for Checked<P> {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

impl<P: PageReader> PageReader for Checked<P> {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.iter().try_for_each(|page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_refused_before_memory_is_taken_for_it() {
        let path = std::env::temp_dir().join(format!("rekindle-{}-page", std::process::id()));
        let get_grown = |header: &[u8], growth| {
            std::fs::write(&path, header).unwrap();
            let pages = Pages::new(Arc::new(File::open(&path).unwrap()), growth, Budget::default());
            pages.get_read(0).map(drop).map_err(|error| error.to_string())
        };
        let get = |header: &[u8]| get_grown(header, u64::MAX);
        // A data page of 1000 bytes, out of one; then one of 2^31 - 1, also where the field comes a second time.
        assert_eq!(get(&[0x15, 0, 0x15, 0xd0, 0x0f, 0x15, 2, 0]), Ok(()));
        let grown = get_grown(&[0x15, 0, 0x15, 0xd0, 0x0f, 0x15, 2, 0], 999).unwrap_err();
        assert!(grown.ends_with("a page of 1000 bytes, packed into 1, where 8 are"), "{grown}");
        let large = get(&[0x15, 0, 0x15, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0x15, 2, 0]).unwrap_err();
        assert!(large.ends_with("its pages need more than 1024 MiB of memory at once"), "{large}");
        assert!(get(&[0x15, 0, 0x15, 2, 0x05, 4, 0xfe, 0xff, 0xff, 0xff, 0x0f, 0]).is_err());
        assert!(get(&[0x15, 0, 0x15]).is_err());
        // Less than nothing, and a size of more than 32 bits.
        assert!(get(&[0x15, 0, 0x15, 1, 0x15, 2, 0]).unwrap_err().contains("below zero at byte 4"));
        assert!(
            get(&[0x15, 0, 0x15, 0xff, 0xff, 0xff, 0xf1, 0x16, 0x15, 2, 0])
                .unwrap_err()
                .contains("too large a number")
        );
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_columns_held_can_be_held_again() {
        let path = std::env::temp_dir().join(format!("rekindle-{}-held", std::process::id()));
        // 600 MiB.
        std::fs::write(&path, [0x15, 0, 0x15, 0x80, 0x80, 0x80, 0xd8, 0x04, 0x15, 2, 0]).unwrap();
        let (file, budget) = (Arc::new(File::open(&path).unwrap()), Budget::default());
        let pages = || Pages::new(file.clone(), u64::MAX, budget.clone());
        let first = pages();
        assert!(first.get_read(0).is_ok() && first.get_read(0).is_ok());
        assert!(pages().get_read(0).is_err());
        drop(first);
        assert!(pages().get_read(0).is_ok());
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_panic_is_an_error() {
        let error = guarded::<()>(|| panic!("from the crate")).unwrap_err().to_string();
        assert!(error.ends_with("its bytes contradict each other"), "{error}");
    }
}
