#include "common/net/listen_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace antiphon {
namespace {

using ::testing::HasSubstr;

TEST(ListenAddressTest, MakesATransportAddress) {
  const StatusOr<std::string> plain = ListenAddress("127.0.0.1:0", Reach::kThisMachine);
  const StatusOr<std::string> full = ListenAddress("tcp://127.0.0.1:70", Reach::kThisMachine);

  ASSERT_TRUE(plain.ok() && full.ok());
  EXPECT_EQ(*plain, "tcp://127.0.0.1:0");
  EXPECT_EQ(*full, "tcp://127.0.0.1:70");
}

TEST(ListenAddressTest, RefusesWhatOthersCanReachUnlessToldSo) {
  for (const char* address : {"0.0.0.0:7000", "*:7000", "10.1.2.3:7000", "127.evil.org:1"}) {
    const StatusOr<std::string> refused = ListenAddress(address, Reach::kThisMachine);
    ASSERT_FALSE(refused.ok()) << address;
    EXPECT_EQ(refused.status().code(), StatusCode::kPermissionDenied);
    EXPECT_THAT(refused.status().message(), HasSubstr(address));

    EXPECT_TRUE(ListenAddress(address, Reach::kAnyNetwork).ok()) << address;
  }
}

TEST(ListenAddressTest, RefusesWhatIsNoHostAndPort) {
  for (const char* address : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", ":7000",
                              "127.0.0.1:65536", "127.0.0.1:-1"}) {
    EXPECT_EQ(ListenAddress(address, Reach::kThisMachine).status().code(),
              StatusCode::kInvalidArgument)
        << address;
  }
}

}  // namespace
}  // namespace antiphon
