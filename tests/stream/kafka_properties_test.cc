// Properties that go through to librdkafka; no broker is asked for anything.
#include "stream/kafka_properties.h"

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "stream/kafka_client.h"
#include "stream/kafka_producer.h"

namespace antiphon {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kSecret[] = "hunter2";

StreamConfig ConfigWith(const std::vector<std::pair<std::string, std::string>>& properties) {
  StreamConfig config;
  config.mutable_kafka()->set_brokers("127.0.0.1:1");
  config.mutable_kafka()->set_topic("samples");
  for (const auto& [name, value] : properties) {
    ClientProperty& property = *config.mutable_kafka()->add_properties();
    property.set_name(name);
    property.set_value(value);
  }
  return config;
}

// Of a reader and of a writer: both get the properties.
std::vector<Status> Create(const StreamConfig& config) {
  return {KafkaClient::Create(config).status(), KafkaProducer::Create(config.kafka(), "").status()};
}

TEST(KafkaPropertiesTest, AWrongValueIsLibrdkafkasErrorAndNamesTheProperty) {
  for (const Status& status : Create(ConfigWith({{"security.protocol", "SASL_TLS"}}))) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(),
                HasSubstr("librdkafka property security.protocol: Invalid value"));
  }
}

TEST(KafkaPropertiesTest, AnUnknownPropertyIsAnErrorThatNamesIt) {
  for (const Status& status : Create(ConfigWith({{"security.protokol", "SSL"}}))) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("security.protokol"));
  }
}

TEST(KafkaPropertiesTest, PropertiesReachLibrdkafka) {
  // What librdkafka checks when all of them are there: a certificate that does not exist.
  const StreamConfig config =
      ConfigWith({{"security.protocol", "SSL"}, {"ssl.ca.location", "/nowhere/authorities.pem"}});

  for (const Status& status : Create(config)) {
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
    EXPECT_THAT(status.message(), HasSubstr("ssl.ca.location"));
  }
}

TEST(KafkaPropertiesTest, ASecretComesFromTheEnvironment) {
  ASSERT_EQ(setenv("ANTIPHON_TEST_SECRET", kSecret, 1), 0);
  const StreamConfig config = ConfigWith({{"security.protocol", "SASL_PLAINTEXT"},
                                          {"sasl.mechanisms", "PLAIN"},
                                          {"sasl.username", "trainer"},
                                          {"sasl.password", "env:ANTIPHON_TEST_SECRET"}});

  EXPECT_EQ(ValueOf(config.kafka().properties(3)).value(), kSecret);
  for (const Status& status : Create(config)) {
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(KafkaPropertiesTest, ASecretInTheJobFileIsRefusedAndNotRepeated) {
  for (const char* name : {"sasl.password", "ssl.key.password", "ssl.keystore.password",
                           "sasl.oauthbearer.client.secret", "ssl.key.pem"}) {
    for (const Status& status : Create(ConfigWith({{name, kSecret}}))) {
      EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
      EXPECT_THAT(status.message(),
                  AllOf(HasSubstr(name), HasSubstr("env:NAME"), Not(HasSubstr(kSecret))));
    }
  }
}

TEST(KafkaPropertiesTest, NamesAVariableThatIsMissing) {
  for (const Status& status :
       Create(ConfigWith({{"sasl.password", "env:ANTIPHON_TEST_NO_SUCH_VARIABLE"}}))) {
    EXPECT_THAT(status.message(),
                HasSubstr("sasl.password: the environment has no ANTIPHON_TEST_NO_SUCH_VARIABLE"));
  }
}

}  // namespace
}  // namespace antiphon
