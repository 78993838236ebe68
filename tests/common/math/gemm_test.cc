#include "common/math/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

void ForgetsBeta(Op op_a, MatrixView<const float> a, Op op_b, MatrixView<const float> b, float,
                 MatrixView<float> c) {
  EigenMultiply()(op_a, a, op_b, b, 0, c);
}

void WrongInOneCorner(Op op_a, MatrixView<const float> a, Op op_b, MatrixView<const float> b,
                      float beta, MatrixView<float> c) {
  EigenMultiply()(op_a, a, op_b, b, beta, c);
  if (c.rows > 100)
    c.row(c.rows - 1)[c.cols - 1] += 0.01F;
}

void WritesBesideTheMatrix(Op op_a, MatrixView<const float> a, Op op_b, MatrixView<const float> b,
                           float beta, MatrixView<float> c) {
  EigenMultiply()(op_a, a, op_b, b, beta, c);
  c.row(0)[c.cols] += 1;
}

TEST(GemmTest, EveryBackendOfThisBuildPassesTheCheck) {
  EXPECT_EQ(CheckMultiply(EigenMultiply()), Status());
  for (const MultiplyFunction<float> multiply : {OpenblasMultiply(), OnednnMultiply()}) {
    if (multiply != nullptr) {
      EXPECT_EQ(CheckMultiply(multiply), Status());
    }
  }
}

TEST(GemmTest, CheckFindsWrongProducts) {
  EXPECT_FALSE(CheckMultiply(ForgetsBeta).ok());
  EXPECT_FALSE(CheckMultiply(WrongInOneCorner).ok());
  EXPECT_FALSE(CheckMultiply(WritesBesideTheMatrix).ok());
}

TEST(GemmTest, AutoBecomesABackend) {
  const Gemm gemm = Gemm::Create(GemmBackend::kAuto);

  EXPECT_NE(gemm.backend(), GemmBackend::kAuto);
}

TEST(GemmTest, NamesParseToThemselves) {
  for (const GemmBackend backend :
       {GemmBackend::kAuto, GemmBackend::kEigen, GemmBackend::kOpenblas, GemmBackend::kOnednn}) {
    StatusOr<GemmBackend> parsed = ParseGemmBackend(GemmBackendName(backend));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(*parsed, backend);
  }
  EXPECT_EQ(ParseGemmBackend("mkl").status().code(), StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace antiphon
