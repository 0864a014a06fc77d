//! The orders and the draws that follow are those that PyTorch 2.15 gives for the same programs.

use super::*;
use crate::dataset::{Subset, TensorDataset, random_split};
use rekindle_tensor::random::{with_default, with_generator};

/// Ten samples whose targets are their numbers.
fn ten() -> TensorDataset {
    let numbers: Vec<i64> = (0..10).collect();
    let y = Tensor::from_vec(numbers, [10]);
    TensorDataset::new(y.float().reshape([10, 1]), y)
}

/// The targets of one pass; the inputs must go with them.
fn pass(loader: &DataLoader) -> Vec<Vec<i64>> {
    let batch = |(x, y): (Tensor, Tensor)| {
        assert_eq!(x.shape(), [y.size(0), 1]);
        assert_eq!(x.reshape([-1]).long().to_vec::<i64>(), y.to_vec::<i64>());
        y.to_vec()
    };
    loader.iter().map(batch).collect()
}

/// `torch.rand(1)`
fn rand(generator: &mut Generator) -> f32 {
    let mut x = [0.0];
    generator.uniform(&mut x, 0.0, 1.0);
    x[0]
}

/// Runs with a default generator of its own.
fn seeded<R>(seed: u64, f: impl FnOnce() -> R) -> R {
    with_generator(&mut Generator::seeded(seed), f)
}

/// The next number of the loader's own generator.
fn next_of(loader: &DataLoader) -> f32 {
    let mut generator = Generator::new();
    generator.set_state(&loader.generator_state().unwrap()).unwrap();
    rand(&mut generator)
}

#[test]
fn shuffled_passes_are_pytorchs() {
    seeded(43052, || {
        let loader = DataLoader::new(ten()).batch_size(4).shuffle(true);
        assert_eq!(pass(&loader), [vec![7, 1, 2, 4], vec![5, 8, 0, 6], vec![9, 3]]);
        assert_eq!(with_default(rand), 0.703_680_2);
        assert_eq!(pass(&loader), [vec![5, 1, 4, 6], vec![9, 2, 0, 3], vec![8, 7]]);
        assert_eq!(with_default(rand), 0.812_247_16);
    });
}

#[test]
fn passes_of_an_own_generator_are_pytorchs() {
    let loader = DataLoader::new(ten()).batch_size(4).shuffle(true).drop_last(true);
    let loader = loader.generator(Generator::seeded(7));
    assert_eq!(pass(&loader), [[1, 3, 5, 7], [9, 4, 6, 2]]);
    assert_eq!(pass(&loader), [[5, 1, 6, 0], [9, 7, 8, 4]]);
    assert_eq!(next_of(&loader), 0.740_524);
}

#[test]
fn an_own_generator_draws_again_once_a_batch_cannot_be_filled() {
    let after = |batch_size, batches| {
        let loader = DataLoader::new(ten()).batch_size(batch_size).shuffle(true);
        let loader = loader.generator(Generator::seeded(7));
        assert_eq!(loader.iter().take(batches).count(), batches);
        next_of(&loader)
    };
    assert_eq!(after(5, 2), 0.550_935_2, "two full batches, and nobody has asked for a third");
    assert_eq!(after(4, 3), 0.882_877_6, "the third batch is short");
}

#[test]
fn unshuffled_passes_keep_the_order_and_draw_two_words() {
    seeded(0, || {
        let loader = DataLoader::new(ten()).batch_size(4);
        assert_eq!(pass(&loader), [vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9]]);
        assert_eq!(with_default(rand), 0.088_477_43);
    });
}

#[test]
fn unshuffled_batches_are_views() {
    let data = ten();
    let (x, y) = data.range(0..10);
    for (batch_x, batch_y) in &DataLoader::new(data).batch_size(4) {
        assert!(batch_x.shares_memory(&x) && batch_y.shares_memory(&y));
    }
}

#[test]
fn a_subset_is_loaded_in_its_own_order() {
    let loader = DataLoader::new(Subset::new(ten(), vec![3, 7, 4])).batch_size(2);
    assert_eq!(pass(&loader), [vec![3, 7], vec![4]]);
    let shuffled = DataLoader::new(Subset::new(ten(), vec![3, 7, 4])).shuffle(true);
    let mut targets = pass(&shuffled).concat();
    targets.sort();
    assert_eq!(targets, [3, 4, 7]);
}

#[test]
fn a_random_split_is_pytorchs() {
    let parts = seeded(1, || random_split(ten(), &[7, 3]));
    assert_eq!(parts[0].indices(), [5, 6, 1, 2, 0, 8, 9]);
    assert_eq!(parts[1].indices(), [3, 7, 4]);
}

#[test]
#[should_panic(expected = "random_split: [7, 2] add up to 9, but there are 10 samples")]
fn parts_that_do_not_add_up_panic() {
    random_split(ten(), &[7, 2]);
}

#[test]
#[should_panic(expected = "tensor_dataset: x and y must have as many rows as each other: [3, 2] and [4]")]
fn tensors_of_different_lengths_panic() {
    TensorDataset::new(Tensor::zeros([3, 2]), Tensor::zeros([4]));
}

#[test]
#[should_panic(expected = "subset: index 10 is out of range for 10 samples")]
fn a_subset_of_what_is_not_there_panics() {
    Subset::new(ten(), vec![1, 10]);
}

#[test]
fn the_number_of_batches_is_known() {
    for (batch_size, drop_last, batches) in [(4, false, 3), (4, true, 2), (5, true, 2), (16, true, 0)] {
        let loader = DataLoader::new(ten()).batch_size(batch_size).drop_last(drop_last);
        assert_eq!((loader.len(), pass(&loader).len()), (batches, batches));
        let mut pass = loader.iter();
        for left in (0..batches).rev() {
            pass.next().unwrap();
            assert_eq!(pass.len(), left);
        }
        assert!(pass.next().is_none() && pass.next().is_none());
    }
}

#[test]
fn an_empty_data_set_has_no_batches() {
    let loader = DataLoader::new(TensorDataset::new(Tensor::zeros([0, 2]), Tensor::zeros([0]))).shuffle(true);
    assert_eq!((loader.is_empty(), loader.iter().count()), (true, 0));
}

#[test]
fn threads_give_the_same_batches_in_the_same_order() {
    for (batch_size, drop_last, shuffle) in
        [(1, false, true), (3, false, false), (4, true, true), (16, false, true)]
    {
        let loader = || DataLoader::new(ten()).batch_size(batch_size).drop_last(drop_last).shuffle(shuffle);
        let expected = seeded(3, || (pass(&loader()), pass(&loader()), Tensor::rand([1]).item::<f32>()));
        for workers in [1, 2, 5] {
            let loader = loader().num_workers(workers);
            let got = seeded(3, || (pass(&loader), pass(&loader), Tensor::rand([1]).item::<f32>()));
            assert_eq!(got, expected, "{workers} threads, batches of {batch_size}");
        }
    }
}

#[test]
fn a_pass_with_threads_may_end_early_or_skip_batches() {
    let loader = DataLoader::new(ten()).batch_size(2).num_workers(2);
    let mut batches = loader.iter();
    batches.next();
    batches.advance(2);
    let expected = loader.iter().nth(3).unwrap();
    assert_eq!(batches.next().unwrap().1.to_f64_vec(), expected.1.to_f64_vec());
    drop(batches);
    assert_eq!(loader.iter().count(), 5);
}

/// Fails at sample 3, with a mistake or a panic.
struct Failing(bool);

impl Dataset for Failing {
    fn len(&self) -> usize {
        10
    }
    fn get(&self, i: usize) -> (Tensor, Tensor) {
        match (i, self.0) {
            (3, true) => rekindle_tensor::mistake!("sample 3 cannot be read"),
            (3, false) => panic!("sample 3 is broken"),
            _ => (Tensor::zeros([1]), Tensor::zeros([1])),
        }
    }
}

#[test]
fn mistakes_and_panics_of_threads_reach_whoever_takes_the_batch() {
    let run = |mistake| DataLoader::new(Failing(mistake)).batch_size(2).num_workers(2).iter().count();
    let e = rekindle_tensor::check(|| run(true)).unwrap_err();
    assert_eq!(e, "sample 3 cannot be read");
    let panic = std::panic::catch_unwind(|| run(false)).unwrap_err();
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"sample 3 is broken"));
}
