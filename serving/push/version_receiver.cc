#include "serving/push/version_receiver.h"

#include <algorithm>

#include "common/base/crc32c.h"
#include "common/base/hash.h"
#include "serving/feature_description.h"
#include "serving/push/push_record.h"
#include "serving/signature.h"

namespace antiphon {
namespace {

// What a record costs in memory besides its bytes, so that empty ones are not free.
constexpr uint64_t kPieceOverhead = 256;

bool SameStep(const ServedStep& a, const ServedStep& b) {
  return a.base() == b.base() && a.sequence() == b.sequence() &&
         a.predecessor() == b.predecessor() && a.predecessor_digest() == b.predecessor_digest();
}

uint64_t SizeOf(const ReceivedVersion& version) {
  uint64_t bytes = 0;
  for (const auto& [name, contents] : version.files) {
    bytes += contents.size();
  }
  return bytes;
}

// Every file is there as the signature says, and no other.
Status CheckFiles(const ReceivedVersion& version) {
  for (const ServedFile& said : version.signature.files()) {
    const auto file = version.files.find(said.name());
    if (file == version.files.end() || file->second.size() != said.bytes() ||
        Crc32c(std::as_bytes(std::span(file->second))) != said.crc32c()) {
      return DataLossError(said.name() + " is not the file that the signature names");
    }
  }
  if (version.files.size() != static_cast<size_t>(version.signature.files_size()) + 1) {
    return DataLossError("it has files that the signature does not name");
  }
  return Status();
}

}  // namespace

VersionReceiver::VersionReceiver(const ReceiverOptions& options)
    : max_waiting_bytes_(options.max_waiting_bytes),
      model_id_(options.model_id),
      served_(options.served) {
  if (model_id_.empty() && served_.has_value()) {
    model_id_ = served_->model_id;
  }
}

RecordFate VersionReceiver::Take(std::span<const std::byte> record) {
  StatusOr<PushRecord> decoded = DecodePushRecord(record);
  if (!decoded.ok()) {
    NoteTorn(decoded.status().message());
    return RecordFate::kTorn;
  }
  const RecordFate fate = Sort(*std::move(decoded));
  switch (fate) {
    case RecordFate::kTaken:
      ++counts_.taken;
      break;
    case RecordFate::kEarly:
      ++counts_.early;
      break;
    case RecordFate::kDuplicate:
      ++counts_.duplicate;
      break;
    case RecordFate::kStale:
      ++counts_.stale;
      break;
    case RecordFate::kWrongModel:
      ++counts_.wrong_model;
      break;
    case RecordFate::kTorn:  // counted where it was found out
      break;
  }
  return fate;
}

RecordFate VersionReceiver::Sort(PushRecord record) {
  if (model_id_.empty()) {
    model_id_ = record.model_id();
  }
  if (record.model_id() != model_id_) {
    return RecordFate::kWrongModel;
  }
  if (served_.has_value()) {
    if (record.version() == served_->version && record.digest() == served_->digest) {
      return RecordFate::kDuplicate;
    }
    // All rows of the served version made once more, perhaps in another precision, are new.
    if (record.version() < served_->version ||
        (record.version() == served_->version && record.has_step())) {
      return RecordFate::kStale;
    }
  }
  const Name name(record.version(), record.digest());
  if (whole_.contains(name)) {
    return RecordFate::kDuplicate;
  }
  return Place(name, std::move(record));
}

bool VersionReceiver::Contradicts(const Assembly& assembly, const PushRecord& record) {
  if (assembly.parts != record.parts() || assembly.is_step != record.has_step() ||
      !SameStep(assembly.step, record.step())) {
    return true;
  }
  const auto piece = assembly.pieces.find(record.part());
  return piece != assembly.pieces.end() &&
         (piece->second.file != record.file() || piece->second.offset != record.offset() ||
          piece->second.bytes != record.bytes());
}

RecordFate VersionReceiver::Place(const Name& name, PushRecord record) {
  auto found = assemblies_.find(name);
  bool is_torn = false;
  if (found != assemblies_.end() && Contradicts(found->second, record)) {
    // Nobody can tell which is right. A sender that begins again comes last, so the others go.
    NoteTorn("a record of version " + std::to_string(name.first) + " contradicts others of it");
    Drop(found);
    found = assemblies_.end();
    is_torn = true;
  }
  if (found == assemblies_.end()) {
    found = assemblies_.emplace(name, Assembly{}).first;
    found->second.parts = record.parts();
    found->second.is_step = record.has_step();
    found->second.step = record.step();
  }
  Assembly& assembly = found->second;
  if (assembly.pieces.contains(record.part())) {
    return RecordFate::kDuplicate;
  }
  const bool is_early =
      record.part() != assembly.pieces.size() ||
      (record.has_step() &&
       (!served_.has_value() || record.step().predecessor_digest() != served_->digest));
  const uint64_t bytes = record.bytes().size() + kPieceOverhead;
  assembly.bytes += bytes;
  waiting_bytes_ += bytes;
  assembly.pieces[record.part()] = {.file = std::move(*record.mutable_file()),
                                    .offset = record.offset(),
                                    .bytes = std::move(*record.mutable_bytes())};
  MakeRoom(name);
  found = assemblies_.find(name);
  if (found != assemblies_.end() && found->second.pieces.size() == found->second.parts) {
    if (const Status whole = Complete(name); !whole.ok()) {
      NoteTorn("version " + std::to_string(name.first) + ": " + whole.message());
      return RecordFate::kTorn;
    }
  }
  return is_torn ? RecordFate::kTorn : is_early ? RecordFate::kEarly : RecordFate::kTaken;
}

Status VersionReceiver::Complete(const Name& name) {
  const auto found = assemblies_.find(name);
  const Assembly assembly = std::move(found->second);
  waiting_bytes_ -= assembly.bytes;
  assemblies_.erase(found);
  ReceivedVersion version;
  version.digest = name.second;
  for (const auto& [part, piece] : assembly.pieces) {
    std::string& contents = version.files[piece.file];
    if (contents.size() != piece.offset) {
      return DataLossError("part " + std::to_string(part) + " does not continue " + piece.file);
    }
    contents += piece.bytes;
  }
  const std::string& json = version.files[kSignatureFile];
  if (HexDigits(HashBytes(json)) != name.second) {
    return DataLossError("its signature does not have the digest that its records say");
  }
  AP_ASSIGN_OR_RETURN(version.signature, ParseSignature(json));
  const Signature& signature = version.signature;
  if (signature.model_id() != model_id_ || signature.version() != name.first ||
      signature.has_step() != assembly.is_step || !SameStep(signature.step(), assembly.step)) {
    return DataLossError("its signature is of another version than its records say");
  }
  AP_RETURN_IF_ERROR(CheckFiles(version));
  if (signature.has_step() && !Connects(signature)) {
    ++counts_.missing;
  }
  waiting_bytes_ += SizeOf(version);
  whole_.emplace(name, std::move(version));
  return Status();
}

// The served version is what it grows from, or it grows from another that is here.
bool VersionReceiver::Connects(const Signature& signature) const {
  const ServedStep& step = signature.step();
  return (served_.has_value() && step.predecessor_digest() == served_->digest) ||
         whole_.contains({step.predecessor(), step.predecessor_digest()});
}

std::optional<ReceivedVersion> VersionReceiver::Next() {
  auto next = whole_.end();
  for (auto it = whole_.begin(); it != whole_.end(); ++it) {
    const Signature& signature = it->second.signature;
    const bool grows_from_served = signature.has_step() && served_.has_value() &&
                                   signature.step().predecessor_digest() == served_->digest;
    // Of several with all rows the newest: the others would be passed over a moment later.
    if (!signature.has_step() || (grows_from_served && next == whole_.end())) {
      next = it;
    }
  }
  if (next == whole_.end()) {
    return std::nullopt;
  }
  ReceivedVersion version = std::move(next->second);
  waiting_bytes_ -= SizeOf(version);
  whole_.erase(next);
  served_ = version.position();
  ++counts_.versions;
  damage_.clear();
  for (auto it = assemblies_.begin(); it != assemblies_.end();) {
    const auto passed = it++;
    if (passed->first.first <= served_->version) {
      Drop(passed);
    }
  }
  for (auto it = whole_.begin(); it != whole_.end();) {
    const bool is_passed = it->first.first <= served_->version;
    waiting_bytes_ -= is_passed ? SizeOf(it->second) : 0;
    it = is_passed ? whole_.erase(it) : std::next(it);
  }
  return version;
}

std::string VersionReceiver::need() const {
  for (const auto& [name, version] : whole_) {
    const ServedStep& step = version.signature.step();
    if (version.signature.has_step() && !Connects(version.signature)) {
      return "version " + std::to_string(name.first) + " grows from version " +
             std::to_string(step.predecessor()) + " (" + step.predecessor_digest() +
             "), which has not come";
    }
  }
  return damage_;
}

void VersionReceiver::Drop(std::map<Name, Assembly>::iterator assembly) {
  waiting_bytes_ -= assembly->second.bytes;
  assemblies_.erase(assembly);
}

// What is not whole goes first, then what grows from something that has not come, and at last the
// version that came now: it does not fit.
void VersionReceiver::MakeRoom(const Name& keep) {
  while (waiting_bytes_ > max_waiting_bytes_) {
    const auto other = std::find_if(assemblies_.begin(), assemblies_.end(),
                                    [&keep](const auto& entry) { return entry.first != keep; });
    uint64_t version = keep.first;
    if (other != assemblies_.end()) {
      version = other->first.first;
      Drop(other);
    } else if (!whole_.empty()) {
      const auto last = std::prev(whole_.end());
      version = last->first.first;
      waiting_bytes_ -= SizeOf(last->second);
      whole_.erase(last);
    } else {
      Drop(assemblies_.find(keep));
    }
    damage_ = "version " + std::to_string(version) + " was given up: more than " +
              std::to_string(max_waiting_bytes_) + " bytes would wait";
  }
}

void VersionReceiver::NoteTorn(const std::string& what) {
  ++counts_.torn;
  damage_ = what;
}

}  // namespace antiphon
