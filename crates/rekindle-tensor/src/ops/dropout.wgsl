// Masks of PyTorch's CUDA generator: Philox4x32-10 at the counter (offset / 4 + call, thread). A word w is the number
// w / 2^32 + 1 / 2^33; `keep` is the first whose number is too large.

// The low and the high word of a product.
fn wide(a: u32, b: u32) -> vec2<u32> {
    let al = a & 0xffffu; let ah = a >> 16u;
    let bl = b & 0xffffu; let bh = b >> 16u;
    let low = al * bl;
    let middle = ah * bl + (low >> 16u);
    let cross = al * bh + (middle & 0xffffu);
    return vec2(a * b, ah * bh + (middle >> 16u) + (cross >> 16u));
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        let a = wide(0xD2511F53u, c.x);
        let b = wide(0xCD9E8D57u, c.z);
        c = vec4(b.y ^ c.y ^ k.x, b.x, a.y ^ c.w ^ k.y, a.x);
        k += vec2(0x9E3779B9u, 0xBB67AE85u);
    }
    return c;
}

fn together(number: u32, l: u32) {
    let id = number * 256u + l;
    let thread = id % p.threads;
    let call = id / p.threads;
    // Elements of a thread, how far its first lies from the next thread's, and how far they lie from one another.
    let numbers = select(p.width, 4u, p.width == 1u);
    let apart = select(1u, p.threads, p.width == 1u);
    let first = call * numbers * p.threads + thread * p.width;
    if (first >= p.n) { return; }
    let low = p.c0 + call;
    let words = philox(vec4(low, p.c1 + select(0u, 1u, low < p.c0), thread, 0u), vec2(p.k0, p.k1));
    for (var i = 0u; i < numbers; i++) {
        let at = first + i * apart;
        if (at < p.n) { mask[at] = select(0u, 1u, words[i] < p.keep); }
    }
}
