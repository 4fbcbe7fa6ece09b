"""Source of the hand-written kernels: C-like bodies for Metal, CUDA and (in tests) g++.

A body may use the macros POPC and CTZ (of a 32-bit word), GX and GY (the position of the thread in
the grid), LONG (a 64-bit integer), FLOOR and RINT, and ADD, SUB and MUL: operations of float32 that
are rounded one by one, where a compiler could fuse a product and a sum. It declares no pointers,
because Metal puts inputs of fewer than 8 elements into another address space; it uses no recursion;
and it checks the bounds, because CUDA starts threads beyond the grid.
"""

from __future__ import annotations

METAL_HEADER = """
#define POPC(v) ((int)metal::popcount((uint)(v)))
#define CTZ(v) ((int)metal::ctz((uint)(v)))
#define GX thread_position_in_grid.x
#define GY thread_position_in_grid.y
#define LONG long
#pragma METAL fp contract(off)
#define ADD(a, b) ((a) + (b))
#define SUB(a, b) ((a) - (b))
#define MUL(a, b) ((a) * (b))
#define FLOOR(v) metal::floor(v)
#define RINT(v) metal::rint(v)
"""

# MLX adds an attribute to the signature if its name is in the source, not in the header.
METAL_PRELUDE = "// thread_position_in_grid\n"

CUDA_HEADER = """
#define POPC(v) __popc(v)
#define CTZ(v) (__ffs((int)(v)) - 1)
#define GX (blockIdx.x * blockDim.x + threadIdx.x)
#define GY (blockIdx.y * blockDim.y + threadIdx.y)
#define LONG long long
#define ADD(a, b) __fadd_rn(a, b)
#define SUB(a, b) __fsub_rn(a, b)
#define MUL(a, b) __fmul_rn(a, b)
#define FLOOR(v) floorf(v)
#define RINT(v) rintf(v)
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

EXCESS_INPUTS = ["start", "stop", "depth", "batch", "gene", "count", "direct", "level", "size",
                 "terms", "dims"]  # fmt: skip
CELL_LANES = 128

# 128 neighbouring threads are one cell and read neighbouring counts. The excess of a count is
# written to [genes cells], which is 0 elsewhere. Values are computed in the order: of the count, of
# the count 0, and of 0 at both steps of the depth; the latter only where they are needed.
EXCESS_BODY = """
    const int C = dims[0], G = dims[1], first = dims[2], pieces = dims[3], counts = dims[4];
    const LONG limit = dims[5], scale = limit > 1 ? limit : 1;
    const int lane = (int)(GX), row = (int)(GY);
    if (lane >= 128 || row >= C) { return; }
    const int cell = first + row;
    const LONG last = ((LONG)pieces << 20) - 1;
    const LONG shift = depth[cell], part = shift & 32767;
    const LONG levels = (LONG)batch[cell] * G, stop_at = stop[cell];
    for (LONG at = start[cell] + lane; at < stop_at; at += 128) {
        const int g = gene[at], y = count[at];
        if (g < 0 || y == 0) { continue; }
        const int base = level[levels + g];
        if (base == -2147483647 - 1) { continue; }
        const LONG place = base + shift, s = size[g], u = (s & 1048575) - 524288;
        LONG score = 0, zero = 0, both = 0;
        for (int k = y < 0 ? 1 : 0; k < 4; ++k) {
            LONG p = place - (k > 1 ? part : 0) + (k == 3 ? 32768 : 0);
            p = p < 0 ? 0 : (p > last ? last : p);
            const LONG c = (((s >> 20) * pieces + (p >> 20)) * counts + (k == 0 ? y : 0)) * 16;
            const LONG t = (p & 1048575) - 524288;
            LONG value = 0;
            for (int i = 12; i >= 0; i -= 4) {
                LONG term = terms[c + i + 3];
                for (int j = i + 2; j >= i; --j) { term = ((term * u) >> 20) + terms[c + j]; }
                value = ((value * t) >> 20) + term;
            }
            value = (value + 2) >> 2;
            if (k == 0) {
                score = value;
                if (terms[c + 15] & 1) { break; }
                score = score < -limit ? -limit : (score > limit ? limit : score);
                continue;
            }
            LONG x = -limit - value;
            x = x < 0 ? 0 : (x > limit ? limit : x);
            x = (x << 20) / scale;
            const LONG square = (x * x) >> 20;
            const LONG bend =
                (limit * (x - ((x * square) >> 20) + ((square * square) >> 21))) >> 20;
            if (k == 1) {
                zero = value;
                if (zero >= -limit + 524288) { break; }
                zero = (zero < -limit ? -limit : zero) - bend;
            } else {
                both += bend * (k == 2 ? 32768 - part : part);
            }
        }
        if (y < 0) { score = direct[-(y + 1)]; }
        out[(LONG)g * C + row] = (int)(score - zero - (both >> 15));
    }
"""

WEIGHTED_INPUTS = ["values", "ends", "target", "weight", "dims"]

# One thread is one cell and one regulon; values are genes x cells, so that neighbouring threads
# read neighbouring numbers.
WEIGHTED_BODY = """
    const int C = dims[0], R = dims[1];
    const int cell = (int)(GX), r = (int)(GY);
    if (cell >= C || r >= R) { return; }
    LONG sum = 0;
    const LONG stop = ends[r + 1];
    for (LONG e = ends[r]; e < stop; ++e) {
        sum += (LONG)weight[e] * values[(LONG)target[e] * C + cell];
    }
    out[(LONG)cell * R + r] = sum;
"""

# Number of the sorted values array[from], ..., array[from + size - 1] that are below a limit.
BELOW = """
#define BELOW(found, array, from, size, limit) { \\
    int low_ = 0, high_ = (size); \\
    while (low_ < high_) { \\
        const int middle_ = (low_ + high_) / 2; \\
        if (array[(from) + middle_] < (limit)) { low_ = middle_ + 1; } else { high_ = middle_; } \\
    } \\
    found = low_; }
"""

STORED_INPUTS = ["start", "stop", "gene", "key", "place", "dims"]

# One thread is one cell and one of L columns: the key (dims[3] = 0) or the place (1) of a stored
# value; the largest integer in other columns.
STORED_BODY = """
    const int C = dims[0], L = dims[1], first = dims[2];
    const int lane = (int)(GX), row = (int)(GY);
    if (lane >= L || row >= C) { return; }
    const LONG at = start[first + row] + lane;
    const int g = at < stop[first + row] ? gene[at] : -1;
    const LONG none = dims[3] ? 0x7FFFFFFF : 0x7FFFFFFFFFFFFFFF;
    out[(LONG)row * L + lane] = g < 0 ? none : (dims[3] ? (LONG)place[g] : (LONG)key[at]);
"""

STORED_RANKS_INPUTS = ["keys", "places", "zero", "start", "stop", "gene", "key", "place", "dims"]

# 128 neighbouring threads are one cell and read neighbouring stored values. Twice the rank of each
# goes to [places cells]: by the cell's sorted keys, and by the keys of other genes (`zero`) less
# those of the genes that are stored. dims[6]: every gene is stored, at its own place.
STORED_RANKS_BODY = """
    const int C = dims[0], G = dims[1], L = dims[2], M = dims[3], first = dims[4];
    const int present = dims[5], every = dims[6];
    const int lane = (int)(GX), row = (int)(GY);
    if (lane >= 128 || row >= C) { return; }
    const LONG begin = every ? (LONG)(first + row) * G : start[first + row];
    const int many = every ? G : (int)(stop[first + row] - begin);
    for (int i = lane; i < many; i += 128) {
        const int g = every ? i : gene[begin + i];
        if (g < 0) { continue; }
        const LONG own = key[begin + i];
        int rank = 0;
        if (own != 0x7FFFFFFFFFFFFFFF) {
            int below, upto, from, until, gone = 0, left = 0;
            BELOW(below, keys, (LONG)row * L, L, own)
            BELOW(upto, keys, (LONG)row * L, L, own + 1)
            BELOW(from, zero, 0, present, own)
            BELOW(until, zero, 0, present, own + 1)
            BELOW(gone, places, (LONG)row * M, M, from)
            if (until > from) { BELOW(left, places, (LONG)row * M, M, until) } else { left = gone; }
            rank = below + upto + from + until - gone - left + 1;
        }
        out[(LONG)(every ? g : place[g]) * C + row] = rank;
    }
"""

RANKS_INPUTS = ["keys", "places", "zero", "first", "last", "stored", "dims"]
RANKS_PLACES = 64

# One thread is one cell and 64 places in the order of `zero`, whose ties are first ... last - 1.
# Stored values have their rank already.
RANKS_BODY = """
    const int C = dims[0], G = dims[1], L = dims[2], present = dims[3];
    const int row = (int)(GX), begin = 64 * (int)(GY);
    if (row >= C || begin >= G) { return; }
    const int end = begin + 64 < G ? begin + 64 : G;
    const LONG from = (LONG)row * L;
    int next, below = -1, upto = 0, rank = 0, tie = -1;
    BELOW(next, places, from, L, begin)
    for (int p = begin; p < end; ++p) {
        const LONG to = (LONG)p * C + row;
        if (next < L && places[from + next] == p) {
            next += 1;
            out[to] = stored[to];
        } else if (p >= present) {
            out[to] = 0;
        } else {
            if (p >= tie) {
                const LONG key = zero[p];
                const int start = first[p];
                int gone = next, left = next;
                tie = last[p];
                if (below < 0) { BELOW(below, keys, from, L, key) }
                while (below < L && keys[from + below] < key) { below += 1; }
                upto = upto > below ? upto : below;
                while (upto < L && keys[from + upto] == key) { upto += 1; }
                if (tie - start > 1) {
                    BELOW(gone, places, from, L, start)
                    BELOW(left, places, from, L, tie)
                }
                rank = below + upto + start + tie - gone - left + 1;
            }
            out[to] = rank;
        }
    }
"""

AREA_INPUTS = ["ranks", "cells", "quantiles", "ends", "target", "real", "whole", "dims"]

# One thread is one cell and one regulon; ranks are genes x cells. Five sums: directed, undirected,
# likelihoods and their squares, and the first present edge in the order of decreasing likelihoods.
# Products of pairs of float32 as in `_double.multiply`, then `_fixed.to_fixed` with 40 bits.
AREA_BODY = """
    const int C = dims[0], R = dims[1], E = dims[2], Q = dims[3];
    const int cell = (int)(GX), r = (int)(GY);
    if (cell >= C || r >= R) { return; }
    const LONG middle = cells[cell], shift = cells[C + cell], table = cells[2 * C + cell];
    LONG parts[2] = {0, 0};
    LONG sum = 0, squares = 0, best = E;
    const LONG stop = ends[r + 1];
    for (LONG e = ends[r]; e < stop; ++e) {
        const LONG rank = ranks[(LONG)target[e] * C + cell];
        if (rank <= 0) { continue; }
        sum += whole[e];
        squares += whole[E + e];
        best = whole[2 * (LONG)E + e] < best ? whole[2 * (LONG)E + e] : best;
        const LONG deviation = rank < middle ? middle - rank : rank - middle;
        for (int k = 0; k < 2; ++k) {
            const LONG at = k == 0 ? rank : 2 * deviation + shift;
            if (at <= 0 || table + at >= Q) { continue; }
            const float a = real[(LONG)(2 * k) * E + e], a_low = real[(LONG)(2 * k + 1) * E + e];
            const float b = quantiles[table + at], b_low = quantiles[Q + table + at];
            const float c = MUL(a, 4097.0f), d = MUL(b, 4097.0f);
            const float a1 = SUB(c, SUB(c, a)), b1 = SUB(d, SUB(d, b));
            const float a2 = SUB(a, a1), b2 = SUB(b, b1);
            const float p = MUL(a, b);
            const float error = ADD(ADD(ADD(SUB(MUL(a1, b1), p), MUL(a1, b2)), MUL(a2, b1)),
                                    MUL(a2, b2));
            const float rest = ADD(error, ADD(MUL(a, b_low), MUL(a_low, b)));
            const float high = ADD(p, rest), low = SUB(rest, SUB(high, p));
            const float scaled = MUL(high, 1099511627776.0f), floored = FLOOR(scaled);
            parts[k] += (LONG)floored
                + (LONG)RINT(ADD(SUB(scaled, floored), MUL(low, 1099511627776.0f)));
        }
    }
    const LONG to = (LONG)cell * R + r, plane = (LONG)C * R;
    out[to] = parts[0];
    out[plane + to] = parts[1];
    out[2 * plane + to] = sum;
    out[3 * plane + to] = squares;
    out[4 * plane + to] = best;
"""
