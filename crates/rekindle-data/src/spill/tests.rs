//! Rows on disk, held against rows in memory.

use std::sync::Arc;

use super::*;
use crate::{DataLoader, Subset, TensorDataset};
use rekindle_tensor::check;
use rekindle_tensor::random::Generator;

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
fn batches_are_those_of_tensors_in_memory() {
    let (spilled, x) = both(1000, 3);
    let y = Tensor::arange(0, 1000, 1);
    let memory: Arc<dyn Dataset> = Arc::new(TensorDataset::new(x, y.clone()));
    let disk: Arc<dyn Dataset> = Arc::new(SpilledDataset::new(spilled, y));
    let some: Vec<usize> = (0..1000).filter(|i| i % 3 != 1).collect();
    for shuffle in [false, true] {
        for part in [None, Some(some.clone())] {
            let load = |dataset: &Arc<dyn Dataset>| -> Vec<(Tensor, Tensor)> {
                let loader = match &part {
                    None => DataLoader::new(dataset.clone()),
                    Some(part) => DataLoader::new(Subset::new(dataset.clone(), part.clone())),
                };
                loader.batch_size(64).shuffle(shuffle).generator(Generator::seeded(5)).iter().collect()
            };
            let (ours, theirs) = (load(&disk), load(&memory));
            assert_eq!(ours.len(), theirs.len());
            for ((x, y), (their_x, their_y)) in ours.iter().zip(&theirs) {
                assert!(same(x, their_x) && same(y, their_y));
            }
        }
    }
    let ((x, y), (their_x, their_y)) = (disk.get(7), memory.get(7));
    assert!(same(&x, &their_x) && same(&y, &their_y));
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
    let samples = SpilledDataset::new(rows, Tensor::zeros([2]));
    let error = check(|| samples.batch(&[1])).err().unwrap();
    assert!(
        error.starts_with("spilled rows: the temporary file of the features cannot be read: "),
        "{error}"
    );
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
    let error = check(|| SpilledDataset::new(rows, Tensor::zeros([2]))).err().unwrap();
    assert_eq!(error, "spilled_dataset: x has 3 rows, but y has the shape [2]");
}
