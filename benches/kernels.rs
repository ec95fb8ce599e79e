//! Speed of coding bands of F16 by every kernel that this CPU has, in bytes of input per second beside a memcpy of the
//! same bytes in the same run, on one core: machines differ, ratios less. Then the scalar encoders
//! and decoders of blocks. `ratios` measures in turns.

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use half::f16;
use tritscope::engine::codec::{DType, decoder};
use tritscope::engine::stats::BlockStats;
use tritscope::engine::ternary::kernels::{Kernel, Weights};
use tritscope::engine::ternary::{Coder, CoderWork, Format, Method, encode_block};

#[path = "../tests/support/noise.rs"]
mod noise;

/// Weights of a band: 0.5 MiB of F16, as an export reads it.
const BAND: usize = 1 << 18;
/// Bands that are gone through: 32 MiB, more than a core's caches.
const BANDS: usize = 64;

fn weights() -> Vec<f32> {
    let mut noise = noise::Noise::new(1);
    (0..BAND).map(|_| 0.02 * noise.normal() as f32).collect()
}

fn code(c: &mut Criterion) {
    let band: Vec<[u8; 2]> = weights().iter().map(|w| f16::from_f32(*w).to_le_bytes()).collect();
    let all: Vec<[u8; 2]> = (0..BANDS).flat_map(|_| band.iter().copied()).collect();
    let importance: Vec<f32> = weights()[..256].iter().map(|w| w.abs() + 0.01).collect();
    let mut group = c.benchmark_group("code");
    group.throughput(Throughput::Bytes(2 * all.len() as u64));
    let mut copy = vec![[0u8; 2]; all.len()];
    group.bench_function("memcpy", |b| b.iter(|| copy.copy_from_slice(black_box(&all))));
    let (mut work, mut out) = (CoderWork::default(), vec![0u8; BAND / 64 * 18]);
    let mut run = |name: String, coder: Coder, importance: Option<&[f32]>| {
        let (len, bytes) = (coder.format().block_len(), coder.format().block_bytes());
        group.bench_function(name, |b| {
            b.iter(|| {
                let mut stats = BlockStats::default();
                for band in all.chunks_exact(BAND) {
                    let (mut block, band) = (0, Weights::F16(black_box(band)));
                    while block < BAND / len {
                        let (rest, out) = (band.part(block * len, usize::MAX), &mut out[block * bytes..]);
                        block += if importance.is_some() {
                            let one = rest.part(0, len);
                            coder.code_one(one, importance, &mut work, &mut out[..bytes], &mut stats).map_or(1, |()| 1)
                        } else {
                            coder.code_many(rest, &mut work, out, &mut stats).unwrap_or(1)
                        };
                    }
                    black_box(&out);
                }
                stats
            });
        });
    };
    for kernel in Kernel::available() {
        for method in Method::COMPARED {
            let coder = Coder::new(Format::Tq2_0, method, None).with_kernel(kernel);
            run(format!("{kernel}-{method}"), coder, None);
        }
        let coder = Coder::new(Format::Tq2_0, Method::Exact, None).with_kernel(kernel);
        run(format!("{kernel}-exact-weighted"), coder, Some(&importance));
        for format in [Format::Tq1_0, Format::Q2_0, Format::T158] {
            let coder = Coder::new(format, Method::Absmean, None).with_kernel(kernel);
            run(format!("{kernel}-absmean-{format}"), coder, None);
        }
    }
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
        let scale = f16::from_f32(0.02);
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
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(12).warm_up_time(Duration::from_millis(200)).measurement_time(Duration::from_millis(600));
    targets = code, layouts
}
criterion_main!(benches);
