//! Each expected text is what PyTorch 2.15 prints for the same tensor.

use super::*;

fn text_of(shape: &[usize], dtype: &str, value: impl Fn(usize) -> f64) -> String {
    let element = |i| match dtype {
        "int64" => Element::Int(value(i) as i64),
        "bool" => Element::Bool(value(i) != 0.0),
        "float32" => Element::Float(f64::from(value(i) as f32)),
        _ => Element::Float(value(i)),
    };
    tensor_text(shape, dtype, element, None)
}

fn text(shape: &[usize], dtype: &str, values: &[f64]) -> String {
    text_of(shape, dtype, |i| values[i])
}

#[test]
fn a_scalar_has_no_bracket() {
    assert_eq!(text(&[], "float32", &[0.7542]), "tensor(0.7542)");
}

#[test]
fn whole_floats_end_in_a_point() {
    assert_eq!(text(&[3], "float32", &[1.0, 2.0, -3.0]), "tensor([ 1.,  2., -3.])");
}

#[test]
fn four_decimals_when_any_is_fractional() {
    assert_eq!(text(&[3], "float32", &[1.0, 2.5, 100.0]), "tensor([  1.0000,   2.5000, 100.0000])");
}

#[test]
fn columns_align_over_all_rows() {
    assert_eq!(
        text(&[2, 2], "float32", &[0.7542, 0.2315, -10.5, 3.0]),
        "tensor([[  0.7542,   0.2315],\n        [-10.5000,   3.0000]])"
    );
}

#[test]
fn ties_round_to_even() {
    assert_eq!(text(&[3], "float32", &[0.03125, 0.09375, 0.5]), "tensor([0.0312, 0.0938, 0.5000])");
}

#[test]
fn ratio_over_1000_is_scientific() {
    assert_eq!(text(&[2, 1], "float32", &[7.5931e-4, 0.8]), "tensor([[7.5931e-04],\n        [8.0000e-01]])");
}

#[test]
fn ratio_of_1000_is_not() {
    assert_eq!(text(&[2], "float64", &[0.001, 1.0]), "tensor([0.0010, 1.0000], dtype=torch.float64)");
}

#[test]
fn magnitude_over_1e8_is_scientific() {
    assert_eq!(text(&[2], "float32", &[100000008.0, 100000008.0]), "tensor([1.0000e+08, 1.0000e+08])");
}

#[test]
fn small_magnitude_is_scientific() {
    assert_eq!(
        text(&[2], "float64", &[-0.00005, 0.0]),
        "tensor([-5.0000e-05,  0.0000e+00], dtype=torch.float64)"
    );
}

#[test]
fn zero_and_nan_have_no_say_in_the_notation() {
    assert_eq!(text(&[3], "float32", &[0.0, f64::NAN, 2.0]), "tensor([0., nan, 2.])");
}

#[test]
fn infinities_stay_without_a_point() {
    assert_eq!(text(&[3], "float32", &[f64::INFINITY, f64::NEG_INFINITY, 1.0]), "tensor([inf, -inf, 1.])");
}

#[test]
fn nothing_finite_is_still_printed() {
    assert_eq!(text(&[2], "float32", &[f64::NAN, f64::NAN]), "tensor([nan, nan])");
}

#[test]
fn zeros_keep_their_sign() {
    assert_eq!(text(&[2], "float32", &[0.0, -0.0]), "tensor([0., -0.])");
}

#[test]
fn booleans_align() {
    assert_eq!(text(&[3], "bool", &[1.0, 0.0, 1.0]), "tensor([ True, False,  True])");
}

#[test]
fn integers_align() {
    assert_eq!(
        text(&[2, 2], "int64", &[1.0, -20.0, 300.0, 4.0]),
        "tensor([[  1, -20],\n        [300,   4]])"
    );
}

#[test]
fn other_dtypes_are_named() {
    assert_eq!(text(&[1], "float64", &[0.5]), "tensor([0.5000], dtype=torch.float64)");
}

#[test]
fn empty_rows_show_the_size() {
    assert_eq!(text(&[0, 3], "float32", &[]), "tensor([], size=(0, 3))");
}

#[test]
fn an_empty_vector_shows_its_dtype() {
    assert_eq!(text(&[0], "int64", &[]), "tensor([], dtype=torch.int64)");
}

#[test]
fn long_rows_break_at_80_columns() {
    let text = text_of(&[30], "float32", |i| i as f64 / 4.0);
    let lines = [
        "tensor([0.0000, 0.2500, 0.5000, 0.7500, 1.0000, 1.2500, 1.5000, 1.7500, 2.0000,",
        "        2.2500, 2.5000, 2.7500, 3.0000, 3.2500, 3.5000, 3.7500, 4.0000, 4.2500,",
        "        4.5000, 4.7500, 5.0000, 5.2500, 5.5000, 5.7500, 6.0000, 6.2500, 6.5000,",
        "        6.7500, 7.0000, 7.2500])",
    ];
    assert_eq!(text, lines.join("\n"));
}

#[test]
fn matrices_are_separated_by_a_blank_line() {
    let text = text_of(&[2, 3, 2], "float32", |i| i as f64);
    let lines = [
        "tensor([[[ 0.,  1.],",
        "         [ 2.,  3.],",
        "         [ 4.,  5.]],",
        "",
        "        [[ 6.,  7.],",
        "         [ 8.,  9.],",
        "         [10., 11.]]])",
    ];
    assert_eq!(text, lines.join("\n"));
}

#[test]
fn four_dimensions_by_two() {
    let text = text_of(&[2, 2, 1, 2], "float32", |i| i as f64);
    let lines = [
        "tensor([[[[0., 1.]],",
        "",
        "         [[2., 3.]]],",
        "",
        "",
        "        [[[4., 5.]],",
        "",
        "         [[6., 7.]]]])",
    ];
    assert_eq!(text, lines.join("\n"));
}

#[test]
fn long_vectors_are_summarised() {
    let text = text_of(&[1001], "int64", |i| i as f64);
    assert_eq!(text, "tensor([   0,    1,    2,  ...,  998,  999, 1000])");
}

#[test]
fn long_dimensions_are_summarised() {
    let text = text_of(&[7, 2, 100], "int64", |i| i as f64);
    let lines = [
        "tensor([[[   0,    1,    2,  ...,   97,   98,   99],",
        "         [ 100,  101,  102,  ...,  197,  198,  199]],",
        "",
        "        [[ 200,  201,  202,  ...,  297,  298,  299],",
        "         [ 300,  301,  302,  ...,  397,  398,  399]],",
        "",
        "        [[ 400,  401,  402,  ...,  497,  498,  499],",
        "         [ 500,  501,  502,  ...,  597,  598,  599]],",
        "",
        "        ...,",
        "",
        "        [[ 800,  801,  802,  ...,  897,  898,  899],",
        "         [ 900,  901,  902,  ...,  997,  998,  999]],",
        "",
        "        [[1000, 1001, 1002,  ..., 1097, 1098, 1099],",
        "         [1100, 1101, 1102,  ..., 1197, 1198, 1199]],",
        "",
        "        [[1200, 1201, 1202,  ..., 1297, 1298, 1299],",
        "         [1300, 1301, 1302,  ..., 1397, 1398, 1399]]])",
    ];
    assert_eq!(text, lines.join("\n"));
}

#[test]
fn only_shown_elements_decide_the_width() {
    let text = text_of(&[2000], "float32", |i| if i == 500 { 1e20 } else { 1.5 });
    assert_eq!(text, "tensor([1.5000, 1.5000, 1.5000,  ..., 1.5000, 1.5000, 1.5000])");
}

#[test]
fn a_suffix_follows_on_the_last_line_or_its_own() {
    let with_suffix = |n, divisor: f64| {
        let element = |i| Element::Float(f64::from(i as f32 / divisor as f32));
        tensor_text(&[n], "float32", element, Some("requires_grad=True"))
    };
    assert_eq!(with_suffix(2, 1.0), "tensor([0., 1.], requires_grad=True)");
    assert_eq!(
        with_suffix(7, 7.0),
        "tensor([0.0000, 0.1429, 0.2857, 0.4286, 0.5714, 0.7143, 0.8571],\n       requires_grad=True)"
    );
}

#[test]
fn only_shown_elements_are_read() {
    let reads = std::cell::Cell::new(0);
    let element = |_| {
        reads.set(reads.get() + 1);
        Element::Int(0)
    };
    tensor_text(&[1000, 1000], "int64", element, None);
    assert_eq!(reads.get(), 2 * 36, "once to choose the format, once to print");
}
