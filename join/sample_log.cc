#include "join/sample_log.h"

#include <optional>

namespace antiphon {
namespace {

// A commit drops no more than this, so that none takes long.
constexpr uint64_t kMaxDropped = 100'000;

// In the store. What RocksDB adds is not counted.
uint64_t BytesOf(const KeptSample& sample) {
  return SampleKey(0).size() + sample.record().size();
}

Status Unreadable(uint64_t number) {
  return DataLossError("the joiner's state: sample " + std::to_string(number) +
                       " is kept and does not parse");
}

}  // namespace

StatusOr<std::unique_ptr<SampleLog>> SampleLog::Create(const SampleLogOptions& options,
                                                       JoinStore& store, Clock& clock) {
  std::unique_ptr<SampleLog> log(new SampleLog(options, store, clock));
  AP_ASSIGN_OR_RETURN(const std::optional<std::string> kept, store.Get(KeptSamplesKey()));
  AP_ASSIGN_OR_RETURN(const std::optional<std::string> progress_bytes, store.Get(ProgressKey()));
  JoinProgress progress;
  if ((kept.has_value() && !log->kept_.ParseFromString(*kept)) ||
      (progress_bytes.has_value() && !progress.ParseFromString(*progress_bytes))) {
    return DataLossError("the joiner's state does not parse");
  }
  if (progress.next_sample() > 0 && !kept.has_value()) {
    return FailedPreconditionError(
        "the joiner's state is one of ps_join, which keeps no samples; begin with another folder");
  }
  log->end_ = progress.next_sample();
  return log;
}

Status SampleLog::Stage(const SampleGroup& group, std::vector<StoreChange>& changes) {
  staged_ = kept_;
  if (group.records.empty()) {
    return Status();
  }
  uint64_t number = group.first;
  KeptSample sample;
  sample.set_joined_seconds(static_cast<uint64_t>(clock_.WallSeconds()));
  for (const std::string& record : group.records) {
    sample.set_record(record);
    staged_.set_bytes(staged_.bytes() + BytesOf(sample));
    changes.push_back({SampleKey(number++), sample.SerializeAsString()});
  }
  AP_RETURN_IF_ERROR(DropOldest(staged_, changes));
  changes.push_back({KeptSamplesKey(), staged_.SerializeAsString()});
  return Status();
}

Status SampleLog::DropOldest(KeptSamples& kept, std::vector<StoreChange>& changes) {
  const int64_t now = clock_.WallSeconds();
  uint64_t dropped = 0;
  Status status;
  const auto visit = [&](std::string_view key, std::string_view value) {
    KeptSample sample;
    if (!sample.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
      status = Unreadable(kept.first());
      return false;
    }
    const int64_t age = now - static_cast<int64_t>(sample.joined_seconds());
    const bool is_old = age > static_cast<int64_t>(options_.keep_seconds);
    if ((!is_old && kept.bytes() <= options_.keep_bytes) || dropped == kMaxDropped) {
      return false;
    }
    changes.push_back({std::string(key), std::nullopt});
    kept.set_first(kept.first() + 1);
    kept.set_bytes(kept.bytes() - BytesOf(sample));
    ++dropped;
    return true;
  };
  AP_RETURN_IF_ERROR(store_.Scan(std::string(kSamplePrefix), SampleKey(kept.first()), visit));
  return status;
}

// The commit has it.
Status SampleLog::Publish(const SampleGroup& group) {
  kept_ = staged_;
  end_ = group.first + group.records.size();
  return Status();
}

Status SampleLog::Read(uint64_t number, uint64_t bytes, std::vector<std::string>& records) {
  records.clear();
  uint64_t has = 0;
  Status status;
  const auto visit = [&](std::string_view key, std::string_view value) {
    KeptSample sample;
    const uint64_t expected = number + records.size();
    if (key != SampleKey(expected) ||
        !sample.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
      status = Unreadable(expected);
      return false;
    }
    has += sample.record().size();
    records.push_back(std::move(*sample.mutable_record()));
    return has < bytes;
  };
  AP_RETURN_IF_ERROR(store_.Scan(std::string(kSamplePrefix), SampleKey(number), visit));
  return status.ok() && records.empty() ? Unreadable(number) : status;
}

}  // namespace antiphon
