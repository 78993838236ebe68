#include <utility>

#include "stream/kafka_producer.h"
#include "stream/record_sink.h"

namespace antiphon {
namespace {

class KafkaSink final : public RecordSink {
 public:
  KafkaSink(std::string topic, int32_t partition, std::shared_ptr<KafkaProducer> producer)
      : topic_(std::move(topic)), partition_(partition), producer_(std::move(producer)) {}

  Status Append(std::string_view record) override {
    return producer_->Send(topic_, partition_, record);
  }
  Status Flush() override { return producer_->Flush(); }

 private:
  const std::string topic_;
  const int32_t partition_;
  const std::shared_ptr<KafkaProducer> producer_;
};

}  // namespace

StatusOr<std::vector<std::unique_ptr<RecordSink>>> MakeKafkaSinks(
    const KafkaStream& config, const std::vector<int32_t>& partitions) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<KafkaProducer> made, KafkaProducer::Create(config));
  const std::shared_ptr<KafkaProducer> producer = std::move(made);
  std::vector<std::unique_ptr<RecordSink>> sinks;
  for (const int32_t partition : partitions) {
    sinks.push_back(std::make_unique<KafkaSink>(config.topic(), partition, producer));
  }
  return sinks;
}

}  // namespace antiphon
