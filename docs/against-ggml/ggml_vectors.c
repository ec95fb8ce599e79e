// Writes random blocks of every type that ggml can dequantize, and what ggml makes of them.
//
// usage: ggml_vectors DIR BLOCKS SEED...
// For each type and seed: DIR/NAME.SEED.q (the blocks) and DIR/NAME.SEED.f32 (ggml's floats, in the machine's order,
// which must be little-endian). Every eighth block is one byte value over and over, so that indices, scales and
// exponents with all bits clear or set occur; with 512 blocks a seed, seeds 0 to 3 go through all 256 values. The block
// after it is made of a half float that is special (infinite, NaN, zero, subnormal, largest).
//
// Three layouts that ggml cannot dequantize are handed to it as one that it can, block by block:
//   q8_1 and q2_0_g128 without their extra fields or cut in two, t158 as four blocks of q2_0 (its reserved code 3,
//   which q2_0 gives a meaning, is replaced by 0 beforehand).
// q8_K has a function but no entry in ggml's table of types.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ggml.h"

// From ggml-quants.h, whose blocks are opaque here.
void dequantize_row_q8_K(const void *x, float *y, int64_t k);

static uint64_t state;

// splitmix64
static uint64_t next(void) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

// Infinities, NaN, zeros, smallest and largest subnormals, largest values, one.
static const uint16_t halves[] = {
    0x7c00, 0xfc00, 0x7e00, 0xfd01, 0x0000, 0x8000, 0x0001, 0x8001, 0x03ff, 0x83ff, 0x0400, 0x7bff, 0xfbff, 0x3c00,
};

static void fill(uint8_t *bytes, size_t blocks, size_t block_bytes, uint64_t seed, uint64_t type) {
    state = seed * 1000003 + type;
    for (size_t i = 0; i < blocks; i++) {
        for (size_t j = 0; j < block_bytes; j++) {
            bytes[i * block_bytes + j] = (uint8_t)(next() >> 32);
        }
        uint8_t *block = bytes + i * block_bytes;
        if (i % 8 == 0) {
            memset(block, (int)((i / 8 + 64 * seed) & 255), block_bytes);
        } else if (i % 8 == 1) {
            // A half at every even place, so that the scale is it; every other pair of the rest stays random.
            uint16_t half = halves[(i / 8) % (sizeof halves / sizeof *halves)];
            for (size_t j = 0; j + 1 < block_bytes; j += j < 4 ? 2 : 4) memcpy(block + j, &half, 2);
            memcpy(block + block_bytes - 2, &half, block_bytes < 2 ? 0 : 2);
        }
    }
}

static void save(const char *dir, const char *name, const char *seed, const char *end, const void *data, size_t n) {
    char path[4096];
    snprintf(path, sizeof path, "%s/%s.%s.%s", dir, name, seed, end);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(data, 1, n, f) != n || fclose(f)) {
        perror(path);
        exit(1);
    }
}

static ggml_to_float_t q8_0, q2_0;

static void q8_1(const uint8_t *b, float *y) {
    uint8_t as[34];
    memcpy(as, b, 2);
    memcpy(as + 2, b + 4, 32);
    q8_0(as, y, 32);
}

static void q8_k(const uint8_t *b, float *y) {
    dequantize_row_q8_K(b, y, 256);
}

// Blocks of 64 codes at `qs` that share the scale at `d`.
static void as_q2_0(const uint8_t *d, const uint8_t *qs, int blocks, float *y) {
    for (int i = 0; i < blocks; i++) {
        uint8_t as[18];
        memcpy(as, d, 2);
        memcpy(as + 2, qs + 16 * i, 16);
        q2_0(as, y + 64 * i, 64);
    }
}

static void q2_0_g128(const uint8_t *b, float *y) {
    as_q2_0(b, b + 2, 2, y);
}

static void t158(const uint8_t *b, float *y) {
    as_q2_0(b + 64, b, 4, y);
}

static void no_code_three(uint8_t *b) {
    for (int i = 0; i < 64; i++) {
        uint8_t both = b[i] & (b[i] >> 1) & 0x55;
        b[i] &= (uint8_t)~(both | both << 1);
    }
}

struct other {
    const char *name;
    size_t len, bytes;
    void (*decode)(const uint8_t *, float *);
    void (*before)(uint8_t *);
};

static const struct other others[] = {
    {"q8_1", 32, 36, q8_1, NULL},
    {"q8_K", 256, 292, q8_k, NULL},
    {"q2_0_g128", 128, 34, q2_0_g128, NULL},
    {"t158", 256, 66, t158, no_code_three},
};

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: %s DIR BLOCKS SEED...\n", argv[0]);
        return 2;
    }
    size_t blocks = strtoul(argv[2], NULL, 10);
    // ggml fills its tables of halves when a context is first made.
    struct ggml_init_params params = {.mem_size = 1 << 16, .mem_buffer = NULL, .no_alloc = true};
    struct ggml_context *context = ggml_init(params);
    if (!context) return 1;
    q8_0 = ggml_get_type_traits(GGML_TYPE_Q8_0)->to_float;
    q2_0 = ggml_get_type_traits(GGML_TYPE_Q2_0)->to_float;

    // F16 and BF16 have blocks of one element: as many elements as a super-block type gets.
    uint8_t *q = malloc(blocks * 1024);
    float *y = malloc(blocks * 1024);
    if (!q || !y) return 1;
    for (int s = 3; s < argc; s++) {
        uint64_t seed = strtoull(argv[s], NULL, 10);
        for (int t = 0; t < GGML_TYPE_COUNT; t++) {
            const struct ggml_type_traits *traits = ggml_get_type_traits(t);
            if (!traits->to_float) continue;
            size_t len = (size_t)traits->blck_size, size = traits->type_size;
            size_t n = len == 1 ? blocks * 256 : blocks;
            fill(q, n, size, seed, (uint64_t)t);
            traits->to_float(q, y, (int64_t)(n * len));
            save(argv[1], traits->type_name, argv[s], "q", q, n * size);
            save(argv[1], traits->type_name, argv[s], "f32", y, n * len * 4);
        }
        for (size_t t = 0; t < sizeof others / sizeof *others; t++) {
            const struct other *o = &others[t];
            fill(q, blocks, o->bytes, seed, 1000 + t);
            for (size_t i = 0; i < blocks; i++) {
                if (o->before) o->before(q + i * o->bytes);
                o->decode(q + i * o->bytes, y + i * o->len);
            }
            save(argv[1], o->name, argv[s], "q", q, blocks * o->bytes);
            save(argv[1], o->name, argv[s], "f32", y, blocks * o->len * 4);
        }
    }
    ggml_free(context);
    return 0;
}
