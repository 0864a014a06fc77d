// Functions that WGSL lacks or leaves imprecise. Compilers may take it that there are no infinities and NaN, so these are
// recognised by their bits.

fn bits_of(x: f32) -> u32 { return bitcast<u32>(x) & 0x7fffffffu; }
fn is_nan(x: f32) -> bool { return bits_of(x) > 0x7f800000u; }
fn is_finite(x: f32) -> bool { return bits_of(x) < 0x7f800000u; }

// NaN wins, as in PyTorch.
fn maximum(a: f32, b: f32) -> f32 { return select(select(b, a, a > b || is_nan(a)), b, is_nan(b)); }
fn minimum(a: f32, b: f32) -> f32 { return select(select(b, a, a < b || is_nan(a)), b, is_nan(b)); }

// A constant expression must be finite.
fn infinity() -> f32 { var bits = 0x7f800000u; return bitcast<f32>(bits); }

// An integer in the order of the floats: -0 as 0, NaN above all.
fn sort_key(x: f32) -> i32 {
    if (is_nan(x)) { return 0x7fffffff; }
    let bits = bitcast<i32>(x);
    return select(bits, select(bits ^ 0x7fffffff, 0, bits_of(x) == 0u), bits < 0);
}

// ln(1 + x): the series of 2 atanh(x / (2 + x)) near 0.
fn log1p(x: f32) -> f32 {
    if (abs(x) > 0.25) { return log(1.0 + x); }
    let s = x / (2.0 + x);
    let q = s * s;
    return 2.0 * s * (1.0 + q * (0.33333333 + q * (0.2 + q * (0.14285715 + q * 0.11111111))));
}

// e^x - 1: Taylor's series near 0.
fn expm1(x: f32) -> f32 {
    if (abs(x) > 0.35) { return exp(x) - 1.0; }
    return x * (1.0 + x * (0.5 + x * (0.16666667 + x * (0.041666668 + x * (0.008333334 + x * (0.0013888889 + x * 0.0001984127))))));
}

fn sigmoid(x: f32) -> f32 {
    // exp of a large number may be no number.
    let e = exp(-abs(x));
    return select(e / (1.0 + e), 1.0 / (1.0 + e), x >= 0.0);
}

fn tanh_(x: f32) -> f32 {
    let e = expm1(-2.0 * abs(x));
    return sign(x) * (-e / (2.0 + e));
}

// ln(sigmoid(x)).
fn log_sigmoid(x: f32) -> f32 { return min(0.0, x) - log1p(exp(-abs(x))); }

// ln(1 + e^x).
fn softplus_(x: f32) -> f32 { return max(0.0, x) + log1p(exp(-abs(x))); }

// The error function: its Taylor series up to 1, beyond it 1 - t exp(-x^2 + P(t)) with t = 1 / (1 + x / 2), whose fraction is
// within 1.2e-7 (W. Press et al., Numerical Recipes, 6.2).
fn erf(x: f32) -> f32 {
    let a = abs(x);
    if (a < 1.0) {
        let q = x * x;
        return 1.1283792 * x * (1.0 + q * (-0.33333333 + q * (0.1 + q * (-0.023809524 + q * (0.0046296297 +
            q * (-0.00075757576 + q * (0.00010683761 + q * (-0.000013227513 + q * 0.0000014589169))))))));
    }
    let t = 1.0 / (1.0 + 0.5 * a);
    let tail = t * exp(-a * a - 1.26551223 + t * (1.00002368 + t * (0.37409196 + t * (0.09678418 + t * (-0.18628806 +
        t * (0.27886807 + t * (-1.13520398 + t * (1.48851587 + t * (-0.82215223 + t * 0.17087277)))))))));
    return sign(x) * (1.0 - tail);
}

// a^b of any sign, as in C.
fn power(a: f32, b: f32) -> f32 {
    if (b == 0.0) { return 1.0; }
    if (b == 1.0) { return a; }
    if (b == 2.0) { return a * a; }
    if (b == 3.0) { return a * a * a; }
    if (b == 0.5) { return sqrt(a); }
    if (b == -1.0) { return 1.0 / a; }
    let whole = b == trunc(b);
    let magnitude = exp2(b * log2(abs(a)));
    if (a >= 0.0) { return magnitude; }
    // Of a negative number only whole powers are real.
    if (!whole) { return bitcast<f32>(0x7fc00000u | (bits_of(a) & 1u)); }
    return select(magnitude, -magnitude, (i32(b) & 1) != 0);
}

// a^n, wrapping around.
fn integer_power(a: i32, n: u32) -> i32 {
    var base = a;
    var result = 1;
    for (var rest = n; rest > 0u; rest >>= 1u) {
        if ((rest & 1u) == 1u) { result *= base; }
        base *= base;
    }
    return result;
}

// The gradient of the tanh form of GELU at x for a gradient g.
fn gelu_tanh_slope(g: f32, x: f32) -> f32 {
    let t = tanh_(0.7978846 * (x + 0.044715 * x * x * x));
    return g * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * 0.7978846 * (1.0 + 0.134145 * x * x));
}
