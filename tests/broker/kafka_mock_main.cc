// kafka_mock: librdkafka's mock cluster as a process of its own, reached over TCP like any broker.
//
//   kafka_mock --address_file=FILE --topics=NAME:PARTITIONS[,NAME:PARTITIONS...]
//
// It keeps at most some 5 MiB or 100,000 messages of each partition and drops the oldest, knows no
// times, and forgets everything when it ends: right for a test of protocols, not of volume. Ends
// when its standard input does. A line "down" there makes its brokers refuse connections, "up" has
// them answer again.
#include <csignal>
#include <iostream>
#include <string>
#include <string_view>

#include <gflags/gflags.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/text.h"

DEFINE_string(address_file, "", "gets the brokers' addresses once they listen");
DEFINE_string(topics, "samples:1", "NAME:PARTITIONS, separated by commas");
DEFINE_int32(brokers, 1, "brokers of the cluster");

int main(int argc, char** argv) {
  gflags::ParseCommandLineFlags(&argc, &argv, true);
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  char error[512] = "";
  rd_kafka_conf_set(conf, "log_level", "3", error, sizeof error);
  rd_kafka_t* client = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  CHECK(client != nullptr) << error;
  rd_kafka_mock_cluster_t* cluster = rd_kafka_mock_cluster_new(client, FLAGS_brokers);
  CHECK(cluster != nullptr);
  for (const std::string_view topic : antiphon::Split(FLAGS_topics, ",")) {
    const size_t colon = topic.find(':');
    CHECK(colon != std::string::npos) << "--topics: " << topic << ", expected NAME:PARTITIONS";
    const auto partitions =
        static_cast<int>(antiphon::ParseUint(topic.substr(colon + 1)).value_or(1));
    CHECK(rd_kafka_mock_topic_create(cluster, std::string(topic.substr(0, colon)).c_str(),
                                     partitions, FLAGS_brokers) == RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  antiphon::PosixFileSystem fs;
  CHECK(antiphon::WriteFileAtomically(fs, FLAGS_address_file,
                                      rd_kafka_mock_cluster_bootstraps(cluster))
            .ok());
  for (std::string line; std::getline(std::cin, line);) {
    for (int broker = 1; broker <= FLAGS_brokers; ++broker) {
      if (line == "down") {
        rd_kafka_mock_broker_set_down(cluster, broker);
      } else if (line == "up") {
        rd_kafka_mock_broker_set_up(cluster, broker);
      }
    }
  }
  // Its input has ended: whoever started it is gone or wants it gone.
  rd_kafka_mock_cluster_destroy(cluster);
  rd_kafka_destroy(client);
  return 0;
}
