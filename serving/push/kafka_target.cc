#include "serving/push/kafka_target.h"

#include <utility>
#include <vector>

#include "common/base/logging.h"
#include "serving/mapped_file.h"
#include "serving/push/push_record.h"
#include "serving/signature.h"

namespace antiphon {

KafkaTarget::KafkaTarget(const KafkaStream& config, std::unique_ptr<KafkaLog> log)
    : config_(config), log_(std::move(log)) {}

StatusOr<std::unique_ptr<KafkaTarget>> KafkaTarget::Create(const KafkaStream& config) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<KafkaLog> log, KafkaLog::Create(config));
  std::unique_ptr<KafkaTarget> target(new KafkaTarget(config, std::move(log)));
  AP_ASSIGN_OR_RETURN(target->producer_, KafkaProducer::Create(config));
  return target;
}

StatusOr<std::optional<VersionPosition>> KafkaTarget::Position(const std::string&) {
  AP_RETURN_IF_ERROR(log_->CheckTopic());
  AP_ASSIGN_OR_RETURN(const KafkaRange range, log_->AskRange());
  if (range.end != known_end_) {
    AP_ASSIGN_OR_RETURN(tail_, log_->FindTail(range));
    known_end_ = range.end;
  }
  if (tail_.has_value() && static_cast<int64_t>(tail_->chain_begin) < range.begin) {
    LOG(WARNING) << log_->name() << " has dropped what lies before offset " << range.begin
                 << ", and its last chain of versions begins at " << tail_->chain_begin
                 << ": the chain is sent again. Keep more than a chain (retention.bytes, "
                    "retention.ms)";
    tail_.reset();
  }
  return tail_.has_value() ? std::optional(tail_->position) : std::nullopt;
}

Status KafkaTarget::Push(const VersionLink& link) {
  AP_ASSIGN_OR_RETURN(const KafkaRange before, log_->AskRange());
  uint64_t chain_begin = static_cast<uint64_t>(before.end);
  if (link.signature.has_step()) {
    if (!tail_.has_value() ||
        tail_->position.digest != link.signature.step().predecessor_digest()) {
      return UnavailableError(log_->name() + " no longer ends with the version that it grows from");
    }
    chain_begin = tail_->chain_begin;
  }
  int64_t sent = 0;
  if (Status failed = Send(link, chain_begin, sent); !failed.ok()) {
    producer_.reset();
    known_end_ = -1;
    return failed;
  }
  tail_ = {.position = PositionOf(link), .chain_begin = chain_begin};
  // Records of somebody else among ours would be a reason to read what is there.
  AP_ASSIGN_OR_RETURN(const KafkaRange after, log_->AskRange());
  known_end_ = after.end == before.end + sent ? after.end : -1;
  return Status();
}

Status KafkaTarget::Send(const VersionLink& link, uint64_t chain_begin, int64_t& sent) {
  if (producer_ == nullptr) {
    AP_ASSIGN_OR_RETURN(producer_, KafkaProducer::Create(config_));
  }
  AP_ASSIGN_OR_RETURN(std::unique_ptr<MappedFile> file,
                      MappedFile::Open(link.folder + "/" + kSignatureFile));
  const std::vector<PushPiece> pieces = CutVersion(link.signature, file->bytes().size());
  PushRecord record;
  record.set_model_id(link.signature.model_id());
  record.set_version(link.signature.version());
  record.set_digest(link.digest);
  if (link.signature.has_step()) {
    *record.mutable_step() = link.signature.step();
  }
  record.set_parts(static_cast<uint32_t>(pieces.size()));
  record.set_chain_begin(chain_begin);
  record.set_file(kSignatureFile);
  for (size_t i = 0; i < pieces.size(); ++i) {
    const PushPiece& piece = pieces[i];
    if (piece.file != record.file()) {
      AP_ASSIGN_OR_RETURN(file, MappedFile::Open(link.folder + "/" + piece.file));
    }
    if (piece.offset + piece.bytes > file->bytes().size()) {
      return DataLossError(link.folder + "/" + piece.file + " is shorter than its signature says");
    }
    const std::span<const std::byte> bytes = file->bytes().subspan(piece.offset, piece.bytes);
    record.set_part(static_cast<uint32_t>(i));
    record.set_file(piece.file);
    record.set_offset(piece.offset);
    record.set_bytes(bytes.data(), bytes.size());
    AP_ASSIGN_OR_RETURN(const std::string sealed, EncodePushRecord(record));
    AP_RETURN_IF_ERROR(producer_->Send(config_.topic(), 0, sealed));
    ++sent;
  }
  return producer_->Flush();
}

}  // namespace antiphon
