#include "common/base/exit_code.h"

#include <gtest/gtest.h>

namespace antiphon {
namespace {

TEST(ExitCodeTest, FollowsSysexits) {
  EXPECT_EQ(static_cast<int>(ExitCodeFor(Status())), 0);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(InvalidArgumentError("flag"))), 64);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(DataLossError("crc"))), 65);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(UnavailableError("peer"))), 69);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(InternalError("bug"))), 70);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(AlreadyExistsError("port"))), 73);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(ResourceExhaustedError("disk"))), 74);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(PermissionDeniedError("key"))), 77);
  EXPECT_EQ(static_cast<int>(ExitCodeFor(FailedPreconditionError("both"))), 78);
}

}  // namespace
}  // namespace antiphon
