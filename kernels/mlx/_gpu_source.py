"""Source of the hand-written kernels: C-like bodies for Metal, CUDA and (in tests) g++.

A body may use the macros POPC and CTZ (of a 32-bit word), GX and GY (the position of the thread in
the grid) and LONG (a 64-bit integer). It declares no pointers, because Metal puts inputs of fewer
than 8 elements into another address space; it uses no recursion; and it checks the bounds, because
CUDA starts threads beyond the grid.
"""

from __future__ import annotations

METAL_HEADER = """
#define POPC(v) ((int)metal::popcount((uint)(v)))
#define CTZ(v) ((int)metal::ctz((uint)(v)))
#define GX thread_position_in_grid.x
#define GY thread_position_in_grid.y
#define LONG long
"""

# MLX adds an attribute to the signature if its name is in the source, not in the header.
METAL_PRELUDE = "// thread_position_in_grid\n"

CUDA_HEADER = """
#define POPC(v) __popc(v)
#define CTZ(v) (__ffs((int)(v)) - 1)
#define GX (blockIdx.x * blockDim.x + threadIdx.x)
#define GY (blockIdx.y * blockDim.y + threadIdx.y)
#define LONG long long
"""

ADAPTIVE_INPUTS = ["xp", "yp", "log_width", "n_log_n", "dims"]
ADAPTIVE_DIMS = 16

# One thread is one pair: gene x, regulator y of the grid. xp and yp are bit planes, levels x words
# x rows. The sixteen counts of depth 2 come from nine popcounts per word; cells to be divided
# further are bits of a mask for each depth, visited depth first. The points of a cell are found
# from its nodes, whose binary digits are its path, so only those masks are stored.
ADAPTIVE_BODY = """
    const int R = dims[0], G = dims[1], W = dims[2], D = dims[3], min_count = dims[4];
    const int first = dims[5], many = dims[6];
    const unsigned int last_word = (unsigned int)dims[7];
    const int samples = dims[8];
    const int g = (int)(GX);
    if (g >= G || (int)(GY) >= many) { return; }
    const int r = first + (int)(GY);

    int n33 = 0, n32 = 0, n31 = 0, n23 = 0, n22 = 0, n21 = 0, n13 = 0, n12 = 0, n11 = 0;
    for (int w = 0; w < W; ++w) {
        const unsigned int xa = xp[(LONG)w * R + r], ya = yp[(LONG)w * G + g];
        const unsigned int xb = D > 1 ? xp[(LONG)(W + w) * R + r] : 0u;
        const unsigned int yb = D > 1 ? yp[(LONG)(W + w) * G + g] : 0u;
        const unsigned int x3 = xa & xb, x2 = xa & ~xb, x1 = ~xa & xb;
        const unsigned int y3 = ya & yb, y2 = ya & ~yb, y1 = ~ya & yb;
        n33 += POPC(x3 & y3); n32 += POPC(x3 & y2); n31 += POPC(x3 & y1);
        n23 += POPC(x2 & y3); n22 += POPC(x2 & y2); n21 += POPC(x2 & y1);
        n13 += POPC(x1 & y3); n12 += POPC(x1 & y2); n11 += POPC(x1 & y1);
    }
    const int m0 = dims[9], m1 = dims[10], m2 = dims[11], m3 = dims[12];
    const int n30 = m3 - n33 - n32 - n31, n20 = m2 - n23 - n22 - n21, n10 = m1 - n13 - n12 - n11;
    const int n03 = m3 - n33 - n23 - n13, n02 = m2 - n32 - n22 - n12, n01 = m1 - n31 - n21 - n11;
    const int n00 = m0 - n30 - n20 - n10;

    LONG total = n_log_n[samples];
    int todo[32];          // todo[d]: which quarters at depth d, of the cell above, are to be cut
    int x_node = 1, y_node = 1, depth = 0, cut_x = 1, cut_y = 1;
    int h0 = n00, h1 = n01, h2 = n02, h3 = n03, h4 = n10, h5 = n11, h6 = n12, h7 = n13;
    int h8 = n20, h9 = n21, ha = n22, hb = n23, hc = n30, hd = n31, he = n32, hf = n33;
    // The counts h are those of the sixteen grandchildren of the cell (cut_x, cut_y) at `depth`:
    // quarter 2 x + y has the four of its own quarters in the rows 2 x, 2 x + 1 of the table.
    for (;;) {
        int cuts = 0;
        for (int k = 0; k < 4; ++k) {
            const int a = k == 0 ? h0 : (k == 1 ? h2 : (k == 2 ? h8 : ha));
            const int b = k == 0 ? h1 : (k == 1 ? h3 : (k == 2 ? h9 : hb));
            const int c = k == 0 ? h4 : (k == 1 ? h6 : (k == 2 ? hc : he));
            const int d = k == 0 ? h5 : (k == 1 ? h7 : (k == 2 ? hd : hf));
            const LONG n = (LONG)a + b + c + d;
            const LONG excess = 4 * ((LONG)a * a + (LONG)b * b + (LONG)c * c + (LONG)d * d) - n * n;
            const LONG limited = excess < 8 * n ? excess : 8 * n;
            if (depth + 1 < D && n >= min_count && 200 * limited > 1563 * n) {
                cuts |= 1 << k;
            } else {
                total += n_log_n[n]
                    - n * (log_width[2 * cut_x + (k >> 1)] + log_width[2 * cut_y + (k & 1)]);
            }
        }
        if (cuts) {
            depth += 1;
            todo[depth] = cuts;
            x_node = cut_x;
            y_node = cut_y;
        }
        while (depth > 0 && todo[depth] == 0) {
            depth -= 1;
            x_node >>= 1;
            y_node >>= 1;
        }
        if (depth == 0) { break; }
        const int next = CTZ(todo[depth]);
        todo[depth] &= todo[depth] - 1;
        cut_x = 2 * x_node + (next >> 1);
        cut_y = 2 * y_node + (next & 1);
        h0 = h1 = h2 = h3 = h4 = h5 = h6 = h7 = h8 = h9 = ha = hb = hc = hd = he = hf = 0;
        for (int w = 0; w < W; ++w) {
            unsigned int m = w == W - 1 ? last_word : 0xFFFFFFFFu;
            for (int k = 0; k < depth; ++k) {
                const unsigned int flip_x = ((cut_x >> (depth - 1 - k)) & 1) ? 0u : 0xFFFFFFFFu;
                const unsigned int flip_y = ((cut_y >> (depth - 1 - k)) & 1) ? 0u : 0xFFFFFFFFu;
                m &= (xp[((LONG)k * W + w) * R + r] ^ flip_x)
                   & (yp[((LONG)k * W + w) * G + g] ^ flip_y);
            }
            if (m == 0u) { continue; }
            const unsigned int xa = xp[((LONG)depth * W + w) * R + r];
            const unsigned int ya = yp[((LONG)depth * W + w) * G + g];
            unsigned int xb = 0u, yb = 0u;
            if (depth + 1 < D) {
                xb = xp[((LONG)(depth + 1) * W + w) * R + r];
                yb = yp[((LONG)(depth + 1) * W + w) * G + g];
            }
            unsigned int q = m & ~xa & ~ya;
            int both = POPC(q & xb & yb), x_only = POPC(q & xb), y_only = POPC(q & yb);
            h5 += both; h4 += x_only - both; h1 += y_only - both;
            h0 += POPC(q) - x_only - y_only + both;
            q = m & ~xa & ya;
            both = POPC(q & xb & yb); x_only = POPC(q & xb); y_only = POPC(q & yb);
            h7 += both; h6 += x_only - both; h3 += y_only - both;
            h2 += POPC(q) - x_only - y_only + both;
            q = m & xa & ~ya;
            both = POPC(q & xb & yb); x_only = POPC(q & xb); y_only = POPC(q & yb);
            hd += both; hc += x_only - both; h9 += y_only - both;
            h8 += POPC(q) - x_only - y_only + both;
            q = m & xa & ya;
            both = POPC(q & xb & yb); x_only = POPC(q & xb); y_only = POPC(q & yb);
            hf += both; he += x_only - both; hb += y_only - both;
            ha += POPC(q) - x_only - y_only + both;
        }
    }
    out[(LONG)(GY) * G + g] = total;
"""

PACK_INPUTS = ["ranks", "paths", "dims"]

# One thread is one row and one word of a plane: a bit of the path of the ranks of 32 samples.
PACK_BODY = """
    const int rows = dims[0], samples = dims[1], levels = dims[2], W = dims[3];
    const int row = (int)(GX);
    if (row >= rows || (int)(GY) >= levels * W) { return; }
    const int depth = (int)(GY) / W, word = (int)(GY) % W;
    const int until = 32 * word + 32 < samples ? 32 * word + 32 : samples;
    unsigned int bits = 0u;
    for (int k = 32 * word; k < until; ++k) {
        const unsigned int path = paths[ranks[(LONG)row * samples + k]];
        bits |= ((path >> depth) & 1u) << (k - 32 * word);
    }
    out[(LONG)(GY) * rows + row] = bits;
"""

MAX_MIN_INPUTS = ["between", "network", "dims"]
MAX_MIN_DIMS = 8
MAX_MIN_ROWS = 8

# One thread is one gene and eight rows: max over regulators j of min(between[i, j], network[j, g]).
MAX_MIN_BODY = """
    const int rows = dims[0], J = dims[1], G = dims[2], first = dims[3], many = dims[4];
    const int g = (int)(GX), i0 = first + 8 * (int)(GY);
    if (g >= G || 8 * (int)(GY) >= many) { return; }
    LONG best[8] = {0, 0, 0, 0, 0, 0, 0, 0};
    for (int j = 0; j < J; ++j) {
        const LONG b = network[(LONG)j * G + g];
        for (int t = 0; t < 8; ++t) {
            const int i = i0 + t < rows ? i0 + t : rows - 1;
            const LONG a = between[(LONG)i * J + j];
            const LONG leg = a < b ? a : b;
            best[t] = leg > best[t] ? leg : best[t];
        }
    }
    for (int t = 0; t < 8; ++t) {
        if (8 * (int)(GY) + t < many) { out[(LONG)(8 * (int)(GY) + t) * G + g] = best[t]; }
    }
"""

COPULA_INPUTS = ["first", "second", "third", "x_terms", "y_terms", "own", "starts", "dims", "real"]
COPULA_DIMS = 8
COPULA_GENES = 64

# One thread is one row and 64 genes; products are genes x rows, so that neighbouring threads read
# neighbouring numbers. Without room (dims[3] = 0) it counts the pairs that may reach the limit;
# else it writes them from its start, as far as there is room. Terms: mean and sqrt(n / spread) of
# each score.
COPULA_BODY = """
    const int R = dims[0], G = dims[1], degree = dims[2];
    const LONG room = dims[3];
    const int r = (int)(GX), block = (int)(GY);
    const int from = block * 64;
    if (r >= R || from >= G) { return; }
    const int until = from + 64 < G ? from + 64 : G;
    const float n = real[0], limit = real[1], rounding = real[2];
    const float mean1 = x_terms[r] * n, scale1 = x_terms[R + r];
    const float mean2 = degree == 2 ? x_terms[2 * R + r] * n : 0.0f;
    const float scale2 = degree == 2 ? x_terms[3 * R + r] : 0.0f;
    const int self = (int)own[r];
    const int blocks = (G + 63) / 64;
    const int width = degree == 2 ? 5 : 3;
    LONG place = room > 0 ? starts[(LONG)r * blocks + block] : 0;
    int count = 0;
    for (int g = from; g < until; ++g) {
        const LONG at = (LONG)g * R + r;
        const float y1 = y_terms[g], s1 = y_terms[G + g];
        const float t = mean1 * y1;
        const float d = (float)first[at] - t;
        const float a = ((d < 0 ? -d : d) + rounding * (t < 0 ? -t : t)) * scale1 * s1;
        float share = a * a;
        if (degree == 2) {
            const float y2 = y_terms[2 * G + g], s2 = y_terms[3 * G + g];
            const float u = mean2 * y1, v = mean1 * y2;
            const float e = (float)second[at] - u, f = (float)third[at] - v;
            const float b = ((e < 0 ? -e : e) + rounding * (u < 0 ? -u : u)) * scale2 * s1;
            const float c = ((f < 0 ? -f : f) + rounding * (v < 0 ? -v : v)) * scale1 * s2;
            share += b * b > c * c ? b * b : c * c;
        }
        if (share >= limit && g != self) {
            if (place < room) {
                out[width * place] = r;
                out[width * place + 1] = g;
                out[width * place + 2] = (LONG)first[at];
                if (degree == 2) {
                    out[width * place + 3] = (LONG)second[at];
                    out[width * place + 4] = (LONG)third[at];
                }
                place += 1;
            }
            count += 1;
        }
    }
    if (room == 0) { out[(LONG)r * blocks + block] = count; }
"""

LIMIT_INPUTS = ["mi", "starts", "dims", "limit"]
LIMIT_GENES = 64

# One thread is one row and 64 genes. Without room (dims[2] = 0) it counts the pairs that reach the
# limit; else it writes their positions and values from its start, as far as there is room.
LIMIT_BODY = """
    const int R = dims[0], G = dims[1];
    const LONG room = dims[2], least = limit[0];
    const int r = (int)(GY), block = (int)(GX);
    const int from = block * 64;
    if (r >= R || from >= G) { return; }
    const int until = from + 64 < G ? from + 64 : G;
    const LONG thread = (LONG)r * ((G + 63) / 64) + block;
    LONG place = room > 0 ? starts[thread] : 0;
    LONG count = 0;
    for (int g = from; g < until; ++g) {
        const LONG value = mi[(LONG)r * G + g];
        if (value >= least) {
            if (place < room) {
                out[2 * place] = (LONG)r * G + g;
                out[2 * place + 1] = value;
                place += 1;
            }
            count += 1;
        }
    }
    if (room == 0) { out[thread] = count; }
"""

PAIR_INPUTS = ["x", "y", "row", "gene", "dims"]
PAIR_LANES = 32

# 32 neighbouring threads are one pair and read neighbouring samples; their sums are added later.
PAIR_BODY = """
    const int pairs = dims[0], terms = dims[1], samples = dims[2], term = dims[3], many = dims[4];
    const int pair = (int)(GX / 32), lane = (int)(GX % 32);
    if (pair >= pairs || (int)(GY) > 0) { return; }
    const LONG i = ((LONG)row[pair] * terms + term) * samples;
    const LONG g = ((LONG)gene[pair] * terms + term) * samples;
    LONG plain = 0, of_x = 0, of_y = 0;
    for (int k = lane; k < samples; k += 32) {
        const int a = x[i + k], b = y[g + k];
        plain += a * b;
        if (many > 1) {
            of_x += (int)x[i + samples + k] * b;
            of_y += (int)y[g + samples + k] * a;
        }
    }
    out[(LONG)pair * 32 + lane] = plain;
    if (many > 1) {
        out[((LONG)pairs + pair) * 32 + lane] = of_x;
        out[((LONG)2 * pairs + pair) * 32 + lane] = of_y;
    }
"""

PRUNE_INPUTS = ["row", "gene", "mi", "asked", "row_regulator", "row_mi", "row_start",
                "gene_regulator", "gene_mi", "gene_start", "dims", "fraction"]  # fmt: skip
PRUNE_DIMS = 8

# One thread is one edge: it visits the regulators of its gene until one explains it. The third edge
# of the triangle is found by bisection among the regulators of its row.
PRUNE_BODY = """
    const int k = (int)(GX);
    if (k >= dims[0] || (int)(GY) > 0) { return; }
    const int edge = (int)asked[k];
    const LONG own = mi[edge], kept = fraction[0];
    const int i = row[edge], g = gene[edge];
    int stays = 1;
    for (int p = gene_start[g]; p < gene_start[g + 1] && stays; ++p) {
        const LONG strength = gene_mi[p];
        if (strength <= own) { continue; }
        const int j = gene_regulator[p];
        int low = row_start[i], high = row_start[i + 1];
        while (low < high) {
            const int middle = (low + high) / 2;
            if (row_regulator[middle] < j) { low = middle + 1; } else { high = middle; }
        }
        const LONG leg = low < row_start[i + 1] && row_regulator[low] == j ? row_mi[low] : 0;
        if (leg > own) {
            const LONG weaker = leg < strength ? leg : strength;
            const LONG part = (weaker & 1073741823) * kept + 1073741823;
            const LONG bound = (weaker >> 30) * kept + (part >> 30);
            if (own < bound) { stays = 0; }
        }
    }
    out[k] = stays;
"""
