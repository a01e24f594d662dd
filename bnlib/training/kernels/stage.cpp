// A convolutional stage of LeNet, there and back: convolution 5 x 5, normalization, sigmoid, average pooling 2 x 2.
// CI channels come in, CO go out, and the convolution's output has H x H pixels: the compiler is told these three.
//
// Eight images stand side by side in a vector V, so a line below is the arithmetic of one image: a tensor is (groups,
// channels, rows, columns, 8). A group is one task and writes what is its own; sums over groups are taken in their
// order, so no bit depends on the number of threads. Where the last group has less than eight images, its other lanes
// hold numbers too, and no sum over images takes them in.
#include <algorithm>
#include <atomic>
#include <vector>

constexpr int X = H + 4, P = H / 2, XS = CI * X * X, YS = CO * H * H, PS = CO * P * P, W = CO * CI * 25;  // rows, sizes
constexpr int ROW = H % 12 ? 8 : 12;  // so many y of one row are summed in registers
typedef float V __attribute__((vector_size(32), aligned(4)));
typedef int Bits __attribute__((vector_size(32), aligned(4)));
typedef void Parallel(void (*)(void*), void*, unsigned, unsigned);  // GOMP_parallel of the OpenMP that torch runs on

template <class Task> static void each_group(int n, int threads, Parallel* parallel, Task task) {
  std::atomic<int> next{0};
  auto take = [&] { for (int group; (group = next++) * 8 < n;) task(group); };
  if (threads == 1) return take();
  parallel([](void* taker) { (*static_cast<decltype(take)*>(taker))(); }, &take, threads, 0);
}

// 1 / (1 + 2^k e^r) with -z = k log 2 + r, |r| <= log(2) / 2; NaN is neither large nor small and stays NaN
static V sigmoid(V z) {
  z = z > 87.0f ? V{} + 87.0f : z < -87.0f ? V{} - 87.0f : z;
  V shifted = z * -1.44269504f + 12582912.0f;  // 1.5 * 2^23: k is rounded into the last bits
  V k = shifted - 12582912.0f, r = k * -0.693359375f - z + k * 2.12194440e-4f;
  V e = 1 + r * (1 + r * (0.5f + r * (0.16666666f + r * (0.041666456f + r * (0.0083334519f + r * 0.0013981999f)))));
  return 1 / (1 + e * (V)(((Bits)shifted << 23) + (127 << 23)));
}

// y[c,i,j] = b[c] + Σ w[c,d,k,l] x[d,i+k,j+l]
static void convolution(const V* x, const float* w, const float* b, V* y) {
  for (int i = 0; i < H; i++)
    for (int c = 0; c < CO; c++)
      for (int j = 0; j < H; j += ROW) {
        V sum[ROW];
        for (V& s : sum) s = V{} + b[c];
        for (int d = 0; d < CI; d++)
          for (int k = 0; k < 5; k++) {
            const V* row = x + (d * X + i + k) * X + j;
            const float* taps = w + ((c * CI + d) * 5 + k) * 5;
#pragma GCC unroll 16
            for (int a = 0; a < ROW + 4; a++)
              for (int l = 0; l < 5; l++)
                if (a >= l && a < ROW + l) sum[a - l] += taps[l] * row[a];
          }
        std::copy(sum, sum + ROW, y + (c * H + i) * H + j);
      }
}

// dx[d,i,j] = Σ w[c,d,k,l] dy[c,i-k,j-l]: four columns of dy at a time, which reach eight of dx
static void input_gradient(const V* dy, const float* w, V* dx) {
  std::fill(dx, dx + XS, V{});
  for (int i = 0; i < X; i++)
    for (int d = 0; d < CI; d++)
      for (int j = 0; j < H; j += 4) {
        V sum[8] = {};
        for (int c = 0; c < CO; c++)
          for (int k = std::max(0, i - H + 1); k < 5 && k <= i; k++) {
            const V* row = dy + (c * H + i - k) * H + j;
            const float* taps = w + ((c * CI + d) * 5 + k) * 5;
            for (int a = 0; a < 4; a++)
              for (int l = 0; l < 5; l++) sum[a + l] += taps[l] * row[a];
          }
        for (int a = 0; a < 8; a++) dx[(d * X + i) * X + j + a] += sum[a];
      }
}

// dw[c,d,k,l] = Σ dy[c,i,j] x[d,i+k,j+l] over the first `real` images, two c at a time
static void weight_gradient(const V* dy, const V* x, int real, float* dw) {
  for (int d = 0; d < CI; d++)
    for (int c = 0; c < CO; c += 2)
      for (int k = 0; k < 5; k++) {
        V sum[2][5] = {};
        for (int i = 0; i < H; i++)
          for (int j = 0; j < H; j++)
            for (int l = 0; l < 5; l++)
              for (int e : {0, 1}) sum[e][l] += dy[((c + e) * H + i) * H + j] * x[(d * X + i + k) * X + j + l];
        for (int e : {0, 1})
          for (int l = 0; l < 5; l++)
            for (int image = 0; image < real; image++) dw[(((c + e) * CI + d) * 5 + k) * 5 + l] += sum[e][l][image];
      }
}

// y = convolution of x; of each image: sums[0,c] = Σ y, sums[1,c] = Σ (y - the image's own mean)²
extern "C" void convolve(int n, int threads, Parallel* parallel, const V* x, const float* w, const float* b, V* y,
                         V* sums) {
  each_group(n, threads, parallel, [=](int group) {
    convolution(x + group * XS, w, b, y + group * YS);
    for (int c = 0; c < CO; c++) {
      const V* in = y + group * YS + c * H * H;
      V sum = {}, squares = {};
      for (int at = 0; at < H * H; at++) sum += in[at];
      for (int at = 0; at < H * H; at++) squares += (in[at] - sum / float(H * H)) * (in[at] - sum / float(H * H));
      sums[(group * 2 + 0) * CO + c] = sum, sums[(group * 2 + 1) * CO + c] = squares;
    }
  });
}

// p[c,i,j] = mean over 2 x 2 of sigmoid((y - mean) scale + shift)
extern "C" void activate(int n, int threads, Parallel* parallel, const V* y, const float* mean, const float* scale,
                         const float* shift, V* p) {
  each_group(n, threads, parallel, [=](int group) {
    for (int at = 0; at < PS; at++) {
      const int c = at / (P * P), i = at / P % P, j = at % P;
      const V* in = y + group * YS + (c * H + 2 * i) * H + 2 * j;
      V sum = {};
      for (int corner : {0, 1, H, H + 1}) sum += sigmoid((in[corner] - mean[c]) * scale[c] + shift[c]);
      p[group * PS + at] = sum / 4;
    }
  });
}

// g = dp / 4 s (1 - s) with s the sigmoid again; of each image: sums[0,c] = Σ g, sums[1,c] = Σ g (y - mean)
extern "C" void activate_backward(int n, int threads, Parallel* parallel, const V* dp, const V* y, const float* mean,
                                  const float* scale, const float* shift, V* g, V* sums) {
  each_group(n, threads, parallel, [=](int group) {
    for (int c = 0; c < CO; c++) {
      V sum = {}, sum_y = {};
      for (int at = c * H * H; at < (c + 1) * H * H; at++) {
        const int i = at / H % H, j = at % H;
        V centred = y[group * YS + at] - mean[c], s = sigmoid(centred * scale[c] + shift[c]);
        V up = g[group * YS + at] = dp[group * PS + (c * P + i / 2) * P + j / 2] / 4 * (s * (1 - s));
        sum += up, sum_y += up * centred;
      }
      sums[(group * 2 + 0) * CO + c] = sum, sums[(group * 2 + 1) * CO + c] = sum_y;
    }
  });
}

// dy = (g - along_one - (y - mean) along_y) scale, over g; from it dw and, unless that is null, dx
extern "C" void convolve_backward(int n, int threads, Parallel* parallel, V* g, const V* y, const float* mean,
                                  const float* scale, const float* along_one, const float* along_y, const V* x,
                                  const float* w, float* dw, V* dx) {
  std::vector<float> parts((n + 7) / 8 * W);  // dw of each group
  each_group(n, threads, parallel, [=, &parts](int group) {
    V* dy = g + group * YS;
    for (int at = 0, c = 0; at < YS; c = ++at / (H * H))
      dy[at] = (dy[at] - along_one[c] - (y[group * YS + at] - mean[c]) * along_y[c]) * scale[c];
    weight_gradient(dy, x + group * XS, std::min(8, n - group * 8), &parts[group * W]);
    if (dx) input_gradient(dy, w, dx + group * XS);
  });
  std::fill(dw, dw + W, 0.0f);
  for (const float* part = parts.data(); part < parts.data() + parts.size(); part += W)
    for (int at = 0; at < W; at++) dw[at] += part[at];
}
