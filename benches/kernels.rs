//! Speed of coding, encoding and decoding one block after the other, in bytes of f32 (input or output) per second,
//! beside a memcpy in the same run: machines differ, ratios less.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use tritscope::engine::codec::{DType, decoder};
use tritscope::engine::stats::ErrorSums;
use tritscope::engine::ternary::{Format, Method, Scratch, code_block, encode_block};

#[path = "../tests/support/noise.rs"]
mod noise;

/// Blocks of 256 weights: 1 MiB of f32, which L2 holds in part.
const BLOCKS: usize = 1024;

fn weights() -> Vec<f32> {
    let mut noise = noise::Noise::new(1);
    (0..BLOCKS * 256).map(|_| 0.02 * noise.normal() as f32).collect()
}

fn code(c: &mut Criterion) {
    let weights = weights();
    let importance: Vec<f32> = weights.iter().map(|w| w.abs() + 0.01).collect();
    let mut group = c.benchmark_group("code");
    group.throughput(Throughput::Bytes(4 * weights.len() as u64));
    let mut copy = vec![0.0f32; weights.len()];
    group.bench_function("memcpy", |b| b.iter(|| copy.copy_from_slice(black_box(&weights))));
    let (mut trits, mut scratch) = ([0i8; 256], Scratch::default());
    let mut run = |name: &str, method: Method, importance: Option<&[f32]>| {
        group.bench_function(name, |b| {
            b.iter(|| {
                for (i, w) in weights.chunks_exact(256).enumerate() {
                    let importance = importance.map(|v| &v[256 * i..][..256]);
                    black_box(code_block(method, black_box(w), importance, &mut trits, &mut scratch)).ok();
                    black_box(&trits);
                }
            });
        });
    };
    for method in Method::COMPARED {
        run(method.name(), method, None);
    }
    run("exact-weighted", Method::Exact, Some(&importance));
    group.finish();
}

fn layouts(c: &mut Criterion) {
    let weights = weights();
    let mut group = c.benchmark_group("layout");
    group.throughput(Throughput::Bytes(4 * weights.len() as u64));
    let mut copy = vec![0.0f32; weights.len()];
    group.bench_function("memcpy", |b| b.iter(|| copy.copy_from_slice(black_box(&weights))));
    for format in Format::ALL {
        let trits: Vec<i8> = weights.iter().map(|w| i8::from(*w > 0.01) - i8::from(*w < -0.01)).collect();
        let mut packed = vec![0u8; trits.len() / format.block_len() * format.block_bytes()];
        let scale = half::f16::from_f32(0.02);
        group.bench_function(format!("encode-{format}"), |b| {
            b.iter(|| {
                let blocks = trits.chunks_exact(format.block_len()).zip(packed.chunks_exact_mut(format.block_bytes()));
                blocks.for_each(|(t, out)| encode_block(format, scale, black_box(t), out));
                black_box(&packed);
            });
        });
    }
    let types = [DType::F16, DType::BF16, DType::Q4_0, DType::Q8_0, DType::Q4_K, DType::Q6_K];
    for dtype in types.into_iter().chain(Format::ALL.map(Format::dtype)) {
        let (Some(decode), Some(bytes)) = (decoder(dtype), dtype.bytes_for(weights.len() as u64)) else { continue };
        let packed = vec![0x35u8; bytes as usize];
        group.bench_function(format!("decode-{dtype}"), |b| {
            b.iter(|| decode.decode_blocks(black_box(&packed), black_box(&mut copy)));
        });
    }
    let trits = vec![1i8; weights.len()];
    group.bench_function("error-sums", |b| {
        b.iter(|| {
            let mut sums = ErrorSums::default();
            let blocks = weights.chunks_exact(256).zip(trits.chunks_exact(256));
            blocks.for_each(|(w, t)| sums.add_block(black_box(w), 0.02, black_box(t)));
            black_box(sums)
        });
    });
    group.finish();
}

criterion_group!(benches, code, layouts);
criterion_main!(benches);
