//! The smaller facts of lecture 02: counts, shapes, first rows, and the way from logits to labels.

use super::{Check, Options, recipe};
use rekindle::data::split::train_test_split;
use rekindle::data::synthetic::make_circles;
use rekindle::nn::{Linear, Module, sequential};
use rekindle::{Device, Tensor, manual_seed, metrics, no_grad};

type Show<'a> = &'a mut dyn FnMut(Check);

/// The parts of the lecture that have such facts.
pub const IDS: [&str; 5] = ["02/data", "02/circles", "02/line", "02/by-hand", "02/model_4"];

/// Runs the wanted parts.
pub fn run(options: &Options, show: Show<'_>) -> Result<(), String> {
    if options.wants("02/data") {
        first_rows(show);
        shapes(show);
    }
    if options.wants("02/circles") {
        logits_to_labels(show);
    }
    if options.wants("02/line") {
        straight_line(show);
    }
    if options.wants("02/by-hand") {
        activations(show);
    }
    if options.wants("02/model_4") {
        untrained_blobs(show)?;
        trained_blobs(show)?;
    }
    Ok(())
}

/// `x_train, x_test, y_train, y_test` of the circles.
fn circles() -> (Tensor, Tensor, Tensor, Tensor) {
    let (x, y) = make_circles(1000, 0.03, 42).tensors();
    train_test_split(1000, 0.2, 42).tensors(&x.float(), &y.float())
}

/// Section 1: what the data looks like.
fn first_rows(show: Show<'_>) {
    let mut says =
        |what: &str, expected: &str, got: String| show(Check::text("02/data", what, expected, got));
    let circles = make_circles(1000, 0.03, 42);
    let rows = |n: usize, decimals: usize| -> Vec<String> {
        (0..n).map(|i| format!("{:.2$} {:.2$}", circles.row(i)[0], circles.row(i)[1], decimals)).collect()
    };
    let five = "0.75424625 0.23148074\n-0.75615888 0.15325888\n-0.81539193 0.17328203\n-0.39373073 0.69288277\n0.44220765 -0.89672343";
    says("first 5 X features", five, rows(5, 8).join("\n"));
    says("first 5 y labels", "[1, 1, 1, 1, 0]", format!("{:?}", &circles.labels[..5]));
    let head = "0.754246 0.231481 1\n-0.756159 0.153259 1\n-0.815392 0.173282 1\n-0.393731 0.692883 1\n0.442208 -0.896723 0\n-0.479646 0.676435 1\n-0.013648 0.803349 1\n0.771513 0.147760 1\n-0.169322 -0.793456 1\n-0.121486 1.021509 0";
    let with_labels = rows(10, 6).into_iter().zip(&circles.labels).map(|(row, y)| format!("{row} {y}"));
    says("circles.head(10)", head, with_labels.collect::<Vec<_>>().join("\n"));
    let count = |class| circles.labels.iter().filter(|&&y| y == class).count();
    says("value counts", "1: 500, 0: 500", format!("1: {}, 0: {}", count(1), count(0)));
    let (x, y) = circles.tensors();
    let rows = "tensor([[ 0.7542,  0.2315],\n        [-0.7562,  0.1533],\n        [-0.8154,  0.1733],\n        [-0.3937,  0.6929],\n        [ 0.4422, -0.8967]])";
    says("X[:5]", rows, x.float().slice(0, ..5).to_string());
    says("y[:5]", "tensor([1., 1., 1., 1., 0.])", y.float().slice(0, ..5).to_string());
}

/// Sections 1.1 and 1.2: shapes, and the split.
fn shapes(show: Show<'_>) {
    let mut says =
        |what: &str, expected: &str, got: String| show(Check::text("02/data", what, expected, got));
    let (x, y) = make_circles(1000, 0.03, 42).tensors();
    says("shapes of X and y", "[1000, 2] [1000]", format!("{:?} {:?}", x.shape(), y.shape()));
    let (x, y) = (x.select(0, 0), y.select(0, 0));
    says("shapes of one sample", "[2] []", format!("{:?} {:?}", x.shape(), y.shape()));
    let (x_train, x_test, y_train, y_test) = circles();
    let lengths = [&x_train, &x_test, &y_train, &y_test].map(|t| t.size(0));
    says("lengths of the split", "[800, 200, 800, 200]", format!("{lengths:?}"));
    let rows = "tensor([[ 0.6579, -0.4651],\n        [ 0.6319, -0.7347],\n        [-1.0086, -0.1240],\n        [-0.9666, -0.2256],\n        [-0.1666,  0.7994]])";
    says("X_train[:5]", rows, x_train.slice(0, ..5).to_string());
    says("y_train[:5]", "tensor([1., 0., 0., 0., 1.])", y_train.slice(0, ..5).to_string());
}

/// Sections 2 and 3.1. The lecture makes model_0 before it sets a seed; the digits are PyTorch's for the seed 42.
fn logits_to_labels(show: Show<'_>) {
    let id = "02/circles";
    // The lecture ran on "cuda".
    show(Check::text(id, "device", "cpu", Device::auto().to_string()).not_in_the_lecture());
    let (_, x_test, _, y_test) = circles();
    manual_seed(42);
    let model_0 = sequential![Linear::new(2, 5), Linear::new(5, 1)];
    let printed = "Sequential(\n  (0): Linear(in_features=2, out_features=5, bias=True)\n  (1): Linear(in_features=5, out_features=1, bias=True)\n)";
    show(Check::text(id, "model_0", printed, model_0.to_string()));
    let untrained_preds = no_grad(|| model_0.forward(&x_test));
    let shapes = format!("{:?} {:?}", untrained_preds.shape(), y_test.shape());
    show(Check::text(id, "shapes of predictions and labels", "[200, 1] [200]", shapes));
    let first = y_test.slice(0, ..10).to_string();
    show(Check::text(id, "y_test[:10]", "tensor([1., 0., 1., 0., 1., 1., 0., 0., 1., 0.])", first));
    let logits = untrained_preds.slice(0, ..5);
    let (probabilities, column) = (logits.sigmoid(), |t: &Tensor| t.squeeze().to_string());
    let mut seeded = |what: &str, expected: &str, got| {
        show(Check::text(id, what, expected, got).not_in_the_lecture());
    };
    seeded("logits", "tensor([-0.1269, -0.0967, -0.1908, -0.1089, -0.1667])", column(&logits));
    seeded("probabilities", "tensor([0.4683, 0.4758, 0.4524, 0.4728, 0.4584])", column(&probabilities));
    seeded("labels", "tensor([0., 0., 0., 0., 0.])", column(&probabilities.round()));
    // Above one half is what rounding finds, too.
    let same = probabilities.round().eq(logits.gt(0.0).float()).squeeze().to_string();
    show(Check::text(id, "labels in two ways", "tensor([True, True, True, True, True])", same));
}

/// Section 5.1.
fn straight_line(show: Show<'_>) {
    let mut says =
        |what: &str, expected: &str, got: String| show(Check::text("02/line", what, expected, got));
    let x = Tensor::arange(0.0, 1.0, 0.01).unsqueeze(1);
    let y = &x * 0.7 + 0.3;
    says("points", "100", x.size(0).to_string());
    let five = |t: &Tensor| t.slice(0, ..5).squeeze().to_string();
    says("X[:5]", "tensor([0.0000, 0.0100, 0.0200, 0.0300, 0.0400])", five(&x));
    says("y[:5]", "tensor([0.3000, 0.3070, 0.3140, 0.3210, 0.3280])", five(&y));
}

/// Section 7 and exercise 6: ReLU, sigmoid and tanh by hand.
fn activations(show: Show<'_>) {
    let id = "02/by-hand";
    let a = Tensor::arange(-10.0, 10.0, 1.0);
    let (up, down) = (a.exp(), (-&a).exp());
    let (relu, sigmoid, tanh) = (a.maximum(0.0), 1.0 / (1.0 + (-&a).exp()), (&up - &down) / (&up + &down));
    let inputs = "tensor([-10.,  -9.,  -8.,  -7.,  -6.,  -5.,  -4.,  -3.,  -2.,  -1.,   0.,   1.,
          2.,   3.,   4.,   5.,   6.,   7.,   8.,   9.])";
    show(Check::text(id, "A", inputs, a.to_string()));
    let expected = "tensor([0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 1., 2., 3., 4., 5., 6., 7.,
        8., 9.])";
    show(Check::text(id, "relu(A)", expected, relu.to_string()));
    let expected = "tensor([4.5398e-05, 1.2339e-04, 3.3535e-04, 9.1105e-04, 2.4726e-03, 6.6929e-03,
        1.7986e-02, 4.7426e-02, 1.1920e-01, 2.6894e-01, 5.0000e-01, 7.3106e-01,
        8.8080e-01, 9.5257e-01, 9.8201e-01, 9.9331e-01, 9.9753e-01, 9.9909e-01,
        9.9966e-01, 9.9988e-01])";
    show(Check::text(id, "sigmoid(A)", expected, sigmoid.to_string()));
    let expected = "tensor([-1.0000, -1.0000, -1.0000, -1.0000, -1.0000, -0.9999, -0.9993, -0.9951,
        -0.9640, -0.7616,  0.0000,  0.7616,  0.9640,  0.9951,  0.9993,  0.9999,
         1.0000,  1.0000,  1.0000,  1.0000])";
    show(Check::text(id, "tanh(A)", expected, tanh.to_string()).not_in_the_lecture());
    let mut farthest = |what: &str, expected: &str, by_hand: Tensor, built_in: Tensor| {
        let difference = (by_hand - built_in).abs().max().to_string();
        show(Check::text(id, what, expected, difference).not_in_the_lecture());
    };
    farthest("farthest from torch.relu", "tensor(0.)", relu, a.relu());
    farthest("farthest from torch.sigmoid", "tensor(0.)", sigmoid, a.sigmoid());
    farthest("farthest from torch.tanh", "tensor(1.1921e-07)", tanh, a.tanh());
}

/// Sections 8.1 to 8.4: logits, probabilities and labels of a net that has learnt nothing.
fn untrained_blobs(show: Show<'_>) -> Result<(), String> {
    let mut says = |what: &str, expected: &str, got: Tensor| {
        show(Check::text("02/model_4", what, expected, got.to_string()));
    };
    let (x, y) = rekindle::data::synthetic::Blobs {
        n_samples: 1000,
        centers: 4,
        cluster_std: 1.5,
        random_state: 42,
        ..Default::default()
    }
    .generate()
    .tensors();
    let (x_train, ..) = train_test_split(1000, 0.2, 42).tensors(&x.float(), &y);
    let rows = "tensor([[-8.4134,  6.9352],\n        [-5.7665, -6.4312],\n        [-6.0421, -6.7661],\n        [ 3.9508,  0.6984],\n        [ 4.2505, -0.2815]])";
    says("X_blob[:5]", rows, x.float().slice(0, ..5));
    says("y_blob[:5]", "tensor([3, 2, 2, 1, 1])", y.slice(0, ..5));
    manual_seed(42);
    let model_4 = rekindle::train::build_net(&recipe("02/model_4")?.net)?;
    let logits = no_grad(|| model_4.forward(&x_train));
    let expected = "tensor([[-1.2711, -0.6494, -1.4740, -0.7044],
        [ 0.2210, -1.5439,  0.0420,  1.1531],
        [ 2.8698,  0.9143,  3.3169,  1.4027],
        [ 1.9576,  0.3125,  2.2244,  1.1324],
        [ 0.5458, -1.2381,  0.4441,  1.1804]])";
    says("untrained logits", expected, logits.slice(0, ..5));
    // The lecture gives this net the test points of the circles.
    let logits = no_grad(|| model_4.forward(&circles().1));
    let probabilities = logits.softmax(1);
    let expected = "tensor([[ 0.2341, -0.3357,  0.2307,  0.2534],
        [ 0.1198, -0.3702,  0.0998,  0.1887],
        [ 0.3790, -0.2037,  0.4095,  0.2689],
        [ 0.1936, -0.3733,  0.1807,  0.2496],
        [ 0.1338, -0.1378,  0.1487,  0.0247]])";
    says("logits of circles", expected, logits.slice(0, ..5));
    let expected = "tensor([[0.2792, 0.1579, 0.2782, 0.2846],
        [0.2729, 0.1672, 0.2675, 0.2924],
        [0.2869, 0.1602, 0.2958, 0.2570],
        [0.2769, 0.1571, 0.2733, 0.2928],
        [0.2722, 0.2075, 0.2763, 0.2441]])";
    says("softmax of them", expected, probabilities.slice(0, ..5));
    let first = probabilities.select(0, 0);
    says("sum of the first", "tensor(1.)", first.sum());
    says("argmax of the first", "tensor(3)", first.argmax());
    let shape = format!("{:?}", model_4.forward(&x_train).select(0, 0).shape());
    show(Check::text("02/model_4", "shape of one prediction", "[4]", shape));
    Ok(())
}

/// Sections 8.6 and 9: the trained net.
fn trained_blobs(show: Show<'_>) -> Result<(), String> {
    let mut says =
        |what: &str, expected: &str, got: String| show(Check::text("02/model_4", what, expected, got));
    let trained =
        rekindle::train::run(&recipe("02/model_4")?, None, &mut |_| {}).map_err(|e| e.to_string())?;
    let test = &trained.data.test;
    let y_logits = no_grad(|| trained.net.forward(&test.x()));
    // On these rows the lecture's GPU and PyTorch on a CPU agree to the last digit.
    let row = |i| -> String {
        let numbers = y_logits.select(0, i).to_vec::<f32>();
        numbers.iter().map(|z| format!("{z:.4}")).collect::<Vec<_>>().join(" ")
    };
    let expected =
        "4.3377 10.3539 -14.8948 -9.7642\n5.0142 -12.0371 3.3860 10.6699\n-5.5885 -13.3448 20.9894 12.7711";
    says("trained logits", expected, [row(0), row(1), row(2)].join("\n"));
    let y_preds = y_logits.softmax(1).argmax_dim(1, false);
    let ten = "tensor([1, 3, 2, 1, 0, 3, 2, 0, 2, 0])";
    says("predictions", ten, y_preds.slice(0, ..10).to_string());
    says("labels", ten, test.y.slice(0, ..10).to_string());
    let accuracy = metrics::accuracy(&y_preds, &test.y);
    says("test accuracy", "99.5%", format!("{}%", accuracy * 100.0));
    says("torchmetrics_accuracy", "0.9950", format!("{accuracy:.4}"));
    Ok(())
}
