//! What mistakes say: one line, the op first, both facts, a hint.

use rekindle_tensor::{BatchNormOptions, ConvOptions, DType, PoolOptions, Tensor, tensor};

/// Compares the messages of the calls with the stored ones.
macro_rules! assert_messages {
    ($($calls:tt)*) => {
        let text = rekindle_tensor::messages!($($calls)*);
        insta::with_settings!({ omit_expression => true }, { insta::assert_snapshot!(text) });
    };
}

fn zeros(shape: impl AsRef<[usize]>) -> Tensor {
    Tensor::zeros(shape.as_ref())
}

#[test]
fn mistakes_in_shapes() {
    assert_messages! {
        zeros([32, 784]).matmul(&zeros([512, 10]));
        zeros([]).matmul(&zeros([3]));
        zeros([2, 3]).mm(&zeros([3]));
        zeros([5, 4]).linear(&zeros([1, 3]), None);
        zeros([5, 3]).linear(&zeros([1, 3]), Some(&zeros([2])));
        &zeros([2, 3]) + &zeros([4, 3]);
        &zeros([3]) * &zeros([3, 2]);
        zeros([2, 3]).expand([4, 3]);
        zeros([3]).expand([-1, 3]);
        zeros([2, 3]).reshape([4, 2]);
        zeros([2, 3]).reshape([-1, 4]);
        zeros([2, 3]).reshape([-1, -1]);
        zeros([2, 3]).t().view([6]);
        zeros([2, 3, 4]).t();
        zeros([2, 3]).permute([0, 0]);
        zeros([2, 3]).transpose(0, 2);
        zeros([2, 3]).sum_dim(2, false);
        zeros([2, 3]).sum_dim([0, -2], false);
        zeros([2, 0]).max_dim(1, false);
        zeros([0]).argmax();
        zeros([2, 3]).narrow(1, 2, 2);
        zeros([2, 3]).select(0, 2);
        zeros([2, 3]).index_select(0, &tensor([2]));
        zeros([2, 3]).gather(1, &tensor([[0], [1], [2]]));
        zeros([2, 3]).topk(4, 1, true);
        Tensor::cat(&[zeros([2, 3]), zeros([2, 4])], 0);
        Tensor::stack(&[zeros([2]), zeros([3])], 0);
        Tensor::cat(&[] as &[Tensor], 0);
        zeros([2, 3]).item::<f32>();
        zeros([2, 3]).softmax(5);
        zeros([2, 3]).squeeze_dim(2);
        Tensor::arange(0, 5, -1);
        zeros([2, 3]).linear(&zeros([4, 5]), None);
        zeros([]).linear(&zeros([4, 5]), None);
        zeros([0, 3]).reshape([-1, 0]);
        Tensor::stack(&[zeros([2])], 2);
        zeros([0, 0]).max_dim(0, false);
        zeros([2, 3]).narrow(0, usize::MAX, 2);
        Tensor::from_vec(vec![1.0_f32, 2.0], [3]);
    }
}

#[test]
fn mistakes_in_layers() {
    let (conv, pool) = (ConvOptions::default(), PoolOptions::new([2, 2]));
    assert_messages! {
        zeros([1, 3, 8, 8]).conv2d(&zeros([4, 1, 3, 3]), None, conv);
        zeros([3, 8]).conv2d(&zeros([4, 3, 3, 3]), None, conv);
        zeros([1, 3, 2, 2]).conv2d(&zeros([4, 3, 3, 3]), None, conv);
        zeros([1, 3, 8, 8]).conv2d(&zeros([4, 3, 3, 3]), Some(&zeros([3])), conv);
        zeros([1, 1, 1, 1]).max_pool2d(pool);
        zeros([4, 4, 4, 4, 4]).max_pool2d(pool);
        zeros([1, 3]).batch_norm(BatchNormOptions { training: true, ..Default::default() });
        zeros([4]).batch_norm(BatchNormOptions { training: true, ..Default::default() });
        zeros([2, 3]).layer_norm([4], None, None, 1e-5);
        zeros([5, 2]).embedding(&tensor([0, 9]), None);
        zeros([5, 2]).embedding(&zeros([2]), None);
        zeros([2]).dropout(1.5);
    }
}

#[test]
fn mistakes_in_types() {
    let whole = Tensor::zeros([2]).to(DType::I64);
    assert_messages! {
        whole.mean();
        whole.softmax(0);
        whole.matmul(&whole);
        whole.requires_grad_(true);
        whole.pow(-1);
        Tensor::where_(&zeros([2]), zeros([2]), zeros([2]));
        zeros([2]).masked_fill(&zeros([2]), 1.0);
        zeros([2]).index_select(0, &zeros([1]));
        whole.data::<f32>();
        tensor([true]) + tensor([true]);
        tensor([true]).neg();
        tensor([1, 2]) & tensor([2, 2]);
        tensor([true]) | tensor([0.5]);
        !tensor([1, 2]);
        whole.var();
        whole.add_(1.5);
        zeros([2, 3]).linear(&zeros([1, 3]).double(), None);
    }
}

#[test]
fn mistakes_with_gradients() {
    let x = tensor([1.0, 2.0]).requires_grad_(true);
    let y = &x * 2.0;
    let used = (&x * &x).sum();
    used.backward();
    assert_messages! {
        zeros([1]).backward();
        y.backward();
        y.backward_with(&zeros([3]));
        used.backward();
        y.requires_grad_(false);
        x.add_(1.0);
        zeros([2]).add_(&x);
        zeros([2]).copy_(&x);
        x.set_grad(Some(zeros([5])));
        zeros([1]).expand([3]).fill_(1.0);
    }
}
