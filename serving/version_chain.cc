#include "serving/version_chain.h"

#include <algorithm>
#include <utility>

#include "common/base/hash.h"
#include "serving/feature_description.h"
#include "serving/signature.h"
#include "serving/version_directory.h"

namespace antiphon {
namespace {

constexpr uint64_t kMaxSignatureBytes = uint64_t{1} << 30;
// How often CURRENT may move while its chain is read before something else must be wrong.
constexpr int kAttempts = 10;

std::string Name(const VersionLink& link) {
  return "version " + std::to_string(link.signature.version()) + " in " + link.folder;
}

// Where a version stands, for messages.
std::string Place(const Signature& signature) {
  return signature.has_step() ? "step " + std::to_string(SequenceOf(signature)) +
                                    " behind version " + std::to_string(BaseOf(signature))
                              : "a version with all rows";
}

// A folder that is called version-<n> holds version n.
Status CheckName(const VersionLink& link) {
  const std::string name = link.folder.substr(link.folder.rfind('/') + 1);
  const std::optional<uint64_t> version = VersionOfFolderName(name);
  if (version.has_value() && *version != link.signature.version()) {
    return OutOfRangeError(link.folder + " holds version " +
                           std::to_string(link.signature.version()) +
                           ": versions were renamed or mixed");
  }
  return Status();
}

StatusOr<VersionLink> ReadPredecessor(FileSystem& fs, const VersionLink& step) {
  const uint64_t version = step.signature.step().predecessor();
  const std::string folder = FolderAbove(step.folder) + "/" + VersionFolderName(version);
  StatusOr<VersionLink> before = ReadVersionLink(fs, folder);
  if (before.status().code() == StatusCode::kNotFound) {
    return NotFoundError(Name(step) + " is " + Place(step.signature) + ", and " + folder +
                         ", which comes right before it, is missing");
  }
  return before;
}

}  // namespace

std::string VersionDigest(std::string_view json) {
  return HexDigits(HashBytes(json));
}

uint64_t BaseOf(const Signature& signature) {
  return signature.has_step() ? signature.step().base() : signature.version();
}

uint64_t SequenceOf(const Signature& signature) {
  return signature.has_step() ? signature.step().sequence() : 0;
}

StatusOr<VersionLink> ReadVersionLink(FileSystem& fs, const std::string& folder) {
  VersionLink link;
  link.folder = WithoutTrailingSlash(folder);
  const std::string path = link.folder + "/" + kSignatureFile;
  if (!fs.Exists(path)) {
    return NotFoundError(path + " is not there: expected the folder of a version");
  }
  AP_ASSIGN_OR_RETURN(const std::string json, ReadWholeFile(fs, path, kMaxSignatureBytes));
  StatusOr<Signature> signature = ParseSignature(json);
  AP_RETURN_IF_ERROR(signature.status().WithContext(path));
  link.signature = *std::move(signature);
  link.digest = VersionDigest(json);
  AP_RETURN_IF_ERROR(CheckName(link));
  return link;
}

Status CheckFollows(const VersionLink& before, const VersionLink& step) {
  const Signature& held = before.signature;
  const Signature& next = step.signature;
  const std::string there = Name(before) + " is " + Place(held);
  if (next.model_id() != held.model_id()) {
    return InvalidArgumentError(Name(step) + " is of model " + next.model_id() + ", " +
                                Name(before) + " of model " + held.model_id());
  }
  const std::string what = Name(step) + " is " + Place(next);
  if (BaseOf(next) != BaseOf(held)) {
    return StaleEpochError(what + ", but " + there + ": they belong to different chains");
  }
  if (SequenceOf(next) == SequenceOf(held)) {
    return AlreadyExistsError(what + ", and so is " + Name(before) +
                              ": one of them is a duplicate");
  }
  if (SequenceOf(next) > SequenceOf(held) + 1) {
    return NotFoundError(what + ", but " + there + ": steps in between are missing");
  }
  if (SequenceOf(next) < SequenceOf(held) || next.step().predecessor() != held.version()) {
    return OutOfRangeError(what + " and grows from version " +
                           std::to_string(next.step().predecessor()) + ", but " + there +
                           ": they are out of order");
  }
  if (next.step().predecessor_digest() != before.digest) {
    return DataLossError(what + " and was made from a version with digest " +
                         next.step().predecessor_digest() + ", but " + Name(before) +
                         " has digest " + before.digest + ": it is torn, or another one");
  }
  return Status();
}

StatusOr<VersionChain> ReadVersionChain(FileSystem& fs, const std::string& last_folder) {
  VersionChain chain;
  AP_ASSIGN_OR_RETURN(VersionLink last, ReadVersionLink(fs, last_folder));
  chain.push_back(std::move(last));
  while (chain.back().signature.has_step()) {
    if (chain.size() > kMaxSteps) {
      return DataLossError(chain.front().folder + ": more than " + std::to_string(kMaxSteps) +
                           " steps behind a version with all rows");
    }
    AP_ASSIGN_OR_RETURN(VersionLink before, ReadPredecessor(fs, chain.back()));
    AP_RETURN_IF_ERROR(CheckFollows(before, chain.back()));
    chain.push_back(std::move(before));
  }
  std::ranges::reverse(chain);
  return chain;
}

StatusOr<VersionChain> ReadCurrentChain(FileSystem& fs, const std::string& directory) {
  AP_ASSIGN_OR_RETURN(std::string current, ReadCurrent(fs, directory));
  for (int attempt = 1;; ++attempt) {
    StatusOr<VersionChain> chain = ReadVersionChain(fs, directory + "/" + current);
    if (chain.ok() || attempt == kAttempts) {
      return chain;
    }
    AP_ASSIGN_OR_RETURN(std::string now, ReadCurrent(fs, directory));
    if (now == current) {
      return chain.status().WithContext(directory + "/" + kCurrentFile + " names " + current);
    }
    current = std::move(now);
  }
}

}  // namespace antiphon
