// ps_receive: keeps a directory of versions for serving as new as a Kafka topic.
#include <atomic>
#include <iostream>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <gflags/gflags.h>

#include "common/base/command_line.h"
#include "common/base/file_system.h"
#include "common/base/logging.h"
#include "common/base/signals.h"
#include "serving/push/sink_address.h"
#include "serving/push/topic_receiver.h"

DEFINE_string(kafka, "", "BROKERS/TOPIC that ps_export --kafka pushes to; one partition");
DEFINE_string(out, "", "the directory of versions to keep: version-<n>/ and CURRENT");
DEFINE_string(model_id, "", "take this model alone; empty: the one of --out, or the first");
DEFINE_bool(once, false, "end when all that the topic has by now is taken");
DECLARE_string(log_dir);  // glog's

namespace antiphon {
namespace {

constexpr char kProgram[] = "ps_receive";
constexpr char kAbout[] =
    "takes versions for serving from a Kafka topic: the receiving end of ps_export --kafka\n"
    "  ps_receive --kafka=HOST:PORT/TOPIC --out=DIR [--kafka_property=NAME=VALUE ...]\n"
    "  --kafka_property may be given many times: properties of librdkafka\n"
    "  docs/serving.md says what reads the directory";

Status Run(std::span<char* const> arguments) {
  std::vector<std::string> properties;
  const RepeatedFlag repeated[] = {{"kafka_property", &properties}};
  AP_RETURN_IF_ERROR(ParseFlags(arguments, kProgram, kAbout, repeated));
  if (FLAGS_kafka.empty() || FLAGS_out.empty()) {
    return InvalidArgumentError("expected --kafka=BROKERS/TOPIC and --out=DIR");
  }
  InitLogging({.program = arguments[0], .log_dir = FLAGS_log_dir, .min_severity = google::INFO});
  std::atomic<bool> stops = false;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<SignalWatcher> watcher,
                      SignalWatcher::Start([&stops](int) { stops = true; }));
  TopicReceiverOptions options = {
      .kafka = {}, .out = FLAGS_out, .model_id = FLAGS_model_id, .ends_with_topic = FLAGS_once};
  AP_ASSIGN_OR_RETURN(options.kafka, ParseKafkaAddress(FLAGS_kafka, properties));
  PosixFileSystem fs;
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<TopicReceiver> receiver,
                      TopicReceiver::Create(options, fs));
  Status status = receiver->Run([&stops] { return stops.load(); });
  std::cout << FLAGS_out << ": " << ReceiverSummary(receiver->receiver().counts()) << "\n";
  return status;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  const antiphon::Status status = antiphon::Run({argv, static_cast<size_t>(argc)});
  antiphon::FlushLogging();
  return antiphon::ExitWith(antiphon::kProgram, status);
}
