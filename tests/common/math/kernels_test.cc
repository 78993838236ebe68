#include "common/math/kernels.h"

#include <cmath>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/rng.h"

namespace antiphon {
namespace {

using Arrays = std::vector<std::vector<float>>;
// Runs one kernel on arrays that start at `offset`; returns what it returned, 0 for nothing.
using Call = std::function<double(const Kernels&, size_t n, Arrays& arrays, size_t offset)>;

struct KernelCase {
  std::string name;
  int arrays;
  std::vector<int> positive;  // arrays that hold accumulators
  Call call;
};

std::ostream& operator<<(std::ostream& out, const KernelCase& kernel) {
  return out << kernel.name;
}

// Treats n as rows of 3 where a kernel works on matrices; n is then cut to a multiple.
constexpr size_t kCols = 3;

std::vector<KernelCase> VectorCases() {
  return {
      {"Add",
       2,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.add(n, &a[0][o], &a[1][o]);
         return 0.0;
       }},
      {"Axpy",
       2,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.axpy(n, 0.7F, &a[0][o], &a[1][o]);
         return 0.0;
       }},
      {"Scale",
       1,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.scale(n, -1.3F, &a[0][o]);
         return 0.0;
       }},
      {"Multiply",
       3,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.multiply(n, &a[0][o], &a[1][o], &a[2][o]);
         return 0.0;
       }},
      {"MultiplyAdd",
       3,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.multiply_add(n, &a[0][o], &a[1][o], &a[2][o]);
         return 0.0;
       }},
      {"Dot",
       2,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         return k.dot(n, &a[0][o], &a[1][o]);
       }},
      {"Sum",
       1,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) { return k.sum(n, &a[0][o]); }},
      {"Sigmoid",
       2,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.sigmoid(n, &a[0][o], &a[1][o]);
         return 0.0;
       }},
      {"LogLoss",
       3,
       {2},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         return k.log_loss(n, &a[0][o], &a[1][o], &a[2][o]);
       }},
      {"LogLossBackward",
       4,
       {2},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.log_loss_backward(n, 0.5F, &a[0][o], &a[1][o], &a[2][o], &a[3][o]);
         return 0.0;
       }},
  };
}

std::vector<KernelCase> MatrixCases() {
  std::vector<KernelCase> cases = {
      {"SoftmaxRows",
       1,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.softmax_rows(n / kCols, kCols, kCols, &a[0][o]);
         return 0.0;
       }},
      {"SoftmaxRowsWide",
       1,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.softmax_rows(1, n, n, &a[0][o]);
         return 0.0;
       }},
      {"SoftmaxRowsBackward",
       3,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.softmax_rows_backward(n / kCols, kCols, kCols, &a[0][o], &a[1][o], &a[2][o]);
         return 0.0;
       }},
  };
  for (size_t f = 0; f < kActivationCount; ++f) {
    cases.push_back({"BiasActivate" + std::to_string(f),
                     2,
                     {},
                     [f](const Kernels& k, size_t n, Arrays& a, size_t o) {
                       k.bias_activate[f](n / kCols, kCols, kCols, &a[0][o], &a[1][o]);
                       return 0.0;
                     }});
    cases.push_back({"ActivateBackward" + std::to_string(f),
                     3,
                     {},
                     [f](const Kernels& k, size_t n, Arrays& a, size_t o) {
                       k.activate_backward[f](1, n, n, &a[0][o], &a[1][o], &a[2][o]);
                       return 0.0;
                     }});
  }
  return cases;
}

std::vector<KernelCase> StepCases() {
  return {
      {"SgdStep",
       2,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.sgd_step(n, 0.1F, &a[0][o], &a[1][o]);
         return 0.0;
       }},
      {"MomentumStep",
       3,
       {},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.momentum_step(n, 0.1F, 0.9F, &a[0][o], &a[1][o], &a[2][o]);
         return 0.0;
       }},
      {"AdagradRow",
       3,
       {2},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.adagrad_row(n, 0.1F, 1e-10F, &a[0][o], &a[1][o], &a[2][o]);
         return 0.0;
       }},
      {"RowwiseAdagradRow",
       3,
       {2},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.rowwise_adagrad_row(n, 0.1F, 1e-10F, &a[0][o], &a[1][o], &a[2][o]);
         return 0.0;
       }},
      {"AdamStep",
       4,
       {3},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         AdamRates rates = AdamRatesInside(0.01F, 0.9F, 0.999F, 1e-8F, 3);
         rates.keep = 0.99F;
         k.adam_step(n, rates, &a[0][o], &a[1][o], &a[2][o], &a[3][o]);
         return 0.0;
       }},
      {"FtrlStep",
       4,
       {3},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.ftrl_step(n, {.inverse_alpha = 10, .offset = 10.1F, .l1 = 0.5F}, &a[0][o], &a[1][o],
                     &a[2][o], &a[3][o]);
         return 0.0;
       }},
      {"GroupFtrlRow",
       4,
       {3},
       [](const Kernels& k, size_t n, Arrays& a, size_t o) {
         k.group_ftrl_row(n, {.inverse_alpha = 10, .offset = 10.1F, .l1 = 0.5F}, &a[0][o], &a[1][o],
                          &a[2][o], &a[3][o]);
         return 0.0;
       }},
  };
}

Arrays RandomArrays(const KernelCase& kernel, size_t size, Rng& rng) {
  Arrays arrays(static_cast<size_t>(kernel.arrays), std::vector<float>(size));
  for (std::vector<float>& array : arrays) {
    for (float& x : array)
      x = static_cast<float>(rng.Normal() * 2);
  }
  for (const int index : kernel.positive) {
    for (float& x : arrays[static_cast<size_t>(index)])
      x = std::abs(x) + 0.1F;
  }
  return arrays;
}

void ExpectSameAsGeneric(const Kernels& kernels, const KernelCase& kernel) {
  Rng rng(7);
  for (const size_t n : {0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 33, 63, 64, 100, 129, 1000}) {
    for (const size_t offset : {0, 1, 3}) {
      SCOPED_TRACE(kernel.name + " n=" + std::to_string(n) + " offset=" + std::to_string(offset));
      Arrays expected = RandomArrays(kernel, n + offset + 1, rng);
      Arrays actual = expected;

      const double expected_result = kernel.call(GenericKernels<float>(), n, expected, offset);
      const double actual_result = kernel.call(kernels, n, actual, offset);

      EXPECT_NEAR(actual_result, expected_result, 1e-9 * (1 + std::abs(expected_result)));
      for (size_t a = 0; a < expected.size(); ++a) {
        for (size_t i = 0; i < expected[a].size(); ++i) {
          ASSERT_NEAR(actual[a][i], expected[a][i], 2e-6 * (1 + std::abs(expected[a][i])))
              << "array " << a << " index " << i;
        }
        EXPECT_EQ(actual[a].back(), expected[a].back()) << "wrote past the end of array " << a;
      }
    }
  }
}

class KernelsTest : public testing::TestWithParam<KernelCase> {};

TEST_P(KernelsTest, Avx2EqualsGeneric) {
  if (!CpuHas(InstructionSet::kAvx2))
    GTEST_SKIP() << "this processor has no AVX2";
  ExpectSameAsGeneric(Avx2Kernels(), GetParam());
}

TEST_P(KernelsTest, Avx512EqualsGeneric) {
  if (!CpuHas(InstructionSet::kAvx512))
    GTEST_SKIP() << "this processor has no AVX-512";
  ExpectSameAsGeneric(Avx512Kernels(), GetParam());
}

std::string CaseName(const testing::TestParamInfo<KernelCase>& info) {
  return info.param.name;
}
INSTANTIATE_TEST_SUITE_P(Vectors, KernelsTest, testing::ValuesIn(VectorCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Matrices, KernelsTest, testing::ValuesIn(MatrixCases()), CaseName);
INSTANTIATE_TEST_SUITE_P(Steps, KernelsTest, testing::ValuesIn(StepCases()), CaseName);

// The float formulas of their own (no libm) against libm in double.
TEST(GenericKernelsTest, FloatActivationsAreAccurateOverTheWholeRange) {
  const Kernels& kernels = GenericKernels<float>();
  for (double x = -100; x <= 100; x += 0.0137) {
    float sigmoid = static_cast<float>(x);
    float tanh = static_cast<float>(x);

    kernels.sigmoid(1, &sigmoid, &sigmoid);
    kernels.bias_activate[static_cast<size_t>(Activation::kTanh)](1, 1, 1, nullptr, &tanh);

    const double at = static_cast<float>(x);
    const double expected_sigmoid = 1 / (1 + std::exp(-at));
    EXPECT_NEAR(sigmoid, expected_sigmoid, 4e-7 * expected_sigmoid + 1e-37) << x;
    EXPECT_NEAR(tanh, std::tanh(at), 1e-6 * std::abs(std::tanh(at))) << x;
  }
}

TEST(GenericKernelsTest, LogLossIgnoresWhatHasNoWeight) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> logit = {0.3, nan, -2};
  const std::vector<double> label = {1, nan, 0};
  const std::vector<double> weight = {2, 0, 1};
  std::vector<double> grad(3);

  const double loss =
      GenericKernels<double>().log_loss(3, logit.data(), label.data(), weight.data());
  GenericKernels<double>().log_loss_backward(3, 1, logit.data(), label.data(), weight.data(),
                                             grad.data());

  EXPECT_NEAR(loss, 2 * std::log1p(std::exp(-0.3)) + std::log1p(std::exp(-2)), 1e-12);
  EXPECT_NEAR(grad[0], 2 * (1 / (1 + std::exp(-0.3)) - 1), 1e-12);
  EXPECT_EQ(grad[1], 0);
  EXPECT_NEAR(grad[2], 1 / (1 + std::exp(2.0)), 1e-12);
}

TEST(GenericKernelsTest, SoftmaxOfLargeLogitsStaysFinite) {
  std::vector<float> row = {1000, 999, -1000};

  GenericKernels<float>().softmax_rows(1, 3, 3, row.data());

  EXPECT_NEAR(row[0], 0.7310586F, 1e-6);
  EXPECT_NEAR(row[1], 0.2689414F, 1e-6);
  EXPECT_NEAR(row[2], 0, 1e-30);
}

}  // namespace
}  // namespace antiphon
