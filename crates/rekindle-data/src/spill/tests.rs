//! Rows on disk, held against rows in memory.

use super::*;
use rekindle_tensor::check;

/// `n` rows of `width` numbers of every kind, on disk and in memory.
fn both(n: usize, width: usize) -> (SpilledRows, Tensor) {
    let numbers: Vec<f32> =
        (0..n * width).map(|i| f32::from_bits((i as u32).wrapping_mul(0x9e37_79b9))).collect();
    let mut writer = SpillWriter::create(std::env::temp_dir(), width).unwrap();
    for piece in numbers.chunks((n / 3).max(1) * width.max(1)) {
        writer.push(piece).unwrap();
    }
    (writer.finish().unwrap(), Tensor::from_vec(numbers, [n, width]))
}

/// Equal to the last bit, NaN too.
fn same(a: &Tensor, b: &Tensor) -> bool {
    a.shape() == b.shape() && a.contiguous().bitwise_eq(&b.contiguous())
}

#[test]
fn rows_are_those_in_memory_to_the_last_bit() {
    let (spilled, x) = both(1000, 3);
    let some: Vec<usize> = (0..1000).map(|i| i * 7 % 1000).filter(|i| i % 3 != 1).collect();
    let picked = Tensor::from_vec(some.iter().map(|&i| i as i64).collect(), some.len());
    assert!(same(&spilled.rows(&some).unwrap(), &x.index_select(0, &picked)));
    assert!(same(&spilled.range(0..1000).unwrap(), &x));
}

#[test]
fn threads_read_at_the_same_time() {
    let (spilled, x) = both(500, 4);
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (spilled, x) = (&spilled, &x);
            scope.spawn(move || {
                for i in (start..490).step_by(4) {
                    assert!(same(&spilled.range(i..i + 9).unwrap(), &x.narrow(0, i, 9)));
                }
            });
        }
    });
}

#[test]
#[cfg(unix)]
fn the_file_has_no_name_and_its_end_is_noticed() {
    let folder = std::env::temp_dir().join(format!("rekindle-spill-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut writer = SpillWriter::create(&folder, 2).unwrap();
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 0);
    writer.push(&[1.0, 2.0, 3.0, 4.0]).unwrap();
    let rows = writer.finish().unwrap();
    rows.file.handle.set_len(10).unwrap();
    assert!(rows.rows(&[0]).is_ok());
    assert_eq!(rows.rows(&[1]).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    fs::remove_dir(&folder).unwrap();
    assert!(SpillWriter::create(&folder, 2).is_err());
}

#[test]
fn rows_that_are_not_there_are_mistakes() {
    let (rows, _) = both(3, 2);
    for (error, expected) in [
        (check(|| rows.rows(&[3]).is_ok()).unwrap_err(), "spilled rows: index 3 is out of range for 3 rows"),
        (check(|| rows.range(2..4).is_ok()).unwrap_err(), "spilled rows: 2..4 is out of range for 3 rows"),
    ] {
        assert_eq!(error, expected);
    }
    assert_eq!(rows.rows(&[]).unwrap().shape(), [0, 2]);
    assert_eq!(rows.range(3..3).unwrap().shape(), [0, 2]);
}
