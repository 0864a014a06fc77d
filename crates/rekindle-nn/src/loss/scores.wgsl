// A sample has `p.lanes` neighbouring threads of a workgroup, a power of two; each sees to every `p.lanes`-th class. All threads of a
// workgroup must call these functions together. `l` is the number of the thread.

var<workgroup> parts: array<f32, 256>;

fn sum_of_lanes(l: u32, value: f32) -> f32 {
    workgroupBarrier();
    parts[l] = value;
    for (var half = p.lanes / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (l % p.lanes < half) { parts[l] += parts[l + half]; }
    }
    workgroupBarrier();
    return parts[l - l % p.lanes];
}

fn greatest_of_lanes(l: u32, value: f32) -> f32 {
    workgroupBarrier();
    parts[l] = value;
    for (var half = p.lanes / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (l % p.lanes < half) { parts[l] = maximum(parts[l], parts[l + half]); }
    }
    workgroupBarrier();
    return parts[l - l % p.lanes];
}

// What is to be subtracted from the `count` scores from `first` on for the logarithms of their softmax: the greatest, then the logarithm of
// the sum of what the exponentials are relative to it. Two numbers, because one would lose digits of large scores.
fn shift(l: u32, first: u32, count: u32) -> vec2<f32> {
    var greatest = -3.4028235e38;
    for (var k = l % p.lanes; k < count; k += p.lanes) { greatest = maximum(greatest, x[first + k * p.inner]); }
    greatest = greatest_of_lanes(l, greatest);
    var sum = 0.0;
    for (var k = l % p.lanes; k < count; k += p.lanes) { sum += exp(x[first + k * p.inner] - greatest); }
    return vec2(greatest, log(sum_of_lanes(l, sum)));
}
