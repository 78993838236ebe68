// How many records a second one thread turns into batches of 4096, by format from a folder of
// segments, and as CSV from Kafka's mock cluster and from Redis where they are given: 12 fields (2
// numbers, 9 ids by hash, a label).
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <unistd.h>
#include <vector>

#include "bench/figures.h"
#include "common/base/clock.h"
#include "common/base/logging.h"
#include "common/base/rng.h"
#include "common/data/job_defaults.h"
#include "proto/sample.pb.h"
#include "proto/tf_example.pb.h"
#include "stream/record_sink.h"
#include "stream/stream_source.h"

namespace antiphon {
namespace {

constexpr int kNumbers = 2;
constexpr int kIds = 9;
constexpr char kEnd[] = "END";

struct Options {
  uint64_t records = 200'000;
  int rounds = 5;
  std::string kafka;  // brokers
  std::string redis;  // address
};

struct Row {
  bool click = false;
  double numbers[kNumbers];
  std::string ids[kIds];
};

Row MakeRow(Rng& rng) {
  Row row;
  row.click = rng.Chance(0.1);
  for (double& number : row.numbers) {
    number = static_cast<double>(rng.Below(100'000)) / 4;
  }
  for (int i = 0; i < kIds; ++i) {
    row.ids[i] = "v" + std::to_string(rng.Below(uint64_t{10} << (2 * i)));
  }
  return row;
}

std::string FieldName(int i) {
  return i == 0 ? "click" : "f" + std::to_string(i);
}

std::string ToText(const Row& row, bool is_slots) {
  std::string text = row.click ? "1" : "0";
  const auto add = [&](int field, const std::string& value) {
    text += is_slots ? " " + FieldName(field) + ":" : std::string(",");
    text += value;
  };
  for (int i = 0; i < kNumbers; ++i) {
    add(1 + i, std::to_string(row.numbers[i]));
  }
  for (int i = 0; i < kIds; ++i) {
    add(1 + kNumbers + i, row.ids[i]);
  }
  return text;
}

std::string ToSample(const Row& row) {
  Sample sample;
  const auto add = [&](int field) {
    SampleField& added = *sample.add_fields();
    added.set_name(FieldName(field));
    return &added;
  };
  add(0)->add_whole(row.click ? 1 : 0);
  for (int i = 0; i < kNumbers; ++i) {
    add(1 + i)->add_number(row.numbers[i]);
  }
  for (int i = 0; i < kIds; ++i) {
    add(1 + kNumbers + i)->add_text(row.ids[i]);
  }
  return sample.SerializeAsString();
}

std::string ToExample(const Row& row) {
  TfExample example;
  const auto add = [&](int field) {
    TfFeatureEntry& added = *example.mutable_features()->add_feature();
    added.set_key(FieldName(field));
    return added.mutable_value();
  };
  add(0)->mutable_int64_list()->add_value(row.click ? 1 : 0);
  for (int i = 0; i < kNumbers; ++i) {
    add(1 + i)->mutable_float_list()->add_value(static_cast<float>(row.numbers[i]));
  }
  for (int i = 0; i < kIds; ++i) {
    add(1 + kNumbers + i)->mutable_bytes_list()->add_value(row.ids[i]);
  }
  return example.SerializeAsString();
}

std::string Encode(const Row& row, DataConfig::InputType type) {
  switch (type) {
    case DataConfig::CSVInput:
      return ToText(row, false);
    case DataConfig::SlotTextInput:
      return ToText(row, true);
    case DataConfig::TFRecordInput:
      return ToExample(row);
    case DataConfig::ProtobufInput:
      return ToSample(row);
  }
  return "";
}

Job MakeJob(DataConfig::InputType type) {
  Job job;
  DataConfig& data = *job.mutable_data_config();
  data.set_batch_size(4096);
  data.set_input_type(type);
  data.add_label_fields("click");
  data.mutable_stream()->set_lease_samples(uint64_t{1} << 40);
  data.mutable_stream()->set_idle_ms(60'000);
  data.mutable_stream()->set_end_record(kEnd);
  for (int i = 0; i < 1 + kNumbers + kIds; ++i) {
    data.add_input_fields()->set_input_name(FieldName(i));
    if (i == 0) {
      continue;
    }
    FeatureConfig& feature = *job.mutable_feature_config()->add_features();
    feature.add_input_names(FieldName(i));
    if (i <= kNumbers) {
      feature.set_feature_type(FeatureConfig::RawFeature);
    } else {
      feature.set_embedding_dim(8);
    }
  }
  return job;
}

// Writes the records; returns their mean size.
uint64_t Feed(RecordSink& sink, DataConfig::InputType type, uint64_t records) {
  Rng rng(1);
  uint64_t bytes = 0;
  for (uint64_t i = 0; i < records; ++i) {
    const std::string record = Encode(MakeRow(rng), type);
    bytes += record.size();
    CHECK(sink.Append(record).ok());
  }
  return bytes / records;
}

void Measure(const std::string& name, const Job& job, const std::string& partition,
             const Options& options) {
  PosixFileSystem fs;
  SystemClock clock;
  TrainingPlan plan;
  for (int i = 0; i < job.feature_config().features_size(); ++i) {
    plan.add_features();
  }
  plan.add_partitions()->set_open_ended(true);
  plan.mutable_partitions(0)->set_path(partition);
  std::vector<double> seconds;
  for (int round = 0; round < options.rounds; ++round) {
    BadRows bad_rows({}, fs);
    StatusOr<std::unique_ptr<RecordStream>> stream =
        MakeRecordStream(job.data_config(), {}, fs, clock);
    CHECK(stream.ok()) << stream.status();
    StatusOr<std::unique_ptr<StreamSource>> source = StreamSource::Create(
        job, plan, {.names = {"click"}, .implied = {}}, std::move(stream).value(), clock, bad_rows);
    CHECK(source.ok()) << source.status();
    Batch batch;
    uint64_t rows = 0;
    const Time begin = clock.Now();
    CHECK((*source)->Open(0, 0).ok());
    ReadOutcome outcome = ReadOutcome::kNotYet;
    while (outcome != ReadOutcome::kEnd) {
      const StatusOr<ReadOutcome> read = (*source)->NextBatch(~Position{0}, batch);
      CHECK(read.ok()) << read.status();
      outcome = *read;
      rows += batch.rows;
    }
    seconds.push_back(SecondsBetween(begin, clock.Now()));
    CHECK_EQ(rows, options.records);
  }
  PrintFigure(name + ", records/s", static_cast<double>(options.records), seconds);
}

void MeasureFolder(const std::string& name, DataConfig::InputType type, Framing framing,
                   const std::string& folder, const Options& options) {
  PosixFileSystem fs;
  const std::string path = folder + "/" + std::to_string(static_cast<int>(type));
  const StatusOr<std::unique_ptr<RecordSink>> sink =
      MakeFolderSink({.folder = path, .suffix = "", .framing = framing}, fs);
  CHECK(sink.ok()) << sink.status();
  const uint64_t bytes = Feed(**sink, type, options.records);
  CHECK((*sink)->Flush().ok() && EndFolder(fs, path, kEnd).ok());
  Job job = MakeJob(type);
  job.mutable_data_config()->mutable_stream()->mutable_folder()->add_path(path);
  FillDefaults(job);
  Measure("folder, " + name + ", " + std::to_string(bytes) + " bytes", job, path, options);
}

void MeasureBroker(const std::string& name, Job job, const std::string& partition,
                   const Options& options) {
  SystemClock clock;
  const auto sinks = MakeBrokerSinks(job.data_config().stream(), clock);
  CHECK(sinks.ok()) << sinks.status();
  RecordSink& sink = *sinks->front();
  Feed(sink, DataConfig::CSVInput, options.records);
  CHECK(sink.Append(kEnd).ok() && sink.Flush().ok());
  FillDefaults(job);
  Measure(name + ", CSV", job, partition, options);
}

void Run(const Options& options) {
  const char* temporary = std::getenv("TMPDIR");  // NOLINT(concurrency-mt-unsafe): nobody sets it
  const std::string unique = std::to_string(getpid());
  const std::string folder =
      std::string(temporary == nullptr ? "/tmp" : temporary) + "/stream_read." + unique;
  MeasureFolder("CSV", DataConfig::CSVInput, Framing::kLines, folder, options);
  MeasureFolder("slot text", DataConfig::SlotTextInput, Framing::kLines, folder, options);
  MeasureFolder("tf.Example", DataConfig::TFRecordInput, Framing::kTfRecord, folder, options);
  MeasureFolder("protobuf", DataConfig::ProtobufInput, Framing::kDelimited, folder, options);
  std::filesystem::remove_all(folder);
  if (!options.kafka.empty()) {
    Job job = MakeJob(DataConfig::CSVInput);
    KafkaStream& kafka = *job.mutable_data_config()->mutable_stream()->mutable_kafka();
    kafka.set_brokers(options.kafka);
    kafka.set_topic("samples");
    kafka.add_partitions(0);
    MeasureBroker("Kafka (mock)", std::move(job), "samples/0", options);
  }
  if (!options.redis.empty()) {
    const std::string key = "stream_read:" + unique;
    Job job = MakeJob(DataConfig::CSVInput);
    RedisStream& redis = *job.mutable_data_config()->mutable_stream()->mutable_redis();
    redis.set_address(options.redis);
    redis.add_keys(key);
    MeasureBroker("Redis", std::move(job), key, options);
  }
}

Options ParseOptions(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const size_t equals = argument.find('=');
    const std::string_view name = argument.substr(0, equals);
    const std::string value(equals == std::string_view::npos ? "" : argument.substr(equals + 1));
    const uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
    if (name == "--records" && number > 0) {
      options.records = number;
    } else if (name == "--rounds" && number > 0) {
      options.rounds = static_cast<int>(number);
    } else if (name == "--kafka") {
      options.kafka = value;
    } else if (name == "--redis") {
      options.redis = value;
    } else {
      std::fprintf(stderr,
                   "stream_read: unknown or empty %s, expected --records=N --rounds=N "
                   "--kafka=BROKERS --redis=HOST:PORT\n",
                   argv[i]);
      std::exit(64);  // NOLINT(concurrency-mt-unsafe): no other thread yet
    }
  }
  return options;
}

}  // namespace
}  // namespace antiphon

int main(int argc, char** argv) {
  antiphon::PrintHeading(antiphon::CommandOf(argc, argv));
  antiphon::Run(antiphon::ParseOptions(argc, argv));
  return 0;
}
