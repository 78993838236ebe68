#include "serving/push/redis_target.h"

#include <algorithm>
#include <utility>

#include "common/base/hash.h"
#include "common/base/text.h"
#include "serving/feature_description.h"
#include "serving/mapped_file.h"
#include "serving/push/redis_keys.h"
#include "serving/signature.h"

namespace antiphon {
namespace {

constexpr size_t kKeysABatch = 1000;
constexpr size_t kBytesABatch = size_t{4} << 20;
// What a transaction with the files of a large model may take.
constexpr Duration kFilesPatience = std::chrono::seconds(60);
constexpr size_t kClaimDigits = 12;

// Counts up, so that of two claims the later one is larger as text too.
std::string ClaimAfter(std::string_view held, const std::string& writer) {
  const uint64_t number = ParseUint(held.substr(0, kClaimDigits)).value_or(0) + 1;
  std::string digits = std::to_string(number);
  digits.insert(0, kClaimDigits - std::min(kClaimDigits, digits.size()), '0');
  return digits + " " + writer;
}

}  // namespace

RedisTarget::RedisTarget(const RedisTargetOptions& options, std::unique_ptr<RedisClient> client)
    : options_(options), name_(RedisName(options.address)), client_(std::move(client)) {}

StatusOr<std::unique_ptr<RedisTarget>> RedisTarget::Create(const RedisTargetOptions& options) {
  AP_ASSIGN_OR_RETURN(std::unique_ptr<RedisClient> client,
                      RedisClient::Create(options.address.server, options.address.database));
  return std::unique_ptr<RedisTarget>(new RedisTarget(options, std::move(client)));
}

StatusOr<std::optional<RedisTarget::Served>> RedisTarget::ReadServed(const std::string& model_id) {
  AP_ASSIGN_OR_RETURN(const RedisReply reply, client_->Call({"HGETALL", RedisMetaKey(model_id)}));
  const RedisValue meta = reply.value();
  if (meta.size() == 0) {
    return std::optional<Served>();
  }
  Served served;
  const std::optional<uint64_t> version = ParseUint(meta.Find("version").text());
  served.position.model_id = model_id;
  served.position.version = version.value_or(0);
  served.position.digest = meta.Find("digest").text();
  served.generation = meta.Find("generation").text();
  served.has_leftovers = !meta.Find("leftovers").is_nil();
  if (!version.has_value() || meta.Find("format").text() != "1") {
    return FailedPreconditionError("key " + RedisMetaKey(model_id) + " of " + name_ +
                                   " is no version of format 1: another program's, or one of a "
                                   "later release. Remove it to begin anew");
  }
  return std::optional<Served>(std::move(served));
}

StatusOr<std::optional<VersionPosition>> RedisTarget::Position(const std::string& model_id) {
  AP_ASSIGN_OR_RETURN(const std::optional<Served> served, ReadServed(model_id));
  return served.has_value() ? std::optional(served->position) : std::nullopt;
}

Status RedisTarget::Claim(const std::string& model_id) {
  const std::string key = RedisWriterKey(model_id);
  const RedisClient::Command look[] = {{"WATCH", key}, {"GET", key}};
  AP_ASSIGN_OR_RETURN(const std::vector<RedisReply> held, client_->Call(look, Duration::zero()));
  const std::string_view holder = held[1].value().text();
  if (!claim_.empty() && holder == claim_) {
    return Status();
  }
  if (!claim_.empty() && holder > claim_) {
    return CheckWriter(model_id, held[1]);
  }
  // Ours is gone, or an older one is back, where the server lost its last moments.
  const std::string claim = claim_.empty() ? ClaimAfter(holder, options_.writer) : claim_;
  const RedisClient::Command take[] = {{"MULTI"}, {"SET", key, claim}, {"EXEC"}};
  AP_ASSIGN_OR_RETURN(const std::vector<RedisReply> taken, client_->Call(take, Duration::zero()));
  if (taken.back().value().is_nil()) {
    return UnavailableError("another exporter began to push model " + model_id + " to " + name_);
  }
  claim_ = claim;
  return Status();
}

Status RedisTarget::CheckWriter(const std::string& model_id, const RedisReply& holder) {
  const std::string_view text = holder.value().text();
  if (text == claim_) {
    return Status();
  }
  if (text < claim_) {
    return UnavailableError(name_ + " has lost who pushes model " + model_id +
                            ": it was restarted and is some moments younger");
  }
  return FailedPreconditionError("another exporter pushes model " + model_id + " to " + name_ +
                                 " since later than this one: " + std::string(text) +
                                 ". Stop one of them");
}

Status RedisTarget::Change(const std::string& model_id, std::vector<RedisClient::Command> changes) {
  const std::string key = RedisWriterKey(model_id);
  const RedisClient::Command look[] = {{"WATCH", key}, {"GET", key}};
  AP_ASSIGN_OR_RETURN(const std::vector<RedisReply> held, client_->Call(look, Duration::zero()));
  AP_RETURN_IF_ERROR(CheckWriter(model_id, held[1]));
  changes.insert(changes.begin(), {"MULTI"});
  changes.push_back({"EXEC"});
  AP_ASSIGN_OR_RETURN(const std::vector<RedisReply> replies,
                      client_->Call(changes, kFilesPatience));
  const RedisValue results = replies.back().value();
  if (results.is_nil()) {
    return UnavailableError("another exporter began to push model " + model_id + " to " + name_);
  }
  for (size_t i = 0; i < results.size(); ++i) {
    if (results[i].is_error()) {
      return FailedPreconditionError(name_ + " refuses " + changes[i + 1][0] + " " +
                                     changes[i + 1][1] + ": " + std::string(results[i].text()));
    }
  }
  return Status();
}

Status RedisTarget::Push(const VersionLink& link) {
  const std::string& model_id = link.signature.model_id();
  AP_RETURN_IF_ERROR(Claim(model_id));
  AP_ASSIGN_OR_RETURN(const std::optional<Served> served, ReadServed(model_id));
  const bool is_step = link.signature.has_step();
  if (is_step && (!served.has_value() ||
                  served->position.digest != link.signature.step().predecessor_digest())) {
    return UnavailableError(name_ + " no longer has the version that it grows from");
  }
  // What attempts that failed have left goes before there is more of it.
  if (!is_step || served->has_leftovers) {
    AP_RETURN_IF_ERROR(Sweep(model_id, served.has_value() ? served->generation : ""));
  }
  const std::string generation = is_step ? served->generation : NewGeneration(link);
  for (const ServedTable& table : link.signature.tables()) {
    AP_RETURN_IF_ERROR(PushTable(link, table, generation));
  }
  const bool has_leftovers = !is_step && served.has_value();
  AP_RETURN_IF_ERROR(PushMeta(link, generation, has_leftovers));
  return has_leftovers ? Sweep(model_id, generation) : Status();
}

// Rows of a version may be there already, with those of steps among them: each time has its own.
std::string RedisTarget::NewGeneration(const VersionLink& link) {
  return HexDigits(HashBytes(link.digest + " " + claim_ + " " + std::to_string(++generations_)));
}

Status RedisTarget::PushTable(const VersionLink& link, const ServedTable& table,
                              const std::string& generation) {
  const std::string path = link.folder + "/" + table.file();
  AP_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
  const StatusOr<EmbTable> rows = EmbTable::Open(file->bytes());
  AP_RETURN_IF_ERROR(rows.status().WithContext(path));
  const std::string prefix = RedisTablePrefix(link.signature.model_id(), generation, table.name());
  AP_RETURN_IF_ERROR(PushRows(link, *rows, prefix));
  return PushTombstones(link, *rows, prefix);
}

Status RedisTarget::PushRows(const VersionLink& link, const EmbTable& rows,
                             const std::string& prefix) {
  const uint64_t row_bytes = rows.header().row_bytes();
  const auto sequence = static_cast<uint32_t>(SequenceOf(link.signature));
  const size_t batch =
      std::clamp<size_t>(kBytesABatch / (row_bytes + prefix.size()), 1, kKeysABatch);
  for (uint32_t row = 0; row < rows.rows();) {
    RedisClient::Command set = {"MSET"};
    set.reserve(1 + 2 * batch);
    for (const auto end = static_cast<uint32_t>(std::min<uint64_t>(rows.rows(), row + batch));
         row < end; ++row) {
      set.push_back(RedisRowKey(prefix, rows.key(row)));
      set.push_back(RedisRow(link.signature.version(), sequence, {rows.row_bytes(row), row_bytes}));
    }
    AP_RETURN_IF_ERROR(Change(link.signature.model_id(), {std::move(set)}));
  }
  return Status();
}

Status RedisTarget::PushTombstones(const VersionLink& link, const EmbTable& rows,
                                   const std::string& prefix) {
  const std::span<const Key> gone = rows.tombstones();
  for (size_t i = 0; i < gone.size();) {
    RedisClient::Command remove = {"UNLINK"};
    for (const size_t end = std::min(gone.size(), i + kKeysABatch); i < end; ++i) {
      remove.push_back(RedisRowKey(prefix, gone[i]));
    }
    AP_RETURN_IF_ERROR(Change(link.signature.model_id(), {std::move(remove)}));
  }
  return Status();
}

Status RedisTarget::PushMeta(const VersionLink& link, const std::string& generation,
                             bool has_leftovers) {
  const Signature& signature = link.signature;
  const std::string& model_id = signature.model_id();
  RedisClient::Command files = {"HSET", RedisFilesKey(model_id)};
  for (const char* name : {kSignatureFile, kGraphFile, kStateFile}) {
    const std::string path = link.folder + "/" + name;
    AP_ASSIGN_OR_RETURN(const std::unique_ptr<MappedFile> file, MappedFile::Open(path));
    files.emplace_back(name);
    files.emplace_back(reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size());
  }
  RedisClient::Command meta = {"HSET", RedisMetaKey(model_id), "format", "1", "model_id", model_id};
  const auto say = [&meta](const char* field, const std::string& value) {
    meta.emplace_back(field);
    meta.push_back(value);
  };
  say("model_name", signature.model_name());
  say("generation", generation);
  say("base", std::to_string(BaseOf(signature)));
  say("version", std::to_string(signature.version()));
  say("sequence", std::to_string(SequenceOf(signature)));
  say("digest", link.digest);
  say("cut_ms", std::to_string(signature.cut_ms()));
  if (has_leftovers) {
    say("leftovers", "1");
  }
  // A hash of another program at the place of the files does not survive; what the model's own hash
  // is was looked at before.
  return Change(model_id, {{"DEL", RedisFilesKey(model_id)}, std::move(files), std::move(meta)});
}

Status RedisTarget::Sweep(const std::string& model_id, const std::string& generation) {
  std::string cursor = "0";
  do {
    AP_ASSIGN_OR_RETURN(const RedisReply reply,
                        client_->Call({"SCAN", cursor, "MATCH", RedisMetaKey(model_id) + ":*",
                                       "COUNT", std::to_string(kKeysABatch)}));
    cursor = reply.value()[0].text();
    RedisClient::Command remove = {"UNLINK"};
    const RedisValue keys = reply.value()[1];
    for (size_t i = 0; i < keys.size(); ++i) {
      const std::string_view its = GenerationOfRedisKey(model_id, keys[i].text());
      if (!its.empty() && its != generation) {
        remove.emplace_back(keys[i].text());
      }
    }
    if (remove.size() > 1) {
      AP_RETURN_IF_ERROR(Change(model_id, {std::move(remove)}));
    }
  } while (cursor != "0");
  return Change(model_id, {{"HDEL", RedisMetaKey(model_id), "leftovers"}});
}

}  // namespace antiphon
